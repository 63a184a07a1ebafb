//! `include`: many files into one tree, as GitLab's `Config::External`.
//!
//! Included files merge in order, each after what it includes itself; the file that includes them
//! merges last.

mod location;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::{
    Diagnostic, Diagnostics, Sources, Span, Spanned,
    inputs::{self, Given},
    merge::deep_merge,
    node::{Mapping, Node},
    source::{External, LoadError},
    surroundings::Surroundings,
    yaml,
};
use location::{Location, Target};

/// Most included files, each time counted (`ci_max_includes`).
const MAX_INCLUDES: usize = 150;

/// One tree, and what it lacks.
#[derive(Debug)]
pub(super) struct Included {
    /// The tree of all files.
    pub(super) root: Mapping,
    /// Includes that could not be had, where they are named.
    pub(super) unavailable: Vec<Spanned<String>>,
    /// Whether every include is in the tree: else a name that is missing may be defined in one that
    /// is not.
    pub(super) is_complete: bool,
}

/// Reads a file and everything it includes. `None` if the file itself cannot be read.
pub(super) fn read(
    name: &str,
    text: &str,
    surroundings: &Surroundings<'_>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Option<Included> {
    let mut includer = Includer::new(surroundings, sources, diagnostics);
    let main = File { name: name.to_owned(), home: Home::Here, chain: vec![name.to_owned()] };
    let root = includer.file(&main, text, None)?;
    Some(includer.finish(root))
}

/// Reads what `trigger:include` names: the file of a child pipeline says nothing else.
pub(super) fn read_child(
    include: &Node,
    surroundings: &Surroundings<'_>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Included {
    let mut includer = Includer { is_child: true, ..Includer::new(surroundings, sources, diagnostics) };
    let mut content = Mapping::default();
    content.insert("include".to_owned(), include.span, include.clone());
    let root = includer
        .expand(&File { name: "trigger:include".to_owned(), home: Home::Here, chain: Vec::new() }, content);
    includer.finish(root)
}

/// The repository in which a file's `include: local` looks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Home {
    /// The project itself.
    Here,
    /// Another project, at a ref.
    Project(String, Option<String>),
    /// None: the file came from an URL.
    Nowhere,
}

/// A file that is being read.
struct File {
    name: String,
    home: Home,
    /// The files that led to it, and itself.
    chain: Vec<String>,
}

struct Includer<'a, 's> {
    surroundings: &'a Surroundings<'s>,
    sources: &'a mut Sources,
    diagnostics: &'a mut Diagnostics,
    /// The project's files, once they are asked for.
    files: Option<Vec<String>>,
    /// Includes so far.
    count: usize,
    /// Whether the limit is passed, so that nothing more is followed.
    is_full: bool,
    unavailable: Vec<Spanned<String>>,
    /// What is named in `unavailable` already.
    named: HashSet<External>,
    is_complete: bool,
    /// Whether this is a child pipeline, which can include what jobs of its parent have left.
    is_child: bool,
}

impl<'a, 's> Includer<'a, 's> {
    fn new(
        surroundings: &'a Surroundings<'s>,
        sources: &'a mut Sources,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        Self {
            surroundings,
            sources,
            diagnostics,
            files: None,
            count: 0,
            is_full: false,
            unavailable: Vec::new(),
            named: HashSet::new(),
            is_complete: true,
            is_child: false,
        }
    }

    fn finish(self, root: Mapping) -> Included {
        Included { root, unavailable: self.unavailable, is_complete: self.is_complete }
    }
}

impl Includer<'_, '_> {
    /// Reads a text with its inputs and includes.
    fn file(&mut self, file: &File, text: &str, given: Option<Given>) -> Option<Mapping> {
        let source = self.sources.add(file.name.clone(), text);
        let text = self.sources.get(source).text.clone();
        let documents = yaml::parse(source, &text, self.diagnostics)?;
        let given = given.unwrap_or_else(|| inputs::from_user(self.surroundings.inputs, self.sources));
        let content = inputs::apply(documents, &given, self.surroundings, self.diagnostics)?;
        Some(self.expand(file, content))
    }

    /// Merges what a file includes below what it says itself.
    fn expand(&mut self, file: &File, mut content: Mapping) -> Mapping {
        let Some(include) = content.remove("include") else { return content };
        let locations = self.locations(file, &include.value);
        self.count += locations.len();
        if self.count > MAX_INCLUDES && !self.is_full {
            self.is_full = true;
            self.refuse_more(file, include.key);
        }
        let mut merged = Mapping::default();
        for location in locations {
            match if self.is_full { None } else { self.follow(file, location) } {
                Some(tree) => deep_merge(&mut merged, tree),
                None => self.is_complete = false,
            }
        }
        if merged.is_empty() {
            return content;
        }
        deep_merge(&mut merged, content);
        merged
    }

    fn refuse_more(&mut self, file: &File, span: Span) {
        let message = format!("more than {MAX_INCLUDES} files are included");
        let again = file.chain.iter().enumerate().find(|(at, name)| file.chain[..*at].contains(name));
        let help = match again {
            Some((_, name)) => format!("`{name}` includes itself, by way of others or at once"),
            None => "GitLab counts a file each time it is included; include fewer".to_owned(),
        };
        self.diagnostics.push(Diagnostic::error("too-many-includes", message, span).help(help));
    }

    /// Reads one included file.
    fn follow(&mut self, from: &File, location: Location) -> Option<Mapping> {
        let (external, home) = match (&location.target, &from.home) {
            (Target::Local(path), Home::Here) => {
                let text = self.local(path, location.span)?;
                return self.included(from, path.clone(), Home::Here, &text, location);
            }
            (Target::Local(path), Home::Project(project, reference)) => (
                External::Project {
                    project: project.clone(),
                    reference: reference.clone(),
                    file: path.clone(),
                },
                from.home.clone(),
            ),
            (Target::Local(path), Home::Nowhere) => {
                let message = format!("`{path}` is a local file, but `{}` belongs to no project", from.name);
                self.diagnostics.push(
                    Diagnostic::error("include-not-found", message, location.span)
                        .help("a remote file can include by `remote`, `project`, `template` or `component`"),
                );
                return None;
            }
            (Target::External(external), _) => (external.clone(), home_of(external)),
        };
        let name = location::label(&external);
        let text = self.external(&external, &name, location.span)?;
        self.included(from, name, home, &text, location)
    }

    fn included(
        &mut self,
        from: &File,
        name: String,
        home: Home,
        text: &str,
        location: Location,
    ) -> Option<Mapping> {
        let mut chain = from.chain.clone();
        chain.push(name.clone());
        self.file(&File { name, home, chain }, text, Some(location.inputs))
    }

    /// Reads a file of the project.
    fn local(&mut self, path: &str, span: Span) -> Option<String> {
        let found = match self.surroundings.loader.local(path) {
            Ok(text) => return Some(text),
            Err(LoadError::NotFound) => {
                let loader = self.surroundings.loader;
                let files = self.files.get_or_insert_with(|| loader.local_files());
                let near = self.diagnostics.nearest(path, files.iter().map(String::as_str));
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "paths begin at the root of the repository".to_owned(),
                };
                Diagnostic::error("include-not-found", format!("the file `{path}` does not exist"), span)
                    .help(help)
            }
            Err(error) => Diagnostic::error(
                "include-unreadable",
                format!("the file `{path}` cannot be read: {error}"),
                span,
            ),
        };
        self.diagnostics.push(found);
        // One mistake is enough: what the file may define is not another one.
        self.unavailable.push(Spanned::new(path.to_owned(), span));
        None
    }

    /// Reads a file from elsewhere.
    fn external(&mut self, external: &External, name: &str, span: Span) -> Option<String> {
        let error = match self.surroundings.loader.external(external) {
            Ok(text) => return Some(text),
            Err(error) => error,
        };
        match error {
            LoadError::Unavailable(reason) => self.lacks(external, name, span, &reason),
            LoadError::NotFound => self.diagnostics.push(Diagnostic::error(
                "include-not-found",
                format!("`{name}` does not exist"),
                span,
            )),
            LoadError::Unreadable(reason) => self.diagnostics.push(Diagnostic::error(
                "include-unreadable",
                format!("`{name}` cannot be read: {reason}"),
                span,
            )),
        }
        None
    }

    /// Names an include that cannot be had, once.
    fn lacks(&mut self, external: &External, name: &str, span: Span, reason: &str) {
        if !self.named.insert(external.clone()) {
            return;
        }
        let help = match external {
            External::Project { .. } | External::Component(_) => {
                "what it defines is unknown here; name a local checkout of the project under `[includes]` in `podline.toml`"
            }
            External::Remote { .. } | External::Template(_) => "what it defines is unknown here",
            External::Artifact { .. } => "what it defines is known when the job has run",
        };
        let message = format!("the include `{name}` cannot be had: {reason}");
        self.diagnostics.push(Diagnostic::warning("include-unavailable", message, span).help(help));
        self.unavailable.push(Spanned::new(name.to_owned(), span));
    }

    /// The project's files, read once.
    fn files(&mut self) -> &[String] {
        let loader = self.surroundings.loader;
        self.files.get_or_insert_with(|| loader.local_files())
    }
}

/// Where the local includes of an external file are looked for.
fn home_of(external: &External) -> Home {
    match external {
        External::Project { project, reference, .. } => Home::Project(project.clone(), reference.clone()),
        External::Component(address) => component_home(address).unwrap_or(Home::Nowhere),
        External::Artifact { .. } => Home::Here,
        External::Remote { .. } | External::Template(_) => Home::Nowhere,
    }
}

/// The project of `host/group/project/name@version`.
fn component_home(address: &str) -> Option<Home> {
    let (path, version) = address.rsplit_once('@')?;
    let (_, path) = path.split_once('/')?;
    let (project, _) = path.rsplit_once('/')?;
    Some(Home::Project(project.to_owned(), Some(version.to_owned())))
}

/// The items of a value that may be a list.
fn items(node: &Node) -> &[Node] {
    node.as_sequence().unwrap_or(std::slice::from_ref(node))
}
