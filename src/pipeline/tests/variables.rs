use super::*;
use crate::pipeline::job::Origin;

#[test]
fn the_stronger_variable_wins() {
    let origins = |with: usize| {
        let mut config = config(vec![Job {
            variables: block(&[("V", "job")]),
            rules: Some(vec![Rule { variables: block(&[("V", "rule")]), ..Rule::default() }]),
            ..job("a")
        }]);
        config.variables = block(&[("V", "global")]);
        let mut context = context(push("x"));
        if with > 4 {
            context.settings.push(setting("V", "project"));
        }
        if with > 5 {
            context.pipeline_variables.insert("V".to_owned(), "line".to_owned());
        }
        if with < 4 {
            config.jobs[0].rules = None;
        }
        if with < 3 {
            config.jobs[0].variables = Variables::new();
        }
        let pipeline = create(&config, &context, &Files::default(), &mut Diagnostics::default());
        let job = pipeline.jobs[0].clone();
        job.variables.get("V").expect("V").origin
    };
    assert_eq!(origins(2), Origin::Global);
    assert_eq!(origins(3), Origin::Job);
    assert_eq!(origins(4), Origin::Rule);
    assert_eq!(origins(5), Origin::Project);
    assert_eq!(origins(6), Origin::CommandLine);
}

#[test]
fn the_file_wins_over_predefined_variables_but_not_over_the_user() {
    let variables = block(&[("CI_COMMIT_SHA", "mine"), ("GITLAB_USER_NAME", "mine")]);
    let (pipeline, _) = created(vec![Job { variables, ..job("a") }], push("x"));
    assert_eq!(value(&pipeline, "a", "CI_COMMIT_SHA"), Some("mine"));
    assert_eq!(value(&pipeline, "a", "GITLAB_USER_NAME"), Some("Ada"));
}

#[test]
fn inherit_chooses_among_the_top_level_variables() {
    for (inherit, expected) in [
        (Inherit::All, (Some("1"), Some("2"))),
        (Inherit::None, (None, None)),
        (Inherit::Only(vec!["B".to_owned()]), (None, Some("2"))),
    ] {
        let mut config = config(vec![Job { inherit_variables: inherit.clone(), ..job("a") }]);
        config.variables = block(&[("A", "1"), ("B", "2")]);
        let (pipeline, _) = create_in(&config, push("x"), &Files::default());
        assert_eq!((value(&pipeline, "a", "A"), value(&pipeline, "a", "B")), expected, "{inherit:?}");
    }
}

#[test]
fn each_event_has_its_variables() {
    for (event, key, expected) in [
        (push("feature/A"), "CI_COMMIT_BRANCH", Some("feature/A")),
        (push("feature/A"), "CI_COMMIT_REF_SLUG", Some("feature-a")),
        (push("x"), "CI_COMMIT_TAG", None),
        (push("x"), "CI_PIPELINE_SOURCE", Some("push")),
        (push("x"), "CI_COMMIT_BEFORE_SHA", Some("0000000000000000000000000000000000000000")),
        (Event::Push { branch: "x".into(), before: Some("ab".into()) }, "CI_COMMIT_BEFORE_SHA", Some("ab")),
        (push("main"), "CI_COMMIT_REF_PROTECTED", Some("true")),
        (push("x"), "CI_COMMIT_REF_PROTECTED", Some("false")),
        (push("x"), "CI_COMMIT_SHORT_SHA", Some("01234567")),
        (push("x"), "CI_COMMIT_TITLE", Some("Title")),
        (push("x"), "CI_COMMIT_DESCRIPTION", Some("\nBody")),
        (push("x"), "CI_COMMIT_MESSAGE", Some("Title\n\nBody\n")),
        (tag("v1"), "CI_COMMIT_TAG", Some("v1")),
        (tag("v1"), "CI_COMMIT_BRANCH", None),
        (tag("v1"), "CI_COMMIT_REF_NAME", Some("v1")),
        (merge_request("x"), "CI_COMMIT_BRANCH", None),
        (merge_request("x"), "CI_COMMIT_REF_NAME", Some("x")),
        (merge_request("x"), "CI_MERGE_REQUEST_IID", Some("7")),
        (merge_request("x"), "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", Some("main")),
        (merge_request("x"), "CI_MERGE_REQUEST_LABELS", Some("a,b")),
        (push("x"), "CI_MERGE_REQUEST_IID", None),
        (Event::Trigger { branch: "x".into() }, "CI_PIPELINE_TRIGGERED", Some("true")),
        (push("x"), "CI_PROJECT_NAMESPACE", Some("group/sub")),
        (push("x"), "CI_PROJECT_ROOT_NAMESPACE", Some("group")),
        (push("x"), "CI_PROJECT_NAME", Some("project")),
        (push("x"), "CI_PROJECT_PATH_SLUG", Some("group-sub-project")),
        (push("x"), "CI_REGISTRY_IMAGE", Some("registry.gitlab.example.com/group/sub/project")),
        (push("x"), "CI_PIPELINE_IID", Some("42")),
        (push("x"), "CI_JOB_STAGE", Some("test")),
        (push("x"), "GITLAB_USER_LOGIN", Some("ada")),
    ] {
        let always = Job { rules: Some(vec![Rule::default()]), ..job("a") };
        let (pipeline, _) = created(vec![always], event.clone());
        assert_eq!(value(&pipeline, "a", key), expected, "{key} for {event:?}");
    }
}

#[test]
fn what_only_a_runner_knows_is_not_there() {
    let (pipeline, _) = created(vec![job("a")], push("x"));
    for key in [
        "CI_JOB_ID",
        "CI_JOB_TOKEN",
        "CI_PIPELINE_ID",
        "CI_PIPELINE_URL",
        "CI_PROJECT_DIR",
        "CI_RUNNER_ID",
        "CI_SERVER",
        "CI_REGISTRY_PASSWORD",
    ] {
        assert_eq!(value(&pipeline, "a", key), None, "{key}");
    }
}

#[test]
fn an_environment_is_made_of_variables_and_becomes_some() {
    let mut staging = environment("$PREFIX/$CI_COMMIT_REF_SLUG", EnvironmentAction::Start);
    staging.url = Some(text("https://$CI_ENVIRONMENT_SLUG.example.com/$FROM_DOTENV"));
    let rules = Some(vec![Rule { variables: block(&[("PREFIX", "review")]), ..Rule::default() }]);
    let one = Job { environment: Some(staging), rules, ..job("a") };
    let (pipeline, _) = created(vec![one], push("x"));
    let environment = pipeline.jobs[0].environment.clone().expect("an environment");
    assert_eq!(environment.name, "review/x");
    let slug = value(&pipeline, "a", "CI_ENVIRONMENT_SLUG").expect("a slug");
    assert_eq!(environment.url, Some(format!("https://{slug}.example.com/$FROM_DOTENV")));
    assert_eq!(value(&pipeline, "a", "CI_ENVIRONMENT_NAME"), Some("review/x"));
    assert_eq!(value(&pipeline, "a", "CI_ENVIRONMENT_TIER"), Some("development"));
    assert_eq!(value(&pipeline, "a", "CI_ENVIRONMENT_ACTION"), Some("start"));
}

#[test]
fn variables_that_refer_to_each_other_are_reported() {
    let variables = block(&[("A", "$B"), ("B", "$A")]);
    let (_, reports) = created(vec![Job { variables, ..job("a") }], push("x"));
    assert_eq!(reports, ["variable-cycle: `a`: circular variable reference detected: A, B"]);
}

#[test]
fn tokens_have_dummy_values_unless_somebody_sets_them() {
    let one = || Job { token_variables: texts(&["ID_TOKEN"]), ..job("a") };
    let (pipeline, _) = created(vec![one()], push("x"));
    assert_eq!(value(&pipeline, "a", "ID_TOKEN"), Some("podline-dummy-token"));
    let mut context = context(push("x"));
    context.settings.push(setting("ID_TOKEN", "real"));
    let pipeline = create(&config(vec![one()]), &context, &Files::default(), &mut Diagnostics::default());
    assert_eq!(value(&pipeline, "a", "ID_TOKEN"), Some("real"));
}

#[test]
fn includes_see_what_is_known_before_the_pipeline() {
    let mut context = context(push("x"));
    context.settings.push(setting("CI_DEFAULT_BRANCH", "trunk"));
    context.pipeline_variables.insert("FLAVOUR".to_owned(), "sour".to_owned());
    let variables = crate::pipeline::predefined::before_pipeline(&context);
    for (key, expected) in [
        ("CI_COMMIT_REF_NAME", Some("x")),
        ("CI_DEFAULT_BRANCH", Some("trunk")),
        ("FLAVOUR", Some("sour")),
        ("CI_PIPELINE_IID", None),
        ("CI_JOB_NAME", None),
    ] {
        assert_eq!(variables.get(key).map(String::as_str), expected, "{key}");
    }
}
