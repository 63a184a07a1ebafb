//! Names of images.

/// The name that an image is stored under: `busybox` is `docker.io/library/busybox:latest`.
#[must_use]
pub fn full_name(image: &str) -> String {
    crate::engine::kind::full_name(image)
}

/// A name as that of a file.
pub(super) fn file_name(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

/// The name that a file's name stands for.
pub(super) fn of_file(name: &str) -> String {
    name.replace("%2F", "/").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_survives_being_a_file(name in "[a-z%/:@.-]{1,40}") {
            let file = file_name(&name);
            prop_assert!(!file.contains('/'));
            prop_assert_eq!(of_file(&file), name);
        }
    }
}
