//! `podline pod`: the manifest of a job's pod.

use std::path::Path;

use crate::{
    cli::{
        ExitCode, Failed,
        args::{PodArguments, SourceKind},
        builds::Builds,
        planned::{Planned, Runner},
        project::Project,
        runs::Run,
    },
    event::Failure,
    report::{Printer, Problem},
    runner::{attempt::FailedPulls, build::image},
};

pub(super) fn pod(folder: &Path, arguments: &PodArguments, printer: &Printer) -> Result<ExitCode, Failed> {
    let project = Project::open(folder)?;
    let number = Run::next_number(&project.own_folder());
    let mut planned = Planned::new(&project, &arguments.pipeline, SourceKind::Worktree, number, printer)?;
    let runner = Runner::read(&project, &arguments.runner, &mut planned)?;
    if let Some(pipeline) = &planned.pipeline {
        let mut alone = pipeline.clone();
        alone.jobs.retain(|job| job.name == arguments.job);
        planned.diagnostics.append(image::without_image(&alone, &runner.settings));
    }
    planned.show(printer);
    let pipeline = planned.pipeline()?;
    let Some(job) = pipeline.find(&arguments.job) else {
        return Err(no_such_job(&arguments.job, pipeline.jobs.iter().map(|job| job.name.as_str())));
    };
    let builds = Builds::preview(&project, &planned, pipeline, &runner.settings);
    let slot = builds.first_slot();
    let build = builds.build(job, 1, &slot, Vec::new()).map_err(refused)?;
    let overwrites = builds.overwrites(&build).map_err(refused)?;
    let pod = builds.pod(&build, &overwrites, 1, &slot, &FailedPulls::new()).map_err(refused)?;
    let text = serde_yaml::to_string(&pod).expect("a pod is YAML");
    printer.data(&text)?;
    Ok(ExitCode::Success)
}

fn refused(failure: Failure) -> Failed {
    let problem = Problem::new(failure.message);
    Failed::usage(match failure.help {
        Some(help) => problem.help(help),
        None => problem,
    })
}

/// A job that the pipeline has not, with the one that was likely meant.
pub(in crate::cli) fn no_such_job<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Failed {
    let problem = Problem::new(format!("the pipeline has no job `{name}`"));
    Failed::usage(match crate::config::diagnostic::nearest(name, names) {
        Some(nearest) => problem.help(format!("did you mean `{nearest}`?")),
        None => problem.help("`podline plan` lists the jobs, and those that are left out with the reason"),
    })
}
