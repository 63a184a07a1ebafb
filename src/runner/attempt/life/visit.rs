//! Somebody looks into a job's pod, whose supervisor waits for them.

use std::sync::Arc;

use futures::FutureExt as _;

use super::{End, Life, Stage};
use crate::runner::{build::Look, failure::HELPER, files::archive, pod::look_limit, script};

impl Life<'_> {
    /// The supervisor waits: who wants to look may do so now.
    pub(super) fn open_to_visit(&mut self, code: i32) {
        self.enter(Stage::Running, look_limit(self.build));
        let visit = self.executor.visit.clone();
        let (job, pod) = (self.build.name.clone(), self.name.clone());
        let command = script::shell_command(self.build);
        let visit = async move {
            if let Some(visit) = visit {
                visit.visit(&job, &pod, command, code).await;
            }
        };
        self.visit = Some(visit.boxed());
    }

    /// They have left: the job goes on, where it has a script.
    pub(super) fn visited(&mut self) -> Option<End> {
        self.visit = None;
        if self.build.look == Look::First {
            return Some(End::Canceled);
        }
        // the deadline that the job had; the pod's own holds in any case
        self.enter(Stage::Running, self.build.timeout + super::SLACK);
        let leave = archive::leave(self.build, self.executor.time);
        let (pods, name) = (Arc::clone(&self.executor.pods), self.name.clone());
        if let Ok(leave) = leave {
            self.copy = Some(async move { pods.copy_in(&name, HELPER, leave).await }.boxed());
        }
        None
    }
}
