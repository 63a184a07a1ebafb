//! A kind configuration, checked before kind is started with it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_yaml::Value;

use crate::engine::Error;

/// The configuration of a cluster that nothing was said about.
const DEFAULT: &str = include_str!("../../../kind-config.yaml");

/// A kind configuration that kind will accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    text: String,
    nodes: usize,
}

impl Config {
    /// Checks a configuration. `source` names it in messages.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] when it is no configuration of a kind cluster, or of one that podline cannot use.
    pub fn parse(text: &str, source: &str) -> Result<Self, Error> {
        let invalid = |cause: String| Error::Unusable {
            message: format!("`{source}` is no kind configuration: {cause}"),
            help: "its fields are described at https://kind.sigs.k8s.io/docs/user/configuration/".to_owned(),
        };
        let cluster: ClusterConfig =
            serde_yaml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        cluster.check().map_err(invalid)?;
        Ok(Self { text: text.to_owned(), nodes: cluster.nodes.len().max(1) })
    }

    /// The text, as kind takes it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many nodes the cluster has.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes
    }
}

impl Default for Config {
    fn default() -> Self {
        Self { text: DEFAULT.to_owned(), nodes: 1 }
    }
}

/// `Cluster` of `kind.x-k8s.io/v1alpha4`. kind refuses unknown fields, so they are refused here too.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "fields are named to be accepted, and read by kind")]
struct ClusterConfig {
    kind: String,
    api_version: String,
    name: Option<String>,
    #[serde(default)]
    nodes: Vec<NodeConfig>,
    networking: Option<BTreeMap<String, Value>>,
    feature_gates: Option<BTreeMap<String, bool>>,
    runtime_config: Option<BTreeMap<String, String>>,
    kubeadm_config_patches: Option<Vec<String>>,
    #[serde(rename = "kubeadmConfigPatchesJSON6902")]
    kubeadm_json_patches: Option<Vec<Value>>,
    containerd_config_patches: Option<Vec<String>>,
    #[serde(rename = "containerdConfigPatchesJSON6902")]
    containerd_json_patches: Option<Vec<String>>,
}

/// `Node` of `kind.x-k8s.io/v1alpha4`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "fields are named to be accepted, and read by kind")]
struct NodeConfig {
    #[serde(default)]
    role: Role,
    image: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    extra_mounts: Option<Vec<Value>>,
    extra_port_mappings: Option<Vec<Value>>,
    kubeadm_config_patches: Option<Vec<String>>,
    #[serde(rename = "kubeadmConfigPatchesJSON6902")]
    kubeadm_json_patches: Option<Vec<Value>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Role {
    #[default]
    ControlPlane,
    Worker,
}

impl ClusterConfig {
    fn check(&self) -> Result<(), String> {
        if self.kind != "Cluster" {
            return Err(format!("`kind` is `{}`, not `Cluster`", self.kind));
        }
        if self.api_version != "kind.x-k8s.io/v1alpha4" {
            return Err(format!("`apiVersion` is `{}`, not `kind.x-k8s.io/v1alpha4`", self.api_version));
        }
        if !self.nodes.is_empty() && !self.nodes.iter().any(|node| node.role == Role::ControlPlane) {
            return Err("none of the nodes has the role `control-plane`".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_cluster_of_one_node() {
        let parsed = Config::parse(DEFAULT, "kind-config.yaml").expect("a configuration");
        assert_eq!(parsed, Config::default());
    }

    #[test]
    fn a_file_that_kind_would_refuse_is_refused_with_the_reason() {
        let head = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";
        let rows = [
            ("kind: Cluster\n".to_owned(), "missing field `apiVersion`"),
            (format!("{head}node: []\n"), "unknown field `node`"),
            (format!("{head}nodes:\n  - role: master\n"), "unknown variant `master`"),
            (format!("{head}nodes:\n  - role: worker\n"), "none of the nodes has the role `control-plane`"),
            ("kind: Pod\napiVersion: v1\n".to_owned(), "`kind` is `Pod`, not `Cluster`"),
            ("kind: Cluster\napiVersion: v1\n".to_owned(), "`apiVersion` is `v1`"),
            ("nodes: [".to_owned(), "line"),
        ];
        for (text, reason) in rows {
            let error = Config::parse(&text, "mine.yaml").expect_err("not a configuration").to_string();
            assert!(error.starts_with("`mine.yaml` is no kind configuration: "), "{error}");
            assert!(error.contains(reason), "{error} should say {reason}");
        }
    }

    #[test]
    fn every_field_of_kind_is_accepted() {
        let text = "
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: mine
networking: {ipFamily: ipv4, disableDefaultCNI: false}
featureGates: {SomeGate: true}
runtimeConfig: {api/alpha: 'false'}
containerdConfigPatches: ['[plugins]']
containerdConfigPatchesJSON6902: ['[]']
kubeadmConfigPatchesJSON6902: [{kind: ClusterConfiguration, patch: '[]'}]
nodes:
  - image: kindest/node:v1.34.4
    labels: {disk: fast}
    extraMounts: [{hostPath: /a, containerPath: /b}]
    extraPortMappings: [{containerPort: 80, hostPort: 8080}]
  - role: worker
";
        assert_eq!(Config::parse(text, "mine.yaml").expect("a configuration").nodes(), 2);
    }
}
