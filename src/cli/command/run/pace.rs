//! `--step` and `--speed`: what holds a run before each stage and each job.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc};

use crate::{
    cli::{
        args::{RunArguments, Speed},
        project_file, settings,
    },
    event::Until,
    runner::Pace,
};

/// What is said where a run that should stop cannot.
pub(super) const NO_TERMINAL: &str = "there is no terminal to press Enter in, so the run says what comes next \
                                      and goes on; `--speed slow` leaves time";

/// What holds a run, if anything does.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) pace: Option<Arc<dyn Pace>>,
    /// It should stop, and nobody could let it go on.
    pub(super) is_unheard: bool,
}

/// The pace that is asked for. Who presses Enter decides, where somebody can.
pub(super) fn chosen(arguments: &RunArguments, file: &project_file::Run) -> Chosen {
    // a shell has the keyboard for itself, and a run at every change has nobody at it
    let is_alone = arguments.shell || arguments.shell_on_failure || arguments.watch;
    let steps = arguments.demo.step || (file.step && !is_alone);
    let pause = match arguments.demo.speed.or(file.speed) {
        Some(Speed::Slow) => Some(Duration::from_secs(4)),
        Some(Speed::Normal) => Some(Duration::from_millis(1500)),
        Some(Speed::Fast) | None => None,
    };
    let is_heard = settings::stdin_is_terminal();
    let pace: Option<Arc<dyn Pace>> = match (steps, pause) {
        (true, _) if is_heard => Some(Arc::new(Enter::listen())),
        (_, Some(time)) => Some(Arc::new(Pause(time))),
        (true, None) => Some(Arc::new(NoPause)),
        (false, None) => None,
    };
    Chosen { pace, is_unheard: steps && !is_heard }
}

/// Goes on when somebody presses Enter.
#[derive(Debug)]
struct Enter(Mutex<mpsc::Receiver<()>>);

impl Enter {
    /// Reads lines from now on. The thread ends with the process: nothing else can end a read of a terminal.
    fn listen() -> Self {
        let (sender, receiver) = mpsc::channel(8);
        std::thread::spawn(move || {
            for _ in std::io::stdin().lines().map_while(Result::ok) {
                if sender.blocking_send(()).is_err() {
                    return;
                }
            }
        });
        Self(Mutex::new(receiver))
    }
}

#[async_trait]
impl Pace for Enter {
    fn until(&self) -> Until {
        Until::Enter
    }

    async fn wait(&self) {
        let mut lines = self.0.lock().await;
        // what was pressed before there was something to decide is no decision
        while lines.try_recv().is_ok() {}
        // a terminal that is gone decides nothing either, and the run goes on
        lines.recv().await;
    }
}

/// Goes on after a while.
#[derive(Debug)]
struct Pause(Duration);

#[async_trait]
impl Pace for Pause {
    fn until(&self) -> Until {
        Until::Seconds(self.0)
    }

    async fn wait(&self) {
        tokio::time::sleep(self.0).await;
    }
}

/// Only says what comes next.
#[derive(Debug)]
struct NoPause;

#[async_trait]
impl Pace for NoPause {
    fn until(&self) -> Until {
        Until::Nothing
    }

    async fn wait(&self) {}
}
