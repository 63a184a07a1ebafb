//! One plain line per event, where there is no terminal: for the logs of CI services, pipes and files.

use super::model::Model;
use super::text;
use super::theme::{Label, Look, Theme};
use super::{demo, failure, frame, junit};
use crate::event::{Event, Finished, Phase, Status};

/// Names in front of output are filled up to at most this many columns.
const NAMES: usize = 20;

/// The lines of an event; `model` has it already. What is said to who looks on is broken at `width`.
pub fn lines(event: &Event, model: &Model, theme: &Theme, width: usize) -> Vec<String> {
    match event {
        Event::Downstream { pipeline, event } => downstream(pipeline, event, model, theme, width),
        Event::PipelineStarted(_) => vec![title(model, theme)],
        Event::SetupStarted { step } => vec![format!("{step} ...")],
        Event::SetupFinished { step, took } => vec![format!("{step}: done in {}", text::took(*took))],
        Event::Notice { message } => vec![format!("note: {message}")],
        Event::Upcoming(upcoming) => demo::upcoming(upcoming, theme, width),
        Event::Request { message, command } => demo::request(message, command.as_deref(), theme, width),
        Event::JobStarted { job, attempt, runner } => {
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            let on = runner.as_ref().map_or_else(String::new, |runner| format!(" on {runner}"));
            vec![format!("{} started{on}{again}", name(job, theme))]
        }
        Event::JobPhase { job, phase: Phase::Pulling } => {
            vec![format!("{} {}", name(job, theme), frame::words(Phase::Pulling).unwrap_or_default())]
        }
        Event::JobPhase { .. } | Event::JobUsage { .. } => Vec::new(),
        Event::JobRemark { job, message } => vec![format!("{} note: {message}", name(job, theme))],
        Event::JobOutput { job, line } => output(job, line, model, theme).into_iter().collect(),
        Event::JobStatus { job, status, reason } => {
            status_line(job, *status, reason.as_deref(), theme).into_iter().collect()
        }
        Event::JobFinished(finished) => end(finished, theme),
        Event::Canceling { message } => vec![theme.paint(Label::Warning, format!("canceling: {message}"))],
        Event::Blocked { jobs } => {
            let jobs = jobs.iter().map(|job| text::bare(job)).collect::<Vec<_>>().join(", ");
            vec![format!("waiting for somebody to start: {jobs}")]
        }
        // The jobs have said it.
        Event::StageFinished { .. } | Event::PipelineFinished { .. } => Vec::new(),
    }
}

/// What happens in a child pipeline, its jobs called `child/job`.
fn downstream(pipeline: &[String], event: &Event, model: &Model, theme: &Theme, width: usize) -> Vec<String> {
    let path = name(&pipeline.join("/"), theme);
    match event {
        Event::PipelineStarted(outline) => {
            let jobs = text::count(outline.jobs.len(), "job");
            let stages = text::count(outline.stages.len(), "stage");
            vec![format!("{path} {}: {jobs} in {stages}", text::bare(&outline.title))]
        }
        Event::Notice { message } => vec![format!("{path} note: {message}")],
        event => lines(&event.clone().below(pipeline), model, theme, width),
    }
}

/// What the run is: `push to main, 5f2c01ab: 10 jobs in 4 stages on kind, 8 pods at once`.
pub(super) fn title(model: &Model, theme: &Theme) -> String {
    let title = match &model.name {
        Some(name) => format!("{} ({})", model.title, text::bare(name)),
        None => model.title.clone(),
    };
    let jobs = text::count(model.jobs.len(), "job");
    let stages = text::count(model.stages.len(), "stage");
    let pods = text::count(model.slots, "pod");
    let rest = format!("{jobs} in {stages} on {}, {pods} at once", model.engine);
    format!("{}: {rest}", theme.paint(Label::Strong, title))
}

fn name(job: &str, theme: &Theme) -> String {
    theme.paint(Label::Strong, format!("[{}]", text::bare(job)))
}

/// `build | cargo build`. Lines that show nothing, as GitLab's marks for the end of a section, are left out.
fn output(job: &str, line: &str, model: &Model, theme: &Theme) -> Option<String> {
    let shown = failure::show(line, theme);
    if !line.is_empty() && text::bare(line).is_empty() {
        return None;
    }
    let name = text::pad(&text::bare(job), model.longest_name.min(NAMES));
    Some(format!("{} {shown}", theme.paint(Label::Muted, format!("{name} |"))).trim_end().to_owned())
}

/// States on the way to running are left out: the start says enough.
fn status_line(job: &str, status: Status, reason: Option<&str>, theme: &Theme) -> Option<String> {
    let look = Look::of(status, false);
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let word = theme.paint(look.label(), look.word());
    let waits = matches!(look, Look::Waiting | Look::Running);
    (!waits || !reason.is_empty()).then(|| format!("{} {word}{reason}", name(job, theme)))
}

fn end(finished: &Finished, theme: &Theme) -> Vec<String> {
    let job = name(&finished.job, theme);
    if finished.status == Status::Success {
        let files = (finished.artifacts > 0).then(|| text::count(finished.artifacts, "file"));
        let files = files.map_or_else(String::new, |files| format!(", {files} in artifacts"));
        let tests =
            finished.tests.as_ref().and_then(junit::sum).map_or_else(String::new, |it| format!(", {it}"));
        let word = theme.paint(Label::Success, "success");
        return vec![format!("{job} {word} after {}{files}{tests}", text::took(finished.took))];
    }
    let look = Look::of(finished.status, finished.allowed || finished.retried);
    let mut lines = vec![format!("{job} {}", theme.paint(look.label(), failure::headline(finished)))];
    if finished.retried || finished.status == Status::Canceled {
        return lines;
    }
    lines.extend(failure::tail(finished, theme, usize::MAX));
    lines.extend(junit::failing(finished, theme, usize::MAX));
    let help = finished.failure.as_ref().and_then(|failure| failure.help.as_ref());
    let head = format!("{job} {} ", theme.paint(Label::Help, "help:"));
    lines.extend(help.iter().flat_map(|help| text::hang(&head, &text::bare_lines(help), usize::MAX)));
    // What ends without having run has no trace.
    if !finished.trace.as_os_str().is_empty() {
        lines.push(format!("{job} trace: {}", finished.trace.display()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::script;

    #[test]
    fn a_run_reads_as_a_log() {
        let mut model = Model::default();
        let mut log = Vec::new();
        for (at, event) in script::mixed() {
            model.apply(&event, at);
            log.extend(lines(&event, &model, &Theme::PLAIN, usize::MAX));
        }
        insta::assert_snapshot!("plain", log.join("\n"));
    }

    #[test]
    fn a_name_cannot_break_out_of_its_line() {
        let status = Event::JobStatus { job: "a\u{1b}[2Jb".into(), status: Status::Skipped, reason: None };
        assert_eq!(lines(&status, &Model::default(), &Theme::PLAIN, usize::MAX), ["[ab] skipped"]);
    }
}
