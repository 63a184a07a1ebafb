//! What is said after a run.

use super::again::{Again, quoted};
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
    again: &Again,
) {
    let path = &summary.critical_path;
    let took = |name: &String| summary.jobs.get(name).and_then(|job| job.took).unwrap_or_default();
    let closing = Closing {
        // one job is as long as itself
        critical_path: if path.jobs.len() > 1 {
            path.jobs.iter().map(|name| (name.clone(), took(name))).collect()
        } else {
            Vec::new()
        },
        traces: Some(printer.near(&run.folder.join("jobs"))),
        not_simulated: view::not_simulated(pipeline),
        dummies: view::dummies(pipeline),
        next: next(summary, again),
    };
    let lines = summary::lines(model, &closing, &printer.theme(), printer.columns());
    printer.say(&format!("\n{}\n", lines.join("\n")));
}

fn next(summary: &Summary, again: &Again) -> Vec<NextCommand> {
    let command = |command: String, what: &str| NextCommand { command, what: what.to_owned() };
    let mut next = Vec::new();
    // of a trigger job, its child pipeline's jobs say what is wrong
    let jobs = || summary.jobs.iter().filter(|(_, job)| !job.has_child);
    if let Some((name, job)) = jobs().find(|(_, job)| job.status == Status::Failed && !job.allowed) {
        next.push(command(again.log(name), "its whole trace"));
        next.push(command(again.run("--failed"), "what failed and what comes after it"));
        // a job of a child pipeline has no pod without that
        if *name == job.origin {
            next.push(command(again.shell(name), "a shell in a pod as it has it"));
        }
    }
    let manual = jobs().filter(|(_, job)| job.status == Status::Manual);
    // one that nothing goes on without is what most want to know
    if let Some((name, job)) = manual.min_by_key(|(_, job)| !job.blocks) {
        let flag = if job.would_deploy { "--deploy=" } else { "--manual " };
        let what = if job.blocks { "start it, and go on behind it" } else { "start it too" };
        next.push(command(again.run(&format!("{flag}{}", quoted(name))), what));
    }
    next.push(command(again.report(), "the run as a page for your browser"));
    if let Some(cluster) = &again.kept {
        next.push(command(again.run(""), "again, in the cluster that is up"));
        next.push(command(format!("podline cluster down {}", quoted(cluster)), "remove it"));
    }
    next
}
