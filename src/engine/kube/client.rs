//! A client for one named cluster.

use std::path::Path;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

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
    /// The kubeconfig file.
    pub kubeconfig: &'a Path,
    /// A context in it. Without one it is the current context of that file: only for a file of podline's own.
    pub context: Option<&'a str>,
}

/// Makes a client. Nothing is sent yet.
///
/// # Errors
///
/// [`Error::Unusable`] when the file or the context is not there or makes no sense.
pub async fn connect(target: Target<'_>, identity: &Identity) -> Result<Client, Error> {
    let unusable = |cause: String| Error::Unusable {
        message: format!("cannot use the kubeconfig `{}`: {cause}", target.kubeconfig.display()),
        help: "`kubectl --kubeconfig FILE config get-contexts` shows what is in it".to_owned(),
    };
    let file = Kubeconfig::read_from(target.kubeconfig).map_err(|error| unusable(chain(&error)))?;
    let options =
        KubeConfigOptions { context: target.context.map(str::to_owned), ..KubeConfigOptions::default() };
    let mut config =
        Config::from_custom_kubeconfig(file, &options).await.map_err(|error| unusable(chain(&error)))?;
    config.connect_timeout = Some(Duration::from_secs(10));
    impersonate(&mut config, identity);
    Client::try_from(config).map_err(|error| unusable(chain(&error)))
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
        let target = Target { kubeconfig: Path::new("/nowhere/kubeconfig"), context: None };
        let Err(error) = connect(target, &Identity::Own).await else {
            panic!("there is no such file");
        };
        assert!(error.to_string().starts_with("cannot use the kubeconfig `/nowhere/kubeconfig`"), "{error}");
    }
}
