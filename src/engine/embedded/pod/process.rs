//! The process of a pod's sandbox: started, told, listened to.

use std::{fs, io, path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::engine::embedded::sandbox::{
    COMMAND, OUTER,
    plan::{News, Order, PLAN, Plan},
};

/// A sandbox that runs.
pub(in crate::engine::embedded) struct Sandbox {
    child: Child,
    orders: ChildStdin,
    news: Lines<BufReader<ChildStdout>>,
}

impl Sandbox {
    /// Starts the sandbox of a plan: `program` is podline.
    pub(in crate::engine::embedded) fn start(program: &Path, plan: &Plan) -> io::Result<Self> {
        fs::write(plan.folder.join(PLAN), serde_json::to_vec(plan)?)?;
        let mut child = Command::new(program)
            .args([COMMAND, OUTER])
            .arg(&plan.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(plan.folder.join("stderr"))?)
            // a Ctrl-C is podline's to answer
            .process_group(0)
            .spawn()?;
        let (orders, news) = (child.stdin.take(), child.stdout.take());
        let gone = || io::Error::other("the sandbox has no pipes");
        let news = BufReader::new(news.ok_or_else(gone)?).lines();
        Ok(Self { child, orders: orders.ok_or_else(gone)?, news })
    }

    /// What the sandbox says next; `None` once it has ended.
    pub(in crate::engine::embedded) async fn next(&mut self) -> Option<News> {
        let line = self.news.next_line().await.ok()??;
        Some(serde_json::from_str(&line).unwrap_or(News::Failed(line)))
    }

    /// Tells the sandbox something. One that has ended needs no orders.
    pub(in crate::engine::embedded) async fn tell(&mut self, order: Order) {
        if let Ok(mut line) = serde_json::to_vec(&order) {
            line.push(b'\n');
            let _ = self.orders.write_all(&line).await;
        }
    }

    /// Waits until the sandbox is gone with everything in it.
    pub(in crate::engine::embedded) async fn gone(mut self) {
        drop(self.orders);
        let _ = self.child.wait().await;
    }
}
