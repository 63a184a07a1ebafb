//! Writes a trace to its file and keeps its last lines.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::display;

/// How many last lines are kept for the report of a failed job.
pub const TAIL: usize = 20;

/// The trace of one attempt.
#[derive(Debug)]
pub struct Trace {
    path: PathBuf,
    file: File,
    tail: VecDeque<String>,
    at_line_start: bool,
}

impl Trace {
    /// Begins a trace in a file, whose folder is made.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::create(path)?;
        Ok(Self { path: path.to_owned(), file, tail: VecDeque::new(), at_line_start: true })
    }

    /// Adds a line as it was printed, and gives it as it is shown.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn line(&mut self, line: &[u8]) -> io::Result<String> {
        self.write(line)?;
        let shown = display(line);
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(shown.clone());
        Ok(shown)
    }

    /// Adds a line of the runner's own, on a line of its own.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn say(&mut self, text: &str) -> io::Result<String> {
        self.end_line()?;
        self.line(format!("{text}\n").as_bytes())
    }

    /// Adds a line of the runner's own that only the file has: it is no part of the tail.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        self.end_line()?;
        self.write(format!("{text}\n").as_bytes())
    }

    fn end_line(&mut self) -> io::Result<()> {
        if self.at_line_start { Ok(()) } else { self.write(b"\n") }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at_line_start = bytes.ends_with(b"\n");
        self.file.write_all(bytes)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its last lines.
    pub fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }
}
