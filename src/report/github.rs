//! A run as a log of GitHub Actions: the output of each job in a group that can be opened, a failure as an
//! annotation (`docs.github.com/actions/reference/workflow-commands-for-github-actions`).

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
};

use super::{
    annotations::{data, property},
    failure,
    model::Model,
    plain, text,
    theme::Theme,
};
use crate::event::{Event, Finished, Status};

/// Jobs run beside each other and groups cannot: what a job prints is kept until it has ended.
pub(super) struct Log {
    output: HashMap<String, Vec<String>>,
    /// No job knows it: what a job prints between two of these is never taken for a command.
    token: String,
}

impl Log {
    pub(super) fn new() -> Self {
        let random = RandomState::new().build_hasher().finish();
        Self { output: HashMap::new(), token: format!("podline-{random:016x}") }
    }

    /// The lines of an event; `model` has it already.
    pub(super) fn lines(&mut self, event: &Event, model: &Model, theme: &Theme) -> Vec<String> {
        match event {
            Event::JobOutput { job, line } => {
                self.output.entry(job.clone()).or_default().push(failure::show(line, theme));
                Vec::new()
            }
            Event::JobFinished(finished) => self.end(finished),
            Event::Notice { message } => vec![format!("::notice::{}", data(message))],
            Event::JobRemark { job, message } => {
                vec![format!("::warning title={}::{}", property(&text::bare(job)), data(message))]
            }
            Event::Downstream { event, .. } if matches!(**event, Event::PipelineStarted(_)) => {
                plain::lines(event, model, theme, usize::MAX)
            }
            Event::Downstream { pipeline, event } => {
                self.lines(&event.as_ref().clone().below(pipeline), model, theme)
            }
            event => plain::lines(event, model, theme, usize::MAX),
        }
    }

    fn end(&mut self, finished: &Finished) -> Vec<String> {
        let job = text::bare(&finished.job);
        let result = match finished.status {
            Status::Success => format!("success after {}", text::took(finished.took)),
            _ => failure::headline(finished),
        };
        let mut lines = vec![format!("::group::{job} {result}"), format!("::stop-commands::{}", self.token)];
        lines.extend(self.output.remove(&finished.job).unwrap_or_default());
        lines.extend([format!("::{}::", self.token), "::endgroup::".to_owned()]);
        lines.extend(annotation(finished, &job));
        lines
    }
}

/// What went wrong, with the lines that matter.
fn annotation(finished: &Finished, job: &str) -> Option<String> {
    if finished.status != Status::Failed {
        return None;
    }
    let severity = if finished.allowed || finished.retried { "warning" } else { "error" };
    let help = finished.failure.as_ref().and_then(|failure| failure.help.as_deref());
    let mut message = vec![failure::headline(finished)];
    message.extend(help.map(text::bare_lines));
    message.extend(failure::tail(finished, &Theme::PLAIN, usize::MAX));
    Some(format!("::{severity} title={}::{}", property(job), data(&message.join("\n"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::script;

    fn log(events: &[Event]) -> Vec<String> {
        let (mut model, mut log) = (Model::default(), Log::new());
        log.token = "TOKEN".to_owned();
        let mut lines = Vec::new();
        for event in events {
            model.apply(event, std::time::Duration::ZERO);
            lines.extend(log.lines(event, &model, &Theme::PLAIN));
        }
        lines
    }

    #[test]
    fn a_run_is_a_group_per_job_and_an_annotation_per_failure() {
        let events: Vec<Event> = script::mixed().into_iter().map(|(_, event)| event).collect();
        insta::assert_snapshot!("github", log(&events).join("\n"));
    }

    #[test]
    fn what_a_job_prints_is_no_command() {
        let output = Event::JobOutput { job: "unit".into(), line: "::error::not podline's".into() };
        let (_, end) = script::mixed()
            .into_iter()
            .find(|(_, event)| matches!(event, Event::JobFinished(end) if end.status == Status::Success))
            .expect("a job succeeds");
        let Event::JobFinished(end) = end else { panic!("it is an end") };
        let end = Event::JobFinished(Box::new(Finished { job: "unit".into(), ..*end }));
        let lines = log(&[output, end]);
        let at = |wanted: &str| lines.iter().position(|line| line == wanted).expect("the line is there");
        assert!(at("::stop-commands::TOKEN") < at("::error::not podline's"));
        assert!(at("::error::not podline's") < at("::TOKEN::"), "{lines:#?}");
    }
}
