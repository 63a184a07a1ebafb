//! The child pipeline of a trigger job, as far as it is known before anything runs.

use super::{args::SourceKind, planned::Planned, project::Project};
use crate::{
    config::Severity,
    pipeline::{
        Job, Pipeline,
        child::{self, MAX_DEPTH, Start},
    },
};

/// What is known of a child pipeline.
pub(super) enum Child {
    /// It would be created, with jobs.
    Known(Box<Planned>),
    /// It is not known, or would not be created: why.
    Unknown(String),
}

impl Child {
    /// The pipeline that a job would start; none where it starts none. `depth` says how many trigger jobs lead to the
    /// job.
    pub(super) fn of(project: &Project, planned: &Planned, job: &Job, depth: usize) -> Option<Self> {
        let include = child::include(job)?;
        Some(match child::maker(include) {
            _ if depth >= MAX_DEPTH => {
                Self::Unknown("GitLab refuses it: child pipelines lie too deep".to_owned())
            }
            Some(maker) => Self::Unknown(format!("known when `{maker}` has run")),
            None => Self::planned_ahead(project, planned, job),
        })
    }

    fn planned_ahead(project: &Project, planned: &Planned, job: &Job) -> Self {
        let number = planned.context.pipeline_id;
        let start = Start {
            dotenv: Vec::new(),
            pipeline_id: number * 1000,
            created_at: planned.context.created_at.clone(),
        };
        let unknown = || Self::Unknown("not known beforehand".to_owned());
        let Some(child) = planned.child(project, SourceKind::Worktree, job, start, None) else {
            return unknown();
        };
        if let Some(error) = child.diagnostics.iter().find(|found| found.severity == Severity::Error) {
            let place =
                error.span.map(|span| format!("{}: ", child.sources.locate(span))).unwrap_or_default();
            return Self::Unknown(format!("cannot be created: {place}{}", error.message));
        }
        match &child.pipeline {
            Some(Pipeline { filtered: Some(reason), .. }) => {
                Self::Unknown(format!("would be empty: {reason}"))
            }
            Some(_) => Self::Known(Box::new(child)),
            None => unknown(),
        }
    }
}
