//! The end of a run: a table of its jobs, what it came to, and what to do next.

use std::path::PathBuf;
use std::time::Duration;

use super::model::{Job, Model, Stage};
use super::table::{Cell, Column, Fit, Table};
use super::theme::{Label, Look, Theme};
use super::{failure, junit, text};
use crate::event::{Finished, Status};

/// Up to this many jobs each have a row; of more, those that succeeded share one per stage.
const ROWS: usize = 40;

/// What the closing says that events do not.
#[derive(Debug, Clone, Default)]
pub struct Closing {
    /// The jobs that the length of the run came from, in order, with their durations.
    pub critical_path: Vec<(String, Duration)>,
    /// The folder of the traces.
    pub traces: Option<PathBuf>,
    /// Keywords that were accepted and not acted on.
    pub not_simulated: Vec<String>,
    /// Variables that had made-up values.
    pub dummies: Vec<String>,
    /// Commands that help now, with what they do.
    pub next: Vec<NextCommand>,
}

/// A command to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextCommand {
    /// As it is typed: `podline run --failed`.
    pub command: String,
    /// What it does, in a few words.
    pub what: String,
}

/// The lines of the closing.
pub fn lines(model: &Model, closing: &Closing, theme: &Theme, width: usize) -> Vec<String> {
    let mut lines = table(model).lines(theme, width);
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.extend(verdict(model, theme, width));
    lines.extend(facts(model, closing, theme, width));
    lines.extend(next(&closing.next, theme, width));
    lines
}

fn table(model: &Model) -> Table {
    let mut table = Table::new(vec![
        Column::new("stage").fit(Fit::End(8)).optional(4),
        Column::new("job").fit(Fit::Middle(14)),
        Column::new("status"),
        Column::new("time").right(),
        Column::new("memory").right().optional(3),
        Column::new("tries").right().optional(2),
        Column::new("exit").right().optional(1),
        Column::new("note").fit(Fit::End(16)).optional(5),
    ]);
    let folds = model.all_jobs().len() > ROWS;
    pipeline(&mut table, model, folds, 0);
    table
}

/// The rows of a pipeline, and of each child pipeline below the job that has started it.
fn pipeline(table: &mut Table, model: &Model, folds: bool, depth: usize) {
    let indent = "  ".repeat(depth);
    for stage in &model.stages {
        let mut first = true;
        let mut name = || {
            let name =
                if std::mem::take(&mut first) { format!("{indent}{}", stage.name) } else { String::new() };
            Cell::new(Label::Muted, name)
        };
        if folds && let Some(cells) = successes(model, stage, &indent) {
            table.row(std::iter::once(name()).chain(cells).collect());
        }
        for job in model.jobs_of(stage).filter(|job| !folds || has_row(job)) {
            table.row(std::iter::once(name()).chain(row(job, &indent)).collect());
            if let Some(child) = &job.child {
                pipeline(table, child, folds, depth + 1);
            }
        }
    }
}

/// Whether a job has a row where those that succeeded share one.
fn has_row(job: &Job) -> bool {
    job.look() != Look::Success || job.child.is_some()
}

fn row(job: &Job, indent: &str) -> [Cell; 7] {
    let (look, end) = (job.look(), job.end.as_deref());
    let time = job.time(Duration::ZERO).map_or_else(String::new, text::took);
    let attempts = if job.attempt > 1 { job.attempt.to_string() } else { String::new() };
    let exit = end.and_then(|end| end.exit_code).filter(|code| *code != 0);
    let note = match look {
        Look::Success => {
            let files = end.filter(|end| end.artifacts > 0).map(|end| {
                format!("{}, {}", text::count(end.artifacts, "artifact file"), text::size(end.artifact_bytes))
            });
            files.or_else(|| job.reason.clone())
        }
        _ => end.and_then(reason).or_else(|| job.reason.clone()),
    };
    let allowed = (look == Look::Allowed).then(|| "allowed to fail".to_owned());
    let note = allowed.into_iter().chain(note).chain(job.remark.clone()).collect::<Vec<_>>().join(": ");
    let coverage = end.and_then(|end| end.coverage).map(|percent| format!("{percent}% covered"));
    let tests = end.and_then(|end| end.tests.as_ref()).and_then(junit::sum);
    let note = tests.into_iter().chain(coverage).chain(Some(note).filter(|note| !note.is_empty()));
    let note = note.collect::<Vec<_>>().join(", ");
    [
        Cell::text(format!("{indent}{}", job.name)),
        Cell::status(look),
        Cell::text(time),
        Cell::text(end.and_then(|end| end.memory).map_or_else(String::new, text::bytes)),
        Cell::text(attempts),
        Cell::text(exit.map_or_else(String::new, |code| code.to_string())),
        Cell::new(Label::Muted, note),
    ]
}

/// Why an attempt failed, where its exit code does not say it all.
fn reason(end: &Finished) -> Option<String> {
    failure::outcome(end).filter(|_| end.failure.is_some() && !failure::is_plain(end))
}

/// One row for all jobs of a stage that succeeded.
fn successes(model: &Model, stage: &Stage, indent: &str) -> Option<[Cell; 7]> {
    let mut good = model.jobs_of(stage).filter(|job| !has_row(job));
    let count = good.clone().count();
    if count == 1 {
        return good.next().map(|job| row(job, indent));
    }
    let span = stage.started.zip(stage.ended).map(|(started, ended)| ended.saturating_sub(started));
    (count > 0).then(|| {
        [
            Cell::new(Label::Muted, format!("{indent}{}", text::count(count, "job"))),
            Cell::status(Look::Success),
            Cell::text(span.map_or_else(String::new, text::took)),
            Cell::text(""),
            Cell::text(""),
            Cell::text(""),
            Cell::text(""),
        ]
    })
}

/// `✖ pipeline failed in 1m50s: 4 succeeded, 1 failed`.
fn verdict(model: &Model, theme: &Theme, width: usize) -> Vec<String> {
    let Some((status, took)) = model.end else {
        return Vec::new();
    };
    let look = Look::of(status, false);
    let word = match status {
        Status::Success => "succeeded",
        Status::Manual => "waits for a manual job",
        _ => look.word(),
    };
    let counts = model.counts();
    let good = (counts.success > 0).then(|| format!("{} succeeded", counts.success));
    let all: Vec<_> = good.into_iter().chain(counts.unusual().into_iter().map(|(_, words)| words)).collect();
    let head = format!("{} ", theme.mark(look));
    let line = theme.paint(look.label(), format!("pipeline {word}"));
    let counts = all.iter().map(|words| words.replace(' ', "\u{a0}")).collect::<Vec<_>>().join(", ");
    let line = format!("{head}{line} after {}: {counts}", text::took(took));
    // A number stays with its word.
    text::wrap_painted(&line, width).into_iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

fn facts(model: &Model, closing: &Closing, theme: &Theme, width: usize) -> Vec<String> {
    let step = |(job, took): &(String, Duration)| format!("{} {}", text::bare(job), text::took(*took));
    let path: Vec<_> = closing.critical_path.iter().map(step).collect();
    let jobs = model.all_jobs();
    let held =
        jobs.iter().filter(|(_, job)| job.look() == Look::Manual).map(|(path, job)| match &job.reason {
            Some(reason) => format!("{path} ({reason})"),
            None => path.clone(),
        });
    let traces = closing.traces.as_ref().map(|traces| traces.display().to_string());
    let facts = [
        ("critical path", path.join(theme.arrow())),
        ("not started", held.collect::<Vec<_>>().join(", ")),
        ("not simulated", closing.not_simulated.join(", ")),
        ("made-up values", closing.dummies.join(", ")),
        ("traces", traces.unwrap_or_default()),
    ];
    let facts = facts.into_iter().filter(|(_, fact)| !fact.is_empty());
    let line = |(name, fact): (&str, String)| {
        let head = theme.paint(Label::Muted, text::pad(&format!("  {name}"), 18));
        text::hang(&head, &fact, width)
    };
    facts.flat_map(line).collect()
}

fn next(commands: &[NextCommand], theme: &Theme, width: usize) -> Vec<String> {
    if commands.is_empty() {
        return Vec::new();
    }
    let longest = commands.iter().map(|next| text::width(&next.command)).max().unwrap_or(0);
    let line = |next: &NextCommand| {
        let command = theme.paint(Label::Help, text::pad(&next.command, longest));
        let what = theme.paint(Label::Muted, &next.what);
        let line = format!("  {command}  {what}");
        if text::width(&line) <= width {
            line
        } else {
            format!("  {}", theme.paint(Label::Help, &next.command))
        }
    };
    std::iter::once(String::new()).chain(commands.iter().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::script;

    fn closing() -> Closing {
        let seconds = Duration::from_secs_f64;
        Closing {
            critical_path: vec![("compile".into(), seconds(34.8)), ("bench".into(), seconds(51.0))],
            traces: Some(".podline/runs/7".into()),
            not_simulated: vec!["`release`".into(), "`id_tokens`".into()],
            dummies: vec!["CI_JOB_TOKEN".into(), "CI_REGISTRY_PASSWORD".into()],
            next: vec![
                NextCommand { command: "podline log e2e".into(), what: "the whole trace".into() },
                NextCommand {
                    command: "podline run --failed".into(),
                    what: "only what failed, again".into(),
                },
                NextCommand {
                    command: "podline run --deploy production".into(),
                    what: "play the held job".into(),
                },
            ],
        }
    }

    #[test]
    fn a_run_of_every_ending_at_40_80_and_200_columns() {
        let model = script::model(&script::mixed());
        for width in [40, 80, 200] {
            let lines = lines(&model, &closing(), &Theme::PLAIN, width);
            assert!(lines.iter().all(|line| text::width(line) <= width), "{lines:#?}");
            insta::assert_snapshot!(format!("summary_{width}"), lines.join("\n"));
        }
    }

    #[test]
    fn a_run_in_colour() {
        let lines =
            lines(&script::model(&script::mixed()), &closing(), &Theme { color: true, unicode: true }, 80);
        insta::assert_snapshot!("summary_colour", lines.join("\n").replace('\u{1b}', "␛"));
    }

    #[test]
    fn of_a_hundred_jobs_only_the_unusual_have_rows() {
        let mut model = script::model(&script::hundred());
        model.end = Some((Status::Failed, Duration::from_secs(80)));
        insta::assert_snapshot!(
            "summary_hundred",
            lines(&model, &Closing::default(), &Theme::PLAIN, 80).join("\n")
        );
    }
}
