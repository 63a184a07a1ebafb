//! `include`: many files into one tree, as GitLab's `Config::External`.
//!
//! Included files merge in order, each after what it includes itself; the file that includes them
//! merges last.

mod header;
mod location;
mod obtain;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{
    Diagnostic, Diagnostics, Sources, Span, Spanned,
    inputs::{self, Given, Header},
    loader::{Component, External, ProjectRef},
    merge::deep_merge,
    node::{Mapping, Node},
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
    let main =
        File { name: name.to_owned(), home: Home::Here, component: None, chain: vec![name.to_owned()] };
    let root = includer.file(&main, text, None);
    let is_read = root.is_some();
    let included = includer.finish(root.unwrap_or_default());
    is_read.then_some(included)
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
    let main =
        File { name: "trigger:include".to_owned(), home: Home::Here, component: None, chain: Vec::new() };
    let root = includer.expand(&main, content);
    includer.finish(root)
}

/// The repository in which a file's `include: local` looks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Home {
    /// The project itself.
    Here,
    /// Another project, at a ref.
    Project(ProjectRef),
    /// None: the file came from an URL, or is a template. Variables are unknown there as well.
    Nowhere,
}

/// A file that is being read.
struct File {
    name: String,
    home: Home,
    /// The component that it belongs to.
    component: Option<Component>,
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
    /// What cannot be had, by what is told once: a project, or another include, and the reason.
    lacking: IndexMap<(External, String), Diagnostic>,
    /// What the user was told of already.
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
            lacking: IndexMap::new(),
            named: HashSet::new(),
            is_complete: true,
            is_child: false,
        }
    }

    /// The tree with what it lacks, which is told now.
    fn finish(self, root: Mapping) -> Included {
        for (_, found) in self.lacking {
            self.diagnostics.push(found);
        }
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
        let header = documents.header.map(|spec| self.header(file, spec));
        let header = header.as_ref().map(|(spec, is_complete)| Header {
            spec,
            is_complete: *is_complete,
            component: file.component.as_ref(),
        });
        let content =
            inputs::apply(header.as_ref(), documents.content, &given, self.surroundings, self.diagnostics)?;
        Some(self.expand(file, content))
    }

    /// Merges what a file includes below what it says itself.
    fn expand(&mut self, file: &File, mut content: Mapping) -> Mapping {
        let Some(include) = content.remove("include") else { return content };
        let locations = self.locations(file, &include.value);
        self.admit(file, &locations, include.key);
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

    /// Counts files before any of them is followed, and says which have to be fetched.
    fn admit(&mut self, file: &File, locations: &[Location], span: Span) {
        self.count += locations.len();
        if self.count > MAX_INCLUDES && !self.is_full {
            self.is_full = true;
            self.refuse_more(file, span);
        }
        if self.is_full {
            return;
        }
        let external = locations.iter().filter_map(|location| match &location.target {
            Target::External(external) => Some(external.clone()),
            Target::Local(_) => None,
        });
        self.surroundings.loader.expect(&external.collect::<Vec<_>>());
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

    /// Reads one included file and what it includes.
    fn follow(&mut self, from: &File, location: Location) -> Option<Mapping> {
        let (file, text) = self.obtain(from, &location)?;
        self.file(&file, &text, Some(location.inputs))
    }
}

/// The items of a value that may be a list.
fn items(node: &Node) -> &[Node] {
    node.as_sequence().unwrap_or(std::slice::from_ref(node))
}
