//! The way of a pod through a real cluster. It takes half a minute, so it runs only where
//! `PODLINE_TEST_NODE_IMAGE` names a node image.

use std::io::Cursor;
use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::*;
use crate::engine::{Error, FileKind, Namespace, Owner, Pods, Provisioner, ServiceAccount, docker};

#[tokio::test]
#[expect(clippy::print_stdout, reason = "says why it is skipped")]
async fn a_pod_runs_in_a_cluster_of_its_own_and_nothing_is_left() {
    let Ok(node_image) = std::env::var("PODLINE_TEST_NODE_IMAGE") else {
        println!("skipped: PODLINE_TEST_NODE_IMAGE names no node image");
        return;
    };
    let connection = match docker::connect(&docker::Settings::default()).await {
        Ok(connection) => connection,
        Err(error) => {
            println!("skipped: {error}");
            return;
        }
    };
    // another test may have installed it
    let _ = rustls::crypto::ring::default_provider().install_default();
    let state = tempfile::tempdir().expect("a temporary folder");
    let kind = Kind::new(connection, state.path().to_owned());
    let name = format!("podline-test-{}", std::process::id());
    let options = Options {
        name: name.clone(),
        config: Config::default(),
        folder: state.path().to_owned(),
        node_image: Some(node_image),
        lifetime: Lifetime::Run,
        images: vec!["busybox:1.36".to_owned()],
    };
    let engine =
        KindEngine::in_new(kind.clone(), options, Owner { label: "podline.run", run: "test".to_owned() });
    let place = engine.up(&namespace(), &|_| ()).await;
    let used = match &place {
        Ok(place) => way_of_a_pod(place.pods.as_ref()).await,
        Err(_) => Ok(()),
    };
    engine.down().await.expect("the cluster goes");
    place.expect("the cluster comes");
    used.expect("the pod runs");
    assert!(kind.list().await.expect("a list").iter().all(|known| known.name != name));
}

/// Everything that a run does with a pod.
async fn way_of_a_pod(pods: &dyn Pods) -> Result<(), Error> {
    pods.create(&pod("p", "echo first; until test -e /builds/ready; do sleep 0.1; done; printf last"), None)
        .await?;
    pods.create(&pod("p", "false"), None).await?;
    let mut states = pods.watch("p");
    while let Some(state) = states.try_next().await? {
        if state.status.is_some_and(|status| status.phase.as_deref() == Some("Running")) {
            break;
        }
    }
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_mode(0o750);
    archive.append_data(&mut header, "builds/ready", &[][..]).expect("an archive");
    pods.copy_in("p", "build", Box::new(Cursor::new(archive.into_inner().expect("an archive")))).await?;

    let log: Vec<Vec<u8>> = pods.log("p", "build").try_collect().await?;
    assert_eq!(String::from_utf8_lossy(&log.concat()), "first\nlast");

    pods.create(
        &pod("files", "mkdir -p /builds/a; echo x > '/builds/a/b c'; ln -s a /builds/l; sleep 60"),
        None,
    )
    .await?;
    let mut log = pods.watch("files");
    while let Some(state) = log.try_next().await? {
        if state.status.is_some_and(|status| status.phase.as_deref() == Some("Running")) {
            break;
        }
    }
    let mut files = pods.list("files", "build", "/builds").await?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let found: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.kind)).collect();
    assert_eq!(found, [("a", FileKind::Directory), ("a/b c", FileKind::Regular), ("l", FileKind::Link)]);

    let paths: Vec<String> = files.into_iter().map(|file| file.path).collect();
    let mut archive = Vec::new();
    pods.copy_out("files", "build", "/builds", &paths)
        .await?
        .read_to_end(&mut archive)
        .await
        .expect("an archive");
    let mut entries = tar::Archive::new(&archive[..]);
    assert_eq!(entries.entries().expect("entries").count(), 3);

    let refused = pods.delete("files", Duration::ZERO).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "the Role has no such verb: {refused:?}");
    Ok(())
}

fn namespace() -> Namespace {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let rule = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]});
    let subject = json!({"kind": "ServiceAccount", "name": "ci", "namespace": "kube-ops"});
    let role = json!({"apiGroup": RBAC, "kind": "Role", "name": "ci"});
    Namespace {
        name: "kube-ops".to_owned(),
        service_account: Some(ServiceAccount { namespace: "kube-ops".to_owned(), name: "ci".to_owned() }),
        objects: vec![
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci"}}),
            json!({"apiVersion": format!("{RBAC}/v1"), "kind": "Role", "metadata": {"name": "ci"}, "rules": [rule]}),
            json!({
                "apiVersion": format!("{RBAC}/v1"), "kind": "RoleBinding", "metadata": {"name": "ci"},
                "roleRef": role, "subjects": [subject]
            }),
        ],
    }
}

fn pod(name: &str, script: &str) -> Pod {
    let build = json!({"name": "build", "image": "busybox:1.36", "command": ["sh", "-c", script]});
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"podline.run": "test"}},
        "spec": {"restartPolicy": "Never", "activeDeadlineSeconds": 120, "containers": [build]}
    }))
    .expect("a pod")
}
