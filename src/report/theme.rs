//! How things look: labels become styles, statuses become symbols.

use console::Style;

use crate::event::Status;

/// What a piece of text is. Code that makes text names this and never a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Nothing special.
    Text,
    /// The word that a line is about: a stage, a title.
    Strong,
    /// What matters less: output of a job, a place, a time.
    Muted,
    /// It went well.
    Success,
    /// It went wrong.
    Failure,
    /// It went wrong and does not count, or asks for a second look.
    Warning,
    /// It is going on.
    Running,
    /// It waits for somebody.
    Manual,
    /// What to do now.
    Help,
}

/// What the eye gets: colours or none, Unicode or ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Whether there are colours.
    pub color: bool,
    /// Whether there are characters beyond ASCII.
    pub unicode: bool,
}

impl Theme {
    /// Unicode without colours: what a file or a test gets.
    pub const PLAIN: Self = Self { color: false, unicode: true };

    /// Gives `text` the style of a label.
    pub fn paint(&self, label: Label, text: impl AsRef<str>) -> String {
        let text = text.as_ref();
        if !self.color || text.is_empty() || label == Label::Text {
            return text.to_owned();
        }
        let style = Style::new().force_styling(true);
        let style = match label {
            Label::Text => style,
            Label::Strong => style.bold(),
            Label::Muted => style.dim(),
            Label::Success => style.green(),
            Label::Failure => style.red().bold(),
            Label::Warning => style.yellow(),
            Label::Running => style.cyan(),
            Label::Manual => style.magenta(),
            Label::Help => style.cyan(),
        };
        style.apply_to(text).to_string()
    }

    /// What points at the chosen line.
    pub fn pointer(&self) -> &'static str {
        if self.unicode { "❯" } else { ">" }
    }

    /// What stands for the rest of a text that was cut.
    pub fn ellipsis(&self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// What stands between facts on one line.
    pub fn separator(&self) -> &'static str {
        if self.unicode { " · " } else { ", " }
    }

    /// What leads from one thing to the next.
    pub fn arrow(&self) -> &'static str {
        if self.unicode { " → " } else { " -> " }
    }

    /// What stands left of lines that are quoted from a log.
    pub fn quote(&self) -> &'static str {
        if self.unicode { "│ " } else { "| " }
    }

    /// The picture of what is going on, at a moment counted in tenths of a second.
    pub fn spinner(&self, tenths: u128) -> &'static str {
        const DOTS: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        const BARS: [&str; 4] = ["-", "\\", "|", "/"];
        let pictures: &[&str] = if self.unicode { &DOTS } else { &BARS };
        pictures[usize::try_from(tenths % pictures.len() as u128).unwrap_or(0)]
    }

    /// The symbol of a status, one column wide.
    pub fn symbol(&self, look: Look) -> &'static str {
        let (unicode, ascii) = match look {
            Look::Waiting => ("○", "."),
            Look::Running => ("▶", ">"),
            Look::Success => ("✔", "+"),
            Look::Failed => ("✖", "x"),
            Look::Allowed => ("!", "!"),
            Look::Retried => ("↻", "r"),
            Look::Canceled => ("⊘", "c"),
            Look::Skipped => ("»", "-"),
            Look::Manual => ("⏸", "m"),
        };
        if self.unicode { unicode } else { ascii }
    }

    /// The symbol of a status in its colour.
    pub fn mark(&self, look: Look) -> String {
        self.paint(look.label(), self.symbol(look))
    }
}

/// How a status looks. Where [`Status`] says what is, this says what the reader should think of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Look {
    /// It waits for jobs, a slot, a resource or its delay.
    Waiting,
    /// It runs.
    Running,
    /// It went well.
    Success,
    /// It went wrong.
    Failed,
    /// It went wrong, and that is allowed.
    Allowed,
    /// It went wrong and is tried again.
    Retried,
    /// It was canceled.
    Canceled,
    /// It will not run.
    Skipped,
    /// Somebody has to start it.
    Manual,
}

impl Look {
    /// How a status looks; `allowed` is whether a failure counts.
    pub fn of(status: Status, allowed: bool) -> Self {
        match status {
            Status::Created | Status::WaitingForResource | Status::Pending | Status::Scheduled => {
                Self::Waiting
            }
            Status::Running => Self::Running,
            Status::Success => Self::Success,
            Status::Failed if allowed => Self::Allowed,
            Status::Failed => Self::Failed,
            Status::Canceled => Self::Canceled,
            Status::Skipped => Self::Skipped,
            Status::Manual => Self::Manual,
        }
    }

    /// Its label.
    pub fn label(self) -> Label {
        match self {
            Self::Waiting | Self::Skipped => Label::Muted,
            Self::Running => Label::Running,
            Self::Success => Label::Success,
            Self::Failed => Label::Failure,
            Self::Allowed | Self::Retried | Self::Canceled => Label::Warning,
            Self::Manual => Label::Manual,
        }
    }

    /// Its word, for readers without symbols or colours.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed | Self::Allowed => "failed",
            Self::Retried => "retried",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Manual => "manual",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_one_column_wide_and_differ_without_colour() {
        let looks = [
            Look::Waiting,
            Look::Running,
            Look::Success,
            Look::Failed,
            Look::Allowed,
            Look::Retried,
            Look::Canceled,
            Look::Skipped,
            Look::Manual,
        ];
        for unicode in [true, false] {
            let theme = Theme { color: false, unicode };
            let symbols: std::collections::HashSet<_> =
                looks.iter().map(|look| theme.symbol(*look)).collect();
            assert_eq!(symbols.len(), looks.len());
            assert!(symbols.iter().all(|symbol| console::measure_text_width(symbol) == 1));
            assert!(unicode || symbols.iter().all(|symbol| symbol.is_ascii()));
        }
    }

    #[test]
    fn text_is_painted_only_with_colour() {
        assert_eq!(Theme::PLAIN.paint(Label::Failure, "failed"), "failed");
        let theme = Theme { color: true, unicode: true };
        assert_eq!(theme.paint(Label::Success, "ok"), "\u{1b}[32mok\u{1b}[0m");
        assert_eq!(theme.paint(Label::Text, "ok"), "ok");
    }
}
