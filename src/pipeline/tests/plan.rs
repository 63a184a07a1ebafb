use super::*;
use crate::pipeline::Plan;

#[test]
fn a_plan_has_the_shape_that_machines_read() {
    let jobs = vec![
        in_stage("build", "b"),
        Job { rules: Some(vec![never()]), ..job("gone") },
        Job {
            needs: Some(vec![need("b")]),
            rules: Some(vec![Rule { when: Some(When::Manual), ..Rule::default() }]),
            environment: Some(environment("staging", EnvironmentAction::Start)),
            ..in_stage("deploy", "d")
        },
    ];
    let (pipeline, _) = created(jobs, push("x"));
    let plan = Plan::new(&pipeline);
    insta::assert_snapshot!(serde_json::to_string_pretty(&plan).expect("JSON"), @r##"
    {
      "stages": [
        "build",
        "deploy"
      ],
      "jobs": [
        {
          "name": "b",
          "stage": "build",
          "when": "on_success",
          "allow_failure": false,
          "needs": null,
          "matched_rule": null,
          "environment": null
        },
        {
          "name": "d",
          "stage": "deploy",
          "when": "manual",
          "allow_failure": false,
          "needs": [
            "b"
          ],
          "matched_rule": 0,
          "environment": "staging"
        }
      ],
      "left_out": [
        {
          "name": "gone",
          "reason": "`rules: when: never` matched (rule 1)"
        }
      ]
    }
    "##);
}
