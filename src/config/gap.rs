//! What a tree lacks: jobs that cannot be built, and what depends on them.

use std::collections::HashMap;

use super::{
    Diagnostic, Diagnostics, Span, Spanned,
    keyword::Unresolved,
    node::{Kind, Mapping},
};

/// Top-level keys that are not jobs.
pub(super) const GLOBAL_KEYWORDS: [&str; 11] = [
    "default",
    "include",
    "stages",
    "variables",
    "workflow",
    "image",
    "services",
    "cache",
    "before_script",
    "after_script",
    "spec",
];

/// Collects what is missing from a tree while it is resolved.
#[derive(Debug)]
pub(super) struct Gaps {
    /// Whether an include is not in the tree, so that a missing name may be defined in it.
    pub(super) is_incomplete: bool,
    /// Keys that were taken out of the tree, with the reason.
    removed: HashMap<String, String>,
    /// The jobs among them, in the order of the tree.
    unresolved: Vec<Unresolved>,
}

impl Gaps {
    /// Nothing is missing yet.
    pub(super) fn new(is_incomplete: bool) -> Self {
        Self { is_incomplete, removed: HashMap::new(), unresolved: Vec::new() }
    }

    /// Whether a top-level key was taken out of the tree.
    pub(super) fn is_removed(&self, name: &str) -> bool {
        self.removed.contains_key(name)
    }

    /// Takes keys out of a tree, each with the reason. Jobs become unresolved; hidden ones are only
    /// remembered; for a global keyword there is a warning, as the rest goes on without it.
    pub(super) fn remove(
        &mut self,
        root: &mut Mapping,
        reasons: HashMap<String, String>,
        diagnostics: &mut Diagnostics,
    ) {
        for (name, entry) in root.iter() {
            let Some(reason) = reasons.get(name) else { continue };
            if GLOBAL_KEYWORDS.contains(&name) {
                diagnostics.push(unresolved_keyword(name, reason, entry.key));
            } else if !name.starts_with('.') {
                let name = Spanned::new(name.to_owned(), entry.key);
                self.unresolved.push(Unresolved { name, reason: reason.clone() });
            }
        }
        root.retain(|name| !reasons.contains_key(name));
        self.removed.extend(reasons);
    }

    /// Takes one key out of a global keyword such as `default`, with a warning.
    pub(super) fn remove_part(
        root: &mut Mapping,
        (keyword, part): (&str, &str),
        reason: &str,
        diagnostics: &mut Diagnostics,
    ) {
        if let Some(Kind::Mapping(mapping)) = root.get_mut(keyword).map(|node| &mut node.kind)
            && let Some(entry) = mapping.remove(part)
        {
            diagnostics.push(unresolved_keyword(&format!("{keyword}:{part}"), reason, entry.key));
        }
    }

    /// The jobs that cannot be built.
    pub(super) fn finish(self) -> Vec<Unresolved> {
        self.unresolved
    }
}

fn unresolved_keyword(name: &str, reason: &str, span: Span) -> Diagnostic {
    Diagnostic::warning("unresolved-keyword", format!("`{name}` is left out, as it {reason}"), span)
        .help("jobs may differ from those on GitLab")
}
