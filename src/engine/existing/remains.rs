//! What runs that were killed have left in a cluster.

use std::path::Path;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt};

use super::existing_engine::{Existing, Space};
use super::lease;
use crate::engine::kube::client::{Identity, connect};
use crate::engine::kube::{failed, namespace};
use crate::engine::run_mark::{Mark, RunMark};
use crate::engine::{Error, Owner};

/// Removes what runs that were killed have left where `existing` points to: at once for those of this machine,
/// by their marks in the folder `state`; when their Lease is over for all others. Returns their ids.
///
/// # Errors
///
/// What the API answers.
pub async fn prune(existing: &Existing, state: &Path, label: &'static str) -> Result<Vec<String>, Error> {
    let client = connect(existing.target(), &Identity::Own).await?;
    match &existing.space {
        Space::Own => namespaces(&client, state, label).await,
        Space::Named(namespace) => pods(&client, namespace, state, label).await,
    }
}

/// Deletes the namespaces of runs that were killed.
async fn namespaces(client: &Client, state: &Path, label: &'static str) -> Result<Vec<String>, Error> {
    let found = Api::<Namespace>::all(client.clone()).list(&ListParams::default().labels(label)).await;
    let mut removed = Vec::new();
    for space in found.map_err(|error| failed("listing the namespaces of runs", error))? {
        let (name, run) = (space.name_any(), space.labels().get(label).cloned().unwrap_or_default());
        if space.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let leases = Api::<Lease>::namespaced(client.clone(), &name);
        let lease = leases.get_opt(&lease::name(&run)).await;
        let lease = lease.map_err(|error| failed("looking at the Lease of a run", error))?;
        let made = space.creation_timestamp().map(|time| time.0);
        if is_left(&run, lease.as_ref(), made, state) {
            clear(client, &name, &Owner { label, run: run.clone() }).await?;
            namespace::delete(client, &name).await?;
            RunMark::forget(state, &run);
            removed.push(run);
        }
    }
    Ok(removed)
}

/// Deletes what runs that were killed have left in a namespace that stays.
async fn pods(
    client: &Client,
    namespace: &str,
    state: &Path,
    label: &'static str,
) -> Result<Vec<String>, Error> {
    let leases = Api::<Lease>::namespaced(client.clone(), namespace);
    let found = leases.list(&ListParams::default().labels(label)).await;
    let mut removed = Vec::new();
    for lease in found.map_err(|error| failed("listing the Leases of runs", error))? {
        let run = lease.labels().get(label).cloned().unwrap_or_default();
        let made = lease.creation_timestamp().map(|time| time.0);
        if is_left(&run, Some(&lease), made, state) {
            clear(client, namespace, &Owner { label, run: run.clone() }).await?;
            release(&leases, &run).await?;
            RunMark::forget(state, &run);
            removed.push(run);
        }
    }
    Ok(removed)
}

/// This machine knows for certain of its own runs, and only by the Lease of others.
fn is_left(run: &str, lease: Option<&Lease>, made: Option<Timestamp>, state: &Path) -> bool {
    match RunMark::look(state, run) {
        Mark::Held => false,
        Mark::Left => true,
        Mark::Unknown => lease::is_over(lease, made, Timestamp::now()),
    }
}

/// Deletes the pods of a run without delay. That they belong to its Lease would let them take their time.
pub(super) async fn clear(client: &Client, namespace: &str, owner: &Owner) -> Result<(), Error> {
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let ours = ListParams::default().labels(&owner.selector());
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::background() };
    for pod in pods.list(&ours).await.map_err(|error| failed("listing the pods of a run", error))? {
        gone(pods.delete(&pod.name_any(), &now).await.map(drop), "deleting a pod of a run")?;
    }
    Ok(())
}

/// Deletes the Lease of a run, and with it all that belongs to it.
pub(super) async fn release(leases: &Api<Lease>, run: &str) -> Result<(), Error> {
    let deleted = leases.delete(&lease::name(run), &DeleteParams::background()).await;
    gone(deleted.map(drop), "deleting the Lease of a run")
}

/// What somebody else has removed is removed.
fn gone(deleted: kube::Result<()>, doing: &str) -> Result<(), Error> {
    match deleted {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        deleted => deleted.map_err(|error| failed(doing, error)),
    }
}
