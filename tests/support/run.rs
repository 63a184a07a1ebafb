//! What a run with `--format json` said.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Seen;

/// A run that has ended. A job of a child pipeline is called `child/job`.
pub(crate) struct Run {
    pub(crate) seen: Seen,
    events: Vec<Value>,
}

impl Run {
    pub(crate) fn new(seen: Seen) -> Self {
        let lines = seen.stdout.lines();
        let events = lines.map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
        Self { seen, events }
    }

    /// The first step on the way to a place for pods.
    pub(crate) fn step(&self) -> &str {
        let mut steps = self.events.iter().filter_map(|event| event["step"].as_str());
        steps.next().expect("a run begins with a step")
    }

    /// The name of the cluster that was made for it.
    pub(crate) fn cluster(&self) -> &str {
        let name = self.step().strip_prefix("creating the cluster `");
        name.expect("a step says so").trim_end_matches('`')
    }

    /// What is worth knowing beside the jobs.
    pub(crate) fn notices(&self) -> impl Iterator<Item = &str> {
        let notices = self.events.iter().filter(|event| event["event"] == "notice");
        notices.filter_map(|event| event["message"].as_str())
    }

    pub(crate) fn code(&self, code: i32) -> &Self {
        assert_eq!(self.seen.code, Some(code), "{}", self.seen);
        self
    }

    /// Everything that was told, in order.
    pub(crate) fn events(&self) -> &[Value] {
        &self.events
    }

    /// The last status of every job of the first pipeline.
    pub(crate) fn statuses(&self) -> BTreeMap<&str, &str> {
        let last = self.events.last().expect("a run has events");
        assert_eq!(last["event"], "pipeline_finished", "{}", self.seen);
        statuses(last).collect()
    }

    /// The last status of every job, also of those in child pipelines. None where nothing ran.
    pub(crate) fn all_statuses(&self) -> BTreeMap<String, String> {
        let finished = self.events.iter().filter(|event| event["event"] == "pipeline_finished");
        let of_one = |event| statuses(event).map(|(job, status)| (path(event, job), status.to_owned()));
        finished.flat_map(of_one).collect()
    }

    /// All events of a kind for a job.
    pub(crate) fn of(&self, event: &str, job: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |one| one["event"] == event && is_of(one, job))
    }

    /// Position of the first event of a kind for a job.
    pub(crate) fn find(&self, event: &str, job: &str) -> Option<usize> {
        self.events.iter().position(|one| one["event"] == event && is_of(one, job))
    }

    /// Position of the first event of a kind for a job.
    pub(crate) fn position(&self, event: &str, job: &str) -> usize {
        self.find(event, job).unwrap_or_else(|| panic!("no `{event}` of `{job}`: {}", self.seen))
    }

    /// The lines that a job printed.
    pub(crate) fn output(&self, job: &str) -> Vec<&str> {
        let lines = self.events.iter().filter(|one| one["event"] == "job_output" && is_of(one, job));
        lines.map(|one| one["line"].as_str().expect("a line is text")).collect()
    }

    /// What it told, for people: what jobs printed, how they ended, and the errors.
    pub(crate) fn told(&self) -> String {
        let line = |event: &Value| match event["event"].as_str() {
            Some("job_output") => {
                Some(format!("{} | {}", path(event, event["job"].as_str()?), event["line"].as_str()?))
            }
            Some("job_finished") => Some(event.to_string()),
            _ => None,
        };
        let lines: Vec<String> = self.events.iter().filter_map(line).collect();
        format!("{}\n{}", lines.join("\n"), self.seen.stderr)
    }

    /// How the first attempt of a job ended.
    pub(crate) fn finished(&self, job: &str) -> &Value {
        &self.events[self.position("job_finished", job)]
    }
}

fn statuses(finished: &Value) -> impl Iterator<Item = (&str, &str)> {
    let jobs = finished["jobs"].as_object().expect("jobs are an object");
    jobs.iter().map(|(name, status)| (name.as_str(), status.as_str().expect("a status")))
}

fn is_of(event: &Value, job: &str) -> bool {
    event["job"].as_str().is_some_and(|name| path(event, name) == job)
}

fn path(event: &Value, job: &str) -> String {
    let pipeline = event["pipeline"].as_array().into_iter().flatten().filter_map(Value::as_str);
    pipeline.chain([job]).collect::<Vec<_>>().join("/")
}
