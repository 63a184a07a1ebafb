//! What is recorded of an attempt: its trace, and the events that tell of it.

use std::{collections::BTreeMap, io, path::Path};

use tokio::sync::mpsc;

use crate::{
    event::{Event, FailureReason, Phase, Usage},
    runner::{
        AttemptResult, Build,
        files::selection,
        trace::{Mark, Section, Trace, TraceItem, TraceParser},
    },
};

/// Takes output and the runner's own words, writes the trace, sends events.
pub(super) struct Record {
    job: String,
    trace: Trace,
    parser: TraceParser,
    /// How many bytes of output are kept.
    limit: usize,
    /// One for each service whose log is shown, by the name of its container.
    services: BTreeMap<String, TraceParser>,
    masked: Vec<String>,
    section: Option<Section>,
    /// The mark of a section that is over: the next line follows on it.
    ended: String,
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
        let masked: Vec<String> =
            build.variables.iter().filter(|it| it.masked).map(|it| it.value.clone()).collect();
        Ok(Self {
            job: build.name.clone(),
            trace: Trace::create(path)?,
            parser: TraceParser::new(nonce, masked.iter().cloned(), build.output_limit),
            limit: build.output_limit,
            services: BTreeMap::new(),
            masked,
            section: None,
            ended: String::new(),
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
        for (name, mut parser) in std::mem::take(&mut self.services) {
            let items = parser.finish();
            self.service_items(&name, items).await;
        }
    }

    /// Takes a chunk of a service's output (`CI_DEBUG_SERVICES`).
    pub(super) async fn service_output(&mut self, name: &str, chunk: &[u8]) {
        let (masked, limit) = (&self.masked, self.limit);
        let parser = self
            .services
            .entry(name.to_owned())
            // No service prints marks: this is no nonce of any job.
            .or_insert_with(|| TraceParser::new("-", masked.iter().cloned(), limit));
        let items = parser.push(chunk);
        self.service_items(name, items).await;
    }

    /// A line of the runner's own.
    pub(super) async fn say(&mut self, text: &str) {
        let text = self.masked(text);
        let text = format!("{}{text}", std::mem::take(&mut self.ended));
        let written = self.trace.say(&text);
        self.show(written).await;
    }

    /// A line that frames the trace. Its events say the same: they have no output of it.
    pub(super) async fn note(&mut self, text: &str) {
        let text = self.masked(text);
        let text = format!("{}{text}", std::mem::take(&mut self.ended));
        if let Err(error) = self.trace.note(&text) {
            self.incomplete(&error).await;
        }
    }

    /// A line of the runner's own in the colour of its successes.
    pub(super) async fn say_green(&mut self, text: &str) {
        self.say(&format!("\x1b[32;1m{text}\x1b[0;m")).await;
    }

    /// A line that frames the trace, in the colour of the runner's successes.
    pub(super) async fn note_green(&mut self, text: &str) {
        self.note(&format!("\x1b[32;1m{text}\x1b[0;m")).await;
    }

    /// Begins a section, and ends the one before.
    pub(super) async fn section(&mut self, section: Section) {
        self.end_section();
        self.section = Some(section);
        self.note(&section.start(now())).await;
    }

    /// Ends the section.
    pub(super) fn end_section(&mut self) {
        if let Some(section) = self.section.take() {
            self.ended.push_str(&section.end(now()));
        }
    }

    /// A text with the values of masked variables hidden.
    pub(super) fn masked(&self, text: &str) -> String {
        self.parser.masked(text)
    }

    /// A warning of the runner's own.
    pub(super) async fn warn(&mut self, text: &str) {
        self.say(&selection::warning(text)).await;
    }

    /// Says, in the trace and beside it, what the job's result must be read with.
    pub(super) async fn remark(&mut self, message: &str) {
        self.warn(message).await;
        self.send(Event::JobRemark { job: self.job.clone(), message: message.to_owned() }).await;
    }

    /// The job has come to a phase.
    pub(super) async fn phase(&mut self, phase: Phase) {
        if self.phase == Some(phase) {
            return;
        }
        self.phase = Some(phase);
        self.send(Event::JobPhase { job: self.job.clone(), phase }).await;
    }

    /// What the script uses.
    pub(super) async fn usage(&mut self, usage: Usage) {
        self.send(Event::JobUsage { job: self.job.clone(), usage }).await;
    }

    /// Says how the attempt ended.
    pub(super) async fn close(&mut self, result: &AttemptResult) {
        self.end_section();
        let text = match result {
            AttemptResult::Success => "\x1b[32;1mJob succeeded\x1b[0;m".to_owned(),
            AttemptResult::Canceled => error("Job failed: canceled"),
            AttemptResult::Failed { failure, exit_code: Some(code) } if *code != 0 => {
                let words = format!("exit code {code}");
                if !failure.message.ends_with(&words) {
                    self.warn(&failure.message).await;
                }
                error(&format!("Job failed: command terminated with {words}"))
            }
            AttemptResult::Failed { failure, .. } => match failure.reason {
                FailureReason::RunnerSystemFailure => {
                    error(&format!("Job failed (system failure): {}", failure.message))
                }
                _ => error(&format!("Job failed: {}", failure.message)),
            },
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
                TraceItem::Mark(mark) => {
                    // What follows in the same chunk belongs to the next section.
                    match mark {
                        Mark::Script => {
                            self.section(Section::StepScript).await;
                            self.phase(Phase::Script).await;
                        }
                        Mark::AfterScript => {
                            self.section(Section::AfterScript).await;
                            self.phase(Phase::AfterScript).await;
                        }
                        Mark::Hook(_) => {}
                        Mark::Unhealthy(_) | Mark::Look(_) | Mark::End(_) => self.end_section(),
                    }
                    marks.push(mark);
                }
            }
        }
        marks
    }

    async fn service_items(&mut self, name: &str, items: Vec<TraceItem>) {
        for item in items {
            if let TraceItem::Line(line) = item {
                let line = String::from_utf8_lossy(&line);
                let line = format!("[service:{name}] {}", line.trim_end_matches(['\n', '\r']));
                let written = self.trace.say(&line);
                self.show(written).await;
            }
        }
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

/// A line in the colour of the runner's errors.
fn error(text: &str) -> String {
    format!("\x1b[31;1mERROR: {text}\x1b[0;m")
}

/// Now, in seconds since 1970.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
