//! From a job of the pipeline to a build.

use std::time::Duration;

use indexmap::IndexMap;

use super::{Build, BuildService, Look, expanded, image, image::Images, variables::Variables};
use crate::{
    config::keyword::job::Service,
    event::{Failure, FailureReason},
    pipeline::{
        JobId, Pipeline,
        job::{PipelineNeed, Variable},
    },
    runner::{
        Settings, Slot,
        pod::{services::image_aliases, volumes::BUILDS},
    },
};

/// GitLab's time limit of a job that has none: that of the project.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// Who an attempt of a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Id of the run.
    pub run: String,
    /// `CI_PIPELINE_ID`.
    pub pipeline_id: u64,
    /// `CI_JOB_ID`: unique in the run and among attempts.
    pub job_id: u64,
    /// The slot that took it.
    pub slot: Slot,
    /// `CI_JOB_STARTED_AT`, RFC 3339.
    pub started_at: String,
}

/// The hash behind `cache:key:files`, of the paths' content or (`true`) of the last commit that changed them;
/// `None` where there is no such file.
pub type KeyOfFiles<'a> = &'a dyn Fn(&[String], bool) -> Option<String>;

/// What a build is made from.
#[derive(Clone)]
pub struct Inputs<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// The runner's settings.
    pub settings: &'a Settings,
    /// Who this attempt is.
    pub identity: Identity,
    /// `[images]` of `podline.toml`: name or glob, and the image used instead.
    pub images: &'a IndexMap<String, String>,
    /// Variables from the dotenv reports of the jobs whose artifacts it takes.
    pub dotenv: &'a [Variable],
    /// Computes `cache:key:files`.
    pub key_of_files: KeyOfFiles<'a>,
    /// When somebody looks into its pod.
    pub look: Look,
}

impl Identity {
    /// `CI_RUNNER_ID`: the runners are numbered from 1.
    pub(super) fn runner_id(&self, settings: &Settings) -> usize {
        settings.runners.iter().position(|runner| *runner == self.slot.runner).map_or(1, |at| at + 1)
    }
}

impl Build {
    /// The build of an attempt of a job.
    ///
    /// # Errors
    /// When there is no image, or the job asks for what the runner does not allow.
    pub fn new(id: JobId, inputs: &Inputs<'_>) -> Result<Self, Failure> {
        let job = inputs.pipeline.job(id);
        let timeout = job.timeout.unwrap_or(TIMEOUT);
        let requested = image::requested(job.image.as_ref(), inputs.settings).unwrap_or_default();
        let variables = Variables::of(job, inputs, requested, timeout.as_secs());
        within_builds(&variables.project_dir)?;
        let images = Images { variables: &variables, settings: inputs.settings, mapping: inputs.images };
        let texts =
            |list: &[crate::config::Spanned<String>]| list.iter().map(|text| text.value.clone()).collect();
        let scripts = &inputs.settings.scripts;
        let service = |service| service_of(service, &images, &variables);
        Ok(Self {
            job: id,
            id: inputs.identity.job_id,
            project_id: variables.project_id,
            name: job.name.clone(),
            stage: job.stage.clone(),
            image: images.of_build(job.image.as_ref())?,
            services: job.services.iter().map(service).collect::<Result<_, _>>()?,
            variables: variables.for_job(),
            script: within(&scripts.pre_build, texts(&job.script), &scripts.post_build),
            after_script: texts(&job.after_script),
            pre_get_sources_script: within(
                &scripts.pre_get_sources,
                texts(&job.pre_get_sources_script),
                &None,
            ),
            project_dir: variables.project_dir.clone(),
            artifacts: job.artifacts.as_ref().map(|artifacts| expanded::artifacts(artifacts, &variables)),
            caches: job
                .cache
                .iter()
                .enumerate()
                .map(|cache| expanded::cache(cache, &variables, inputs.key_of_files))
                .collect(),
            artifacts_from: job.artifacts_from.to_vec(),
            artifacts_from_pipelines: job
                .artifacts_from_pipelines
                .iter()
                .map(|need| PipelineNeed {
                    pipeline: variables.expand(&need.pipeline),
                    job: variables.expand(&need.job),
                })
                .collect(),
            timeout,
            coverage: job.coverage.clone(),
            output_limit: inputs.settings.output_limit.saturating_mul(1024),
            look: inputs.look,
        })
    }
}

/// A script with what the runner puts before and after it.
fn within(before: &Option<String>, script: Vec<String>, after: &Option<String>) -> Vec<String> {
    before.iter().cloned().chain(script).chain(after.iter().cloned()).collect()
}

/// `GIT_CLONE_PATH` may lead anywhere below the runner's folder of builds.
fn within_builds(project_dir: &str) -> Result<(), Failure> {
    let inside = project_dir.strip_prefix(BUILDS).and_then(|rest| rest.strip_prefix('/'));
    if inside
        .is_some_and(|path| !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | "..")))
    {
        return Ok(());
    }
    Err(Failure {
        reason: FailureReason::RunnerConfigurationError,
        message: format!("`GIT_CLONE_PATH` is `{project_dir}`, which is not within `{BUILDS}`"),
        help: Some("begin it with `$CI_BUILDS_DIR/`".to_owned()),
    })
}

fn service_of(
    service: &Service,
    images: &Images<'_>,
    variables: &Variables<'_>,
) -> Result<BuildService, Failure> {
    let image = images.of_service(&service.image)?;
    let mut aliases = image_aliases(&image.requested);
    aliases.extend(service.aliases.iter().cloned());
    Ok(BuildService {
        image,
        aliases,
        entrypoint: service.image.entrypoint.clone(),
        command: service.command.clone(),
        variables: variables.for_service(&service.variables),
    })
}
