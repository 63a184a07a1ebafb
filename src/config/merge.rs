//! Deep merge, as Rails' `Hash#deep_merge!`, for includes and `extends`.

use super::node::{Kind, Mapping};

/// Merges `over` into `base`: mappings merge key by key, everything else replaces, `null` too. A
/// key that was there keeps its position.
pub(super) fn deep_merge(base: &mut Mapping, over: Mapping) {
    for (name, entry) in over {
        match (base.get_mut(&name).map(|below| &mut below.kind), entry.value.kind) {
            (Some(Kind::Mapping(below)), Kind::Mapping(above)) => {
                deep_merge(below, above);
                base.move_to(&name, entry.key, entry.value.span);
            }
            (_, kind) => {
                let value = super::Node { kind, span: entry.value.span };
                base.insert(name, entry.key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::deep_merge;
    use crate::config::{
        Sources, Span,
        node::{Kind, Mapping, Node},
    };

    fn span() -> Span {
        Span::new(Sources::default().add("", ""), 0..0)
    }

    fn mapping() -> impl Strategy<Value = Mapping> {
        let leaf = "[xy]".prop_map(|text| Node::string(text, span()));
        let node = leaf.prop_recursive(3, 16, 4, |inner| {
            prop::collection::vec(("[a-d]", inner), 0..4)
                .prop_map(|entries| Node::mapping(of(entries), span()))
        });
        prop::collection::vec(("[a-d]", node), 0..4).prop_map(of)
    }

    fn of(entries: Vec<(String, Node)>) -> Mapping {
        let mut mapping = Mapping::default();
        for (key, value) in entries {
            mapping.insert(key, span(), value);
        }
        mapping
    }

    /// The leaves and empty mappings of a tree by their paths.
    fn leaves(mapping: &Mapping, path: &str, found: &mut Vec<(String, String)>) {
        for (key, entry) in mapping.iter() {
            let path = format!("{path}/{key}");
            match &entry.value.kind {
                Kind::Mapping(inner) if !inner.is_empty() => leaves(inner, &path, found),
                _ => found.push((path, entry.value.as_str().unwrap_or("{}").to_owned())),
            }
        }
    }

    proptest! {
        #[test]
        fn what_lies_over_wins_and_nothing_else_is_lost(base in mapping(), over in mapping()) {
            let mut merged = base.clone();
            deep_merge(&mut merged, over.clone());
            let all = |mapping: &Mapping| {
                let mut found = Vec::new();
                leaves(mapping, "", &mut found);
                found
            };
            let (merged, base, over) = (all(&merged), all(&base), all(&over));
            for leaf in over.iter().filter(|(_, value)| value != "{}") {
                prop_assert!(merged.contains(leaf), "{leaf:?} of the one over is lost");
            }
            for leaf in &merged {
                prop_assert!(base.contains(leaf) || over.contains(leaf), "{leaf:?} comes from nowhere");
            }
            let below = |(path, _): &(String, String), other: &str| {
                path == other || path.starts_with(&format!("{other}/")) || other.starts_with(&format!("{path}/"))
            };
            for leaf in &base {
                let is_hidden = over.iter().any(|(path, _)| below(leaf, path));
                prop_assert!(is_hidden || merged.contains(leaf), "{leaf:?} of the one below is lost");
            }
        }

        #[test]
        fn a_tree_over_itself_is_itself(mapping in mapping()) {
            let mut merged = mapping.clone();
            deep_merge(&mut merged, mapping.clone());
            prop_assert_eq!(merged, mapping);
        }
    }
}
