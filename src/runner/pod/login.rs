//! Logins of registries: what a pod's images are pulled with, as a Secret that the pod names.
//!
//! GitLab Runner makes such a Secret for each pod, of `DOCKER_AUTH_CONFIG` and of its own `docker login`. Here it has
//! the logins for the pod's own images and no others.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use base64::Engine as _;
use k8s_openapi::{
    ByteString,
    api::core::v1::{Pod, Secret},
};
use serde::Deserialize;
use serde_json::json;

use crate::runner::{Build, Settings};

/// The variable that has a project's logins, in the form of Docker's `config.json`.
pub const VARIABLE: &str = "DOCKER_AUTH_CONFIG";

/// The registry of images that name none.
const HUB: &str = "docker.io";

/// The logins in Docker's `config.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct DockerLogin {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

/// An entry of `auths`; it is empty where a helper has the login.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

/// What the images of a pod are pulled with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Login {
    /// The logins; none where nobody has logged in to a registry of the images.
    pub secret: Option<Secret>,
    /// What the user should know of it if an image cannot be pulled.
    pub remarks: Vec<String>,
}

impl DockerLogin {
    /// Reads `config.json` in Docker's folder; what cannot be read has no login.
    pub fn read(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join("config.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The entry for an image: of all that name its registry the one with the longest path.
    fn entry(&self, image: &str) -> Option<(&str, &Auth)> {
        let found = self.auths.iter().filter(|(key, _)| covers(key, image));
        found.max_by_key(|(key, _)| place(key).len()).map(|(key, auth)| (key.as_str(), auth))
    }

    /// The helper that has the login for an image, where one does.
    fn helper(&self, image: &str) -> Option<&str> {
        let own = self.helpers.iter().find(|(key, _)| covers(key, image)).map(|(_, helper)| helper.as_str());
        let is_empty = |(_, auth): &(&str, &Auth)| auth.credentials().is_none();
        own.or_else(|| self.entry(image).filter(is_empty).and(self.store.as_deref()))
    }
}

impl Auth {
    fn credentials(&self) -> Option<(String, String)> {
        let plain = self.username.clone().zip(self.password.clone());
        plain.or_else(|| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(self.auth.as_deref()?).ok()?;
            let (user, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
            Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
        })
    }
}

/// The login of a pod, which has the pod's name.
pub fn of(pod: &Pod, build: &Build, settings: &Settings) -> Login {
    let (of_project, wrong) = match build.variable(VARIABLE).filter(|text| !text.trim().is_empty()) {
        None => (DockerLogin::default(), None),
        Some(text) => match serde_json::from_str(text) {
            Ok(login) => (login, None),
            Err(error) => (DockerLogin::default(), Some(format!("`{VARIABLE}` cannot be read: {error}"))),
        },
    };
    let mut remarks: Vec<String> = wrong.into_iter().collect();
    let mut entries = serde_json::Map::new();
    for image in images(pod) {
        // the project's own comes first
        let all = [&of_project, &settings.docker_login];
        let found = all.iter().find_map(|login| {
            let (key, auth) = login.entry(image)?;
            Some((key, auth.credentials()?))
        });
        if let Some((key, (username, password))) = found {
            let entry = json!({"username": username, "password": password, "serveraddress": key});
            entries.insert(key.to_owned(), entry);
        } else if let Some(helper) = all.iter().find_map(|login| login.helper(image)) {
            remarks.push(format!(
                "the login for `{image}` is with the credential helper `{helper}`, which no cluster can ask: \
                 `docker pull` the image, or set `{VARIABLE}`"
            ));
        }
    }
    let secret = (!entries.is_empty()).then(|| secret(pod, &entries.into()));
    Login { secret, remarks }
}

fn secret(pod: &Pod, entries: &serde_json::Value) -> Secret {
    let mut metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta::default();
    metadata.name.clone_from(&pod.metadata.name);
    metadata.namespace.clone_from(&pod.metadata.namespace);
    metadata.labels.clone_from(&pod.metadata.labels);
    let data = ByteString(entries.to_string().into_bytes());
    Secret {
        metadata,
        type_: Some("kubernetes.io/dockercfg".to_owned()),
        data: Some(BTreeMap::from([(".dockercfg".to_owned(), data)])),
        ..Secret::default()
    }
}

fn images(pod: &Pod) -> BTreeSet<&str> {
    let spec = pod.spec.iter();
    let containers = spec.flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    containers.filter_map(|container| container.image.as_deref()).collect()
}

/// Whether a key of `auths` is that of an image's registry, or of a folder in it that the image is in.
fn covers(key: &str, image: &str) -> bool {
    let (place, image) = (place(key), full_name(image));
    // what follows a registry may be its port, what follows a path is a tag or a digest
    let ends: &[char] = if place.contains('/') { &['/', ':', '@'] } else { &['/'] };
    image.strip_prefix(&place).is_some_and(|rest| rest.is_empty() || rest.starts_with(ends))
}

/// The registry of a key of `auths`, with the folder that it may name: `registry.example.com/team`.
fn place(key: &str) -> String {
    let place = match key.split_once("://") {
        // what follows the registry in an URL is the version of its API
        Some((_, rest)) => rest.split('/').next().unwrap_or(rest),
        None => key.trim_end_matches('/'),
    };
    if matches!(place, "index.docker.io" | "registry-1.docker.io") {
        HUB.to_owned()
    } else {
        place.to_owned()
    }
}

/// The name of an image with its registry.
fn full_name(image: &str) -> String {
    let is_registry = |first: &str| first.contains(['.', ':']) || first == "localhost";
    match image.split_once('/') {
        Some((first, _)) if is_registry(first) => image.to_owned(),
        _ => format!("{HUB}/{image}"),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Container, PodSpec};

    use super::*;
    use crate::runner::{build::BuildVariable, fixture::a_build};

    fn pod(images: &[&str]) -> Pod {
        let container = |image: &&str| Container { image: Some((*image).to_owned()), ..Container::default() };
        let containers = images.iter().map(container).collect();
        let mut pod = Pod { spec: Some(PodSpec { containers, ..PodSpec::default() }), ..Pod::default() };
        pod.metadata.name = Some("runner-1".to_owned());
        pod
    }

    /// The login of a pod with these images: the entries of its secret and the remarks, each in a line.
    fn told(images: &[&str], project: &str, own: &str) -> String {
        let settings = Settings {
            docker_login: serde_json::from_str(own).expect("a configuration"),
            ..Settings::default()
        };
        let mut build = a_build(&[]);
        let value = project.to_owned();
        build.variables.push(BuildVariable { key: VARIABLE.to_owned(), value, masked: true, file: false });
        let Login { secret, remarks } = of(&pod(images), &build, &settings);
        let mut lines = Vec::new();
        if let Some(secret) = secret {
            assert_eq!(secret.metadata.name.as_deref(), Some("runner-1"));
            assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/dockercfg"));
            lines.push(String::from_utf8(secret.data.expect("data")[".dockercfg"].0.clone()).expect("text"));
        }
        lines.into_iter().chain(remarks).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_pod_has_the_logins_for_its_own_images() {
        // ada:secret
        let auth = |key: &str| format!(r#"{{"auths": {{"{key}": {{"auth": "YWRhOnNlY3JldA=="}}}}}}"#);
        let entry = |key: &str| {
            format!(r#"{{"{key}":{{"username":"ada","password":"secret","serveraddress":"{key}"}}}}"#)
        };
        let hub = "https://index.docker.io/v1/";
        let rows: &[(&[&str], &str, bool)] = &[
            (&["registry.example.com/app:1"], "registry.example.com", true),
            (&["registry.example.com/app:1"], "https://registry.example.com/v2/", true),
            (&["registry.example.com/app:1"], "registry.example.com:5000", false),
            (&["registry.example.com:5000/app"], "registry.example.com", false),
            (&["localhost:5000/app"], "localhost:5000", true),
            (&["registry.example.com/team/app@sha256:ab"], "registry.example.com/team", true),
            (&["registry.example.com/teams/app"], "registry.example.com/team", false),
            (&["alpine", "team/app:2"], hub, true),
            (&["alpine:3.20"], "docker.io", true),
            (&["registry.example.com/alpine"], hub, false),
        ];
        for (images, key, is_covered) in rows {
            let expected = if *is_covered { entry(key) } else { String::new() };
            assert_eq!(told(images, "", &auth(key)), expected, "{images:?} by {key}, of `docker login`");
            assert_eq!(told(images, &auth(key), "{}"), expected, "{images:?} by {key}, of the project");
        }
    }

    #[test]
    fn the_project_and_the_longest_path_come_first() {
        let login =
            |key: &str, user: &str| format!(r#"{{"{key}": {{"username": "{user}", "password": "x"}}}}"#);
        let whole = |auths: &str| format!(r#"{{"auths": {auths}}}"#);
        let own = whole(&login("r.example", "own"));
        let project = whole(&login("r.example", "project"));
        assert!(told(&["r.example/app"], &project, &own).contains("\"project\""));
        let both = whole(
            r#"{"r.example": {"username": "a", "password": "x"},
            "r.example/team": {"username": "b", "password": "x"}}"#,
        );
        assert!(told(&["r.example/team/app"], "", &both).contains("\"b\""));
    }

    #[test]
    fn a_login_that_no_cluster_can_have_is_named() {
        let store = r#"{"auths": {"r.example": {}}, "credsStore": "desktop"}"#;
        insta::assert_snapshot!(told(&["r.example/app"], "", store), @"the login for `r.example/app` is with the credential helper `desktop`, which no cluster can ask: `docker pull` the image, or set `DOCKER_AUTH_CONFIG`");
        // nobody has logged in there
        assert_eq!(told(&["other.example/app"], "", store), "");
        let own = r#"{"credHelpers": {"r.example": "ecr-login"}}"#;
        assert!(told(&["r.example/app"], "", own).contains("`ecr-login`"));
        insta::assert_snapshot!(told(&["r.example/app"], "nonsense", "{}"), @"`DOCKER_AUTH_CONFIG` cannot be read: expected ident at line 1 column 2");
    }
}
