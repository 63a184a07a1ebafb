//! What a fixture is expected to do, and what of it did not come so.

use std::collections::BTreeSet;

use serde_json::Value;

use super::engine::Engine;
use crate::support::{Project, Run};

/// A fixture: what it shows, and what comes of running it.
pub(crate) struct Fixture {
    /// The folder below `fixtures`.
    pub(crate) name: &'static str,
    /// What it shows, in one line.
    pub(crate) shows: &'static str,
    /// What a copy of the folder lacks.
    pub(crate) prepare: fn(&Project),
    /// Makes what the machine needs for it; else says what is missing.
    pub(crate) needs: fn() -> Result<(), String>,
    /// The runs, one after the other in the same project.
    pub(crate) runs: Vec<Expected>,
}

impl Fixture {
    pub(crate) fn new(name: &'static str, shows: &'static str) -> Self {
        Self { name, shows, prepare: |_| (), needs: || Ok(()), runs: Vec::new() }
    }

    pub(crate) fn prepared(mut self, prepare: fn(&Project)) -> Self {
        self.prepare = prepare;
        self
    }

    pub(crate) fn needs(mut self, needs: fn() -> Result<(), String>) -> Self {
        self.needs = needs;
        self
    }

    pub(crate) fn run(mut self, expected: Expected) -> Self {
        self.runs.push(expected);
        self
    }
}

/// What is expected of one run.
pub(crate) struct Expected {
    /// What changes in the project before.
    pub(crate) change: fn(&Project),
    /// What stands behind `podline run`.
    pub(crate) arguments: Vec<&'static str>,
    /// The exit code.
    pub(crate) code: i32,
    /// All jobs, those of child pipelines as `child/job`.
    pub(crate) jobs: Vec<Job>,
    /// What stands on standard error.
    said: Vec<&'static str>,
    /// The most jobs at once.
    at_most: usize,
    /// Where it is another one on an engine: what, and why.
    differs: Vec<Different>,
}

/// Something else that is expected on an engine, and why.
struct Different {
    engine: Engine,
    why: &'static str,
    instead: fn() -> Expected,
}

/// A run that ends with this exit code.
pub(crate) fn exits(code: i32) -> Expected {
    Expected {
        change: |_| (),
        arguments: Vec::new(),
        code,
        jobs: Vec::new(),
        said: Vec::new(),
        at_most: 8,
        differs: Vec::new(),
    }
}

impl Expected {
    /// Changes something in the project first.
    pub(crate) fn changed(mut self, change: fn(&Project)) -> Self {
        self.change = change;
        self
    }

    pub(crate) fn with(mut self, arguments: &[&'static str]) -> Self {
        self.arguments = arguments.into();
        self
    }

    pub(crate) fn job(mut self, job: Job) -> Self {
        self.jobs.push(job);
        self
    }

    /// Jobs of which nothing but their success is of interest.
    pub(crate) fn succeed(mut self, names: &[&'static str]) -> Self {
        self.jobs.extend(names.iter().map(|name| success(name)));
        self
    }

    /// Stands on standard error.
    pub(crate) fn told(mut self, text: &'static str) -> Self {
        self.said.push(text);
        self
    }

    /// On this engine something else is expected, for this reason.
    pub(crate) fn differs(mut self, engine: Engine, why: &'static str, instead: fn() -> Self) -> Self {
        self.differs.push(Different { engine, why, instead });
        self
    }

    /// What is expected on an engine, and why it is not what is expected on others.
    pub(crate) fn on(mut self, engine: Engine) -> (Self, Option<&'static str>) {
        let differs = std::mem::take(&mut self.differs);
        match differs.into_iter().find(|it| it.engine == engine) {
            Some(other) => ((other.instead)(), Some(other.why)),
            None => (self, None),
        }
    }

    /// What a run did not do.
    pub(crate) fn missed(&self, run: &Run, project: &Project) -> Vec<String> {
        let mut missed = Missed::default();
        let code = run.seen.code;
        missed.unless(code == Some(self.code), || format!("exit code {} and not {code:?}", self.code));
        for text in &self.said {
            missed.unless(run.seen.stderr.contains(text), || format!("`{text}` on standard error"));
        }
        let seen: BTreeSet<(String, String)> = run.all_statuses().into_iter().collect();
        let wanted = self.jobs.iter().map(|job| (job.name.to_owned(), job.status.to_owned())).collect();
        for (name, status) in seen.difference(&wanted) {
            missed.0.push(format!("`{name}` is `{status}`, which was not expected"));
        }
        for (name, status) in wanted.difference(&seen) {
            missed.0.push(format!("`{name}` is not `{status}`"));
        }
        let most = most_at_once(run);
        missed.unless(most <= self.at_most, || format!("{most} jobs at once"));
        for job in &self.jobs {
            job.missed(run, project, &mut missed);
        }
        missed.0
    }
}

fn most_at_once(run: &Run) -> usize {
    let (mut running, mut most) = (0_usize, 0);
    // trigger jobs take no slot
    for event in
        run.events().iter().filter(|event| event["runner"] != Value::Null || event["event"] == "job_finished")
    {
        match event["event"].as_str() {
            Some("job_started") => running += 1,
            Some("job_finished") => running = running.saturating_sub(1),
            _ => {}
        }
        most = most.max(running);
    }
    most
}

#[derive(Default)]
pub(crate) struct Missed(Vec<String>);

impl Missed {
    fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }
}

/// What is expected of a job.
#[derive(Default)]
pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) status: &'static str,
    exit_code: Option<i64>,
    pub(crate) is_allowed: bool,
    reason: Option<&'static str>,
    says_of_failure: Vec<&'static str>,
    prints: Vec<&'static str>,
    says: Vec<&'static str>,
    never: Vec<&'static str>,
    after: Vec<&'static str>,
    beside: Vec<&'static str>,
    apart: Vec<&'static str>,
    ends_before: Option<&'static str>,
    attempts: Option<usize>,
    was: Option<&'static str>,
    leaves: Option<Vec<&'static str>>,
    tested: Option<(u64, u64)>,
    covered: Option<f64>,
}

pub(crate) fn success(name: &'static str) -> Job {
    Job { name, status: "success", ..Job::default() }
}

/// A job whose script ends with this exit code.
pub(crate) fn failed(name: &'static str, exit_code: i64) -> Job {
    Job { name, status: "failed", exit_code: Some(exit_code), ..Job::default() }
}

/// A job that fails for another reason than its script, in GitLab's word for it.
pub(crate) fn broken(name: &'static str, reason: &'static str) -> Job {
    Job { name, status: "failed", reason: Some(reason), ..Job::default() }
}

/// A job that does not run.
pub(crate) fn stays(name: &'static str, status: &'static str) -> Job {
    Job { name, status, ..Job::default() }
}

impl Job {
    /// Its failure is allowed.
    pub(crate) fn allowed(mut self) -> Self {
        self.is_allowed = true;
        self
    }

    /// The message or the help of its failure has this text.
    pub(crate) fn because(mut self, text: &'static str) -> Self {
        self.says_of_failure.push(text);
        self
    }

    /// It prints these lines in this order, others between them.
    pub(crate) fn prints(mut self, lines: &[&'static str]) -> Self {
        self.prints.extend(lines);
        self
    }

    /// A line of it has this text.
    pub(crate) fn says(mut self, text: &'static str) -> Self {
        self.says.push(text);
        self
    }

    /// It never prints this line.
    pub(crate) fn never(mut self, line: &'static str) -> Self {
        self.never.push(line);
        self
    }

    /// It starts after another one has ended.
    pub(crate) fn after(mut self, other: &'static str) -> Self {
        self.after.push(other);
        self
    }

    /// It starts before another one ends, and the other one before it ends.
    pub(crate) fn beside(mut self, other: &'static str) -> Self {
        self.beside.push(other);
        self
    }

    /// It never runs while another one does.
    pub(crate) fn apart(mut self, other: &'static str) -> Self {
        self.apart.push(other);
        self
    }

    /// It runs so many times.
    pub(crate) fn attempts(mut self, attempts: usize) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// It is in this status before it starts.
    pub(crate) fn was(mut self, status: &'static str) -> Self {
        self.was = Some(status);
        self
    }

    /// It ends before another one does.
    pub(crate) fn ends_before(mut self, other: &'static str) -> Self {
        self.ends_before = Some(other);
        self
    }

    /// Its artifacts are exactly these files and links.
    pub(crate) fn leaves(mut self, files: &[&'static str]) -> Self {
        self.leaves = Some(files.into());
        self
    }

    /// Its reports have so many tests, and so many of them failed.
    pub(crate) fn tested(mut self, total: u64, failed: u64) -> Self {
        self.tested = Some((total, failed));
        self
    }

    /// Its trace tells of this coverage, in percent.
    pub(crate) fn covered(mut self, percent: f64) -> Self {
        self.covered = Some(percent);
        self
    }

    fn missed(&self, run: &Run, project: &Project, missed: &mut Missed) {
        let name = self.name;
        let before = |one: (&str, &str), other: (&str, &str)| match (
            run.find(one.0, one.1),
            run.find(other.0, other.1),
        ) {
            (Some(one), Some(other)) => one < other,
            _ => false,
        };
        for other in &self.after {
            let holds = before(("job_finished", other), ("job_started", name));
            missed.unless(holds, || format!("`{name}` starts after `{other}`"));
        }
        if let Some(other) = self.ends_before {
            let holds = before(("job_finished", name), ("job_finished", other));
            missed.unless(holds, || format!("`{name}` ends before `{other}`"));
        }
        for other in &self.beside {
            let holds = before(("job_started", name), ("job_finished", other))
                && before(("job_started", other), ("job_finished", name));
            missed.unless(holds, || format!("`{name}` runs beside `{other}`"));
        }
        for other in &self.apart {
            let holds = before(("job_finished", name), ("job_started", other))
                || before(("job_finished", other), ("job_started", name));
            missed.unless(holds, || format!("`{name}` never runs beside `{other}`"));
        }
        if let Some(attempts) = self.attempts {
            let ran = run.of("job_started", name).count();
            missed.unless(ran == attempts, || format!("`{name}` runs {attempts} times and not {ran}"));
        }
        if let Some(status) = self.was {
            let holds = run.of("job_status", name).any(|event| event["status"] == status);
            missed.unless(holds, || format!("`{name}` is `{status}` before it starts"));
        }
        self.missed_failure(run, missed);
        self.missed_output(run, missed);
        if let Some(files) = &self.leaves {
            let left = artifacts(project, name);
            missed.unless(left == *files, || {
                format!("the artifacts of `{name}` are {files:?} and not {left:?}")
            });
        }
    }

    fn missed_failure(&self, run: &Run, missed: &mut Missed) {
        let name = self.name;
        // of the last attempt
        let Some(finished) = run.of("job_finished", name).last() else {
            missed.unless(!matches!(self.status, "success" | "failed"), || format!("`{name}` ends"));
            return;
        };
        if let Some(code) = self.exit_code {
            missed.unless(finished["exit_code"] == code, || {
                format!("the exit code of `{name}` is {code} and not {}", finished["exit_code"])
            });
        }
        if let Some((total, failed)) = self.tested {
            let tests = &finished["tests"];
            missed.unless(tests["total"] == total && tests["failed"] == failed, || {
                format!("`{name}` has {total} tests, {failed} of them failed, not {tests}")
            });
        }
        if let Some(percent) = self.covered {
            let seen = &finished["coverage"];
            missed.unless(*seen == percent, || format!("`{name}` covers {percent} % and not {seen}"));
        }
        let is_allowed = finished["allowed"] == true;
        missed.unless(self.is_allowed == is_allowed, || {
            format!("the failure of `{name}` is {}allowed", if is_allowed { "" } else { "not " })
        });
        let failure = &finished["failure"];
        if let Some(reason) = self.reason {
            missed.unless(failure["reason"] == reason, || {
                format!("`{name}` fails because of `{reason}` and not {}", failure["reason"])
            });
        }
        for text in &self.says_of_failure {
            let holds = ["message", "help"]
                .iter()
                .any(|key| failure[key].as_str().is_some_and(|said| said.contains(text)));
            missed.unless(holds, || format!("the failure of `{name}` says `{text}`, not {failure}"));
        }
    }

    fn missed_output(&self, run: &Run, missed: &mut Missed) {
        let name = self.name;
        let output = run.output(name);
        let mut rest = output.iter();
        for line in &self.prints {
            missed.unless(rest.any(|printed| printed == line), || {
                format!("`{name}` prints `{line}` in its turn")
            });
        }
        for text in &self.says {
            let holds = output.iter().any(|line| line.contains(text));
            missed.unless(holds, || format!("a line of `{name}` has `{text}`"));
        }
        for line in &self.never {
            missed.unless(!output.contains(line), || format!("`{name}` never prints `{line}`"));
        }
    }
}

/// The files and links that `podline artifacts JOB` gets out.
fn artifacts(project: &Project, job: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("got").display().to_string();
    project.podline(&["artifacts", job, "--output", &output]).run().expect(0);
    let entries = walkdir::WalkDir::new(&output).sort_by_file_name();
    let files = entries.into_iter().map(|entry| entry.expect("a folder can be read"));
    let files = files.filter(|entry| !entry.file_type().is_dir());
    files.map(|entry| entry.path().strip_prefix(&output).expect("below it").display().to_string()).collect()
}
