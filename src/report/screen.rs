//! Lines at the bottom of a terminal that change in place.
//!
//! This is a pure function from what there is to what has to be written. It stands on the console crate
//! alone: indicatif fills each line with spaces up to the edge, so that the whole view breaks when the
//! terminal becomes narrower, and clears every line before each draw.

use super::text;

/// The lines that are on the screen. The cursor stands at the start of the line below them.
#[derive(Debug, Default)]
pub(super) struct Screen {
    lines: Vec<String>,
    width: usize,
}

impl Screen {
    /// What to write to put `lines` in the place of those that are there. None may be wider than `width`,
    /// and there must be fewer than the terminal has. Lines that have not changed are not written again.
    pub(super) fn update(&mut self, lines: Vec<String>, width: usize) -> String {
        if width != self.width {
            return self.insert(&[], lines, width);
        }
        let mut output = up(self.lines.len());
        for (at, line) in lines.iter().enumerate() {
            if self.lines.get(at) != Some(line) {
                // Cleared first: a line that reaches the edge would lose its last character after.
                output.push_str("\u{1b}[2K");
                output.push_str(line);
            }
            output.push_str("\r\n");
        }
        // Takes away lines that are no more, and what the terminal itself wrote: the `^C` of an interrupt.
        output.push_str("\u{1b}[J");
        self.lines = lines;
        output
    }

    /// The same, with lines above them that stay for good and scroll away.
    pub(super) fn insert(&mut self, above: &[String], lines: Vec<String>, width: usize) -> String {
        let mut output = self.clear(width);
        for line in above.iter().chain(&lines) {
            output.push_str(line);
            output.push_str("\r\n");
        }
        (self.lines, self.width) = (lines, width);
        output
    }

    /// What to write to take the lines away. A terminal that became narrower has broken them.
    pub(super) fn clear(&mut self, width: usize) -> String {
        let rows = self.lines.iter().map(|line| text::width(line).div_ceil(width.max(1)).max(1)).sum();
        self.lines.clear();
        if rows == 0 { String::new() } else { up(rows) + "\u{1b}[J" }
    }
}

fn up(rows: usize) -> String {
    if rows == 0 { String::new() } else { format!("\r\u{1b}[{rows}A") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn only_what_has_changed_is_written() {
        let mut screen = Screen::default();
        assert_eq!(screen.update(lines(&["build", "test 1s"]), 20), "build\r\ntest 1s\r\n");
        let changed = screen.update(lines(&["build", "test 2s"]), 20);
        assert_eq!(changed, "\r\u{1b}[2A\r\n\u{1b}[2Ktest 2s\r\n\u{1b}[J");
        assert_eq!(screen.update(lines(&["build"]), 20), "\r\u{1b}[2A\r\n\u{1b}[J");
        assert_eq!(screen.clear(20), "\r\u{1b}[1A\u{1b}[J");
        assert_eq!(screen.clear(20), "");
    }

    #[test]
    fn what_stays_is_written_above() {
        let mut screen = Screen::default();
        screen.update(lines(&["build"]), 20);
        let output = screen.insert(&lines(&["lint failed"]), lines(&["build"]), 20);
        assert_eq!(output, "\r\u{1b}[1A\u{1b}[Jlint failed\r\nbuild\r\n");
    }

    #[test]
    fn lines_that_a_narrower_terminal_has_broken_are_taken_away_whole() {
        let mut screen = Screen::default();
        screen.update(lines(&["a line of 21 columns.", ""]), 40);
        assert_eq!(screen.update(lines(&["short"]), 10), "\r\u{1b}[4A\u{1b}[Jshort\r\n");
    }
}
