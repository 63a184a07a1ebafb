//! When a cluster can take pods. `kind create cluster --wait` would exit with success when the wait is over
//! and the node is not ready, and asks only once in a while.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep};

use crate::engine::kube::client::{Identity, Target, connect};
use crate::engine::kube::node::is_ready;
use crate::engine::{Error, Progress, Step};

const POLL: Duration = Duration::from_millis(100);

/// Waits until the API answers, every node is ready and pods can be created.
///
/// # Errors
///
/// [`Error::Failed`] with what is missing when that takes too long.
pub(super) async fn wait(
    kubeconfig: &Path,
    nodes: usize,
    patience: Duration,
    progress: &Progress<'_>,
) -> Result<(), Error> {
    let kubeconfig = [kubeconfig.to_owned()];
    let client = connect(Target { kubeconfig: &kubeconfig, context: None }, &Identity::Own).await?;
    let since = Instant::now();
    let mut told = None;
    while let Some(missing) = missing(&client, nodes).await {
        if since.elapsed() > patience {
            return Err(Error::Failed {
                doing: "waiting for the cluster".to_owned(),
                cause: format!("{} s went by and {missing}", patience.as_secs()),
            });
        }
        if told.as_ref() != Some(&missing) {
            progress(Step::Begun(format!("waiting: {missing}")));
            told = Some(missing);
        }
        sleep(POLL).await;
    }
    Ok(())
}

/// What keeps the cluster from taking pods.
async fn missing(client: &Client, nodes: usize) -> Option<String> {
    if let Err(error) = is_api_ready(client).await {
        return Some(format!("the API server is not ready ({error})"));
    }
    let ready = match Api::<Node>::all(client.clone()).list(&ListParams::default()).await {
        Ok(list) => list.items.iter().filter(|node| is_ready(node)).count(),
        Err(error) => return Some(format!("the nodes are not known ({error})")),
    };
    if ready < nodes {
        return Some(format!("{ready} of {nodes} nodes are ready"));
    }
    match Api::<ServiceAccount>::namespaced(client.clone(), "default").get_metadata_opt("default").await {
        Ok(Some(_)) => None,
        _ => Some("there is no default ServiceAccount".to_owned()),
    }
}

async fn is_api_ready(client: &Client) -> Result<(), kube::Error> {
    let request = kube::core::Request::new("/readyz").list(&ListParams::default());
    client.request_text(request.map_err(kube::Error::BuildRequest)?).await.map(drop)
}
