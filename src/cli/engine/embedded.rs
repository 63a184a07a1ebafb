//! The embedded engine as the command line asks for it.

use std::{path::PathBuf, sync::Arc};

use super::{Chosen, Request};
use crate::{
    cli::{Failed, args::ImageFallback, project_file::ProjectFile, settings::Environment, view},
    engine::{
        Namespace,
        embedded::{
            Embedded, Options,
            image::{Fallback, HostView, Logins, Options as Supply},
        },
    },
    runner::failure::HELPER,
};

/// Pods on this machine.
///
/// # Errors
/// When podline does not find its own program.
pub(super) fn chosen(request: Request<'_>) -> Result<Chosen, Failed> {
    let Request { arguments, project, environment, run, images, pulled, logins, runner, pipeline } = request;
    let program = std::env::current_exe()?;
    let asked = arguments.image_fallback.or(project.file.run.image_fallback);
    let options = Options {
        program,
        state: environment.state.clone(),
        cache: environment.cache.clone(),
        run: run.to_owned(),
        images,
        pulled,
        docker: environment.docker.clone(),
        carrier: Some(HELPER.to_owned()),
        supply: Supply {
            fallback: match asked {
                Some(ImageFallback::Host) => Fallback::Host(host_view(environment, &project.file)),
                Some(ImageFallback::None) | None => Fallback::None,
            },
            logins: Logins { texts: logins, folder: environment.docker.config_folder.clone() },
            is_offline: arguments.pipeline.offline,
        },
    };
    Ok(Chosen {
        name: "embedded",
        provisioner: Arc::new(Embedded::new(options)),
        namespace: Namespace { name: runner.settings.namespace.clone(), ..Namespace::default() },
        step: "preparing this machine".to_owned(),
        removal: None,
        stays: None,
        likely: view::estimated_fits(&runner.settings, pipeline),
    })
}

/// What a job sees of this machine: all but the homes of its users, and in them the folders that the project
/// names.
fn host_view(environment: &Environment, file: &ProjectFile) -> HostView {
    let home = environment.home.clone();
    let in_home = |path: &PathBuf| match (path.strip_prefix("~"), &home) {
        (Ok(inside), Some(home)) => home.join(inside),
        _ => path.clone(),
    };
    let env = [
        environment.path.as_ref().map(|path| format!("PATH={path}")),
        home.as_ref().map(|home| format!("HOME={}", home.display())),
    ];
    HostView {
        hidden: [PathBuf::from("/home"), PathBuf::from("/root")].into_iter().chain(home.clone()).collect(),
        shown: file.run.host_caches.iter().map(in_home).collect(),
        env: env.into_iter().flatten().collect(),
    }
}
