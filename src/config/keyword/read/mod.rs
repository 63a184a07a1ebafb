//! From the effective tree to the types, one file per keyword or family of them.
//!
//! GitLab's `lib/gitlab/ci/config/entry/` is what each file follows; its classes are named there.
//! All mistakes are collected; a keyword with a mistake counts as not written.

mod accepted;
mod artifacts;
mod cache;
mod context;
mod default;
mod duration;
mod environment;
mod expression;
mod fields;
mod global;
mod image;
mod job;
mod needs;
mod parallel;
mod policy;
mod relations;
mod release;
mod retry;
mod rules;
mod run;
mod script;
mod secrets;
mod trigger;
mod value;
mod variables;

#[cfg(test)]
mod tests;
