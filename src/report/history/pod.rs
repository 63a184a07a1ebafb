//! The limits and requests of a pod's containers, read from its manifest.

/// A container with what it may use.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Container {
    /// Its name: `build`, `helper`, `svc-0`.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Requests, for instance `cpu` and `100m`.
    pub requests: Vec<(String, String)>,
    /// Limits.
    pub limits: Vec<(String, String)>,
}

/// The containers of a manifest; none where it is not one.
pub(super) fn containers(manifest: &str) -> Vec<Container> {
    let Ok(pod) = serde_yaml::from_str::<serde_json::Value>(manifest) else { return Vec::new() };
    let amounts = |container: &serde_json::Value, kind: &str| {
        let amounts = container["resources"][kind].as_object().into_iter().flatten();
        amounts.filter_map(|(name, amount)| Some((name.clone(), amount.as_str()?.to_owned()))).collect()
    };
    let container = |container: &serde_json::Value| {
        Some(Container {
            name: container["name"].as_str()?.to_owned(),
            image: container["image"].as_str().unwrap_or_default().to_owned(),
            requests: amounts(container, "requests"),
            limits: amounts(container, "limits"),
        })
    };
    pod["spec"]["containers"].as_array().into_iter().flatten().filter_map(container).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_manifest_are_those_of_its_containers() {
        let manifest = "spec:\n  containers:\n  - name: build\n    image: busybox:1.36\n    \
                        resources:\n      limits: {cpu: '1', memory: 1Gi}\n  - name: helper\n";
        let found = containers(manifest);
        assert_eq!(
            found[0].limits,
            [("cpu".to_owned(), "1".to_owned()), ("memory".to_owned(), "1Gi".to_owned())]
        );
        assert_eq!((found.len(), found[1].limits.len()), (2, 0));
        assert_eq!(containers(": no"), []);
    }
}
