//! Text into [`Node`](super::Node)s, as Ruby's Psych reads it for GitLab.
//!
//! libyaml's events (Psych wraps the same parser) become nodes with places: scalars get Psych's
//! YAML 1.1 types, `<<` merges when it is met, the last of repeated keys wins.

mod block;
mod document;
mod given;
mod limits;
mod parser;
mod scalar;
mod syntax;
mod tag;
#[cfg(test)]
mod tests;

pub use document::{Documents, parse};
pub use limits::{Budget, MAX_BYTES, MAX_DEPTH, MAX_EXPANDED_BYTES};
pub use scalar::scan;
