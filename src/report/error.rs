//! How an error of podline's own is shown: what, why, and what to do now.

use super::text;
use super::theme::{Label, Theme};

/// An error for people. Mistakes in their files are [`Diagnostic`](crate::config::Diagnostic)s instead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problem {
    /// What went wrong.
    pub message: String,
    /// Why, from the nearest cause to the first one.
    pub causes: Vec<String>,
    /// What to do now.
    pub help: Vec<String>,
}

impl Problem {
    /// An error with nothing but a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// An error with its sources. A source that the message before it repeats is left out.
    pub fn from_error(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut problem = Self::new(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            let before = problem.causes.last().unwrap_or(&problem.message);
            if !before.contains(&text) {
                problem.causes.push(text);
            }
            source = cause.source();
        }
        problem
    }

    /// Adds what to do now.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Its lines.
    pub fn lines(&self, theme: &Theme, width: usize) -> Vec<String> {
        let paragraph = |head: &str, label: Label, text: &str| {
            text::hang(&theme.paint(label, head), &text::bare_lines(text), width)
        };
        let mut lines = paragraph("error: ", Label::Failure, &self.message);
        lines.extend(self.causes.iter().flat_map(|cause| paragraph("  cause: ", Label::Muted, cause)));
        lines.extend(self.help.iter().flat_map(|help| paragraph("help: ", Label::Help, help)));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("creating cluster `podline-5f2c` failed: kind ended with 1")]
    struct Outer(#[source] Middle);
    #[derive(Debug, thiserror::Error)]
    #[error("kind ended with 1")]
    struct Middle(#[source] Inner);
    #[derive(Debug, thiserror::Error)]
    #[error("ERROR: failed to create cluster: port is taken\nCommand Output: docker: 125")]
    struct Inner;

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        let problem = Problem::from_error(&Outer(Middle(Inner)))
            .help("free the port, or take another node image with `--node-image`");
        insta::assert_snapshot!(problem.lines(&Theme::PLAIN, 80).join("\n"), @r"
        error: creating cluster `podline-5f2c` failed: kind ended with 1
          cause: ERROR: failed to create cluster: port is taken
                 Command Output: docker: 125
        help: free the port, or take another node image with `--node-image`
        ");
        insta::assert_snapshot!(problem.lines(&Theme::PLAIN, 40).join("\n"), @r"
        error: creating cluster `podline-5f2c`
               failed: kind ended with 1
          cause: ERROR: failed to create
                 cluster: port is taken
                 Command Output: docker: 125
        help: free the port, or take another
              node image with `--node-image`
        ");
    }
}
