//! A registry, asked for one image.

use std::time::Duration;

use futures::{FutureExt as _, future::BoxFuture};
use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol},
    manifest::OciDescriptor,
    secrets::RegistryAuth,
};

use super::{
    credentials::{self, Logins},
    failure::{PullError, is_passing, told},
};
use crate::engine::embedded::image::name::full_name;

/// How long a registry may take to answer a connection, and to send the next bytes.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);

/// How long a credential helper may take: it may ask the user.
const HELPER: Duration = Duration::from_secs(60);

/// How often what fails in passing is tried, and how long after the first time.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 250 });

type Answer<'r, T> = BoxFuture<'r, oci_client::errors::Result<T>>;

/// The registry of an image.
pub(in crate::engine::embedded::image) struct Registry {
    pub(super) client: Client,
    pub(super) reference: Reference,
    auth: RegistryAuth,
}

/// What a registry has under a name.
pub(super) struct Manifest {
    /// The digest that the name stands for: that of the index, where it has several platforms.
    pub(super) digest: String,
    /// The configuration, as it is there.
    pub(super) config: String,
    /// The layers, the lowest first.
    pub(super) layers: Vec<OciDescriptor>,
}

impl Registry {
    /// The registry of an image, as Docker finds it, with its credentials.
    ///
    /// # Errors
    /// When the name is none, or the credentials cannot be read.
    pub(in crate::engine::embedded::image) async fn of(
        image: &str,
        logins: &Logins,
    ) -> Result<Self, PullError> {
        let reference: Reference = full_name(image)
            .parse()
            .map_err(|error| PullError::refused(format!("`{image}` is no name of an image: {error}")))?;
        let (registry, logins) = (reference.registry().to_owned(), logins.clone());
        let found = tokio::task::spawn_blocking(move || credentials::of(&registry, &logins));
        let auth = match tokio::time::timeout(HELPER, found).await {
            Ok(found) => {
                found.map_err(|error| PullError::refused(error.to_string()))?.map_err(PullError::refused)?
            }
            Err(_) => {
                return Err(PullError::refused("the helper for credentials gives no answer".to_owned()));
            }
        };
        let config = ClientConfig {
            protocol: protocol(&reference),
            connect_timeout: Some(CONNECT),
            read_timeout: Some(SILENCE),
            user_agent: concat!("podline/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|error| PullError::refused(error.to_string()))?;
        client.store_auth_if_needed(reference.resolve_registry(), &auth).await;
        Ok(Self { client, reference, auth })
    }

    /// The name of the registry.
    pub(in crate::engine::embedded::image) fn name(&self) -> &str {
        self.reference.registry()
    }

    /// The digest that the image's name stands for now.
    ///
    /// # Errors
    /// When the registry does not have it, wants a login or cannot be reached.
    pub(in crate::engine::embedded::image) async fn digest(&self) -> Result<String, PullError> {
        self.again(|| self.client.fetch_manifest_digest(&self.reference, &self.auth).boxed()).await
    }

    /// What the registry has under the image's name for this machine's platform.
    pub(super) async fn manifest(&self) -> Result<Manifest, PullError> {
        let asked =
            || self.client.pull_manifest_and_config_and_list_digest(&self.reference, &self.auth).boxed();
        let (manifest, digest, config, list) = self.again(asked).await?;
        Ok(Manifest { digest: list.unwrap_or(digest), config, layers: manifest.layers })
    }

    /// Asks again what failed in passing.
    async fn again<'r, T>(&'r self, ask: impl Fn() -> Answer<'r, T>) -> Result<T, PullError> {
        let mut attempt = 1;
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(failure) if attempt < ATTEMPTS && is_passing(&failure) => {
                    tokio::time::sleep(PAUSE * 2_u32.pow(attempt)).await;
                    attempt += 1;
                }
                Err(failure) => return Err(told(self.name(), &failure)),
            }
        }
    }
}

/// Registries of this machine speak HTTP, all others HTTPS, as Docker takes it.
fn protocol(reference: &Reference) -> ClientProtocol {
    if is_loopback(reference.registry()) { ClientProtocol::Http } else { ClientProtocol::Https }
}

fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_where_docker_finds_it() {
        let rows = [
            ("busybox", "docker.io", "library/busybox", "index.docker.io"),
            ("busybox:1.36", "docker.io", "library/busybox", "index.docker.io"),
            ("ada/app", "docker.io", "ada/app", "index.docker.io"),
            ("docker.io/library/busybox", "docker.io", "library/busybox", "index.docker.io"),
            ("localhost:5000/app:1", "localhost:5000", "app", "localhost:5000"),
            ("localhost/app", "localhost", "app", "localhost"),
            ("registry.gitlab.com/a/b/c", "registry.gitlab.com", "a/b/c", "registry.gitlab.com"),
        ];
        for (image, registry, repository, host) in rows {
            let reference: Reference = full_name(image).parse().expect("a name");
            let found = (reference.registry(), reference.repository(), reference.resolve_registry());
            assert_eq!(found, (registry, repository, host), "{image}");
        }
    }

    #[test]
    fn only_registries_of_this_machine_speak_http() {
        let rows = [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.1.2.3", true),
            ("docker.io", false),
            ("10.0.0.1:5000", false),
            ("localhost.example:5000", false),
        ];
        for (registry, expected) in rows {
            assert_eq!(is_loopback(registry), expected, "{registry}");
        }
    }
}
