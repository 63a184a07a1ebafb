use super::*;
use crate::{
    config::keyword::job::{AllowFailure, Parallel},
    pipeline::{Found, explain, explain::Clause, explain_workflow},
};

/// Whether a job with these rules is in the pipeline.
fn is_in(rules: Vec<Rule>, event: Event, files: &Files) -> bool {
    let list = vec![Job { rules: Some(rules), ..job("a") }, job("other")];
    create_in(&config(list), event, files).0.find("a").is_some()
}

#[test]
fn a_regexp_is_rubys_and_finds_a_path() {
    let files = Files::changed(&["docs/a.md"]);
    for (pattern, expected) in [
        (r"\.md$", true),
        (r"\A(?!docs/)", false),
        ("^docs/a.md@$CI_COMMIT_BRANCH$", false),
        ("$CI_COMMIT_BRANCH|md", true),
        ("(", false),
    ] {
        let rule = Rule {
            changes: Some(Changes { paths: Paths::Regexp(text(pattern)), compare_to: None }),
            ..Rule::default()
        };
        assert_eq!(is_in(vec![rule], push("main"), &files), expected, "{pattern}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let on_main = "$CI_COMMIT_BRANCH == \"main\"";
    for (rules, branch, expected) in [
        (vec![when(on_main)], "main", Ok((0, "rule 1: if $CI_COMMIT_BRANCH == \"main\""))),
        (vec![when(on_main)], "x", Err("no rule matched")),
        (vec![when(on_main), Rule::default()], "x", Ok((1, "rule 2: no condition"))),
        (
            vec![Rule { when: Some(When::Never), ..when(on_main) }, Rule::default()],
            "main",
            Err("`rules: when: never` matched (rule 1)"),
        ),
        (vec![], "main", Err("no rule matched")),
        (
            vec![when("$CI_JOB_ID"), when("$CI_PIPELINE_ID"), when("$CI_PROJECT_DIR")],
            "main",
            Err("no rule matched"),
        ),
        (vec![when("$A = 1"), Rule::default()], "main", Ok((1, "rule 2: no condition"))),
    ] {
        let list = vec![Job { rules: Some(rules.clone()), ..job("a") }, job("other")];
        let (pipeline, _) = created(list, push(branch));
        let result = match pipeline.find("a") {
            Some(id) => {
                let job = pipeline.job(id);
                Ok((job.matched_rule.expect("a rule matched"), job.reason.as_str()))
            }
            None => Err(pipeline.left_out[0].reason.as_str()),
        };
        assert_eq!(result, expected, "{rules:?} on {branch}");
    }
}

#[test]
fn changes_hold_for_any_path_and_without_a_diff() {
    for (patterns, changed, expected) in [
        (["src/**/*", "x"], Some(vec!["src/a/b.rs"]), true),
        (["src/*", "x"], Some(vec!["src/a/b.rs"]), false),
        (["src/*", "x"], Some(vec![]), false),
        (["src/*", "x"], None, true),
        (["$CI_PROJECT_NAME/*", "x"], Some(vec!["project/a"]), true),
        (["$NESTED/*", "x"], Some(vec!["project-1/a"]), true),
        (["$UNKNOWN/*", "x"], Some(vec!["$UNKNOWN/a"]), true),
    ] {
        let files = match &changed {
            Some(paths) => Files::changed(paths),
            None => Files::default(),
        };
        let list = vec![
            Job {
                rules: Some(vec![changes(&patterns)]),
                variables: block(&[("NESTED", "$CI_PROJECT_NAME-1")]),
                ..job("a")
            },
            job("other"),
        ];
        let (pipeline, _) = create_in(&config(list), push("x"), &files);
        assert_eq!(pipeline.find("a").is_some(), expected, "{patterns:?} on {changed:?}");
    }
}

#[test]
fn changes_compare_to_a_ref_of_a_variable() {
    let compared = |paths: &[&str]| {
        let compare_to = Some(text("$CI_DEFAULT_BRANCH"));
        Rule { changes: Some(Changes { paths: Paths::Globs(texts(paths)), compare_to }), ..Rule::default() }
    };
    assert!(is_in(vec![compared(&["since/main"])], tag("v1"), &Files::default()));
    assert!(!is_in(vec![compared(&["since/x"])], tag("v1"), &Files::default()));
}

#[test]
fn too_many_comparisons_count_as_a_change() {
    let many: Vec<String> = (0..50_001).map(|number| format!("a/{number}")).collect();
    let files = Files { changed: Some(many), tree: Vec::new() };
    assert!(is_in(vec![changes(&["b"])], push("x"), &files));
}

#[test]
fn exists_looks_at_the_tree() {
    let tree = Files::tree(&["Dockerfile", "docs/a.md", "src/deep/b.rs", ".hidden/c"]);
    for (pattern, expected) in [
        ("Dockerfile", true),
        ("docker", false),
        ("docs", false),
        ("docs/", true),
        ("docs/a.md", true),
        ("*.md", false),
        ("**/*.md", true),
        ("**/*.rs", true),
        ("*/c", true),
        ("src/**/*.{rs,c}", true),
        ("src/*", false),
        ("$CI_JOB_NAME", false),
        ("", false),
    ] {
        assert_eq!(is_in(vec![exists(&[pattern])], push("x"), &tree), expected, "{pattern}");
    }
}

#[test]
fn all_clauses_of_a_rule_must_hold() {
    let rule = |condition, path: &str| Rule { exists: exists(&[path]).exists, ..when(condition) };
    let tree = Files::tree(&["a"]);
    assert!(is_in(vec![rule("$CI", "a")], push("x"), &tree));
    assert!(!is_in(vec![rule("$CI", "b")], push("x"), &tree));
    assert!(!is_in(vec![rule("$NOT", "a")], push("x"), &tree));
}

#[test]
fn a_rule_overrides_when_and_allow_failure() {
    use AllowFailure::{Always, ExitCodes};
    use When::{Manual, OnFailure, OnSuccess};
    for (job_when, job_allows, rule_when, rule_allows, expected) in [
        (None, None, None, None, (OnSuccess, Always(false))),
        (Some(Manual), None, None, None, (Manual, Always(true))),
        (None, None, Some(Manual), None, (Manual, Always(false))),
        (None, None, Some(Manual), Some(Always(true)), (Manual, Always(true))),
        (Some(Manual), Some(Always(false)), None, None, (Manual, Always(false))),
        (Some(OnFailure), None, Some(OnSuccess), None, (OnSuccess, Always(false))),
        (None, Some(ExitCodes(vec![3])), None, None, (OnSuccess, ExitCodes(vec![3]))),
        (None, Some(ExitCodes(vec![3])), None, Some(Always(true)), (OnSuccess, Always(true))),
    ] {
        let rule = Rule { when: rule_when, allow_failure: rule_allows, ..Rule::default() };
        let one = Job {
            when: job_when.map(at),
            allow_failure: job_allows,
            rules: Some(vec![rule.clone()]),
            ..job("a")
        };
        let (pipeline, _) = created(vec![one], push("x"));
        let job = &pipeline.jobs[0];
        assert_eq!((job.when, job.allow_failure.clone()), expected, "{job_when:?}, {rule:?}");
    }
    let manual = Job { when: Some(at(Manual)), ..job("a") };
    assert_eq!(created(vec![manual], push("x")).0.jobs[0].allow_failure, Always(true));
}

#[test]
fn workflow_rules_decide_over_the_pipeline() {
    let with = |rules: Vec<Rule>| {
        let mut config = config(vec![job("a"), Job { only: Some(refs(&["branches"])), ..job("b") }]);
        config.workflow.rules = Some(rules);
        config.workflow.name = Some(text(" $KIND of $CI_COMMIT_REF_NAME "));
        config.variables = block(&[("KIND", "none")]);
        config
    };
    let on_request = when("$CI_PIPELINE_SOURCE == \"merge_request_event\"");
    let named = Rule { variables: block(&[("KIND", "check")]), ..on_request.clone() };
    let (pipeline, _) = create_in(&with(vec![named]), merge_request("x"), &Files::default());
    // With workflow rules, a job without rules has no default of branches and tags.
    assert_eq!(names(&pipeline), ["a"]);
    assert_eq!(pipeline.name.as_deref(), Some("check of x"));
    assert_eq!(value(&pipeline, "a", "KIND"), Some("check"));
    assert_eq!(value(&pipeline, "a", "CI_PIPELINE_NAME"), Some("check of x"));

    let (pipeline, _) = create_in(&with(vec![on_request]), push("x"), &Files::default());
    assert_eq!(pipeline.filtered.as_deref(), Some("no rule of `workflow` matched"));
    assert_eq!(pipeline.left_out.len(), 2);

    let (pipeline, _) = create_in(&with(vec![never()]), push("x"), &Files::default());
    let reason = "`workflow` has `when: never` in rule 1: no condition";
    assert_eq!(pipeline.filtered.as_deref(), Some(reason));
}

#[test]
fn stages_without_jobs_are_not_there() {
    let jobs = vec![
        in_stage("deploy", "d"),
        in_stage("build", "b1"),
        in_stage(".post", "p"),
        in_stage("build", "b2"),
    ];
    let (pipeline, _) = created(jobs, push("x"));
    assert_eq!(pipeline.stages, ["build", "deploy", ".post"]);
    assert_eq!(names(&pipeline), ["b1", "b2", "d", "p"]);
}

#[test]
fn a_pipeline_of_only_pre_and_post_is_not_created() {
    let (pipeline, _) = created(vec![in_stage(".pre", "a"), in_stage(".post", "b")], push("x"));
    assert_eq!(pipeline.filtered.as_deref(), Some("only `.pre` and `.post` have jobs"));
    assert!(pipeline.jobs.is_empty());
    let (pipeline, _) = created(vec![Job { rules: Some(vec![never()]), ..job("a") }], push("x"));
    assert_eq!(pipeline.filtered.as_deref(), Some("no job is in the pipeline for this event"));
}

#[test]
fn jobs_that_deploy_or_release_are_held() {
    use EnvironmentAction::{Start, Stop, Verify};
    for (action, expected) in
        [(Start, Some("would deploy to `review/x`")), (Stop, Some("would stop `review/x`")), (Verify, None)]
    {
        let environment = Some(environment("review/$CI_COMMIT_REF_NAME", action));
        let (pipeline, _) = created(vec![Job { environment, ..job("a") }], push("x"));
        assert_eq!(pipeline.jobs[0].held.as_deref(), expected);
    }
    let (pipeline, _) = created(vec![Job { release: Some(span()), ..job("a") }], push("x"));
    assert_eq!(pipeline.jobs[0].held.as_deref(), Some("would create a release"));
}

#[test]
fn each_rule_can_be_explained() {
    let rules = vec![
        when("$CI_COMMIT_BRANCH == \"main\""),
        Rule { exists: exists(&["a"]).exists, ..when("$KIND =~ /^ki/") },
        Rule::default(),
    ];
    let mut config = config(vec![Job {
        rules: Some(rules.clone()),
        variables: block(&[("KIND", "kind")]),
        parallel: Some(Parallel::Count(2)),
        ..job("a")
    }]);
    config.workflow.rules = Some(vec![Rule::default()]);
    let (context, files) = (context(push("x")), Files::tree(&["a"]));
    let pipeline = create(&config, &context, &files, &mut Diagnostics::default());
    for (name, others) in [("a", "a 2/2"), ("a 2/2", "a 1/2")] {
        let explained = explain(&config, &context, &files, &pipeline, name).expect("it exists");
        assert_eq!(explained.others, [others]);
        let found: Vec<_> =
            explained.rules.iter().map(|rule| (rule.matches, rule.decides, rule.is_too_late)).collect();
        assert_eq!(found, [(false, false, false), (true, true, false), (true, false, true)]);
        let [Clause::If { trace: Some(trace), .. }, Clause::Exists { found, .. }] =
            &explained.rules[1].clauses[..]
        else {
            panic!("{:?}", explained.rules[1]);
        };
        assert_eq!(trace.steps[0].value, Some("kind".into()));
        assert_eq!(*found, Found::Path { pattern: "a".to_owned(), path: "a".to_owned() });
    }
    assert!(explain(&config, &context, &files, &pipeline, "b").is_none());
    assert_eq!(explain_workflow(&config, &context, &files).len(), 1);
}

#[test]
fn another_project_is_looked_into_where_its_files_are_known() {
    let exists = |path: &str, project: &str, reference: Option<&str>| Exists {
        paths: Paths::Globs(texts(&[path])),
        project: Some(text(project)),
        reference: reference.map(text),
    };
    for (exists, expected) in [
        (exists("at/HEAD", "group/other", None), true),
        (exists("at/v1", "group/other", Some("v1")), true),
        (exists("at/*", "$CI_PROJECT_ROOT_NAMESPACE/other", Some("$CI_COMMIT_BRANCH")), true),
        (exists("own", "group/other", None), false),
        (exists("own", "group/sub/project", None), true),
        // what is not known is taken to be there
        (exists("x", "far/away", None), true),
    ] {
        let rule = Rule { exists: Some(exists.clone()), ..Rule::default() };
        let one = config(vec![Job { rules: Some(vec![rule]), ..job("a") }]);
        let (pipeline, _) = create_in(&one, push("x"), &Files::tree(&["own"]));
        assert_eq!(pipeline.find("a").is_some(), expected, "{exists:?}");
    }
}
