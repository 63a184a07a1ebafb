//! One thing that takes a while, outside of a run.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::printer::{Printer, View};

/// Says what takes a while until it is dropped: a line that moves in a terminal, a plain line elsewhere.
#[derive(Debug)]
pub struct Spinner(Option<ProgressBar>);

impl Spinner {
    /// Says what takes a while from now on.
    pub fn start(printer: &Printer, what: String) -> Self {
        if printer.view() != View::Live {
            printer.say(&format!("{what}\n"));
            return Self(None);
        }
        Self::moving(what)
    }

    fn moving(what: String) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.set_style(style.expect("the template is right"));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(bar))
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// What may take a while, and often does not: a line that moves in a terminal, nothing elsewhere.
#[derive(Debug, Clone)]
pub struct Waiting {
    is_shown: bool,
    spinner: Arc<Mutex<Option<Spinner>>>,
}

impl Waiting {
    /// Nothing takes a while yet.
    pub fn new(printer: &Printer) -> Self {
        Self { is_shown: printer.view() == View::Live, spinner: Arc::default() }
    }

    /// The same where something else is on the screen: nothing is shown.
    #[must_use]
    pub fn silent() -> Self {
        Self { is_shown: false, spinner: Arc::default() }
    }

    /// Says what takes a while now.
    pub fn say(&self, what: String) {
        if !self.is_shown {
            return;
        }
        let mut spinner = self.spinner.lock().unwrap_or_else(PoisonError::into_inner);
        match &*spinner {
            Some(Spinner(Some(bar))) => bar.set_message(what),
            _ => *spinner = Some(Spinner::moving(what)),
        }
    }
}
