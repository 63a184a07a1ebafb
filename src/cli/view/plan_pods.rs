//! Images and limits of the jobs' pods, as `podline plan` shows them.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::{
    cli::builds::Builds,
    config::{expand, keyword::job::PullPolicy},
    pipeline::{Job, JobId},
    runner::settings::Resources,
};

/// An image, or why no pod is made, and the limits.
type Shown = (String, Option<String>);

/// Images and limits of the jobs' pods.
pub(super) struct Pods {
    /// Image and limits of each job, for people; none where no pod is made.
    of_jobs: Vec<Option<Shown>>,
    /// Those that all jobs have: they are then said once.
    pub(super) shared: Option<Shown>,
}

impl Pods {
    pub(super) fn of(builds: &Builds) -> Self {
        let of_jobs = pods(builds);
        let first = of_jobs.first().cloned().flatten();
        let is_shared = of_jobs.len() > 1 && of_jobs.iter().all(|of_job| *of_job == first);
        Self { shared: first.filter(|_| is_shared), of_jobs }
    }

    pub(super) fn image(&self, job: JobId) -> Option<String> {
        self.own(job).map(|(image, _)| image)
    }

    pub(super) fn limits(&self, job: JobId) -> Option<String> {
        self.own(job).and_then(|(_, limits)| limits)
    }

    fn own(&self, job: JobId) -> Option<Shown> {
        self.of_jobs[job.0].clone().filter(|_| self.shared.is_none())
    }
}

/// Jobs whose pods are worth a thread.
const MANY: usize = 128;

/// What is shown of each job's pod. Most jobs ask for the same as another, and a thousand pods take longer than all
/// the rest: one is made of each kind, by as many threads as help.
fn pods(builds: &Builds) -> Vec<Option<Shown>> {
    let mut kinds = Vec::new();
    let mut known: HashMap<Asked<'_>, usize> = HashMap::new();
    let kind_of = |(id, job)| {
        let mut add = || {
            kinds.push((id, job));
            kinds.len() - 1
        };
        match Asked::by(job, builds) {
            Some(asked) => *known.entry(asked).or_insert_with(add),
            None => add(),
        }
    };
    let kinds_of_jobs: Vec<usize> = builds.pipeline.jobs().map(kind_of).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let of_some =
        |jobs: &[(JobId, &Job)]| -> Vec<_> { jobs.iter().map(|(id, job)| pod(builds, *id, job)).collect() };
    let of_kinds: Vec<_> = std::thread::scope(|scope| {
        let parts = kinds.chunks(kinds.len().div_ceil(threads).max(MANY));
        let parts: Vec<_> = parts.map(|part| scope.spawn(move || of_some(part))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("a pod is made without a panic")).collect()
    });
    kinds_of_jobs.into_iter().map(|kind| of_kinds[kind].clone()).collect()
}

/// All that the image and the limits of a job's pod come from.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Asked<'p> {
    is_trigger: bool,
    has_image: bool,
    /// Names of images, users and aliases.
    texts: Vec<&'p str>,
    policies: Vec<&'p [PullPolicy]>,
    /// The variables that those refer to, also through each other, and those that ask something of the runner. A name
    /// without a value is none of the job's: the runner has it, or nobody.
    variables: BTreeMap<&'p str, Option<&'p str>>,
}

impl<'p> Asked<'p> {
    /// `None` where something is asked for that each job has of its own, as `CI_JOB_ID`.
    fn by(job: &'p Job, builds: &'p Builds) -> Option<Self> {
        let images = || job.image.iter().chain(job.services.iter().map(|service| &service.image));
        let mut texts: Vec<&str> = images()
            .flat_map(|image| [Some(&image.name), image.kubernetes_user.as_ref()])
            .map(|text| text.map_or("", |text| text.value.as_str()))
            .collect();
        texts.extend(job.services.iter().flat_map(|service| &service.aliases).map(String::as_str));
        let of_runner = builds.settings.environment.iter().map(|(_, value)| value.as_str());
        let of_services = job.services.iter().flat_map(|service| service.variables.values());
        let of_services = of_services.map(|variable| variable.value.as_str());
        let default = builds.settings.image.as_deref();
        let named = texts
            .iter()
            .copied()
            .chain(default)
            .chain(of_runner)
            .chain(of_services)
            .flat_map(expand::references);
        let asking = job.variables.iter().map(|variable| variable.key.as_str()).filter(|key| asks(key));
        let mut names: Vec<&str> = named.chain(asking).collect();
        let mut variables = BTreeMap::new();
        while let Some(name) = names.pop() {
            if variables.contains_key(name) {
                continue;
            }
            let value = job.variables.get(name).map(|variable| variable.value.as_str());
            if value.is_none() && OF_ONE_JOB.iter().any(|prefix| name.starts_with(prefix)) {
                return None;
            }
            names.extend(value.into_iter().flat_map(expand::references));
            variables.insert(name, value);
        }
        let asked_by_service =
            job.services.iter().any(|service| service.variables.keys().any(|key| asks(key)));
        let policies = images().map(|image| image.pull_policy.as_slice()).collect();
        let (is_trigger, has_image) = (job.trigger.is_some(), job.image.is_some());
        (!asked_by_service).then_some(Self { is_trigger, has_image, texts, policies, variables })
    }
}

/// What the names of variables begin with that the runner makes for each job.
const OF_ONE_JOB: [&str; 3] = ["CI_JOB_", "CI_RUNNER_", "CI_CONCURRENT_"];

/// Whether a variable asks something of the runner.
fn asks(key: &str) -> bool {
    key.starts_with("KUBERNETES_") || key == "GIT_CLONE_PATH"
}

/// The image of a job's pod, with the one that it stands for, and its limits.
fn pod(builds: &Builds, id: JobId, job: &Job) -> Option<Shown> {
    if job.trigger.is_some() {
        return None;
    }
    let build = match builds.build(id, 1, &builds.first_slot(), Vec::new()) {
        Ok(build) => build,
        Err(failure) => return Some((failure.message, None)),
    };
    let limits = match builds.overwrites(&build) {
        Ok(overwrites) => limits(&overwrites.build),
        Err(failure) => return Some((failure.message, None)),
    };
    let (name, requested) = (&build.image.name, &build.image.requested);
    Some((if name == requested { name.clone() } else { format!("{name} for {requested}") }, Some(limits)))
}

fn limits(resources: &Resources) -> String {
    let text = |quantity: &Option<Quantity>| quantity.as_ref().map(|quantity| quantity.0.clone());
    match (text(&resources.cpu_limit), text(&resources.memory_limit)) {
        (Some(cpu), Some(memory)) => format!("{cpu} CPU, {memory}"),
        (Some(cpu), None) => format!("{cpu} CPU"),
        (None, Some(memory)) => memory,
        (None, None) => "no limits".to_owned(),
    }
}
