//! A client for one named cluster.

use std::path::PathBuf;
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::layer::layer_fn;

use super::answered::Answered;
use crate::engine::{Error, ServiceAccount, chain};

/// Who the requests are made as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The user of the kubeconfig file.
    Own,
    /// A ServiceAccount, by impersonation: the API then allows what the account's Roles allow.
    Impersonated(ServiceAccount),
}

/// The cluster to talk to.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The kubeconfig files, as in `KUBECONFIG`: the first that sets a value wins, those that are not there
    /// are left out.
    pub kubeconfig: &'a [PathBuf],
    /// A context in them. Without one it is the current context: only for a file of podline's own.
    pub context: Option<&'a str>,
}

/// Makes a client. Nothing is sent yet; a command that the kubeconfig names for the account's credentials runs.
///
/// # Errors
///
/// [`Error::Unusable`] when the files or the context are not there or make no sense.
pub async fn connect(target: Target<'_>, identity: &Identity) -> Result<Client, Error> {
    let file = read(target.kubeconfig)?;
    if let Some(context) = target.context {
        check(&file, context, target.kubeconfig)?;
    }
    let options =
        KubeConfigOptions { context: target.context.map(str::to_owned), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(file, &options).await;
    let mut config = config.map_err(|error| unusable(target.kubeconfig, &chain(&error)))?;
    config.connect_timeout = Some(Duration::from_secs(10));
    impersonate(&mut config, identity);
    let client = ClientBuilder::try_from(config).map(|client| client.with_layer(&layer_fn(Answered)).build());
    client.map_err(|error| unusable(target.kubeconfig, &chain(&error)))
}

/// The names of all contexts.
///
/// # Errors
///
/// [`Error::Unusable`] when the files are not there or make no sense.
pub fn contexts(kubeconfig: &[PathBuf]) -> Result<Vec<String>, Error> {
    Ok(read(kubeconfig)?.contexts.into_iter().map(|context| context.name).collect())
}

fn read(files: &[PathBuf]) -> Result<Kubeconfig, Error> {
    let there: Vec<&PathBuf> = files.iter().filter(|file| file.exists()).collect();
    if there.is_empty() {
        return Err(unusable(files, "there is no such file"));
    }
    let merged = there.into_iter().try_fold(Kubeconfig::default(), |merged, file| {
        Kubeconfig::read_from(file).and_then(|next| merged.merge(next))
    });
    merged.map_err(|error| unusable(files, &chain(&error)))
}

fn check(file: &Kubeconfig, context: &str, files: &[PathBuf]) -> Result<(), Error> {
    let names: Vec<&str> = file.contexts.iter().map(|context| context.name.as_str()).collect();
    if names.contains(&context) {
        return Ok(());
    }
    Err(Error::Unusable {
        message: format!("the kubeconfig {} has no context `{context}`", quoted(files)),
        help: match names.is_empty() {
            true => "it has no contexts at all: name another file with `--kubeconfig`".to_owned(),
            false => format!("it has `{}`", names.join("`, `")),
        },
    })
}

fn unusable(files: &[PathBuf], cause: &str) -> Error {
    Error::Unusable {
        message: format!("cannot use the kubeconfig {}: {cause}", quoted(files)),
        help: "`kubectl --kubeconfig FILE config get-contexts` shows what is in it".to_owned(),
    }
}

fn quoted(files: &[PathBuf]) -> String {
    let files: Vec<_> = files.iter().map(|file| format!("`{}`", file.display())).collect();
    files.join(", ")
}

/// An impersonated account is in the groups that its token would put it in.
fn impersonate(config: &mut Config, identity: &Identity) {
    if let Identity::Impersonated(ServiceAccount { namespace, name }) = identity {
        config.auth_info.impersonate = Some(format!("system:serviceaccount:{namespace}:{name}"));
        config.auth_info.impersonate_groups = Some(vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_is_impersonated_with_the_groups_of_its_token() {
        let mut config = Config::new("https://127.0.0.1:1".parse().expect("an address"));
        let account = ServiceAccount { namespace: "kube-ops".to_owned(), name: "gitlab-ci".to_owned() };
        impersonate(&mut config, &Identity::Impersonated(account));
        assert_eq!(config.auth_info.impersonate.as_deref(), Some("system:serviceaccount:kube-ops:gitlab-ci"));
        let groups = config.auth_info.impersonate_groups.expect("groups");
        assert_eq!(
            groups,
            ["system:serviceaccounts", "system:serviceaccounts:kube-ops", "system:authenticated"]
        );
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_is_named() {
        let target = Target { kubeconfig: &[PathBuf::from("/nowhere/kubeconfig")], context: None };
        let Err(error) = connect(target, &Identity::Own).await else {
            panic!("there is no such file");
        };
        assert!(error.to_string().starts_with("cannot use the kubeconfig `/nowhere/kubeconfig`"), "{error}");
    }

    /// A kubeconfig with one context of a cluster that is nowhere.
    fn kubeconfig(folder: &std::path::Path, context: &str) -> PathBuf {
        let file = folder.join(context);
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n\
             clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'}}}}]\nusers: [{{name: u, user: {{}}}}]\n\
             contexts: [{{name: {context}, context: {{cluster: c, user: u}}}}]\n"
        );
        std::fs::write(&file, text).expect("a file");
        file
    }

    #[tokio::test]
    async fn a_context_that_is_not_there_is_told_with_those_that_are() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let gone = folder.path().join("gone");
        let files = [kubeconfig(folder.path(), "one"), gone, kubeconfig(folder.path(), "two")];
        let target = Target { kubeconfig: &files, context: Some("prod") };
        let Err(Error::Unusable { message, help }) = connect(target, &Identity::Own).await else {
            panic!("there is no such context");
        };
        assert!(message.ends_with("has no context `prod`"), "{message}");
        assert_eq!(help, "it has `one`, `two`");
        assert_eq!(contexts(&files).expect("two files"), ["one", "two"]);
    }
}
