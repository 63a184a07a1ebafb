//! `spec:include`: inputs that are declared in files of their own (GitLab's `External::Header`).

use super::{File, Includer, items, location::Location};
use crate::config::{
    Diagnostic, Node,
    node::{Entry, Kind, Mapping},
    yaml,
};

impl Includer<'_, '_> {
    /// A header with the inputs of the files it includes, and whether all of these could be had.
    pub(super) fn header(&mut self, file: &File, mut header: Mapping) -> (Mapping, bool) {
        let Some(Kind::Mapping(spec)) = header.get_mut("spec").map(|spec| &mut spec.kind) else {
            return (header, true);
        };
        let Some(include) = spec.remove("include") else { return (header, true) };
        let before = self.unavailable.len();
        let mut files = Vec::new();
        let locations: Vec<_> = items(&include.value)
            .iter()
            .filter(|item| !item.is_null())
            .flat_map(|item| self.header_locations(file, item))
            .collect();
        self.admit(file, &locations, include.key);
        let mut is_complete = true;
        for location in &locations {
            match if self.is_full { None } else { self.declarations(file, location) } {
                Some(inputs) => files.push(inputs),
                None => is_complete = false,
            }
        }
        is_complete &= self.unavailable.len() == before;
        self.join(spec, &include, files);
        (header, is_complete)
    }

    /// The inputs that one file declares. It has nothing else.
    fn declarations(&mut self, from: &File, location: &Location) -> Option<Mapping> {
        let (file, text) = self.obtain(from, location)?;
        let source = self.sources.add(file.name.clone(), &text);
        let text = self.sources.get(source).text.clone();
        let mut content = yaml::parse(source, &text, self.diagnostics)?.content;
        let inputs = content.remove("inputs");
        for (key, entry) in content.iter() {
            let message = format!("a file of `spec:include` has no `{key}`");
            self.diagnostics.push(
                Diagnostic::error("invalid-spec", message, entry.key)
                    .help("it has only `inputs`, as they would stand under `spec`"),
            );
        }
        match inputs.map(|inputs| inputs.value) {
            Some(Node { kind: Kind::Mapping(inputs), .. }) => Some(inputs),
            Some(other) if !other.is_null() => {
                let message = "`inputs` has to be a mapping";
                self.diagnostics.push(Diagnostic::error("invalid-spec", message, other.span));
                None
            }
            _ => Some(Mapping::default()),
        }
    }

    /// Puts the inputs of all files before those of the header itself. A name is declared once.
    fn join(&mut self, spec: &mut Mapping, include: &Entry, files: Vec<Mapping>) {
        let own = spec.remove("inputs");
        let (key, span) =
            own.as_ref().map_or((include.key, include.value.span), |own| (own.key, own.value.span));
        let own = match own.map(|own| own.value) {
            Some(Node { kind: Kind::Mapping(own), .. }) => own,
            Some(other) if !other.is_null() => {
                // What is wrong with it is said where it is read.
                spec.insert("inputs", key, other);
                return;
            }
            _ => Mapping::default(),
        };
        let mut all = Mapping::default();
        for (name, entry) in files.into_iter().chain([own]).flatten() {
            if let Some(first) = all.entry(&name) {
                let message = format!("the input `{name}` is declared twice");
                self.diagnostics.push(
                    Diagnostic::error("invalid-spec", message, entry.key)
                        .related(first.key, "it is declared here as well")
                        .help("GitLab refuses an input that several files declare; rename one"),
                );
                continue;
            }
            all.insert(name, entry.key, entry.value);
        }
        spec.insert("inputs", key, Node::mapping(all, span));
    }
}
