//! A build to test with.

use std::time::Duration;

use super::build::{Build, BuildImage, Look};
use crate::pipeline::JobId;

/// A job `test` with this script and nothing else.
pub(crate) fn a_build(script: &[&str]) -> Build {
    Build {
        job: JobId(0),
        id: 7,
        project_id: 42,
        name: "test".to_owned(),
        stage: "test".to_owned(),
        image: BuildImage {
            name: "busybox:1.36".to_owned(),
            requested: "busybox:1.36".to_owned(),
            pull_policy: Vec::new(),
            user: None,
        },
        services: Vec::new(),
        variables: Vec::new(),
        script: script.iter().map(|item| (*item).to_owned()).collect(),
        after_script: Vec::new(),
        pre_get_sources_script: Vec::new(),
        project_dir: "/builds/group/project".to_owned(),
        artifacts: None,
        caches: Vec::new(),
        artifacts_from: Vec::new(),
        artifacts_from_pipelines: Vec::new(),
        timeout: Duration::from_secs(3600),
        coverage: None,
        output_limit: 4096 * 1024,
        look: Look::Never,
    }
}
