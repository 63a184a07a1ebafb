//! What the live view shows at a moment: a pure function from the model to lines.
//!
//! A stage that is over or has not begun is one line, one that runs is a line and its jobs. When that is
//! more than the terminal has, the view says less, step by step, until it fits.

mod foot;
mod job;

use std::time::Duration;

pub(in crate::report) use job::words;

use super::keys::Hand;
use super::model::{Counts, Job, Model, Stage};
use super::text;
use super::theme::{Label, Look, Theme};

/// A stage of at most this many jobs lists those that are done while it runs.
const SMALL: usize = 12;
/// A larger one lists this many of them, the latest.
const LATEST: usize = 3;
/// At most this many setup steps are listed.
const SETUPS: usize = 4;
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
    /// Whether the engine tells what jobs use.
    measures: bool,
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
        let measures = model.all_jobs().iter().any(|(_, job)| job.usage.is_some());
        Self { model, theme, width, names, now, hand: &NO_HAND, chosen: None, measures }
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

    fn aside(&self, branch: Branch<'_>, line: &str) -> String {
        let line = format!("{}{line}", branch.job_indent());
        self.theme.paint(Label::Muted, text::cut(&line, self.width, self.theme))
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

#[cfg(test)]
mod tests;
