//! `include:rules`: whether a file is included (GitLab's `External::Rules`).

use super::{File, Home, Includer, items};
use crate::config::{
    Diagnostic, Node, Span,
    expand::expand_existing,
    expression::Expression,
    glob::{Glob, is_wildcard},
    loader::ProjectRef,
    node::Mapping,
};

/// Keys of a rule.
const KEYWORDS: [&str; 4] = ["if", "exists", "changes", "when"];

/// Most comparisons of paths with patterns, after which a rule is taken to match
/// (`MAX_PATTERN_COMPARISONS`).
const MAX_COMPARISONS: usize = 50_000;

impl Includer<'_, '_> {
    /// Whether the first rule that matches does not say `never`. All rules are checked, also those behind
    /// it; a rule that cannot be read is taken to match, as it is refused anyway.
    pub(super) fn rules_hold(&mut self, file: &File, rules: &Node) -> bool {
        let Some(rules) = rules.as_sequence() else {
            self.refuse("`include:rules` has to be a list", rules.span, None);
            return true;
        };
        let conditions: Vec<_> = rules.iter().map(|rule| self.condition(rule)).collect();
        let first = rules.iter().zip(conditions).find_map(|(rule, condition)| {
            let rule = rule.as_mapping()?;
            self.rule_matches(file, rule, condition.as_ref()).then_some(rule)
        });
        first.is_some_and(|rule| rule.get("when").and_then(Node::as_str) != Some("never"))
            || rules.iter().any(|rule| rule.as_mapping().is_none())
    }

    /// Checks a rule, all but its paths; gives its `if`.
    fn condition(&mut self, rule: &Node) -> Option<Expression> {
        let Some(rule) = rule.as_mapping() else {
            self.refuse("a rule of `include:rules` has to be a mapping", rule.span, None);
            return None;
        };
        for (key, unknown) in rule.iter().filter(|(key, _)| !KEYWORDS.contains(key)) {
            let help = match self.diagnostics.nearest(key, KEYWORDS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("use `{}`", KEYWORDS.join("`, `")),
            };
            self.refuse(&format!("`include:rules` has no `{key}`"), unknown.key, Some(help));
        }
        let when = rule.get("when").filter(|when| !when.is_null());
        if let Some(when) = when.filter(|when| !matches!(when.as_str(), Some("never" | "always"))) {
            let help = Some("use `always` or `never`".to_owned());
            self.refuse("`include:rules:when` has another value than GitLab knows", when.span, help);
        }
        let condition = rule.get("if")?;
        let Some(text) = condition.as_str() else {
            self.refuse("`include:rules:if` has to be a string", condition.span, None);
            return None;
        };
        let error = match Expression::parse(text) {
            Ok(expression) => return Some(expression),
            Err(error) => error,
        };
        self.refuse(&format!("`include:rules:if`: {error}"), condition.span, error.hint);
        None
    }

    fn rule_matches(&mut self, file: &File, rule: &Mapping, condition: Option<&Expression>) -> bool {
        condition.is_none_or(|condition| condition.holds(|name| self.variable(file, name)))
            && rule.get("changes").is_none_or(|changes| self.has_changed(file, changes))
            && rule.get("exists").is_none_or(|exists| self.exists(file, exists))
    }

    fn has_changed(&mut self, file: &File, changes: &Node) -> bool {
        let (paths, against) = match changes.as_mapping() {
            Some(mapping) => (mapping.get("paths"), mapping.get("compare_to").and_then(Node::as_str)),
            None => (Some(changes), None),
        };
        let Some(patterns) = self.patterns(file, paths, changes.span) else { return true };
        let against = against.map(|text| expand_existing(text, |name| self.variable(file, name)));
        match (self.surroundings.changes)(against.as_deref()) {
            Some(changed) => matches_any(&patterns, &changed),
            None => true,
        }
    }

    fn exists(&mut self, file: &File, exists: &Node) -> bool {
        let (paths, elsewhere) = match exists.as_mapping() {
            Some(mapping) => (mapping.get("paths"), self.elsewhere(file, mapping)),
            None => (Some(exists), None),
        };
        let Some(patterns) = self.patterns(file, paths, exists.span) else { return true };
        let home = elsewhere.unwrap_or_else(|| file.home.clone());
        let Some(files) = self.files_in(&home, exists.span) else {
            let message = "the files of another project are unknown here, so `exists` is taken to match";
            self.diagnostics.push(Diagnostic::warning("include-rules-unknown", message, exists.span));
            return true;
        };
        matches_any(&patterns, &files)
    }

    /// `exists:project` and `exists:ref`.
    fn elsewhere(&self, file: &File, exists: &Mapping) -> Option<Home> {
        let text = |key: &str| {
            let text = exists.get(key)?.as_str()?;
            Some(expand_existing(text, |name| self.variable(file, name)))
        };
        Some(Home::Project(ProjectRef { host: None, path: text("project")?, reference: text("ref") }))
    }

    /// Patterns with their variables expanded; unknown ones stay.
    fn patterns(&mut self, file: &File, paths: Option<&Node>, span: Span) -> Option<Vec<String>> {
        let texts: Option<Vec<_>> = paths.and_then(|paths| items(paths).iter().map(Node::as_str).collect());
        let Some(texts) = texts else {
            self.refuse("`include:rules` takes paths as a list of strings", span, None);
            return None;
        };
        let expand = |text: &str| expand_existing(text, |name| self.variable(file, name));
        Some(texts.into_iter().map(expand).collect())
    }
}

/// Whether a path matches a pattern, by GitLab's `Rules::Rule::Clause`.
fn matches_any(patterns: &[String], paths: &[String]) -> bool {
    let (wildcards, exact): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| is_wildcard(pattern));
    let is_exact = |pattern: &String| match pattern.strip_suffix('/') {
        Some(_) => paths.iter().any(|path| path.starts_with(pattern.as_str())),
        None => paths.contains(pattern),
    };
    if exact.into_iter().filter(|pattern| !pattern.is_empty()).any(is_exact) {
        return true;
    }
    if wildcards.len() * paths.len() > MAX_COMPARISONS {
        return true;
    }
    wildcards
        .into_iter()
        .map(|pattern| Glob::ruby(pattern))
        .any(|glob| paths.iter().any(|path| glob.matches(path)))
}
