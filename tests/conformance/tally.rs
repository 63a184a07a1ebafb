//! How many cases of a test hold.

use std::path::{Path, PathBuf};

use super::deviations::DEVIATIONS;

/// The cases of one test.
pub(super) struct Tally {
    test: String,
    cases: usize,
    deviations: Vec<&'static str>,
    wrong: Vec<String>,
}

impl Tally {
    /// No case yet. A test is named by the path of its data.
    pub(super) fn new(test: &str) -> Self {
        Self { test: test.to_owned(), cases: 0, deviations: Vec::new(), wrong: Vec::new() }
    }

    /// Counts a case, and whether it holds.
    pub(super) fn case(&mut self, case: &str, holds: Result<(), String>) {
        self.cases += 1;
        let known = DEVIATIONS.iter().find(|known| known.test == self.test && known.case == case);
        match (holds, known) {
            (Ok(()), None) => {}
            (Err(_), Some(known)) => self.deviations.push(known.reason),
            (Err(why), None) => self.wrong.push(format!("{case}: {why}")),
            (Ok(()), Some(_)) => self.wrong.push(format!("{case}: holds, and is listed as a deviation")),
        }
    }

    /// Says the numbers.
    ///
    /// # Panics
    /// When a case neither holds nor is listed, or there are no cases.
    #[expect(clippy::print_stderr, reason = "the numbers are what one looks for with --nocapture")]
    pub(super) fn finish(self, more: &str) {
        let Self { test, cases, deviations, wrong } = self;
        let held = cases - deviations.len() - wrong.len();
        eprintln!("{test}: {held} of {cases} cases hold, {} deviate as listed{more}", deviations.len());
        assert!(cases > 0, "{test}: there are no cases");
        assert!(wrong.is_empty(), "{test}: {} of {cases} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// The folder of GitLab's test data.
pub(super) fn conformance() -> Option<PathBuf> {
    folder("PODLINE_CONFORMANCE")
}

/// The folder of real configurations.
pub(super) fn corpus() -> Option<PathBuf> {
    folder("PODLINE_CORPUS")
}

#[expect(clippy::print_stderr, reason = "a test that was skipped says why")]
fn folder(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: {variable} names no folder with the data");
    }
    folder
}

/// The files below a folder, as paths from there, sorted.
pub(super) fn files(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries.flatten() {
            let path = entry.path();
            match path.strip_prefix(root) {
                Ok(inner) if !path.is_dir() => files.push(inner.to_string_lossy().replace('\\', "/")),
                _ => folders.push(path),
            }
        }
    }
    files.sort();
    files
}
