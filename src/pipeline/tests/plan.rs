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
    insta::assert_snapshot!(serde_json::to_string_pretty(&plan).expect("JSON"), @r#"
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
      ],
      "unresolved": []
    }
    "#);
}

#[test]
fn a_job_that_is_left_out_takes_those_with_it_that_need_it() {
    let needing = |name: &str, needed: &str| Job { needs: Some(vec![need(needed)]), ..job(name) };
    let jobs = vec![job("a"), needing("b", "a"), needing("c", "b"), job("d")];
    let (pipeline, _) = created(jobs, push("x"));
    let left = pipeline.without(|job| (job.name == "a").then(|| "no runner has the tag `gpu`".to_owned()));
    assert_eq!(left.jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["d"]);
    let reasons: Vec<_> = left.left_out.iter().map(|it| format!("{}: {}", it.name, it.reason)).collect();
    assert_eq!(
        reasons,
        [
            "a: no runner has the tag `gpu`",
            "b: it needs `a`, which is left out",
            "c: it needs `b`, which is left out"
        ]
    );
}
