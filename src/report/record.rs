//! What a run keeps of itself, as data: `run.json` says what it is, `events.jsonl` what happened.
//!
//! Output of jobs is not in it: their traces have that. `docs/record.md` says what is in the folder.

use std::{
    fs::{self, File, TryLockError},
    io::{self, BufRead, BufReader, Write},
    path::Path,
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};

use super::json;
use crate::{event::Event, mask::Mask};

/// The file that says what a run is.
const HEAD: &str = "run.json";

/// The file of its events.
const EVENTS: &str = "events.jsonl";

/// The file with the explanation of each job.
const EXPLANATIONS: &str = "explanations.json";

/// What a run is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    /// Its number in the project.
    pub number: u64,
    /// Its id, unlike that of any other run.
    pub id: String,
    /// Name of the project's folder.
    pub project: String,
    /// The command that started it, as it is typed.
    pub command: String,
    /// When it began.
    pub started: jiff::Timestamp,
    /// The version of podline.
    pub podline: String,
}

/// Writes the record of a run.
#[derive(Debug)]
pub struct Recorder {
    events: File,
    started: Instant,
    mask: Mask,
}

impl Recorder {
    /// Begins the record in the folder of a run. `explanations` is why each job is in the pipeline or not;
    /// what `mask` hides is not in it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(
        folder: &Path,
        head: &Head,
        explanations: &[super::explain::Explained],
        mask: Mask,
    ) -> io::Result<Self> {
        fs::write(folder.join(HEAD), mask.text(&serde_json::to_string_pretty(head)?) + "\n")?;
        write_explanations(folder, explanations, &mask)?;
        let events = File::create(folder.join(EVENTS))?;
        // as long as it is held, the run goes on; where files have no locks, nobody can tell
        drop(events.try_lock());
        Ok(Self { events, started: Instant::now(), mask })
    }

    /// Writes an event. Each is written at once: a run that is killed has a record up to then.
    fn write(&mut self, event: &Event) -> io::Result<()> {
        if matches!(event.place().1, Event::JobOutput { .. }) {
            return Ok(());
        }
        let line = json::line(event, self.started.elapsed());
        self.events.write_all(self.mask.text(&line).as_bytes())
    }
}

/// Writes why each job of a pipeline is in it or not, in the folder of the pipeline, without what `mask` hides.
///
/// # Errors
/// When the folder cannot be made or written.
pub fn write_explanations(
    folder: &Path,
    explanations: &[super::explain::Explained],
    mask: &Mask,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(EXPLANATIONS), mask.text(&serde_json::to_string(explanations)?) + "\n")
}

/// What was written by [`write_explanations`]; nothing where that is missing or broken.
pub fn read_explanations(folder: &Path) -> Vec<serde_json::Value> {
    let text = fs::read(folder.join(EXPLANATIONS)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Records events on their way to a view: gives a channel that has the same events. A full disk ends the
/// record, not the run.
pub fn recorded(recorder: Recorder, mut events: mpsc::Receiver<Event>) -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(events.max_capacity());
    tokio::spawn(async move {
        let mut recorder = Some(recorder);
        while let Some(event) = events.recv().await {
            let written = recorder.as_mut().map_or(Ok(()), |recorder| recorder.write(&event));
            if let Err(error) = written {
                recorder = None;
                let message = format!("the record of this run is not complete: {error}");
                drop(sender.send(Event::Notice { message }).await);
            }
            if sender.send(event).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// The record of a run.
#[derive(Debug, Clone)]
pub struct Record {
    /// What the run is.
    pub head: Head,
    /// What happened, and when, since it began.
    pub events: Vec<(Duration, Event)>,
    /// Why each job is in the pipeline or not, as `podline explain --format json` says it.
    pub explanations: Vec<serde_json::Value>,
    /// Whether the run is still going on.
    pub goes_on: bool,
}

impl Record {
    /// Reads the record in the folder of a run. A line that says nothing, for instance because it is only
    /// half written, is passed over.
    ///
    /// # Errors
    /// When there is no record, or its head is none.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let head = serde_json::from_slice(&fs::read(folder.join(HEAD))?)?;
        let file = File::open(folder.join(EVENTS))?;
        // asked first: what is written after that is read too
        let goes_on = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        let lines = BufReader::new(file).split(b'\n');
        let events = lines.map_while(Result::ok).filter_map(|line| timed(&line)).collect();
        Ok(Self { head, events, explanations: read_explanations(folder), goes_on })
    }
}

/// An event and its time.
#[derive(serde::Deserialize)]
struct Line {
    at: f64,
    #[serde(default)]
    pipeline: Vec<String>,
    #[serde(flatten)]
    event: Event,
}

fn timed(line: &[u8]) -> Option<(Duration, Event)> {
    let Line { at, pipeline, event } = serde_json::from_slice(line).ok()?;
    let event =
        if pipeline.is_empty() { event } else { Event::Downstream { pipeline, event: Box::new(event) } };
    Some((Duration::try_from_secs_f64(at).ok()?, event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::script::{self, head};

    #[tokio::test(start_paused = true)]
    async fn what_was_recorded_is_read_again_without_output() {
        let folder = tempfile::tempdir().expect("a folder");
        let recorder =
            Recorder::begin(folder.path(), &head(), &[], Mask::default()).expect("it can be written");
        let (sender, receiver) = mpsc::channel(4);
        let mut shown = recorded(recorder, receiver);
        let script = script::mixed();
        let send = async {
            let begin = Instant::now();
            for (at, event) in script.clone() {
                tokio::time::sleep_until(begin + at).await;
                sender.send(event).await.expect("the view listens");
            }
            drop(sender);
        };
        let show = async {
            let mut seen = Vec::new();
            while let Some(event) = shown.recv().await {
                seen.push(event);
            }
            seen
        };
        assert!(Record::read(folder.path()).expect("it can be read").goes_on);
        let ((), seen) = tokio::join!(send, show);
        let all: Vec<_> = script.iter().map(|(_, event)| event.clone()).collect();
        assert_eq!(seen, all, "a view sees everything");

        let record = Record::read(folder.path()).expect("it can be read");
        assert_eq!((record.head, record.goes_on), (head(), false));
        let kept: Vec<_> =
            script.into_iter().filter(|(_, event)| !matches!(event, Event::JobOutput { .. })).collect();
        let events: Vec<_> = record.events.iter().map(|(_, event)| event).collect();
        assert_eq!(events, kept.iter().map(|(_, event)| event).collect::<Vec<_>>());
        let (last, wanted) = (record.events.last(), kept.last());
        let late = last.zip(wanted).map(|(last, wanted)| last.0.saturating_sub(wanted.0));
        assert!(late.is_some_and(|late| late < Duration::from_millis(100)), "{late:?}");
    }

    #[test]
    fn a_record_that_was_cut_or_is_of_another_time_is_read_as_far_as_it_says_something() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Recorder::begin(folder.path(), &head(), &[], Mask::default()).expect("it can be written"));
        let notice = r#"{"event":"notice","message":"hello","at":0.5}"#;
        let text =
            format!("{notice}\n{{\"event\":\"of_tomorrow\",\"at\":1}}\n\u{0}\n{notice}\n{{\"event\":\"no");
        fs::write(folder.path().join(EVENTS), text).expect("it can be written");
        assert_eq!(Record::read(folder.path()).expect("it can be read").events.len(), 2);
    }
}
