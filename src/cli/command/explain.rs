//! `podline explain`: one job, where each value comes from, why it is in or not.

use std::path::Path;

use super::pod::no_such_job;
use crate::{
    cli::{
        ExitCode, Failed,
        args::{ExplainArguments, Format, SourceKind},
        builds::Builds,
        explained::explained,
        planned::{Planned, Runner},
        project::Project,
        view,
    },
    pipeline::JobId,
    report::{
        self, Printer,
        explain::{Explained, Fact},
    },
    runner::attempt::FailedPulls,
};

pub(super) fn explain(
    folder: &Path,
    arguments: &ExplainArguments,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    let project = Project::open(folder)?;
    let mut planned = Planned::new(&project, &arguments.pipeline, SourceKind::Worktree, 1, printer)?;
    let runner = Runner::read(&project, &arguments.runner, &mut planned)?;
    if planned.diagnostics.has_errors() {
        planned.show(printer);
    }
    let repository = project.repository(&planned.context.event, SourceKind::Worktree);
    let Some(mut explained) = explained(&planned, &repository, &arguments.job) else {
        return Err(unknown(&planned, &arguments.job));
    };
    explained.pipeline = view::title(&planned.context);
    if let Some(pipeline) = &planned.pipeline
        && let Some(id) = pipeline.find(&explained.name)
    {
        explained.facts = facts(&Builds::preview(&project, &planned, pipeline, &runner.settings), id);
    }
    explained.hide(&planned.mask);
    print(&explained, arguments.format, printer)?;
    Ok(if planned.diagnostics.has_errors() { ExitCode::Usage } else { ExitCode::Success })
}

fn print(explained: &Explained, format: Format, printer: &Printer) -> Result<(), Failed> {
    let text = match format {
        Format::Json => serde_json::to_string_pretty(explained).expect("texts and numbers are JSON"),
        Format::Text => {
            report::explain::lines(explained, &printer.data_theme(), printer.columns()).join("\n")
        }
    };
    Ok(printer.data(&format!("{text}\n"))?)
}

/// A name that nothing has, with the nearest one.
fn unknown(planned: &Planned, name: &str) -> Failed {
    let Some(config) = &planned.config else { return Failed::told(ExitCode::Usage) };
    let jobs = config.jobs.iter().map(|job| job.name.as_str());
    let instances = planned.pipeline.iter().flat_map(|pipeline| &pipeline.jobs).map(|job| job.name.as_str());
    let unresolved = config.unresolved.iter().map(|job| job.name.as_str());
    let hidden = config.tree.keys().filter(|key| key.starts_with('.'));
    no_such_job(name, jobs.chain(instances).chain(unresolved).chain(hidden))
}

/// What the runner makes of a job: image, limits.
pub(super) fn facts(builds: &Builds, id: JobId) -> Vec<Fact> {
    let job = builds.pipeline.job(id);
    let mut facts = vec![Fact { name: "stage", value: job.stage.clone() }];
    let mut say = |name, value: Option<String>| facts.extend(value.map(|value| Fact { name, value }));
    say("when", view::when(job));
    say("failure", view::allow_failure(job));
    let environment = job.environment.as_ref();
    say("environment", environment.map(|environment| environment.name.clone()));
    say("timeout", job.timeout.map(view::span));
    if job.trigger.is_some() {
        return facts;
    }
    let slot = builds.first_slot();
    let build = match builds.build(id, 1, &slot, Vec::new()) {
        Ok(build) => build,
        Err(failure) => {
            say("refused", Some(failure.message));
            return facts;
        }
    };
    let shown = |image: &crate::runner::build::BuildImage| match image.name == image.requested {
        true => image.name.clone(),
        false => format!("{} instead of {}, by `[images]` of podline.toml", image.name, image.requested),
    };
    say("image", Some(shown(&build.image)));
    let services: Vec<String> = build.services.iter().map(|service| shown(&service.image)).collect();
    say("services", (!services.is_empty()).then(|| services.join(", ")));
    let pod = builds
        .overwrites(&build)
        .and_then(|overwrites| builds.pod(&build, &overwrites, 1, &slot, &FailedPulls::new()));
    match pod {
        Ok(pod) => say("limits", Some(limits(&pod))),
        Err(failure) => say("refused", Some(failure.message)),
    }
    facts
}

/// The limits of each container: `build 1 CPU, 1Gi; helper 500m CPU, 100Mi`.
fn limits(pod: &k8s_openapi::api::core::v1::Pod) -> String {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let of = |container: &k8s_openapi::api::core::v1::Container| {
        let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
        let limit = |name: &str| limits.and_then(|limits| limits.get(name)).map(|limit| limit.0.clone());
        let parts = [limit("cpu").map(|cpu| format!("{cpu} CPU")), limit("memory")];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let parts = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
        format!("{} {parts}", container.name)
    };
    containers.map(of).collect::<Vec<_>>().join("; ")
}
