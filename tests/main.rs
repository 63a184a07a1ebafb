//! All tests that see podline from outside, in one binary.

mod again;
mod architecture;
mod book;
mod child_pipelines;
mod compatibility;
mod demo;
mod embedded;
mod explain;
mod hook;
mod includes;
mod init;
mod interrupts;
mod json;
mod kind;
mod kube;
mod lint;
mod plan;
mod real_projects;
mod report;
mod runner_config;
mod shell;
mod suite;
mod support;
mod terminal;
mod tour;
mod variables;
