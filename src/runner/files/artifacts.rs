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
    junit::Suite,
    selection::{Wanted, select},
};
use crate::{
    config::keyword::job::UploadWhen,
    engine::{self, File, Pods},
    event::Tests,
    pipeline::{JobId, job::PipelineNeed},
    runner::Build,
};

/// What the jobs of a run have left for later ones. Clones are the same store.
#[derive(Debug, Clone)]
pub struct ArtifactStore {
    folder: PathBuf,
    kept: Shelf,
    /// What the pipelines of the same tree have, by `CI_PIPELINE_ID`.
    tree: Arc<Mutex<BTreeMap<u64, Shelf>>>,
}

/// The artifacts of the jobs of a pipeline.
type Shelf = Arc<Mutex<BTreeMap<JobId, Kept>>>;

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
    /// How many bytes they have.
    pub bytes: u64,
    /// What the runner says of it, line by line.
    pub lines: Vec<String>,
    /// What JUnit reports say, where there are some.
    pub tests: Option<Tests>,
    /// What must be known of them.
    pub remarks: Vec<String>,
}

impl ArtifactStore {
    /// A store in the folder of a run, `.podline/runs/<run>`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), kept: Arc::default(), tree: Arc::default() }
    }

    /// The store of a pipeline that starts child pipelines, or of one of these, so that jobs of the whole
    /// tree find it by its `CI_PIPELINE_ID`.
    #[must_use]
    pub fn of_pipeline(self, id: u64) -> Self {
        lock(&self.tree).insert(id, Arc::clone(&self.kept));
        self
    }

    /// The store of a child pipeline in a folder of its own.
    #[must_use]
    pub fn child(&self, folder: impl Into<PathBuf>, id: u64) -> Self {
        let child = Self { folder: folder.into(), kept: Arc::default(), tree: Arc::clone(&self.tree) };
        child.of_pipeline(id)
    }

    /// Everything that a build takes from earlier jobs and from those of other pipelines, in the order to
    /// unpack it.
    pub fn archives_for(&self, build: &Build) -> Vec<PathBuf> {
        let mut archives = self.archives(&build.artifacts_from);
        archives.extend(self.upstream(build).filter_map(|(_, kept)| kept?.archive));
        archives
    }

    /// Name and `CI_JOB_ID` of the jobs whose archives a build takes, in the same order.
    pub fn names_for(&self, build: &Build) -> Vec<(String, u64)> {
        let mut names = self.names(&build.artifacts_from);
        let upstream = self.upstream(build).filter_map(|(_, kept)| kept);
        names.extend(upstream.filter(|kept| kept.archive.is_some()).map(|kept| (kept.name, kept.id)));
        names
    }

    /// The first job of another pipeline that a build needs and that has left nothing.
    pub fn missing<'b>(&self, build: &'b Build) -> Option<&'b PipelineNeed> {
        self.upstream(build)
            .find(|(_, kept)| kept.as_ref().is_none_or(|kept| kept.archive.is_none()))
            .map(|(need, _)| need)
    }

    /// Takes what a job of an earlier run has left, which lies in the folder of this one already.
    ///
    /// # Errors
    /// When its dotenv report cannot be read.
    pub fn adopt(&self, job: JobId, name: &str, id: u64) -> Result<(), ArtifactsError> {
        let there = |kind: &str| Some(path(&self.folder, id, kind)).filter(|path| path.is_file());
        let dotenv = there("dotenv").map(|path| read_dotenv(&path)).transpose()?.unwrap_or_default();
        self.lock().insert(job, Kept { name: name.to_owned(), id, archive: there("archive"), dotenv });
        Ok(())
    }

    fn upstream<'b>(&self, build: &'b Build) -> impl Iterator<Item = (&'b PipelineNeed, Option<Kept>)> {
        let found = |need: &PipelineNeed| {
            let shelf = lock(&self.tree).get(&need.pipeline.parse().ok()?).cloned()?;
            lock(&shelf).values().find(|kept| kept.name == need.job).cloned()
        };
        build.artifacts_from_pipelines.iter().map(move |need| (need, found(need)))
    }

    /// A text file from the artifacts of a job, for `trigger:include:artifact`
    /// (`Gitlab::Ci::ArtifactFileReader`).
    ///
    /// # Errors
    /// Why it cannot be had, in GitLab's words.
    pub fn read_file(&self, job: &str, path: &str) -> Result<String, ReadError> {
        let kept = self.lock().values().find(|kept| kept.name == job).cloned();
        let archive = kept.and_then(|kept| kept.archive).ok_or_else(|| ReadError::NoJob(job.to_owned()))?;
        let text = read_entry(&archive, path, job)?;
        if text.trim().is_empty() { Err(ReadError::Empty(path.to_owned())) } else { Ok(text) }
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
            taken.bytes = content(&into);
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
            match kind.as_str() {
                "dotenv" if stored > 0 => kept.dotenv = read_dotenv(&into)?,
                "junit" if stored > 0 => read_junit(&into, &build.project_dir, &mut taken)?,
                _ => {}
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
        path(&self.folder, build.id, kind)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, Kept>> {
        lock(&self.kept)
    }
}

/// How many bytes the files of an archive have; of one that cannot be read, none.
fn content(archive: &Path) -> u64 {
    let Ok(file) = std::fs::File::open(archive) else { return 0 };
    let mut archive = tar::Archive::new(file);
    let entries = archive.entries_with_seek().into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.size())).sum()
}

/// Where the files of a kind lie that a job has left in the folder of its pipeline.
fn path(folder: &Path, id: u64, kind: &str) -> PathBuf {
    folder_of(folder, id).join(format!("{kind}.tar"))
}

/// Where everything lies that a job has left in the folder of its pipeline.
pub fn folder_of(folder: &Path, id: u64) -> PathBuf {
    folder.join("artifacts").join(id.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a file of a job's artifacts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such job, or it has left nothing.
    #[error("job `{0}` not found in parent pipeline or does not have artifacts")]
    NoJob(String),
    /// It has left other files.
    #[error("path `{path}` does not exist inside the `{job}` artifacts archive")]
    NoFile {
        /// The path.
        path: String,
        /// The job.
        job: String,
    },
    /// It is a folder.
    #[error("path `{0}` was expected to be a file but it was a directory")]
    Folder(String),
    /// It has more than [`MOST_TEXT`].
    #[error("artifacts of job `{0}` are too large: max 5 MB")]
    TooLarge(String),
    /// There is nothing in it.
    #[error("file `{0}` is empty")]
    Empty(String),
    /// It is not UTF-8.
    #[error("file `{0}` is not UTF-8 text")]
    NotText(String),
    /// The archive cannot be read.
    #[error("the archive cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// Most bytes of a file of a configuration (`max_artifacts_content_include_size`).
const MOST_TEXT: u64 = 5 << 20;

/// The text of one file of an archive, by its path from the project's folder.
fn read_entry(archive: &Path, path: &str, job: &str) -> Result<String, ReadError> {
    let project = std::fs::read_to_string(archive.with_file_name(PROJECT))?;
    let wanted = Path::new(project.trim_start_matches('/')).join(path);
    for entry in tar::Archive::new(std::fs::File::open(archive)?).entries()? {
        let entry = entry?;
        if entry.path()? != wanted {
            continue;
        }
        if entry.header().entry_type().is_dir() {
            return Err(ReadError::Folder(path.to_owned()));
        }
        if entry.size() > MOST_TEXT {
            return Err(ReadError::TooLarge(job.to_owned()));
        }
        let mut bytes = Vec::new();
        entry.take(MOST_TEXT).read_to_end(&mut bytes)?;
        return String::from_utf8(bytes).map_err(|_| ReadError::NotText(path.to_owned()));
    }
    Err(ReadError::NoFile { path: path.to_owned(), job: job.to_owned() })
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
    let folder = folder_of(run, id);
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

/// Sums up the tests of JUnit reports. GitLab shows a report that it cannot read as an error, and lets the job
/// be.
fn read_junit(archive: &Path, project_dir: &str, taken: &mut Taken) -> Result<(), ArtifactsError> {
    let io = |error| ArtifactsError::Incoming(IncomingError::Io(error));
    let mut suite = Suite::default();
    let file = std::fs::File::open(archive).map_err(io)?;
    for entry in tar::Archive::new(file).entries().map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(io)?.into_owned();
        if let Err(error) = suite.add(entry) {
            let path = path.strip_prefix(project_dir.trim_start_matches('/')).unwrap_or(&path).display();
            taken.remarks.push(format!("JUnit report `{path}` is not read: {error}"));
        }
    }
    taken.tests = Some(suite.tests());
    Ok(())
}
