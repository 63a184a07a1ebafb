//! From the location of an included file to its text, or to what the user is told instead.

use indexmap::map::Entry;

use super::{
    File, Home, Includer,
    location::{Location, Target},
};
use crate::config::{
    Diagnostic, Span, Spanned,
    loader::{External, Found, LoadError},
};

impl Includer<'_, '_> {
    /// The file and its text.
    pub(super) fn obtain(&mut self, from: &File, location: &Location) -> Option<(File, String)> {
        let (name, home, component, text) = match &location.target {
            Target::Local(path) => {
                (path.clone(), Home::Here, from.component.clone(), self.local(path, location.span)?)
            }
            Target::External(external) => {
                let found = self.external(external, location.span)?;
                let home = match (external, found.home) {
                    (External::Artifact { .. }, _) => Home::Here,
                    (_, Some(project)) => Home::Project(project),
                    (_, None) => Home::Nowhere,
                };
                // What a component includes from its own project is a part of it.
                let is_part = found.component.is_none() && home == from.home;
                let component = if is_part { from.component.clone() } else { found.component };
                (found.name, home, component, found.text)
            }
        };
        let mut chain = from.chain.clone();
        chain.push(name.clone());
        Some((File { name, home, component, chain }, text))
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
            Err(LoadError::Unavailable { reason, help }) => {
                let message = format!("the include `{path}` cannot be had: {reason}");
                let help = format!("what it defines is unknown here; {help}");
                Diagnostic::warning("include-unavailable", message, span).help(help)
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
    fn external(&mut self, external: &External, span: Span) -> Option<Found> {
        let error = match self.surroundings.loader.external(external) {
            Ok(found) => {
                self.note(external, &found, span);
                return Some(found);
            }
            Err(error) => error,
        };
        match error {
            LoadError::Unavailable { reason, help } => self.lacks(external, span, reason, &help),
            LoadError::NotFound => self.missing(external, span, "there is no such file"),
            LoadError::Missing(reason) => self.missing(external, span, &reason),
            LoadError::Unreadable(reason) => {
                let message = format!("`{external}` cannot be read: {reason}");
                self.diagnostics.push(Diagnostic::error("include-unreadable", message, span));
                self.unavailable.push(Spanned::new(external.to_string(), span));
            }
        }
        None
    }

    /// Paths of the project's files or of another's. `None` where that cannot be told, which has been said.
    pub(super) fn files_in(&mut self, home: &Home, span: Span) -> Option<Vec<String>> {
        let project = match home {
            Home::Here => return Some(self.files().to_vec()),
            Home::Nowhere => return Some(Vec::new()),
            Home::Project(project) => project,
        };
        match self.surroundings.loader.files_of(project) {
            Ok(files) => Some(files),
            Err(LoadError::Unavailable { reason, help }) => {
                let all = External::Project { project: project.clone(), file: "*".to_owned() };
                self.lacks(&all, span, reason, &help);
                None
            }
            Err(error) => {
                let message = format!("the files of `{project}` cannot be listed: {error}");
                self.diagnostics.push(Diagnostic::error("include-not-found", message, span));
                None
            }
        }
    }

    fn missing(&mut self, external: &External, span: Span, reason: &str) {
        let message = format!("`{external}` does not exist: {reason}");
        self.diagnostics.push(Diagnostic::error("include-not-found", message, span));
        self.unavailable.push(Spanned::new(external.to_string(), span));
    }

    /// Names an include that cannot be had, once; those of one project for one reason together.
    fn lacks(&mut self, external: &External, span: Span, reason: String, help: &str) {
        if !self.named.insert(external.clone()) {
            return;
        }
        self.unavailable.push(Spanned::new(external.to_string(), span));
        let message = format!("the include `{external}` cannot be had: {reason}");
        let help = format!("what it defines is unknown here; {help}");
        let warning = Diagnostic::warning("include-unavailable", message, span).help(help);
        match self.lacking.entry((subject(external), reason)) {
            Entry::Occupied(mut known) => known.get_mut().related.push((span, "nor can this".to_owned())),
            Entry::Vacant(first) => {
                first.insert(warning);
            }
        }
    }

    /// Says once of a project, or of another include, what may make it differ on GitLab.
    fn note(&mut self, external: &External, found: &Found, span: Span) {
        let Some(note) = &found.note else { return };
        if self.named.insert(subject(external)) {
            let message = format!("`{external}` may differ on GitLab: {note}");
            self.diagnostics.push(Diagnostic::warning("include-differs", message, span));
        }
    }

    /// The project's files, read once.
    pub(super) fn files(&mut self) -> &[String] {
        let loader = self.surroundings.loader;
        self.files.get_or_insert_with(|| loader.local_files())
    }
}

/// What the user is told of once: a project for all of its files, everything else by itself.
fn subject(external: &External) -> External {
    match external {
        External::Project { project, .. } => {
            External::Project { project: project.clone(), file: String::new() }
        }
        _ => external.clone(),
    }
}
