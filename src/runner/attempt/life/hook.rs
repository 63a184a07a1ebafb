//! `hooks:pre_get_sources_script`: it runs in the helper container before the sources are carried in.

use std::sync::Arc;

use futures::FutureExt as _;

use super::{End, Life, Stage};
use crate::{
    engine,
    runner::{
        attempt::record::Record,
        failure::{self, HELPER},
        files::archive,
        trace::Mark,
    },
};

impl Life<'_> {
    /// Starts to carry in what the hook needs: the helper container waits for that.
    pub(super) fn begin_hook(&mut self, hook: Vec<u8>) -> Option<End> {
        // Nobody in the pod holds the job's time limit yet.
        self.enter(Stage::Running, self.left());
        self.is_hooking = true;
        let (pods, name) = (Arc::clone(&self.executor.pods), self.name.clone());
        self.copy = Some(async move { pods.copy_in(&name, HELPER, archive::of_bytes(hook)).await }.boxed());
        None
    }

    /// The hook has what it needs: what it prints comes from the helper container.
    pub(super) fn open_hook_log(&mut self) {
        if self.is_hooking && self.hook_log.is_none() {
            self.hook_log = Some(self.executor.pods.log(&self.name, HELPER));
        }
    }

    /// Takes what the hook has printed; after its end comes the rest of the job.
    pub(super) async fn hook_output(
        &mut self,
        chunk: Option<Result<Vec<u8>, engine::Error>>,
        record: &mut Record,
    ) -> Option<End> {
        let marks = match chunk {
            Some(Ok(chunk)) => record.output(&chunk).await,
            Some(Err(error)) => {
                return Some(End::Failed(failure::engine_failed("the hook was lost", &error)));
            }
            None => return Some(End::Failed(failure::silent())),
        };
        let code =
            marks.iter().find_map(|mark| if let Mark::Hook(code) = mark { Some(*code) } else { None })?;
        (self.hook_log, self.is_hooking) = (None, false);
        match code {
            0 => self.carry_in(record).await,
            code => Some(End::Hook(code)),
        }
    }
}
