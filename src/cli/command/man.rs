//! `podline man`.

use std::{fs, path::Path};

use clap::CommandFactory;
use clap_mangen::Man;

use crate::{
    cli::{ExitCode, Failed, args::Arguments},
    report::Printer,
};

/// Writes a page for each command into a folder, or prints the one of podline itself.
pub(super) fn man(folder: Option<&Path>, printer: &Printer) -> Result<ExitCode, Failed> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        Man::new(Arguments::command().disable_help_subcommand(true)).render(&mut page)?;
        printer.data(&String::from_utf8_lossy(&page))?;
        return Ok(ExitCode::Success);
    };
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)?;
    printer.say(&format!("the pages are in `{0}`: `man {0}/podline.1`\n", folder.display()));
    Ok(ExitCode::Success)
}
