//! Somebody at the terminal looks into the pod of a job.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::{
    engine::{self, Pods, Terminal},
    report::{
        Printer,
        curtain::Curtain,
        text,
        tty::{self, Session},
    },
    runner::{attempt::Visit, failure::BUILD},
};

/// A pod that waits for somebody.
pub(super) struct Open {
    job: String,
    code: i32,
    pods: Arc<dyn Pods>,
    pod: String,
    command: Vec<String>,
    left: oneshot::Sender<()>,
}

/// Tells of pods that wait.
pub(super) struct Visits {
    /// Where the pods run.
    pub(super) pods: Arc<dyn Pods>,
    /// Where somebody hears of them.
    pub(super) opened: mpsc::Sender<Open>,
}

#[async_trait]
impl Visit for Visits {
    async fn visit(&self, job: &str, pod: &str, command: Vec<String>, code: i32) {
        let (left, has_left) = oneshot::channel();
        let (job, pod, pods) = (job.to_owned(), pod.to_owned(), Arc::clone(&self.pods));
        if self.opened.send(Open { job, code, pods, pod, command, left }).await.is_ok() {
            // whether they have left or never came: the job goes on
            drop(has_left.await);
        }
    }
}

/// Opens a shell in each pod that waits, one after the other, until there are no more.
pub(super) async fn receive(printer: &Printer, curtain: Curtain, mut opened: mpsc::Receiver<Open>) {
    while let Some(open) = opened.recv().await {
        let granted = curtain.fall().await;
        if let Err(error) = look(printer, &open).await {
            printer.say(&format!("warning: no shell in the pod of `{}`: {error}\n", open.job));
        }
        drop(granted);
        // the job may have been canceled meanwhile
        let _ = open.left.send(());
    }
}

async fn look(printer: &Printer, open: &Open) -> Result<(), engine::Error> {
    let where_it_is = match open.code {
        0 => format!("a shell in a pod of `{}`", text::bare(&open.job)),
        code => format!("`{}` failed with exit code {code}: a shell in its pod", text::bare(&open.job)),
    };
    printer.say(&format!("{where_it_is}; `exit` leaves it\n"));
    let Terminal { input, output, sizes, ended } =
        open.pods.terminal(&open.pod, BUILD, &open.command).await?;
    let session = Session { input, output, sizes, ended };
    tty::hand_over(printer, session).await.map_err(|error| engine::Error::Failed {
        doing: "taking the terminal".to_owned(),
        cause: error.to_string(),
    })
}
