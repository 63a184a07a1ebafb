//! What stands below the jobs in the live view: the totals, and what keys do.

use super::{View, done};
use crate::report::keys::Act;
use crate::report::text;
use crate::report::theme::{Label, Look};

impl View<'_> {
    pub(super) fn totals(&self) -> Vec<String> {
        if self.model.jobs.is_empty() {
            return Vec::new();
        }
        let counts = self.model.counts();
        let since = self.now.saturating_sub(self.model.started.unwrap_or(self.now));
        let mut parts = vec![done(&counts), text::elapsed(since)];
        let failed =
            counts.unusual().into_iter().filter(|(look, _)| matches!(look, Look::Failed | Look::Allowed));
        parts.extend(failed.map(|(_, words)| words));
        parts.extend((counts.running > 0).then(|| format!("{} running", counts.running)));
        parts.extend((counts.waiting > 0).then(|| format!("{} waiting", counts.waiting)));
        parts.extend((self.hand.is_there && !self.hand.help).then(|| "? keys".to_owned()));
        let line = text::cut(&parts.join(self.theme.separator()), self.width, self.theme);
        let label = if counts.failed > 0 { Label::Failure } else { Label::Strong };
        let canceling = self.model.canceling.as_ref().map(|message| {
            self.theme
                .paint(Label::Warning, text::cut(&format!("canceling: {message}"), self.width, self.theme))
        });
        std::iter::once(self.theme.paint(label, line)).chain(canceling).collect()
    }

    /// What keys do now: nothing is said of them until somebody asks or is asked.
    pub(super) fn footer(&self) -> Vec<String> {
        if !self.hand.is_there {
            return Vec::new();
        }
        let act = |act: &Act| format!("{} {}", act.letter(), act.word());
        let mut lines = Vec::new();
        if !self.model.blocked.is_empty() {
            let jobs = self.model.blocked.iter().map(|job| text::bare(job)).collect::<Vec<_>>().join(", ");
            let wait = format!("waiting for you to start {jobs}: p starts it, q ends the run");
            lines.push((Label::Manual, wait));
        }
        if let Some((path, job)) = &self.chosen {
            let acts: Vec<_> = Act::suiting(self.model, path, job).iter().map(act).collect();
            let acts =
                if acts.is_empty() { "nothing to do".to_owned() } else { acts.join(self.theme.separator()) };
            lines.push((Label::Help, format!("{}: {acts}", text::bare(path))));
        }
        if self.hand.help {
            let arrows = if self.theme.unicode { "↑↓" } else { "j k" };
            let keys = [format!("{arrows} choose a job")].into_iter().chain(Act::ALL.iter().map(act));
            let keys: Vec<_> = keys.chain(["q end the run".to_owned()]).collect();
            lines.push((Label::Muted, keys.join(self.theme.separator())));
        }
        let (theme, width) = (self.theme, self.width);
        let wrapped = move |(label, line): (Label, String)| {
            text::wrap(&line, width).into_iter().map(move |line| theme.paint(label, line))
        };
        lines.into_iter().flat_map(wrapped).collect()
    }
}
