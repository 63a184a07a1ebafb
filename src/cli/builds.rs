//! From a job of the pipeline to its build and pod: what a run needs of every attempt.

use std::{collections::HashSet, sync::Arc};

use indexmap::IndexMap;

use super::{planned::Planned, project::Project};
use crate::{
    event::Failure,
    git::Git,
    pipeline::{
        JobId, Pipeline,
        job::{Origin, Variable},
    },
    runner::{
        Build, Settings, Slot,
        attempt::FailedPulls,
        build::{Identity, Inputs, Look},
        files::{cache, sources::Variant},
        pod::{Overwrites, PodParts, login, names, pod},
        script,
    },
};
use k8s_openapi::api::core::v1::Pod;

/// Makes the builds and pods of a run.
#[derive(Debug, Clone)]
pub struct Builds {
    /// The pipeline.
    pub pipeline: Arc<Pipeline>,
    /// The runner's settings.
    pub settings: Settings,
    /// `[images]` of `podline.toml`.
    pub images: IndexMap<String, String>,
    /// Id of the run.
    pub run: String,
    /// `CI_PIPELINE_ID`.
    pub number: u64,
    /// When somebody looks into the pods.
    pub look: Look,
    git: Git,
    tree: Vec<String>,
}

impl Builds {
    /// Builds of the jobs of a pipeline: of all that is planned, or of a part of it.
    pub fn new(
        project: &Project,
        planned: &Planned,
        pipeline: Arc<Pipeline>,
        settings: Settings,
        run: &str,
        number: u64,
    ) -> Self {
        Self {
            pipeline,
            settings,
            images: project.file.images.clone(),
            run: run.to_owned(),
            number,
            look: Look::Never,
            git: project.git.clone(),
            tree: planned.tree.clone(),
        }
    }

    /// Builds that are shown and not run.
    pub fn preview(project: &Project, planned: &Planned, pipeline: &Pipeline, settings: &Settings) -> Self {
        let number = planned.context.pipeline_id;
        Self::new(project, planned, Arc::new(pipeline.clone()), settings.clone(), "preview", number)
    }

    /// The slot that a job would have if it were alone.
    pub fn first_slot(&self) -> Slot {
        Slot { runner: self.settings.runners.first().cloned().unwrap_or_default(), index: 0 }
    }

    /// The build of an attempt. `dotenv` are the variables that earlier jobs have left for it.
    ///
    /// # Errors
    /// When there is no image, or the job asks for what the runner does not allow.
    pub fn build(
        &self,
        job: JobId,
        attempt: u32,
        slot: &Slot,
        dotenv: Vec<(String, String)>,
    ) -> Result<Build, Failure> {
        let dotenv: Vec<Variable> = dotenv.into_iter().map(reported).collect();
        let inputs = Inputs {
            pipeline: &self.pipeline,
            settings: &self.settings,
            identity: Identity {
                run: self.run.clone(),
                pipeline_id: self.number,
                job_id: self.job_id(job, attempt),
                slot: slot.clone(),
                started_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            },
            images: &self.images,
            dotenv: &dotenv,
            look: self.look,
            // a file whose history git cannot tell counts as one that is not there
            key_of_files: &|files, commits| {
                cache::key_of_files(&self.git, &self.tree, files, commits).ok().flatten()
            },
        };
        Build::new(job, &inputs)
    }

    /// The pod of a build, with the next pull policy for containers whose image was not pulled.
    ///
    /// # Errors
    /// When the job has an alias that is no host name.
    pub fn pod(
        &self,
        build: &Build,
        overwrites: &Overwrites,
        attempt: u32,
        slot: &Slot,
        failed_pulls: &FailedPulls,
    ) -> Result<Pod, Failure> {
        // A pod that is made again has a name of its own: the old one may still be going away.
        let failures = u32::try_from(failed_pulls.values().sum::<usize>()).unwrap_or(u32::MAX / 1000);
        let parts = PodParts {
            run: &self.run,
            slot,
            suffix: &names::suffix(&self.run, build.id, attempt + failures * 1000),
            build_command: script::build_command(build),
            helper_command: script::helper_command(build),
            failed_pulls: failed_pulls.clone(),
        };
        pod(build, &self.settings, overwrites, &parts)
    }

    /// What the variables of a build change of the runner's settings.
    ///
    /// # Errors
    /// When the job asks for what the runner does not allow.
    pub fn overwrites(&self, build: &Build) -> Result<Overwrites, Failure> {
        Overwrites::of(build, &self.settings)
    }

    /// The first pod of each job. A job that cannot become one says so when its turn comes.
    pub fn all_pods(&self) -> Vec<Pod> {
        let slot = self.first_slot();
        let jobs = self.pipeline.jobs().filter(|(_, job)| job.trigger.is_none());
        let pod = |id| {
            let build = self.build(id, 1, &slot, Vec::new()).ok()?;
            let overwrites = self.overwrites(&build).ok()?;
            self.pod(&build, &overwrites, 1, &slot, &FailedPulls::new()).ok()
        };
        jobs.filter_map(|(id, _)| pod(id)).collect()
    }

    /// Images of all jobs and their services, each once, in the order of the jobs. A job that cannot become a
    /// build says so when its turn comes.
    pub fn job_images(&self) -> Vec<String> {
        let slot = self.first_slot();
        let mut images = Vec::new();
        for (id, job) in self.pipeline.jobs() {
            let runs = job.trigger.is_none();
            if let Some(build) = runs.then(|| self.build(id, 1, &slot, Vec::new()).ok()).flatten() {
                images.push(build.image.name);
                images.extend(build.services.into_iter().map(|service| service.image.name));
            }
        }
        let mut seen = std::collections::HashSet::new();
        images.retain(|image| !image.is_empty() && seen.insert(image.clone()));
        images
    }

    /// Those of the jobs' images that may be pulled, by the policy of their pods.
    pub fn pulled_images(&self) -> Vec<String> {
        let pods = self.all_pods();
        let containers = pods.iter().filter_map(|pod| pod.spec.as_ref()).flat_map(|spec| &spec.containers);
        let may = containers.filter(|it| it.image_pull_policy.as_deref() != Some("Never"));
        let may: HashSet<&str> = may.filter_map(|container| container.image.as_deref()).collect();
        self.job_images().into_iter().filter(|image| may.contains(image.as_str())).collect()
    }

    /// What the jobs' variables have of logins to registries (`DOCKER_AUTH_CONFIG`), each once.
    pub fn logins(&self) -> Vec<String> {
        let slot = self.first_slot();
        let jobs = self.pipeline.jobs().filter(|(_, job)| job.trigger.is_none());
        let builds = jobs.filter_map(|(id, _)| self.build(id, 1, &slot, Vec::new()).ok());
        let logins = builds.filter_map(|build| build.variable(login::VARIABLE).map(str::to_owned));
        logins.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// The ways in which the jobs want their sources, each once. A dotenv report may make another.
    pub fn source_variants(&self) -> HashSet<Variant> {
        let slot = self.first_slot();
        let jobs = self.pipeline.jobs().filter(|(_, job)| job.trigger.is_none());
        let builds = jobs.filter_map(|(id, _)| self.build(id, 1, &slot, Vec::new()).ok());
        builds.filter_map(|build| Variant::of(&build)).collect()
    }

    /// `CI_JOB_ID`: unique in the project, and growing as GitLab's are.
    pub fn job_id(&self, job: JobId, attempt: u32) -> u64 {
        let position = job.0 + (attempt as usize - 1) * self.pipeline.jobs.len();
        self.number * 1000 + position as u64 + 1
    }
}

fn reported((key, value): (String, String)) -> Variable {
    Variable { raw: true, ..Variable::new(key, value, Origin::Dotenv) }
}
