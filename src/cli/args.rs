//! The command line as it is written.

#![expect(missing_docs, reason = "clap would print documentation of a flattened field as help")]

mod cluster;
mod demo;
mod explain;
mod log;
mod output;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;

use super::completion;
use crate::config::keyword::duration;
pub use cluster::{ClusterCommand, EngineKind, ExistingArguments, ImageFallback, KindArguments};
pub use demo::{DemoArguments, Speed};
pub use explain::{EvalArguments, ExplainArguments, GraphArguments, GraphFormat};
pub use log::LogArguments;
pub use output::OutputKind;

/// Headings of the help: what decides which pipeline it is, how its jobs become pods, where those run.
const PIPELINE: &str = "Pipeline";
const EVENT: &str = "Event";
const RUNNER: &str = "Runner";
const CLUSTER: &str = "Cluster";
/// What goes on from an earlier run.
const AGAIN: &str = "Again";

/// Runs your GitLab pipeline on this machine, as pods, before you push.
#[derive(Debug, Parser)]
#[command(name = "podline", version, propagate_version = true, max_term_width = 100)]
pub struct Arguments {
    /// The project: the folder that holds `.gitlab-ci.yml`.
    #[arg(short = 'C', long, global = true, value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
    /// When to use colours.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the pipeline, or some jobs and what they need.
    #[command(after_help = "\
Examples:
  podline run                          the pipeline of a push of this branch
  podline run test                     only `test` and what it needs
  podline run --failed                 only what failed last time, and what comes after it
  podline run --watch                  again whenever a file changes
  podline run --event merge_request    as a merge request into the default branch
  podline run --cluster dev            in the cluster that `podline cluster up dev` made
  podline run --context staging        in an existing cluster, in a namespace of its own
  podline run --step --narrate         in front of a class: stage by stage, with what it asks of Kubernetes")]
    Run(Box<RunArguments>),
    /// Open a shell in a pod as the job's: with its image, variables, sources, caches and artifacts.
    #[command(
        after_help = "\
Examples:
  podline shell test                   a look around before `test` runs
  podline shell test --cluster dev     in the cluster that `podline cluster up dev` made
  podline run --shell-on-failure       a look around where a job has failed

Artifacts of earlier jobs are those of the last run. When the shell ends, the pod goes.",
        mut_arg("selected", |it| it.num_args(1).required(true)),
        mut_arg("failed", |it| it.hide(true)),
        mut_arg("from", |it| it.hide(true)),
        mut_arg("watch", |it| it.hide(true)),
        mut_arg("shell_on_failure", |it| it.hide(true)),
        mut_arg("manual", |it| it.hide(true)),
        mut_arg("deploy", |it| it.hide(true)),
        mut_arg("no_delay", |it| it.hide(true)),
        mut_arg("step", |it| it.hide(true)),
        mut_arg("speed", |it| it.hide(true)),
        mut_arg("time_limit", |it| it.hide(true)),
        mut_arg("output", |it| it.hide(true))
    )]
    Shell(Box<RunArguments>),
    /// Write a first `.gitlab-ci.yml` for a project that has none.
    #[command(after_help = "\
Examples:
  podline init                         looks at the project, and writes a small one to begin with
  podline init --print                 shows what it would write")]
    Init(InitArguments),
    /// Show what would run, in which order, and why or why not.
    #[command(after_help = "\
Examples:
  podline plan                         what a push of this branch would run
  podline plan --tag v1.2              what a pushed tag would run
  podline plan --event merge_request --target-branch stable --mr-label docs,backport
  podline plan --format json           the same for a program")]
    Plan(PlanArguments),
    /// Explain a job: where each value comes from, why it is in the pipeline or not.
    #[command(after_help = "\
Examples:
  podline explain test                    as a push of this branch
  podline explain deploy --branch main    as a push of main
  podline explain 'unit: [stable]'        one instance of a parallel job")]
    Explain(ExplainArguments),
    /// Print the stages and needs of the pipeline as a picture.
    #[command(after_help = "\
Examples:
  podline graph > pipeline.mmd            for Markdown on GitLab: put it between ```mermaid and ```
  podline graph --format svg > pipeline.svg")]
    Graph(GraphArguments),
    /// Check the configuration; print every mistake with its place.
    #[command(after_help = "\
Examples:
  podline lint                         the project's configuration and all that it includes
  podline lint --format json           the same for an editor
  podline lint --format sarif          the same for a code scanner
  podline lint --format github         the same as annotations of GitHub Actions")]
    Lint(LintArguments),
    /// Print the effective configuration as YAML.
    #[command(after_help = "\
Example:
  podline config                       after includes, extends and !reference, as GitLab sees it")]
    Config(ConfigArguments),
    /// Print the Pod manifest of a job.
    #[command(after_help = "\
Examples:
  podline pod test                                     what the job becomes
  podline pod test --runner-config deploy/runner       as your runner would make it
  podline pod test | kubectl apply --dry-run=server --filename -")]
    Pod(PodArguments),
    /// Print the trace of a job, or list the jobs of a run.
    #[command(after_help = "\
Examples:
  podline log                          the jobs of the last run
  podline log unit                     the trace of a job, `child/job` in a child pipeline
  podline log unit -f                  the same as it grows, until the job has ended
  podline log unit --run 12            of another run")]
    Log(LogArguments),
    /// Write the report of a run: one HTML file that needs no network.
    #[command(after_help = "\
Examples:
  podline report                       of the last run, to `.podline/runs/N/report.html`
  podline report --open                the same, shown in your browser
  podline report 12 -o /tmp/run.html   of run 12
  podline report --serve               follow the run that goes on, in a browser
  podline report --format junit        its jobs as test cases, for another program")]
    Report(ReportArguments),
    /// Run the pipeline of what is pushed, before it is pushed.
    #[command(subcommand)]
    #[command(after_help = "\
Example:
  podline hook install                 from now on `git push` runs the pipeline first
  git push --no-verify                 and this time it does not")]
    Hook(HookCommand),
    /// Unpack the artifacts and reports of a job of the last run.
    #[command(after_help = "\
Example:
  podline artifacts build --output /tmp/build")]
    Artifacts {
        /// The job.
        #[arg(add = ArgValueCandidates::new(completion::job_names))]
        job: String,
        /// Where to: a folder, made where it is not there, relative to the project.
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Images of the embedded engine: take some from a file, list them, remove what nobody uses. Linux only.
    #[command(subcommand)]
    #[command(after_help = "\
Example:
  docker save busybox:1.36 > busybox.tar    on a machine with Docker
  podline image import busybox.tar          on one without")]
    Image(ImageCommand),
    /// Evaluate a `rules:if` expression.
    #[command(after_help = "\
Examples:
  podline eval '$CI_COMMIT_BRANCH == \"main\"'                  with the values of this project
  podline eval '$CI_COMMIT_BRANCH =~ /^release/' --branch release-1
  podline eval '$A && $B' --var A=1 --exit-code && echo yes

The first line of the output is `true` or `false`. In a folder with a `.gitlab-ci.yml`, the expression sees
what `workflow:rules` would see; elsewhere only what `--var` names.")]
    Eval(EvalArguments),
    /// Keep a cluster between runs, list clusters, remove what is left of them.
    #[command(subcommand)]
    #[command(after_help = "\
Example:
  podline cluster up                   once, in the morning
  podline run --cluster dev            starts at once, as often as you like
  podline cluster down                 at the end")]
    Cluster(ClusterCommand),
    /// Show what this machine can run, and what is missing.
    #[command(after_help = "\
Exit code 0 where some engine can run, 3 where none can. Existing clusters are named and never asked.")]
    Doctor {
        /// The format.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Print the manual page, or write those of all commands into a folder.
    #[command(after_help = "\
Examples:
  podline man | man -l -               read it
  podline man ~/.local/share/man/man1  from now on `man podline-run` has it")]
    Man {
        /// The folder, made where it is not there.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Print the completions for a shell: also of the names of jobs.
    #[command(after_help = "\
Examples:
  source <(podline completions bash)      in ~/.bashrc
  source <(podline completions zsh)       in ~/.zshrc, after compinit
  podline completions fish | source       in ~/.config/fish/config.fish")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// What decides which pipeline it is.
#[derive(Debug, Clone, Args)]
pub struct PipelineArguments {
    /// The configuration file, from the project's folder.
    #[arg(help_heading = PIPELINE, long, value_name = "PATH")]
    pub file: Option<String>,
    #[command(flatten)]
    pub event: EventArguments,
    /// A pipeline variable; may be given several times.
    #[arg(help_heading = PIPELINE, long = "var", value_name = "NAME=VALUE", value_parser = assignment)]
    pub variables: Vec<(String, String)>,
    /// Variables that the project has in GitLab's settings, from a file: `.env` lines, or YAML; may be given
    /// several times.
    #[arg(help_heading = PIPELINE, long = "var-file", value_name = "PATH")]
    pub var_files: Vec<PathBuf>,
    /// An input of the configuration's `spec:inputs`; may be given several times.
    #[arg(help_heading = PIPELINE, long = "input", value_name = "NAME=VALUE", value_parser = assignment)]
    pub inputs: Vec<(String, String)>,
    /// Where a project of `include` is checked out; `group/*` for all of a group.
    #[arg(help_heading = PIPELINE, long = "include-map", value_name = "GROUP/PROJECT=PATH", value_parser = mapping)]
    pub include_map: Vec<(String, PathBuf)>,
    /// Use only what is on this machine.
    #[arg(help_heading = PIPELINE, long)]
    pub offline: bool,
}

/// What starts the pipeline.
#[derive(Debug, Clone, Default, Args)]
pub struct EventArguments {
    /// What starts the pipeline; a push unless set.
    #[arg(help_heading = EVENT, long, value_name = "EVENT")]
    pub event: Option<EventKind>,
    /// The branch, instead of the one that is checked out; of a merge request, the one to be merged.
    #[arg(help_heading = EVENT, long, value_name = "NAME", visible_alias = "source-branch")]
    pub branch: Option<String>,
    /// The tag of a tag pipeline; implies `--event tag`.
    #[arg(help_heading = EVENT, long, value_name = "NAME")]
    pub tag: Option<String>,
    /// The message of the tag, instead of what git knows of it.
    #[arg(help_heading = EVENT, long, value_name = "TEXT")]
    pub tag_message: Option<String>,
    /// The description of the schedule.
    #[arg(help_heading = EVENT, long, value_name = "TEXT")]
    pub schedule_description: Option<String>,
    /// The branch that a merge request goes into; the default branch unless set.
    #[arg(help_heading = EVENT, long, value_name = "NAME")]
    pub target_branch: Option<String>,
    /// The number of the merge request in the project; 1 unless set.
    #[arg(help_heading = EVENT, long, value_name = "N")]
    pub mr_iid: Option<u64>,
    /// Its title; the first line of the commit's message unless set.
    #[arg(help_heading = EVENT, long, value_name = "TEXT")]
    pub mr_title: Option<String>,
    /// Its description.
    #[arg(help_heading = EVENT, long, value_name = "TEXT")]
    pub mr_description: Option<String>,
    /// A label of it; may be given several times.
    #[arg(help_heading = EVENT, long = "mr-label", value_name = "LABEL", value_delimiter = ',')]
    pub mr_labels: Vec<String>,
    /// The user name of an assignee; may be given several times.
    #[arg(help_heading = EVENT, long = "mr-assignee", value_name = "USER", value_delimiter = ',')]
    pub mr_assignees: Vec<String>,
    /// The title of its milestone.
    #[arg(help_heading = EVENT, long, value_name = "TITLE")]
    pub mr_milestone: Option<String>,
    /// It is a draft.
    #[arg(help_heading = EVENT, long)]
    pub mr_draft: bool,
    /// It is approved.
    #[arg(help_heading = EVENT, long)]
    pub mr_approved: bool,
    /// Its commits are squashed when it is merged.
    #[arg(help_heading = EVENT, long)]
    pub mr_squash: bool,
}

/// `--event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum EventKind {
    Push,
    MergeRequest,
    Tag,
    Schedule,
    Web,
    Api,
    Trigger,
}

/// What decides how jobs become pods.
#[derive(Debug, Clone, Args)]
pub struct RunnerArguments {
    /// Settings of a GitLab Runner: its deployment's manifests or its config.toml, a folder or a file.
    #[arg(help_heading = RUNNER, long, value_name = "PATH")]
    pub runner_config: Option<PathBuf>,
    /// The image of jobs that name none.
    #[arg(help_heading = RUNNER, long, value_name = "IMAGE")]
    pub default_image: Option<String>,
    /// Tags of the runner: jobs that ask for others are left out.
    #[arg(help_heading = RUNNER, long, value_name = "TAG,...", value_delimiter = ',')]
    pub runner_tags: Option<Vec<String>>,
    /// How many pods may run at once, at most.
    #[arg(help_heading = RUNNER, short = 'j', long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
}

/// `podline image`.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Take the images of a `docker save` archive or an OCI layout.
    Import {
        /// The archive, or the folder of the layout.
        file: PathBuf,
        /// The name of an image that has none there, or another one for the only image.
        #[arg(long, value_name = "IMAGE")]
        name: Option<String>,
    },
    /// List the images that are here.
    List,
    /// Remove layers that no image uses, and what was never finished.
    Prune {
        /// Remove all images first.
        #[arg(long)]
        all: bool,
    },
}

/// `podline run`.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// Only these jobs and what they need.
    #[arg(value_name = "JOB", add = ArgValueCandidates::new(completion::job_names))]
    pub selected: Vec<String>,
    /// Only what failed in the last run and what depends on it; what succeeded there is reused.
    #[arg(help_heading = AGAIN, long, conflicts_with_all = ["selected", "from"])]
    pub failed: bool,
    /// Only this job and everything after it; what comes before is reused from the last run.
    #[arg(help_heading = AGAIN, long, value_name = "JOB", conflicts_with = "selected")]
    pub from: Option<String>,
    /// Open a shell in the pod of a job whose script fails, before its `after_script`.
    #[arg(help_heading = AGAIN, long)]
    pub shell_on_failure: bool,
    /// Whether a shell is opened instead of the job's script: `podline shell`.
    #[arg(skip)]
    pub shell: bool,
    /// Run again whenever a file of the project changes; Ctrl-C ends it.
    #[arg(help_heading = AGAIN, long)]
    pub watch: bool,
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    #[command(flatten)]
    pub runner: RunnerArguments,
    #[command(flatten)]
    pub kind: KindArguments,
    #[command(flatten)]
    pub existing: ExistingArguments,
    #[command(flatten)]
    pub demo: DemoArguments,
    /// Where pods run; `auto` unless set.
    #[arg(help_heading = CLUSTER, long, value_name = "ENGINE")]
    pub engine: Option<EngineKind>,
    /// What a job runs on whose image cannot be had, without Docker: `host`, a view of this machine's own file
    /// system whose writes are thrown away.
    #[arg(help_heading = RUNNER, long, value_name = "WHAT")]
    pub image_fallback: Option<ImageFallback>,
    /// The cluster to run in, made by `podline cluster up NAME`.
    #[arg(help_heading = CLUSTER, long, value_name = "NAME", conflicts_with_all = ["keep", "context"])]
    pub cluster: Option<String>,
    /// Leave the cluster for the next run.
    #[arg(help_heading = CLUSTER, long, conflicts_with = "context")]
    pub keep: bool,
    /// What a job finds checked out: the working tree with its changes, or the commit.
    #[arg(long, value_name = "WHAT", default_value = "worktree")]
    pub source: SourceKind,
    /// Start this manual job when its turn comes; may be given several times.
    #[arg(long = "manual", value_name = "JOB", add = ArgValueCandidates::new(completion::job_names))]
    pub manual: Vec<String>,
    /// Start jobs that deploy or release: this one, or all without a name.
    #[arg(long, value_name = "JOB", num_args = 0..=1, default_missing_value = "*", require_equals = true)]
    pub deploy: Vec<String>,
    /// Do not wait for delayed jobs.
    #[arg(long)]
    pub no_delay: bool,
    /// End the run after this long as Ctrl-C would, for instance `5m`.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub time_limit: Option<Duration>,
    /// When the run has ended, write its jobs as test cases to this file, as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// How the run is shown; `live` unless set, and `plain` where there is no terminal.
    #[arg(long, value_name = "HOW")]
    pub output: Option<OutputKind>,
    /// The name that `--output` had for `json`.
    #[arg(long, hide = true, conflicts_with = "output")]
    pub format: Option<Format>,
    /// The name that `--output` had for `plain`.
    #[arg(long, hide = true, conflicts_with_all = ["output", "format"])]
    pub plain: bool,
}

/// `--source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceKind {
    Worktree,
    #[value(name = "HEAD", alias = "head")]
    Head,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// `podline plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    #[command(flatten)]
    pub runner: RunnerArguments,
    /// Text or JSON.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `podline init`.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// Print it instead of writing it.
    #[arg(long)]
    pub print: bool,
}

/// `podline lint`.
#[derive(Debug, Args)]
pub struct LintArguments {
    /// Files to check instead of the project's `.gitlab-ci.yml`.
    #[arg(value_name = "FILE")]
    pub files: Vec<String>,
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// Text, JSON, SARIF 2.1.0, or annotations of GitHub Actions.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: LintFormat,
}

/// `--format` of `podline lint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    Text,
    Json,
    Sarif,
    Github,
}

/// `podline config`.
#[derive(Debug, Args)]
pub struct ConfigArguments {
    #[command(flatten)]
    pub pipeline: PipelineArguments,
}

/// `podline pod`.
#[derive(Debug, Args)]
pub struct PodArguments {
    /// The job.
    #[arg(add = ArgValueCandidates::new(completion::job_names))]
    pub job: String,
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    #[command(flatten)]
    pub runner: RunnerArguments,
}

/// `podline report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// The number of the run; the last one unless given.
    pub run: Option<u64>,
    /// Where to write it, instead of the folder of the run.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// A page for a browser, or the run as JUnit XML or JSON, which go to standard output.
    #[arg(long, value_name = "FORMAT", default_value = "html")]
    pub format: ReportFormat,
    /// Show the page in the browser.
    #[arg(long)]
    pub open: bool,
    /// Serve it on this machine instead, and show what happens in the run as it happens.
    #[arg(long, conflicts_with_all = ["output", "format"])]
    pub serve: bool,
    /// The port to serve on; any that is free unless given.
    #[arg(long, value_name = "PORT", requires = "serve", default_value = "0")]
    pub port: u16,
}

/// `podline report --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Html,
    Junit,
    Json,
}

/// `podline hook`.
#[derive(Debug, Subcommand)]
pub enum HookCommand {
    /// Put the pre-push hook where git looks for it; a hook that is there is kept and runs first.
    Install,
    /// Take it away; a hook that was there comes back.
    Uninstall,
    /// What the hook does: reads from standard input what git tells a pre-push hook.
    Run {
        /// The remote that is pushed to.
        #[arg(default_value = "origin")]
        remote: String,
        /// Its address.
        address: Option<String>,
    },
}

/// Splits `GROUP/PROJECT=PATH`.
fn mapping(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((project, path)) if !path.is_empty() => Ok((project.to_owned(), PathBuf::from(path))),
        _ => Err("expected `GROUP/PROJECT=PATH`".to_owned()),
    }
}

/// Reads a duration as GitLab does: `5m`, `1h 30m`.
fn duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|error| error.to_string())
}

/// Splits `NAME=VALUE`.
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if is_name(name) => Ok((name.to_owned(), value.to_owned())),
        Some((name, _)) => Err(format!("`{name}` is not a name: letters, digits and `_`")),
        None => Err("expected `NAME=VALUE`".to_owned()),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "_-".contains(character))
}
