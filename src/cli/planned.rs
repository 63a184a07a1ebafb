//! A project's pipeline: read, checked and made, with everything that was found on the way.

use std::path::Path;

use indexmap::IndexMap;

use super::{
    ExitCode, Failed,
    args::{PipelineArguments, RunnerArguments, SourceKind},
    context,
    elsewhere::Reach,
    project::Project,
    repository::Everywhere,
};
use crate::{
    config::{self, Config, Diagnostic, Diagnostics, Sources, Span, Spanned, Surroundings, keyword::Rule},
    fetch::ProjectLoader,
    mask::Mask,
    pipeline::{
        self, Context, Job, Pipeline, Repository,
        child::{self, Start},
    },
    report::{Printer, Problem, diagnostics},
    runner::{
        Settings,
        build::ports,
        files::artifacts::ArtifactStore,
        settings::{self, RunnerConfig},
    },
};

/// A configuration that was read, with or without mistakes.
#[derive(Debug)]
pub struct Planned {
    /// The texts it was read from.
    pub sources: Sources,
    /// What was found wrong.
    pub diagnostics: Diagnostics,
    /// The configuration; absent where the file could not be read at all.
    pub config: Option<Config>,
    /// The pipeline that GitLab would create.
    pub pipeline: Option<Pipeline>,
    /// What it was created for.
    pub context: Context,
    /// Paths of the files that jobs find checked out.
    pub tree: Vec<String>,
    /// Hides the values that nobody may see.
    pub mask: Mask,
    /// How far podline goes for includes, also of child pipelines.
    reach: Reach,
}

impl Planned {
    /// Reads the configuration of a project and makes its pipeline.
    ///
    /// # Errors
    /// When the command line does not fit the project; what is wrong in files is in the diagnostics.
    pub fn new(
        project: &Project,
        arguments: &PipelineArguments,
        source: SourceKind,
        number: u64,
        printer: &Printer,
    ) -> Result<Self, Failed> {
        let context = context::context(project, arguments, number)?;
        printer.hide(&Mask::new(context.masked()));
        let path = context.project.config_path.clone();
        let reading = Reading {
            inputs: arguments.inputs.iter().cloned().collect(),
            sources: Sources::default(),
            artifacts: None,
            reach: Reach::new(project, arguments, printer)?,
        };
        Ok(Self::read(project, source, context, reading, |surroundings, sources, diagnostics| {
            config::read(&path, surroundings, sources, diagnostics)
        }))
    }

    /// The pipeline that a trigger job of this one starts. Jobs that have run have left `artifacts`, from
    /// which its configuration may come; without, it is what is known beforehand. `None` where the job
    /// starts no child pipeline.
    pub fn child(
        &self,
        project: &Project,
        source: SourceKind,
        job: &Job,
        start: Start,
        artifacts: Option<ArtifactStore>,
    ) -> Option<Self> {
        let include = child::include(job)?;
        let context = child::context(&self.context, job, start);
        let reading = Reading {
            inputs: IndexMap::new(),
            sources: self.sources.clone(),
            artifacts,
            reach: self.reach.silent(),
        };
        Some(Self::read(project, source, context, reading, |surroundings, sources, diagnostics| {
            Some(config::read_child(include, surroundings, sources, diagnostics))
        }))
    }

    fn read(
        project: &Project,
        source: SourceKind,
        context: Context,
        reading: Reading,
        read: impl FnOnce(&Surroundings<'_>, &mut Sources, &mut Diagnostics) -> Option<Config>,
    ) -> Self {
        let repository = project.repository(&context.event, source);
        let (mut sources, mut diagnostics) = (reading.sources, Diagnostics::default());
        let tree = repository.tree().to_vec();
        let variables = pipeline::before_pipeline(&context);
        let elsewhere = reading.reach.elsewhere(project, &variables, reading.artifacts);
        let loader = ProjectLoader::new(&project.folder, project.files(tree.clone()), elsewhere);
        let surroundings = Surroundings {
            loader: &loader,
            variables: &variables,
            masked: &context.masked_keys(),
            inputs: &reading.inputs,
            changes: &|compare_to| repository.changed_paths(compare_to),
        };
        let config = read(&surroundings, &mut sources, &mut diagnostics);
        let everywhere = Everywhere { repository: &repository, loader: &loader };
        let pipeline =
            config.as_ref().map(|config| pipeline::create(config, &context, &everywhere, &mut diagnostics));
        diagnostics.append(pipeline.as_ref().map(ports::shared).unwrap_or_default());
        let unknown = project.trees(source).unknown();
        diagnostics.append(config.iter().flat_map(|config| unknown_projects(config, &unknown)).collect());
        let missing = repository.missing_refs();
        diagnostics.append(config.iter().flat_map(|config| missing_refs(config, &missing)).collect());
        let mask = Mask::new(context.masked());
        diagnostics.reword(|text| mask.text(text));
        Self { sources, diagnostics, config, pipeline, context, tree, mask, reach: reading.reach }
    }

    /// What people have to know of the project and its commit before they read the rest.
    pub fn notes(&self, project: &Project) -> Vec<String> {
        let skipped = self.context.skip_words().map(|words| {
            format!("the commit's message has `{words}`: GitLab would skip the pipeline of this push")
        });
        project.notes.iter().cloned().chain(skipped).collect()
    }

    /// Shows what was found wrong, if anything.
    pub fn show(&self, printer: &Printer) {
        if !self.diagnostics.is_empty() {
            let text =
                diagnostics::render(&self.diagnostics, &self.sources, &printer.theme(), printer.columns());
            printer.say(&format!("{}\n\n", text.trim_end()));
        }
    }

    /// The pipeline, if GitLab would create it.
    ///
    /// # Errors
    /// When the configuration has errors, which have been shown.
    pub fn pipeline(&self) -> Result<&Pipeline, Failed> {
        match &self.pipeline {
            Some(pipeline) if !self.diagnostics.has_errors() => Ok(pipeline),
            _ => Err(Failed::told(ExitCode::Usage)),
        }
    }
}

/// A warning for each project that `exists` asked about in vain.
fn unknown_projects(config: &Config, unknown: &[(String, String)]) -> Vec<Diagnostic> {
    let places: Vec<_> = rules(config).filter_map(|rule| rule.exists.as_ref()?.project.as_ref()).collect();
    let warning = |(project, reason): &(String, String)| {
        let message =
            format!("`exists` is taken to match, as the files of `{project}` are unknown: {reason}");
        let help = format!("name a checkout of it with `--include-map {project}=PATH`");
        Diagnostic::warning("exists-unknown", message, place_of(project, &places)).help(help)
    };
    unknown.iter().map(warning).collect()
}

/// A warning for each ref that `changes` was to be compared with in vain.
fn missing_refs(config: &Config, missing: &[String]) -> Vec<Diagnostic> {
    let places: Vec<_> =
        rules(config).filter_map(|rule| rule.changes.as_ref()?.compare_to.as_ref()).collect();
    let warning = |name: &String| {
        let message =
            format!("`changes` is taken to match, as this clone has no ref `{name}` to compare with");
        let help =
            format!("GitLab refuses the pipeline if it has none either; `git fetch origin {name}` tells");
        Diagnostic::warning("missing-ref", message, place_of(name, &places)).help(help)
    };
    missing.iter().map(warning).collect()
}

/// All rules of a configuration.
fn rules(config: &Config) -> impl Iterator<Item = &Rule> {
    let of_jobs = config.jobs.iter().flat_map(|job| job.rules.iter().flatten());
    of_jobs.chain(config.workflow.rules.iter().flatten())
}

/// Where a name is written; a variable may hold it, so the first place stands for one that is not found.
fn place_of(name: &str, places: &[&Spanned<String>]) -> Option<Span> {
    let place = places.iter().find(|place| place.value == name).or(places.first());
    place.map(|place| place.span)
}

/// What a configuration is read from, besides the project's files.
struct Reading {
    /// Inputs of the command line.
    inputs: IndexMap<String, String>,
    /// Texts that were read before.
    sources: Sources,
    artifacts: Option<ArtifactStore>,
    reach: Reach,
}

/// The runner that a command simulates.
#[derive(Debug)]
pub struct Runner {
    /// Its settings, with what the command line changes.
    pub settings: Settings,
    /// The manifests they come from, where the user named some.
    pub config: Option<RunnerConfig>,
}

impl Runner {
    /// Reads the runner's settings where the user names some, or takes the defaults. Mistakes in them are
    /// added to those of the configuration, and jobs that the runner does not take leave the pipeline.
    ///
    /// # Errors
    /// When the manifests cannot be read.
    pub fn read(
        project: &Project,
        arguments: &RunnerArguments,
        planned: &mut Planned,
    ) -> Result<Self, Failed> {
        let from_file = || project.file.run.runner_config.as_ref().map(|path| project.folder.join(path));
        let path = arguments.runner_config.clone().or_else(from_file);
        let config = path.map(|path| load(&path, planned)).transpose()?;
        let mut settings = config.as_ref().map_or_else(Settings::default, |config| config.settings.clone());
        let image = arguments.default_image.clone().or_else(|| project.file.run.default_image.clone());
        settings.image = image.or(settings.image);
        let tags = arguments.runner_tags.clone().or_else(|| project.file.run.runner_tags.clone());
        settings.tags = tags.or(settings.tags);
        planned.pipeline = planned.pipeline.take().map(|it| it.without(|job| unmatched(job, &settings)));
        Ok(Self { settings, config })
    }
}

/// Why no runner takes a job; a trigger job needs none.
fn unmatched(job: &Job, settings: &Settings) -> Option<String> {
    if job.trigger.is_some() { None } else { settings.refuses(&job.tags) }
}

fn load(path: &Path, planned: &mut Planned) -> Result<RunnerConfig, Failed> {
    let config = settings::load(path, &mut planned.sources).map_err(|error| {
        Failed::usage(Problem::from_error(&error).help("name a folder or file with `--runner-config`"))
    })?;
    planned.diagnostics.append(config.diagnostics.clone());
    Ok(config)
}
