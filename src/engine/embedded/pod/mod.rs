//! One pod, as podline has it: its plan, its process, its status, its logs and the files in its volumes.

pub(super) mod capabilities;
pub(super) mod files;
pub(super) mod log;
pub(super) mod plan;
pub(super) mod process;
pub(super) mod status;
