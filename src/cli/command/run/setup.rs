//! Tells of the steps on the way to a place for pods.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::mpsc;

use crate::{engine::Step, event::Event};

/// Makes events of an engine's steps: a step begins when the engine says so, and ends when the next begins.
pub(super) struct Setup {
    events: mpsc::Sender<Event>,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    step: Option<(String, Instant)>,
    images: Option<(String, Instant)>,
}

impl Setup {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { events, running: Mutex::default() }
    }

    /// Begins a step of our own.
    pub(super) fn begin(&self, step: impl Into<String>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.end(running.step.take());
        running.step = Some(self.start(step.into()));
    }

    /// Ends whatever still runs.
    pub(super) fn finish(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.end(running.step.take());
        self.end(running.images.take());
    }

    /// Takes a step of the engine.
    pub(super) fn take(&self, step: Step) {
        match step {
            // kind's own steps are parts of one: what they are called is of no use to the user
            Step::Begun(_) | Step::ImagesSent { .. } => {}
            Step::ImagesStarted { images, from, .. } => {
                let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                self.end(running.images.take());
                let names: Vec<_> = images.iter().map(|image| format!("`{image}`")).collect();
                running.images = Some(self.start(format!("loading {} from {from}", names.join(", "))));
            }
            Step::ImagesDone => {
                let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                self.end(running.images.take());
            }
            Step::ImageSkipped { image, reason } => {
                self.tell(Event::Notice {
                    message: format!("the node will pull `{image}` if it can: {reason}"),
                });
            }
            Step::Warning(message) => self.tell(Event::Notice { message }),
        }
    }

    fn start(&self, step: String) -> (String, Instant) {
        self.tell(Event::SetupStarted { step: step.clone() });
        (step, Instant::now())
    }

    fn end(&self, step: Option<(String, Instant)>) {
        if let Some((step, since)) = step {
            self.tell(Event::SetupFinished { step, took: since.elapsed() });
        }
    }

    /// A step that nobody could be told of is no reason to stop.
    fn tell(&self, event: Event) {
        drop(self.events.try_send(event));
    }
}
