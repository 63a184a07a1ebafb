//! Real configurations, read to their keywords. They are not part of the repository:
//! `PODLINE_CORPUS` names a folder with `projects/<project>/` and `files/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use podline::config::{
    Config, Diagnostics, Severity, Sources, Surroundings,
    source::{External, LoadError, Loader},
    tree,
};

/// A project that is wrong by itself: it extends a job that does not exist.
const WRONG: &str = "NVIDIA__nvidia-container-toolkit";

/// Reads the files below a folder.
struct Folder(PathBuf);

impl Loader for Folder {
    fn local(&self, path: &str) -> Result<String, LoadError> {
        fs::read_to_string(self.0.join(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => LoadError::NotFound,
            _ => LoadError::Unreadable(error.to_string()),
        })
    }

    fn local_files(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(&self.0, &self.0, &mut files);
        files.sort();
        files
    }

    fn external(&self, _: &External) -> Result<String, LoadError> {
        Err(LoadError::Unavailable("it is not part of the corpus".to_owned()))
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(path) = path.strip_prefix(root) {
            files.push(path.to_string_lossy().into_owned());
        }
    }
}

/// Reads one configuration; gives it and every error with its place.
fn read(folder: &Path, name: &str) -> (Option<Config>, Vec<String>) {
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let variables = IndexMap::from([
        ("CI_COMMIT_BRANCH".to_owned(), "main".to_owned()),
        ("CI_DEFAULT_BRANCH".to_owned(), "main".to_owned()),
        ("CI_PIPELINE_SOURCE".to_owned(), "push".to_owned()),
    ]);
    let loader = Folder(folder.to_owned());
    let surroundings =
        Surroundings { loader: &loader, variables: &variables, inputs: &IndexMap::new(), changes: &|_| None };
    let config = tree(name, &surroundings, &mut sources, &mut diagnostics)
        .map(|tree| Config::read(tree, &mut diagnostics));
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let place = |found: &podline::config::Diagnostic| {
        found.span.map(|span| sources.locate(span).to_string()).unwrap_or_default()
    };
    let errors = errors.map(|found| format!("{} {}: {}", place(found), found.code, found.message));
    (config, errors.collect())
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn every_configuration_of_the_corpus_is_read() {
    let Some(corpus) = std::env::var_os("PODLINE_CORPUS").map(PathBuf::from) else {
        eprintln!("skipped: PODLINE_CORPUS is not set");
        return;
    };
    let folders = |name: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(corpus.join(name)).expect("the folder is part of the corpus");
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    let mut wrong = Vec::new();
    let mut check = |folder: &Path, name: &str, of_single_file: bool| {
        let (config, errors) = read(folder, name);
        let shown = folder.join(name).display().to_string();
        if folder.ends_with(WRONG) {
            assert!(errors.iter().any(|error| error.contains("unknown-extends")), "{errors:?}");
            return;
        }
        // A single file comes without what it includes from its own project.
        let errors: Vec<_> = errors
            .into_iter()
            .filter(|error| !(of_single_file && error.contains("include-not-found")))
            .collect();
        if !errors.is_empty() || config.is_none() {
            wrong.push(format!("{shown}\n  {}", errors.join("\n  ")));
        }
    };
    for project in folders("projects") {
        check(&project, ".gitlab-ci.yml", false);
    }
    for file in folders("files") {
        let name = file.file_name().expect("a file has a name").to_string_lossy().into_owned();
        check(&corpus.join("files"), &name, true);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
