//! A log in the program that somebody reads with.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::Path,
};

use tempfile::TempDir;

use super::text;

/// Shows a log as it is now, until they leave. What cannot be shown says so itself.
pub(super) async fn show(pager: &str, trace: &Path) {
    let from = trace.to_owned();
    let copied = tokio::task::spawn_blocking(move || readable(&from)).await;
    let copied = copied.ok().and_then(Result::ok);
    let copy = copied.as_ref().map(|folder| folder.path().join(trace.file_name().unwrap_or_default()));
    let mut command = tokio::process::Command::new("sh");
    command.arg("-c").arg(format!("{pager} \"$1\"")).arg("sh").arg(copy.as_deref().unwrap_or(trace));
    drop(command.status().await);
}

/// A copy as a terminal would show it: marks of sections and what was written over are for terminals and pages.
fn readable(trace: &Path) -> io::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join(trace.file_name().unwrap_or_default());
    let mut copy = BufWriter::new(fs::File::create(copy)?);
    for line in BufReader::new(fs::File::open(trace)?).split(b'\n') {
        writeln!(copy, "{}", text::colored(&String::from_utf8_lossy(&line?)))?;
    }
    copy.flush()?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_what_a_terminal_shows() {
        let folder = tempfile::tempdir().expect("a folder");
        let trace = folder.path().join("unit-1.log");
        let text = "section_start:1:step_script\r\u{1b}[0K\u{1b}[32;1m$ make\u{1b}[0m\n 10%\r 90%\rdone\n\u{1b}[2Jend";
        fs::write(&trace, text).expect("a file");
        let copy = readable(&trace).expect("it can be copied");
        let shown = fs::read_to_string(copy.path().join("unit-1.log")).expect("under its own name");
        assert_eq!(shown, "\u{1b}[32;1m$ make\u{1b}[0m\u{1b}[0m\ndone\nend\n");
    }
}
