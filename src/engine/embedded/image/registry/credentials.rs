//! What `docker login` has left for a registry: in Docker's `config.json`, or with the helper that it names.

use std::{fs::File, io, path::PathBuf};

use docker_credential::{CredentialRetrievalError as Failure, DockerCredential, get_credential_from_reader};
use oci_client::secrets::RegistryAuth;

/// What Docker's own registry is called in `config.json`.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Where the credentials of registries come from, each in the form of Docker's `config.json`.
#[derive(Debug, Clone, Default)]
pub struct Logins {
    /// Texts that come before the user's own login.
    pub texts: Vec<String>,
    /// The folder of Docker's `config.json`.
    pub folder: Option<PathBuf>,
}

/// The credentials for a registry; none where nobody has logged in. A helper may ask the user, so this may take
/// a while.
///
/// # Errors
/// When the configuration or the answer of a helper cannot be read.
pub(super) fn of(registry: &str, logins: &Logins) -> Result<RegistryAuth, String> {
    for text in &logins.texts {
        let found = read(text.as_bytes(), registry, "the given login")?;
        if found != RegistryAuth::Anonymous {
            return Ok(found);
        }
    }
    let Some(folder) = &logins.folder else { return Ok(RegistryAuth::Anonymous) };
    let path = folder.join("config.json");
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(RegistryAuth::Anonymous),
        opened => opened.map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?,
    };
    read(io::BufReader::new(file), registry, &format!("`{}`", path.display()))
}

/// The credentials for a registry in a configuration, which is called `whose`.
fn read(config: impl io::Read, registry: &str, whose: &str) -> Result<RegistryAuth, String> {
    let server = if registry == "docker.io" { DOCKER_HUB } else { registry };
    match get_credential_from_reader(config, server) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(_)) => Err(format!(
            "the login for `{registry}` is an identity token, which podline cannot use: `docker pull` the image, \
             podline takes it from there"
        )),
        Err(Failure::NoCredentialConfigured) => Ok(RegistryAuth::Anonymous),
        // the words that all helpers have for it
        Err(Failure::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => {
            Ok(RegistryAuth::Anonymous)
        }
        Err(Failure::ConfigReadError) => Err(format!("{whose} is no configuration of Docker")),
        Err(Failure::HelperFailure { helper, stdout, stderr }) => {
            let said = if stderr.trim().is_empty() { stdout } else { stderr };
            Err(format!("`{helper}` has no credentials for `{registry}`: {}", said.trim()))
        }
        Err(error) => Err(format!("the credentials for `{registry}` in {whose}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(folder: &std::path::Path) -> Logins {
        Logins { folder: Some(folder.to_owned()), ..Logins::default() }
    }

    #[test]
    fn credentials_are_those_that_docker_login_left() {
        let basic =
            |user: &str, password: &str| Ok(RegistryAuth::Basic(user.to_owned(), password.to_owned()));
        let rows = [
            // (config.json, registry, credentials)
            ("{}", "docker.io", Ok(RegistryAuth::Anonymous)),
            (
                r#"{"auths": {"https://index.docker.io/v1/": {"auth": "YWRhOnM6dA=="}}}"#,
                "docker.io",
                basic("ada", "s:t"),
            ),
            (
                r#"{"auths": {"localhost:5000": {"auth": "YWRhOnNlY3JldA=="}}}"#,
                "localhost:5000",
                basic("ada", "secret"),
            ),
            (
                r#"{"auths": {"localhost:5000": {"auth": "YWRhOnNlY3JldA=="}}}"#,
                "localhost:5001",
                Ok(RegistryAuth::Anonymous),
            ),
        ];
        for (config, registry, expected) in rows {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("config.json"), config).expect("a file");
            assert_eq!(of(registry, &in_folder(folder.path())), expected, "{registry} in {config}");
            let given = Logins { texts: vec!["{}".to_owned(), config.to_owned()], folder: None };
            assert_eq!(of(registry, &given), expected, "{registry} in {config}, given");
        }
        let empty = tempfile::tempdir().expect("a folder");
        assert_eq!(of("docker.io", &in_folder(empty.path())), Ok(RegistryAuth::Anonymous));
        assert_eq!(of("docker.io", &Logins::default()), Ok(RegistryAuth::Anonymous));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let rows = [
            ("{", "is no configuration of Docker"),
            (r#"{"auths": {"r.example": {"auth": "%"}}}"#, "the credentials for `r.example`"),
            (r#"{"credsStore": "podline-has-no-such"}"#, "the credentials for `r.example`"),
        ];
        for (config, expected) in rows {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("config.json"), config).expect("a file");
            let told = of("r.example", &in_folder(folder.path())).expect_err("it cannot be read");
            assert!(told.contains(expected), "{told}");
        }
    }
}
