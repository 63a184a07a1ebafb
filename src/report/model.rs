//! The state of a run: a pure fold of its events, which every view shows from.
//!
//! Time is handed in, as the duration since the run began, so that a test can have its own.

mod counts;
mod job;

use std::collections::HashMap;
use std::time::Duration;

use indexmap::IndexMap;

pub use counts::Counts;
pub use job::Job;

use super::{text, theme::Look};
use crate::event::{Event, Finished, Outline, Phase, Status};

/// What has happened so far.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// What the pipeline is for.
    pub title: String,
    /// `workflow:name`.
    pub name: Option<String>,
    /// Name of the engine.
    pub engine: String,
    /// How many pods may run at once.
    pub slots: usize,
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// The jobs by name, in GitLab's order.
    pub jobs: IndexMap<String, Job>,
    /// Columns of the longest name of a job, with the trigger jobs that lead to it: `child/job`.
    pub longest_name: usize,
    /// What had to be made ready, in the order it began.
    pub setup: Vec<Setup>,
    /// What is happening now, once the run is being ended before its time.
    pub canceling: Option<String>,
    /// How long jobs usually take, by name with those of the trigger jobs that lead to them.
    pub usual: HashMap<String, Duration>,
    /// The jobs of which the run waits for somebody to start one.
    pub blocked: Vec<String>,
    /// The status of the pipeline and how long it took, once it has ended.
    pub end: Option<(Status, Duration)>,
    /// When the pipeline began.
    pub started: Option<Duration>,
}

/// A stage.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its jobs, as indices into [`Model::jobs`].
    pub jobs: Vec<usize>,
    /// When its first job began.
    pub started: Option<Duration>,
    /// When its last job ended.
    pub ended: Option<Duration>,
}

/// Something that is made ready before jobs start.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What.
    pub step: String,
    /// When it began.
    pub started: Duration,
    /// How long it took, once it is done.
    pub took: Option<Duration>,
}

impl Model {
    /// Takes an event that happened at `now`. An event of a job that the outline did not name is dropped.
    pub fn apply(&mut self, event: &Event, now: Duration) {
        match event {
            Event::PipelineStarted(outline) => self.outline(outline, now),
            Event::SetupStarted { step } => {
                self.setup.push(Setup { step: step.clone(), started: now, took: None });
            }
            Event::SetupFinished { step, took } => {
                let running = self.setup.iter_mut().rev().find(|it| it.step == *step && it.took.is_none());
                if let Some(setup) = running {
                    setup.took = Some(*took);
                }
            }
            Event::JobStarted { job, attempt, runner } => self.start(job, *attempt, runner.as_deref(), now),
            Event::JobPhase { job, phase } => {
                self.with(job, |job| {
                    job.phase = Some(*phase);
                    // What was printed before the script is not a line of it.
                    if *phase == Phase::Script {
                        job.last_line = None;
                    }
                });
            }
            Event::JobRemark { job, message } => {
                self.with(job, |job| job.remark = Some(text::bare(message)));
            }
            Event::JobOutput { job, line } => {
                let line = text::bare(line);
                if !line.trim().is_empty() {
                    self.with(job, |job| job.last_line = Some(line));
                }
            }
            Event::JobUsage { job, usage } => {
                self.with(job, |job| job.usage = Some(*usage));
            }
            Event::JobStatus { job, status, reason } => {
                self.with(job, |job| {
                    job.status = *status;
                    job.reason = reason.as_deref().map(text::bare);
                });
            }
            Event::JobFinished(finished) => self.finish(finished, now),
            Event::Notice { .. }
            | Event::StageFinished { .. }
            | Event::Upcoming(_)
            | Event::Request { .. } => {}
            Event::Canceling { message } => self.canceling = Some(message.clone()),
            Event::Blocked { jobs } => self.blocked.clone_from(jobs),
            Event::PipelineFinished { status, jobs, took } => {
                self.blocked.clear();
                for (name, status) in jobs {
                    self.with(name, |job| job.status = *status);
                }
                self.end = Some((*status, *took));
            }
            Event::Downstream { pipeline, event } => {
                self.child(pipeline, event, now);
                self.longest_name = self.longest(0);
            }
        }
    }

    /// Takes an event of a child pipeline; one that begins takes the place of that of an earlier attempt.
    fn child(&mut self, path: &[String], event: &Event, now: Duration) {
        let [first, rest @ ..] = path else { return self.apply(event, now) };
        let Some(job) = self.jobs.get_mut(first) else { return };
        if rest.is_empty() && matches!(event, Event::PipelineStarted(_)) {
            job.child = Some(Box::default());
        }
        if let Some(child) = &mut job.child {
            child.child(rest, event, now);
        }
    }

    /// Columns of the longest name, with those of the names before it.
    fn longest(&self, before: usize) -> usize {
        let of = |job: &Job| {
            let own = before + text::width(&job.name);
            job.child.as_ref().map_or(own, |child| child.longest(own + 1))
        };
        self.jobs.values().map(of).max().unwrap_or(0)
    }

    fn outline(&mut self, outline: &Outline, now: Duration) {
        self.title.clone_from(&outline.title);
        self.name.clone_from(&outline.name);
        self.engine.clone_from(&outline.engine);
        self.slots = outline.slots;
        self.started = Some(now);
        self.jobs = outline.jobs.iter().map(|job| (job.name.clone(), Job::new(job))).collect();
        self.longest_name = self.longest(0);
        let stage = |name: &String| Stage {
            name: name.clone(),
            jobs: self
                .jobs
                .values()
                .enumerate()
                .filter(|(_, job)| job.stage == *name)
                .map(|(at, _)| at)
                .collect(),
            started: None,
            ended: None,
        };
        self.stages = outline.stages.iter().map(stage).collect();
    }

    fn start(&mut self, name: &str, attempt: u32, runner: Option<&str>, now: Duration) {
        self.blocked.clear();
        let stage = self.with(name, |job| {
            job.status = Status::Running;
            job.phase = runner.is_some().then_some(Phase::Preparing);
            job.attempt = attempt;
            job.runner = runner.map(str::to_owned);
            job.started = Some(now);
            job.ended = None;
            job.last_line = None;
            job.usage = None;
            job.reason = None;
            job.stage.clone()
        });
        if let Some(stage) = self.stages.iter_mut().find(|it| Some(&it.name) == stage.as_ref()) {
            stage.started.get_or_insert(now);
        }
    }

    fn finish(&mut self, finished: &Finished, now: Duration) {
        let stage = self.with(&finished.job, |job| {
            job.status = if finished.retried { Status::Pending } else { finished.status };
            job.phase = None;
            job.usage = None;
            job.attempt = finished.attempt;
            job.ended = Some(now);
            job.end = Some(Box::new(finished.clone()));
            job.stage.clone()
        });
        if let Some(stage) = self.stages.iter_mut().find(|it| Some(&it.name) == stage.as_ref()) {
            stage.ended = Some(now);
        }
    }

    fn with<T>(&mut self, name: &str, change: impl FnOnce(&mut Job) -> T) -> Option<T> {
        self.jobs.get_mut(name).map(change)
    }

    /// The jobs of a stage in GitLab's order.
    pub fn jobs_of<'m>(&'m self, stage: &'m Stage) -> impl Iterator<Item = &'m Job> + Clone {
        stage.jobs.iter().map(|at| &self.jobs[*at])
    }

    /// All jobs, those of a child pipeline after the job that has started it, each with its name and those
    /// of the trigger jobs that lead to it: `child/job`.
    pub fn all_jobs(&self) -> Vec<(String, &Job)> {
        let below = |job| {
            let Job { name, child, .. }: &Job = job;
            let inner = child.iter().flat_map(|child| child.all_jobs());
            inner.map(|(path, job)| (format!("{name}/{path}"), job)).collect::<Vec<_>>()
        };
        self.jobs
            .values()
            .flat_map(|job| std::iter::once((job.name.clone(), job)).chain(below(job)))
            .collect()
    }

    /// Whether the pipeline of a job, named as in [`Self::all_jobs`], has not ended.
    pub fn goes_on(&self, path: &str) -> bool {
        if self.jobs.values().any(|job| job.name == path) {
            return self.end.is_none();
        }
        let below = |job: &Job| path.strip_prefix(&job.name).and_then(|rest| rest.strip_prefix('/'));
        let mut children = self.jobs.values().filter_map(|job| Some((job.child.as_ref()?, below(job)?)));
        children.any(|(child, rest)| child.goes_on(rest))
    }

    /// Counts over all jobs, also those of child pipelines.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for job in self.jobs.values() {
            counts.add(job);
            if let Some(child) = &job.child {
                counts.add_all(child.counts());
            }
        }
        counts
    }

    /// Whether something goes on in it or in one of its child pipelines.
    pub fn is_moving(&self) -> bool {
        Counts::of(self.jobs.values()).look() == Look::Running
            || self.jobs.values().any(Job::has_moving_child)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::script;

    #[test]
    fn a_run_folds_into_its_counts() {
        let model = script::model(&script::mixed());
        let counts = model.counts();
        assert_eq!((counts.total, counts.success, counts.failed, counts.allowed), (10, 4, 1, 1));
        assert_eq!((counts.skipped, counts.manual, counts.canceled), (1, 2, 1));
        assert_eq!(counts.done(), counts.total);
    }

    #[test]
    fn a_retried_job_waits_again_and_counts_its_attempts() {
        let (mut model, events) = (Model::default(), script::mixed());
        let retried = |event: &Event| matches!(event, Event::JobFinished(end) if end.retried);
        let until = events.iter().position(|(_, event)| retried(event)).expect("the script retries a job");
        for (at, event) in &events[..=until] {
            model.apply(event, *at);
        }
        let job = &model.jobs["unit: [nightly]"];
        assert_eq!((job.status, job.attempt), (Status::Pending, 1));
        let model = script::model(&events);
        assert_eq!(model.jobs["unit: [nightly]"].attempt, 2);
    }

    #[test]
    fn an_event_of_an_unknown_job_is_dropped() {
        let mut model = Model::default();
        let event = Event::JobPhase { job: "nowhere".into(), phase: Phase::Script };
        model.apply(&event, Duration::ZERO);
        assert!(model.jobs.is_empty());
    }
}
