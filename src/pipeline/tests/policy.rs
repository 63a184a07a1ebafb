use super::*;

fn is_in(only: Option<Policy>, except: Option<Policy>, event: Event, files: &Files) -> bool {
    let always = Job { rules: Some(vec![Rule::default()]), ..job("other") };
    create_in(&config(vec![Job { only, except, ..job("a") }, always]), event, files).0.find("a").is_some()
}

fn schedule() -> Event {
    Event::Schedule { branch: "main".to_owned(), description: "nightly".to_owned() }
}

#[test]
fn names_keywords_and_patterns_are_refs() {
    let web = || Event::Web { branch: "main".to_owned() };
    let api = || Event::Api { branch: "main".to_owned() };
    let trigger = || Event::Trigger { branch: "main".to_owned() };
    for (name, event, expected) in [
        ("branches", push("x"), true),
        ("branches", tag("v1"), false),
        ("branches", merge_request("x"), false),
        ("branches", schedule(), true),
        ("tags", tag("v1"), true),
        ("tags", push("v1"), false),
        ("merge_requests", merge_request("x"), true),
        ("merge_requests", push("x"), false),
        ("pushes", push("x"), true),
        ("pushes", tag("v1"), true),
        ("pushes", schedule(), false),
        ("schedules", schedule(), true),
        ("schedules", push("x"), false),
        ("web", web(), true),
        ("api", api(), true),
        ("triggers", trigger(), true),
        ("pipelines", push("x"), false),
        ("external", push("x"), false),
        ("chat", push("x"), false),
        ("main", push("main"), true),
        ("main", push("maintenance"), false),
        ("main", schedule(), true),
        ("v1", tag("v1"), true),
        ("x", merge_request("x"), false),
        ("/^release/", push("release/1"), true),
        ("/^RELEASE/i", push("release/1"), true),
        ("/^release/", push("x"), false),
        ("/^x/", merge_request("x"), false),
        (r"/^v\d+$/", tag("v12"), true),
        ("branches@group/sub/project", push("x"), true),
        ("branches@other/project", push("x"), false),
        ("/^rel.*$/@group/sub/project", push("rel"), true),
        (r"/\x40/", push("a@b"), true),
    ] {
        let found = is_in(Some(refs(&[name])), None, event.clone(), &Files::default());
        assert_eq!(found, expected, "only {name} for {event:?}");
        let found = is_in(Some(refs(&[name])), Some(refs(&[name])), event.clone(), &Files::default());
        assert!(!found, "only and except {name} for {event:?}");
    }
}

#[test]
fn without_refs_branches_and_tags_are_meant() {
    for (event, expected) in
        [(push("x"), true), (tag("v1"), true), (schedule(), true), (merge_request("x"), false)]
    {
        assert_eq!(is_in(None, None, event.clone(), &Files::default()), expected, "{event:?}");
        let variables = Policy { variables: Some(texts(&["$CI"])), ..Policy::default() };
        assert_eq!(is_in(Some(variables), None, event.clone(), &Files::default()), expected, "{event:?}");
    }
}

#[test]
fn all_keys_of_only_must_hold_and_none_of_except() {
    let variables =
        |expression| Policy { variables: Some(texts(&["$NOT", expression])), ..Policy::default() };
    let changes = |path| Policy { changes: Some(texts(&[path])), ..Policy::default() };
    let kubernetes = Policy { kubernetes: true, ..Policy::default() };
    let files = Files::changed(&["src/a"]);
    for (policy, only, except) in [
        (variables("$CI"), true, false),
        (variables("$NEITHER"), false, true),
        (changes("src/*"), true, false),
        (changes("docs/*"), false, true),
        (kubernetes, false, true),
        (Policy { variables: variables("$CI").variables, ..refs(&["tags"]) }, false, false),
    ] {
        assert_eq!(is_in(Some(policy.clone()), None, push("x"), &files), only, "only {policy:?}");
        assert_eq!(is_in(None, Some(policy.clone()), push("x"), &files), except, "except {policy:?}");
    }
}

#[test]
fn a_job_tells_why_it_is_in_or_not() {
    let list = || {
        vec![
            Job { only: Some(refs(&["tags", "main"])), ..job("a") },
            Job { except: Some(refs(&["/^x/"])), ..job("b") },
            job("c"),
        ]
    };
    let (pipeline, _) = created(list(), push("main"));
    let reasons: Vec<&str> = pipeline.jobs.iter().map(|job| job.reason.as_str()).collect();
    assert_eq!(reasons, ["only: main", "only: branches", "only: branches"]);
    let (pipeline, _) = created(list(), push("x"));
    let reasons: Vec<&str> = pipeline.left_out.iter().map(|job| job.reason.as_str()).collect();
    assert_eq!(reasons, ["only: tags, main", "except: /^x/"]);
}
