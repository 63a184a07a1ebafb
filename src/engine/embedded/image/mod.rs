//! Images: unpacked once into folders of layers, found again by their names.
//!
//! ```text
//! archive or OCI layout ─► blobs ─┐
//! registry ───────────────────────┴─► unpack ─► store (layers, configurations, names)
//! ```

mod archive;
mod blobs;
mod local;
mod name;
mod registry;
mod store;
mod supply;
mod unpack;

pub use archive::import;
pub use local::from_docker;
pub use name::full_name;
pub use registry::Logins;
pub use store::{Image, Store};
pub use supply::{Fallback, HostView, Options};
pub(super) use supply::{Missing, Supply};
