//! `needs` and `dependencies`: names to jobs, with what is wrong about them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use indexmap::IndexMap;

use super::{
    job::{Givers, JobId, Need, PipelineNeed},
    matrix::{self, Instance},
};
use crate::config::{
    Config, Diagnostic, Diagnostics, Span, Spanned,
    diagnostic::some_of,
    keyword::job::{Job, Need as Written, NeedTarget},
};

/// `ci_needs_size_limit`.
const MAX_NEEDS: usize = 50;

/// A job of the pipeline, as far as others may name it.
pub(super) struct Present {
    pub(super) name: String,
    /// Index of its stage.
    pub(super) stage: usize,
    pub(super) has_artifacts: bool,
}

/// All names that `needs` may use, and what became of them.
pub(super) struct Names<'c> {
    config: &'c Config,
    /// Keys of all jobs.
    keys: HashSet<&'c str>,
    /// Jobs that cannot be built, with the reason.
    without_job: HashMap<&'c str, &'c str>,
    /// Instances by the key of their job, of jobs with `parallel`.
    instances: HashMap<&'c str, Vec<String>>,
    present: HashMap<String, (JobId, usize)>,
    /// The jobs of the pipeline that have artifacts, with the index of their stage, by which they are sorted.
    givers: Arc<[JobId]>,
    stages_of_givers: Vec<usize>,
    left_out: HashMap<String, String>,
    /// Needed jobs that cannot be built: where they are first asked for, and by which jobs.
    unresolved: IndexMap<String, (Span, Vec<String>)>,
    reported: HashSet<String>,
    /// Places in which the reading of the configuration has found something.
    known: HashSet<Span>,
}

impl<'c> Names<'c> {
    /// `present` are the jobs of the pipeline, by their stages; `left_out` the other instances with the
    /// reason; `found` is what is wrong with the configuration.
    pub(super) fn new(
        config: &'c Config,
        present: impl Iterator<Item = Present>,
        left_out: HashMap<String, String>,
        found: &Diagnostics,
    ) -> Self {
        let with_parallel = config.jobs.iter().filter(|job| job.parallel.is_some());
        let names = |job: &Job| matrix::instances(job).into_iter().map(|instance| instance.name).collect();
        // The first of a name counts.
        let unresolved = config.unresolved.iter().rev();
        let present: Vec<_> = present.enumerate().map(|(at, present)| (JobId(at), present)).collect();
        let givers = || present.iter().filter(|(_, present)| present.has_artifacts);
        Self {
            givers: givers().map(|(id, _)| *id).collect(),
            stages_of_givers: givers().map(|(_, present)| present.stage).collect(),
            config,
            keys: config.jobs.iter().map(|job| job.name.as_str()).collect(),
            without_job: unresolved.map(|job| (job.name.as_str(), job.reason.as_str())).collect(),
            instances: with_parallel.map(|job| (job.name.as_str(), names(job))).collect(),
            present: present.into_iter().map(|(id, job)| (job.name, (id, job.stage))).collect(),
            left_out,
            unresolved: IndexMap::new(),
            reported: HashSet::new(),
            known: found.iter().filter_map(|found| found.span).collect(),
        }
    }

    /// The jobs that an instance needs, of those that are written. They must be there where the job itself names
    /// them (`Seed::Build#needs_errors`); what a rule names in vain is left out.
    pub(super) fn needs(
        &mut self,
        job: &Job,
        instance: &Instance,
        stage: usize,
        (written, must_be_there): (&[Written], bool),
        diagnostics: &mut Diagnostics,
    ) -> Vec<Need> {
        let mut found: Vec<Need> = Vec::new();
        let mut count = 0;
        for need in written {
            let names = self.names_of(job, instance, need, diagnostics);
            count += names.len();
            for name in names {
                match self.present.get(&name) {
                    Some(&(_, later)) if later > stage => {
                        self.report(diagnostics, later_stage("need-of-later-stage", job, &name, need.span));
                    }
                    Some(&(id, _)) if found.iter().any(|known| known.job == id) => {
                        let message = format!("`{}` needs `{name}` twice", job.name.value);
                        let twice = Diagnostic::error("duplicate-need", message, need.span);
                        self.report(diagnostics, twice.help("remove one of them"));
                    }
                    Some(&(id, _)) => found.push(Need { job: id, artifacts: need.artifacts }),
                    None if need.optional => {}
                    None => self.report_missing(job, (need, must_be_there), &name, diagnostics),
                }
            }
        }
        if count > MAX_NEEDS {
            let message = format!("`{}` needs {count} jobs, and {MAX_NEEDS} is the most", job.name.value);
            let help = "let it run after a whole stage instead, without `needs`";
            self.report(diagnostics, Diagnostic::error("too-many-needs", message, job.name.span).help(help));
        }
        found
    }

    /// The names that one need stands for: a whole parallel job means all of its instances.
    pub(super) fn names_of(
        &mut self,
        job: &Job,
        instance: &Instance,
        need: &Written,
        diagnostics: &mut Diagnostics,
    ) -> Vec<String> {
        let NeedTarget::Job { name, matrix } = &need.target else { return Vec::new() };
        let mut unknown = Vec::new();
        let mut fill = |text: &str| interpolate(text, &instance.variables, &mut unknown);
        let name = fill(name);
        let chosen = matrix.as_ref().map(|matrix| {
            let mut filled = matrix.clone();
            for value in filled.iter_mut().flatten().flat_map(|(_, values)| values) {
                *value = fill(value);
            }
            matrix::permutations(&filled)
        });
        for identifier in unknown {
            let message = format!("`{}` has no `{identifier}` in its `parallel:matrix`", job.name.value);
            let error = Diagnostic::error("unknown-matrix-identifier", message, need.span);
            let help = "`$[[ matrix.NAME ]]` takes a value of the job that needs, not of the one needed";
            self.report(diagnostics, error.help(help));
        }
        if let Some(chosen) = chosen {
            return chosen.iter().map(|variables| matrix::matrix_name(&name, variables)).collect();
        }
        self.instances.get(name.as_str()).cloned().unwrap_or_else(|| vec![name])
    }

    fn report_missing(
        &mut self,
        job: &Job,
        (need, must_be_there): (&Written, bool),
        name: &str,
        diagnostics: &mut Diagnostics,
    ) {
        let NeedTarget::Job { name: written, .. } = &need.target else { return };
        // Asked first, as a suggestion looks at the names of all jobs.
        if self.known.contains(&need.span) {
            return;
        }
        let message =
            format!("`{}` needs `{name}`, but `{name}` does not exist in the pipeline", job.name.value);
        let reason = self.left_out.get(name).cloned();
        let is_known = reason.is_some() || self.keys.contains(written.as_str());
        if !is_known && self.without_job.contains_key(written.as_str()) {
            let (_, jobs) = self.unresolved.entry(written.clone()).or_insert((need.span, Vec::new()));
            jobs.push(job.name.value.clone());
            return;
        }
        // The reading of the configuration has named what only a missing include can define.
        if !is_known && !self.config.unavailable.is_empty() {
            return;
        }
        // What is missing may give the needed job other rules, or a workflow.
        let error = if self.config.unavailable.is_empty() && must_be_there {
            Diagnostic::error("missing-need", message, need.span)
        } else {
            Diagnostic::warning("missing-need", message, need.span)
        };
        let error = match reason {
            Some(reason) => error.help(format!(
                "`{name}` is left out ({reason}); write `optional: true` for a job that is not always there"
            )),
            None => match self.suggestion(written, name, diagnostics) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            },
        };
        self.report(diagnostics, error);
    }

    /// Names each job once that is needed and cannot be built: such needs are left out.
    pub(super) fn warn_of_unresolved(self, diagnostics: &mut Diagnostics) {
        for (name, (span, mut jobs)) in self.unresolved {
            jobs.dedup();
            let reason = self.without_job.get(name.as_str()).copied().unwrap_or_default();
            let message = format!("`{name}`, a need of {}, cannot be built here ({reason})", some_of(&jobs));
            let help = "its place in the order of jobs is left out";
            diagnostics.push(Diagnostic::warning("unresolved-need", message, span).help(help));
        }
    }

    fn suggestion(&self, written: &str, name: &str, diagnostics: &mut Diagnostics) -> Option<String> {
        if let Some(instances) = self.instances.get(written) {
            let list: Vec<&str> = instances.iter().take(3).map(String::as_str).collect();
            return diagnostics
                .nearest(name, list.iter().copied())
                .or(list.first().copied())
                .map(str::to_owned);
        }
        let keys = self.config.jobs.iter().map(|job| job.name.as_str());
        diagnostics.nearest(name, keys).map(str::to_owned)
    }

    /// Jobs whose artifacts an instance may take, by `needs`, `dependencies` and stages, in order.
    pub(super) fn artifacts_from(
        &mut self,
        job: &Job,
        stage: usize,
        needs: Option<&[Need]>,
        diagnostics: &mut Diagnostics,
    ) -> Givers {
        let named =
            job.dependencies.as_ref().map(|list| self.dependencies(job, stage, needs, list, diagnostics));
        let mut taken: Vec<JobId> = match (needs, named) {
            (None, None) => {
                let before = self.stages_of_givers.partition_point(|of| *of < stage);
                return Givers::first(&self.givers, before);
            }
            (None, Some(named)) => named.into_iter().collect(),
            (Some(needs), named) => {
                let taken = needs.iter().filter(|need| need.artifacts).map(|need| need.job);
                taken.filter(|id| named.as_ref().is_none_or(|named| named.contains(id))).collect()
            }
        };
        taken.retain(|id| self.givers.binary_search(id).is_ok());
        taken.sort_unstable();
        taken.into_iter().collect()
    }

    fn dependencies(
        &mut self,
        job: &Job,
        stage: usize,
        needs: Option<&[Need]>,
        list: &[Spanned<String>],
        diagnostics: &mut Diagnostics,
    ) -> HashSet<JobId> {
        let mut found = HashSet::new();
        for name in list {
            let names =
                self.instances.get(name.as_str()).cloned().unwrap_or_else(|| vec![name.value.clone()]);
            let mut is_known = false;
            for instance in names {
                match self.present.get(&instance) {
                    Some(&(id, of)) if of <= stage || needs.is_some() => {
                        is_known = true;
                        // what runs beside it has nothing to give yet
                        if of < stage || needs.is_some() {
                            found.insert(id);
                        }
                        if needs
                            .is_some_and(|needs| !needs.is_empty() && needs.iter().all(|need| need.job != id))
                        {
                            let message =
                                format!("`{}` depends on `{instance}` and does not need it", job.name.value);
                            let error = Diagnostic::error("dependency-not-needed", message, name.span);
                            self.report(diagnostics, error.help("add it to `needs`, or remove it here"));
                        }
                    }
                    Some(_) => {
                        is_known = true;
                        let error = later_stage("dependency-of-later-stage", job, &instance, name.span);
                        self.report(diagnostics, error);
                    }
                    // A job that rules leave out has no artifacts, and that is fine.
                    None => is_known |= self.left_out.contains_key(&instance),
                }
            }
            if !is_known && self.config.unavailable.is_empty() && !self.known.contains(&name.span) {
                let message =
                    format!("`{}` depends on `{}`, which does not exist", job.name.value, name.value);
                let error = Diagnostic::error("missing-dependency", message, name.span);
                let error = match self.suggestion(name, name, diagnostics) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error,
                };
                self.report(diagnostics, error);
            }
        }
        found
    }

    /// Adds what all instances of a job would say only once, and nothing where the reading of the
    /// configuration has already found something: it knows all names, but not which jobs are left out.
    fn report(&mut self, diagnostics: &mut Diagnostics, diagnostic: Diagnostic) {
        let is_known = diagnostic.span.is_some_and(|span| self.known.contains(&span));
        if !is_known && self.reported.insert(format!("{:?}{}", diagnostic.span, diagnostic.message)) {
            diagnostics.push(diagnostic);
        }
    }
}

fn later_stage(code: &'static str, job: &Job, name: &str, span: Span) -> Diagnostic {
    let message = format!("`{name}` is in a stage after that of `{}`", job.name.value);
    Diagnostic::error(code, message, span).help("move one of them to another `stage`")
}

/// Fills in `$[[ matrix.NAME ]]` (`MatrixInterpolator`); names that the matrix does not have are left as
/// they are written and told.
fn interpolate(text: &str, variables: &[(String, String)], unknown: &mut Vec<String>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("$[[") {
        let Some(end) = rest[start..].find("]]").map(|end| start + end + 2) else { break };
        let identifier = rest[start + 3..end - 2].trim().strip_prefix("matrix.");
        let known = identifier.and_then(|name| variables.iter().find(|(key, _)| key == name));
        if let (Some(name), None) = (identifier, known) {
            unknown.push(name.to_owned());
        }
        filled.push_str(&rest[..start]);
        filled.push_str(known.map_or(&rest[start..end], |(_, value)| value));
        rest = &rest[end..];
    }
    filled.push_str(rest);
    filled
}

/// The jobs of other pipelines whose artifacts are taken.
pub(super) fn of_pipelines(written: &[Written]) -> Vec<PipelineNeed> {
    let need = |need: &Written| match &need.target {
        NeedTarget::Pipeline { pipeline, job: Some(job) } if need.artifacts => {
            Some(PipelineNeed { pipeline: pipeline.clone(), job: job.clone() })
        }
        _ => None,
    };
    written.iter().filter_map(need).collect()
}

/// A circle of jobs that need each other, if there is one.
pub(super) fn cycle(needs: &[Option<Vec<Need>>]) -> Option<Vec<JobId>> {
    let mut done = vec![false; needs.len()];
    let mut is_open = vec![false; needs.len()];
    for start in 0..needs.len() {
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((at, next)) = path.pop() {
            if done[at] {
                continue;
            }
            let Some(need) = needs[at].as_ref().and_then(|list| list.get(next)) else {
                done[at] = true;
                is_open[at] = false;
                continue;
            };
            path.push((at, next + 1));
            is_open[at] = true;
            let child = need.job.0;
            if is_open[child] {
                let from = path.iter().position(|(open, _)| *open == child).unwrap_or_default();
                return Some(path[from..].iter().map(|(open, _)| JobId(*open)).collect());
            }
            path.push((child, 0));
        }
    }
    None
}
