//! The artifacts of a run: taken out of a job's pod, kept on this machine, carried into later pods.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    dotenv::{self, DotenvError},
    incoming::{self, FetchError, IncomingError},
    selection::{Wanted, select},
};
use crate::{
    config::keyword::job::UploadWhen,
    engine::{self, File, Pods},
    pipeline::JobId,
    runner::Build,
};

/// What the jobs of a run have left for later ones. Clones are the same store.
#[derive(Debug, Clone)]
pub struct ArtifactStore {
    folder: PathBuf,
    kept: Arc<Mutex<BTreeMap<JobId, Kept>>>,
}

/// The artifacts of a job.
#[derive(Debug, Clone, Default)]
struct Kept {
    name: String,
    id: u64,
    archive: Option<PathBuf>,
    dotenv: Vec<(String, String)>,
}

/// Why a job's artifacts could not be taken. GitLab fails the job then.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactsError {
    /// The pod could not be read.
    #[error("artifacts could not be taken out of the pod: {0}")]
    Engine(#[from] engine::Error),
    /// What came was not kept.
    #[error("artifacts were refused: {0}")]
    Incoming(#[from] IncomingError),
    /// The dotenv report is wrong.
    #[error("dotenv report `{path}` was refused: {source}")]
    Dotenv {
        /// The file.
        path: String,
        /// Why.
        source: DotenvError,
    },
}

impl From<FetchError> for ArtifactsError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Engine(error) => Self::Engine(error),
            FetchError::Incoming(error) => Self::Incoming(error),
        }
    }
}

/// Where the files of a job's pod can be had.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The pods.
    pub pods: &'a dyn Pods,
    /// Name of the pod.
    pub pod: &'a str,
    /// Name of its container that has sh and tar.
    pub container: &'a str,
    /// All files of the project's folder.
    pub listed: &'a [File],
    /// The files that came with the sources.
    pub tracked: &'a BTreeSet<String>,
}

/// What was taken.
#[derive(Debug, Default)]
pub struct Taken {
    /// How many files.
    pub files: usize,
    /// What the runner says of it, line by line.
    pub lines: Vec<String>,
}

impl ArtifactStore {
    /// A store in the folder of a run, `.podline/runs/<run>`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), kept: Arc::default() }
    }

    /// The archives of these jobs, in this order; jobs without artifacts are passed over.
    pub fn archives(&self, jobs: &[JobId]) -> Vec<PathBuf> {
        let kept = self.lock();
        jobs.iter().filter_map(|job| kept.get(job)?.archive.clone()).collect()
    }

    /// Name and `CI_JOB_ID` of those of these jobs that have an archive, in this order.
    pub fn names(&self, jobs: &[JobId]) -> Vec<(String, u64)> {
        let kept = self.lock();
        let kept = jobs.iter().filter_map(|job| kept.get(job)).filter(|kept| kept.archive.is_some());
        kept.map(|kept| (kept.name.clone(), kept.id)).collect()
    }

    /// The variables of these jobs' dotenv reports: a later one of the same key wins.
    pub fn dotenv(&self, jobs: &[JobId]) -> Vec<(String, String)> {
        let kept = self.lock();
        jobs.iter().filter_map(|job| kept.get(job)).flat_map(|kept| kept.dotenv.clone()).collect()
    }

    /// Takes what `artifacts` names out of a job's pod: archive and reports, in place of those of an
    /// earlier attempt.
    ///
    /// # Errors
    /// When the pod cannot be read, or what it gave is refused.
    pub async fn take(
        &self,
        build: &Build,
        has_succeeded: bool,
        source: Source<'_>,
    ) -> Result<Taken, ArtifactsError> {
        let Some(artifacts) = &build.artifacts else {
            return Ok(Taken::default());
        };
        let mut taken = Taken::default();
        let mut kept = Kept { name: build.name.clone(), id: build.id, ..Kept::default() };
        let has_archive = !artifacts.paths.is_empty() || artifacts.untracked;
        if has_archive && applies(artifacts.when, has_succeeded) {
            taken.lines.push("\x1b[32;1mUploading artifacts...\x1b[0;m".to_owned());
            let into = self.path(build, "archive");
            let (paths, exclude) = (texts(&artifacts.paths), texts(&artifacts.exclude));
            let untracked = artifacts.untracked.then_some(source.tracked);
            let wanted = Wanted { paths: &paths, exclude: &exclude, untracked };
            let stored = archive(build, wanted, source, &into, &mut taken.lines).await?;
            kept.archive = (stored > 0).then_some(into);
            taken.files = stored;
        }
        // Reports are kept whatever the result.
        for (kind, paths) in &artifacts.reports {
            taken.lines.push("\x1b[32;1mUploading artifacts...\x1b[0;m".to_owned());
            let into = self.path(build, kind);
            let paths = texts(paths);
            let wanted = Wanted { paths: &paths, exclude: &[], untracked: None };
            let stored = archive(build, wanted, source, &into, &mut taken.lines).await?;
            if kind == "dotenv" && stored > 0 {
                kept.dotenv = read_dotenv(&into)?;
            }
        }
        self.note_project(build)?;
        self.lock().insert(build.job, kept);
        Ok(taken)
    }

    /// Whoever unpacks the archives later needs to know which folder their paths are below.
    fn note_project(&self, build: &Build) -> Result<(), IncomingError> {
        let path = self.path(build, "archive").with_file_name(PROJECT);
        if path.parent().is_some_and(Path::is_dir) {
            std::fs::write(path, &build.project_dir)?;
        }
        Ok(())
    }

    fn path(&self, build: &Build, kind: &str) -> PathBuf {
        self.folder.join("artifacts").join(build.id.to_string()).join(format!("{kind}.tar"))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Name of the file beside a job's archives that has its `CI_PROJECT_DIR`.
const PROJECT: &str = "project";

/// What a job has left in the folder of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// `CI_PROJECT_DIR`: the paths in the archives are below it.
    pub project_dir: String,
    /// The archives, `archive.tar` and one for each kind of report.
    pub archives: Vec<PathBuf>,
}

/// What the job with this `CI_JOB_ID` has left in the folder of a run.
pub fn kept(run: &Path, id: u64) -> Option<Left> {
    let folder = run.join("artifacts").join(id.to_string());
    let project_dir = std::fs::read_to_string(folder.join(PROJECT)).ok()?;
    let entries = std::fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.path());
    let mut archives: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "tar")).collect();
    archives.sort();
    Some(Left { project_dir, archives })
}

/// Whether artifacts or a cache are kept after this result.
pub(crate) fn applies(when: UploadWhen, has_succeeded: bool) -> bool {
    match when {
        UploadWhen::Always => true,
        UploadWhen::OnSuccess => has_succeeded,
        UploadWhen::OnFailure => !has_succeeded,
    }
}

pub(crate) fn texts(values: &[crate::config::Spanned<String>]) -> Vec<String> {
    values.iter().map(|value| value.value.clone()).collect()
}

/// Takes some files, and says how many there were.
async fn archive(
    build: &Build,
    wanted: Wanted<'_>,
    source: Source<'_>,
    into: &Path,
    lines: &mut Vec<String>,
) -> Result<usize, ArtifactsError> {
    let selection = select(source.listed, wanted, &build.project_dir);
    lines.extend(selection.lines);
    if selection.paths.is_empty() {
        lines.push("\x1b[31;1mERROR: No files to upload\x1b[0;m".to_owned());
        return Ok(0);
    }
    let stored = incoming::fetch(source, &build.project_dir, &selection.paths, into).await?;
    Ok(stored.files)
}

fn read_dotenv(archive: &Path) -> Result<Vec<(String, String)>, ArtifactsError> {
    let io = |error| ArtifactsError::Incoming(IncomingError::Io(error));
    let mut variables = Vec::new();
    let file = std::fs::File::open(archive).map_err(io)?;
    for entry in tar::Archive::new(file).entries().map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(io)?.display().to_string();
        let mut bytes = Vec::new();
        // More than this is refused whatever it says.
        entry.take(1 << 20).read_to_end(&mut bytes).map_err(io)?;
        let parsed = dotenv::parse(&String::from_utf8_lossy(&bytes));
        variables.extend(parsed.map_err(|source| ArtifactsError::Dotenv { path, source })?);
    }
    Ok(variables)
}
