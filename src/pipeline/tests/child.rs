//! What a child pipeline is created for.

use super::*;
use crate::{
    config::{
        Node,
        keyword::job::{Trigger, TriggerTarget},
    },
    pipeline::{
        child::{self, Start},
        job::Origin,
    },
};

fn trigger(name: &str, forward_yaml_variables: bool, forward_pipeline_variables: bool) -> Job {
    let target = TriggerTarget::Child(Box::new(Node::string("child.yml", span())));
    let trigger =
        Trigger { span: span(), target, strategy: None, forward_yaml_variables, forward_pipeline_variables };
    Job { script: Vec::new(), trigger: Some(trigger), ..job(name) }
}

/// The context of the child that the job `child` of a pipeline starts.
fn child_of(config: &Config, context: &Context) -> Context {
    let mut diagnostics = Diagnostics::default();
    let pipeline = create(config, context, &Files::default(), &mut diagnostics);
    let job = pipeline.find("child").expect("it is in");
    let start = Start {
        dotenv: vec![("VERSION".to_owned(), "1.2".to_owned()), ("PRICE".to_owned(), "$5".to_owned())],
        pipeline_id: 7001,
        created_at: "2026-01-02T03:04:05Z".to_owned(),
    };
    child::context(context, pipeline.job(job), start)
}

fn forwarded(child: &Context) -> Vec<(&str, &str)> {
    let variables = &child.parent.as_ref().expect("a parent").variables;
    variables.iter().map(|variable| (variable.key.as_str(), variable.value.as_str())).collect()
}

#[test]
fn yaml_variables_are_forwarded_as_the_trigger_job_sees_them() {
    let own = [
        ("PARENT", "$CI_PIPELINE_ID"),
        ("SHARED", "of the job"),
        ("RELEASE", "v$VERSION costs $PRICE"),
        ("NESTED", "$PARENT"),
        ("NONE", "[$UNKNOWN]"),
    ];
    let config = Config {
        variables: block(&[("SHARED", "of the file"), ("GLOBAL", "$CI_COMMIT_BRANCH")]),
        ..config(vec![Job { variables: block(&own), ..trigger("child", true, false) }])
    };
    let mut parent = context(push("main"));
    parent.pipeline_id = 7;
    parent.pipeline_variables.insert("GIVEN".to_owned(), "by hand".to_owned());
    let child = child_of(&config, &parent);
    assert_eq!(
        forwarded(&child),
        [
            ("GLOBAL", "main"),
            ("PARENT", "7"),
            ("SHARED", "of the job"),
            ("RELEASE", "v1.2 costs $5"),
            // once, as GitLab does: the child replaces the rest
            ("NESTED", "$CI_PIPELINE_ID"),
            ("NONE", "[]"),
        ]
    );
    assert!(child.pipeline_variables.is_empty());
    assert_eq!(child.event, parent.event);
}

#[test]
fn pipeline_variables_are_forwarded_only_when_asked_for() {
    let config =
        Config { variables: block(&[("GLOBAL", "g")]), ..config(vec![trigger("child", false, true)]) };
    let mut parent = context(push("main"));
    parent.pipeline_variables.insert("GIVEN".to_owned(), "by hand".to_owned());
    let mut child = child_of(&config, &parent);
    assert_eq!(forwarded(&child), [("VERSION", "1.2"), ("PRICE", "$5"), ("GIVEN", "by hand")]);
    // and on to a child of the child, where they are pipeline variables as well
    child.parent.as_mut().expect("a parent").variables.retain(|variable| variable.key == "GIVEN");
    let grandchild = child_of(&config, &child);
    assert!(forwarded(&grandchild).contains(&("GIVEN", "by hand")));
    assert!(forwarded(&child_of(&super::config(vec![trigger("child", true, false)]), &child)).is_empty());
}

#[test]
fn forwarded_variables_win_over_those_of_the_childs_file() {
    let parent = config(vec![Job { variables: block(&[("V", "parent")]), ..trigger("child", true, false) }]);
    let created = child_of(&parent, &context(push("main")));
    let child = Config {
        variables: block(&[("V", "global")]),
        ..config(vec![Job { variables: block(&[("V", "job")]), ..job("unit") }])
    };
    let pipeline = create(&child, &created, &Files::default(), &mut Diagnostics::default());
    let variables = &pipeline.jobs[0].variables;
    let last = variables.iter().rev().find(|variable| variable.key == "V").expect("it is there");
    assert_eq!((last.value.as_str(), last.origin), ("parent", Origin::Forwarded));
    let value = |key: &str| {
        variables.iter().rev().find(|variable| variable.key == key).map(|variable| variable.value.as_str())
    };
    assert_eq!(value("CI_PIPELINE_SOURCE"), Some("parent_pipeline"));
    // GitLab has it in pipelines that another project started
    assert_eq!(value("CI_UPSTREAM_PIPELINE_ID"), None);
    assert_eq!(value("CI_COMMIT_BRANCH"), Some("main"));
}

#[test]
fn jobs_of_a_child_are_in_by_its_own_source() {
    let rule = |condition| Job { rules: Some(vec![when(condition)]), ..job("job") };
    let only = |name: &str| Job { only: Some(refs(&[name])), ..job("job") };
    let trigger = |context: Context| child_of(&config(vec![trigger("child", true, false)]), &context);
    let request = || {
        let rules = Some(vec![when("$CI_MERGE_REQUEST_IID")]);
        let parent = config(vec![Job { rules, ..super::child::trigger("child", true, false) }]);
        child_of(&parent, &context(merge_request("x")))
    };
    let table = [
        (rule("$CI_PIPELINE_SOURCE == \"parent_pipeline\""), trigger(context(push("main"))), true),
        (rule("$CI_PIPELINE_SOURCE == \"push\""), trigger(context(push("main"))), false),
        (job("job"), trigger(context(push("main"))), true),
        (only("pushes"), trigger(context(push("main"))), false),
        (only("parent_pipelines"), trigger(context(push("main"))), true),
        (only("pipelines"), trigger(context(push("main"))), false),
        // of a merge request: neither a branch nor, by its source, a merge request
        (job("job"), request(), false),
        (only("merge_requests"), request(), false),
        (rule("$CI_MERGE_REQUEST_IID"), request(), true),
    ];
    for (at, (job, context, is_in)) in table.into_iter().enumerate() {
        let pipeline = create(&config(vec![job]), &context, &Files::default(), &mut Diagnostics::default());
        assert_eq!(!pipeline.jobs.is_empty(), is_in, "row {at}");
    }
}
