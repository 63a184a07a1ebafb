//! What people and programs see of a run: diagnostics and events in, text out.

pub mod diagnostics;
pub mod error;
pub mod table;
pub mod text;
pub mod theme;

pub use error::Problem;
pub use theme::Theme;
