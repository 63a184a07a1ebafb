//! Files that are made to break a reader: each is answered with a diagnostic or a plan, soon, and never with a
//! panic.

use std::{fmt::Write as _, time::Duration};

use super::project::{Planned, Project, push};

/// A second in a release build; tests are built without optimisation.
const SOON: Duration = Duration::from_secs(10);

/// No error.
const FINE: &str = "";

fn laughs() -> String {
    let mut text = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n".to_owned();
    for level in 1..30 {
        let _ = writeln!(text, "a{level}: &a{level} [{}]", format!("*a{}, ", level - 1).repeat(10));
    }
    text
}

fn laughing_extends() -> String {
    let mut text = format!(".b0: {{variables: {{A: '{}'}}}}\n", "x".repeat(1000));
    for level in 1..30 {
        let copies: String =
            (0..10).map(|copy| format!("k{copy}: !reference [.b{}]\n  ", level - 1)).collect();
        let _ = writeln!(text, ".b{level}:\n  {copies}");
    }
    text + "job: {extends: .b29, script: x}\n"
}

fn text_of(bytes: usize, piece: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    let mut at = 0;
    while text.len() < bytes {
        text.push_str(&piece(at));
        at += 1;
    }
    text
}

#[test]
#[expect(clippy::print_stderr, reason = "the numbers are what one looks for with --nocapture")]
fn a_hostile_file_is_answered_soon() {
    const MEGABYTE: usize = 1 << 20;
    let deep = |open: &str, close: &str| format!("a: {}x{}\n", open.repeat(10_000), close.repeat(10_000));
    let indented =
        |item: &str| (0..1000).map(|level| format!("{}{item}\n", "  ".repeat(level))).collect::<String>();
    let job = "job: {script: x}\n";
    let rule = |condition: &str| format!("a: {{script: x, rules: [{{if: '{condition}'}}]}}\n");
    #[rustfmt::skip]
    let table: Vec<(&str, &str, String)> = vec![
        ("empty", "empty-file", String::new()),
        ("only white space", "empty-file", " \n\n".to_owned()),
        ("only comments", "empty-file", "# one\n  # two\n".to_owned()),
        ("only `---`", "empty-file", "---\n".to_owned()),
        ("only a byte order mark", "empty-file", "\u{feff}".to_owned()),
        ("a list", "not-a-mapping", "- a\n- b\n".to_owned()),
        ("a text", "not-a-mapping", "hello\n".to_owned()),
        ("a number", "not-a-mapping", "42\n".to_owned()),
        ("an empty hash", "no-jobs", "{}\n".to_owned()),
        ("three documents", "too-many-documents", "a: {}\n---\nb: {}\n---\nc: {}\n".to_owned()),
        ("tabs for indentation", "yaml-syntax", "job:\n\tscript: x\n".to_owned()),
        ("carriage returns", FINE, "job:\r\n  script:\r\n    - |\r\n      x\r\n      y\r\n".to_owned()),
        ("a NUL", "yaml-syntax", "a: {script: \"x\0y\"}\n".to_owned()),
        ("a control character", "yaml-syntax", "a: {script: \u{1}}\n".to_owned()),
        ("no end of a quote", "yaml-syntax", "a: \"x\n".to_owned()),
        ("a billion laughs", "yaml-too-big", laughs()),
        ("laughs in references", "config-too-big", laughing_extends()),
        ("an alias inside of its anchor", "yaml-alias", "a: &a {b: *a}\n".to_owned()),
        ("10,000 brackets", "yaml-depth", deep("[", "]")),
        ("10,000 braces", "yaml-depth", deep("{a: ", "}")),
        ("10,000 brackets that stay open", "yaml-depth", deep("[", "")),
        ("1,000 levels of indentation", "yaml-depth", indented("a:")),
        ("2,000 lists on a line", "yaml-depth", format!("a: \n{}x\n", "- ".repeat(2000))),
        ("a file that includes itself", "too-many-includes", format!("include: .gitlab-ci.yml\n{job}")),
        ("a file that includes itself twice", "too-many-includes",
            format!("include: [.gitlab-ci.yml, .gitlab-ci.yml]\n{job}")),
        ("400 includes", "too-many-includes", format!("include: [{}]\n{job}", "other.yml, ".repeat(400))),
        ("a pattern that backtracks", FINE, rule(r#"$CI_COMMIT_BRANCH =~ /(a+)+$/"#)),
        ("a pattern that grows", "bad-expression", rule(r#"$A =~ /((a{1000}){1000}){1000}/"#)),
        ("10,000 parentheses", "bad-expression",
            rule(&format!("{}$A{}", "(".repeat(10_000), ")".repeat(10_000)))),
        ("10,000 operators", "bad-expression", rule(&format!("$A{}", " || $A".repeat(10_000)))),
        ("a variable that is itself", "variable-cycle",
            format!("variables: {{A: $B, B: $A}}\n{job}")),
        ("variables that grow", "variable-too-big", {
            let grow = |at: usize| format!("  A{}: $A{at}$A{at}$A{at}$A{at}\n", at + 1);
            format!("variables:\n  A0: xxxxxxxxxx\n{}{job}", (0..60).map(grow).collect::<String>())
        }),
        ("a circle of extends", "circular-extends", "a: {extends: b}\nb: {extends: a}\n".to_owned()),
        ("a circle of references", "circular-reference",
            "a: {script: [!reference [b, script]]}\nb: {script: [!reference [a, script]]}\n".to_owned()),
        ("a circle of needs", "circular-needs",
            "a: {script: x, needs: [b]}\nb: {script: x, needs: [a]}\n".to_owned()),
        ("a matrix that grows", "too-many", {
            let list = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
            let names: String = (0..9).map(|at| format!("A{at}: {list}, ")).collect();
            format!("a: {{script: x, parallel: {{matrix: [{{{names}}}]}}}}\n")
        }),
        ("2 MB of jobs", "yaml-too-big", text_of(2 * MEGABYTE, |at| format!("job{at}: {{script: x}}\n"))),
        ("1.9 MB of jobs", FINE, text_of(1_900_000, |at| {
            format!("job{at}: {{script: [{}]}}\n", "echo one two three four five, ".repeat(20))
        })),
        ("1 MB in one script", FINE, format!("a:\n  script:\n{}", text_of(MEGABYTE, |_| "    - echo\n".to_owned()))),
        ("1 MB in one key", "too-long", format!("? {}\n: {{script: x}}\n", "k".repeat(MEGABYTE))),
        ("1 MB of unknown keywords", "unknown-keyword",
            format!("a:\n  script: x\n{}", text_of(MEGABYTE, |at| format!("  scirpt{at}: x\n")))),
        ("1 MB of needs", "too-many",
            format!("b: {{script: x}}\na:\n  script: x\n  needs:\n{}", text_of(MEGABYTE, |_| "    - b\n".to_owned()))),
        ("1 MB of unknown needs", "too-many",
            format!("a:\n  script: x\n  needs:\n{}", text_of(MEGABYTE, |at| format!("    - job{at}\n")))),
        ("500 jobs that need what is not there", "unknown-job",
            (0..500).map(|at| format!("job{at}: {{script: x, needs: [gone{at}]}}\n")).collect()),
        ("500 jobs that need one another", FINE,
            (0..500).map(|at| format!("job{}: {{script: x, needs: [job{at}]}}\n", at + 1)).collect::<String>()
                .replace("needs: [job0]", "")),
        ("1 MB of variables that are needed in turn", FINE, {
            let chain = |at: usize| format!("  A{at}: $A{}\n", at + 1);
            format!("variables:\n{}a: {{script: x}}\n", text_of(MEGABYTE / 4, chain))
        }),
    ];
    let mut wrong = Vec::new();
    let mut slowest = (Duration::ZERO, "");
    for (name, expected, text) in &table {
        let project =
            Project::of_files([(".gitlab-ci.yml", text.clone()), ("other.yml", ".other: {}\n".to_owned())]);
        let start = processor_time();
        let planned = project.plan(".gitlab-ci.yml", &push());
        let took = processor_time().saturating_sub(start);
        slowest = slowest.max((took, name));
        let found = first_error(&planned);
        if found != *expected {
            wrong.push(format!("{name}: `{found}`, expected `{expected}`"));
        }
        if took > SOON {
            wrong.push(format!("{name}: took {took:?}"));
        }
    }
    let (took, name) = slowest;
    eprintln!(
        "hostile: {} files are answered, the slowest after {took:?}: {name}",
        table.len() - wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What this thread has taken of a processor, as other work on the machine is none of its doing; nothing
/// where the system does not say.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).map_or(Duration::ZERO, Duration::from_nanos)
}

/// The code of the first error.
fn first_error(planned: &Planned) -> &'static str {
    planned.errors().next().map_or(FINE, |error| error.code)
}
