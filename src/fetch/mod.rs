//! What a configuration includes from elsewhere: mapped checkouts, git servers, HTTPS, and what was fetched
//! before.
//!
//! ```text
//! External ─ loader ─┬─ project ─┬─ map ──► checkout ─┬─► snapshot ─► text
//!                    │           └─ address ► mirror ──┘
//!                    └─ remote
//! ```

mod address;
mod checkout;
mod component;
mod loader;
mod map;
mod memo;
mod mirror;
mod project;
mod remote;
mod snapshot;
mod store;

use std::time::Duration;

use sha2::{Digest, Sha256};

pub use address::Server;
pub use loader::{Files, ProjectLoader};
pub use map::{IncludeMap, MapError};
pub use project::{Elsewhere, ReadArtifact};

/// How far podline goes to get an include.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long one answer of a server may take.
    pub time: Duration,
    /// How big one pack of a repository may be, in bytes.
    pub pack: u64,
    /// How much is kept of what was fetched, in bytes.
    pub kept: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(60), pack: 512 << 20, kept: 1 << 30 }
    }
}

/// Most of one file, in bytes: more than GitLab reads of one, so that it is refused with a place.
const MAX_FILE: u64 = crate::config::yaml::MAX_BYTES as u64 + 1;

/// Some text as a name of a file or a ref: its SHA-256 in hexadecimal digits.
fn hex(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// How the user may get an include of a project all the same.
fn ways_out(project: &str) -> String {
    format!("map a checkout with `--include-map {project}=PATH`, or under `[includes]` in `podline.toml`")
}
