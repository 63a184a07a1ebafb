//! The cluster that all runs of a watch share.

use crate::{
    cli::{
        ExitCode, Failed,
        args::RunArguments,
        command::run::interrupt,
        engine::{Asked, kind},
        project::Project,
        runs,
        settings::Environment,
    },
    engine::kind::{Cluster, Kind, Lifetime},
    report::{Printer, spinner::Spinner},
};

/// A cluster that is there as long as the watch. Other runs take it away after a watch that was killed.
pub(super) struct Warm {
    /// Its name, as `--cluster` takes it.
    pub(super) name: String,
    kind: Kind,
    cluster: Cluster,
}

impl Warm {
    /// Makes the cluster, where runs would make one each. The other engines have nothing to keep warm.
    ///
    /// # Errors
    /// When it cannot be made, or the user interrupts that.
    pub(super) async fn up(
        project: &Project,
        arguments: &RunArguments,
        environment: &Environment,
        printer: &Printer,
    ) -> Result<Option<Self>, Failed> {
        let file = &project.file;
        let is_named = arguments.cluster.is_some() || arguments.keep || file.run.cluster.is_some();
        let takes_kind = match Asked::of(arguments, &file.run, environment)? {
            Asked::Kind => true,
            Asked::Auto => kind::is_here(environment).await,
            Asked::Kube(_) | Asked::Embedded => false,
        };
        if is_named || !takes_kind {
            return Ok(None);
        }
        let mut interrupts = interrupt::listen(None, None)?;
        let name = format!("watch-{}", runs::id());
        let kind = kind::connect(environment).await?;
        let from = Some((project.folder.as_path(), file));
        let full = kind::full_name(&name);
        let options =
            kind::options(&kind, full.clone(), Lifetime::Run, Vec::new(), &arguments.kind, from).await?;
        let spinner = Spinner::start(printer, format!("creating the cluster `{full}`"));
        let made = tokio::select! {
            made = kind.create(&options, &|_| {}) => made.map_err(Failed::from),
            _ = interrupts.recv() => {
                kind.delete(&full).await?;
                Err(Failed::told(ExitCode::Interrupted))
            }
        };
        drop(spinner);
        Ok(Some(Self { name, cluster: made?, kind }))
    }

    /// Removes the cluster.
    ///
    /// # Errors
    /// What Docker answers.
    pub(super) async fn down(self, printer: &Printer) -> Result<(), Failed> {
        let spinner = Spinner::start(printer, format!("removing the cluster `{}`", self.cluster.name));
        let result = self.kind.delete(&self.cluster.name).await;
        drop(spinner);
        Ok(result?)
    }
}
