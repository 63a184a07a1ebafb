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
        rules::{Changes, Exists},
    },
};

/// More comparisons of a path with a pattern than this count as a match
/// (`CHANGES_MAX_PATTERN_COMPARISONS`, `MAX_PATTERN_COMPARISONS`).
const MAX_COMPARISONS: usize = 50_000;

/// Paths that differ; `None` where GitLab has nothing to compare.
type Changed = Option<Rc<Vec<String>>>;

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
            && rule.changes.as_ref().is_none_or(|changes| self.has_changes(changes, scope))
            && rule.exists.as_ref().is_none_or(|exists| self.has_files(exists, scope))
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

    pub(super) fn has_changes(&self, changes: &Changes, scope: &Scope<'_>) -> bool {
        let base = changes.compare_to.as_ref().map(|base| scope.expand_existing(base));
        let expand = |path: &Spanned<String>| scope.expand_existing(path);
        self.any_changed(base, changes.paths.iter().map(expand))
    }

    /// Whether `only:changes` or `except:changes` holds: variables in its patterns are not expanded.
    pub(super) fn has_plain_changes(&self, paths: &[Spanned<String>]) -> bool {
        self.any_changed(None, paths.iter().map(|path| path.value.clone()))
    }

    /// Whether a changed path matches; true where GitLab has nothing to compare.
    fn any_changed(&self, base: Option<String>, patterns: impl Iterator<Item = String>) -> bool {
        let known = self.changed.borrow().get(&base).cloned();
        let changed = known.unwrap_or_else(|| {
            let paths = self.repository.changed_paths(base.as_deref()).map(Rc::new);
            self.changed.borrow_mut().insert(base.clone(), paths.clone());
            paths
        });
        let Some(changed) = changed else { return true };
        let globs: Vec<Glob> = patterns.map(|pattern| Glob::ruby(&pattern)).collect();
        if changed.len() * globs.len() > MAX_COMPARISONS {
            return true;
        }
        changed.iter().any(|path| globs.iter().any(|glob| glob.matches(path)))
    }

    pub(super) fn has_files(&self, exists: &Exists, scope: &Scope<'_>) -> bool {
        // What another project holds is not known here.
        let elsewhere = |project: &Spanned<String>| scope.expand_once(project) != self.project;
        if exists.project.as_ref().is_some_and(elsewhere) {
            return false;
        }
        let patterns: Vec<String> = exists.paths.iter().map(|path| scope.expand_once(path)).collect();
        let is_top_level = |pattern: &String| !pattern.contains('/') && !pattern.contains("**");
        let top_level_only = patterns.iter().all(is_top_level);
        let mut comparisons = 0;
        patterns.iter().any(|pattern| match shape(pattern) {
            Shape::Nothing => false,
            Shape::Folder => self.repository.tree().iter().any(|path| path.starts_with(pattern)),
            Shape::File => self.files().contains(pattern.as_str()),
            Shape::Suffix(suffix) => self.repository.tree().iter().any(|path| path.ends_with(suffix)),
            Shape::Glob => {
                let glob = Glob::ruby(pattern);
                let looked_at = |path: &&String| !(top_level_only && path.contains('/'));
                self.repository.tree().iter().filter(looked_at).any(|path| {
                    comparisons += 1;
                    comparisons > MAX_COMPARISONS || glob.matches(path)
                })
            }
        })
    }

    fn files(&self) -> &HashSet<&'r str> {
        self.tree.get_or_init(|| self.repository.tree().iter().map(String::as_str).collect())
    }
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
