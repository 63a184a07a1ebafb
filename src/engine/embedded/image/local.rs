//! Takes images from the local Docker, where there is one.

use std::sync::Arc;

use bollard::Docker;
use futures::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::{archive, name::full_name, store::Store};
use crate::engine::{Error, Progress, Step, docker::failed};

/// Takes those of the images that the local Docker has, and that are not here as they are there.
///
/// # Errors
/// When an image cannot be exported or unpacked.
pub async fn from_docker(
    docker: &Docker,
    store: &Arc<Store>,
    images: &[String],
    progress: &Progress<'_>,
) -> Result<(), Error> {
    for image in images {
        let Ok(inspected) = docker.inspect_image(image).await else { continue };
        let id = inspected.id.unwrap_or_default();
        if store.find(image).is_some() && store.docker_id(image).as_deref() == Some(&id) {
            continue;
        }
        let bytes = inspected.size.and_then(|size| size.try_into().ok()).unwrap_or_default();
        progress(Step::ImagesStarted { images: vec![full_name(image)], bytes, from: "Docker".to_owned() });
        take(docker, store, image, id, progress).await?;
        progress(Step::ImagesDone);
    }
    Ok(())
}

async fn take(
    docker: &Docker,
    store: &Arc<Store>,
    image: &str,
    id: String,
    progress: &Progress<'_>,
) -> Result<(), Error> {
    let doing = format!("taking the image `{image}` from Docker");
    let broken = |cause: std::io::Error| Error::Failed { doing: doing.clone(), cause: cause.to_string() };
    let scratch = store.scratch().map_err(broken)?;
    let path = scratch.path().join("saved.tar");
    let mut file = tokio::fs::File::create(&path).await.map_err(broken)?;
    let mut export = docker.export_image(image);
    let mut bytes = 0;
    while let Some(chunk) = export.try_next().await.map_err(|error| failed(doing.clone(), &error))? {
        file.write_all(&chunk).await.map_err(broken)?;
        bytes += chunk.len() as u64;
        progress(Step::ImagesSent { bytes });
    }
    file.flush().await.map_err(broken)?;
    let (store, name) = (Arc::clone(store), image.to_owned());
    let taken = tokio::task::spawn_blocking(move || archive::take(&store, &path, Some(&name), Some(&id)));
    taken.await.map_err(std::io::Error::other).and_then(|taken| taken).map_err(broken)?;
    Ok(())
}
