//! Which node image to make a cluster from when nobody says.

use std::collections::HashMap;

use bollard::{Docker, query_parameters::ListImagesOptionsBuilder};

use crate::engine::{Error, docker::failed};

/// The repository of kind's node images.
const REPOSITORY: &str = "kindest/node";

/// The newest node image that Docker has under a tag. kind's own choice is named by digest; Docker knows it by
/// no tag then, and kind finds it by itself.
pub(super) async fn newest(docker: &Docker) -> Result<Option<String>, Error> {
    let filters = HashMap::from([("reference", vec![REPOSITORY])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let images =
        docker.list_images(Some(options)).await.map_err(|error| failed("listing node images", &error))?;
    let tags = images.into_iter().flat_map(|image| image.repo_tags);
    Ok(tags.filter(|tag| version(tag).is_some()).max_by_key(|tag| version(tag)))
}

/// The numbers of `kindest/node:v1.34.4`.
fn version(image: &str) -> Option<Vec<u64>> {
    let (_, tag) = image.rsplit_once(":v")?;
    tag.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(version("kindest/node:v1.34.4") > version("kindest/node:v1.9.11"));
        assert_eq!(version("kindest/node:latest"), None);
    }
}
