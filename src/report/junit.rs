//! What the JUnit reports of a job say, for people.

use super::{
    text,
    theme::{Label, Look, Theme},
};
use crate::event::{FailingTest, Finished, Tests};

/// How many failing tests are shown for a failure that counts, and for one that does not.
const SHOWN: (usize, usize) = (8, 3);

/// `12 tests, 1 failed`; nothing where no test was found.
pub(super) fn sum(tests: &Tests) -> Option<String> {
    let parts = [(tests.failed, "failed"), (tests.errors, "with an error"), (tests.skipped, "skipped")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let words = std::iter::once(text::count(tests.total, "test"))
        .chain(parts.map(|(count, word)| format!("{count} {word}")));
    (tests.total > 0).then(|| words.collect::<Vec<_>>().join(", "))
}

/// The sum, and below it the tests that failed, the first of them.
pub(super) fn failing(finished: &Finished, theme: &Theme, width: usize) -> Vec<String> {
    let Some((tests, sum)) = finished.tests.as_ref().and_then(|tests| Some((tests, sum(tests)?))) else {
        return Vec::new();
    };
    if tests.failing.is_empty() {
        return Vec::new();
    }
    let most = if finished.allowed { SHOWN.1 } else { SHOWN.0 };
    let mut lines = vec![theme.paint(Label::Strong, text::cut(&format!("  {sum}"), width, theme))];
    let mark = theme.mark(Look::Failed);
    let room = width.saturating_sub(6);
    lines.extend(tests.failing.iter().take(most).map(|test| {
        let line = text::cut(&line(test), room, theme);
        format!("    {mark} {line}")
    }));
    let more = (tests.failed + tests.errors).saturating_sub(tests.failing.len().min(most));
    if more > 0 {
        lines.push(theme.paint(Label::Muted, format!("      and {more} more")));
    }
    lines
}

/// `math adds: expected 3, got 4`.
fn line(test: &FailingTest) -> String {
    let class = test.class.as_deref().filter(|class| !test.name.starts_with(class));
    let name = class.into_iter().chain([test.name.as_str()]).collect::<Vec<_>>().join(" ");
    let message = test.message.as_deref().map_or_else(String::new, |message| format!(": {message}"));
    text::bare(&format!("{name}{message}"))
}
