//! What this machine can run, and what is missing.
//!
//! ```text
//! probe ─► facts ─► findings, the choice of `auto`
//! ```

mod facts;
mod findings;
mod probe;

pub use facts::Facts;
pub use findings::{Examination, Finding, State, examine};
pub use probe::probe;
