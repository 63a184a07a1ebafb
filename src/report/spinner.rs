//! One thing that takes a while, outside of a run.

use std::time::Duration;

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
