//! The secrets that pods name for the pulls of their images.

use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::errors::failed;
use crate::engine::Error;

/// The secrets of one namespace.
#[derive(Clone)]
pub(super) struct Logins {
    secrets: Api<Secret>,
}

impl Logins {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self { secrets: Api::namespaced(client, namespace) }
    }

    /// Creates a secret, as a part of what the pods go with.
    pub(super) async fn create(&self, login: &Secret, owner: Option<&OwnerReference>) -> Result<(), Error> {
        let mut login = login.clone();
        login.metadata.owner_references.get_or_insert_default().extend(owner.cloned());
        match self.secrets.create(&PostParams::default(), &login).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            Err(error) => Err(failed("creating the secret for the pulls of a pod", error)),
        }
    }

    /// Kubernetes deletes the secret when it deletes the pod.
    pub(super) async fn belongs_to(&self, login: &Secret, pod: &Pod) -> Result<(), Error> {
        // what goes with the whole run needs no other owner
        if pod.metadata.owner_references.is_some() {
            return Ok(());
        }
        let owner = OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            ..OwnerReference::default()
        };
        let patch = Patch::Merge(json!({"metadata": {"ownerReferences": [owner]}}));
        let name = login.metadata.name.as_deref().unwrap_or_default();
        let patched = self.secrets.patch_metadata(name, &PatchParams::default(), &patch).await;
        patched.map(drop).map_err(|error| failed("giving the secret for the pulls of a pod to it", error))
    }

    /// Deletes the secret of a pod that was not created, as well as that can be done.
    pub(super) async fn delete(&self, login: &Secret) {
        let name = login.metadata.name.as_deref().unwrap_or_default();
        drop(self.secrets.delete(name, &DeleteParams::default()).await);
    }
}
