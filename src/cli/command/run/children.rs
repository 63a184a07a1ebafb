//! Creates the child pipelines of a run when their trigger jobs start.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;

use super::{outline::outline, record, site::Level};
use crate::{
    cli::{builds::Builds, planned::Planned},
    config::{Diagnostic, Severity},
    event::{Failure, FailureReason},
    pipeline::{
        Event, JobId, LeftOut,
        child::{MAX_DEPTH, Start},
    },
    report::{self, diagnostics, theme::Theme},
    runner::{AttemptResult, Child, Outcome, Trigger, build::image, run_folder},
};

/// Columns of what a trace quotes of a file.
const WIDTH: usize = 120;

#[async_trait]
impl Trigger for Level {
    async fn create(&self, job: JobId, number: u32) -> Result<Child, Box<Outcome>> {
        let attempt = Bridge { level: self, job, number };
        if self.depth >= MAX_DEPTH {
            return Err(attempt.too_deep());
        }
        let id = self.site.next_number();
        let planned = attempt.plan(id).await?;
        let level = attempt.level(planned, id)?;
        level.explain().await;
        self.site.provide(level.builds.job_images()).await;
        let pipeline = &level.builds.pipeline;
        let outline = outline(pipeline, format!("child pipeline {id}"), self.site.engine, self.site.slots);
        let mut notices = warnings(&level.planned);
        let fewer = self.site.fewer(&level.builds.all_pods());
        notices.extend(fewer.as_ref().map(|fits| {
            format!(
                "pods of this pipeline ask for more: {} at once from here on, what fits {}",
                fits.pods, fits.place
            )
        }));
        let fits = fewer.map(|fits| usize::try_from(fits.pods).unwrap_or(usize::MAX));
        Ok(Child { outline, notices, fits, member: level.member() })
    }
}

impl Level {
    /// Records why each job is in the child pipeline or not. A full disk ends no run.
    async fn explain(&self) {
        let (site, planned) = (Arc::clone(&self.site), Arc::clone(&self.planned));
        let (builds, folder) = (self.builds.clone(), self.folder.clone());
        let write = move || {
            let explanations = record::of_child(&site.project, site.source, &planned, &builds);
            report::record::write_explanations(&folder, &explanations, &planned.mask)
        };
        drop(tokio::task::spawn_blocking(write).await);
    }
}

/// An attempt of a trigger job.
struct Bridge<'b> {
    level: &'b Level,
    job: JobId,
    number: u32,
}

impl Bridge<'_> {
    fn id(&self) -> u64 {
        self.level.builds.job_id(self.job, self.number)
    }

    /// Reads the configuration of the child pipeline, which asks git and the disk.
    async fn plan(&self, id: u64) -> Result<Planned, Box<Outcome>> {
        let level = self.level;
        let job = level.builds.pipeline.job(self.job).clone();
        let start = Start {
            dotenv: level.artifacts.dotenv(&job.artifacts_from),
            pipeline_id: id,
            created_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        };
        let (site, parent) = (Arc::clone(&level.site), Arc::clone(&level.planned));
        let artifacts = level.artifacts.clone();
        let plan = move || {
            let mut planned = parent.child(&site.project, site.source, &job, start, Some(artifacts))?;
            if let Some(pipeline) = &planned.pipeline {
                planned.diagnostics.append(image::without_image(pipeline, &site.settings));
            }
            Some(planned)
        };
        let planned = tokio::task::spawn_blocking(plan).await.ok().flatten();
        planned.ok_or_else(|| self.refused("its configuration could not be read", None, Vec::new()))
    }

    /// The child pipeline, if GitLab would create it.
    fn level(&self, planned: Planned, id: u64) -> Result<Level, Box<Outcome>> {
        let Some(pipeline) = planned.pipeline.as_ref().filter(|_| !planned.diagnostics.has_errors()) else {
            return Err(self.mistaken(&planned));
        };
        if let Some(reason) = &pipeline.filtered {
            return Err(self.empty(&planned, reason, &pipeline.left_out));
        }
        let parent = self.level;
        let (site, pipeline) = (&parent.site, Arc::new(pipeline.clone()));
        let settings = site.settings.clone();
        let builds = Builds::new(&site.project, &planned, pipeline, settings, &site.run.id, id);
        let name = &parent.builds.pipeline.job(self.job).name;
        let folder = run_folder::child(&parent.folder, name, id);
        Ok(Level {
            site: Arc::clone(site),
            planned: Arc::new(planned),
            builds,
            artifacts: parent.artifacts.child(&folder, id),
            folder,
            depth: parent.depth + 1,
        })
    }

    /// `reached_max_descendant_pipelines_depth`.
    fn too_deep(&self) -> Box<Outcome> {
        let failure = Failure {
            reason: FailureReason::ReachedMaxDescendantPipelinesDepth,
            message: "you reached the maximum depth of child pipelines".to_owned(),
            help: Some(format!(
                "GitLab lets child pipelines start child pipelines {MAX_DEPTH} deep, no further"
            )),
        };
        self.failed(failure, Vec::new())
    }

    fn mistaken(&self, planned: &Planned) -> Box<Outcome> {
        let errors: Vec<&Diagnostic> =
            planned.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
        let first =
            errors.first().map_or("its configuration is wrong".to_owned(), |error| said(error, planned));
        let message = match errors.len() {
            0 | 1 => first,
            count => format!("{first}, and {} more", count - 1),
        };
        let text = diagnostics::render(&planned.diagnostics, &planned.sources, &Theme::PLAIN, WIDTH);
        self.refused(&message, None, text.lines().map(str::to_owned).collect())
    }

    /// Nothing of the child pipeline is there for the event.
    fn empty(&self, planned: &Planned, reason: &str, left_out: &[LeftOut]) -> Box<Outcome> {
        let message = format!("the resulting pipeline would have been empty: {reason}");
        let jobs = left_out.iter().map(|job| format!("{}: {}", job.name, job.reason)).collect();
        let help = match planned.context.event {
            Event::MergeRequest(_) => {
                "in a child pipeline of a merge request, jobs without `rules` are left out: add `rules` or \
                 `workflow:rules` with `if: $CI_PIPELINE_SOURCE == \"parent_pipeline\"`"
            }
            _ => "review the `rules` of the child pipeline: its `$CI_PIPELINE_SOURCE` is `parent_pipeline`",
        };
        self.refused(&message, Some(help.to_owned()), jobs)
    }

    /// `downstream_pipeline_creation_failed`.
    fn refused(&self, message: &str, help: Option<String>, lines: Vec<String>) -> Box<Outcome> {
        let failure = Failure {
            reason: FailureReason::DownstreamPipelineCreationFailed,
            message: format!("downstream pipeline can not be created, {message}"),
            help,
        };
        self.failed(failure, lines)
    }

    /// The end of the attempt, with the lines in its trace.
    fn failed(&self, failure: Failure, tail: Vec<String>) -> Box<Outcome> {
        let name = &self.level.builds.pipeline.job(self.job).name;
        let trace = run_folder::trace(&self.level.folder, name, self.id());
        let mut text: String = tail.iter().map(|line| format!("{line}\n")).collect();
        text.push_str(&format!("Job failed: {}\n", failure.message));
        let folder = trace.parent().map(std::fs::create_dir_all);
        let is_written = folder.is_some_and(|made| made.is_ok()) && std::fs::write(&trace, text).is_ok();
        let trace = if is_written { trace } else { PathBuf::new() };
        let result = AttemptResult::Failed { failure, exit_code: None };
        Box::new(Outcome { tail, trace, ..Outcome::bare(result) })
    }
}

/// What is wrong and where, in a line: ``generate:child.yml:3:5: `unit` has no `script` ``.
fn said(diagnostic: &Diagnostic, planned: &Planned) -> String {
    match diagnostic.span {
        Some(span) => format!("{}: {}", planned.sources.locate(span), diagnostic.message),
        None => diagnostic.message.clone(),
    }
}

/// What the user should know of a child pipeline that can be created.
fn warnings(planned: &Planned) -> Vec<String> {
    let warnings = planned.diagnostics.iter().filter(|found| found.severity == Severity::Warning);
    let mut notices: Vec<String> = warnings.map(|warning| said(warning, planned)).collect();
    let not_simulated = planned.pipeline.as_ref().map(crate::cli::view::not_simulated).unwrap_or_default();
    if !not_simulated.is_empty() {
        notices.push(format!("not simulated: {}", not_simulated.join(", ")));
    }
    notices
}
