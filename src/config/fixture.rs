//! A project in memory, for the tests of this room.

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;

use super::{
    Diagnostics, Sources, Surroundings, Tree, emit,
    loader::{Component, External, Found, LoadError, Loader, ProjectRef},
    tree,
    tree::child_tree,
};

/// Files and whatever else surrounds a configuration.
#[derive(Debug, Default)]
pub(super) struct Project {
    files: BTreeMap<String, String>,
    external: HashMap<External, String>,
    variables: IndexMap<String, String>,
    masked: std::collections::HashSet<String>,
    inputs: IndexMap<String, String>,
    changed: Option<Vec<String>>,
}

/// What was read from a [`Project`].
pub(super) struct Reading {
    pub(super) tree: Option<Tree>,
    pub(super) sources: Sources,
    pub(super) diagnostics: Diagnostics,
}

/// A project whose main file is this.
pub(super) fn project(main: &str) -> Project {
    Project::default().file("ci.yml", main)
}

/// The YAML of `job` in the effective tree of a configuration without mistakes.
pub(super) fn job(main: &str) -> String {
    let reading = project(main).read();
    assert!(reading.diagnostics.is_empty(), "{:?}", reading.problems());
    let mut root = reading.tree.expect("a tree").root;
    root.retain(|name| name == "job");
    emit(&root)
}

impl Project {
    pub(super) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    pub(super) fn external(mut self, include: External, text: &str) -> Self {
        self.external.insert(include, text.to_owned());
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Makes a variable one whose value nobody may see.
    pub(super) fn masked(mut self, name: &str) -> Self {
        self.masked.insert(name.to_owned());
        self
    }

    pub(super) fn input(mut self, name: &str, value: &str) -> Self {
        self.inputs.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn changed(mut self, paths: &[&str]) -> Self {
        self.changed = Some(paths.iter().map(|path| (*path).to_owned()).collect());
        self
    }

    pub(super) fn read(&self) -> Reading {
        let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
        let surroundings = Surroundings {
            loader: self,
            variables: &self.variables,
            masked: &self.masked,
            inputs: &self.inputs,
            changes: &|_| self.changed.clone(),
        };
        let tree = tree("ci.yml", &surroundings, &mut sources, &mut diagnostics);
        Reading { tree, sources, diagnostics }
    }

    /// What `trigger:include` of a job of the main file says.
    pub(super) fn read_child(&self, job: &str) -> Reading {
        let main = self.read();
        let root = main.tree.expect("a tree").root;
        let trigger = root.get(job).and_then(|job| job.as_mapping()?.get("trigger")?.as_mapping());
        let include = trigger.and_then(|trigger| trigger.get("include")).expect("a trigger job");
        let (mut sources, mut diagnostics) = (main.sources, Diagnostics::default());
        let surroundings = Surroundings {
            loader: self,
            variables: &self.variables,
            masked: &self.masked,
            inputs: &self.inputs,
            changes: &|_| self.changed.clone(),
        };
        let tree = child_tree(include, &surroundings, &mut sources, &mut diagnostics);
        Reading { tree: Some(tree), sources, diagnostics }
    }

    /// The effective tree as YAML, without a single diagnostic.
    pub(super) fn yaml(&self) -> String {
        let reading = self.read();
        assert!(reading.diagnostics.is_empty(), "{:#?}", reading.problems());
        emit(&reading.tree.expect("a tree").root)
    }

    /// Every diagnostic, with its place.
    pub(super) fn problems(&self) -> Vec<String> {
        self.read().problems()
    }
}

impl Reading {
    /// Each diagnostic as `file:line:column code: message (help)`.
    pub(super) fn problems(&self) -> Vec<String> {
        let show = |found: &super::Diagnostic| {
            let place = found.span.map(|span| self.sources.locate(span).to_string()).unwrap_or_default();
            let help = found.help.as_ref().map(|help| format!("\n    {help}")).unwrap_or_default();
            format!("{place} {}: {}{help}", found.code, found.message)
        };
        self.diagnostics.iter().map(show).collect()
    }

    /// The effective tree as YAML, whatever was wrong.
    pub(super) fn yaml(&self) -> String {
        emit(&self.tree.as_ref().expect("a tree").root)
    }

    /// Jobs that are not in the tree, with the reason.
    pub(super) fn unresolved(&self) -> Vec<String> {
        let tree = self.tree.as_ref().expect("a tree");
        tree.unresolved.iter().map(|job| format!("{}: {}", job.name.value, job.reason)).collect()
    }
}

impl Loader for Project {
    fn local(&self, path: &str) -> Result<String, LoadError> {
        self.files.get(path).cloned().ok_or(LoadError::NotFound)
    }

    fn local_files(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }

    fn external(&self, include: &External) -> Result<Found, LoadError> {
        let text = self.external.get(include).cloned().ok_or_else(elsewhere)?;
        let (home, component) = match include {
            External::Project { project, .. } => (Some(project.clone()), None),
            External::Component(address) => component(address),
            _ => (None, None),
        };
        Ok(Found { text, name: include.to_string(), home, component, note: None })
    }

    fn files_of(&self, project: &ProjectRef) -> Result<Vec<String>, LoadError> {
        let file = |include: &External| match include {
            External::Project { project: other, file } if other == project => Some(file.clone()),
            _ => None,
        };
        let mut files: Vec<_> = self.external.keys().filter_map(file).collect();
        files.sort_unstable();
        if files.is_empty() { Err(elsewhere()) } else { Ok(files) }
    }
}

/// The project of `host/group/project/name@version`, and the component.
fn component(address: &str) -> (Option<ProjectRef>, Option<Component>) {
    let parts = address.split_once('@').and_then(|(path, version)| {
        let (host, path) = path.split_once('/')?;
        let (path, name) = path.rsplit_once('/')?;
        Some((host, path, name, version))
    });
    let Some((host, path, name, version)) = parts else { return (None, None) };
    let project = ProjectRef {
        host: Some(host.to_owned()),
        path: path.to_owned(),
        reference: Some(version.to_owned()),
    };
    let component = Component {
        name: name.to_owned(),
        sha: "1".repeat(40),
        version: version.starts_with('1').then(|| version.to_owned()),
        reference: version.to_owned(),
    };
    (Some(project), Some(component))
}

fn elsewhere() -> LoadError {
    LoadError::Unavailable {
        reason: "it lives elsewhere".to_owned(),
        help: "map a checkout of it".to_owned(),
    }
}
