//! A mapping while it is read: repeated keys and `<<`, in the order Psych meets them.

use std::collections::HashSet;

use crate::config::{
    Diagnostic, Diagnostics, Node, Span,
    node::{Kind, Mapping},
};

/// A mapping under construction.
#[derive(Default)]
pub(super) struct Block {
    mapping: Mapping,
    /// Keys whose value was merged in, as opposed to written here.
    merged: HashSet<String>,
}

impl Block {
    /// Adds a key that is written here. The last one wins, as in a Ruby hash.
    pub(super) fn insert(&mut self, key: String, place: Span, value: Node, diagnostics: &mut Diagnostics) {
        let was_merged = self.merged.remove(&key);
        if let Some(first) = self.mapping.entry(&key).map(|entry| entry.key)
            && !was_merged
        {
            diagnostics.push(
                Diagnostic::warning(
                    "duplicate-key",
                    format!("`{key}` is written twice, and the last one wins"),
                    place,
                )
                .related(first, "this one is ignored")
                .help("remove one of them, or merge their contents"),
            );
        }
        self.mapping.insert(key, place, value);
    }

    /// Applies `<<`. Psych merges when it meets it (`to_ruby.rb`): keys above are overridden, keys
    /// below override. What is not a mapping stays as a key named `<<`.
    pub(super) fn merge(&mut self, place: Span, value: Node, diagnostics: &mut Diagnostics) {
        let merged = match value.kind {
            Kind::Mapping(mapping) => mapping,
            Kind::Sequence(items) if items.iter().all(|item| item.as_mapping().is_some()) => {
                let mut all = Mapping::default();
                let mappings = items.into_iter().rev().filter_map(|item| match item.kind {
                    Kind::Mapping(mapping) => Some(mapping),
                    _ => None,
                });
                for (key, entry) in mappings.flatten() {
                    all.insert(key, entry.key, entry.value);
                }
                all
            }
            kind => {
                diagnostics.push(
                    Diagnostic::warning(
                        "merge-without-mapping",
                        "`<<` is given something that is not a mapping, so nothing is merged",
                        place,
                    )
                    .help("give it an alias of a mapping, or a list of such aliases: `<<: [*a, *b]`"),
                );
                self.mapping.insert("<<", place, Node { kind, span: value.span });
                return;
            }
        };
        for (key, entry) in merged {
            if let Some(above) = self.mapping.entry(&key)
                && !self.merged.contains(&key)
                && above.value != entry.value
            {
                diagnostics.push(
                    Diagnostic::warning(
                        "merge-overrides-key",
                        format!("`<<` brings a `{key}` that replaces the one written above it"),
                        place,
                    )
                    .related(above.key, "this one is replaced")
                    .help("move `<<` to the top of its mapping"),
                );
            }
            self.merged.insert(key.clone());
            self.mapping.insert(key, entry.key, entry.value);
        }
    }

    /// The mapping.
    pub(super) fn finish(self) -> Mapping {
        self.mapping
    }
}
