//! Files that the pods of a run begin with: unpacked once, and seen through a layer that takes the writes of each.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::pod::files::Volumes;

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// The layers of a run.
pub(super) struct Layers {
    folder: PathBuf,
    /// What was unpacked, by archive and by where its volume is mounted. One at a time: it is mostly the same one that
    /// several jobs ask for.
    unpacked: Mutex<HashMap<(PathBuf, PathBuf), PathBuf>>,
}

impl Layers {
    /// In the folder of a run. No pod has such a name.
    pub(super) fn new(run: &Path) -> Self {
        Self { folder: run.join(".layers"), unpacked: Mutex::default() }
    }

    /// The folders of archives whose paths are those of a container, for the volume that is mounted `at` a path.
    ///
    /// # Errors
    /// When one cannot be unpacked, or has files outside of the volume.
    pub(super) fn get(&self, archives: &[PathBuf], at: &Path) -> io::Result<Vec<PathBuf>> {
        let mut unpacked = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut layers = Vec::new();
        for archive in archives {
            let key = (archive.clone(), at.to_owned());
            let layer = match unpacked.get(&key) {
                Some(layer) => layer.clone(),
                None => {
                    let layer = self.folder.join(unpacked.len().to_string());
                    fs::create_dir_all(&layer)?;
                    let content = BufReader::with_capacity(PIECE, File::open(archive)?);
                    if let Err(error) = Volumes::one(at, layer.clone())?.unpack(content) {
                        let _ = fs::remove_dir_all(&layer);
                        return Err(error);
                    }
                    unpacked.entry(key).or_insert(layer).clone()
                }
            };
            layers.push(layer);
        }
        Ok(layers)
    }
}
