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
pub mod emit;
pub mod expand;
pub mod expression;
pub mod glob;
pub mod keyword;
mod merge;
pub mod node;
pub mod source;
pub mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use emit::emit;
pub use keyword::Config;
pub use node::Node;
pub use source::{Loader, SourceId, Sources, Span, Spanned};
