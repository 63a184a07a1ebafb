//! Fixtures of the pipeline: which job runs when, and what comes of it.

use super::expected::{Fixture, exits, failed, stays, success};

pub(crate) fn hello() -> Fixture {
    Fixture::new("hello", "three stages, `needs`, files from job to job").run(
        exits(0)
            .job(success("build:words").beside("build:page").leaves(&["out/words.txt"]))
            .job(success("build:page").leaves(&["out/page.html"]))
            .job(
                success("test:sorted")
                    .after("build:words")
                    .after("build:page")
                    .prints(&["the words are in order"]),
            )
            .job(success("test:page").after("build:page"))
            .job(success("package").after("test:sorted").prints(&["the job's status is success"])),
    )
}

pub(crate) fn failing() -> Fixture {
    Fixture::new("failing", "a failed job, an allowed failure, `when: on_failure`, what is skipped").run(
        exits(1)
            .succeed(&["compile", "slow"])
            .job(failed("unit", 3).prints(&["2 of 2 fails"]).after("compile"))
            .job(failed("style", 1).allowed())
            .job(stays("publish", "skipped"))
            .job(success("report").after("unit").after("slow")),
    )
}

pub(crate) fn decisions() -> Fixture {
    let blocked = exits(4)
        .job(success("flaky").attempts(3).prints(&["attempt 3"]))
        .job(failed("exit code", 1).allowed().attempts(2))
        .job(failed("another reason", 1).allowed().attempts(1))
        .job(success("one").apart("other").after("flaky"))
        .job(success("other").apart("one"))
        .job(success("in a moment").was("scheduled"))
        .job(stays("ask", "manual"))
        .job(stays("needs ask", "skipped"))
        .job(success("needs nobody"))
        .job(stays("rescue", "skipped"))
        .job(success("whatever happens").after("one").after("other"))
        .job(stays("gate", "manual"))
        .job(stays("behind the gate", "created"));
    let opened = exits(0)
        .with(&["--manual", "ask", "--manual", "gate", "--no-delay"])
        .job(success("flaky").attempts(1))
        .job(failed("exit code", 1).allowed().attempts(1))
        .job(failed("another reason", 1).allowed())
        .succeed(&["one", "other", "in a moment", "ask", "needs nobody", "whatever happens", "gate"])
        .job(success("needs ask").after("ask"))
        .job(stays("rescue", "skipped"))
        .job(success("behind the gate").after("gate"));
    Fixture::new("decisions", "retries, manual and delayed jobs, resource groups, needs of what is not there")
        .run(blocked)
        .run(opened)
}

pub(crate) fn cancel() -> Fixture {
    Fixture::new("cancel", "`auto_cancel:on_job_failure`: the first failure ends what runs").run(
        exits(1)
            .job(failed("fails", 1).beside("long"))
            .job(stays("long", "canceled").prints(&["begins", "status canceled"]).never("never"))
            .job(stays("deploy", "canceled")),
    )
}

pub(crate) fn held() -> Fixture {
    let held = exits(0)
        .succeed(&["build", "review", "check"])
        .job(stays("production", "manual"))
        .job(stays("notes", "manual"))
        .job(stays("smoke", "skipped"));
    let deployed = exits(0)
        .with(&["--deploy=production"])
        .succeed(&["build", "review", "check", "production"])
        .job(stays("notes", "manual"))
        .job(success("smoke").after("production"));
    Fixture::new("held", "deployments and releases are held until they are asked for").run(held).run(deployed)
}

pub(crate) fn dummies() -> Fixture {
    Fixture::new(
        "dummies",
        "tokens that are made up and hidden, a pipeline of another project that does not start",
    )
    .run(
        exits(0)
            .job(
                success("tokens")
                    .prints(&["it is made up", "token [MASKED]", "a login in it"])
                    .never("token podline-dummy-token"),
            )
            .job(stays("elsewhere", "manual"))
            .job(stays("after elsewhere", "skipped")),
    )
}

pub(crate) fn slots() -> Fixture {
    let names = [
        "sleep 1/10",
        "sleep 2/10",
        "sleep 3/10",
        "sleep 4/10",
        "sleep 5/10",
        "sleep 6/10",
        "sleep 7/10",
        "sleep 8/10",
        "sleep 9/10",
        "sleep 10/10",
    ];
    Fixture::new("slots", "ten jobs, of which never more than eight run at once")
        .run(exits(0).succeed(&names))
}

pub(crate) fn children() -> Fixture {
    Fixture::new("children", "child pipelines: from a file, from one that a job makes, a child of a child")
        .run(
            exits(0)
                .succeed(&["generate", "tests/publish"])
                .job(success("docs").ends_before("docs/build"))
                .job(success("tests").after("generate"))
                .job(success("report").after("tests"))
                .job(success("docs/build").prints(&["the docs as html, greeting ''"]))
                .job(
                    success("tests/unit")
                        .prints(&["hello from parent_pipeline, unit of v1.2.3", "42"])
                        .leaves(&["unit.txt"]),
                )
                .job(success("tests/style").leaves(&["style.txt"]))
                .job(success("tests/publish/notes").prints(&["notes, greeting ''"]))
                .job(stays("tests/publish/upload", "manual")),
        )
}

pub(crate) fn broken() -> Fixture {
    Fixture::new("broken", "a configuration with mistakes, all told at once; nothing runs")
        .run(exits(2).told("stage `biuld` of job `build` does not exist").told("did you mean `script`?"))
}
