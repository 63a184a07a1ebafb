//! `include: remote`: files by HTTPS.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};
use ureq::{
    Agent, Error,
    tls::{Certificate, RootCerts, TlsConfig},
};

use super::{MAX_FILE, project::Projects};
use crate::config::loader::LoadError;

/// Most redirects that are followed, as GitLab's client does.
const MAX_REDIRECTS: u32 = 5;

/// A client that is made once something is fetched.
#[derive(Debug, Default)]
pub(super) struct Remote {
    agent: OnceLock<Agent>,
}

/// An URL with what its content must have, and how old it may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'w> {
    pub(super) url: &'w str,
    /// How the user may see it.
    pub(super) shown: &'w str,
    pub(super) integrity: Option<&'w str>,
    pub(super) reuse: Duration,
}

impl Remote {
    /// The content behind an URL, and a note where it may not be the newest.
    ///
    /// # Errors
    /// When it cannot be had, or is not what `integrity` says.
    pub(super) fn get(
        &self,
        projects: &Projects,
        wanted: Wanted<'_>,
    ) -> Result<(String, Option<String>), LoadError> {
        let elsewhere = projects.elsewhere();
        let store = projects.store().map_err(unavailable)?;
        let kept = store.remote(wanted.url);
        let is_fresh = kept.as_ref().is_some_and(|kept| {
            kept.age <= wanted.reuse || wanted.integrity.is_some_and(|digest| digest == integrity(&kept.text))
        });
        let (bytes, note) = match kept {
            Some(kept) if is_fresh || elsewhere.is_offline => (kept.text, None),
            None if elsewhere.is_offline => return Err(offline()),
            kept => {
                (elsewhere.watch)(wanted.shown);
                match (self.fetch(wanted.url, elsewhere.limits.time), kept) {
                    (Ok(bytes), _) => {
                        // without it, the next time fetches it again
                        drop(store.keep_remote(wanted.url, &bytes));
                        (bytes, None)
                    }
                    (Err(reason), Some(kept)) => {
                        let note = format!("it is as it was fetched before, as now {reason}");
                        (kept.text, Some(note))
                    }
                    (Err(reason), None) => return Err(unavailable(reason)),
                }
            }
        };
        check(&bytes, wanted.integrity)?;
        let text = String::from_utf8(bytes);
        text.map(|text| (text, note)).map_err(|_| LoadError::Unreadable("it is not UTF-8 text".to_owned()))
    }

    fn fetch(&self, url: &str, time: Duration) -> Result<Vec<u8>, String> {
        let agent = self.agent.get_or_init(|| agent(time));
        let mut response = agent.get(url).call().map_err(|error| reason(&error))?;
        let body = response.body_mut().with_config().limit(MAX_FILE);
        body.read_to_vec().map_err(|error| reason(&error))
    }
}

/// A client with the machine's certificates and the environment's proxies.
fn agent(time: Duration) -> Agent {
    // what is wrong with some certificate is no reason to distrust the others
    let certificates = rustls_native_certs::load_native_certs().certs;
    let certificates: Vec<_> = certificates.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let agent = Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(time))
        .max_redirects(MAX_REDIRECTS)
        .user_agent(concat!("podline/", env!("CARGO_PKG_VERSION")));
    agent.build().new_agent()
}

fn reason(error: &Error) -> String {
    match error {
        Error::StatusCode(code) => format!("the server answers with HTTP status {code}"),
        Error::Timeout(_) => "the server gives no answer in time".to_owned(),
        Error::Io(error) => format!("the server cannot be reached: {}", error.kind()),
        Error::BadUri(_) => "it is no valid address".to_owned(),
        Error::HostNotFound => "there is no such host".to_owned(),
        Error::TooManyRedirects => format!("it leads on more than {MAX_REDIRECTS} times"),
        Error::BodyExceedsLimit(_) => format!("it is bigger than {} MB", (MAX_FILE - 1) >> 20),
        error => error.to_string(),
    }
}

/// `sha256-<base64>` of some content.
fn integrity(content: &[u8]) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(content)))
}

fn check(content: &[u8], wanted: Option<&str>) -> Result<(), LoadError> {
    match wanted {
        Some(wanted) if integrity(content) != wanted => Err(LoadError::Unreadable(format!(
            "its content is `{}`, not what `integrity` says",
            integrity(content)
        ))),
        _ => Ok(()),
    }
}

fn offline() -> LoadError {
    LoadError::Unavailable {
        reason: "it was not fetched before, and podline is `--offline`".to_owned(),
        help: "plan once without `--offline`".to_owned(),
    }
}

fn unavailable(reason: String) -> LoadError {
    let help = "check the address and the network; a proxy is taken from `HTTPS_PROXY`, own certificates from \
                `SSL_CERT_FILE`";
    LoadError::Unavailable { reason, help: help.to_owned() }
}
