//! Takes the events of a run and shows them the way the [`Printer`] says.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, atomic::AtomicBool};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::model::Model;
use super::printer::{Printer, View};
use super::{
    curtain::{Asks, curtain},
    github::Log,
    json, live, plain,
};
use crate::event::{Event, Wish};

/// How many events are taken at once.
const BATCH: usize = 1024;

/// Shows events until the last sender is gone, and gives what became of the run. It waits for nothing
/// else, so it ends by itself when the run does.
///
/// Somebody else may want the terminal for themselves: nothing is shown meanwhile.
pub async fn follow(printer: &Printer, mut events: mpsc::Receiver<Event>, hands: Hands) -> Model {
    let view = printer.view();
    if view == View::Live {
        return live::follow(printer, events, hands).await;
    }
    let mut asks = hands.asks;
    let (started, theme) = (Instant::now(), printer.theme());
    let (mut model, mut batch) = (Model::default(), Vec::new());
    let mut log = Log::new();
    let (mut text, mut away) = (String::new(), None::<Away>);
    loop {
        tokio::select! {
            taken = events.recv_many(&mut batch, BATCH) => if taken == 0 { break },
            ask = asks.next(), if away.is_none() => away = Some(ask.grant()),
            () = back(&mut away) => {}
        }
        for event in batch.drain(..) {
            let now = started.elapsed();
            if view == View::Json {
                model.apply(&event, now);
                text.push_str(&json::line(&event, now));
                continue;
            }
            let event = near(printer, event);
            model.apply(&event, now);
            let lines = match view {
                View::Github => log.lines(&event, &model, &theme),
                _ => plain::lines(&event, &model, &theme, printer.terminal_columns().unwrap_or(usize::MAX)),
            };
            lines.iter().for_each(|line| {
                text.push_str(line);
                text.push('\n');
            });
        }
        if away.is_none() {
            write(printer, view, &std::mem::take(&mut text));
        }
    }
    write(printer, view, &text);
    model
}

/// Finds the log of a job by its name.
pub type FindTrace = Box<dyn Fn(&str) -> Option<PathBuf> + Send>;

/// What a view is connected with, beside the events.
pub struct Hands {
    /// Where it hears of those who want the terminal.
    pub asks: Asks,
    /// Takes what somebody wants of the run.
    pub wishes: mpsc::Sender<Wish>,
    /// Where the log of a job is, by its name with those of the trigger jobs that lead to it.
    pub traces: FindTrace,
    /// How long jobs usually take, by the same names.
    pub usual: HashMap<String, Duration>,
    /// The program that shows a log, as a shell takes it.
    pub pager: String,
    /// Whether a program has the terminal that takes Ctrl-C as its own.
    pub is_paging: Arc<AtomicBool>,
}

impl Hands {
    /// Of a run that nobody can do anything with.
    pub fn none() -> Self {
        Self {
            asks: curtain().1,
            wishes: mpsc::channel(1).0,
            traces: Box::new(|_| None),
            usual: HashMap::new(),
            pager: String::new(),
            is_paging: Arc::default(),
        }
    }
}

/// Waits until the terminal is free again; for ever where it is.
pub(super) async fn back(away: &mut Option<Away>) {
    match away {
        Some(until) => {
            until.await;
            *away = None;
        }
        None => std::future::pending().await,
    }
}

/// Comes to its end when the terminal is free again.
pub(super) type Away = BoxFuture<'static, ()>;

/// An event whose paths are as people here would type them.
pub(super) fn near(printer: &Printer, event: Event) -> Event {
    match event {
        Event::JobFinished(mut finished) => {
            finished.trace = printer.near(&finished.trace);
            Event::JobFinished(finished)
        }
        Event::Downstream { pipeline, event } => {
            Event::Downstream { pipeline, event: Box::new(near(printer, *event)) }
        }
        event => event,
    }
}

fn write(printer: &Printer, view: View, text: &str) {
    match view {
        _ if text.is_empty() => {}
        // A run goes on when nobody can be told of it; its traces are kept.
        View::Json => drop(printer.data(text)),
        View::Plain | View::Github | View::Live => printer.say(text),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::report::printer::{Color, Surroundings};
    use crate::report::script;

    /// What was written, shared with the test.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nothing panics while it writes").write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("nothing panics while it writes").clone()).expect("UTF-8")
        }
    }

    /// What a run leaves on stdout and on stderr, and what it came to.
    async fn shown(view: View) -> (String, String, Model) {
        let surroundings = Surroundings {
            color: Color::Never,
            view: Some(view),
            no_color: false,
            term: Some("xterm".into()),
            ci: false,
            unicode: true,
            stdout_is_terminal: false,
            stderr_is_terminal: true,
            columns: Some(80),
            folder: None,
        };
        let (stdout, stderr) = (Paper::default(), Paper::default());
        let printer = Printer::with(&surroundings, Box::new(stdout.clone()), Box::new(stderr.clone()));
        let (sender, receiver) = mpsc::channel(4);
        let send = async move {
            for (_, event) in script::mixed() {
                sender.send(event).await.expect("the view takes events to the end");
            }
        };
        let ((), model) = tokio::join!(send, follow(&printer, receiver, Hands::none()));
        (stdout.text(), stderr.text(), model)
    }

    #[tokio::test]
    async fn json_is_data_and_the_rest_is_not() {
        let (stdout, stderr, model) = shown(View::Json).await;
        assert_eq!(stderr, "");
        assert!(stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        assert_eq!(stdout.lines().count(), script::mixed().len());
        assert!(model.end.is_some());

        let (stdout, stderr, _) = shown(View::Plain).await;
        assert_eq!(stdout, "");
        assert!(stderr.contains("[compile] success"));
        assert!(!stderr.contains('\u{1b}'));
    }

    #[tokio::test]
    async fn the_live_view_leaves_failures_and_the_cursor() {
        let (stdout, stderr, _) = shown(View::Live).await;
        assert_eq!(stdout, "");
        assert!(stderr.starts_with("\u{1b}[?25l") && stderr.ends_with("\u{1b}[?25h"));
        assert!(stderr.contains("✖ e2e failed after 34s"));
        let after = stderr.rsplit("\u{1b}[J").next().expect("a split has a last part");
        assert!(!after.contains(" done"), "the view is taken away at the end: {after:?}");
    }
}
