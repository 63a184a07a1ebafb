//! `podline graph`: stages and needs as a picture.

use std::path::Path;

use crate::{
    cli::{
        ExitCode, Failed,
        args::{GraphArguments, GraphFormat, SourceKind},
        child::Child,
        planned::Planned,
        project::Project,
        view,
    },
    config::keyword::{job::AllowFailure, rules::When},
    pipeline::{Job, Pipeline},
    report::{
        Printer, Problem,
        graph::{self, Graph, Node, Start},
    },
};

pub(super) fn graph(
    folder: &Path,
    arguments: &GraphArguments,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    let project = Project::open(folder)?;
    let planned = Planned::new(&project, &arguments.pipeline, SourceKind::Worktree, 1, printer)?;
    if planned.diagnostics.has_errors() {
        planned.show(printer);
    }
    let pipeline = planned.pipeline()?;
    if let Some(reason) = &pipeline.filtered {
        let problem = Problem::new(format!("there is no pipeline to draw: {reason}"));
        return Err(Failed::usage(
            problem.help("choose another event with `--event`, `--branch` or `--tag`"),
        ));
    }
    let graph = drawn(&project, &planned, pipeline, view::title(&planned.context), 0);
    printer.data(&match arguments.format {
        GraphFormat::Mermaid => graph::mermaid(&graph),
        GraphFormat::Dot => graph::dot(&graph),
        GraphFormat::Svg => graph::svg(&graph),
    })?;
    Ok(ExitCode::Success)
}

/// The graph of a pipeline and of its child pipelines. `depth` says how many trigger jobs lead to it.
fn drawn(project: &Project, planned: &Planned, pipeline: &Pipeline, title: String, depth: usize) -> Graph {
    let node = |job: &Job| Node {
        name: job.name.clone(),
        stage: pipeline.stages.iter().position(|stage| *stage == job.stage).unwrap_or(0),
        needs: job.needs.as_ref().map(|needs| needs.iter().map(|need| need.job.0).collect()),
        start: match (&job.held, job.when) {
            (Some(_), _) => Start::Held,
            (None, When::Manual) => Start::Manual,
            (None, _) => Start::Automatic,
        },
        // A manual job that may fail is an optional one, which being manual says.
        child: Child::of(project, planned, job, depth).map(|child| match child {
            Child::Unknown(why) => graph::Child::Unknown(why),
            Child::Known(child) => graph::Child::Known(match &child.pipeline {
                Some(pipeline) => {
                    let title = format!("child pipeline of {}", job.name);
                    drawn(project, &child, pipeline, title, depth + 1)
                }
                None => Graph::default(),
            }),
        }),
        may_fail: job.allow_failure != AllowFailure::Always(false) && job.when != When::Manual,
    };
    Graph { title, stages: pipeline.stages.clone(), jobs: pipeline.jobs.iter().map(node).collect() }
}
