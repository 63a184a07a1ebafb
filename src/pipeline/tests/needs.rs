use super::{parallel::matrix, *};
use crate::config::keyword::{
    Unresolved,
    job::{Artifacts, Parallel, UploadWhen},
};

/// The names that a job needs, and what was reported.
fn needs_of(pipeline: &Pipeline, job: &str) -> Option<Vec<String>> {
    let job = pipeline.job(pipeline.find(job).expect("the job is there"));
    let name = |need: &crate::pipeline::job::Need| pipeline.job(need.job).name.clone();
    job.needs.as_ref().map(|needs| needs.iter().map(name).collect())
}

fn needing(name: &str, needs: Vec<Need>) -> Job {
    Job { needs: Some(needs), ..in_stage("deploy", name) }
}

fn optional(name: &str) -> Need {
    Need { optional: true, ..need(name) }
}

fn with_matrix(name: &str, entries: &[&[(&str, &[&str])]]) -> Need {
    let target = NeedTarget::Job { name: name.to_owned(), matrix: Some(matrix(entries)) };
    Need { target, ..need(name) }
}

#[test]
fn needs_become_jobs() {
    let build = || Job {
        parallel: Some(Parallel::Matrix(matrix(&[&[("OS", &["linux", "mac"]), ("V", &["1", "2"])]]))),
        ..in_stage("build", "build")
    };
    for (needs, expected) in [
        (vec![need("lint")], vec!["lint"]),
        (vec![], vec![]),
        (vec![need("test")], vec!["test 1/2", "test 2/2"]),
        (vec![need("test 2/2")], vec!["test 2/2"]),
        (vec![need("build: [mac, 1]")], vec!["build: [mac, 1]"]),
        (
            vec![with_matrix("build", &[&[("OS", &["mac"]), ("V", &["1", "2"])]])],
            vec!["build: [mac, 1]", "build: [mac, 2]"],
        ),
        (vec![optional("gone")], vec![]),
        (vec![optional("lint"), optional("gone")], vec!["lint"]),
    ] {
        let jobs = vec![
            build(),
            in_stage("build", "lint"),
            Job { parallel: Some(Parallel::Count(2)), ..job("test") },
            needing("d", needs.clone()),
        ];
        let (pipeline, reports) = created(jobs, push("x"));
        assert_eq!(needs_of(&pipeline, "d").expect("it has needs"), expected, "{needs:?}");
        assert!(reports.is_empty(), "{reports:?}");
    }
}

#[test]
fn a_matrix_job_needs_the_instance_of_its_own_value() {
    let parallel = || Some(Parallel::Matrix(matrix(&[&[("OS", &["linux", "mac"])]])));
    let build = Job { parallel: parallel(), ..in_stage("build", "build") };
    let needs = Some(vec![with_matrix("build", &[&[("OS", &["$[[ matrix.OS ]]"])]])]);
    let test = Job { parallel: parallel(), needs, ..job("test") };
    let (pipeline, reports) = created(vec![build.clone(), test.clone()], push("x"));
    assert!(reports.is_empty(), "{reports:?}");
    assert_eq!(needs_of(&pipeline, "test: [mac]").expect("needs"), ["build: [mac]"]);

    let needs = Some(vec![with_matrix("build", &[&[("OS", &["$[[ matrix.NOPE ]]"])]])]);
    let (_, reports) = created(vec![build, Job { needs, ..test }], push("x"));
    assert!(reports[0].starts_with("unknown-matrix-identifier: `test` has no `NOPE`"), "{reports:?}");
}

#[test]
fn mistaken_needs_are_reported() {
    let left_out = Job { rules: Some(vec![never()]), ..in_stage("build", "lint") };
    for (needs, expected) in [
        (
            vec![need("bulid")],
            "missing-need: `d` needs `bulid`, but `bulid` does not exist in the pipeline (did you mean `build`?)",
        ),
        (
            vec![need("lint")],
            "missing-need: `d` needs `lint`, but `lint` does not exist in the pipeline (`lint` is left out \
             (`rules: when: never` matched (rule 1)); write `optional: true` for a job that is not always there)",
        ),
        (
            vec![need("after")],
            "need-of-later-stage: `after` is in a stage after that of `d` (move one of them to another \
             `stage`)",
        ),
        (vec![need("build"), need("build")], "duplicate-need: `d` needs `build` twice (remove one of them)"),
        (
            vec![with_matrix("test", &[&[("A", &["1"])]])],
            "missing-need: `d` needs `test: [1]`, but `test: [1]` does not exist in the pipeline (did you mean \
             `test 1/60`?)",
        ),
        (
            vec![need("test")],
            "too-many-needs: `d` needs 60 jobs, and 50 is the most (let it run after a whole stage instead, \
             without `needs`)",
        ),
    ] {
        let jobs = vec![
            in_stage("build", "build"),
            left_out.clone(),
            Job { parallel: Some(Parallel::Count(60)), ..job("test") },
            needing("d", needs.clone()),
            in_stage(".post", "after"),
        ];
        let (_, reports) = created(jobs, push("x"));
        assert_eq!(reports, [expected], "{needs:?}");
    }
}

#[test]
fn a_need_that_cannot_be_built_is_one_warning() {
    let needing_it = |name| needing(name, vec![need("elsewhere")]);
    let mut config = config(vec![job("a"), needing_it("d"), needing_it("e")]);
    config.unresolved = vec![Unresolved { name: text("elsewhere"), reason: "extends `.gone`".to_owned() }];
    let (pipeline, reports) = create_in(&config, push("x"), &Files::default());
    assert_eq!(
        reports,
        [
            "unresolved-need: `elsewhere`, a need of `d` and `e`, cannot be built here (extends `.gone`) (its place in the order of jobs is left out)"
        ]
    );
    assert_eq!(pipeline.unresolved[0].reason, "extends `.gone`");
    config.unresolved.clear();
    config.unavailable = vec![text("group/templates: ci.yml")];
    let (_, reports) = create_in(&config, push("x"), &Files::default());
    assert!(reports.is_empty(), "the reading has said so: {reports:?}");
}

#[test]
fn jobs_that_need_each_other_are_reported() {
    let (_, reports) = created(
        vec![
            job("free"),
            needing("a", vec![need("b")]),
            needing("b", vec![need("c"), need("free")]),
            needing("c", vec![need("a")]),
        ],
        push("x"),
    );
    assert_eq!(
        reports,
        ["circular-needs: jobs need each other: `a`, `b`, `c` and again `a` (remove one of these needs)"]
    );
}

#[test]
fn a_rule_replaces_needs() {
    for (own, by_rule, expected) in [
        (Some(vec![need("a")]), Some(vec![need("b")]), Some(vec!["b"])),
        (Some(vec![need("a")]), None, Some(vec!["a"])),
        (None, Some(vec![need("b")]), Some(vec!["b"])),
        (None, Some(vec![]), None),
        (Some(vec![need("a")]), Some(vec![]), Some(vec!["a"])),
    ] {
        let rule = Rule { needs: by_rule, ..Rule::default() };
        let d = Job { needs: own, rules: Some(vec![rule]), ..in_stage("deploy", "d") };
        let (pipeline, _) = created(vec![job("a"), job("b"), d], push("x"));
        let found = needs_of(&pipeline, "d");
        assert_eq!(found, expected.map(|names| owned(&names)));
    }
}

#[test]
fn needs_of_the_job_must_be_there_and_those_of_a_rule_need_not() {
    let absent = Job { rules: Some(vec![never()]), ..job("absent") };
    for (own, by_rule, problems, expected) in
        [("absent", "a", 1, vec!["a"]), ("a", "absent", 1, vec![]), ("a", "a", 0, vec!["a"])]
    {
        let rule = Rule { needs: Some(vec![need(by_rule)]), ..Rule::default() };
        let d = Job { needs: Some(vec![need(own)]), rules: Some(vec![rule]), ..in_stage("deploy", "d") };
        let config = config(vec![job("a"), absent.clone(), d]);
        let mut diagnostics = Diagnostics::default();
        let pipeline = create(&config, &context(push("x")), &Files::default(), &mut diagnostics);
        assert_eq!(needs_of(&pipeline, "d"), Some(owned(&expected)), "{own} {by_rule}");
        assert_eq!(diagnostics.iter().count(), problems, "{own} {by_rule}");
        assert_eq!(diagnostics.has_errors(), own == "absent", "{own} {by_rule}");
    }
}

fn with_artifacts(job: Job) -> Job {
    let artifacts = Artifacts {
        span: span(),
        paths: texts(&["out"]),
        exclude: Vec::new(),
        untracked: false,
        when: UploadWhen::OnSuccess,
        name: None,
        expire_in: None,
        reports: indexmap::IndexMap::new(),
    };
    Job { artifacts: Some(artifacts), ..job }
}

#[test]
fn artifacts_come_from_needs_dependencies_or_earlier_stages() {
    let without = Need { artifacts: false, ..need("b") };
    for (needs, dependencies, expected) in [
        (None, None, vec!["a", "b", "c"]),
        (None, Some(vec![]), vec![]),
        (None, Some(vec!["c", "a"]), vec!["a", "c"]),
        (Some(vec![need("c"), need("a")]), None, vec!["a", "c"]),
        (Some(vec![need("a"), without]), None, vec!["a"]),
        (Some(vec![need("a"), need("b")]), Some(vec!["b"]), vec!["b"]),
        (Some(vec![]), None, vec![]),
        // What runs beside a job has nothing to give, nor has what it does not need.
        (None, Some(vec!["a", "beside"]), vec!["a"]),
        (Some(vec![]), Some(vec!["a"]), vec![]),
    ] {
        let d = Job {
            needs: needs.clone(),
            dependencies: dependencies.clone().map(|names| texts(&names)),
            ..in_stage("deploy", "d")
        };
        let jobs = vec![
            with_artifacts(in_stage("build", "a")),
            with_artifacts(in_stage("build", "b")),
            with_artifacts(job("c")),
            job("no artifacts"),
            d,
            with_artifacts(in_stage("deploy", "beside")),
        ];
        let (pipeline, reports) = created(jobs, push("x"));
        let d = pipeline.job(pipeline.find("d").expect("d"));
        let found: Vec<&str> = d.artifacts_from.iter().map(|id| pipeline.job(*id).name.as_str()).collect();
        assert_eq!(found, expected, "{needs:?} {dependencies:?}");
        assert!(reports.is_empty(), "{reports:?}");
    }
}

#[test]
fn mistaken_dependencies_are_reported() {
    for (needs, dependency, expected) in [
        (
            None,
            "biuld",
            "missing-dependency: `d` depends on `biuld`, which does not exist (did you mean `build`?)",
        ),
        (None, "after", "dependency-of-later-stage: `after` is in a stage after that of `d`"),
        (
            Some(vec![need("lint")]),
            "build",
            "dependency-not-needed: `d` depends on `build` and does not need it",
        ),
    ] {
        let d = Job { needs, dependencies: Some(texts(&[dependency])), ..in_stage("deploy", "d") };
        let jobs = vec![in_stage("build", "build"), job("lint"), d, in_stage(".post", "after")];
        let (_, reports) = created(jobs, push("x"));
        assert!(reports[0].starts_with(expected), "{reports:?}");
    }
    let absent = Job { rules: Some(vec![never()]), ..in_stage("build", "absent") };
    let d = Job { dependencies: Some(texts(&["absent"])), ..in_stage("deploy", "d") };
    assert!(created(vec![absent, d], push("x")).1.is_empty());
}

#[test]
fn what_the_reading_of_the_configuration_has_found_is_not_said_again() {
    let mut diagnostics = Diagnostics::default();
    diagnostics.push(crate::config::Diagnostic::error("unknown-job", "there is no `gone`", span()));
    let config = config(vec![job("a"), needing("d", vec![need("gone")])]);
    create(&config, &context(push("x")), &Files::default(), &mut diagnostics);
    assert_eq!(diagnostics.iter().count(), 1);
}
