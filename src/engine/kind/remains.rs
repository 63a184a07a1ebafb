//! Pods that a run left in a cluster that stays.

use std::path::Path;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt};

use crate::engine::Error;
use crate::engine::kube::failed;
use crate::engine::run_mark::RunMark;

/// The folder, in that of a cluster, with the marks of its runs.
pub(super) const RUNS: &str = "runs";

/// Deletes the pods of runs that were killed, in all namespaces. Returns the ids of those runs.
///
/// # Errors
///
/// What the API answers.
pub(super) async fn prune(own: &Client, folder: &Path, label: &str) -> Result<Vec<String>, Error> {
    let mut runs = Vec::new();
    for mark in RunMark::abandoned(&folder.join(RUNS)) {
        let theirs = ListParams::default().labels(&format!("{label}={}", mark.run()));
        let pods = Api::<Pod>::all(own.clone()).list(&theirs).await;
        for pod in pods.map_err(|error| failed("listing the pods of a run that was killed", error))? {
            let pods = Api::<Pod>::namespaced(own.clone(), &pod.namespace().unwrap_or_default());
            match pods.delete(&pod.name_any(), &now()).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(error) => return Err(failed("deleting a pod of a run that was killed", error)),
                Ok(_) => {}
            }
        }
        runs.push(mark.run().to_owned());
        mark.clear();
    }
    Ok(runs)
}

/// Deletes without delay: nobody is interested in how the pods end.
pub(super) fn now() -> DeleteParams {
    DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::background() }
}
