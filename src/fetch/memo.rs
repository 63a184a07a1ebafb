//! Answers that are found once, by whichever thread asks first.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Answers by question.
#[derive(Debug)]
pub(super) struct Memo<Q, A>(Mutex<HashMap<Q, Arc<OnceLock<A>>>>);

impl<Q, A> Default for Memo<Q, A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Q: Hash + Eq + Clone, A: Clone> Memo<Q, A> {
    /// The answer to a question; others who ask the same at the same time wait for it.
    pub(super) fn get(&self, question: &Q, find: impl FnOnce() -> A) -> A {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(question.clone()).or_default())
        };
        cell.get_or_init(find).clone()
    }

    /// Whether the answer is known.
    pub(super) fn knows(&self, question: &Q) -> bool {
        let cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cells.get(question).is_some_and(|cell| cell.get().is_some())
    }
}
