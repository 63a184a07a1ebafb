//! Real configurations: none of them is wrong, and what `podline config` writes of each plans the same.

use std::path::{Path, PathBuf};

use podline::config::{Diagnostic, Severity};

use super::{
    deviations::REFUSED,
    project::{Planned, Project, events},
    tally::{self, Tally},
};

/// A configuration of the corpus.
struct Entry {
    /// Its path in the corpus.
    name: String,
    project: Project,
    /// The main file.
    file: String,
}

/// `projects/*/`, each with its files, and `files/*`, each alone.
fn entries(corpus: &Path) -> Vec<Entry> {
    let named = |folder: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(corpus.join(folder)).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let owner = |name: &str| name.split("__").take(2).collect::<Vec<_>>().join("/");
    let projects = named("projects").into_iter().map(|folder| Entry {
        name: format!("projects/{}", name(&folder)),
        project: Project::of_folder(&folder, owner(&name(&folder))),
        file: ".gitlab-ci.yml".to_owned(),
    });
    let files = named("files").into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).expect("a file of the corpus is text");
        let full = name(&path);
        let file = full.splitn(3, "__").nth(2).unwrap_or(&full);
        let mut project = Project::of_files([(file, text)]);
        project.path = owner(&full);
        Entry { name: format!("files/{full}"), file: file.to_owned(), project }
    });
    projects.chain(files).collect()
}

/// Names that the default branch may have: the data does not say which it is.
const DEFAULT_BRANCHES: [&str; 2] = ["main", "master"];

#[test]
fn every_real_configuration_is_planned_for_every_event() {
    let Some(corpus) = tally::corpus() else { return };
    let mut tally = Tally::new("corpus");
    let mut seen = Seen::default();
    for mut entry in entries(&corpus) {
        let mut planned = entry.plan();
        if planned.iter().all(|(_, planned)| planned.jobs() == 0) {
            entry.project.default_branch = DEFAULT_BRANCHES[1];
            planned = entry.plan();
        }
        let holds = entry.check(&planned, &mut seen);
        tally.case(&entry.name, holds);
    }
    tally.finish(&seen.to_string());
}

/// What is seen on the way.
#[derive(Default)]
struct Seen {
    pipelines: usize,
    jobs: usize,
    warnings: usize,
    /// Pipelines that GitLab would not create, as a needed job is not in them.
    without_a_need: usize,
    /// Entries whose every job is listed as unresolved, as its base is not in the corpus.
    only_unresolved: usize,
    /// Entries that define no job: what they include is not in the corpus.
    elsewhere: usize,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pipelines, jobs, warnings, without_a_need, only_unresolved, elsewhere } = self;
        write!(
            formatter,
            "; {jobs} jobs in {pipelines} pipelines, {warnings} warnings; {without_a_need} pipelines lack a job \
             that another needs; the jobs of {only_unresolved} entries are all unresolved, {elsewhere} define none"
        )
    }
}

impl Entry {
    fn plan(&self) -> Vec<(&'static str, Planned)> {
        let events = events(self.project.default_branch).into_iter();
        events.map(|(name, event)| (name, self.project.plan(&self.file, &event))).collect()
    }

    fn check(&self, planned: &[(&str, Planned)], seen: &mut Seen) -> Result<(), String> {
        if let Some(refused) = REFUSED.iter().find(|refused| refused.case == self.name) {
            let says =
                |found: &Diagnostic| found.code == refused.code && found.message.contains(refused.names);
            let is_refused = |(_, planned): &(&str, Planned)| planned.errors().any(says);
            return if planned.iter().all(is_refused) { Ok(()) } else { Err("is not refused".to_owned()) };
        }
        for (event, planned) in planned {
            self.check_event(planned, seen).map_err(|why| format!("{event}: {why}"))?;
        }
        if planned.iter().any(|(_, planned)| planned.jobs() > 0 && planned.errors().next().is_none()) {
            return Ok(());
        }
        let (_, first) = &planned[0];
        match &first.config {
            Some(config) if !config.unresolved.is_empty() => seen.only_unresolved += 1,
            Some(config) if !config.unavailable.is_empty() => seen.elsewhere += 1,
            _ => return Err("has no job for any event".to_owned()),
        }
        Ok(())
    }

    fn check_event(&self, planned: &Planned, seen: &mut Seen) -> Result<(), String> {
        seen.pipelines += usize::from(planned.jobs() > 0);
        seen.jobs += planned.jobs();
        seen.warnings +=
            planned.diagnostics.iter().filter(|found| found.severity == Severity::Warning).count();
        let (true_ones, wrong): (Vec<_>, Vec<_>) =
            planned.errors().partition(|error| is_true(error, planned));
        seen.without_a_need += usize::from(true_ones.iter().any(|error| error.code == "missing-need"));
        if !wrong.is_empty() {
            let wrong: Vec<_> = wrong.into_iter().map(|error| planned.show(error)).collect();
            return Err(format!("\n    {}", wrong.join("\n    ")));
        }
        let again = planned.plan_again(&self.project).map_err(|why| format!("`podline config`: {why}"))?;
        if again != planned.plan() {
            return Err("what `podline config` writes has another plan".to_owned());
        }
        Ok(())
    }
}

/// Whether GitLab would say the same for this event: a job that rules leave out is needed by one that is in.
fn is_true(error: &Diagnostic, planned: &Planned) -> bool {
    let Some(pipeline) = &planned.pipeline else { return false };
    let named = |name: &str| error.message.contains(&format!("needs `{name}`"));
    error.code == "missing-need" && pipeline.left_out.iter().any(|job| named(&job.name))
}
