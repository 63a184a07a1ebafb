//! A failed attempt of a job, with the lines that matter.

use super::theme::{Label, Look, Theme};
use super::{junit, text};
use crate::event::{Failure, FailureReason, Finished, Status};

/// How many lines of a trace are shown for a failure that counts, and for one that does not.
const TAIL: (usize, usize) = (15, 5);

/// What became of an attempt, in a few words; nothing for a plain success.
pub(super) fn outcome(finished: &Finished) -> Option<String> {
    let Some(failure) = &finished.failure else {
        return match finished.exit_code {
            Some(code) if code != 0 => Some(format!("exit code {code}")),
            _ => None,
        };
    };
    match finished.exit_code {
        Some(code) if is_plain(finished) => Some(format!("exit code {code}")),
        _ => Some(text::bare_lines(&failure.message).replace('\n', " ")),
    }
}

/// Whether the script failed by itself, and its exit code is all there is to say.
pub(super) fn is_plain(finished: &Finished) -> bool {
    let plain = |failure: &Failure| failure.reason == FailureReason::ScriptFailure && failure.help.is_none();
    finished.exit_code.is_some() && finished.failure.as_ref().is_some_and(plain)
}

/// The line that says that an attempt failed: `unit failed after 32s: exit code 1`.
pub(super) fn headline(finished: &Finished) -> String {
    let word = if finished.status == Status::Canceled { "was canceled" } else { "failed" };
    let allowed = if finished.allowed { ", which is allowed" } else { "" };
    let outcome = outcome(finished).map_or_else(String::new, |outcome| format!(": {outcome}"));
    let again =
        if finished.retried { format!("; attempt {} follows", finished.attempt + 1) } else { String::new() };
    format!("{word} after {}{allowed}{outcome}{again}", text::took(finished.took))
}

/// The block above the live view: an empty line, headline, tail of the log, help, trace.
pub(super) fn block(finished: &Finished, theme: &Theme, width: usize) -> Vec<String> {
    let look = match (finished.retried, finished.allowed) {
        (true, _) => Look::Retried,
        (false, allowed) => Look::of(finished.status, allowed),
    };
    let head = format!("{} ", theme.symbol(look));
    let job = text::bare(&finished.job);
    let mut lines = text::hang(&head, &format!("{job} {}", headline(finished)), width);
    for line in &mut lines {
        *line = theme.paint(look.label(), &*line);
    }
    if finished.retried || finished.status == Status::Canceled {
        return lines;
    }
    lines.extend(tail(finished, theme, width));
    lines.extend(junit::failing(finished, theme, width));
    lines.extend(afterwards(finished, theme, width));
    lines.insert(0, String::new());
    lines
}

/// The last lines of the trace, quoted.
pub(super) fn tail(finished: &Finished, theme: &Theme, width: usize) -> Vec<String> {
    let most = if finished.allowed { TAIL.1 } else { TAIL.0 };
    let shown: Vec<_> = finished.tail.iter().map(|line| show(line, theme)).collect();
    let shown: Vec<_> = shown.into_iter().filter(|line| !line.trim().is_empty()).collect();
    let quote = theme.paint(Label::Muted, format!("  {}", theme.quote()));
    let room = width.saturating_sub(4);
    let last = &shown[shown.len().saturating_sub(most)..];
    last.iter().map(|line| format!("{quote}{}", text::cut(line, room, theme))).collect()
}

/// A line of a job as this theme shows it.
pub(super) fn show(line: &str, theme: &Theme) -> String {
    if theme.color { text::colored(line) } else { text::bare(line) }
}

fn afterwards(finished: &Finished, theme: &Theme, width: usize) -> Vec<String> {
    let help = finished.failure.as_ref().and_then(|failure| failure.help.as_ref());
    let mut lines = help.map_or_else(Vec::new, |help| {
        text::hang(&theme.paint(Label::Help, "  help: "), &text::bare_lines(help), width)
    });
    // What ends without having run has no trace.
    if !finished.trace.as_os_str().is_empty() {
        // broken rather than cut where it is too long: it is there to be opened
        let trace = text::hang("  trace: ", &finished.trace.display().to_string(), width);
        lines.extend(trace.into_iter().map(|line| theme.paint(Label::Muted, line)));
    }
    lines
}
