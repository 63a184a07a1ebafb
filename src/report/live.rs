//! The terminal that moves. One task owns it: it takes the events, keeps the model and draws.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::follow::{Away, Hands, back, near};
use super::keys::{self, Deed, Hand, Key};
use super::model::Model;
use super::printer::Printer;
use super::screen::Screen;
use super::theme::{Label, Look, Theme};
use super::tty::{self, Signals, Stops, Tty};
use super::{demo, failure, frame, pager, plain, text};
use crate::event::{Event, Status};

/// How often the view is drawn at most. A spinner moves every second time.
const TICK: Duration = Duration::from_millis(50);
const HIDE_CURSOR: &str = "\u{1b}[?25l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";
/// How many events are taken at once.
const BATCH: usize = 1024;

/// Shows events until there are no more.
pub(super) async fn follow(printer: &Printer, mut events: mpsc::Receiver<Event>, mut hands: Hands) -> Model {
    let (started, theme) = (Instant::now(), printer.theme());
    let mut terminal = Terminal::new(printer);
    let mut hand = Hand { is_there: terminal.keys.is_some(), ..Hand::default() };
    let (mut model, mut batch, mut above) = (Model::default(), Vec::new(), Vec::new());
    model.usual = std::mem::take(&mut hands.usual);
    let (mut drawn, mut away) = (Drawn::default(), None::<Away>);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut stops = Stops::new().ok();
    loop {
        tokio::select! {
            taken = events.recv_many(&mut batch, BATCH) => {
                for event in batch.drain(..).map(|event| near(printer, event)) {
                    model.apply(&event, started.elapsed());
                    above.extend(announce(&event, &model, &theme, terminal.size().0));
                    drawn.changed = true;
                }
                if taken == 0 {
                    break;
                }
            }
            ask = hands.asks.next(), if away.is_none() => {
                terminal.leave(&mut above);
                away = Some(ask.grant());
            }
            () = back(&mut away) => {
                hands.is_paging.store(false, Ordering::Relaxed);
                terminal.come_back();
                drawn.changed = true;
            }
            () = stopped(&mut stops) => {
                // whoever has the terminal instead is stopped with podline, and leaves it as it should be
                if away.is_none() {
                    terminal.leave(&mut above);
                }
                tty::stop();
                if away.is_none() {
                    terminal.come_back();
                    drawn.changed = true;
                }
            }
            _ = tick.tick(), if away.is_none() => {
                for key in terminal.keys() {
                    drawn.changed = true;
                    let trace = match hand.press(key, &model) {
                        Some(Deed::Wish(wish)) => {
                            // a run that has ended has no more wishes to grant
                            drop(hands.wishes.try_send(wish));
                            None
                        }
                        Some(Deed::End) => {
                            tty::interrupt();
                            None
                        }
                        Some(Deed::Log(job)) => (hands.traces)(&job),
                        None => None,
                    };
                    if let Some(trace) = trace {
                        hands.is_paging.store(true, Ordering::Relaxed);
                        terminal.leave(&mut above);
                        let pager = hands.pager.clone();
                        away = Some(async move { pager::show(&pager, &trace).await }.boxed());
                        break;
                    }
                }
                let now = started.elapsed();
                if away.is_none() && drawn.is_old(&model, now) {
                    let (width, height) = terminal.size();
                    let lines = frame::frame(&model, &theme, width, height, now, &hand);
                    terminal.draw(&mut above, lines, width);
                }
            }
        }
    }
    if away.is_some() {
        // a log that somebody reads outlives the run
        back(&mut away).await;
        hands.is_paging.store(false, Ordering::Relaxed);
        terminal.come_back();
    }
    let (width, _) = terminal.size();
    terminal.draw(&mut above, Vec::new(), width);
    model
}

/// Waits until somebody wants their shell back; for ever where nobody can.
async fn stopped(stops: &mut Option<Stops>) {
    match stops {
        Some(stops) => stops.next().await,
        None => std::future::pending().await,
    }
}

/// The lines that an event leaves above the view, for good; `model` has it already.
fn announce(event: &Event, model: &Model, theme: &Theme, width: usize) -> Vec<String> {
    match event {
        Event::PipelineStarted(_) => text::wrap_painted(&plain::title(model, theme), width),
        Event::SetupFinished { step, took } => {
            let head = format!("{} ", theme.mark(Look::Success));
            text::hang(&head, &format!("{step}{}{}", theme.separator(), text::took(*took)), width)
        }
        Event::Notice { message } => text::hang(&theme.paint(Label::Help, "note: "), message, width),
        Event::Upcoming(upcoming) => demo::upcoming(upcoming, theme, width),
        Event::Request { message, command } => demo::request(message, command.as_deref(), theme, width),
        // the table has it for every job
        Event::JobRemark { message, .. } if !is_first(message, model) => Vec::new(),
        Event::JobRemark { job, message } => {
            text::hang(&theme.paint(Label::Help, "note: "), &format!("`{job}`: {message}"), width)
        }
        Event::JobFinished(finished) if finished.status == Status::Failed => {
            failure::block(finished, theme, width)
        }
        Event::Downstream { event, .. } if matches!(**event, Event::PipelineStarted(_)) => Vec::new(),
        Event::Downstream { pipeline, event } => {
            announce(&event.as_ref().clone().below(pipeline), model, theme, width)
        }
        _ => Vec::new(),
    }
}

/// Whether a remark was made of one job only, so far.
fn is_first(message: &str, model: &Model) -> bool {
    let message = text::bare(message);
    model.all_jobs().iter().filter(|(_, job)| job.remark.as_ref() == Some(&message)).count() < 2
}

/// What was drawn last.
#[derive(Default)]
struct Drawn {
    changed: bool,
    tenth: u128,
}

impl Drawn {
    /// Whether there is something new to see: an event, the next picture of a spinner, the next second.
    fn is_old(&mut self, model: &Model, now: Duration) -> bool {
        let spins = model.counts().running > 0 || model.setup.iter().any(|setup| setup.took.is_none());
        let tenth = now.as_millis() / 100;
        let passed = if spins { tenth != self.tenth } else { tenth / 10 != self.tenth / 10 };
        let old = self.changed || passed;
        if old {
            *self = Self { changed: false, tenth };
        }
        old
    }
}

/// The terminal while the view is on it. When this is dropped, at the end as well as in a panic, the
/// cursor is back, and what is typed is shown again.
struct Terminal<'p> {
    printer: &'p Printer,
    terminal: console::Term,
    screen: Screen,
    keys: Option<Tty>,
}

impl<'p> Terminal<'p> {
    fn new(printer: &'p Printer) -> Self {
        printer.draw(HIDE_CURSOR);
        let keys = Tty::take(Signals::Kept);
        Self { printer, terminal: console::Term::stderr(), screen: Screen::default(), keys }
    }

    /// Columns and lines.
    fn size(&self) -> (usize, usize) {
        let (lines, columns) = self.terminal.size();
        (usize::from(columns).max(20), usize::from(lines).max(2))
    }

    /// Leaves the terminal to somebody else.
    fn leave(&mut self, above: &mut Vec<String>) {
        let width = self.size().0;
        self.draw(above, Vec::new(), width);
        self.printer.draw(SHOW_CURSOR);
        self.keys = None;
    }

    fn come_back(&mut self) {
        self.printer.draw(HIDE_CURSOR);
        self.keys = Tty::take(Signals::Kept);
    }

    /// The keys that were pressed since the last call.
    fn keys(&mut self) -> Vec<Key> {
        let Some(tty) = &self.keys else { return Vec::new() };
        match tty.read(Duration::ZERO) {
            Some(bytes) => keys::keys(&bytes),
            None => {
                self.keys = None;
                Vec::new()
            }
        }
    }

    /// Puts lines above the view for good, and the view anew.
    fn draw(&mut self, above: &mut Vec<String>, lines: Vec<String>, width: usize) {
        let output = match above.as_slice() {
            [] => self.screen.update(lines, width),
            above => self.screen.insert(above, lines, width),
        };
        above.clear();
        self.printer.draw(&output);
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        // What a panic has said stands below the view, and is to be read.
        let lines = if std::thread::panicking() { String::new() } else { self.screen.clear(self.size().0) };
        self.printer.draw(&(lines + SHOW_CURSOR));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::script;

    fn above(width: usize, theme: &Theme) -> String {
        let mut model = Model::default();
        let mut above = Vec::new();
        for (at, event) in script::mixed() {
            model.apply(&event, at);
            above.extend(announce(&event, &model, theme, width));
        }
        above.join("\n")
    }

    #[test]
    fn what_stays_above_the_view_at_40_80_and_200_columns() {
        for width in [40, 80, 200] {
            let above = above(width, &Theme::PLAIN);
            assert!(above.lines().all(|line| text::width(line) <= width), "{above}");
            insta::assert_snapshot!(format!("above_{width}"), above);
        }
    }

    #[test]
    fn nothing_is_drawn_while_nothing_happens() {
        let mut drawn = Drawn { changed: true, tenth: 0 };
        let waiting = script::until(&script::mixed(), Duration::ZERO);
        assert!(drawn.is_old(&waiting, Duration::from_millis(50)), "an event came");
        assert!(!drawn.is_old(&waiting, Duration::from_millis(900)));
        assert!(drawn.is_old(&waiting, Duration::from_millis(1050)), "a second passed");
        let running = script::until(&script::mixed(), Duration::from_secs(30));
        assert!(drawn.is_old(&running, Duration::from_millis(1150)), "the spinner moved");
        assert!(!drawn.is_old(&running, Duration::from_millis(1190)));
    }
}
