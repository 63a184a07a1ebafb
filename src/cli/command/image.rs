//! `podline image`: the images of the embedded engine.

use crate::{
    cli::{ExitCode, Failed, args::ImageCommand, settings::Environment},
    report::{Printer, Problem},
};

#[cfg(target_os = "linux")]
pub(super) fn image(
    command: &ImageCommand,
    environment: &Environment,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    use crate::engine::embedded::image::{Store, import};

    let store = Store::open(&environment.cache).map_err(|error| {
        let folder = environment.cache.display();
        let problem = Problem::new(format!("cannot open the images in `{folder}`: {error}"));
        Failed::usage(problem.help("`PODLINE_CACHE` names a folder that podline may write to"))
    })?;
    match command {
        ImageCommand::Import { file, name } => {
            for name in import(&store, file, name.as_deref())? {
                printer.say(&format!("imported {name}\n"));
            }
        }
        ImageCommand::List => list(&store.list()?, printer)?,
        ImageCommand::Prune { all } => match store.prune(*all)? {
            Some((images, bytes)) => {
                let images = crate::report::text::count(images, "image");
                printer.say(&format!("removed {images} and {} of layers\n", megabytes(bytes)));
            }
            None => {
                let problem = Problem::new("images are in use by a run");
                return Err(Failed::usage(problem.help("`podline image prune` again when it has ended")));
            }
        },
    }
    Ok(ExitCode::Success)
}

#[cfg(target_os = "linux")]
fn list(images: &[(String, crate::engine::embedded::image::Image)], printer: &Printer) -> Result<(), Failed> {
    use crate::report::table::{Cell, Column, Table};

    if images.is_empty() {
        printer.say(
            "there is no image yet: `podline image import FILE` takes some, and a run what Docker or a registry has\n",
        );
        return Ok(());
    }
    let mut table = Table::new(["image", "id", "size"].map(Column::new).into());
    for (name, image) in images {
        let id: String = image.id.trim_start_matches("sha256:").chars().take(12).collect();
        table.row([name.clone(), id, megabytes(image.bytes)].map(Cell::text).into());
    }
    let lines = table.lines(&printer.data_theme(), printer.columns());
    Ok(printer.data(&format!("{}\n", lines.join("\n")))?)
}

#[cfg(target_os = "linux")]
fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn image(_: &ImageCommand, _: &Environment, _: &Printer) -> Result<ExitCode, Failed> {
    let problem = Problem::new("only the embedded engine keeps images, and it runs on Linux only");
    Err(Failed::usage(problem.help("with kind, images are Docker's: `docker pull`, `docker load`")))
}
