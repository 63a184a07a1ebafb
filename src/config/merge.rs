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
