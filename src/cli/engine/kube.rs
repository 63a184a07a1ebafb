//! The kube engine as the command line asks for it: an existing cluster.

use std::{path::PathBuf, sync::Arc};

use super::{Chosen, Request};
use crate::{
    cli::{Failed, args::ExistingArguments, project_file, settings::Environment},
    engine::{
        Namespace, Owner,
        existing::{Existing, ExistingEngine, Space},
        kube::client,
    },
    report::Problem,
    runner::{Settings, pod::labels},
};

/// Where in a cluster the runs of this machine leave their marks.
pub(in crate::cli) fn state(environment: &Environment) -> PathBuf {
    environment.state.join("runs")
}

/// The cluster that is asked for: by the command line, and what that leaves open by `podline.toml`.
///
/// # Errors
/// When no context is named.
pub(in crate::cli) fn existing(
    arguments: &ExistingArguments,
    file: Option<&project_file::Run>,
    environment: &Environment,
) -> Result<Existing, Failed> {
    let from_file = |of: fn(&project_file::Run) -> Option<String>| file.and_then(of);
    let kubeconfig = match &arguments.kubeconfig {
        Some(path) => vec![path.clone()],
        None => environment.kubeconfig.clone(),
    };
    let Some(context) = arguments.context.clone().or_else(|| from_file(|file| file.context.clone())) else {
        return Err(without_context(&kubeconfig));
    };
    let namespace = arguments.namespace.clone().or_else(|| from_file(|file| file.namespace.clone()));
    Ok(Existing { kubeconfig, context, space: namespace.map_or(Space::Own, Space::Named) })
}

fn without_context(kubeconfig: &[PathBuf]) -> Failed {
    let problem =
        Problem::new("an existing cluster needs `--context NAME`: podline never takes the current one");
    let help = match client::contexts(kubeconfig) {
        Ok(contexts) if !contexts.is_empty() => format!("the kubeconfig has `{}`", contexts.join("`, `")),
        _ => "`kubectl config get-contexts` shows what there is".to_owned(),
    };
    Failed::usage(problem.help(help))
}

/// The namespace that the pods of a run go to.
pub(super) fn namespace(existing: &Existing, run: &str) -> String {
    match &existing.space {
        Space::Own => format!("podline-{run}"),
        Space::Named(name) => name.clone(),
    }
}

/// An existing cluster, and what is made in it: next to nothing, as it is somebody else's.
pub(super) fn chosen(existing: Existing, request: &Request<'_>) -> Chosen {
    let Request { environment, run, runner, .. } = request;
    let (name, context) = (namespace(&existing, run), existing.context.clone());
    let is_own = existing.space == Space::Own;
    let doing = if is_own { "making" } else { "using" };
    let objects =
        runner.settings.pod_service_account.iter().filter(|account| is_own && *account != "default");
    let owner = Owner { label: labels::RUN, run: (*run).to_owned() };
    Chosen {
        name: "kube",
        step: format!("{doing} the namespace `{name}` in the context `{context}`"),
        removal: is_own.then(|| format!("removing the namespace `{name}`")),
        stays: None,
        likely: None,
        namespace: Namespace {
            name,
            objects: objects.map(|account| service_account(account)).collect(),
            service_account: None,
        },
        provisioner: Arc::new(ExistingEngine::new(existing, owner, state(environment))),
    }
}

/// The account of the jobs' pods. Its permissions are for the cluster's owner to give.
fn service_account(name: &str) -> serde_json::Value {
    serde_json::json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
}

/// The settings of a runner that makes its pods there.
pub(super) fn settings(settings: Settings, existing: &Existing, run: &str) -> Settings {
    Settings { namespace: namespace(existing, run), ..settings }
}
