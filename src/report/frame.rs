//! What the live view shows at a moment: a pure function from the model to lines.
//!
//! A stage that is over or has not begun is one line, one that runs is a line and its jobs. When that is
//! more than the terminal has, the view says less, step by step, until it fits.

use std::time::Duration;

use super::keys::{Act, Hand};
use super::model::{Counts, Job, Model, Stage};
use super::text;
use super::theme::{Label, Look, Theme};
use crate::event::{Phase, Status};

/// A stage of at most this many jobs lists those that are done while it runs.
const SMALL: usize = 12;
/// A larger one lists this many of them, the latest.
const LATEST: usize = 3;
/// At most this many setup steps are listed.
const SETUPS: usize = 4;
/// From this width on there is room for how long a job usually takes.
const WIDE: usize = 60;
/// A job is late that takes twice as long as it usually does, and so much longer.
const LATE: Duration = Duration::from_secs(10);
/// A child pipeline is this many columns further to the right than its parent.
const CHILD: usize = 4;

/// How much is shown.
#[derive(Debug, Clone, Copy)]
struct Detail {
    /// How many done jobs of a large stage.
    done: usize,
    /// How many done jobs of a small one.
    done_small: usize,
    /// How many running jobs over all stages.
    running: usize,
    /// Whether waiting jobs have a line.
    waiting: bool,
    /// Whether stages that do not run have lines of their own.
    stages: bool,
    /// Whether empty lines set the view and its totals apart.
    air: bool,
}

const FULL: Detail =
    Detail { done: LATEST, done_small: SMALL, running: usize::MAX, waiting: true, stages: true, air: true };

/// The lines of the view: none wider than `width`, fewer than `height`, so that the cursor has its line.
pub fn frame(
    model: &Model,
    theme: &Theme,
    width: usize,
    height: usize,
    now: Duration,
    hand: &Hand,
) -> Vec<String> {
    let room = height.saturating_sub(1).max(1);
    let view = View { hand, chosen: chosen(model, hand), ..View::new(model, theme, width, now) };
    let less = [
        FULL,
        Detail { done_small: LATEST, ..FULL },
        Detail { done_small: 0, done: 0, air: false, ..FULL },
        Detail { done_small: 0, done: 0, air: false, waiting: false, ..FULL },
        Detail { done_small: 0, done: 0, air: false, waiting: false, stages: false, ..FULL },
    ];
    let smallest = less[less.len() - 1];
    let fewer = (0..model.counts().running).rev().map(|running| Detail { running, ..smallest });
    let mut lines = Vec::new();
    for detail in less.into_iter().chain(fewer) {
        lines = view.lines(detail);
        if lines.len() <= room {
            return lines;
        }
    }
    lines.split_off(lines.len() - room)
}

struct View<'v> {
    model: &'v Model,
    theme: &'v Theme,
    width: usize,
    /// Columns of the names, with the indent of jobs.
    names: usize,
    now: Duration,
    hand: &'v Hand,
    /// The job that keys are about.
    chosen: Option<(String, &'v Job)>,
}

/// Of a view that no keys are read for.
static NO_HAND: Hand = Hand { is_there: false, chosen: None, help: false };

fn chosen<'m>(model: &'m Model, hand: &Hand) -> Option<(String, &'m Job)> {
    let chosen = hand.chosen.as_ref()?;
    model.all_jobs().into_iter().find(|(path, _)| path == chosen)
}

impl<'v> View<'v> {
    fn new(model: &'v Model, theme: &'v Theme, width: usize, now: Duration) -> Self {
        let longest = longest(model, 0);
        let names = longest.min(width * 2 / 5).min(48);
        Self { model, theme, width, names, now, hand: &NO_HAND, chosen: None }
    }

    fn lines(&self, detail: Detail) -> Vec<String> {
        let mut lines = if detail.air { vec![String::new()] } else { Vec::new() };
        lines.extend(self.setup());
        let mut running = detail.running;
        lines.extend(self.pipeline(Branch { model: self.model, depth: 0 }, detail, &mut running));
        if detail.air && !self.model.jobs.is_empty() {
            lines.push(String::new());
        }
        lines.extend(self.totals());
        lines.extend(self.footer());
        lines
    }

    /// What keys do now: nothing is said of them until somebody asks or is asked.
    fn footer(&self) -> Vec<String> {
        if !self.hand.is_there {
            return Vec::new();
        }
        let act = |act: &Act| format!("{} {}", act.letter(), act.word());
        let mut lines = Vec::new();
        if !self.model.blocked.is_empty() {
            let jobs = self.model.blocked.iter().map(|job| text::bare(job)).collect::<Vec<_>>().join(", ");
            let wait = format!("waiting for you to start {jobs}: p starts it, q ends the run");
            lines.push((Label::Manual, wait));
        }
        if let Some((path, job)) = &self.chosen {
            let acts: Vec<_> = Act::suiting(path, job).iter().map(act).collect();
            let acts =
                if acts.is_empty() { "nothing to do".to_owned() } else { acts.join(self.theme.separator()) };
            lines.push((Label::Help, format!("{}: {acts}", text::bare(path))));
        }
        if self.hand.help {
            let arrows = if self.theme.unicode { "↑↓" } else { "j k" };
            let keys = [format!("{arrows} choose a job")].into_iter().chain(Act::ALL.iter().map(act));
            let keys: Vec<_> = keys.chain(["q end the run".to_owned()]).collect();
            lines.push((Label::Muted, keys.join(self.theme.separator())));
        }
        let (theme, width) = (self.theme, self.width);
        let wrapped = move |(label, line): (Label, String)| {
            text::wrap(&line, width).into_iter().map(move |line| theme.paint(label, line))
        };
        lines.into_iter().flat_map(wrapped).collect()
    }

    fn is_chosen(&self, job: &Job) -> bool {
        self.chosen.as_ref().is_some_and(|(_, chosen)| std::ptr::eq(*chosen, job))
    }

    /// What stands before a job; the chosen one is pointed at.
    fn job_indent(&self, branch: Branch<'_>, job: &Job) -> String {
        let indent = branch.job_indent();
        if self.is_chosen(job) {
            format!("{}{} ", &indent[2..], self.theme.paint(Label::Strong, self.theme.pointer()))
        } else {
            indent
        }
    }

    /// The stages of a pipeline; where something goes on, with their jobs and the child pipelines of these.
    fn pipeline(&self, branch: Branch<'_>, detail: Detail, running: &mut usize) -> Vec<String> {
        let mut lines = Vec::new();
        let mut folded = Folded::default();
        for stage in &branch.model.stages {
            let counts = Counts::of(branch.model.jobs_of(stage));
            if counts.look() == Look::Running || branch.model.jobs_of(stage).any(Job::has_moving_child) {
                lines.push(self.stage(branch, stage, &counts));
                lines.extend(self.jobs(branch, stage, &counts, detail, running));
            } else if detail.stages {
                lines.push(self.stage(branch, stage, &counts));
                let chosen = branch.model.jobs_of(stage).find(|job| self.is_chosen(job));
                lines.extend(chosen.map(|job| self.job(branch, job)));
            } else {
                folded.add(&counts);
            }
        }
        let folded = folded.line().map(|line| format!("{}{line}", branch.indent()));
        lines.extend(
            folded.map(|line| self.theme.paint(Label::Muted, text::cut(&line, self.width, self.theme))),
        );
        lines
    }

    fn setup(&self) -> Vec<String> {
        let steps: Vec<_> = self.model.setup.iter().filter(|setup| setup.took.is_none()).collect();
        let line = |setup: &&super::model::Setup| {
            let time = text::elapsed(self.now.saturating_sub(setup.started));
            let room = self.width.saturating_sub(text::width(&time) + 4);
            let step = text::cut(&setup.step, room, self.theme);
            format!("{} {step}  {}", self.spinner(), self.theme.paint(Label::Muted, time))
        };
        let mut lines: Vec<_> = steps.iter().take(SETUPS).map(line).collect();
        if steps.len() > SETUPS {
            let more = format!("  {} {} more", self.theme.ellipsis(), steps.len() - SETUPS);
            lines.push(self.theme.paint(Label::Muted, more));
        }
        lines
    }

    fn stage(&self, branch: Branch<'_>, stage: &Stage, counts: &Counts) -> String {
        let look = counts.look();
        let time = match (look, stage.started, stage.ended) {
            (Look::Running, Some(started), _) => Some(text::elapsed(self.now.saturating_sub(started))),
            (_, Some(started), Some(ended)) => Some(text::took(ended.saturating_sub(started))),
            _ => None,
        };
        let mark = if counts.running > 0 { self.theme.mark(Look::Running) } else { self.theme.mark(look) };
        let label = if look == Look::Waiting { Label::Muted } else { Label::Strong };
        self.row(
            &branch.indent(),
            &mark,
            (label, &text::bare(&stage.name)),
            time,
            &[(Label::Muted, self.stage_detail(branch, stage, counts, look))],
        )
    }

    fn stage_detail(&self, branch: Branch<'_>, stage: &Stage, counts: &Counts, look: Look) -> String {
        if look == Look::Running {
            return done(counts);
        }
        if counts.success == counts.total || counts.waiting == counts.total {
            let names: Vec<_> = branch.model.jobs_of(stage).map(|job| job.name.as_str()).collect();
            let names = names.join(", ");
            let jobs = text::count(counts.total, "job");
            return if counts.total <= SMALL && text::width(&names) <= self.detail_room() {
                names
            } else {
                jobs
            };
        }
        let good = (counts.success > 0).then(|| format!("{} succeeded", counts.success));
        let others = counts.unusual().into_iter().map(|(_, words)| words);
        good.into_iter().chain(others).collect::<Vec<_>>().join(", ")
    }

    fn jobs(
        &self,
        branch: Branch<'_>,
        stage: &Stage,
        counts: &Counts,
        detail: Detail,
        running: &mut usize,
    ) -> Vec<String> {
        let jobs = branch.model.jobs_of(stage);
        let most = if counts.total <= SMALL { detail.done_small } else { detail.done };
        let since = latest(jobs.clone(), most);
        let (mut lines, mut hidden) = (Vec::new(), 0);
        for job in jobs.clone() {
            match job.look() {
                Look::Running if *running > 0 => {
                    *running -= 1;
                    lines.push(self.running(branch, job));
                }
                _ if self.is_chosen(job) => lines.push(self.job(branch, job)),
                Look::Running => hidden += 1,
                Look::Waiting => {}
                _ if counts.total <= most
                    || job.has_moving_child()
                    || job.ended.is_some_and(|ended| Some(ended) >= since && most > 0) =>
                {
                    lines.push(self.done(branch, job));
                }
                _ => {}
            }
            if let Some(child) = job.child.as_ref().filter(|child| child.is_moving()) {
                let child = Branch { model: child, depth: branch.depth + 1 };
                lines.extend(self.pipeline(child, detail, running));
            }
        }
        if hidden > 0 {
            lines.push(self.aside(branch, &format!("{} {hidden} more running", self.theme.ellipsis())));
        }
        if detail.waiting && counts.waiting > 0 {
            lines.push(self.waiting(branch, jobs.filter(|job| job.look() == Look::Waiting)));
        }
        lines
    }

    fn job(&self, branch: Branch<'_>, job: &Job) -> String {
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

    fn running(&self, branch: Branch<'_>, job: &Job) -> String {
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
        let mut detail: Vec<_> = self.usual(branch, job).into_iter().collect();
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

    fn done(&self, branch: Branch<'_>, job: &Job) -> String {
        let look = job.look();
        let outcome = job.end.as_deref().and_then(super::failure::outcome).or_else(|| job.reason.clone());
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

    fn waiting<'j>(&self, branch: Branch<'_>, jobs: impl Iterator<Item = &'j Job> + Clone) -> String {
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

    fn aside(&self, branch: Branch<'_>, line: &str) -> String {
        let line = format!("{}{line}", branch.job_indent());
        self.theme.paint(Label::Muted, text::cut(&line, self.width, self.theme))
    }

    fn totals(&self) -> Vec<String> {
        if self.model.jobs.is_empty() {
            return Vec::new();
        }
        let counts = self.model.counts();
        let since = self.now.saturating_sub(self.model.started.unwrap_or(self.now));
        let mut parts = vec![done(&counts), text::elapsed(since)];
        let failed =
            counts.unusual().into_iter().filter(|(look, _)| matches!(look, Look::Failed | Look::Allowed));
        parts.extend(failed.map(|(_, words)| words));
        parts.extend((counts.running > 0).then(|| format!("{} running", counts.running)));
        parts.extend((counts.waiting > 0).then(|| format!("{} waiting", counts.waiting)));
        parts.extend((self.hand.is_there && !self.hand.help).then(|| "? keys".to_owned()));
        let line = text::cut(&parts.join(self.theme.separator()), self.width, self.theme);
        let label = if counts.failed > 0 { Label::Failure } else { Label::Strong };
        let canceling = self.model.canceling.as_ref().map(|message| {
            self.theme
                .paint(Label::Warning, text::cut(&format!("canceling: {message}"), self.width, self.theme))
        });
        std::iter::once(self.theme.paint(label, line)).chain(canceling).collect()
    }

    fn spinner(&self) -> String {
        self.theme.paint(Label::Running, self.theme.spinner(self.now.as_millis() / 100))
    }

    /// Columns left of a row for its detail.
    fn detail_room(&self) -> usize {
        self.width.saturating_sub(self.names + 12)
    }

    fn row(
        &self,
        indent: &str,
        mark: &str,
        (label, name): (Label, &str),
        time: Option<String>,
        detail: &[(Label, String)],
    ) -> String {
        let columns = self.names - text::width(indent).min(self.names);
        let name = text::pad(&text::cut_middle(name, columns, self.theme), columns);
        let time = text::pad_left(&time.unwrap_or_default(), 6);
        let mut line = format!(
            "{indent}{mark} {} {}",
            self.theme.paint(label, name),
            self.theme.paint(Label::Muted, time)
        );
        let mut room = self.detail_room();
        for (label, words) in detail.iter().filter(|(_, words)| !words.is_empty()) {
            let words = text::cut(words, room, self.theme);
            room = room.saturating_sub(text::width(&words) + 2);
            line = format!("{line}  {}", self.theme.paint(*label, words));
        }
        line.trim_end().to_owned()
    }
}

/// A pipeline that is shown, and how many trigger jobs lead to it.
#[derive(Clone, Copy)]
struct Branch<'b> {
    model: &'b Model,
    depth: usize,
}

impl Branch<'_> {
    /// What stands before a stage.
    fn indent(self) -> String {
        " ".repeat(CHILD * self.depth)
    }

    /// What stands before a job.
    fn job_indent(self) -> String {
        " ".repeat(CHILD * self.depth + 2)
    }
}

/// Columns of the longest name with its indent.
fn longest(model: &Model, depth: usize) -> usize {
    let stages = model.stages.iter().map(|stage| CHILD * depth + text::width(&stage.name));
    let jobs = model.jobs.values().map(|job| {
        let inner = job.child.as_ref().map_or(0, |child| longest(child, depth + 1));
        inner.max(CHILD * depth + 2 + text::width(&job.name))
    });
    stages.chain(jobs).max().unwrap_or(0)
}

fn done(counts: &Counts) -> String {
    format!("{} of {} done", counts.done(), counts.total)
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

/// Stages that share one line.
#[derive(Default)]
struct Folded {
    done: usize,
    waiting: usize,
}

impl Folded {
    fn add(&mut self, counts: &Counts) {
        *if counts.look() == Look::Waiting { &mut self.waiting } else { &mut self.done } += 1;
    }

    fn line(&self) -> Option<String> {
        let parts =
            [(self.done, "done"), (self.waiting, "waiting")].into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> =
            parts.map(|(count, word)| format!("{} {word}", text::count(count, "stage"))).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// When the earliest of the `most` latest ended.
fn latest<'j>(jobs: impl Iterator<Item = &'j Job>, most: usize) -> Option<Duration> {
    let mut ends: Vec<_> = jobs.filter(|job| job.is_done()).filter_map(|job| job.ended).collect();
    ends.sort_unstable();
    ends.get(ends.len().saturating_sub(most)).copied()
}

/// What a job does in a phase; the script says that itself.
pub(super) fn words(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Preparing => Some("preparing the pod"),
        Phase::Pulling => Some("pulling the image"),
        Phase::Sources => Some("getting sources"),
        Phase::Script => None,
        Phase::AfterScript => Some("after_script"),
        Phase::Uploading => Some("saving artifacts"),
    }
}

#[cfg(test)]
mod tests;
