//! What is said after a run.

use crate::{
    cli::{runs::Run, view},
    pipeline::Pipeline,
    report::{
        Model, Printer,
        summary::{self, Closing, NextCommand},
    },
    runner::Summary,
    scheduler::Status,
};

/// Prints the closing table, what it came to and what to do next.
pub(super) fn show(
    printer: &Printer,
    model: &Model,
    summary: &Summary,
    pipeline: &Pipeline,
    run: &Run,
    cluster: Option<&str>,
) {
    let path = &summary.critical_path;
    let took = |name: &String| summary.jobs.get(name).and_then(|job| job.took).unwrap_or_default();
    let traces = std::env::current_dir()
        .ok()
        .and_then(|here| run.folder.strip_prefix(here).ok().map(ToOwned::to_owned));
    let closing = Closing {
        critical_path: if pipeline.jobs.len() > 1 {
            path.jobs.iter().map(|name| (name.clone(), took(name))).collect()
        } else {
            Vec::new()
        },
        traces: Some(traces.unwrap_or_else(|| run.folder.clone()).join("jobs")),
        not_simulated: view::not_simulated(pipeline),
        dummies: view::dummies(pipeline),
        next: next(summary, pipeline, cluster),
    };
    let lines = summary::lines(model, &closing, &printer.theme(), printer.columns());
    printer.say(&format!("\n{}\n", lines.join("\n")));
}

fn next(summary: &Summary, pipeline: &Pipeline, cluster: Option<&str>) -> Vec<NextCommand> {
    let command = |command: String, what: &str| NextCommand { command, what: what.to_owned() };
    let mut next = Vec::new();
    let failed = summary.jobs.iter().find(|(_, job)| job.status == Status::Failed && !job.allowed);
    if let Some((name, _)) = failed {
        next.push(command(format!("podline log {}", quoted(name)), "its whole trace"));
        next.push(command(format!("podline run {}", quoted(name)), "only this job and what it needs"));
    }
    let waits = |name: &String| summary.jobs.get(name).is_some_and(|job| job.status == Status::Manual);
    if let Some(job) = pipeline.jobs.iter().find(|job| waits(&job.name)) {
        let flag = if job.held.is_some() { "--deploy=" } else { "--manual " };
        next.push(command(format!("podline run {flag}{}", quoted(&job.name)), "start it too"));
    }
    if let Some(cluster) = cluster {
        next.push(command(format!("podline run --cluster {cluster}"), "again, in the cluster that is up"));
        next.push(command(format!("podline cluster down {cluster}"), "remove it"));
    }
    next
}

/// A name as a shell takes it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=".contains(c);
    if name.chars().all(plain) { name.to_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
}
