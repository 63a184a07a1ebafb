//! From the main file to the effective tree.

use super::{
    Diagnostic, Diagnostics, Node, Sources, Spanned, extends,
    gap::Gaps,
    include::{self, Included},
    keyword::Unresolved,
    loader::LoadError,
    node::Mapping,
    reference,
    surroundings::Surroundings,
    yaml::Budget,
};

/// Most that `extends` and `!reference` may copy, in the bytes of [`Budget`]. A choice: GitLab shares
/// what it copies and has no such limit.
const MAX_COPIED_BYTES: usize = 64 << 20;

/// A configuration after includes, `extends` and `!reference`, before its keywords are read.
#[derive(Debug)]
pub struct Tree {
    /// Top-level keys and jobs.
    pub root: Mapping,
    /// Whether everything that is included is in it.
    pub is_complete: bool,
    /// Includes that could not be had, where they are named.
    pub unavailable: Vec<Spanned<String>>,
    /// Jobs that are not in the tree, as something they need cannot be found.
    pub unresolved: Vec<Unresolved>,
}

impl Tree {
    /// A tree that nothing is missing from.
    pub fn of(root: Mapping) -> Self {
        Self { root, is_complete: true, unavailable: Vec::new(), unresolved: Vec::new() }
    }
}

/// Reads a file and all it includes into the effective tree. `None` if the file itself cannot be
/// read; what is wrong is in the diagnostics.
pub fn tree(
    name: &str,
    surroundings: &Surroundings<'_>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Option<Tree> {
    let text = match surroundings.loader.local(name) {
        Ok(text) => text,
        Err(error) => {
            diagnostics.push(unreadable(name, &error));
            return None;
        }
    };
    Some(resolve(include::read(name, &text, surroundings, sources, diagnostics)?, diagnostics))
}

/// Reads what `trigger:include` names into the effective tree of a child pipeline.
pub fn child_tree(
    include: &Node,
    surroundings: &Surroundings<'_>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Tree {
    resolve(include::read_child(include, surroundings, sources, diagnostics), diagnostics)
}

/// From one tree of all files to the effective one.
fn resolve(included: Included, diagnostics: &mut Diagnostics) -> Tree {
    let mut root = included.root;
    let mut gaps = Gaps::new(!included.is_complete);
    let mut budget = Budget::new(MAX_COPIED_BYTES);
    extends::resolve(&mut root, &mut gaps, &mut budget, diagnostics);
    reference::resolve(&mut root, &mut gaps, &mut budget, diagnostics);
    let (unavailable, is_complete) = (included.unavailable, included.is_complete);
    Tree { root, is_complete, unavailable, unresolved: gaps.finish() }
}

fn unreadable(name: &str, error: &LoadError) -> Diagnostic {
    match error {
        LoadError::NotFound => Diagnostic::error("missing-file", format!("there is no file `{name}`"), None)
            .help("go to the root of a project, name its file with `--file`, or let `podline init` write a first one"),
        error => {
            Diagnostic::error("unreadable-file", format!("the file `{name}` cannot be read: {error}"), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::config::fixture::{Project, project};

    #[test]
    fn a_file_that_is_not_there_is_said_so() {
        assert_eq!(
            Project::default().problems(),
            [
                " missing-file: there is no file `ci.yml`\n    go to the root of a project, name its file with `--file`, or let `podline init` write a first one"
            ]
        );
    }

    #[test]
    fn mistakes_of_all_files_and_steps_are_said_at_once() {
        let project = project("include: [a.yml, b.yml]\none: {extends: .bas}\none: {extends: .bas, script: !reference [.base, x]}\n")
            .file("a.yml", ".base: {script: a, script: b}\ntwo: {image: 2024-01-01}\n")
            .file("b.yml", "spec: {inputs: {x: }}\n---\nthree: {script: '$[[ inputs.y ]]'}\n");
        let codes: Vec<_> = project.read().diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(
            codes,
            [
                "duplicate-key",
                "duplicate-key",
                "refused-value",
                "missing-input",
                "interpolation",
                "unknown-extends"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_configuration_makes_it_panic(
            keys in prop::collection::vec(
                "(a|b|\\.c|include|default|spec): (\\{(extends|script|inputs|local|<<): (a|b|\\.c|\\[a, \\.c\\]|!reference \\[(a|\\.c), (script|extends)\\]|\\$\\[\\[ inputs\\.x \\]\\]|null|\\{x: \\})\\}|\\[!reference \\[a\\], b\\]|x)\n(---\n)?",
                0..6,
            )
        ) {
            let text = keys.concat();
            let reading = project(&text).file("b.yml", &text).read();
            for found in reading.diagnostics.iter() {
                if let Some(span) = found.span {
                    reading.sources.locate(span);
                }
            }
        }
    }
}
