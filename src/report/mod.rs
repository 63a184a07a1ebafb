//! What people and programs see of a run: diagnostics and events in, text out.
//!
//! ```text
//! Event ─► Model ─┬─ frame ─► live      a terminal that moves
//!    │            └─ summary            the table at the end
//!    ├─► plain                          one line per event
//!    ├─► json                           one object per line
//!    ├─► github                         a group per job, for GitHub Actions
//!    └─► record ─► history ─┬─ html     what a run keeps, and the page of it
//!                           └─ junit_xml  the same for other programs
//! ```
//!
//! Everything that makes text is a pure function of plain values, a [`Theme`] and a width. Only
//! [`Printer`] writes, and only [`follow`] waits.

pub mod annotations;
pub mod curtain;
mod demo;
pub mod diagnostics;
pub mod error;
pub mod explain;
pub mod expression;
mod failure;
pub mod follow;
pub mod frame;
mod github;
pub mod graph;
pub mod history;
pub mod html;
pub mod json;
mod junit;
pub mod junit_xml;
mod keys;
mod live;
pub mod model;
mod pager;
pub mod plain;
pub mod plan;
pub mod printer;
pub mod record;
pub mod sarif;
mod screen;
pub mod spinner;
pub mod summary;
pub mod table;
pub mod text;
pub mod theme;
pub mod tty;

#[cfg(test)]
mod script;

pub use error::Problem;
pub use follow::{Hands, follow};
pub use model::Model;
pub use plan::Plan;
pub use printer::{Printer, Surroundings};
pub use summary::Closing;
pub use theme::Theme;
