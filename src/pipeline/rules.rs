//! Whether conditions hold: `if`, `changes` and `exists`, of the first rule that matches.

use std::{
    cell::{OnceCell, RefCell},
    collections::{HashMap, HashSet},
    rc::Rc,
};

use super::{Repository, variables::Scope};
use crate::config::{
    Spanned,
    expression::Expression,
    glob::{self, Glob},
    keyword::{
        Rule,
        rules::{Changes, Exists, Paths},
    },
    regexp::Regexp,
};

/// More comparisons of a path with a pattern than this count as a match
/// (`CHANGES_MAX_PATTERN_COMPARISONS`, `MAX_PATTERN_COMPARISONS`).
const MAX_COMPARISONS: usize = 50_000;

/// Paths that differ; `None` where GitLab has nothing to compare.
type Changed = Option<Rc<Vec<String>>>;

/// What became of looking for paths.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// No path matches.
    Nothing,
    /// GitLab has nothing to compare with, so that the clause holds.
    NothingToCompare,
    /// There are so many paths and patterns that the clause holds.
    TooMany,
    /// The regular expression takes so long that GitLab would refuse it.
    TooSlow,
    /// What another project has is not known here, for this reason; the clause is taken to hold.
    Unknown(String),
    /// The first path that matches, and what it matches.
    Path {
        /// The pattern, expanded.
        pattern: String,
        /// The path.
        path: String,
    },
}

impl Found {
    /// Whether the clause holds.
    pub fn holds(&self) -> bool {
        !matches!(self, Self::Nothing | Self::TooSlow)
    }
}

/// Evaluates conditions, and remembers what many jobs ask alike.
pub(super) struct Conditions<'r> {
    repository: &'r dyn Repository,
    project: &'r str,
    expressions: RefCell<HashMap<String, Option<Rc<Expression>>>>,
    changed: RefCell<HashMap<Option<String>, Changed>>,
    tree: OnceCell<HashSet<&'r str>>,
}

impl<'r> Conditions<'r> {
    pub(super) fn new(repository: &'r dyn Repository, project: &'r str) -> Self {
        Self {
            repository,
            project,
            expressions: RefCell::default(),
            changed: RefCell::default(),
            tree: OnceCell::new(),
        }
    }

    /// Index of the first rule that matches.
    pub(super) fn first_match(&self, rules: &[Rule], scope: &Scope<'_>) -> Option<usize> {
        rules.iter().position(|rule| self.rule_matches(rule, scope))
    }

    /// Whether all clauses of a rule hold; one without any always matches.
    pub(super) fn rule_matches(&self, rule: &Rule, scope: &Scope<'_>) -> bool {
        rule.condition.as_ref().is_none_or(|condition| self.holds(condition, scope))
            && rule.changes.as_ref().is_none_or(|changes| self.find_change(changes, scope).holds())
            && rule.exists.as_ref().is_none_or(|exists| self.find_file(exists, scope).holds())
    }

    /// Whether an expression holds; one that cannot be read does not.
    pub(super) fn holds(&self, condition: &str, scope: &Scope<'_>) -> bool {
        let known = self.expressions.borrow().get(condition).cloned();
        let expression = known.unwrap_or_else(|| {
            let parsed = Expression::parse(condition).ok().map(Rc::new);
            self.expressions.borrow_mut().insert(condition.to_owned(), parsed.clone());
            parsed
        });
        expression.is_some_and(|expression| expression.holds(|name| scope.get(name)))
    }

    pub(super) fn find_change(&self, changes: &Changes, scope: &Scope<'_>) -> Found {
        let base = changes.compare_to.as_ref().map(|base| scope.expand_existing(base));
        match &changes.paths {
            Paths::Globs(globs) => self.changed(base, globs.iter().map(|glob| scope.expand_existing(glob))),
            Paths::Regexp(regexp) => match self.changed_paths(base) {
                Some(changed) => find_regexp(&scope.expand_existing(regexp), &changed),
                None => Found::NothingToCompare,
            },
        }
    }

    /// What `only:changes` or `except:changes` finds: variables in its patterns are not expanded.
    pub(super) fn find_plain_change(&self, paths: &[Spanned<String>]) -> Found {
        self.changed(None, paths.iter().map(|path| path.value.clone()))
    }

    fn changed_paths(&self, base: Option<String>) -> Changed {
        let known = self.changed.borrow().get(&base).cloned();
        known.unwrap_or_else(|| {
            let paths = self.repository.changed_paths(base.as_deref()).map(Rc::new);
            self.changed.borrow_mut().insert(base, paths.clone());
            paths
        })
    }

    /// A changed path that matches.
    fn changed(&self, base: Option<String>, patterns: impl Iterator<Item = String>) -> Found {
        let Some(changed) = self.changed_paths(base) else { return Found::NothingToCompare };
        let globs: Vec<(String, Glob)> = patterns
            .map(|pattern| {
                let glob = Glob::ruby(&pattern);
                (pattern, glob)
            })
            .collect();
        if changed.len() * globs.len() > MAX_COMPARISONS {
            return Found::TooMany;
        }
        let matching = |path: &String| {
            let (pattern, _) = globs.iter().find(|(_, glob)| glob.matches(path))?;
            Some(Found::Path { pattern: pattern.clone(), path: path.clone() })
        };
        changed.iter().find_map(matching).unwrap_or(Found::Nothing)
    }

    pub(super) fn find_file(&self, exists: &Exists, scope: &Scope<'_>) -> Found {
        let other;
        let tree = match exists.project.as_ref().map(|project| scope.expand_existing(project)) {
            Some(project) if project != self.project || exists.reference.is_some() => {
                let reference = exists.reference.as_ref().map(|reference| scope.expand_existing(reference));
                match self.repository.tree_of(&project, reference.as_deref()) {
                    Ok(tree) => other = tree,
                    Err(reason) => return Found::Unknown(reason),
                }
                &*other
            }
            _ => self.repository.tree(),
        };
        let globs = match &exists.paths {
            Paths::Globs(globs) => globs,
            Paths::Regexp(regexp) => return find_regexp(&scope.expand_existing(regexp), tree),
        };
        let patterns: Vec<String> = globs.iter().map(|path| scope.expand_existing(path)).collect();
        let is_top_level = |pattern: &String| !pattern.contains('/') && !pattern.contains("**");
        let top_level_only = patterns.iter().all(is_top_level);
        let is_own = exists.project.is_none();
        let mut comparisons = 0;
        for pattern in &patterns {
            let path = match shape(pattern) {
                Shape::Nothing => None,
                Shape::Folder => tree.iter().find(|path| path.starts_with(pattern)),
                Shape::File if is_own => self.files().contains(pattern.as_str()).then_some(pattern),
                Shape::File => tree.contains(pattern).then_some(pattern),
                Shape::Suffix(suffix) => tree.iter().find(|path| path.ends_with(suffix)),
                Shape::Glob => {
                    let glob = Glob::ruby(pattern);
                    let mut looked_at = tree.iter().filter(|path| !(top_level_only && path.contains('/')));
                    let matching = looked_at.find(|path| {
                        comparisons += 1;
                        comparisons > MAX_COMPARISONS || glob.matches(path)
                    });
                    if comparisons > MAX_COMPARISONS {
                        return Found::TooMany;
                    }
                    matching
                }
            };
            if let Some(path) = path {
                return Found::Path { pattern: pattern.clone(), path: path.clone() };
            }
        }
        Found::Nothing
    }

    fn files(&self) -> &HashSet<&'r str> {
        self.tree.get_or_init(|| self.repository.tree().iter().map(String::as_str).collect())
    }
}

/// A path that a regular expression of Ruby's matches (`Clause::RegexpMatcher`).
fn find_regexp(pattern: &str, paths: &[String]) -> Found {
    if paths.len() > MAX_COMPARISONS {
        return Found::TooMany;
    }
    let Ok(regexp) = Regexp::new(pattern) else { return Found::Nothing };
    for path in paths {
        match regexp.is_match(path) {
            Ok(true) => return Found::Path { pattern: pattern.to_owned(), path: path.clone() },
            Ok(false) => {}
            Err(_) => return Found::TooSlow,
        }
    }
    Found::Nothing
}

/// How a pattern of `exists` is looked for (`Clause::Exists#glob_type`).
enum Shape<'p> {
    Nothing,
    Folder,
    File,
    Suffix(&'p str),
    Glob,
}

fn shape(pattern: &str) -> Shape<'_> {
    if pattern.is_empty() {
        return Shape::Nothing;
    }
    if !glob::is_wildcard(pattern) {
        return if pattern.ends_with('/') { Shape::Folder } else { Shape::File };
    }
    match pattern.strip_prefix("**/*") {
        Some(suffix) if suffix.starts_with('.') && !suffix.contains('/') && !glob::is_wildcard(suffix) => {
            Shape::Suffix(suffix)
        }
        _ => Shape::Glob,
    }
}

/// A rule in a few words, for people: `rule 2: if $CI_COMMIT_BRANCH == "main"`.
pub(super) fn describe(index: usize, rule: &Rule) -> String {
    let mut clauses = Vec::new();
    if let Some(condition) = &rule.condition {
        clauses.push(format!("if {}", condition.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    if rule.changes.is_some() {
        clauses.push("changes".to_owned());
    }
    if rule.exists.is_some() {
        clauses.push("exists".to_owned());
    }
    if clauses.is_empty() {
        clauses.push("no condition".to_owned());
    }
    format!("rule {}: {}", index + 1, clauses.join(", "))
}
