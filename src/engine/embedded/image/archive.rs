//! Takes images from a `docker save` archive or an OCI layout, as an archive or a folder.

use std::{io, path::Path};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    blobs::Blobs,
    store::{Store, hex},
};
use crate::engine::Error;

/// An image in an archive.
struct Found {
    /// Where its configuration is.
    config: String,
    /// Where its layers are, the lowest first.
    layers: Vec<String>,
    /// The names that it has there.
    names: Vec<String>,
}

/// Takes all images of an archive or folder into the store, and gives their names. `name` is that of an image
/// that has none there, or another one for the only image.
///
/// # Errors
/// When it is no such archive, it is damaged, or an image has no name.
pub fn import(store: &Store, path: &Path, name: Option<&str>) -> Result<Vec<String>, Error> {
    take(store, path, name, None).map_err(|error| Error::Failed {
        doing: format!("importing `{}`", path.display()),
        cause: error.to_string(),
    })
}

pub(super) fn take(
    store: &Store,
    path: &Path,
    name: Option<&str>,
    docker: Option<&str>,
) -> io::Result<Vec<String>> {
    let scratch = store.scratch()?;
    let blobs = Blobs::open(path, scratch.path())?;
    let images = find(&blobs)?;
    let only = images.len() == 1;
    let mut names = Vec::new();
    for found in images {
        let own = match name {
            Some(name) if only => vec![name.to_owned()],
            _ => found.names,
        };
        if own.is_empty() {
            return Err(io::Error::other("an image in it has no name: give one with `--name`"));
        }
        let image = store.add(&blobs.text(&found.config)?, &mut |index| {
            let layer = found.layers.get(index);
            blobs.read(layer.ok_or_else(|| io::Error::other("it has fewer layers than it says"))?)
        })?;
        for name in own {
            store.name(&image, &name, docker.map(str::to_owned))?;
            names.push(name);
        }
    }
    Ok(names)
}

fn find(blobs: &Blobs) -> io::Result<Vec<Found>> {
    if let Ok(text) = blobs.text("manifest.json") {
        return Ok(of_docker(&serde_json::from_slice(&text)?));
    }
    let Ok(text) = blobs.text("index.json") else {
        return Err(io::Error::other(
            "it is neither an archive of `docker save` (`manifest.json`) nor an OCI layout (`index.json`)",
        ));
    };
    let mut found = Vec::new();
    of_index(blobs, &serde_json::from_slice(&text)?, None, 0, &mut found)?;
    Ok(found)
}

fn of_docker(manifest: &Value) -> Vec<Found> {
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    let images = manifest.as_array().into_iter().flatten();
    let found = images.map(|image| Found {
        config: image["Config"].as_str().unwrap_or_default().to_owned(),
        layers: texts(&image["Layers"]),
        names: texts(&image["RepoTags"]),
    });
    found.collect()
}

/// The images of an index that are for this machine; an index may be in an index.
fn of_index(
    blobs: &Blobs,
    index: &Value,
    name: Option<&str>,
    depth: u32,
    found: &mut Vec<Found>,
) -> io::Result<()> {
    if depth > 4 {
        return Err(io::Error::other("an index is in an index, and that in another, too deep"));
    }
    for entry in index["manifests"].as_array().into_iter().flatten() {
        if !is_for_here(&entry["platform"]) {
            continue;
        }
        let annotations = &entry["annotations"];
        let names = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
        let own = names.iter().find_map(|key| annotations[key].as_str()).or(name);
        let manifest: Value = serde_json::from_slice(&verified(blobs, &entry["digest"])?)?;
        if manifest["manifests"].is_array() {
            of_index(blobs, &manifest, own, depth + 1, found)?;
            continue;
        }
        let layers = manifest["layers"].as_array().into_iter().flatten();
        // checks the digest; the image is read again when it is taken
        verified(blobs, &manifest["config"]["digest"])?;
        found.push(Found {
            config: path(&manifest["config"]["digest"])?,
            layers: layers.map(|layer| path(&layer["digest"])).collect::<io::Result<_>>()?,
            names: own.map(str::to_owned).into_iter().collect(),
        });
    }
    Ok(())
}

fn is_for_here(platform: &Value) -> bool {
    let (Some(os), Some(architecture)) = (platform["os"].as_str(), platform["architecture"].as_str()) else {
        return true;
    };
    os == "linux" && architecture == architecture_here()
}

/// This machine's architecture in Go's words.
fn architecture_here() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn path(digest: &Value) -> io::Result<String> {
    let digest = digest.as_str().unwrap_or_default();
    let wrong = || io::Error::other(format!("`{digest}` is no digest"));
    let (kind, hex) = digest.split_once(':').ok_or_else(wrong)?;
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain(kind) && plain(hex) { Ok(format!("blobs/{kind}/{hex}")) } else { Err(wrong()) }
}

fn verified(blobs: &Blobs, digest: &Value) -> io::Result<Vec<u8>> {
    let text = blobs.text(&path(digest)?)?;
    let found = format!("sha256:{}", hex(&Sha256::digest(&text)));
    if digest == &Value::String(found) {
        return Ok(text);
    }
    Err(io::Error::other(format!("the content of {digest} is another one: it is damaged")))
}
