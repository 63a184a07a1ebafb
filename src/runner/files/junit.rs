//! `artifacts:reports:junit`: what its XML says of a job's tests (`Gitlab::Ci::Parsers::Test::Junit`).
//!
//! A job may have put anything into such a file: entities are not expanded, and size, depth and number of
//! tests have limits.

use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Read},
};

use encoding_rs::{Encoding, UTF_8};
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

use crate::event::{FailingTest, Tests};

/// Most bytes of one file, and of all files of a job: GitLab reads no more.
const MOST_BYTES: (u64, u64) = (30 << 20, 100 << 20);

/// Most tests of a job (`junit_max_test_cases` of gitlab.com).
const MOST_TESTS: usize = 500_000;

/// Deeper than this nothing lies that a tool has written; libxml2 stops there too.
const DEEPEST: usize = 256;

/// How many failing tests are named.
const NAMED: usize = 20;

/// Most characters of a name or a message.
const LONGEST: usize = 200;

/// Why a report says nothing.
#[derive(Debug, thiserror::Error)]
pub enum JunitError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no XML.
    #[error("it is not well-formed XML: {0}")]
    Syntax(#[from] quick_xml::Error),
    /// It ends before its last element does.
    #[error("it ends within `<{0}>`")]
    Open(String),
    /// There is text and no element.
    #[error("it is not XML")]
    NoXml,
    /// Elements lie too deep in each other.
    #[error("its elements lie more than {DEEPEST} deep in each other")]
    Deep,
    /// It is longer than what GitLab reads.
    #[error("it has more than the {} MB that GitLab reads", .0 >> 20)]
    Large(u64),
    /// The job has more tests than GitLab counts.
    #[error("the job has more than the {MOST_TESTS} tests that GitLab takes")]
    Many,
}

/// The tests of a job, summed over its files.
#[derive(Debug)]
pub struct Suite {
    /// Most bytes of a file, and of all of them.
    most: (u64, u64),
    tests: Tests,
    /// Tests of the same class, name and status are one.
    known: HashSet<(Status, u64)>,
    bytes: u64,
}

impl Default for Suite {
    fn default() -> Self {
        Self { most: MOST_BYTES, tests: Tests::default(), known: HashSet::new(), bytes: 0 }
    }
}

impl Suite {
    /// Adds a file. One that cannot be read adds nothing.
    ///
    /// # Errors
    /// When GitLab would not read it.
    pub fn add(&mut self, xml: impl Read) -> Result<(), JunitError> {
        let (most, most_of_job) = self.most;
        let left = most.min(most_of_job.saturating_sub(self.bytes));
        let mut bytes = Vec::new();
        let length = xml.take(left + 1).read_to_end(&mut bytes)? as u64;
        self.bytes += length;
        if length > left {
            return Err(JunitError::Large(if left < most { most_of_job } else { most }));
        }
        let cases = read(&text(&bytes))?;
        if self.known.len() + cases.len() > MOST_TESTS {
            return Err(JunitError::Many);
        }
        cases.into_iter().for_each(|case| self.count(case));
        Ok(())
    }

    /// What all files say together.
    pub fn tests(self) -> Tests {
        self.tests
    }

    fn count(&mut self, case: Counted) {
        if !self.known.insert((case.status, case.key)) {
            return;
        }
        let tests = &mut self.tests;
        tests.total += 1;
        match case.status {
            Status::Success => {}
            Status::Skipped => tests.skipped += 1,
            Status::Failed => tests.failed += 1,
            Status::Error => tests.errors += 1,
        }
        tests.failing.extend(case.failing.filter(|_| tests.failing.len() < NAMED).map(|it| *it));
    }
}

/// What became of a test. Of several elements in it the highest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Status {
    Success,
    Skipped,
    Error,
    Failed,
}

impl Status {
    fn of(element: &str) -> Option<Self> {
        match element {
            "failure" => Some(Self::Failed),
            "error" => Some(Self::Error),
            "skipped" => Some(Self::Skipped),
            _ => None,
        }
    }
}

/// A test that has been read.
struct Counted {
    status: Status,
    key: u64,
    failing: Option<Box<FailingTest>>,
}

/// A test that is being read.
struct Case {
    class: String,
    name: String,
    status: Status,
    message: String,
    /// A message of its own stands before the text of a failure.
    has_message: bool,
}

impl Case {
    fn new(element: &BytesStart<'_>) -> Self {
        let class = attribute(element, "classname").unwrap_or_default();
        let name = attribute(element, "name").unwrap_or_default();
        Self { class, name, status: Status::Success, message: String::new(), has_message: false }
    }

    fn end(self) -> Counted {
        let mut hasher = DefaultHasher::new();
        (&self.class, &self.name).hash(&mut hasher);
        let failing = (self.status >= Status::Error).then(|| {
            let message = self.message.lines().map(str::trim).find(|line| !line.is_empty());
            Box::new(FailingTest {
                class: Some(short(&self.class)).filter(|class| !class.is_empty()),
                name: short(&self.name),
                message: message.map(short),
            })
        });
        Counted { status: self.status, key: hasher.finish(), failing }
    }
}

/// Where in a report an element lies, as far as that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `testsuites` or `testsuite`: tests may be in it.
    Suite,
    /// `testcase`.
    Case,
    /// `failure`, `error` or `skipped` of a test.
    Result,
    /// Anything else.
    Other,
}

impl Place {
    /// GitLab allows `testsuites` at the top only, and `testsuite` in each other.
    fn of(element: &str, parent: Option<Self>) -> Self {
        match (element, parent) {
            ("testsuites", None) | ("testsuite", None | Some(Self::Suite)) => Self::Suite,
            ("testcase", Some(Self::Suite)) => Self::Case,
            ("failure" | "error" | "skipped", Some(Self::Case)) => Self::Result,
            _ => Self::Other,
        }
    }
}

/// The text of a file, by its byte order mark or by what its declaration says; else it is UTF-8.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    let declared = head.split_once("?>").and_then(|(declaration, _)| {
        let value = declaration.split_once("encoding=")?.1;
        let quote = value.chars().next().filter(|it| matches!(it, '"' | '\''))?;
        Encoding::for_label(value[1..].split(quote).next()?.as_bytes())
    });
    declared.unwrap_or(UTF_8).decode(bytes).0
}

/// The tests of one file.
fn read(xml: &str) -> Result<Vec<Counted>, JunitError> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().allow_dangling_amp = true;
    let mut report = Report::default();
    loop {
        match reader.read_event()? {
            Event::Start(element) => report.start(&element)?,
            Event::Empty(element) => {
                report.start(&element)?;
                report.end();
            }
            Event::End(_) => report.end(),
            Event::Text(text) => report.text(&text.xml10_content()),
            Event::CData(text) => report.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                match reference.resolve_char_ref() {
                    Ok(Some(character)) => report.text(character.encode_utf8(&mut [0; 4])),
                    // What a document type defines is not expanded.
                    _ => report.text(quick_xml::escape::resolve_predefined_entity(&name).unwrap_or("?")),
                }
            }
            Event::Eof => return report.finish(),
            Event::Decl(_) | Event::DocType(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

#[derive(Default)]
struct Report {
    cases: Vec<Counted>,
    places: Vec<(Place, String)>,
    case: Option<Case>,
    has_root: bool,
    has_text: bool,
}

impl Report {
    fn start(&mut self, element: &BytesStart<'_>) -> Result<(), JunitError> {
        if self.places.len() >= DEEPEST {
            return Err(JunitError::Deep);
        }
        if self.cases.len() >= MOST_TESTS {
            return Err(JunitError::Many);
        }
        self.has_root = true;
        let name = element.local_name();
        let name: &str = name.as_ref();
        let place = Place::of(name, self.places.last().map(|(place, _)| *place));
        match (place, &mut self.case) {
            (Place::Case, _) => self.case = Some(Case::new(element)),
            (Place::Result, Some(case)) => {
                case.status = case.status.max(Status::of(name).unwrap_or(Status::Success));
                if let Some(message) = attribute(element, "message").filter(|it| !it.trim().is_empty())
                    && !case.has_message
                {
                    (case.message, case.has_message) = (message, true);
                }
            }
            _ => {}
        }
        self.places.push((place, short(name)));
        Ok(())
    }

    fn end(&mut self) {
        if let Some((Place::Case, _)) = self.places.pop() {
            self.cases.extend(self.case.take().map(Case::end));
        }
    }

    fn text(&mut self, text: &str) {
        self.has_text = self.has_text || !text.trim().is_empty();
        if let (Some((Place::Result, _)), Some(case)) = (self.places.last(), &mut self.case)
            && !case.has_message
        {
            let room = (4 * LONGEST).saturating_sub(case.message.len());
            case.message.extend(text.chars().take(room));
        }
    }

    fn finish(self) -> Result<Vec<Counted>, JunitError> {
        match self.places.into_iter().next_back() {
            Some((_, name)) => Err(JunitError::Open(name)),
            None if self.has_text && !self.has_root => Err(JunitError::NoXml),
            None => Ok(self.cases),
        }
    }
}

/// The value of an attribute. Entities that a document type defines stay as they are written.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.attributes().flatten().find(|it| it.key.local_name().as_ref() == name)?;
    let value = found.normalized_value(XmlVersion::Implicit1_0);
    Some(value.unwrap_or(Cow::Borrowed(found.value.as_ref())).into_owned())
}

fn short(text: &str) -> String {
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(LONGEST).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn summed(files: &[&[u8]]) -> Tests {
        let mut suite = Suite::default();
        for file in files {
            suite.add(*file).expect("a report");
        }
        suite.tests()
    }

    fn said(xml: &str) -> String {
        let tests = summed(&[xml.as_bytes()]);
        let mut said = format!(
            "{} tests, {} failed, {} errors, {} skipped",
            tests.total, tests.failed, tests.errors, tests.skipped
        );
        for it in &tests.failing {
            let class = it.class.as_deref().unwrap_or("-");
            let _ = write!(said, "; {class} | {} | {}", it.name, it.message.as_deref().unwrap_or("-"));
        }
        said
    }

    #[test]
    fn what_common_tools_write_is_read() {
        for (tool, xml, expected) in [
            (
                "pytest",
                r#"<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="1" skipped="1" tests="3" time="0.03"><testcase classname="test_math" name="test_adds" time="0.001" /><testcase classname="test_math" name="test_divides[1-&lt;0&gt;]" time="0.001"><failure message="ZeroDivisionError: division by zero">def test_divides(): ...</failure></testcase><testcase classname="test_math" name="test_later"><skipped type="pytest.skip" message="later">x.py:1: later</skipped></testcase></testsuite></testsuites>"#,
                "3 tests, 1 failed, 0 errors, 1 skipped; test_math | test_divides[1-<0>] | ZeroDivisionError: division by zero",
            ),
            (
                "surefire",
                r#"<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" name="org.A" tests="2"><properties><property name="a" value="b"/></properties><testcase name="one" classname="org.A" time="0.1"><rerunFailure message="x"/><system-out><![CDATA[<testcase name="none">]]></system-out></testcase><testcase name="two" classname="org.A"><error type="java.lang.NullPointerException"><![CDATA[
java.lang.NullPointerException: it was null
	at org.A.two(A.java:7)]]></error></testcase></testsuite>"#,
                "2 tests, 0 failed, 1 errors, 0 skipped; org.A | two | java.lang.NullPointerException: it was null",
            ),
            (
                "phpunit",
                r#"<testsuites><testsuite name="all"><testsuite name="A"><testsuite name="A::b"><testcase name="b with data #0" class="A"/></testsuite><testcase name="c"><skipped/></testcase></testsuite></testsuite></testsuites>"#,
                "2 tests, 0 failed, 0 errors, 1 skipped",
            ),
            (
                "mocha, jest",
                "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites><testsuite name=\"Root\"/><testsuite name=\"a\"><testcase name=\"adds &amp; works\"><failure>Error: 1 &#61;= 2 &amp; 3</failure></testcase></testsuite></testsuites>",
                "1 tests, 1 failed, 0 errors, 0 skipped; - | adds & works | Error: 1 == 2 & 3",
            ),
            (
                "a failure beside an error",
                "<testsuite><testcase name='a'><error/><failure/></testcase></testsuite>",
                "1 tests, 1 failed, 0 errors, 0 skipped; - | a | -",
            ),
            ("tests outside of suites", "<testcase name='a'/>", "0 tests, 0 failed, 0 errors, 0 skipped"),
            (
                "`testsuites` not at the top",
                "<testsuite><testsuites><testcase name='a'/></testsuites></testsuite>",
                "0 tests, 0 failed, 0 errors, 0 skipped",
            ),
            (
                "the same test twice",
                "<testsuite><testcase name='a'/><testcase name='a'/><testcase name='a'><failure/></testcase></testsuite>",
                "2 tests, 1 failed, 0 errors, 0 skipped; - | a | -",
            ),
            (
                "another document",
                "<html><testcase name='a'/></html>",
                "0 tests, 0 failed, 0 errors, 0 skipped",
            ),
            ("an empty file", "", "0 tests, 0 failed, 0 errors, 0 skipped"),
        ] {
            assert_eq!(said(xml), expected, "{tool}");
        }
    }

    #[test]
    fn files_are_summed() {
        let one = b"<testsuite><testcase name='a'/><testcase name='b'><failure/></testcase></testsuite>";
        let two = b"<testsuite><testcase name='a'/><testcase name='c'/></testsuite>";
        assert_eq!(summed(&[one, two]).total, 3, "a test of two files is one");
    }

    #[test]
    fn other_encodings_are_read() {
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><testsuite><testcase name='gr\xfc\xdft'><failure/></testcase></testsuite>";
        assert_eq!(summed(&[latin]).failing[0].name, "grüßt");
        let text = "<?xml version='1.0' encoding='UTF-16'?><testsuite><testcase name='ü'><failure/></testcase></testsuite>";
        let wide: Vec<u8> =
            [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(summed(&[&wide]).failing[0].name, "ü");
    }

    fn refused(xml: &[u8]) -> String {
        let mut suite = Suite::default();
        let error = suite.add(xml).expect_err("refused");
        assert_eq!(suite.tests(), Tests::default(), "nothing is counted");
        error.to_string()
    }

    #[test]
    fn what_is_no_report_says_why() {
        for (xml, reason) in [
            ("hello", "it is not XML"),
            ("<testsuite><testcase name='a'/>", "it ends within `<testsuite>`"),
            ("<testsuite><testcase name='a'></testsuite>", "it is not well-formed XML"),
            ("<testsuite><testcase name='a'", "it is not well-formed XML"),
        ] {
            let message = refused(xml.as_bytes());
            assert!(message.starts_with(reason), "{xml}: {message}");
        }
    }

    #[test]
    fn hostile_files_cost_little() {
        let mut laughs = "<!DOCTYPE lolz [<!ENTITY lol \"lol\">".to_owned();
        for number in 1..10 {
            let _ = write!(laughs, "<!ENTITY lol{number} \"{}\">", "&lol;".repeat(10));
        }
        laughs += "<!ENTITY xxe SYSTEM \"file:///etc/passwd\">]><testsuite><testcase name='&lol9;'><failure>&lol9;&xxe;</failure></testcase></testsuite>";
        assert_eq!(said(&laughs), "1 tests, 1 failed, 0 errors, 0 skipped; - | &lol9; | ??");

        assert_eq!(
            refused("<a>".repeat(1000).as_bytes()),
            "its elements lie more than 256 deep in each other"
        );

        let head = b"<testsuite><testcase name='a'><system-out>".as_slice();
        let endless = head.chain(std::io::repeat(b'x'));
        let mut suite = Suite { most: (1 << 20, 2 << 20), ..Suite::default() };
        let error = suite.add(endless).expect_err("refused");
        assert_eq!(error.to_string(), "it has more than the 1 MB that GitLab reads");

        let long =
            format!("<testsuite><testcase name='{}'><failure/></testcase></testsuite>", "x".repeat(10_000));
        assert_eq!(summed(&[long.as_bytes()]).failing[0].name.chars().count(), LONGEST + 1);

        let many = |count: usize| {
            let mut xml = "<testsuite>".to_owned();
            for number in 0..count {
                let _ = write!(xml, "<testcase name='{number}'><failure/></testcase>");
            }
            xml + "</testsuite>"
        };
        assert_eq!(summed(&[many(100).as_bytes()]).failing.len(), NAMED);
    }
}
