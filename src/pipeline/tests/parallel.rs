use super::*;
use crate::config::keyword::job::{Matrix, Parallel};

pub(super) fn matrix(entries: &[&[(&str, &[&str])]]) -> Matrix {
    let entry = |entry: &&[(&str, &[&str])]| {
        entry.iter().map(|(key, values)| ((*key).to_owned(), owned(values))).collect()
    };
    entries.iter().map(entry).collect()
}

#[test]
fn a_count_gives_numbered_instances() {
    let (pipeline, _) =
        created(vec![Job { parallel: Some(Parallel::Count(3)), ..job("test") }, job("b")], push("x"));
    assert_eq!(names(&pipeline), ["test 1/3", "test 2/3", "test 3/3", "b"]);
    assert_eq!(value(&pipeline, "test 2/3", "CI_NODE_INDEX"), Some("2"));
    assert_eq!(value(&pipeline, "test 2/3", "CI_NODE_TOTAL"), Some("3"));
    assert_eq!(value(&pipeline, "test 2/3", "CI_JOB_NAME_SLUG"), Some("test-2-3"));
    assert_eq!(value(&pipeline, "b", "CI_NODE_INDEX"), None);
    assert_eq!(value(&pipeline, "b", "CI_NODE_TOTAL"), Some("1"));
}

#[test]
fn a_matrix_gives_the_product_of_each_entry() {
    let parallel = matrix(&[
        &[("OS", &["linux", "mac"]), ("ARCH", &["a", "b"])],
        &[("OS", &["win"]), ("EXTRA", &["x"])],
    ]);
    let (pipeline, _) =
        created(vec![Job { parallel: Some(Parallel::Matrix(parallel)), ..job("t") }], push("x"));
    assert_eq!(
        names(&pipeline),
        ["t: [linux, a]", "t: [linux, b]", "t: [mac, a]", "t: [mac, b]", "t: [win, x]"]
    );
    assert_eq!(value(&pipeline, "t: [mac, b]", "OS"), Some("mac"));
    assert_eq!(pipeline.jobs[3].instance, Some((4, 5)));
    assert_eq!(value(&pipeline, "t: [mac, b]", "CI_NODE_INDEX"), Some("4"));
}

#[test]
fn rules_see_the_values_of_the_matrix() {
    let one = Job {
        parallel: Some(Parallel::Matrix(matrix(&[&[("OS", &["linux", "mac"])]]))),
        rules: Some(vec![when("$OS == \"linux\"")]),
        tags: texts(&["on-$OS", "$UNKNOWN"]),
        environment: Some(environment("review/$OS", EnvironmentAction::Start)),
        resource_group: Some(text("$OS$UNKNOWN")),
        ..job("t")
    };
    let (pipeline, _) = created(vec![one], push("x"));
    assert_eq!(names(&pipeline), ["t: [linux]"]);
    let job = &pipeline.jobs[0];
    assert_eq!(job.tags, ["on-linux", "$UNKNOWN"]);
    assert_eq!(job.environment.as_ref().map(|environment| environment.name.as_str()), Some("review/linux"));
    assert_eq!(job.resource_group.as_deref(), Some("linux"));
    assert_eq!(pipeline.left_out[0].name, "t: [mac]");
}

#[test]
fn instances_that_are_all_left_out_go_by_the_name_of_their_job() {
    let one = Job { parallel: Some(Parallel::Count(4)), rules: Some(vec![never()]), ..job("t") };
    let (pipeline, _) = created(vec![one, job("b")], push("x"));
    assert_eq!(pipeline.left_out.len(), 1);
    assert_eq!(pipeline.left_out[0].name, "t");
}

#[test]
fn of_equal_instances_the_last_one_stays() {
    let parallel = matrix(&[&[("A", &["x", "x"])], &[("B", &["x"])]]);
    let (pipeline, _) =
        created(vec![Job { parallel: Some(Parallel::Matrix(parallel)), ..job("t") }], push("x"));
    assert_eq!(names(&pipeline), ["t: [x]"]);
    assert_eq!(value(&pipeline, "t: [x]", "B"), Some("x"));
}
