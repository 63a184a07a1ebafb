//! The plan that machines read: `podline plan --format json`.

use super::{
    LeftOut, Pipeline,
    job::{Environment, Job},
};
use crate::config::{
    Diagnostic, Diagnostics, Severity, Sources,
    keyword::{job::AllowFailure, rules::When},
};

/// What would run, in which order and why.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Plan {
    /// The stages that have jobs, in order.
    pub stages: Vec<String>,
    /// The jobs by stage and position.
    pub jobs: Vec<PlannedJob>,
    /// Jobs of the configuration that are not in the pipeline.
    pub left_out: Vec<LeftOut>,
    /// What is wrong with the configuration.
    pub diagnostics: Vec<PlannedDiagnostic>,
}

/// A job of a [`Plan`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PlannedJob {
    /// Its name.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// What makes it run.
    pub when: When,
    /// Whether each failure is allowed.
    pub allow_failure: bool,
    /// Names of the jobs it needs; `None` means all of earlier stages.
    pub needs: Option<Vec<String>>,
    /// Index of the rule that matched.
    pub matched_rule: Option<usize>,
    /// `environment`, expanded.
    pub environment: Option<Environment>,
}

/// A diagnostic with its place as editors count it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PlannedDiagnostic {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Its stable name.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The file, where a text is to blame.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
}

impl Plan {
    /// The plan of a pipeline with what was found wrong on the way.
    pub fn new(pipeline: &Pipeline, diagnostics: &Diagnostics, sources: &Sources) -> Self {
        Self {
            stages: pipeline.stages.clone(),
            jobs: pipeline.jobs.iter().map(|job| PlannedJob::new(pipeline, job)).collect(),
            left_out: pipeline.left_out.clone(),
            diagnostics: planned_diagnostics(diagnostics, sources),
        }
    }
}

/// Diagnostics in the order of their places: `podline lint --format json`.
pub fn planned_diagnostics(diagnostics: &Diagnostics, sources: &Sources) -> Vec<PlannedDiagnostic> {
    diagnostics.sorted().into_iter().map(|diagnostic| PlannedDiagnostic::new(diagnostic, sources)).collect()
}

impl PlannedJob {
    fn new(pipeline: &Pipeline, job: &Job) -> Self {
        let names = |needs: &Vec<super::job::Need>| {
            needs.iter().map(|need| pipeline.job(need.job).name.clone()).collect()
        };
        Self {
            name: job.name.clone(),
            stage: job.stage.clone(),
            when: job.when,
            allow_failure: job.allow_failure == AllowFailure::Always(true),
            needs: job.needs.as_ref().map(names),
            matched_rule: job.matched_rule,
            environment: job.environment.clone(),
        }
    }
}

impl PlannedDiagnostic {
    fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let place = diagnostic.span.map(|span| sources.locate(span));
        Self {
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            code: diagnostic.code,
            message: diagnostic.message.clone(),
            line: place.as_ref().map(|place| place.line),
            column: place.as_ref().map(|place| place.column),
            file: place.map(|place| place.file),
        }
    }
}
