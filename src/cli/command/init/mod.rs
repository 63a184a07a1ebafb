//! `podline init`: a first `.gitlab-ci.yml` for a project that has none.

mod starter;

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::Path,
};

use crate::{
    cli::{ExitCode, Failed, args::InitArguments, project::CONFIGURATION},
    report::{
        Printer, Problem,
        theme::{Label, Look},
    },
};
use starter::Starter;

/// Writes the configuration, or prints it.
///
/// # Errors
/// When there is one already: it is never written over.
pub(super) fn init(folder: &Path, arguments: &InitArguments, printer: &Printer) -> Result<ExitCode, Failed> {
    let unreadable = |error: std::io::Error| {
        let message = format!("the folder `{}` cannot be read: {error}", folder.display());
        Failed::usage(Problem::new(message).help("name the project's folder with `-C`"))
    };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let starter = Starter::of(&names.collect(), read);
    if arguments.print {
        printer.data(&starter.text)?;
        return Ok(ExitCode::Success);
    }
    let path = folder.join(CONFIGURATION);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(unwritable)?;
    file.write_all(starter.text.as_bytes())?;
    let theme = printer.theme();
    let (mark, name) = (theme.mark(Look::Success), theme.paint(Label::Strong, CONFIGURATION));
    let place = if folder == Path::new(".") { String::new() } else { format!(" -C {}", folder.display()) };
    printer.say(&format!(
        "{mark} wrote {name} for {}\n\n  podline plan{place}  what would run, and why\n  podline run{place}   run it here, before you push\n",
        starter.found
    ));
    Ok(ExitCode::Success)
}

fn unwritable(error: std::io::Error) -> Failed {
    let problem = match error.kind() {
        ErrorKind::AlreadyExists => {
            Problem::new(format!("there is a `{CONFIGURATION}` already, and it stays"))
                .help("`podline plan` shows what it does, `podline init --print` what would be written")
        }
        _ => Problem::new(format!("`{CONFIGURATION}` cannot be written: {error}")),
    };
    Failed::usage(problem)
}
