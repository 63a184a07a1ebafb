//! Images from registries.
//!
//! ```text
//! name ─► credentials ─► client ─► manifest, configuration ─► layers (several at once) ─► store
//! ```

mod client;
mod credentials;
mod failure;
mod layer;
mod pull;
#[cfg(test)]
mod tests;

pub(super) use client::Registry;
pub use credentials::Logins;
pub(super) use failure::PullError;
