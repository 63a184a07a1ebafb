//! The last run, and what this one takes over from it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use super::again::quoted;
use crate::{
    cli::{Failed, runs::Run},
    event::{Event, Status},
    pipeline::{JobId, Pipeline},
    report::{Problem, record::Record},
    runner::{
        files::artifacts::{self, ArtifactStore},
        run_folder,
    },
    scheduler::Graph,
};

/// The last run of the project.
#[derive(Debug)]
pub(super) struct Earlier {
    number: u64,
    folder: PathBuf,
    /// The last status of each of its jobs.
    statuses: HashMap<String, Status>,
}

/// Jobs that do not run again, as they have succeeded in the last run.
#[derive(Debug, Default)]
pub(super) struct Reuse {
    /// The last run, where it was asked for.
    pub(super) run: Option<u64>,
    folder: PathBuf,
    /// Names, with the `CI_JOB_ID` of the attempt that has succeeded.
    jobs: BTreeMap<String, u64>,
}

impl Earlier {
    /// Reads the record of the last run.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn last(own_folder: &Path) -> Result<Self, Failed> {
        let none = |message: String| Failed::usage(Problem::new(message).help("`podline run` makes one"));
        let folder = Run::last(own_folder).ok_or_else(|| none("there is no run yet".to_owned()))?;
        let record = Record::read(&folder)
            .map_err(|error| none(format!("the last run, `{}`, has no record: {error}", folder.display())))?;
        let statuses = statuses(record.events.iter().map(|(_, event)| event));
        Ok(Self { number: record.head.number, folder, statuses })
    }

    /// What failed or did not come to its end, and what depends on it, as far as that took part.
    ///
    /// # Errors
    /// When a job that is needed has not succeeded and is none of these.
    pub(super) fn failed(&self, pipeline: &Pipeline) -> Result<(Pipeline, Reuse), Failed> {
        let graph = Graph::from(pipeline);
        let mut again = BTreeSet::new();
        for (id, job) in pipeline.jobs() {
            if self.statuses.get(&job.name).is_some_and(|status| has_failed(*status)) {
                let known = |id: &JobId| self.statuses.contains_key(&pipeline.job(*id).name);
                again.extend(graph.dependants(id.0).into_iter().map(JobId).filter(known));
                again.insert(id);
            }
        }
        self.part(pipeline, &again)
    }

    /// These jobs and everything after them.
    ///
    /// # Errors
    /// When a job that is needed before has not succeeded in the last run.
    pub(super) fn from(&self, pipeline: &Pipeline, jobs: &[JobId]) -> Result<(Pipeline, Reuse), Failed> {
        let graph = Graph::from(pipeline);
        let after = jobs.iter().flat_map(|job| graph.dependants(job.0)).map(JobId);
        self.part(pipeline, &after.chain(jobs.iter().copied()).collect())
    }

    /// Jobs that somebody looks into: what they need counts as done, with the artifacts that are there.
    pub(super) fn for_a_look(own_folder: &Path, pipeline: &Pipeline, jobs: &[JobId]) -> (Pipeline, Reuse) {
        let part = pipeline.only(jobs);
        let names: BTreeSet<&str> = jobs.iter().map(|id| pipeline.job(*id).name.as_str()).collect();
        let earlier = Self::last(own_folder).ok();
        let id = |name: &str| {
            let earlier = earlier.as_ref()?;
            let succeeded = earlier.statuses.get(name) == Some(&Status::Success);
            succeeded.then(|| earlier.id(name))
        };
        let before = part.jobs.iter().map(|job| &job.name).filter(|name| !names.contains(name.as_str()));
        let jobs = before.map(|name| (name.clone(), id(name).unwrap_or(0))).collect();
        let (run, folder) = earlier.map(|it| (it.number, it.folder)).unzip();
        (part, Reuse { run, folder: folder.unwrap_or_default(), jobs })
    }

    /// The pipeline with these jobs and those that they need, which are reused.
    fn part(&self, pipeline: &Pipeline, again: &BTreeSet<JobId>) -> Result<(Pipeline, Reuse), Failed> {
        let ids: Vec<JobId> = again.iter().copied().collect();
        let part = pipeline.only(&ids);
        let names: BTreeSet<&str> = again.iter().map(|id| pipeline.job(*id).name.as_str()).collect();
        let mut jobs = BTreeMap::new();
        for job in part.jobs.iter().filter(|job| !names.contains(job.name.as_str())) {
            match self.statuses.get(&job.name) {
                Some(Status::Success) => {
                    jobs.insert(job.name.clone(), self.id(&job.name));
                }
                // nobody has started it, or nothing asked for it: this run decides again
                Some(Status::Manual | Status::Skipped | Status::Scheduled) => {}
                status => return Err(self.not_there(&job.name, *status.unwrap_or(&Status::Created))),
            }
        }
        Ok((part, Reuse { run: Some(self.number), folder: self.folder.clone(), jobs }))
    }

    /// `CI_JOB_ID` of a job; 0 for a trigger job, which leaves no trace and no artifacts.
    fn id(&self, job: &str) -> u64 {
        run_folder::find(&self.folder, job).map_or(0, |found| found.id)
    }

    fn not_there(&self, job: &str, status: Status) -> Failed {
        let run = self.number;
        let what = match status {
            Status::Created => format!("`{job}` did not run in the last run, run {run}"),
            status => format!("`{job}` has not succeeded in the last run, run {run}: {}", status.name()),
        };
        let problem = Problem::new(format!("{what}, so there are no artifacts of it"));
        Failed::usage(problem.help(format!(
            "`podline run --from {job}` begins with it, `podline run` with the whole pipeline",
            job = quoted(job)
        )))
    }
}

impl Reuse {
    /// Puts traces and artifacts of the jobs into the folder of this run: it stands for itself.
    ///
    /// # Errors
    /// When a file cannot be linked or copied.
    pub(super) fn bring_into(&self, folder: &Path) -> io::Result<()> {
        for (job, id) in self.jobs.iter().filter(|(_, id)| **id != 0) {
            let trace = |folder| run_folder::trace(folder, job, *id);
            link(&trace(&self.folder), &trace(folder))?;
            let pod = |folder| trace(folder).with_extension("yaml");
            link(&pod(&self.folder), &pod(folder))?;
            let from = artifacts::folder_of(&self.folder, *id);
            for entry in fs::read_dir(from).into_iter().flatten() {
                let entry = entry?;
                link(&entry.path(), &artifacts::folder_of(folder, *id).join(entry.file_name()))?;
            }
        }
        Ok(())
    }

    /// Tells the store of artifacts what is there of them. A report that cannot be read now could not be read
    /// in the run that made it, which said so.
    pub(super) fn stock(&self, store: &ArtifactStore, pipeline: &Pipeline) {
        for (id, job) in pipeline.jobs() {
            if let Some(earlier) = self.jobs.get(&job.name) {
                drop(store.adopt(id, &job.name, *earlier));
            }
        }
    }

    /// The names of the jobs, and where they come from.
    pub(super) fn told(&self) -> BTreeMap<String, String> {
        let from = |id: u64| match (id, self.run) {
            (1.., Some(run)) => format!("from run {run}"),
            _ => "not run: no artifacts of it are there".to_owned(),
        };
        self.jobs.iter().map(|(job, id)| (job.clone(), from(*id))).collect()
    }
}

/// The last status of each job that took part in a run.
fn statuses<'e>(events: impl Iterator<Item = &'e Event>) -> HashMap<String, Status> {
    let mut statuses = HashMap::new();
    for event in events {
        match event {
            Event::PipelineStarted(outline) => {
                statuses.extend(outline.jobs.iter().map(|job| (job.name.clone(), Status::Created)));
            }
            Event::JobStarted { job, .. } => {
                statuses.insert(job.clone(), Status::Running);
            }
            Event::JobStatus { job, status, .. } => {
                statuses.insert(job.clone(), *status);
            }
            Event::JobFinished(end) => {
                statuses.insert(end.job.clone(), end.status);
            }
            Event::PipelineFinished { jobs, .. } => {
                statuses.extend(jobs.iter().map(|(job, status)| (job.clone(), *status)));
            }
            _ => {}
        }
    }
    statuses
}

/// Whether a job is to run again: it failed, or the run ended before it did.
fn has_failed(status: Status) -> bool {
    matches!(
        status,
        Status::Failed | Status::Canceled | Status::Running | Status::Pending | Status::WaitingForResource
    )
}

/// Links a file, or copies it where that is not possible; one that is not there is passed over.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_file() {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}
