//! What podline says to programs, held against the schemas in `docs/schema`.

use jsonschema::Validator;
use serde_json::Value;

use crate::{
    kind::run,
    support::{Project, Seen},
};

fn schema(name: &str) -> Validator {
    let path = format!("{}/docs/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the schema");
    jsonschema::validator_for(&serde_json::from_str(&text).expect("JSON")).expect("a schema that is right")
}

fn hold(schema: &Validator, value: &Value) {
    let wrong: Vec<String> = schema.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{}\n{value:#}", wrong.join("\n"));
}

fn json(seen: &Seen) -> Value {
    serde_json::from_str(&seen.stdout).unwrap_or_else(|error| panic!("{error}: {seen}"))
}

#[test]
fn plans_are_as_their_schema_says() {
    let schema = schema("plan");
    for (fixture, more) in
        [("hello", &[][..]), ("held", &[]), ("children", &[]), ("tour/03-rules", &["--tag", "v1.2"])]
    {
        let mut arguments = vec!["plan", "--format", "json"];
        arguments.extend(more);
        hold(&schema, &json(&Project::fixture(fixture).podline(&arguments).run().expect(0)));
    }
}

#[test]
fn mistakes_are_as_their_schema_says() {
    let seen = Project::fixture("broken").podline(&["lint", "--format", "json"]).run().expect(2);
    let mistakes = json(&seen);
    assert!(mistakes.as_array().is_some_and(|all| all.len() > 3), "{mistakes:#}");
    hold(&schema("lint"), &mistakes);
}

#[test]
fn events_are_as_their_schema_says() {
    let schema = schema("event");
    for (fixture, flags) in [("failing", &["--narrate"][..]), ("tour/09-children", &["--step"])] {
        let Some(run) = run(&Project::fixture(fixture), flags) else { return };
        for event in run.events() {
            hold(&schema, event);
        }
    }
    let made_up = serde_json::json!({ "event": "job_phase", "job": "unit", "phase": "resting", "at": 1.0 });
    assert!(!schema.is_valid(&made_up), "the schema says no to what no run says");
}
