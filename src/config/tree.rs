//! From the main file to the effective tree.

use super::{
    Diagnostic, Diagnostics, Sources, Spanned, extends, gap::Gaps, include, keyword::Unresolved,
    node::Mapping, reference, source::LoadError, surroundings::Surroundings, yaml::Budget,
};

/// Most that `extends` and `!reference` may copy, in the bytes of [`Budget`]. GitLab shares what it
/// copies and has no such limit; a large project of 4000 jobs needs a third of it.
const MAX_COPIED_BYTES: usize = 64 << 20;

/// A configuration after includes, `extends` and `!reference`, before its keywords are read.
#[derive(Debug)]
pub struct Tree {
    /// Top-level keys and jobs.
    pub root: Mapping,
    /// Includes that could not be had, where they are named.
    pub unavailable: Vec<Spanned<String>>,
    /// Jobs that are not in the tree, as something they need cannot be found.
    pub unresolved: Vec<Unresolved>,
}

/// Reads a file and all it includes into the effective tree. `None` if the file itself cannot be
/// read; what is wrong is in the diagnostics.
pub fn tree(
    name: &str,
    surroundings: &Surroundings<'_>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Option<Tree> {
    let text = match surroundings.loader.local(name) {
        Ok(text) => text,
        Err(error) => {
            diagnostics.push(unreadable(name, &error));
            return None;
        }
    };
    let included = include::read(name, &text, surroundings, sources, diagnostics)?;
    let mut root = included.root;
    let mut gaps = Gaps::new(!included.is_complete);
    let mut budget = Budget::new(MAX_COPIED_BYTES);
    extends::resolve(&mut root, &mut gaps, &mut budget, diagnostics);
    reference::resolve(&mut root, &mut gaps, &mut budget, diagnostics);
    Some(Tree { root, unavailable: included.unavailable, unresolved: gaps.finish() })
}

fn unreadable(name: &str, error: &LoadError) -> Diagnostic {
    match error {
        LoadError::NotFound => Diagnostic::error("missing-file", format!("there is no file `{name}`"), None)
            .help("go to the root of a project, or name its file with `--file`"),
        error => {
            Diagnostic::error("unreadable-file", format!("the file `{name}` cannot be read: {error}"), None)
        }
    }
}
