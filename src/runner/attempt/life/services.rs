//! The services of a job while it runs: their logs, and what is said of those that end.

use std::{collections::VecDeque, time::Duration};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;

use super::{Life, Log, Stage};
use crate::runner::{attempt::record::Record, failure, pod::services};

/// How many lines of a service's log are shown when it ends.
const TAIL: usize = 10;

/// How long those may take to come.
const PATIENCE: Duration = Duration::from_secs(2);

impl Life<'_> {
    /// Opens the logs of all services where the job wants to see them (`CI_DEBUG_SERVICES`).
    pub(super) fn open_service_logs(&mut self) {
        if !self.shows_services() {
            return;
        }
        let logs = services::named(self.build).into_iter().map(|named| {
            let name = named.name();
            let log = self.executor.pods.log(&self.name, &name);
            log.map(move |chunk| (name.clone(), chunk)).boxed()
        });
        self.service_logs = Some(stream::select_all(logs.collect::<Vec<_>>()).boxed());
    }

    /// Says of every service that has ended, once, why the job will not reach it.
    pub(super) async fn say_ended_services(&mut self, pod: &Pod, record: &mut Record) {
        if !matches!(self.stage, Stage::Starting | Stage::Running) {
            return;
        }
        for (name, ended) in failure::ended_services(pod) {
            if !self.ended_services.insert(name.clone()) {
                continue;
            }
            record.warn(&failure::service_ended(self.build, pod, &name, &ended)).await;
            if !self.shows_services() {
                for line in last_lines(self.executor.pods.log(&self.name, &name)).await {
                    record.service_output(&name, format!("{line}\n").as_bytes()).await;
                }
            }
        }
    }

    fn shows_services(&self) -> bool {
        self.build.variable("CI_DEBUG_SERVICES") == Some("true")
    }
}

/// The end of a log that has ended.
async fn last_lines(mut log: Log) -> Vec<String> {
    let mut bytes = VecDeque::new();
    let read = async {
        while let Some(Ok(chunk)) = log.next().await {
            bytes.extend(chunk);
            bytes.drain(..bytes.len().saturating_sub(16 * 1024));
        }
    };
    // What has come until then is shown.
    drop(tokio::time::timeout(PATIENCE, read).await);
    let bytes: Vec<u8> = bytes.into();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| (*line).to_owned()).collect()
}
