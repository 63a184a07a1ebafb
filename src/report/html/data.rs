//! What the page shows of a run, from its record: attempts with their times, slots, the critical path.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    event::{self, Event, FailingTest, Failure, Finished, Outline, Phase, Status, Tests},
    report::{record::Record, text, theme::Look},
};

/// The lane of trigger jobs, which no runner has.
const TRIGGERS: &str = "trigger jobs";

/// A run as the page shows it. All times are in seconds since its beginning.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Data {
    /// Name of the project's folder.
    pub project: String,
    /// Its number in the project.
    pub number: u64,
    /// The command that started it.
    pub command: String,
    /// When it began, in milliseconds since 1970.
    pub began: i64,
    /// What the pipeline is for.
    pub title: String,
    /// `workflow:name`.
    pub name: Option<String>,
    /// Name of the engine.
    pub engine: String,
    /// The version of podline.
    pub podline: String,
    /// Status of the pipeline; absent while it runs, and for a run that was killed.
    pub status: Option<Status>,
    /// How long it took, or how far it has come.
    pub took: f64,
    /// What had to be made ready.
    pub setup: Vec<Step>,
    /// What the user was told.
    pub notices: Vec<String>,
    /// The stages in order.
    pub stages: Vec<String>,
    /// The jobs in GitLab's order.
    pub jobs: Vec<Job>,
    /// The places that jobs ran in, one a line of the timeline.
    pub lanes: Vec<String>,
    /// The jobs that the length of the run came from, in order, as indices.
    pub critical_path: Vec<usize>,
    /// Jobs that are not in the pipeline, with the reason.
    pub left_out: Vec<serde_json::Value>,
}

/// Something that was made ready.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Step {
    /// What.
    pub step: String,
    /// When it began.
    pub from: f64,
    /// When it was done.
    pub to: Option<f64>,
}

/// A job.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Job {
    /// Its name, as it is shown.
    pub name: String,
    /// Its stage, as an index.
    pub stage: usize,
    /// The jobs it needs, as indices; absent means all of earlier stages.
    pub needs: Option<Vec<usize>>,
    /// The word of its status: `success`, `failed`, `running`.
    pub status: &'static str,
    /// Whether its failure is allowed.
    pub allowed: bool,
    /// Why it does not run.
    pub reason: Option<String>,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// Why it is in the pipeline: what `podline explain` says.
    pub explanation: Option<serde_json::Value>,
    /// Its name in events.
    #[serde(skip)]
    pub key: String,
}

/// An attempt of a job.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Attempt {
    /// Its place, as an index into [`Data::lanes`].
    pub lane: usize,
    /// When it began.
    pub from: f64,
    /// When it ended.
    pub to: Option<f64>,
    /// The word of its status.
    pub status: &'static str,
    /// When it came to each phase.
    pub phases: Vec<(Phase, f64)>,
    /// Exit code of the script.
    pub exit_code: Option<i32>,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// How many files its artifacts have.
    pub artifacts: usize,
    /// What its JUnit reports say.
    pub tests: Option<Tests>,
    /// Name of its trace in the folder `jobs`.
    pub trace: Option<String>,
    /// Bytes of the trace.
    pub trace_size: u64,
    /// Its pod, as YAML.
    pub pod: Option<String>,
    /// Limits and requests of its containers.
    pub containers: Vec<super::pod::Container>,
}

impl Data {
    /// Folds the record of a run.
    pub fn of(record: &Record) -> Self {
        let mut data = Self {
            project: text::bare(&record.head.project),
            number: record.head.number,
            command: text::bare(&record.head.command),
            began: record.head.started.as_millisecond(),
            podline: record.head.podline.clone(),
            ..Self::default()
        };
        let mut lanes = Lanes::default();
        for (at, event) in &record.events {
            data.apply(event, *at, &mut lanes);
        }
        data.lanes = lanes.names(&mut data.jobs);
        data.critical_path = critical_path(&data.jobs);
        data.explain(&record.explanations);
        data
    }

    /// Reads what lies beside the traces: how long they are, and the pods of their attempts.
    pub fn look_into(&mut self, traces: &Path) {
        for attempt in self.jobs.iter_mut().flat_map(|job| &mut job.attempts) {
            let Some(trace) = attempt.trace.as_ref().map(|name| traces.join(name)) else { continue };
            attempt.trace_size = trace.metadata().map_or(0, |metadata| metadata.len());
            attempt.pod = std::fs::read_to_string(trace.with_extension("yaml")).ok();
            attempt.containers = attempt.pod.as_deref().map(super::pod::containers).unwrap_or_default();
        }
    }

    fn apply(&mut self, event: &Event, at: Duration, lanes: &mut Lanes) {
        self.took = self.took.max(at.as_secs_f64());
        self.take(event, at.as_secs_f64(), lanes);
    }

    fn take(&mut self, event: &Event, at: f64, lanes: &mut Lanes) {
        match event {
            Event::PipelineStarted(outline) => self.outline(outline),
            Event::SetupStarted { step } => {
                self.setup.push(Step { step: text::bare(step), from: at, to: None });
            }
            Event::SetupFinished { step, .. } => {
                let step = text::bare(step);
                let open = self.setup.iter_mut().rev().find(|it| it.step == step && it.to.is_none());
                if let Some(open) = open {
                    open.to = Some(at);
                }
            }
            Event::Notice { message } | Event::Canceling { message } => {
                self.notices.push(text::bare(message));
            }
            Event::JobRemark { job, message } => {
                self.notices.push(text::bare(&format!("`{job}`: {message}")));
            }
            Event::JobStarted { job, runner, .. } => {
                let lane = lanes.take(runner.as_deref().unwrap_or(TRIGGERS), job);
                if let Some(job) = self.job(job) {
                    job.status = Look::Running.word();
                    job.reason = None;
                    job.attempts.push(Attempt {
                        lane,
                        from: at,
                        status: Look::Running.word(),
                        ..Attempt::default()
                    });
                }
            }
            Event::JobPhase { job, phase } => {
                if let Some(attempt) = self.job(job).and_then(|job| job.attempts.last_mut()) {
                    attempt.phases.push((*phase, at));
                }
            }
            Event::JobStatus { job, status, reason } => {
                if let Some(job) = self.job(job) {
                    job.status = Look::of(*status, false).word();
                    job.reason = reason.as_deref().map(text::bare);
                }
            }
            Event::JobFinished(finished) => {
                lanes.release(&finished.job);
                self.finish(finished, at);
            }
            Event::PipelineFinished { status, jobs, took } => {
                self.status = Some(*status);
                self.took = took.as_secs_f64();
                for (name, status) in jobs {
                    if let Some(job) = self.job(name) {
                        job.status = Look::of(*status, job.allowed).word();
                    }
                }
            }
            Event::Downstream { pipeline, event } => self.downstream(pipeline, event, at, lanes),
            Event::JobOutput { .. } | Event::StageFinished { .. } => {}
        }
    }

    /// What happens in a child pipeline: its stages come after those of the others, its jobs are called
    /// `child/job`.
    fn downstream(&mut self, pipeline: &[String], event: &Event, at: f64, lanes: &mut Lanes) {
        match event {
            Event::PipelineStarted(outline) => self.child(pipeline, outline),
            Event::PipelineFinished { .. } => {}
            Event::JobFinished(finished) => {
                // the page shows the traces of the first pipeline's folder
                let finished = Finished { trace: PathBuf::new(), ..(**finished).clone() };
                self.take(&Event::JobFinished(Box::new(finished)).below(pipeline), at, lanes);
            }
            event => self.take(&event.clone().below(pipeline), at, lanes),
        }
    }

    fn child(&mut self, pipeline: &[String], outline: &Outline) {
        let below = |name: &String| event::path(pipeline, name);
        let mut child = Self::default();
        child.outline(outline);
        let (stages, jobs) = (self.stages.len(), self.jobs.len());
        // of a trigger job that is retried, the jobs are those of its last child
        if child.jobs.iter().any(|job| self.jobs.iter().any(|known| known.key == below(&job.key))) {
            return;
        }
        self.stages.extend(child.stages.iter().map(below));
        self.jobs.extend(child.jobs.into_iter().map(|job| Job {
            name: below(&job.name),
            key: below(&job.key),
            stage: stages + job.stage,
            needs: job.needs.map(|needs| needs.into_iter().map(|need| jobs + need).collect()),
            ..job
        }));
    }

    fn outline(&mut self, outline: &Outline) {
        self.title = text::bare(&outline.title);
        self.name = outline.name.as_deref().map(text::bare);
        self.engine.clone_from(&outline.engine);
        self.stages = outline.stages.iter().map(|stage| text::bare(stage)).collect();
        let stage = |name: &String| outline.stages.iter().position(|stage| stage == name).unwrap_or(0);
        let places: HashMap<&str, usize> =
            outline.jobs.iter().enumerate().map(|(at, job)| (job.name.as_str(), at)).collect();
        let needs =
            |needs: &Vec<String>| needs.iter().filter_map(|it| places.get(it.as_str()).copied()).collect();
        let job = |job: &crate::event::OutlineJob| Job {
            name: text::bare(&job.name),
            stage: stage(&job.stage),
            needs: job.needs.as_ref().map(needs),
            status: Look::Waiting.word(),
            allowed: false,
            reason: None,
            attempts: Vec::new(),
            explanation: None,
            key: job.name.clone(),
        };
        self.jobs = outline.jobs.iter().map(job).collect();
    }

    fn finish(&mut self, finished: &Finished, at: f64) {
        let Some(job) = self.job(&finished.job) else { return };
        let status = Look::of(finished.status, finished.allowed).word();
        job.status = if finished.retried { Look::Waiting.word() } else { status };
        job.allowed = finished.allowed;
        let Some(attempt) = job.attempts.last_mut() else { return };
        attempt.to = Some(at);
        attempt.status = status;
        attempt.exit_code = finished.exit_code;
        attempt.failure = finished.failure.as_ref().map(|failure| Failure {
            reason: failure.reason,
            message: text::bare_lines(&failure.message),
            help: failure.help.as_deref().map(text::bare_lines),
        });
        attempt.artifacts = finished.artifacts;
        attempt.tests = finished.tests.as_ref().map(bare_tests);
        attempt.trace = file_name(&finished.trace);
    }

    /// Gives each job its explanation; what is explained and is no job of the pipeline was left out.
    fn explain(&mut self, explanations: &[serde_json::Value]) {
        for explanation in explanations {
            let name = explanation["name"].as_str().unwrap_or_default();
            match self.jobs.iter_mut().find(|job| job.key == name) {
                Some(job) => job.explanation = Some(explanation.clone()),
                None => self.left_out.push(explanation.clone()),
            }
        }
    }

    fn job(&mut self, key: &str) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.key == key)
    }
}

/// Names and messages of tests are output of the job.
fn bare_tests(tests: &Tests) -> Tests {
    let bare = |test: &FailingTest| FailingTest {
        class: test.class.as_deref().map(text::bare),
        name: text::bare(&test.name),
        message: test.message.as_deref().map(text::bare),
    };
    Tests { failing: tests.failing.iter().map(bare).collect(), ..*tests }
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

/// The places of the runners: a job has the first one of its runner that is free, as the runners give them
/// out.
#[derive(Debug, Default)]
struct Lanes {
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    runner: String,
    job: Option<String>,
}

impl Lanes {
    fn take(&mut self, runner: &str, job: &str) -> usize {
        let free = self.lanes.iter().position(|lane| lane.runner == runner && lane.job.is_none());
        let at = free.unwrap_or_else(|| {
            self.lanes.push(Lane { runner: runner.to_owned(), job: None });
            self.lanes.len() - 1
        });
        self.lanes[at].job = Some(job.to_owned());
        at
    }

    fn release(&mut self, job: &str) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.job.as_deref() == Some(job)) {
            lane.job = None;
        }
    }

    /// The names of the places, those of one runner beside each other; attempts are told their new numbers.
    fn names(self, jobs: &mut [Job]) -> Vec<String> {
        let mut order: Vec<usize> = (0..self.lanes.len()).collect();
        order.sort_by(|one, other| self.lanes[*one].runner.cmp(&self.lanes[*other].runner));
        for attempt in jobs.iter_mut().flat_map(|job| &mut job.attempts) {
            attempt.lane = order.iter().position(|lane| *lane == attempt.lane).unwrap_or(0);
        }
        let runner = |at: &usize| text::bare(&self.lanes[*at].runner);
        let nth = |at: usize| order[..at].iter().filter(|lane| runner(lane) == runner(&order[at])).count();
        (0..order.len()).map(|at| format!("{}/{}", runner(&order[at]), nth(at))).collect()
    }
}

/// The jobs that each waited for the one before, from the one that ended last: the run could not have been
/// faster than they are.
fn critical_path(jobs: &[Job]) -> Vec<usize> {
    let ended = |at: &usize| jobs[*at].attempts.last().and_then(|attempt| attempt.to);
    let last = |of: Vec<usize>| {
        of.into_iter().filter(|at| ended(at).is_some()).max_by(|one, other| {
            let times = ended(one).unwrap_or_default().total_cmp(&ended(other).unwrap_or_default());
            times.then(other.cmp(one))
        })
    };
    let waited_for = |at: usize| match &jobs[at].needs {
        Some(needs) => needs.clone(),
        None => (0..jobs.len()).filter(|other| jobs[*other].stage < jobs[at].stage).collect(),
    };
    let mut path: Vec<usize> = Vec::new();
    let mut next = last((0..jobs.len()).collect());
    while let Some(at) = next.filter(|at| !path.contains(at)) {
        path.push(at);
        next = last(waited_for(at));
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{record::Head, script};

    fn mixed() -> Data {
        let head = Head {
            number: 7,
            id: "5f2c".to_owned(),
            project: "demo".to_owned(),
            command: "podline run".to_owned(),
            started: jiff::Timestamp::UNIX_EPOCH,
            podline: "0.1.0".to_owned(),
        };
        let explanations = vec![
            serde_json::json!({"name": "compile", "standing": "present"}),
            serde_json::json!({"name": "pages", "standing": "left_out"}),
        ];
        Data::of(&Record { head, events: script::mixed(), explanations })
    }

    #[test]
    fn a_run_folds_into_what_the_page_shows() {
        let data = mixed();
        let shown: Vec<_> = data
            .jobs
            .iter()
            .map(|job| {
                let attempts: Vec<_> = job
                    .attempts
                    .iter()
                    .map(|it| {
                        format!(
                            "{} {}s-{}s {}",
                            data.lanes[it.lane],
                            it.from,
                            it.to.unwrap_or(0.0),
                            it.status
                        )
                    })
                    .collect();
                format!("{} {} {}", job.name, job.status, attempts.join(", ")).trim_end().to_owned()
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn the_critical_path_leads_to_the_job_that_ended_last() {
        let data = mixed();
        let names: Vec<_> = data.critical_path.iter().map(|at| data.jobs[*at].name.as_str()).collect();
        assert_eq!(names, ["compile", "bench"]);
    }

    #[test]
    fn what_is_explained_and_did_not_run_was_left_out() {
        let data = mixed();
        assert!(data.jobs[0].explanation.is_some());
        assert_eq!(data.left_out[0]["name"], "pages");
    }
}
