//! A namespace with what belongs in it.

use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace as ApiNamespace, ServiceAccount};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::discovery::ApiResource;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::errors::failed;
use crate::engine::{Error, Namespace};

/// podline's name as the owner of the fields that it sets.
const FIELD_MANAGER: &str = "podline";

/// How often to ask for what Kubernetes itself puts into a namespace.
const POLL: Duration = Duration::from_millis(50);

/// How long Kubernetes may take for that.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a new RoleBinding may take to reach the authorizer.
const RBAC_PATIENCE: Duration = Duration::from_secs(2);

/// Makes a namespace by server-side apply and waits until pods can be created in it.
///
/// # Errors
///
/// What the API answers; [`Error::Failed`] when Kubernetes does not fill the namespace in half a minute.
pub async fn apply(client: &Client, namespace: &Namespace) -> Result<(), Error> {
    let (mut spaces, objects): (Vec<Value>, Vec<Value>) =
        namespace.objects.iter().cloned().partition(|object| object["kind"] == "Namespace");
    if !spaces.iter().any(|space| space["metadata"]["name"] == namespace.name.as_str()) {
        spaces.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace.name}}));
    }
    for group in [spaces, objects] {
        try_join_all(group.iter().map(|object| apply_one(client, &namespace.name, object))).await?;
    }
    filled(client, &namespace.name).await
}

/// Applies an object; one that names no namespace belongs in `namespace`.
async fn apply_one(client: &Client, namespace: &str, object: &Value) -> Result<(), Error> {
    let malformed = |cause: String| Error::Failed { doing: "applying an object".to_owned(), cause };
    let mut object: DynamicObject =
        serde_json::from_value(object.clone()).map_err(|error| malformed(error.to_string()))?;
    let types = object.types.clone().ok_or_else(|| malformed("it has no kind".to_owned()))?;
    let kind = GroupVersionKind::try_from(&types).map_err(|error| malformed(error.to_string()))?;
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = if kind.kind == "Namespace" || kind.kind.starts_with("Cluster") {
        Api::all_with(client.clone(), &resource)
    } else {
        let space = object.metadata.namespace.get_or_insert_with(|| namespace.to_owned());
        Api::namespaced_with(client.clone(), space, &resource)
    };
    let name = object.metadata.name.clone().ok_or_else(|| malformed("it has no name".to_owned()))?;
    object.metadata.managed_fields = None;
    api.patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&object))
        .await
        .map(drop)
        .map_err(|error| failed(&format!("applying {} `{name}`", kind.kind), error))
}

/// Waits for what the controller manager puts into a new namespace: a pod is forbidden without the default
/// ServiceAccount, and its volumes wait half a second and more without the cluster's certificate.
async fn filled(client: &Client, namespace: &str) -> Result<(), Error> {
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    let certificates = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let doing = format!("waiting for the namespace `{namespace}`");
    let since = Instant::now();
    loop {
        let account = accounts.get_metadata_opt("default").await.map_err(|error| failed(&doing, error))?;
        let certificate =
            certificates.get_metadata_opt("kube-root-ca.crt").await.map_err(|error| failed(&doing, error))?;
        if account.is_some() && certificate.is_some() {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            let cause = format!("no default ServiceAccount after {} s", PATIENCE.as_secs());
            return Err(Error::Failed { doing, cause });
        }
        sleep(POLL).await;
    }
}

/// Waits until the client's identity may create pods, since a RoleBinding takes some time to be known. Gives
/// up soon and without an error: a permission that is really missing shows itself at the first pod.
pub async fn settle(client: &Client, namespace: &str) -> Result<(), Error> {
    let since = Instant::now();
    while !may_create_pods(client, namespace).await? && since.elapsed() < RBAC_PATIENCE {
        sleep(POLL).await;
    }
    Ok(())
}

async fn may_create_pods(client: &Client, namespace: &str) -> Result<bool, Error> {
    let attributes = ResourceAttributes {
        namespace: Some(namespace.to_owned()),
        verb: Some("create".to_owned()),
        resource: Some("pods".to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        ..SelfSubjectAccessReview::default()
    };
    let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await;
    let answer = answer.map_err(|error| failed("asking for permissions", error))?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Deletes a namespace with all that is in it. Returns once the API has taken the request; a namespace that
/// is not there is no error.
///
/// # Errors
///
/// What the API answers.
pub async fn delete(client: &Client, namespace: &str) -> Result<(), Error> {
    let namespaces = Api::<ApiNamespace>::all(client.clone());
    match namespaces.delete(namespace, &DeleteParams::background()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(failed(&format!("deleting the namespace `{namespace}`"), error)),
    }
}
