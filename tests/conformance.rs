//! GitLab's own test data and real files, read in place from the folders that `PODLINE_CONFORMANCE` and
//! `PODLINE_CORPUS` name, and configurations that are made to break a reader.
//!
//! No test knows a single case: what is known to differ is in one list, with the reason.

#[path = "conformance/corpus.rs"]
mod corpus;
#[path = "conformance/deviations.rs"]
mod deviations;
#[path = "conformance/hostile.rs"]
mod hostile;
#[path = "conformance/keywords.rs"]
mod keywords;
#[path = "conformance/project.rs"]
mod project;
#[path = "conformance/scheduler.rs"]
mod scheduler;
#[path = "conformance/schema.rs"]
mod schema;
#[path = "conformance/tables.rs"]
mod tables;
#[path = "conformance/tally.rs"]
mod tally;
