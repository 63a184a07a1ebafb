//! An image from a registry into the store.

use std::{
    collections::HashMap,
    fs::File,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use oci_client::manifest::OciDescriptor;
use sha2::{Digest as _, Sha256};

use super::{
    client::{Manifest, Registry},
    failure::PullError,
};
use crate::engine::{
    Progress, Step,
    embedded::image::store::{Image, Store, hex},
};

/// Layers that are fetched at once, as many as Docker does.
const AT_ONCE: usize = 3;

impl Registry {
    /// Pulls the image, unless the store has its layers, and gives it its name there.
    ///
    /// # Errors
    /// When the registry does not have it, wants a login or cannot be reached; when what came is damaged or
    /// harmful.
    pub(in crate::engine::embedded::image) async fn pull(
        &self,
        store: &Arc<Store>,
        image: &str,
        progress: &Progress<'_>,
    ) -> Result<Image, PullError> {
        let manifest = self.manifest().await?;
        let missing = missing(store, &manifest);
        let scratch = store.scratch()?;
        let bytes = missing.iter().map(|layer| u64::try_from(layer.size).unwrap_or_default()).sum();
        progress(Step::ImagesStarted { images: vec![image.to_owned()], bytes, from: self.name().to_owned() });
        let path = |digest: &str| scratch.path().join(hex(&Sha256::digest(digest)));
        let sent = AtomicU64::new(0);
        let came = |more| {
            let bytes = sent.fetch_add(more, Ordering::Relaxed) + more;
            progress(Step::ImagesSent { bytes });
        };
        let mut fetched: Vec<BoxFuture<'_, Result<(), PullError>>> = Vec::new();
        for layer in &missing {
            fetched.push(self.layer(layer, path(&layer.digest), &came).boxed());
        }
        stream::iter(fetched).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;

        let paths: HashMap<usize, _> =
            manifest.layers.iter().enumerate().map(|(index, layer)| (index, path(&layer.digest))).collect();
        let (store, name) = (Arc::clone(store), image.to_owned());
        let unpacked = tokio::task::spawn_blocking(move || {
            let image = store.add(manifest.config.as_bytes(), &mut |index| {
                let path =
                    paths.get(&index).ok_or_else(|| io::Error::other("it has fewer layers than it says"))?;
                Ok(Box::new(File::open(path)?))
            })?;
            store.name_pulled(&image, &name, &manifest.digest)?;
            Ok::<_, io::Error>(image)
        });
        let image = unpacked.await.map_err(io::Error::other)??;
        progress(Step::ImagesDone);
        Ok(image)
    }
}

/// The layers that the store does not have.
fn missing<'m>(store: &Store, manifest: &'m Manifest) -> Vec<&'m OciDescriptor> {
    let ids = Store::layer_ids(manifest.config.as_bytes());
    let mut seen = std::collections::HashSet::new();
    let layers = manifest.layers.iter().enumerate();
    layers
        .filter(|(index, _)| !ids.get(*index).is_some_and(|id| store.has_layer(id)))
        .map(|(_, layer)| layer)
        .filter(|layer| seen.insert(&layer.digest))
        .collect()
}
