//! The sections of a trace, as GitLab Runner names them (`common/build.go`): GitLab folds a trace by them.

/// A part of a job's life that has a section of its own in the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Before there is a pod.
    PrepareExecutor,
    /// The pod comes up.
    PrepareScript,
    /// The sources are put in place.
    GetSources,
    /// Caches are put in place.
    RestoreCache,
    /// Artifacts of earlier jobs are put in place.
    DownloadArtifacts,
    /// `before_script` and `script` run.
    StepScript,
    /// `after_script` runs.
    AfterScript,
    /// Caches are taken out, of a job that has succeeded or not.
    ArchiveCache {
        /// Whether it has.
        has_succeeded: bool,
    },
    /// Artifacts are taken out, of a job that has succeeded or not.
    UploadArtifacts {
        /// Whether it has.
        has_succeeded: bool,
    },
}

impl Section {
    /// The name in the marks.
    pub fn name(self) -> &'static str {
        match self {
            Self::PrepareExecutor => "prepare_executor",
            Self::PrepareScript => "prepare_script",
            Self::GetSources => "get_sources",
            Self::RestoreCache => "restore_cache",
            Self::DownloadArtifacts => "download_artifacts",
            Self::StepScript => "step_script",
            Self::AfterScript => "after_script",
            Self::ArchiveCache { has_succeeded: true } => "archive_cache",
            Self::ArchiveCache { has_succeeded: false } => "archive_cache_on_failure",
            Self::UploadArtifacts { has_succeeded: true } => "upload_artifacts_on_success",
            Self::UploadArtifacts { has_succeeded: false } => "upload_artifacts_on_failure",
        }
    }

    /// The line that opens it.
    pub fn header(self) -> &'static str {
        match self {
            Self::PrepareExecutor => "Preparing the \"kubernetes\" executor",
            Self::PrepareScript => "Preparing environment",
            Self::GetSources => "Getting source from Git repository",
            Self::RestoreCache => "Restoring cache",
            Self::DownloadArtifacts => "Downloading artifacts",
            Self::StepScript => "Executing \"step_script\" stage of the job script",
            Self::AfterScript => "Running after_script",
            Self::ArchiveCache { has_succeeded: true } => "Saving cache for successful job",
            Self::ArchiveCache { has_succeeded: false } => "Saving cache for failed job",
            Self::UploadArtifacts { has_succeeded: true } => "Uploading artifacts for successful job",
            Self::UploadArtifacts { has_succeeded: false } => "Uploading artifacts for failed job",
        }
    }

    /// The mark and the header of its beginning; `time` in seconds since 1970.
    pub fn start(self, time: i64) -> String {
        let (name, header) = (self.name(), self.header());
        format!("section_start:{time}:{name}\r\x1b[0K\x1b[0K\x1b[36;1m{header}\x1b[0;m\x1b[0;m")
    }

    /// The mark of its end. It has no line of its own: what comes next follows on it.
    pub fn end(self, time: i64) -> String {
        format!("section_end:{time}:{}\r\x1b[0K", self.name())
    }
}
