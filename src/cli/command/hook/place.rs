//! Where the pipeline of a push runs.

use crate::{
    cli::{
        ExitCode, Failed,
        args::{EngineKind, RunArguments},
        engine::kind,
        project_file::ProjectFile,
        settings::Environment,
    },
    report::Problem,
};

/// The cluster that `podline cluster up` makes.
const WARM: &str = "dev";

/// Where the pipeline of a push runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The cluster of this name, which is up.
    Cluster(String),
    /// A cluster that is made for this push alone.
    NewCluster,
    /// This machine, without a cluster.
    Machine,
}

impl Place {
    /// The cluster that is up; where none is, one for this push if the project asks for that, else this
    /// machine. A cluster of somebody else is no place for what a push starts by itself.
    ///
    /// # Errors
    /// When the project leaves no place, or this machine has none.
    pub(super) fn of(file: &ProjectFile, environment: &Environment) -> Result<Self, Failed> {
        if file.run.engine == Some(EngineKind::Embedded) {
            return Ok(Self::Machine);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let up = runtime.block_on(running(environment));
        let is_kind = file.run.engine == Some(EngineKind::Kind);
        match (up, is_kind) {
            (Err(failed), true) => Err(failed),
            (up, _) => Self::among(&up.unwrap_or_default(), file, cfg!(target_os = "linux")),
        }
    }

    fn among(up: &[String], file: &ProjectFile, is_linux: bool) -> Result<Self, Failed> {
        let name = file.run.cluster.as_deref().unwrap_or(WARM);
        if up.iter().any(|up| *up == kind::full_name(name)) {
            return Ok(Self::Cluster(name.to_owned()));
        }
        if file.hook.create_cluster {
            return Ok(Self::NewCluster);
        }
        if is_linux && file.run.engine != Some(EngineKind::Kind) {
            return Ok(Self::Machine);
        }
        let command = if name == WARM { String::new() } else { format!(" {name}") };
        let problem = Problem::new(format!("the cluster `{name}` is not up")).help(format!(
            "`podline cluster up{command}` once, or `create-cluster = true` in `[hook]` of podline.toml"
        ));
        Err(Failed { problem: Some(problem), code: ExitCode::EngineFailed })
    }

    /// Tells a run of it.
    pub(super) fn tell(&self, arguments: &mut RunArguments, file: &mut ProjectFile) {
        let (engine, cluster) = match self {
            Self::Cluster(name) => (EngineKind::Kind, Some(name.clone())),
            Self::NewCluster => (EngineKind::Kind, None),
            Self::Machine => (EngineKind::Embedded, None),
        };
        arguments.engine = Some(engine);
        arguments.cluster = cluster;
        // one that the file names is not up, or is named already
        file.run.cluster = None;
    }

    /// For people: ` in the cluster `dev``.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Cluster(name) => format!(" in the cluster `{name}`"),
            Self::NewCluster => " in a cluster of its own".to_owned(),
            Self::Machine => " on this machine".to_owned(),
        }
    }
}

/// The full names of the clusters that are up.
async fn running(environment: &Environment) -> Result<Vec<String>, Failed> {
    let known = kind::connect(environment).await?.list().await?;
    Ok(known.into_iter().filter(|known| known.running).map(|known| known.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_cluster_goes_before_this_machine_and_a_new_one_is_made_only_when_asked_for() {
        let (none, dev, ci) = (&[][..], &["podline-dev"][..], &["podline-ci"][..]);
        let cluster = |name: &str| Some(Place::Cluster(name.to_owned()));
        let table = [
            ("", none, Some(Place::Machine)),
            ("", dev, cluster("dev")),
            ("", ci, Some(Place::Machine)),
            ("[run]\ncluster = 'ci'", ci, cluster("ci")),
            ("[run]\ncluster = 'ci'", dev, Some(Place::Machine)),
            ("[hook]\ncreate-cluster = true", none, Some(Place::NewCluster)),
            ("[hook]\ncreate-cluster = true", dev, cluster("dev")),
            ("[run]\nengine = 'auto'", none, Some(Place::Machine)),
            ("[run]\nengine = 'kind'", none, None),
            ("[run]\nengine = 'kind'", dev, cluster("dev")),
            // a project must not choose the cluster of somebody else
            ("[run]\nengine = 'kube'\ncontext = 'production'", none, Some(Place::Machine)),
        ];
        for (file, up, place) in table {
            let up: Vec<String> = up.iter().map(|name| (*name).to_owned()).collect();
            let file = toml::from_str(file).expect("a file");
            assert_eq!(Place::among(&up, &file, true).ok(), place, "{file:?}, {up:?}");
        }
        let file = ProjectFile::default();
        assert_eq!(Place::among(&[], &file, false).ok(), None, "only Linux can do without a cluster");
    }
}
