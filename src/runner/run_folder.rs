//! Where the traces of a pipeline and its child pipelines lie in the folder of a run.
//!
//! ```text
//! .podline/runs/7/jobs/build-7001.log
//! .podline/runs/7/pipelines/child-7001/jobs/test-7001001.log
//! ```

use std::path::{Path, PathBuf};

/// The folder of traces.
const TRACES: &str = "jobs";
/// The folder of child pipelines, each of them as that of a run.
const PIPELINES: &str = "pipelines";

/// An attempt of a job in the folder of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The folder of its pipeline.
    pub folder: PathBuf,
    /// `CI_JOB_ID` of its last attempt.
    pub id: u64,
    /// The trace of that attempt.
    pub trace: PathBuf,
}

/// The folder of the traces of a pipeline.
pub fn traces(folder: &Path) -> PathBuf {
    folder.join(TRACES)
}

/// The trace of an attempt of a job, in the folder of its pipeline.
pub fn trace(folder: &Path, job: &str, id: u64) -> PathBuf {
    traces(folder).join(format!("{}-{id}.log", slug(job)))
}

/// The folder of the child pipeline that a job has started, in that of its own pipeline.
pub fn child(folder: &Path, job: &str, pipeline: u64) -> PathBuf {
    folder.join(PIPELINES).join(format!("{}-{pipeline}", slug(job)))
}

/// The folder of a child pipeline by the trigger jobs that lead to it, of each the one of its last attempt.
pub fn pipeline(folder: &Path, path: &[String]) -> Option<PathBuf> {
    path.iter()
        .try_fold(folder.to_owned(), |folder, job| last(&folder.join(PIPELINES), job, "").map(|(_, it)| it))
}

/// The last attempt of a job: `job`, or `child/job` in a child pipeline.
pub fn find(folder: &Path, path: &str) -> Option<Found> {
    if let Some((id, trace)) = last(&traces(folder), path, ".log") {
        return Some(Found { folder: folder.to_owned(), id, trace });
    }
    // a job's name may have slashes itself
    path.match_indices('/').find_map(|(at, _)| {
        let (_, child) = last(&folder.join(PIPELINES), &path[..at], "")?;
        find(&child, &path[at + 1..])
    })
}

/// What has the highest number of all that a folder has of a job.
fn last(folder: &Path, job: &str, ending: &str) -> Option<(u64, PathBuf)> {
    let prefix = format!("{}-", slug(job));
    let number = |path: &Path| -> Option<u64> {
        path.file_name()?.to_str()?.strip_prefix(&prefix)?.strip_suffix(ending)?.parse().ok()
    };
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.filter_map(|path| Some((number(&path)?, path))).max()
}

/// A job's name as the name of a file.
fn slug(name: &str) -> String {
    name.chars().map(|it| if it.is_alphanumeric() { it } else { '-' }).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_a_child_pipeline_is_found_by_its_path() {
        let run = tempfile::tempdir().expect("a folder");
        let folder = |path: &Path| std::fs::create_dir_all(path).expect("it can be made");
        let write = |path: PathBuf| {
            folder(path.parent().expect("a folder"));
            std::fs::write(path, "").expect("it can be written");
        };
        let child = |id| child(run.path(), "child: [a/b]", id);
        write(trace(run.path(), "lint/all", 7001));
        write(trace(run.path(), "lint/all", 7002));
        write(trace(&child(7001), "test", 7_001_001));
        write(trace(&child(7002), "test", 7_002_001));
        write(trace(&super::child(&child(7002), "inner", 7003), "x", 7_003_001));
        let table = [
            ("lint/all", Some(7002)),
            ("child: [a/b]/test", Some(7_002_001)),
            ("child: [a/b]/inner/x", Some(7_003_001)),
            ("child: [a/b]/none", None),
            ("test", None),
            ("/", None),
        ];
        for (path, id) in table {
            assert_eq!(find(run.path(), path).map(|found| found.id), id, "{path}");
        }
        let path = ["child: [a/b]".to_owned(), "inner".to_owned()];
        assert_eq!(pipeline(run.path(), &path[..1]), Some(child(7002)));
        assert_eq!(pipeline(run.path(), &path), Some(super::child(&child(7002), "inner", 7003)));
        assert_eq!(pipeline(run.path(), &path[1..]), None);
    }
}
