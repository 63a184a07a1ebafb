//! Why an image could not be pulled, in words.

use oci_client::errors::{OciDistributionError as Failure, OciErrorCode as Code};

use crate::engine::chain;

/// An image that was not pulled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(in crate::engine::embedded::image) struct PullError {
    /// Why, and what to do where that is known.
    pub(super) message: String,
    /// Whether the registry gave no answer at all.
    pub(in crate::engine::embedded::image) is_unreachable: bool,
}

impl PullError {
    pub(in crate::engine::embedded::image) fn refused(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_unreachable: false }
    }
}

impl From<std::io::Error> for PullError {
    fn from(error: std::io::Error) -> Self {
        Self::refused(error.to_string())
    }
}

/// The first of all causes: what a client was doing when it came up is known.
fn root(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().unwrap_or(error).to_string()
}

/// What a registry's refusal means.
pub(super) fn told(registry: &str, failure: &Failure) -> PullError {
    let login = format!("`docker login {registry}` gives podline its credentials");
    let is_unreachable =
        matches!(failure, Failure::RequestError(error) if error.is_connect() || error.is_timeout());
    let message = match failure {
        Failure::ImageManifestNotFoundError(_) => {
            format!("`{registry}` has it for other platforms only, not for linux/{}", std::env::consts::ARCH)
        }
        Failure::UnauthorizedError { .. } => format!("`{registry}` wants a login: {login}"),
        Failure::AuthenticationFailure(said) => {
            format!("`{registry}` refused the login: {}; {login}", said.trim())
        }
        Failure::RegistryError { envelope, .. } => {
            let code = |code| envelope.errors.iter().any(|error| error.code == code);
            let said: Vec<String> = envelope.errors.iter().map(|error| error.message.clone()).collect();
            let said = said.join(", ");
            if code(Code::ManifestUnknown) || code(Code::NameUnknown) || code(Code::NotFound) {
                format!("`{registry}` does not have it: {said}")
            } else if code(Code::Unauthorized) || code(Code::Denied) {
                format!("`{registry}` does not have it, or not for everybody: {said}; {login}")
            } else {
                format!("`{registry}` refused: {said}")
            }
        }
        Failure::ServerError { code: 404, .. } => format!("`{registry}` does not have it"),
        Failure::ServerError { code, message, .. } => {
            format!("`{registry}` answered {code}: {}", message.trim())
        }
        Failure::RequestError(error) if is_unreachable => {
            format!("`{registry}` cannot be reached: {}", root(error))
        }
        other => format!("`{registry}`: {}", chain(other)),
    };
    PullError { message, is_unreachable }
}

/// Whether it may go well when it is tried again.
pub(super) fn is_passing(failure: &Failure) -> bool {
    match failure {
        Failure::RequestError(error) => !error.is_connect() && !error.is_builder(),
        Failure::ServerError { code, .. } => *code >= 500 || *code == 429,
        // a full disk and a wrong digest are errors of this kind, too, and stay what they are
        Failure::IoError(error) => error.kind() == std::io::ErrorKind::UnexpectedEof,
        _ => false,
    }
}
