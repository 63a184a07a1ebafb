//! The volumes that all containers of a pod share.

use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, Volume, VolumeMount};

use crate::runner::Build;

/// Where the project's folder lies: `CI_BUILDS_DIR`.
pub const BUILDS: &str = "/builds";

/// The volumes of a pod, which go with it.
pub fn volumes() -> Vec<Volume> {
    let volume = |name: &str| Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    };
    ["repo", "scripts", "logs"].map(volume).into()
}

/// Where each container sees them.
pub fn mounts(build: &Build) -> Vec<VolumeMount> {
    let mount = |name: &str, path: String| VolumeMount {
        name: name.to_owned(),
        mount_path: path,
        ..VolumeMount::default()
    };
    let (project, job) = (build.project_id, build.id);
    vec![
        mount("scripts", format!("/scripts-{project}-{job}")),
        mount("logs", format!("/logs-{project}-{job}")),
        mount("repo", BUILDS.to_owned()),
    ]
}
