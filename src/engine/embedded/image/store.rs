//! Where images lie: layers by the digest of their content, configurations by that of the image, and names.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    blobs::plain,
    name::{file_name, full_name, of_file},
    unpack::{Whose, unpack},
};

/// An image that is here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The digest of its configuration: `sha256:...`.
    pub id: String,
    /// Its layers in the folder of layers, the lowest first.
    pub layers: Vec<String>,
    /// Its environment, `NAME=VALUE`.
    pub env: Vec<String>,
    /// The start of its command.
    pub entrypoint: Vec<String>,
    /// The rest of its command.
    pub cmd: Vec<String>,
    /// The folder that it starts in.
    pub working_dir: String,
    /// The user that it runs as.
    pub user: String,
    /// Bytes of its layers, unpacked.
    pub bytes: u64,
}

/// A folder of images.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    whose: Whose,
    /// Shared by those who use images, alone with who removes some.
    lock: File,
}

/// Names in the store, with the image that each means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    id: String,
    /// What the local Docker knows the image as, where it comes from there.
    docker: Option<String>,
    /// What the name stood for in its registry, where it comes from there.
    #[serde(default)]
    digest: Option<String>,
}

impl Store {
    /// Opens a folder of images, and makes it where it is missing. Root and users have different ones, since
    /// files belong to different owners in them.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(cache: &Path) -> io::Result<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let folder = cache.join(if is_root { "images-root" } else { "images" });
        for part in ["layers", "configs", "names"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let lock = File::create(folder.join("lock"))?;
        lock.lock_shared()?;
        Ok(Self { folder, whose: if is_root { Whose::Root } else { Whose::User }, lock })
    }

    /// The folder that layers lie in.
    #[must_use]
    pub fn layers(&self) -> PathBuf {
        self.folder.join("layers")
    }

    /// Finds an image by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Image> {
        self.image(&self.named(name)?.id)
    }

    /// What the local Docker knew an image as when it was taken from there.
    pub(super) fn docker_id(&self, name: &str) -> Option<String> {
        self.named(name)?.docker
    }

    /// What a name stood for in its registry when the image was pulled from there.
    pub(super) fn digest(&self, name: &str) -> Option<String> {
        self.named(name)?.digest
    }

    fn named(&self, name: &str) -> Option<Named> {
        let text = fs::read(self.folder.join("names").join(file_name(&full_name(name)))).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn image(&self, id: &str) -> Option<Image> {
        let text = fs::read(self.config(id)).ok()?;
        let image: Image = serde_json::from_slice(&text).ok()?;
        image.layers.iter().all(|layer| self.layers().join(layer).is_dir()).then_some(image)
    }

    fn config(&self, id: &str) -> PathBuf {
        self.folder.join("configs").join(file_name(id))
    }

    /// The images that are here, by name.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<(String, Image)>> {
        let mut images = Vec::new();
        for entry in fs::read_dir(self.folder.join("names"))? {
            let name = of_file(&entry?.file_name().to_string_lossy());
            images.extend(self.find(&name).map(|image| (name, image)));
        }
        images.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(images)
    }

    /// The digests of an image's layers, unpacked, the lowest first.
    pub(super) fn layer_ids(config: &[u8]) -> Vec<String> {
        let config: Value = serde_json::from_slice(config).unwrap_or_default();
        texts(&config["rootfs"]["diff_ids"])
    }

    /// Whether a layer is here, by that digest.
    pub(super) fn has_layer(&self, diff_id: &str) -> bool {
        layer_name(diff_id).is_ok_and(|name| self.layers().join(name).is_dir())
    }

    /// A folder for work that goes when it is dropped.
    pub(super) fn scratch(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(".new-").tempdir_in(self.layers())
    }

    /// Adds an image: its configuration as it comes, and its layers, the lowest first.
    pub(super) fn add(
        &self,
        config: &[u8],
        layers: &mut dyn FnMut(usize) -> io::Result<Box<dyn Read>>,
    ) -> io::Result<Image> {
        let id = format!("sha256:{}", hex(&Sha256::digest(config)));
        let config: Value = serde_json::from_slice(config)?;
        let ids: Vec<String> = texts(&config["rootfs"]["diff_ids"]);
        let mut image = Image { id, ..described(&config) };
        for (index, diff_id) in ids.iter().enumerate() {
            let name = layer_name(diff_id)?;
            if !self.layers().join(&name).is_dir() {
                self.layer(&name, diff_id, plain(layers(index)?)?)?;
            }
            image.bytes += size(&self.layers().join(&name));
            image.layers.push(name);
        }
        if image.layers.is_empty() {
            return Err(io::Error::other("the image has no layers"));
        }
        write(&self.config(&image.id), &serde_json::to_vec(&image)?)?;
        Ok(image)
    }

    /// Unpacks a layer, and keeps it only if it is what its digest says.
    fn layer(&self, name: &str, diff_id: &str, layer: Box<dyn Read>) -> io::Result<()> {
        let scratch = self.scratch()?;
        let folder = scratch.path().join("layer");
        fs::create_dir(&folder)?;
        let mut hashed = Hashed { inner: layer, digest: Sha256::new(), bytes: 0 };
        unpack(&mut hashed, &folder, self.whose)?;
        // what stands behind the archive's end is part of the digest
        io::copy(&mut hashed, &mut io::sink())?;
        let found = format!("sha256:{}", hex(&hashed.digest.finalize()));
        if found != diff_id {
            return Err(io::Error::other(format!("a layer is `{found}`, and `{diff_id}` was promised")));
        }
        fs::write(self.layers().join(format!("{name}.size")), hashed.bytes.to_string())?;
        match fs::rename(&folder, self.layers().join(name)) {
            // somebody else was faster
            Err(_) if self.layers().join(name).is_dir() => Ok(()),
            renamed => renamed,
        }
    }

    /// Gives an image a name, and notes what the local Docker knows it as where it comes from there.
    pub(super) fn name(&self, image: &Image, name: &str, docker: Option<String>) -> io::Result<()> {
        self.write_name(name, &Named { id: image.id.clone(), docker, digest: None })
    }

    /// Gives an image the name that it was pulled by, and notes what that stands for in the registry.
    pub(super) fn name_pulled(&self, image: &Image, name: &str, digest: &str) -> io::Result<()> {
        self.write_name(name, &Named { id: image.id.clone(), docker: None, digest: Some(digest.to_owned()) })
    }

    fn write_name(&self, name: &str, named: &Named) -> io::Result<()> {
        write(&self.folder.join("names").join(file_name(&full_name(name))), &serde_json::to_vec(named)?)
    }

    /// Removes layers and configurations that no name leads to, all names first with `all`, and what was never
    /// finished. Gives the number of images and the bytes of layers that are gone; `None` while somebody uses
    /// images.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn prune(&self, all: bool) -> io::Result<Option<(usize, u64)>> {
        self.lock.unlock()?;
        if self.lock.try_lock().is_err() {
            self.lock.lock_shared()?;
            return Ok(None);
        }
        let before = fs::read_dir(self.folder.join("configs"))?.count();
        if all {
            remove(&self.folder.join("names"), |_| true)?;
        }
        let images: Vec<Image> = self.list()?.into_iter().map(|(_, image)| image).collect();
        remove(&self.folder.join("configs"), |name| {
            !images.iter().any(|image| file_name(&image.id) == name)
        })?;
        let is_used = |name: &str| images.iter().flat_map(|image| &image.layers).any(|layer| layer == name);
        let mut bytes = 0;
        remove(&self.layers(), |name| {
            let layer = name.strip_suffix(".size").unwrap_or(name);
            if !is_used(layer) && layer == name {
                bytes += size(&self.layers().join(layer));
            }
            !is_used(layer)
        })?;
        let after = fs::read_dir(self.folder.join("configs"))?.count();
        self.lock.unlock()?;
        self.lock.lock_shared()?;
        Ok(Some((before.saturating_sub(after), bytes)))
    }
}

/// What a configuration says of how its image runs.
fn described(config: &Value) -> Image {
    let run = &config["config"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Image {
        env: texts(&run["Env"]),
        entrypoint: texts(&run["Entrypoint"]),
        cmd: texts(&run["Cmd"]),
        working_dir: text(&run["WorkingDir"]),
        user: text(&run["User"]),
        ..Image::default()
    }
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

/// The folder of a layer. Short, since a mount takes no more than a page of options, and long enough that
/// nobody finds two layers for one name.
fn layer_name(diff_id: &str) -> io::Result<String> {
    let hex = diff_id.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(io::Error::other(format!("`{diff_id}` is no digest of a layer")));
    }
    Ok(hex[..30].to_owned())
}

/// Bytes of a layer. Counted when it was unpacked: to count again would be to look at every file.
fn size(layer: &Path) -> u64 {
    let path = layer.with_extension("size");
    fs::read_to_string(path).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Removes what a folder has under certain names; the sizes of layers last, as they are asked for.
fn remove(folder: &Path, mut which: impl FnMut(&str) -> bool) -> io::Result<()> {
    let mut names: Vec<_> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.sort();
    for name in names {
        if which(&name) {
            let path = folder.join(&name);
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    Ok(())
}

/// Writes a file that is there in whole or not at all.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder)?;
    fs::write(file.path(), content)?;
    file.persist(path)?;
    Ok(())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Hashed {
    inner: Box<dyn Read>,
    digest: Sha256,
    bytes: u64,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}
