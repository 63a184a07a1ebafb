//! podline runs a GitLab pipeline on this machine as GitLab Runner's Kubernetes executor would run it.
//!
//! ```text
//! .gitlab-ci.yml ─ config ─► pipeline ─► scheduler ─► runner ─► engine
//!                    │           │           │           │
//!                    └─ diagnostics          └── events ─┴─► report
//! ```
//!
//! Data flows one way, from the text of the file to the pods and from what happens there to the eye.
//! `docs/architecture.md` says what each room takes, gives and may know.

pub mod cli;
pub mod config;
pub mod engine;
pub mod event;
pub mod fetch;
pub mod git;
pub mod mask;
pub mod pipeline;
pub mod report;
pub mod runner;
pub mod scheduler;
