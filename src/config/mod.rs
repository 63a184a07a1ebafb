//! What `.gitlab-ci.yml` says: text in, the effective configuration out.
//!
//! ```text
//! text ─ yaml ─► Node ─ include ─► one tree ─ extends ─ reference ─► effective tree ─ keyword ─► Config
//! ```
//!
//! That is GitLab's own order of work (`lib/gitlab/ci/config.rb`), so a difference can be found by
//! comparing step with step. Every value keeps the span of the text it came from, and every
//! mistake is a [`Diagnostic`]: all of them are collected, none stops the reading.

pub mod diagnostic;
mod effective;
pub mod emit;
pub mod expand;
pub mod expression;
mod extends;
mod gap;
pub mod glob;
mod include;
mod inputs;
pub mod keyword;
pub mod loader;
mod merge;
pub mod node;
mod reference;
pub mod regexp;
pub mod source;
pub mod surroundings;
pub mod tree;
pub mod yaml;

#[cfg(test)]
mod fixture;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use effective::effective;
pub use emit::{emit, emit_with_places};
pub use keyword::Config;
pub use loader::Loader;
pub use node::Node;
pub use source::{SourceId, Sources, Span, Spanned};
pub use surroundings::Surroundings;
pub use tree::{Tree, tree};

/// Reads a file and all it includes into the effective configuration. `None` if the file itself cannot be
/// read; what is wrong is in the diagnostics.
pub fn read(
    name: &str,
    surroundings: &Surroundings<'_>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Option<Config> {
    Some(Config::read(tree(name, surroundings, sources, diagnostics)?, diagnostics))
}

/// Reads what `trigger:include` names into the effective configuration of a child pipeline. The sources are
/// those of the parent, in which `include` was written, and more.
pub fn read_child(
    include: &Node,
    surroundings: &Surroundings<'_>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Config {
    Config::read(tree::child_tree(include, surroundings, sources, diagnostics), diagnostics)
}
