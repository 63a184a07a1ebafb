//! Fixtures of one job's life: its script, services, limits and images.

use super::{
    engine::Engine,
    expected::{Fixture, broken, exits, failed, stays, success},
    servers,
};

pub(crate) fn scripts() -> Fixture {
    let shared = |name| {
        success(name)
            .prints(&[
                "the word is kept",
                "input is /dev/null",
                "letter a",
                "letter b",
                "status success, word '', left behind",
            ])
            .says("$ for letter in a b; do # collapsed multi-line command")
    };
    let pipe = |name| failed(name, 1).allowed().prints(&["a failure that is looked at"]).never("not reached");
    let timeout = || broken("timeout", "job_execution_timeout").allowed().never("not reached");
    Fixture::new(
        "scripts",
        "how commands run: one shell, a second for `after_script`, exit codes, time limits",
    )
    .run(
        exits(0)
            .job(shared("shared"))
            .job(shared("shared:debian"))
            .job(pipe("pipe"))
            .job(pipe("pipe:debian"))
            .job(
                failed("lines", 7)
                    .allowed()
                    .prints(&["first", "status failed"])
                    .says("after_script failed, but job will continue unaffected"),
            )
            .job(timeout())
            .job(broken("script timeout", "job_execution_timeout").allowed().prints(&["status failed"]))
            .job(
                success("after timeout")
                    .never("not reached")
                    .says("after_script failed, but job will continue unaffected"),
            )
            .job(failed("after counts", 5).allowed().because("after_script ended with exit code 5"))
            .job(success("trace").says("+ echo traced"))
            .job(success("user").prints(&["user 1234:1234", "new"]))
            .job(success("entrypoint").prints(&["not in the way"])),
    )
}

pub(crate) fn hooks() -> Fixture {
    Fixture::new("hooks", "`hooks:pre_get_sources_script`: what runs before the sources come").run(
        exits(0)
            .job(
                success("before")
                    .prints(&[
                        "before the sources of before",
                        "no sources yet",
                        "the word is kept",
                        "README.md",
                    ])
                    .says("podline checks out on the host: `git config --global advice.detachedHead false`"),
            )
            .job(failed("failing", 3).allowed().because("pre_get_sources_script").never("never"))
            .job(success("without sources").prints(&["it runs"])),
    )
}

pub(crate) fn junit() -> Fixture {
    Fixture::new(
        "junit",
        "`artifacts:reports:junit` and `coverage`: tests are summed up, and do not decide the job",
    )
    .run(
        exits(0)
            .job(failed("unit", 1).allowed().tested(3, 1))
            .job(success("passes with failing tests").tested(3, 1))
            .job(success("no report").says("JUnit report `report.xml` is not read"))
            .job(success("coverage").covered(87.25)),
    )
}

pub(crate) fn services() -> Fixture {
    Fixture::new("services", "a real PostgreSQL and a real Redis beside the job")
        .needs(servers::are_there)
        .run(
            exits(0)
                .job(
                    success("database")
                        .prints(&["waiting for TCP connection to localhost on [5432]...", " there"]),
                )
                .job(success("store").prints(&["OK", "42"]).says("[service:memory] ")),
        )
}

pub(crate) fn ports() -> Fixture {
    Fixture::new("ports", "two services on one port, and one that never listens").run(
        exits(1)
            .with(&["--runner-config", "patience.yml"])
            .told("services `first` (`busybox:1.36`) and `second` (`busybox:1.36`) of job `two` both listen on port 8080")
            .job(success("two").says("has ended with exit code 1; services share the pod's network"))
            .job(
                broken("silent", "runner_system_failure")
                    .because(
                        "service `deaf` (`busybox:1.36`) does not listen on port 9999, its `HEALTHCHECK_TCP_PORT`",
                    )
                    .never("never"),
            ),
    )
}

pub(crate) fn memory() -> Fixture {
    Fixture::new("memory", "a job that takes more memory than its container may have")
        .run(exits(1).job(broken("hog", "script_failure").because("1Gi").because("KUBERNETES_MEMORY_LIMIT")))
}

pub(crate) fn limits() -> Fixture {
    let too_much = "the resource \"CPULimit\" requested \"8\" is higher than limit allowed \"2\"";
    Fixture::new("limits", "limits, nodes and output that a job's variables and the runner's settings choose")
        .run(
            exits(1)
                .with(&["--runner-config", "runner.toml"])
                .job(success("as the runner says").prints(&["209715200"]))
                .job(
                    success("more")
                        .prints(&["314572800"])
                        .says("the runner ignores `KUBERNETES_HELPER_MEMORY_LIMIT`"),
                )
                .job(broken("too much", "runner_configuration_error").because(too_much))
                .job(success("service").prints(&["hello", "67108864", "greeting ''"]))
                .job(success("here").prints(&["scheduled"]))
                .job(broken("nowhere", "runner_system_failure").because("kubernetes.io/arch=s390x"))
                .job(
                    success("chatter")
                        .prints(&["line 1"])
                        .says("Job's log exceeded limit of 4096 bytes.")
                        .never("the last line"),
                ),
        )
}

pub(crate) fn pull() -> Fixture {
    let nobody = || broken("nowhere", "image_pull_failure").because("registry.invalid/nobody/nothing:1");
    let nothing_runs = || exits(3).told("none of the images is here").job(stays("nowhere", "canceled"));
    Fixture::new("pull", "an image that nobody has").run(exits(1).job(nobody()).differs(
        Engine::Embedded,
        "A cluster learns that an image cannot be had when a job wants it. Without a cluster it is known before the \
         first job: a run of which no image can be had ends with exit code 3 and names the ways out.",
        nothing_runs,
    ))
}

pub(crate) fn policies() -> Fixture {
    let attempts = success("second")
        .prints(&["it ran"])
        .says("Failed to pull image \"busybox:1.36\" for container \"build\" with policy \"Always\"")
        .says("Attempt #2: Trying \"IfNotPresent\" pull policy for \"busybox:1.36\" image for container \"build\"");
    Fixture::new("policies", "a list of pull policies: the next one is tried in a new pod").run(
        exits(1).with(&["--runner-config", "runner.yml"]).job(attempts).job(
            broken("exhausted", "image_pull_failure").says("with policy \"IfNotPresent\": image pull failed"),
        ),
    )
}
