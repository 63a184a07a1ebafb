//! Text in columns: widths, cuts, wraps, durations, and what a job may do to a terminal.

use std::time::Duration;

use super::theme::{Label, Theme};

/// Columns that a text takes on a terminal; escape sequences take none.
pub fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// Cuts a text at its end to at most `columns`; escape sequences stay whole.
pub fn cut(text: &str, columns: usize, theme: &Theme) -> String {
    let tail = if columns > 3 { theme.ellipsis() } else { "" };
    console::truncate_str(text, columns, tail).into_owned()
}

/// Cuts a text without escape sequences in its middle: names of matrix jobs differ at their end.
pub fn cut_middle(text: &str, columns: usize, theme: &Theme) -> String {
    let ellipsis = theme.ellipsis();
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns < ellipsis.chars().count() + 4 {
        return cut(text, columns, theme);
    }
    let room = columns - width(ellipsis);
    let head = console::truncate_str(text, room - room / 2, "");
    format!("{head}{ellipsis}{}", end(text, room / 2))
}

/// Cuts a text without escape sequences at its beginning: of a path, the end says more.
pub fn cut_start(text: &str, columns: usize, theme: &Theme) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let head = if columns > 3 { theme.ellipsis() } else { "" };
    format!("{head}{}", end(text, columns - width(head)))
}

/// The end of a text that takes at most `columns`.
fn end(text: &str, columns: usize) -> &str {
    let mut end = text;
    while width(end) > columns {
        let mut rest = end.chars();
        rest.next();
        end = rest.as_str();
    }
    end
}

/// Fills a text up to `columns` on its right.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Fills a text up to `columns` on its left.
pub fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Breaks a text between words into lines of at most `columns`; a longer word is broken inside. Its own
/// lines and their indents are kept, as it may have YAML to copy.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let indent = paragraph.len() - paragraph.trim_start_matches(' ').len();
        let mut line = " ".repeat(indent.min(columns / 2));
        for word in paragraph.split_whitespace() {
            if !line.trim_start().is_empty() && width(&line) + 1 + width(word) > columns {
                lines.push(std::mem::take(&mut line));
            }
            if !line.trim_start().is_empty() {
                line.push(' ');
            }
            for character in word.chars() {
                if width(&line) >= columns {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(character);
            }
        }
        lines.push(line);
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// A paragraph that begins with `head`; its further lines begin below the text, not below the head.
pub fn hang(head: &str, text: &str, columns: usize) -> Vec<String> {
    let indent = width(head);
    let body = wrap(text, columns.saturating_sub(indent));
    let below = " ".repeat(indent);
    let line = |(at, line): (usize, String)| format!("{}{line}", if at == 0 { head } else { &below });
    body.into_iter().enumerate().map(line).map(|line| line.trim_end().to_owned()).collect()
}

/// Facts on as few lines as they fit, muted, in a column that begins at `from`, after `head`. A fact is
/// broken only when it is longer than a line.
pub fn list(head: &str, from: usize, facts: &[String], theme: &Theme, columns: usize) -> Vec<String> {
    let room = columns.saturating_sub(from).max(8);
    let mut rows: Vec<String> = Vec::new();
    for fact in facts {
        match rows.last_mut() {
            Some(row) if width(row) + width(theme.separator()) + width(fact) <= room => {
                *row = format!("{row}{}{fact}", theme.separator());
            }
            _ => rows.push(fact.clone()),
        }
    }
    let line = |(at, row): (usize, String)| {
        let head = pad(if at == 0 { head } else { "" }, from);
        format!("{head}{}", theme.paint(Label::Muted, row)).trim_end().to_owned()
    };
    wrap(&rows.join("\n"), room).into_iter().enumerate().map(line).collect()
}

/// Breaks a text that may be painted; escape sequences take no columns and are never broken.
pub fn wrap_painted(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => *line = format!("{line} {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// How long something took: `0.4s`, `41s`, `1m32s`, `1h05m`.
pub fn took(duration: Duration) -> String {
    if duration < Duration::from_millis(9950) {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    elapsed(Duration::from_secs_f64(duration.as_secs_f64().round()))
}

/// How long something has been going on, in whole seconds, as it stays calm in a view that moves.
pub fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}

/// A number of bytes as Kubernetes writes limits: `743Mi`, `1.5Gi`.
pub fn bytes(bytes: u64) -> String {
    let mib = bytes.div_ceil(1 << 20);
    match mib {
        1.. if mib.is_multiple_of(1024) => format!("{}Gi", mib / 1024),
        ..1000 => format!("{mib}Mi"),
        _ => format!("{:.1}Gi", mib as f64 / 1024.0),
    }
}

/// The size of files: `3Ki`, `412Mi`.
pub fn size(size: u64) -> String {
    match size.div_ceil(1 << 10) {
        kib @ ..1000 => format!("{kib}Ki"),
        _ => bytes(size),
    }
}

/// A number and its word: `1 job`, `3 jobs`.
pub fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// What a line of a job's log shows: what follows its last carriage return, as on a terminal, without
/// escape sequences and control characters. GitLab's section marks vanish with that.
pub fn bare(line: &str) -> String {
    visible(line, false)
}

/// Like [`bare`], with its colours: of all escape sequences only those that set a style are kept, as any
/// other could move the cursor or reprogram the terminal.
pub fn colored(line: &str) -> String {
    let line = visible(line, true);
    if line.contains('\u{1b}') { line + "\u{1b}[0m" } else { line }
}

/// A text of several lines, each as [`bare`] shows it.
pub fn bare_lines(text: &str) -> String {
    text.lines().map(bare).collect::<Vec<_>>().join("\n")
}

fn visible(line: &str, styles: bool) -> String {
    let line = line.trim_end_matches(['\r', '\n']);
    let line = line.rsplit_once('\r').map_or(line, |(_, shown)| shown);
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '\u{1b}' => escape(rest),
            '\u{9b}' => control_sequence(rest, '\u{9b}'.len_utf8()),
            _ => character.len_utf8(),
        };
        let piece = &rest[..length];
        match character {
            '\u{1b}' if styles && piece.starts_with("\u{1b}[") && piece.ends_with('m') => {
                shown.push_str(piece)
            }
            '\t' => shown.push_str("    "),
            _ if character.is_control() || is_direction(character) => {}
            _ => shown.push(character),
        }
        rest = &rest[length..];
    }
    shown
}

/// Characters that turn the direction of text, so that it reads as what it is not.
fn is_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Bytes of the escape sequence that `text` begins with.
fn escape(text: &str) -> usize {
    match text[1..].chars().next() {
        Some('[') => control_sequence(text, 2),
        // Strings (title, hyperlink, device control) end with BEL or ESC \.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let bell = text.find('\u{7}').map(|at| at + 1);
            let terminator = text[1..].find("\u{1b}\\").map(|at| at + 3);
            bell.into_iter().chain(terminator).min().unwrap_or(text.len())
        }
        Some('(' | ')' | '#') => text.char_indices().nth(3).map_or(text.len(), |(at, _)| at),
        Some(other) => 1 + other.len_utf8(),
        None => 1,
    }
}

/// Bytes of the control sequence whose parameters begin at `from`.
fn control_sequence(text: &str, from: usize) -> usize {
    text[from..]
        .char_indices()
        .find(|(_, character)| !matches!(character, '\u{20}'..='\u{3f}'))
        .map_or(text.len(), |(at, character)| from + at + character.len_utf8())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_short() {
        let table = [(0, "0.0s"), (420, "0.4s"), (9_940, "9.9s"), (9_960, "10s"), (41_400, "41s")];
        let table = table.into_iter().chain([(92_000, "1m32s"), (3_599_600, "1h00m"), (3_900_000, "1h05m")]);
        for (milliseconds, shown) in table {
            assert_eq!(took(Duration::from_millis(milliseconds)), shown);
        }
        assert_eq!(elapsed(Duration::from_millis(4_900)), "4s");
    }

    #[test]
    fn a_long_name_keeps_its_beginning_and_its_end() {
        assert_eq!(cut_middle("test: [stable, linux]", 15, &Theme::PLAIN), "test: [… linux]");
        assert_eq!(cut_middle("build", 15, &Theme::PLAIN), "build");
        assert_eq!(cut_middle("build", 3, &Theme::PLAIN), "bui");
    }

    #[test]
    fn a_log_line_shows_what_a_terminal_would_show() {
        let table = [
            ("plain", "plain"),
            ("\u{1b}[32;1m$ cargo build\u{1b}[0;m", "$ cargo build"),
            (" 10%\r 50%\r100%\r", "100%"),
            ("section_start:1560896352:tests\r\u{1b}[0KTests", "Tests"),
            ("section_end:1560896353:tests\r\u{1b}[0K", ""),
            ("a\u{1b}]0;title\u{7}b\u{1b}]8;;http://x\u{1b}\\c", "abc"),
            ("up\u{1b}[3A\u{1b}[2Jdown\u{9b}2J\u{1b}c", "updown"),
            ("a\tb\u{8}", "a    b"),
            ("user\u{202e}nimda", "usernimda"),
        ];
        for (line, shown) in table {
            assert_eq!(bare(line), shown, "{line:?}");
        }
        assert_eq!(colored("\u{1b}[31mred\u{1b}[2K"), "\u{1b}[31mred\u{1b}[0m");
    }

    #[test]
    fn paragraphs_hang_below_their_text() {
        insta::assert_snapshot!(hang("help: ", "raise the limit of the build container", 24).join("\n"), @r"
        help: raise the limit of
              the build
              container
        ");
        let yaml = "add this rule to the Role:\n- resources: [pods]\n  verbs: [create]";
        insta::assert_snapshot!(hang("help: ", yaml, 40).join("\n"), @r"
        help: add this rule to the Role:
              - resources: [pods]
                verbs: [create]
        ");
    }

    proptest! {
        #[test]
        fn a_line_of_a_job_never_keeps_a_control_character(line in "\\PC*|[\\x00-\\x9f]{0,40}") {
            prop_assert!(!bare(&line).chars().any(char::is_control));
        }

        #[test]
        fn a_cut_text_fits(text in "[a-zäöü漢字 ]{0,40}", columns in 1usize..40) {
            prop_assert!(width(&cut(&text, columns, &Theme::PLAIN)) <= columns);
            prop_assert!(width(&cut_middle(&text, columns, &Theme::PLAIN)) <= columns);
            prop_assert!(width(&cut_start(&text, columns, &Theme::PLAIN)) <= columns);
        }

        #[test]
        fn wrapped_lines_fit(text in "[a-z漢 ]{0,80}", columns in 10usize..40) {
            prop_assert!(wrap(&text, columns).iter().all(|line| width(line) <= columns + 1));
        }
    }
}
