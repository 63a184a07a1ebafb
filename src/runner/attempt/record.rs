//! What is recorded of an attempt: its trace, and the events that tell of it.

use std::{io, path::Path};

use tokio::sync::mpsc;

use crate::{
    event::{Event, Phase},
    runner::{
        AttemptResult, Build, selection,
        trace::{Mark, OUTPUT_LIMIT, Trace, TraceItem, TraceParser},
    },
};

/// Takes output and the runner's own words, writes the trace, sends events.
pub(super) struct Record {
    job: String,
    trace: Trace,
    parser: TraceParser,
    events: mpsc::Sender<Event>,
    phase: Option<Phase>,
    is_broken: bool,
}

impl Record {
    pub(super) fn create(
        build: &Build,
        nonce: &str,
        path: &Path,
        events: mpsc::Sender<Event>,
    ) -> io::Result<Self> {
        let masked = build.variables.iter().filter(|it| it.masked).map(|it| it.value.clone());
        Ok(Self {
            job: build.name.clone(),
            trace: Trace::create(path)?,
            parser: TraceParser::new(nonce, masked, OUTPUT_LIMIT),
            events,
            phase: None,
            is_broken: false,
        })
    }

    /// Takes a chunk of the build container's output and gives the marks in it.
    pub(super) async fn output(&mut self, chunk: &[u8]) -> Vec<Mark> {
        let items = self.parser.push(chunk);
        self.items(items).await
    }

    /// The output has ended.
    pub(super) async fn finish(&mut self) {
        let items = self.parser.finish();
        self.items(items).await;
    }

    /// A line of the runner's own.
    pub(super) async fn say(&mut self, text: &str) {
        let text = self.parser.masked(text);
        let written = self.trace.say(&text);
        self.show(written).await;
    }

    /// A line that frames the trace. Its events say the same: they have no output of it.
    pub(super) async fn note(&mut self, text: &str) {
        let text = self.parser.masked(text);
        if let Err(error) = self.trace.note(&text) {
            self.incomplete(&error).await;
        }
    }

    /// A warning of the runner's own.
    pub(super) async fn warn(&mut self, text: &str) {
        self.say(&selection::warning(text)).await;
    }

    /// The job has come to a phase.
    pub(super) async fn phase(&mut self, phase: Phase) {
        if self.phase == Some(phase) {
            return;
        }
        self.phase = Some(phase);
        self.send(Event::JobPhase { job: self.job.clone(), phase }).await;
    }

    /// Says how the attempt ended.
    pub(super) async fn close(&mut self, result: &AttemptResult) {
        let text = match result {
            AttemptResult::Success => "\x1b[32;1mJob succeeded\x1b[0;m".to_owned(),
            AttemptResult::Canceled => "\x1b[31;1mERROR: Job failed: canceled\x1b[0;m".to_owned(),
            AttemptResult::Failed { failure, .. } => {
                format!("\x1b[31;1mERROR: Job failed: {}\x1b[0;m", failure.message)
            }
        };
        self.note(&text).await;
    }

    pub(super) fn tail(&self) -> Vec<String> {
        self.trace.tail()
    }

    async fn items(&mut self, items: Vec<TraceItem>) -> Vec<Mark> {
        let mut marks = Vec::new();
        for item in items {
            match item {
                TraceItem::Line(line) => {
                    let written = self.trace.line(&line);
                    self.show(written).await;
                }
                TraceItem::Mark(mark) => marks.push(mark),
            }
        }
        marks
    }

    /// A full disk ends the trace, not the job.
    async fn show(&mut self, written: io::Result<String>) {
        match written {
            Ok(line) => self.send(Event::JobOutput { job: self.job.clone(), line }).await,
            Err(error) => self.incomplete(&error).await,
        }
    }

    async fn incomplete(&mut self, error: &io::Error) {
        if !self.is_broken {
            self.is_broken = true;
            let path = self.trace.path().display();
            let message = format!("the trace `{path}` is not complete: {error}");
            self.send(Event::Notice { message }).await;
        }
    }

    /// Nobody listening is no reason to stop a job.
    async fn send(&self, event: Event) {
        drop(self.events.send(event).await);
    }
}
