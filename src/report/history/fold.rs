//! Makes the history of a run from its record.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Attempt, History, Job, Pipeline, Step, critical_path::critical_path, inside, lanes::Lanes};
use crate::{
    event::{Event, FailingTest, Failure, Finished, Outline, OutlineJob, Tests},
    report::{record::Record, text, theme::Look},
};

/// The lane of trigger jobs, which no runner has.
const TRIGGERS: &str = "trigger jobs";

pub(super) fn fold(record: &Record) -> History {
    let run = History {
        project: text::bare(&record.head.project),
        number: record.head.number,
        command: text::bare(&record.head.command),
        began: record.head.started.as_millisecond(),
        podline: record.head.podline.clone(),
        goes_on: record.goes_on,
        pipelines: vec![Pipeline::default()],
        ..History::default()
    };
    let mut fold = Fold { run, lanes: Lanes::default(), places: HashMap::new() };
    for (at, event) in &record.events {
        fold.apply(event, *at);
    }
    let Fold { mut run, lanes, .. } = fold;
    run.lanes = lanes.names(&mut run.jobs);
    run.critical_path = critical_path(&run);
    run.explain(0, &record.explanations);
    run
}

struct Fold {
    run: History,
    lanes: Lanes,
    /// Where the jobs of each pipeline are.
    places: HashMap<(usize, String), usize>,
}

impl Fold {
    fn apply(&mut self, event: &Event, at: Duration) {
        let at = at.as_secs_f64();
        self.run.took = self.run.took.max(at);
        let (path, event) = event.place();
        let pipeline = self.run.pipelines.iter().position(|known| known.key == path);
        match (pipeline, event) {
            (_, Event::PipelineStarted(outline)) => self.outline(path, pipeline, outline),
            (Some(pipeline), event) => self.take(pipeline, event, at),
            // a record whose beginning is lost
            (None, _) => {}
        }
    }

    fn take(&mut self, pipeline: usize, event: &Event, at: f64) {
        match event {
            Event::SetupStarted { step } => {
                self.run.setup.push(Step { step: text::bare(step), from: at, to: None });
            }
            Event::SetupFinished { step, .. } => {
                let step = text::bare(step);
                let open = self.run.setup.iter_mut().rev().find(|it| it.step == step && it.to.is_none());
                if let Some(open) = open {
                    open.to = Some(at);
                }
            }
            Event::Notice { message } | Event::Canceling { message } => self.notice(pipeline, message),
            Event::JobRemark { job, message } => self.notice(pipeline, &format!("`{job}`: {message}")),
            Event::JobStarted { job, runner, .. } => self.start(pipeline, job, runner.as_deref(), at),
            Event::JobPhase { job, phase } => {
                if let Some(attempt) = self.job(pipeline, job).and_then(|job| job.attempts.last_mut()) {
                    attempt.phases.push((*phase, at));
                }
            }
            Event::JobUsage { job, usage } => {
                if let Some(attempt) = self.job(pipeline, job).and_then(|job| job.attempts.last_mut()) {
                    attempt.cpu = most(attempt.cpu, usage.cpu);
                    attempt.memory = attempt.memory.max(usage.memory);
                }
            }
            Event::JobStatus { job, status, reason } => {
                if let Some(job) = self.job(pipeline, job) {
                    job.status = Look::of(*status, false).word();
                    job.reason = reason.as_deref().map(text::bare);
                }
            }
            Event::JobFinished(finished) => self.finish(pipeline, finished, at),
            Event::PipelineFinished { status, jobs, took } => {
                self.run.pipelines[pipeline].status = Some(Look::of(*status, false).word());
                if pipeline == 0 {
                    self.run.status = Some(*status);
                    self.run.took = took.as_secs_f64().max(self.run.took);
                }
                for (name, status) in jobs {
                    if let Some(job) = self.job(pipeline, name) {
                        job.status = Look::of(*status, job.allowed).word();
                    }
                }
            }
            // what happens in a pipeline comes without its path here
            Event::Downstream { .. } | Event::PipelineStarted(_) => {}
            Event::JobOutput { .. }
            | Event::StageFinished { .. }
            | Event::Blocked { .. }
            | Event::Upcoming(_)
            | Event::Request { .. } => {}
        }
    }

    fn notice(&mut self, pipeline: usize, message: &str) {
        let path = self.run.pipelines[pipeline].path.join("/");
        let message = text::bare(message);
        self.run.notices.push(if path.is_empty() { message } else { format!("`{path}`: {message}") });
    }

    /// A pipeline is known. Of a trigger job that is retried, it is that of the last attempt.
    fn outline(&mut self, path: &[String], known: Option<usize>, outline: &Outline) {
        let pipeline = known.unwrap_or(self.run.pipelines.len());
        if known.is_none() {
            self.run.pipelines.push(Pipeline::default());
        }
        if path.is_empty() {
            self.run.title = text::bare(&outline.title);
            self.run.name = outline.name.as_deref().map(text::bare);
            self.run.engine.clone_from(&outline.engine);
        }
        self.run.pipelines[pipeline] = Pipeline {
            path: path.iter().map(|name| text::bare(name)).collect(),
            trigger: self.trigger(path),
            title: text::bare(&outline.title),
            status: None,
            stages: outline.stages.iter().map(|stage| text::bare(stage)).collect(),
            key: path.to_vec(),
        };
        for job in &outline.jobs {
            let place = (pipeline, job.name.clone());
            if !self.places.contains_key(&place) {
                self.places.insert(place, self.run.jobs.len());
                self.run.jobs.push(waiting(pipeline, job, outline));
            }
        }
        // a job may need one that comes after it
        for job in &outline.jobs {
            let place = |name: &String| self.places.get(&(pipeline, name.clone())).copied();
            let needs = job.needs.as_ref().map(|needs| needs.iter().filter_map(place).collect());
            if let Some(job) = self.job(pipeline, &job.name) {
                job.needs = needs;
            }
        }
    }

    fn trigger(&self, path: &[String]) -> Option<usize> {
        let (job, above) = path.split_last()?;
        let pipeline = self.run.pipelines.iter().position(|known| known.key == above)?;
        self.places.get(&(pipeline, job.clone())).copied()
    }

    fn start(&mut self, pipeline: usize, name: &str, runner: Option<&str>, at: f64) {
        let lane = self.lanes.take(runner.unwrap_or(TRIGGERS), (pipeline, name));
        if let Some(job) = self.job(pipeline, name) {
            job.status = Look::Running.word();
            job.reason = None;
            let status = Look::Running.word();
            job.attempts.push(Attempt { lane, from: at, status, ..Attempt::default() });
        }
    }

    fn finish(&mut self, pipeline: usize, finished: &Finished, at: f64) {
        self.lanes.release((pipeline, &finished.job));
        let trace = trace(&finished.trace, self.run.pipelines[pipeline].key.len());
        let Some(job) = self.job(pipeline, &finished.job) else { return };
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
        if finished.failure.is_some() {
            attempt.tail.clone_from(&finished.tail);
        }
        attempt.artifacts = finished.artifacts;
        attempt.artifact_bytes = finished.artifact_bytes;
        attempt.memory = attempt.memory.max(finished.memory);
        attempt.coverage = finished.coverage;
        attempt.tests = finished.tests.as_ref().map(bare_tests);
        attempt.trace = trace;
    }

    fn job(&mut self, pipeline: usize, name: &str) -> Option<&mut Job> {
        let at = self.places.get(&(pipeline, name.to_owned()))?;
        self.run.jobs.get_mut(*at)
    }
}

fn most(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::max)
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

fn waiting(pipeline: usize, job: &OutlineJob, outline: &Outline) -> Job {
    Job {
        name: text::bare(&job.name),
        pipeline,
        stage: outline.stages.iter().position(|stage| *stage == job.stage).unwrap_or(0),
        needs: None,
        status: Look::Waiting.word(),
        allowed: false,
        reason: None,
        attempts: Vec::new(),
        explanation: None,
        key: job.name.clone(),
    }
}

/// The part of a trace's path that is in the folder of the run, which may have been moved since:
/// `jobs/unit-7001.log`, and two more parts for each trigger job on the way.
fn trace(path: &Path, depth: usize) -> Option<String> {
    let parts: Vec<_> = path.components().collect();
    let own = parts.len().checked_sub(2 * (depth + 1))?;
    inside(&parts[own..].iter().collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::script;

    fn of(events: Vec<(Duration, Event)>) -> History {
        let explanations = vec![
            serde_json::json!({"name": "compile", "standing": "present"}),
            serde_json::json!({"name": "pages", "standing": "left_out"}),
        ];
        History::of(&Record { explanations, ..script::record(events) })
    }

    fn shown(run: &History) -> String {
        let attempt = |it: &Attempt| {
            format!("{} {}s-{}s {}", run.lanes[it.lane], it.from, it.to.unwrap_or(0.0), it.status)
        };
        let job = |job: &Job| {
            let attempts: Vec<_> = job.attempts.iter().map(attempt).collect();
            format!("{} {} {}", run.path(job), job.status, attempts.join(", ")).trim_end().to_owned()
        };
        run.jobs.iter().map(job).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_run_is_folded_into_its_history() {
        insta::assert_snapshot!(shown(&of(script::mixed())));
    }

    #[test]
    fn what_is_explained_and_did_not_run_was_left_out() {
        let run = of(script::mixed());
        assert!(run.jobs[0].explanation.is_some());
        assert_eq!(run.left_out[0]["name"], "pages");
    }

    #[test]
    fn a_child_pipeline_has_its_own_stages_and_jobs_and_knows_who_has_started_it() {
        let run = of(script::family());
        insta::assert_snapshot!(shown(&run));
        let child = &run.pipelines[1];
        assert_eq!((child.path.join("/"), child.stages.join(" ")), ("tests".to_owned(), "test".to_owned()));
        assert_eq!(child.trigger.map(|at| run.jobs[at].name.as_str()), Some("tests"));
        let unit = run.jobs.iter().find(|job| job.name == "unit" && job.pipeline == 1).expect("a job");
        let trace = unit.attempts[0].trace.as_deref();
        assert_eq!(trace, Some("pipelines/tests-7001/jobs/unit-7001001.log"));
    }

    #[test]
    fn a_trace_is_looked_for_in_the_folder_of_its_run() {
        let table = [
            ("/home/ada/shop/.podline/runs/7/jobs/unit-7001.log", 0, Some("jobs/unit-7001.log")),
            (
                "/x/7/pipelines/c-7001/jobs/unit-7001001.log",
                1,
                Some("pipelines/c-7001/jobs/unit-7001001.log"),
            ),
            ("jobs/unit-7001.log", 0, Some("jobs/unit-7001.log")),
            ("../unit-7001.log", 0, None),
            ("unit-7001.log", 0, None),
            ("", 0, None),
            ("/jobs/x.log", 1, None),
        ];
        for (path, depth, wanted) in table {
            assert_eq!(trace(Path::new(path), depth).as_deref(), wanted, "{path}");
        }
    }
}
