//! The places of the runners, given out so that the runners share the work.

use std::collections::BTreeSet;

use crate::runner::Slot;

/// The places of all runners.
#[derive(Debug)]
pub(super) struct Slots {
    runners: Vec<String>,
    free: BTreeSet<Place>,
}

/// A place: ordered so that every runner gets a job before one gets its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    index: usize,
    runner: usize,
}

impl Slots {
    /// `concurrent` places on each of these runners.
    pub(super) fn new(runners: Vec<String>, concurrent: usize) -> Self {
        let places = (0..concurrent)
            .flat_map(|index| (0..runners.len()).map(move |runner| Place { index, runner }))
            .collect();
        Self { runners, free: places }
    }

    /// How many places are free.
    pub(super) fn free(&self) -> usize {
        self.free.len()
    }

    /// Takes a place, if one is free.
    pub(super) fn take(&mut self) -> Option<(Place, Slot)> {
        let place = self.free.pop_first()?;
        Some((place, Slot { runner: self.runners[place.runner].clone(), index: place.index }))
    }

    /// Gives a place back.
    pub(super) fn release(&mut self, place: Place) {
        self.free.insert(place);
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn every_runner_gets_a_job_before_one_gets_its_second() {
        let mut slots = Slots::new(vec!["a".into(), "b".into()], 2);
        let taken: Vec<_> = std::iter::from_fn(|| slots.take()).collect();
        let names: Vec<_> = taken.iter().map(|(_, slot)| format!("{}/{}", slot.runner, slot.index)).collect();
        assert_eq!(names, ["a/0", "b/0", "a/1", "b/1"]);
        slots.release(taken[1].0);
        assert_eq!(slots.take().map(|(_, slot)| slot), Some(taken[1].1.clone()));
        assert_eq!(slots.free(), 0);
    }
}
