//! The engine of a run: which one it is, and what it is told to make.

#[cfg(target_os = "linux")]
mod embedded;
pub(super) mod kind;
pub(super) mod kube;

use std::sync::Arc;

use super::{
    Failed,
    args::{EngineKind, RunArguments},
    planned::Runner,
    project::Project,
    project_file,
    settings::Environment,
};
use crate::{
    engine::{Fits, Namespace, Provisioner, existing::Existing},
    pipeline::Pipeline,
    report::Problem,
    runner::Settings,
};

/// The engine that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// What this machine can run.
    Auto,
    /// A kind cluster.
    Kind,
    /// An existing cluster.
    Kube(Existing),
    /// This machine itself.
    Embedded,
}

impl Asked {
    /// Reads the engine from the command line, else from `podline.toml`.
    ///
    /// A cluster that somebody else made is used only where the command line says so, by `--engine kube` or by
    /// `--context`: whoever clones a project has not read its `podline.toml`.
    ///
    /// # Errors
    /// When no context is named, or flags do not go together.
    pub(super) fn of(
        arguments: &RunArguments,
        file: &project_file::Run,
        environment: &Environment,
    ) -> Result<Self, Failed> {
        let existing = &arguments.existing;
        let typed = match arguments.engine {
            None | Some(EngineKind::Auto) if existing.context.is_some() => Some(EngineKind::Kube),
            engine => engine,
        };
        if typed != Some(EngineKind::Kube) {
            forbid_existing(arguments)?;
        }
        match typed.or(file.engine).unwrap_or(EngineKind::Auto) {
            EngineKind::Auto => Ok(Self::Auto),
            EngineKind::Kind => Ok(Self::Kind),
            EngineKind::Embedded => Ok(Self::Embedded),
            EngineKind::Kube if typed.is_none() => Err(only_in_the_file(file)),
            EngineKind::Kube => kube::existing(existing, Some(file), environment).map(Self::Kube),
        }
    }

    /// The runner's settings as they are with this engine.
    pub(super) fn settings(&self, settings: Settings, run: &str) -> Settings {
        match self {
            Self::Auto | Self::Kind | Self::Embedded => settings,
            Self::Kube(existing) => kube::settings(settings, existing, run),
        }
    }
}

/// Flags of an existing cluster mean nothing to another engine.
fn forbid_existing(arguments: &RunArguments) -> Result<(), Failed> {
    let existing = &arguments.existing;
    let flag = [
        ("--context", existing.context.is_some()),
        ("--namespace", existing.namespace.is_some()),
        ("--kubeconfig", existing.kubeconfig.is_some()),
    ];
    match flag.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((flag, _)) => Err(Failed::usage(
            Problem::new(format!("`{flag}` is of an existing cluster"))
                .help("`--engine kube --context NAME` runs there"),
        )),
    }
}

fn only_in_the_file(file: &project_file::Run) -> Failed {
    let context = file.context.as_deref().unwrap_or("NAME");
    Failed::usage(
        Problem::new("only `podline.toml` asks for an existing cluster, and a project must not choose yours")
            .help(format!("to run there: `podline run --context {context}`")),
    )
}

/// What a run is made from.
pub(super) struct Request<'r> {
    /// The command line.
    pub(super) arguments: &'r RunArguments,
    /// The project with its `podline.toml`.
    pub(super) project: &'r Project,
    /// What the environment says.
    pub(super) environment: &'r Environment,
    /// Id of the run.
    pub(super) run: &'r str,
    /// The runner.
    pub(super) runner: &'r Runner,
    /// The jobs that take part.
    pub(super) pipeline: &'r Pipeline,
    /// The images of those jobs and of their services.
    pub(super) images: Vec<String>,
    /// Those of them that some pull policy lets be pulled.
    pub(super) pulled: Vec<String>,
    /// The logins of registries that the project has for its jobs.
    pub(super) logins: Vec<String>,
}

/// The engine of a run.
pub(super) struct Chosen {
    /// Its name, as `--engine` takes it.
    pub(super) name: &'static str,
    /// Makes the place for the run's pods.
    pub(super) provisioner: Arc<dyn Provisioner>,
    /// The namespace that it makes them in, with what belongs in it.
    pub(super) namespace: Namespace,
    /// What is done first, for people.
    pub(super) step: String,
    /// What is done last where it takes a while, for people.
    pub(super) removal: Option<String>,
    /// The name, as users say it, of the cluster that is there after the run.
    pub(super) stays: Option<String>,
    /// How many pods there likely is room for, as long as the engine has not looked.
    pub(super) likely: Option<Fits>,
}

/// Makes the engine that is asked for, or one that this machine can run.
///
/// # Errors
/// When the engine cannot be used on this machine.
pub(super) async fn choose(asked: &Asked, request: Request<'_>) -> Result<Chosen, Failed> {
    match asked {
        Asked::Auto => auto(request).await,
        Asked::Kind => kind::chosen(request).await,
        Asked::Kube(existing) => Ok(kube::chosen(existing.clone(), &request)),
        Asked::Embedded => embedded(request),
    }
}

/// kind where Docker and kind answer; else, on Linux, this machine itself.
async fn auto(request: Request<'_>) -> Result<Chosen, Failed> {
    // a cluster that is named, or is to be kept, can only be kind's
    let wants_cluster = request.arguments.cluster.is_some()
        || request.arguments.keep
        || request.project.file.run.cluster.is_some();
    if !cfg!(target_os = "linux") || wants_cluster || kind::is_here(request.environment).await {
        return kind::chosen(request).await;
    }
    embedded(request)
}

#[cfg(target_os = "linux")]
fn embedded(request: Request<'_>) -> Result<Chosen, Failed> {
    embedded::chosen(request)
}

#[cfg(not(target_os = "linux"))]
fn embedded(_: Request<'_>) -> Result<Chosen, Failed> {
    let problem = Problem::new("the embedded engine runs on Linux only: it uses the kernel's namespaces");
    Err(Failed::usage(problem.help("start Docker, and let podline make a kind cluster: `--engine kind`")))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        cli::args::{Arguments, Command},
        engine::existing::Space,
    };

    /// What comes of a command line and the `[run]` of a `podline.toml`: the engine, or what is wrong.
    fn asked(typed: &str, file: &str) -> String {
        let typed = format!("podline run {typed}");
        let arguments = Arguments::try_parse_from(typed.split_whitespace()).expect("the arguments are right");
        let Command::Run(arguments) = arguments.command else { panic!("`{typed}` is no run") };
        let file: project_file::Run = toml::from_str(file).expect("a table");
        let environment = Environment::empty();
        match Asked::of(&arguments, &file, &environment) {
            Ok(Asked::Auto) => "auto".to_owned(),
            Ok(Asked::Kind) => "kind".to_owned(),
            Ok(Asked::Embedded) => "embedded".to_owned(),
            Ok(Asked::Kube(Existing { context, space: Space::Own, .. })) => context,
            Ok(Asked::Kube(Existing { context, space: Space::Named(name), .. })) => {
                format!("{context}/{name}")
            }
            Err(failed) => failed.problem.expect("it says what is wrong").message,
        }
    }

    #[test]
    fn the_command_line_chooses_before_the_file_and_alone_a_cluster_of_somebody_else() {
        let none = "an existing cluster needs `--context NAME`: podline never takes the current one";
        let file_only =
            "only `podline.toml` asks for an existing cluster, and a project must not choose yours";
        let staging = "engine = 'kube'\ncontext = 'staging'\nnamespace = 'ci'";
        let table = [
            ("", "", "auto"),
            ("", "engine = 'kind'", "kind"),
            ("--engine auto", "engine = 'kind'", "auto"),
            ("", "engine = 'embedded'", "embedded"),
            ("--engine kube", "", none),
            ("--engine kube --namespace ci", "", none),
            ("--engine kube --context a", "", "a"),
            ("--context a", "engine = 'kind'", "a"),
            ("--engine auto --context a --namespace ci", "", "a/ci"),
            ("--engine kind --context a", "", "`--context` is of an existing cluster"),
            ("--namespace ci", "", "`--namespace` is of an existing cluster"),
            ("", staging, file_only),
            ("--engine kube", staging, "staging/ci"),
            ("--context a", staging, "a/ci"),
            ("--engine kind", staging, "kind"),
        ];
        for (typed, file, expected) in table {
            assert_eq!(asked(typed, file), expected, "`{typed}` with {file:?}");
        }
    }
}
