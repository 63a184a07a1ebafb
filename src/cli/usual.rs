//! How long things usually take, from the records of earlier runs.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    time::Duration,
};

use super::runs::Run;
use crate::{
    event::{self, Event, Status},
    pipeline::Pipeline,
    report::record::Record,
};

/// Of how many runs the middle is taken.
const RUNS: usize = 5;

/// How long a run of these jobs usually takes: the middle of the last runs that had the same ones and came to
/// their end. No selection means all of the pipeline.
pub(super) fn duration(own_folder: &Path, selected: &[String], pipeline: &Pipeline) -> Option<Duration> {
    let ids = selected.iter().flat_map(|name| {
        pipeline.jobs().filter(move |(_, job)| job.name == *name || job.key.value == *name).map(|(id, _)| id)
    });
    let ids: Vec<_> = ids.collect();
    let part = if ids.is_empty() { pipeline.clone() } else { pipeline.only(&ids) };
    let wanted: BTreeSet<&str> = part.jobs.iter().map(|job| job.name.as_str()).collect();
    let records = Run::all(own_folder).into_iter().rev().filter_map(|run| Record::read(&run).ok());
    middle(records.filter_map(|record| took(&record, &wanted)).take(RUNS).collect())
}

/// How long each job usually takes, by its name with those of the trigger jobs that lead to it: the middle of
/// those of its last attempts that succeeded.
pub(super) fn jobs(own_folder: &Path) -> HashMap<String, Duration> {
    let records = Run::all(own_folder).into_iter().rev().filter_map(|run| Record::read(&run).ok());
    let mut times: HashMap<String, Vec<Duration>> = HashMap::new();
    for (_, event) in records.take(RUNS).flat_map(|record| record.events) {
        if let (pipeline, Event::JobFinished(end)) = event.place()
            && end.status == Status::Success
        {
            times.entry(event::path(pipeline, &end.job)).or_default().push(end.took);
        }
    }
    times.into_iter().filter_map(|(job, times)| Some((job, middle(times)?))).collect()
}

/// How long a run took, if it had these jobs and none was cut short.
fn took(record: &Record, wanted: &BTreeSet<&str>) -> Option<Duration> {
    let jobs = record.events.iter().find_map(|(_, event)| match event {
        Event::PipelineStarted(outline) => Some(&outline.jobs),
        _ => None,
    })?;
    let names: BTreeSet<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    record.events.iter().rev().find_map(|(_, event)| match event {
        Event::PipelineFinished { status: Status::Success, took, .. } if names == *wanted => Some(*took),
        _ => None,
    })
}

fn middle(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_not_moved_by_one_that_took_long() {
        let seconds = |all: &[u64]| all.iter().map(|it| Duration::from_secs(*it)).collect();
        assert_eq!(middle(seconds(&[])), None);
        assert_eq!(middle(seconds(&[4])), Some(Duration::from_secs(4)));
        assert_eq!(middle(seconds(&[5, 900, 4])), Some(Duration::from_secs(5)));
    }
}
