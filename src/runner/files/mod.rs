//! What goes into a job and what comes out of it: sources, scripts, artifacts, caches.

pub mod archive;
pub mod artifacts;
pub mod cache;
pub mod dotenv;
pub mod incoming;
pub mod junit;
pub mod selection;
pub mod sources;
mod tarball;
pub mod unpack;
