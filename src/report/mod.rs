//! What people and programs see of a run: diagnostics and events in, text out.
