//! The rows of jobs in the live view.

use std::time::Duration;

use super::{Branch, LATEST, SMALL, View, done};
use crate::event::{Phase, Status, Usage};
use crate::report::model::Job;
use crate::report::theme::{Label, Look};
use crate::report::{failure, text};

/// From this width on there is room for how long a job usually takes.
const WIDE: usize = 60;
/// A job is late that takes twice as long as it usually does, and so much longer.
const LATE: Duration = Duration::from_secs(10);
/// From this width on there is room for what a job uses.
const ROOMY: usize = 100;
/// From this share of its limit on, in percent, the memory of a job comes to an end.
const FULL_MEMORY: u64 = 90;
/// Columns of what a job uses, so that the rows stand still.
const USED: usize = 22;

impl View<'_> {
    pub(super) fn job(&self, branch: Branch<'_>, job: &Job) -> String {
        match job.look() {
            Look::Running => self.running(branch, job),
            Look::Waiting => self.row(
                &self.job_indent(branch, job),
                &self.theme.mark(Look::Waiting),
                (Label::Text, &job.name),
                None,
                &[(Label::Muted, waits(branch, job, true).split_off(job.name.len()).trim().to_owned())],
            ),
            _ => self.done(branch, job),
        }
    }

    pub(super) fn running(&self, branch: Branch<'_>, job: &Job) -> String {
        let attempt = (job.attempt > 1).then(|| format!("attempt {}", job.attempt));
        let (phase, line) = match (job.phase, &job.last_line) {
            (Some(Phase::Script) | None, Some(line)) => (None, Some(line.trim().to_owned())),
            (phase, _) => (phase.and_then(words), None),
        };
        let child = job.runner.is_none().then(|| match &job.child {
            Some(child) => done(&child.counts()),
            None => "creating the child pipeline".to_owned(),
        });
        let notes: Vec<_> = attempt.into_iter().chain(phase.map(str::to_owned)).chain(child).collect();
        let mut detail: Vec<_> = self.usual(branch, job).into_iter().chain(self.usage(job)).collect();
        detail.push((Label::Running, notes.join(", ")));
        detail.extend(line.map(|line| (Label::Muted, line)));
        self.row(
            &self.job_indent(branch, job),
            &self.spinner(),
            (Label::Text, &job.name),
            job.time(self.now).map(text::elapsed),
            &detail,
        )
    }

    /// How long a job usually takes, where there is room to say it; one that takes much longer stands out.
    fn usual(&self, branch: Branch<'_>, job: &Job) -> Option<(Label, String)> {
        let usual = *self.model.usual.get(&job.name).filter(|_| branch.depth == 0 && self.width >= WIDE)?;
        let is_late = job.time(self.now).is_some_and(|time| time > usual * 2 && time > usual + LATE);
        let label = if is_late { Label::Warning } else { Label::Muted };
        Some((label, format!("of {}", text::elapsed(usual))))
    }

    /// What a job uses of what it may; where there is little room, only that its memory comes to an end.
    fn usage(&self, job: &Job) -> Option<(Label, String)> {
        let usage = job.usage.unwrap_or_default();
        let share = usage.memory.zip(usage.memory_limit).map(|(memory, limit)| memory * 100 / limit.max(1));
        let is_full = share.is_some_and(|share| share >= FULL_MEMORY);
        let label = if is_full { Label::Warning } else { Label::Muted };
        if self.width >= ROOMY {
            return self.measures.then(|| (label, used(&usage)));
        }
        share.filter(|_| is_full && self.width >= WIDE).map(|share| (label, format!("memory {share}%")))
    }

    pub(super) fn done(&self, branch: Branch<'_>, job: &Job) -> String {
        let look = job.look();
        let outcome = job.end.as_deref().and_then(failure::outcome).or_else(|| job.reason.clone());
        let words = match look {
            Look::Success => outcome.unwrap_or_default(),
            _ => outcome.unwrap_or_else(|| look.word().to_owned()),
        };
        let label = if look == Look::Failed { Label::Failure } else { Label::Muted };
        self.row(
            &self.job_indent(branch, job),
            &self.theme.mark(look),
            (Label::Text, &job.name),
            job.time(self.now).map(text::took),
            &[(label, words)],
        )
    }

    pub(super) fn waiting<'j>(
        &self,
        branch: Branch<'_>,
        jobs: impl Iterator<Item = &'j Job> + Clone,
    ) -> String {
        let count = jobs.clone().count();
        let slot = jobs.clone().filter(|job| job.status == Status::Pending).count();
        let line = if slot == count && count > LATEST {
            format!("{count} waiting for a slot")
        } else {
            let names: Vec<_> = jobs.take(SMALL).map(|job| waits(branch, job, count <= LATEST)).collect();
            let more = if count > SMALL { ", …" } else { "" };
            format!("{count} waiting: {}{more}", names.join(", "))
        };
        self.aside(branch, &format!("{} {line}", self.theme.symbol(Look::Waiting)))
    }
}

/// The name of a waiting job, and where there is room for it what it waits for.
fn waits(branch: Branch<'_>, job: &Job, full: bool) -> String {
    let needs = job.needs.iter().flatten().filter_map(|need| branch.model.jobs.get(need));
    let needs: Vec<_> = needs.filter(|need| !need.is_done()).map(|need| need.name.as_str()).collect();
    match needs.as_slice() {
        needs if full && !needs.is_empty() => format!("{} (needs {})", job.name, needs.join(", ")),
        _ => job.name.clone(),
    }
}

/// CPUs and memory of their limits: `0.9/1 cpu  412Mi/1Gi`.
fn used(usage: &Usage) -> String {
    let of = |used: Option<String>, limit: Option<String>| {
        let limit = limit.map_or_else(String::new, |limit| format!("/{limit}"));
        used.map(|used| format!("{used}{limit}"))
    };
    let cpu = of(usage.cpu.map(|cpu| format!("{cpu:.1}")), usage.cpu_limit.map(|limit| limit.to_string()));
    let memory = of(usage.memory.map(text::bytes), usage.memory_limit.map(text::bytes));
    let cpu = cpu.map(|cpu| format!("{cpu} cpu"));
    let words = cpu.into_iter().chain(memory).collect::<Vec<_>>().join("  ");
    text::pad(&words, USED)
}

/// What a job does in a phase; the script says that itself.
pub(in crate::report) fn words(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Preparing => Some("preparing the pod"),
        Phase::Pulling => Some("pulling the image"),
        Phase::Sources => Some("getting sources"),
        Phase::Script => None,
        Phase::AfterScript => Some("after_script"),
        Phase::Uploading => Some("saving artifacts"),
    }
}
