//! The variables that GitLab sets, by event, with where they can be used: `include` (what
//! GitLab's documentation calls pre-pipeline), `workflow`, and `rules` of jobs.

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::pipeline::{Pipeline, child, explain, job::Origin, predefined::before_pipeline};

/// A job with everything that makes variables, in a pipeline with a name.
fn everything() -> Config {
    let image = Some(crate::config::keyword::job::Image {
        name: text("alpine"),
        entrypoint: None,
        pull_policy: Vec::new(),
        kubernetes_user: None,
        platform: None,
    });
    let environment = Some(environment("review/$CI_COMMIT_REF_SLUG", EnvironmentAction::Verify));
    let rules = Some(vec![Rule::default()]);
    let mut config = config(vec![Job { image, environment, rules, ..job("unit test") }]);
    config.workflow.name = Some(text("Nightly"));
    config
}

/// Each variable in a line: the name, where it can be used, its value.
fn table(context: &Context, is_shown: impl Fn(&str) -> bool) -> String {
    let config = everything();
    let mut diagnostics = Diagnostics::default();
    let pipeline: Pipeline = create(&config, context, &Files::default(), &mut diagnostics);
    let include: HashMap<_, _> = before_pipeline(context).into_iter().collect();
    let workflow = explain::of_workflow(Some(&config), context);
    let rules: BTreeMap<_, _> = pipeline.jobs[0]
        .variables
        .iter()
        .filter(|variable| variable.origin == Origin::Predefined && is_shown(&variable.key))
        .map(|variable| (variable.key.clone(), variable.value.clone()))
        .collect();
    let line = |(key, value): (String, String)| {
        let phase = match (include.contains_key(&key), workflow.contains_key(&key)) {
            (true, _) => "include",
            (false, true) => "workflow",
            (false, false) => "rules",
        };
        let value = match value.chars().count() {
            0..=100 => value.replace('\n', "\\n"),
            long => format!("({long} characters)"),
        };
        format!("{key:41} {phase:9} {value}").trim_end().to_owned()
    };
    rules.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What differs between events.
fn is_of_event(key: &str) -> bool {
    ["CI_COMMIT", "CI_MERGE_REQUEST", "CI_OPEN", "CI_PIPELINE", "CI_UPSTREAM"]
        .iter()
        .any(|prefix| key.starts_with(prefix))
}

fn of_event(event: Event) -> String {
    table(&context(event), is_of_event)
}

#[test]
fn every_pipeline() {
    insta::assert_snapshot!(table(&context(push("main")), |key| !is_of_event(key)));
}

#[test]
fn a_push_of_a_branch() {
    let event = Event::Push { branch: "feature/Login".into(), before: Some("ab".repeat(20)) };
    insta::assert_snapshot!(of_event(event));
}

#[test]
fn a_pushed_tag() {
    insta::assert_snapshot!(of_event(Event::Tag { tag: "v1.2".into(), message: "The second".into() }));
}

#[test]
fn a_merge_request() {
    let Event::MergeRequest(request) = merge_request("feature/Login") else { unreachable!() };
    insta::assert_snapshot!(
        of_event(Event::MergeRequest(MergeRequest {
            description: "Because".repeat(400),
            assignees: owned(&["ada", "grace"]),
            milestone: Some("Spring".to_owned()),
            draft: true,
            approved: true,
            squash: true,
            ..request
        }))
        .replace(&"Because".repeat(300), "(long) ")
    );
}

/// These are as a push of the branch; what they have besides is shown.
#[test]
fn other_events_on_a_branch() {
    let branch = || "main".to_owned();
    let of_push: Vec<String> = of_event(push("main")).lines().map(str::to_owned).collect();
    let differs = |name: &str, context: &Context| {
        let shown = table(context, is_of_event);
        let lines = shown.lines().filter(|line| !of_push.iter().any(|known| known == line));
        format!("{name}\n{}\n", lines.map(|line| format!("  {line}\n")).collect::<String>())
    };
    let mut all = String::new();
    for (name, event) in [
        ("schedule", Event::Schedule { branch: branch(), description: "every night".into() }),
        ("web", Event::Web { branch: branch() }),
        ("api", Event::Api { branch: branch() }),
        ("trigger", Event::Trigger { branch: branch() }),
    ] {
        all.push_str(&differs(name, &context(event)));
    }
    let parent = context(push("main"));
    let (pipeline, _) = create_in(&everything(), push("main"), &Files::default());
    let start =
        child::Start { dotenv: Vec::new(), pipeline_id: 43, created_at: "2026-01-02T03:04:05Z".to_owned() };
    all.push_str(&differs("child pipeline", &child::context(&parent, &pipeline.jobs[0], start)));
    insta::assert_snapshot!(all.trim_end());
}

/// In a child pipeline of a merge request everything of that is there, too.
#[test]
fn a_child_pipeline_of_a_merge_request() {
    let parent = context(merge_request("x"));
    let (pipeline, _) = create_in(&everything(), merge_request("x"), &Files::default());
    let start =
        child::Start { dotenv: Vec::new(), pipeline_id: 43, created_at: "2026-01-02T03:04:05Z".to_owned() };
    let child = table(&child::context(&parent, &pipeline.jobs[0], start), is_of_event);
    let parent = table(&parent, is_of_event);
    let differs: Vec<_> = child.lines().filter(|line| !parent.lines().any(|it| it == *line)).collect();
    assert_eq!(
        differs,
        [
            "CI_PIPELINE_IID                           workflow  43",
            "CI_PIPELINE_SOURCE                        include   parent_pipeline",
        ]
    );
}
