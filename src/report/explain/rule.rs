//! Rules with the value of each condition.

use crate::report::{
    expression::{self, Part},
    text,
    theme::{Label, Look, Theme},
};

/// A rule, or `only` or `except`.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Rule {
    /// `rule 2`, `only`, `except`.
    pub title: String,
    /// Where it was written.
    pub place: Option<String>,
    /// What it asks; nothing means that it always matches.
    pub clauses: Vec<Clause>,
    /// Whether it lets the job in: it matches, or for `except` it does not.
    pub lets_in: bool,
    /// Whether it decides.
    pub decides: bool,
    /// Whether an earlier rule has decided.
    pub is_too_late: bool,
    /// What it sets or says as it decides: `when: manual`.
    pub sets: Vec<String>,
}

/// One thing that a rule asks.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Clause {
    /// As it is written: `if $CI_COMMIT_BRANCH == "main"`.
    pub text: String,
    /// With values: `"feature" == "main" is false`.
    pub meaning: String,
    /// Whether it holds.
    pub holds: bool,
    /// Of an expression with several operations, each part with its value.
    pub parts: Vec<Part>,
}

/// The lines of rules.
pub(super) fn lines(rules: &[Rule], theme: &Theme, width: usize) -> Vec<String> {
    let column = rules.iter().map(|rule| rule.title.len()).max().unwrap_or(0);
    rules.iter().flat_map(|rule| lines_of(rule, column, theme, width)).collect()
}

fn lines_of(rule: &Rule, column: usize, theme: &Theme, width: usize) -> Vec<String> {
    let look = match (rule.is_too_late, rule.lets_in) {
        (true, _) => Look::Waiting,
        (false, true) => Look::Success,
        (false, false) => Look::Failed,
    };
    let indent = " ".repeat(column + 6);
    let first = match rule.clauses.first() {
        Some(clause) => clause.text.clone(),
        None => "no condition: always matches".to_owned(),
    };
    let head = format!("  {} {}  ", theme.mark(look), text::pad(&rule.title, column));
    let place = rule.place.as_deref().unwrap_or_default();
    let mut lines = with_place(text::hang(&head, &text::bare_lines(&first), width), place, theme, width);
    if rule.is_too_late {
        let word = theme.paint(Label::Muted, "not asked: an earlier rule has decided");
        lines.push(format!("{indent}{word}"));
        return lines;
    }
    for (at, clause) in rule.clauses.iter().enumerate() {
        if at > 0 {
            lines.extend(text::hang(&indent, &text::bare_lines(&clause.text), width));
        }
        let label = if clause.holds { Label::Success } else { Label::Warning };
        let meaning = text::wrap(&text::bare(&clause.meaning), width.saturating_sub(column + 8));
        lines.extend(meaning.iter().map(|line| format!("{indent}  {}", theme.paint(label, line))));
        let tree = expression::tree(&clause.parts, theme, width.saturating_sub(column + 8));
        lines.extend(tree.into_iter().map(|line| format!("{indent}  {line}")));
    }
    if rule.decides && !rule.sets.is_empty() {
        let sets = text::wrap(&rule.sets.join(theme.separator()), width.saturating_sub(column + 6));
        lines.extend(sets.iter().map(|line| format!("{indent}{}", theme.paint(Label::Strong, line))));
    }
    lines
}

/// Puts a place at the end of the first line, or below the text where it does not fit.
fn with_place(mut lines: Vec<String>, place: &str, theme: &Theme, width: usize) -> Vec<String> {
    let Some(first) = lines.first_mut().filter(|_| !place.is_empty()) else { return lines };
    let place = format!("  {}", theme.paint(Label::Muted, place));
    if text::width(first) + text::width(&place) <= width {
        first.push_str(&place);
    }
    lines
}
