//! An expression with the value of each part, as a tree.

use super::{
    text,
    theme::{Label, Theme},
};

/// An expression or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Part {
    /// How deep it is in the expression, from 0.
    pub depth: usize,
    /// Its text.
    pub text: String,
    /// Its value as text; absent where nobody had to look.
    pub value: Option<String>,
}

/// The parts as a tree, each operation above its operands, with the values in a column of their own.
pub fn tree(parts: &[Part], theme: &Theme, width: usize) -> Vec<String> {
    let branches = branches(parts, theme);
    let left = |(part, branch): (&Part, &String)| format!("{branch}{}", one_line(&part.text));
    let rows: Vec<(String, &Part)> = branches.iter().zip(parts).map(|(b, p)| (left((p, b)), p)).collect();
    let longest = rows.iter().map(|(left, _)| text::width(left)).max().unwrap_or(0);
    let column = longest.min(width.saturating_sub(2) * 2 / 3);
    let row = |(left, part): (String, &Part)| {
        let (label, value) = match part.value.as_deref() {
            Some("null") if part.text.starts_with('$') && !part.text.contains(' ') => {
                (Label::Failure, "not set")
            }
            Some("false" | "null") => (Label::Failure, part.value.as_deref().unwrap_or_default()),
            Some(value) => (Label::Success, value),
            None => (Label::Muted, "not looked at"),
        };
        let value = text::cut(&text::bare(value), width.saturating_sub(column + 2), theme);
        let left = text::pad(&text::cut(&left, column, theme), column);
        format!("{left}  {}", theme.paint(label, value))
    };
    rows.into_iter().map(row).collect()
}

/// What stands left of each part.
fn branches(parts: &[Part], theme: &Theme) -> Vec<String> {
    let (middle, last, through) = if theme.unicode { ("├ ", "└ ", "│ ") } else { ("+ ", "+ ", "| ") };
    let has_sibling = |at: usize, depth: usize| {
        parts[at + 1..].iter().take_while(|part| part.depth >= depth).any(|part| part.depth == depth)
    };
    let branch = |(at, part): (usize, &Part)| {
        let piece = |depth: usize| match (depth == part.depth, has_sibling(at, depth)) {
            (true, true) => middle,
            (true, false) => last,
            (false, true) => through,
            (false, false) => "  ",
        };
        (1..=part.depth).map(piece).collect()
    };
    parts.iter().enumerate().map(branch).collect()
}

fn one_line(text: &str) -> String {
    text::bare(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_stand_above_their_operands() {
        let part = |depth, text: &str, value: Option<&str>| Part {
            depth,
            text: text.to_owned(),
            value: value.map(str::to_owned),
        };
        let parts = [
            part(0, "$A == \"x\"\n  && ($B || $C)", Some("\"b\"")),
            part(1, "$A == \"x\"", Some("true")),
            part(2, "$A", Some("\"x\"")),
            part(1, "($B || $C)", Some("\"b\"")),
            part(2, "$B", Some("\"b\"")),
            part(2, "$C", None),
        ];
        insta::assert_snapshot!(tree(&parts, &Theme::PLAIN, 80).join("\n"), @r#"
        $A == "x" && ($B || $C)  "b"
        ├ $A == "x"              true
        │ └ $A                   "x"
        └ ($B || $C)             "b"
          ├ $B                   "b"
          └ $C                   not looked at
        "#);
        assert!(tree(&parts, &Theme::PLAIN, 24).iter().all(|line| text::width(line) <= 24));
    }
}
