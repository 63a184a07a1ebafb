//! What is wrong with a user's file: what, where, and what to do about it.

use super::source::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// GitLab would not create the pipeline.
    Error,
    /// GitLab takes it, but it is likely not what was meant, or podline does not simulate it.
    Warning,
}

/// One mistake in a user's file. A mistake is data, not an error of podline's: all are collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name in kebab case, for instance `unknown-keyword`.
    pub code: &'static str,
    /// What is wrong: a lower-case fragment with names in backticks and no full stop.
    pub message: String,
    /// Where; absent only when no text is to blame (an empty file, a missing one).
    pub span: Option<Span>,
    /// Other places that explain it, each with a few words.
    pub related: Vec<(Span, String)>,
    /// What to do now.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake that GitLab refuses.
    pub fn error(code: &'static str, message: impl Into<String>, span: impl Into<Option<Span>>) -> Self {
        Self::new(Severity::Error, code, message.into(), span.into())
    }

    /// Something GitLab takes but the user should know.
    pub fn warning(code: &'static str, message: impl Into<String>, span: impl Into<Option<Span>>) -> Self {
        Self::new(Severity::Warning, code, message.into(), span.into())
    }

    fn new(severity: Severity, code: &'static str, message: String, span: Option<Span>) -> Self {
        Self { severity, code, message, span, related: Vec::new(), help: None }
    }

    /// Adds what to do now.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place that explains the mistake.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(list: I) -> Self {
        Self { list: list.into_iter().collect(), comparisons: 0 }
    }
}

/// Most comparisons that are spent on hints: words, candidates and mistakes may be as many as a file has lines.
const MOST_COMPARISONS: usize = 100_000;

/// Longest word that a hint is looked for, in bytes.
const LONGEST_COMPARED: usize = 255;

/// A growing list of [`Diagnostic`]s.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    comparisons: usize,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Adds all of another list.
    pub fn append(&mut self, other: Diagnostics) {
        self.list.extend(other.list);
    }

    /// Puts what they say into other words, for instance without what nobody may see.
    pub fn reword(&mut self, reword: impl Fn(&str) -> String) {
        for diagnostic in &mut self.list {
            diagnostic.message = reword(&diagnostic.message);
            diagnostic.help = diagnostic.help.as_deref().map(&reword);
            for (_, label) in &mut diagnostic.related {
                *label = reword(label);
            }
        }
    }

    /// Whether GitLab would refuse the configuration.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The list, in the order it was found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// The list sorted by place, the way a reader goes through a file.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut list: Vec<_> = self.list.iter().collect();
        list.sort_by_key(|diagnostic| diagnostic.span);
        list
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The candidate nearest to a word that was likely mistyped, while the time for hints lasts.
    pub fn nearest<'c>(
        &mut self,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<&'c str> {
        if word.len() > LONGEST_COMPARED {
            return None;
        }
        let affordable = candidates.into_iter().take_while(|_| {
            self.comparisons += 1;
            self.comparisons <= MOST_COMPARISONS
        });
        let found = nearest(word, affordable.filter(|candidate| candidate.len() <= LONGEST_COMPARED));
        found.filter(|_| self.comparisons <= MOST_COMPARISONS)
    }
}

/// A list of names for a message: the first two, and how many there are besides.
pub fn some_of(names: &[String]) -> String {
    let shown =
        |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names {
        [first, second] => format!("`{first}` and `{second}`"),
        [first, second, rest @ ..] if rest.len() > 1 => {
            format!("`{first}`, `{second}` and {} more", rest.len())
        }
        [all @ .., last] if !all.is_empty() => format!("{} and `{last}`", shown(all)),
        names => shown(names),
    }
}

/// The candidate nearest to a word that was likely mistyped, for hints.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, candidate)| {
            (*distance, candidate.chars().count().abs_diff(word.chars().count()))
        })
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) between two words.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=right.len()).collect();
    for i in 1..=left.len() {
        for j in 1..=right.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            rows[i][j] = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                rows[i][j] = rows[i][j].min(rows[i - 2][j - 2] + 1);
            }
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::{nearest, some_of};

    #[test]
    fn a_long_list_of_names_is_cut_short() {
        let names = |count: usize| ["a", "b", "c", "d", "e"].map(str::to_owned)[..count].to_vec();
        let shown: Vec<_> = (1..=5).map(|count| some_of(&names(count))).collect();
        assert_eq!(
            shown,
            ["`a`", "`a` and `b`", "`a`, `b` and `c`", "`a`, `b` and 2 more", "`a`, `b` and 3 more"]
        );
    }

    #[test]
    fn a_mistyped_word_finds_its_neighbour() {
        let keywords = ["script", "stage", "stages", "image", "only"];
        assert_eq!(nearest("scirpt", keywords), Some("script"));
        assert_eq!(nearest("stagse", keywords), Some("stages"));
        assert_eq!(nearest("kubernetes", keywords), None);
    }
}
