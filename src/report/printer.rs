//! Decides what goes where: data to stdout, everything else to stderr, with colours or without.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::theme::Theme;
use crate::mask::Mask;

/// What is known of the place that podline was started in. Read by `cli`, not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether the user asked for colours.
    pub color: Color,
    /// Whether the user asked for a view.
    pub view: Option<View>,
    /// Whether `NO_COLOR` is there and not empty.
    pub no_color: bool,
    /// `TERM`.
    pub term: Option<String>,
    /// Whether a CI service says that it is one (`CI` is there and not `false`).
    pub ci: bool,
    /// Whether the locale is a UTF-8 one.
    pub unicode: bool,
    /// Whether stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// Columns to use where there is no terminal to ask (`COLUMNS`).
    pub columns: Option<usize>,
    /// The folder that podline was started in: paths below it are shown from it.
    pub folder: Option<PathBuf>,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// Where there is a terminal that has them and nobody minds.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// A view on stderr that moves.
    Live,
    /// One line per event on stderr.
    Plain,
    /// One JSON object per event on stdout.
    Json,
    /// A log of GitHub Actions on stderr.
    Github,
}

/// Where there is no terminal, text is cut and wrapped at this many columns: wide enough to leave most
/// lines alone, narrow enough for the log pages of CI services.
const COLUMNS: usize = 120;

/// Writes to stdout and stderr, and knows how. A reader that has gone away (a closed pipe) is no error.
pub struct Printer {
    stdout: Stream,
    stderr: Stream,
    view: View,
    columns: Option<usize>,
    folder: Option<PathBuf>,
    /// What nobody may see, once it is known.
    mask: OnceLock<Mask>,
}

struct Stream {
    writer: Mutex<Box<dyn Write + Send>>,
    theme: Theme,
}

impl Printer {
    /// The printer of this process.
    pub fn new(surroundings: &Surroundings) -> Self {
        Self::with(surroundings, Box::new(io::stdout()), Box::new(io::stderr()))
    }

    /// A printer on other writers.
    pub fn with(
        surroundings: &Surroundings,
        stdout: Box<dyn Write + Send>,
        stderr: Box<dyn Write + Send>,
    ) -> Self {
        let stream = |writer, terminal| Stream {
            writer: Mutex::new(writer),
            theme: Theme { color: surroundings.has_color(terminal), unicode: surroundings.unicode },
        };
        Self {
            stdout: stream(stdout, surroundings.stdout_is_terminal),
            stderr: stream(stderr, surroundings.stderr_is_terminal),
            view: surroundings.view(),
            columns: surroundings.columns,
            folder: surroundings.folder.clone(),
            mask: OnceLock::new(),
        }
    }

    /// Hides values in all that is written from now on. Texts that are cut or wrapped hide them before.
    pub fn hide(&self, mask: &Mask) {
        // a process reads one project, so what is hidden does not change
        drop(self.mask.set(mask.clone()));
    }

    /// A text without the values that are hidden.
    pub fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.mask.get().filter(|mask| !mask.is_empty()) {
            Some(mask) => mask.text(text).into(),
            None => text.into(),
        }
    }

    /// Writes data, as it is, to stdout.
    ///
    /// # Errors
    /// What the system says, for instance of a full disk; a closed pipe is none.
    pub fn data(&self, text: &str) -> io::Result<()> {
        match self.stdout.write(&self.masked(text)) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Writes a text for people and a line end to stderr. There is nobody to tell if that fails.
    pub fn say(&self, text: &str) {
        let _ = self.stderr.write(&format!("{}\n", self.masked(text).trim_end_matches('\n')));
    }

    /// Writes a piece of a view that moves, as it is, to stderr.
    pub(super) fn draw(&self, text: &str) {
        let _ = self.stderr.write(&self.masked(text));
    }

    /// The same of bytes, whatever they are.
    pub(super) fn draw_bytes(&self, bytes: &[u8]) {
        let _ = self.stderr.write_bytes(bytes);
    }

    /// How a run is shown.
    pub fn view(&self) -> View {
        self.view
    }

    /// How text for stderr looks.
    pub fn theme(&self) -> Theme {
        self.stderr.theme
    }

    /// How text for stdout looks.
    pub fn data_theme(&self) -> Theme {
        self.stdout.theme
    }

    /// A path as people here would type it.
    pub fn near(&self, path: &Path) -> PathBuf {
        let below = self.folder.as_deref().and_then(|folder| path.strip_prefix(folder).ok());
        below.unwrap_or(path).to_owned()
    }

    /// How wide text may be: that of the terminal, or a width that suits logs.
    pub fn columns(&self) -> usize {
        self.terminal_columns().or(self.columns).unwrap_or(COLUMNS).max(20)
    }

    /// How wide the terminal is, where there is one.
    pub fn terminal_columns(&self) -> Option<usize> {
        console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns))
    }
}

impl Stream {
    fn write(&self, text: &str) -> io::Result<()> {
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(bytes)?;
        writer.flush()
    }
}

impl Surroundings {
    fn has_color(&self, terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !self.no_color && !self.is_dumb(),
        }
    }

    fn view(&self) -> View {
        match self.view {
            Some(View::Live) | None if !self.can_move() => View::Plain,
            Some(view) => view,
            None if self.ci => View::Plain,
            None => View::Live,
        }
    }

    /// Whether stderr is a terminal whose cursor can be moved.
    fn can_move(&self) -> bool {
        self.stderr_is_terminal && !self.is_dumb()
    }

    fn is_dumb(&self) -> bool {
        // Windows consoles have no TERM.
        self.term.as_deref().map_or(cfg!(unix), |term| term.is_empty() || term == "dumb")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal() -> Surroundings {
        Surroundings {
            color: Color::Auto,
            view: None,
            no_color: false,
            term: Some("xterm-256color".into()),
            ci: false,
            unicode: true,
            stdout_is_terminal: true,
            stderr_is_terminal: true,
            columns: None,
            folder: None,
        }
    }

    #[test]
    fn colours_and_the_view_follow_the_surroundings() {
        let table: [(&str, Surroundings, bool, View); 9] = [
            ("a terminal", terminal(), true, View::Live),
            ("NO_COLOR", Surroundings { no_color: true, ..terminal() }, false, View::Live),
            ("a dumb terminal", Surroundings { term: Some("dumb".into()), ..terminal() }, false, View::Plain),
            ("no TERM", Surroundings { term: None, ..terminal() }, !cfg!(unix), View::Plain),
            ("CI with a terminal", Surroundings { ci: true, ..terminal() }, true, View::Plain),
            (
                "stderr to a file",
                Surroundings { stderr_is_terminal: false, ..terminal() },
                false,
                View::Plain,
            ),
            ("stdout to a file", Surroundings { stdout_is_terminal: false, ..terminal() }, true, View::Live),
            (
                "colours by flag win over NO_COLOR",
                Surroundings { color: Color::Always, no_color: true, ..terminal() },
                true,
                View::Live,
            ),
            (
                "live by flag without a terminal stays plain",
                Surroundings { view: Some(View::Live), stderr_is_terminal: false, ..terminal() },
                false,
                View::Plain,
            ),
        ];
        for (name, surroundings, color, view) in table {
            if name == "no TERM" && !cfg!(unix) {
                continue;
            }
            let printer = Printer::with(&surroundings, Box::new(io::sink()), Box::new(io::sink()));
            assert_eq!((printer.theme().color, printer.view()), (color, view), "{name}");
        }
    }

    #[test]
    fn a_reader_that_has_gone_away_is_no_error_and_a_full_disk_is_one() {
        struct Broken(io::ErrorKind);
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let printer = |kind| Printer::with(&terminal(), Box::new(Broken(kind)), Box::new(Broken(kind)));
        assert!(printer(io::ErrorKind::BrokenPipe).data("jobs").is_ok());
        assert!(printer(io::ErrorKind::StorageFull).data("jobs").is_err());
        printer(io::ErrorKind::BrokenPipe).say("jobs");
    }
}
