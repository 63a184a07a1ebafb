//! What is wrong with a user's files, with the lines that are to blame.

use std::collections::BTreeSet;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::text;
use super::theme::{Label, Theme};
use crate::config::{Diagnostic, Diagnostics, Severity, SourceId, Sources, Span};

/// Columns that stand left of a help: a line number of four digits, the frame, the word.
const HELP: usize = 13;

/// Most diagnostics that are shown to people: nobody reads on, and each takes a look at the whole file.
const SHOWN: usize = 100;

/// All diagnostics by place, each with its lines, and a closing line that counts them. Nothing for none. Of very
/// many, the first errors are shown.
pub fn render(diagnostics: &Diagnostics, sources: &Sources, theme: &Theme, width: usize) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let mut chosen = diagnostics.sorted();
    let hidden = chosen.len().saturating_sub(SHOWN);
    if hidden > 0 {
        chosen.sort_by_key(|it| it.severity);
        chosen.truncate(SHOWN);
        chosen.sort_by_key(|it| it.span);
    }
    let mut shown: String = chosen.into_iter().map(|it| one(it, sources, theme, width) + "\n\n").collect();
    if hidden > 0 {
        shown
            .push_str(&format!("{hidden} more are not shown; `podline lint --format json` has them all\n\n"));
    }
    shown + &totals(diagnostics, sources, theme) + "\n"
}

fn one(diagnostic: &Diagnostic, sources: &Sources, theme: &Theme, width: usize) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(text::bare(&diagnostic.message)).id(diagnostic.code);
    let mut group = Group::with_title(title);
    for source in places(diagnostic) {
        group = group.element(snippet(diagnostic, source, sources));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(
            Level::HELP.message(text::wrap(&text::bare_lines(help), width.saturating_sub(HELP)).join("\n")),
        );
    }
    let renderer = if theme.color { Renderer::styled() } else { Renderer::plain() };
    let decor = if theme.unicode { DecorStyle::Unicode } else { DecorStyle::Ascii };
    renderer.term_width(width).decor_style(decor).render(&[group])
}

/// The texts that a diagnostic shows: its own first.
fn places(diagnostic: &Diagnostic) -> Vec<SourceId> {
    let mut places = Vec::new();
    for span in diagnostic.span.iter().chain(diagnostic.related.iter().map(|(span, _)| span)) {
        if !places.contains(&span.source) {
            places.push(span.source);
        }
    }
    places
}

fn snippet<'s>(
    diagnostic: &'s Diagnostic,
    source: SourceId,
    sources: &'s Sources,
) -> Snippet<'s, annotate_snippets::Annotation<'s>> {
    let text = sources.get(source);
    let primary = diagnostic.span.iter().filter(|span| span.source == source);
    let primary = primary.map(|span| AnnotationKind::Primary.span(range(*span, &text.text)));
    let related = diagnostic.related.iter().filter(|(span, _)| span.source == source);
    let related = related
        .map(|(span, label)| AnnotationKind::Context.span(range(*span, &text.text)).label(text::bare(label)));
    Snippet::source(&*text.text).path(&*text.name).annotations(primary.chain(related))
}

/// The bytes to mark: those of the span's first line, as a job or a list can be as long as a page.
fn range(span: Span, text: &str) -> Range<usize> {
    let start = text.floor_char_boundary(span.start as usize);
    let end = text.floor_char_boundary((span.end as usize).max(start));
    let line = text[start..end].find('\n').map_or(end, |at| start + at);
    start..start + text[start..line].trim_end().len()
}

/// `2 errors, 1 warning in .gitlab-ci.yml`.
fn totals(diagnostics: &Diagnostics, sources: &Sources, theme: &Theme) -> String {
    let count = |severity| diagnostics.iter().filter(|it| it.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let errors = (errors > 0).then(|| theme.paint(Label::Failure, text::count(errors, "error")));
    let warnings = (warnings > 0).then(|| theme.paint(Label::Warning, text::count(warnings, "warning")));
    let counts: Vec<_> = errors.into_iter().chain(warnings).collect();
    let files: BTreeSet<_> = diagnostics.iter().filter_map(|it| it.span).map(|span| span.source).collect();
    let place = match files.iter().collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        [file] => format!(" in {}", sources.get(**file).name),
        files => format!(" in {} files", files.len()),
    };
    format!("{}{place}", counts.join(", "))
}

/// A diagnostic for other programs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Record {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Its stable name.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The file, as the user knows it; null where no text is to blame.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// What to do now, where there is something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// The diagnostics by place, for other programs: what `lint --format json` prints.
pub fn records(diagnostics: &Diagnostics, sources: &Sources) -> Vec<Record> {
    let record = |diagnostic: &Diagnostic| {
        let place = diagnostic.span.map(|span| sources.locate(span));
        Record {
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            code: diagnostic.code,
            message: diagnostic.message.clone(),
            line: place.as_ref().map(|place| place.line),
            column: place.as_ref().map(|place| place.column),
            file: place.map(|place| place.file),
            help: diagnostic.help.clone(),
        }
    };
    diagnostics.sorted().into_iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "\
include: ci/base.yml

build:
  scirpt:
    - cargo build --workspace --all-targets --all-features --locked --message-format=json | tee target/build.json
  extends: .base

test: { stage: tests, needs: [biuld], rules: [ { if: '$CI_COMMIT_BRANCH == \"main\" && $CI_PIPELINE_SOURCE == \"push\" && $DEPLOY' } ], script: [cargo test] }
";
    const BASE: &str = "\u{feff}.base:\n  image: rust:1\n  image: rust:2 # größer\n";

    fn place(source: SourceId, text: &str, word: &str) -> Span {
        let at = text.find(word).expect("the word is in the text");
        Span::new(source, at..at + word.len())
    }

    fn example() -> (Diagnostics, Sources) {
        let mut sources = Sources::default();
        let (main, base) = (sources.add(".gitlab-ci.yml", MAIN), sources.add("ci/base.yml", BASE));
        let base_text = BASE.trim_start_matches('\u{feff}');
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(
            Diagnostic::warning(
                "duplicate-key",
                "`image` is there twice, the last one counts",
                place(base, base_text, "image: rust:2"),
            )
            .related(place(base, base_text, "image: rust:1"), "first here"),
        );
        diagnostics.push(
            Diagnostic::error(
                "unknown-need",
                "`test` needs `biuld`, which is not a job",
                place(main, MAIN, "biuld"),
            )
            .related(place(main, MAIN, "build:"), "this one is near")
            .help("write `build`"),
        );
        diagnostics.push(
            Diagnostic::error(
                "unknown-keyword",
                "`scirpt` is not a keyword of a job",
                place(main, MAIN, "scirpt"),
            )
            .related(place(base, base_text, ".base"), "`build` extends this")
            .help("did you mean `script`?"),
        );
        diagnostics.push(
            Diagnostic::error("no-project", "this is not a git repository", None).help("run `git init`"),
        );
        (diagnostics, sources)
    }

    #[test]
    fn mistakes_are_shown_in_their_lines_at_40_80_and_200_columns() {
        let (diagnostics, sources) = example();
        for width in [40, 80, 200] {
            let shown = render(&diagnostics, &sources, &Theme::PLAIN, width);
            insta::assert_snapshot!(format!("diagnostics_{width}"), shown);
        }
        let ascii = render(&diagnostics, &sources, &Theme { color: false, unicode: false }, 80);
        insta::assert_snapshot!("diagnostics_ascii", ascii);
        let colored = render(&diagnostics, &sources, &Theme { color: true, unicode: true }, 80);
        insta::assert_snapshot!("diagnostics_colour", colored.replace('\u{1b}', "␛"));
    }

    #[test]
    fn a_mistake_of_many_lines_points_at_the_first() {
        let mut sources = Sources::default();
        let source = sources.add(".gitlab-ci.yml", "a:\n  b: 1\n  c: 2\n");
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(Diagnostic::error("no-script", "job `a` has no script", Span::new(source, 0..17)));
        diagnostics.push(Diagnostic::error(
            "unfinished",
            "the file ends too early",
            Span::new(source, 17..90),
        ));
        insta::assert_snapshot!(render(&diagnostics, &sources, &Theme::PLAIN, 80), @"
        error[no-script]: job `a` has no script
          ╭▸ .gitlab-ci.yml:1:1
          │
        1 │ a:
          ╰╴━━

        error[unfinished]: the file ends too early
          ╭▸ .gitlab-ci.yml:3:8
          │
        3 │   c: 2
          ╰╴      ━

        2 errors in .gitlab-ci.yml
        ");
    }

    #[test]
    fn other_programs_get_one_record_each() {
        let (diagnostics, sources) = example();
        let json = serde_json::to_string_pretty(&records(&diagnostics, &sources)).expect("records are JSON");
        insta::assert_snapshot!("diagnostics_json", json);
    }

    #[test]
    fn of_very_many_mistakes_the_first_errors_are_shown() {
        let mut sources = Sources::default();
        let text = "a: b\n".repeat(20_000);
        let source = sources.add(".gitlab-ci.yml", &text);
        let mut diagnostics = Diagnostics::default();
        for line in 0..20_000 {
            let make = if line < 19_000 { Diagnostic::warning } else { Diagnostic::error };
            diagnostics.push(make(
                "some",
                "something is wrong".to_owned(),
                Some(Span::new(source, line * 5..line * 5 + 1)),
            ));
        }
        let shown = render(&diagnostics, &sources, &Theme::PLAIN, 80);
        assert_eq!(shown.matches("something is wrong").count(), SHOWN);
        assert!(
            shown.contains("error[some]: something is wrong\n      ╭▸ .gitlab-ci.yml:19001:1\n"),
            "{shown}"
        );
        let end = "\n19900 more are not shown; `podline lint --format json` has them all\n\n\
                   1000 errors, 19000 warnings in .gitlab-ci.yml\n";
        assert!(shown.ends_with(end), "{shown}");
        assert_eq!(records(&diagnostics, &sources)[19_999].line, Some(20_000));
    }

    #[test]
    fn nothing_wrong_is_nothing_said() {
        assert_eq!(render(&Diagnostics::default(), &Sources::default(), &Theme::PLAIN, 80), "");
    }
}
