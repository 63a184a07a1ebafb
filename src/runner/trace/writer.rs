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
        self.file.write_all(line)?;
        self.at_line_start = line.ends_with(b"\n");
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
        let start = if self.at_line_start { "" } else { "\n" };
        self.file.write_all(start.as_bytes())?;
        self.line(format!("{text}\n").as_bytes())
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
