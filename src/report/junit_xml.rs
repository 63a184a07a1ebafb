//! A run as JUnit XML, for programs that show test results: each job is a test case of its pipeline's suite.
//!
//! The elements are those that Jenkins and Maven Surefire agree on.

use std::io;

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
    writer::ElementWriter,
};

use super::{
    history::{History, Job},
    text,
};

/// What became of a job, in JUnit's words.
enum Outcome {
    Passed,
    /// The job failed: GitLab's failure reason, and what happened.
    Failed(String, String),
    /// Something else than the job failed.
    Errored(String, String),
    /// It did not run, or its failure is allowed.
    Skipped(String),
}

/// The document of a run, well-formed whatever its jobs have printed.
pub fn document(run: &History) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(run, &mut writer).expect("memory takes everything");
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("what is written is UTF-8")
}

type To = Writer<Vec<u8>>;

fn write(run: &History, to: &mut To) -> io::Result<()> {
    to.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all: Vec<&Job> = run.jobs.iter().collect();
    let name = format!("{} #{}: {}", run.project, run.number, run.title);
    let mut attributes = vec![("name", name), ("time", seconds(run.took))];
    attributes.extend(counts(run, &all));
    let suites = element(to, "testsuites", &attributes);
    suites.write_inner_content(|to| {
        (0..run.pipelines.len()).filter(|at| run.jobs.iter().any(|job| job.pipeline == *at)).try_for_each(
            |pipeline| {
                let jobs: Vec<&Job> = run.jobs.iter().filter(|job| job.pipeline == pipeline).collect();
                suite(run, pipeline, &jobs, to)
            },
        )
    })?;
    Ok(())
}

fn suite(run: &History, pipeline: usize, jobs: &[&Job], to: &mut To) -> io::Result<()> {
    let path = run.pipelines[pipeline].path.join("/");
    let name = if path.is_empty() { "pipeline".to_owned() } else { path };
    let began = jiff::Timestamp::from_millisecond(run.began).unwrap_or_default();
    let skipped = jobs.iter().filter(|job| matches!(outcome(run, job), Outcome::Skipped(_))).count();
    let time = jobs.iter().map(|job| took(run, job)).sum();
    let mut attributes = vec![
        ("name", name),
        ("timestamp", began.strftime("%Y-%m-%dT%H:%M:%S").to_string()),
        ("time", seconds(time)),
        ("skipped", skipped.to_string()),
    ];
    attributes.extend(counts(run, jobs));
    let element = element(to, "testsuite", &attributes);
    element.write_inner_content(|to| jobs.iter().try_for_each(|job| case(run, job, to)))?;
    Ok(())
}

fn case(run: &History, job: &Job, to: &mut To) -> io::Result<()> {
    let stage = run.pipelines[job.pipeline].stages.get(job.stage).cloned().unwrap_or_default();
    let attributes = [("name", job.name.clone()), ("classname", stage), ("time", seconds(took(run, job)))];
    let case = element(to, "testcase", &attributes);
    let (earlier, outcome) = (earlier(job), outcome(run, job));
    if matches!(outcome, Outcome::Passed) && earlier.is_empty() {
        case.write_empty()?;
        return Ok(());
    }
    case.write_inner_content(|to| {
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed(reason, message) => end("failure", &reason, &message, job, to)?,
            Outcome::Errored(reason, message) => end("error", &reason, &message, job, to)?,
            Outcome::Skipped(message) => {
                element(to, "skipped", &[("message", message)]).write_empty()?;
            }
        }
        if !earlier.is_empty() {
            to.create_element("system-out").write_text_content(BytesText::new(&legal(&earlier)))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// How a job ended that did not pass, with the last lines of its trace.
fn end(name: &'static str, reason: &str, message: &str, job: &Job, to: &mut To) -> io::Result<()> {
    let first = message.lines().next().unwrap_or_default().to_owned();
    let tail = job.attempts.last().map(|attempt| attempt.tail.as_slice()).unwrap_or_default();
    let mut lines: Vec<String> = message.lines().skip(1).map(str::to_owned).collect();
    lines.extend(tail.iter().map(|line| text::bare(line)));
    element(to, name, &[("message", first), ("type", reason.to_owned())])
        .write_text_content(BytesText::new(&legal(&lines.join("\n"))))?;
    Ok(())
}

fn outcome(run: &History, job: &Job) -> Outcome {
    use crate::event::FailureReason::{JobExecutionTimeout, ScriptFailure};
    let failure = job.attempts.last().and_then(|attempt| attempt.failure.as_ref());
    let message = failure.map(|failure| failure.message.clone());
    match job.status {
        "success" => Outcome::Passed,
        "failed" if job.allowed => {
            Outcome::Skipped(format!("failed, and may: {}", message.unwrap_or_default()))
        }
        "failed" => match failure {
            Some(failure) if !matches!(failure.reason, ScriptFailure | JobExecutionTimeout) => {
                Outcome::Errored(failure.reason.name().to_owned(), failure.message.clone())
            }
            Some(failure) => Outcome::Failed(failure.reason.name().to_owned(), failure.message.clone()),
            None => Outcome::Failed("failed".to_owned(), job.reason.clone().unwrap_or_default()),
        },
        "running" if run.status.is_none() && !run.goes_on => {
            Outcome::Errored("unfinished".to_owned(), "the run did not come to its end".to_owned())
        }
        status => {
            let reason = job.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            Outcome::Skipped(format!("{status}{reason}"))
        }
    }
}

/// What became of the attempts before the last one.
fn earlier(job: &Job) -> String {
    let before = job.attempts.len().saturating_sub(1);
    let line = |(at, attempt): (usize, &super::history::Attempt)| {
        let message = attempt.failure.as_ref().map_or(attempt.status, |failure| failure.message.as_str());
        format!("attempt {}: {message}", at + 1)
    };
    job.attempts[..before].iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn took(run: &History, job: &Job) -> f64 {
    job.attempts.iter().map(|attempt| attempt.to.unwrap_or(run.took) - attempt.from).sum()
}

fn counts(run: &History, jobs: &[&Job]) -> [(&'static str, String); 3] {
    let count = |is: fn(&Outcome) -> bool| jobs.iter().filter(|job| is(&outcome(run, job))).count();
    [
        ("tests", jobs.len().to_string()),
        ("failures", count(|outcome| matches!(outcome, Outcome::Failed(..))).to_string()),
        ("errors", count(|outcome| matches!(outcome, Outcome::Errored(..))).to_string()),
    ]
}

fn seconds(seconds: f64) -> String {
    // the sum of no times is -0
    format!("{:.3}", seconds + 0.0)
}

fn element<'t>(
    to: &'t mut To,
    name: &'static str,
    attributes: &[(&str, String)],
) -> ElementWriter<'t, Vec<u8>> {
    let element = to.create_element(name);
    attributes.iter().fold(element, |it, (name, value)| it.with_attribute((*name, legal(value).as_str())))
}

/// A text without the characters that XML has no way to write.
fn legal(text: &str) -> String {
    let is_legal = |it: char| match it {
        '\t' | '\n' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        it => !it.is_control(),
    };
    text.chars().map(|it| if is_legal(it) { it } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quick_xml::{Reader, events::Event as Xml};

    use super::*;
    use crate::report::script;

    fn of(events: Vec<script::Timed>) -> History {
        History::of(&script::record(events))
    }

    type Names = &'static [&'static str];

    /// The elements that Jenkins' schema `junit-10.xsd` lets in, each with where it may be, the attributes that
    /// it must have, and those that it may have.
    const ELEMENTS: [(&str, Names, Names, Names); 7] = [
        ("testsuites", &[""], &[], &["name", "time", "tests", "failures", "errors"]),
        (
            "testsuite",
            &["testsuites"],
            &["name", "tests", "failures", "errors"],
            &["time", "skipped", "timestamp"],
        ),
        ("testcase", &["testsuite"], &["name"], &["time", "classname"]),
        ("failure", &["testcase"], &[], &["message", "type"]),
        ("error", &["testcase"], &[], &["message", "type"]),
        ("skipped", &["testcase"], &[], &["message", "type"]),
        ("system-out", &["testcase"], &[], &[]),
    ];

    /// Fails unless a document is well-formed and what programs expect.
    fn check(document: &str) {
        let mut above = vec![String::new()];
        let mut reader = Reader::from_str(document);
        reader.config_mut().check_end_names = true;
        loop {
            match reader.read_event().unwrap_or_else(|error| panic!("{error}: {document}")) {
                Xml::Eof => break,
                Xml::Start(tag) => {
                    check_element(&tag, above.last().expect("a place"));
                    above.push(tag.name().as_ref().to_owned());
                }
                Xml::Empty(tag) => check_element(&tag, above.last().expect("a place")),
                Xml::End(_) => drop(above.pop()),
                _ => {}
            }
        }
        let is_illegal =
            |it: char| it.is_control() && !"\t\n\r".contains(it) || "\u{fffe}\u{ffff}".contains(it);
        assert!(!document.contains(is_illegal), "{document:?}");
    }

    fn check_element(tag: &quick_xml::events::BytesStart<'_>, above: &str) {
        let name = tag.name().as_ref().to_owned();
        let known = ELEMENTS.iter().find(|it| it.0 == name);
        let (_, places, required, optional) = known.unwrap_or_else(|| panic!("`{name}` is no element of it"));
        assert!(places.contains(&above), "`{name}` in `{above}`");
        let given: Vec<String> = tag
            .attributes()
            .map(|attribute| attribute.expect("it is well-formed").key.as_ref().to_owned())
            .collect();
        for name in *required {
            assert!(given.iter().any(|it| it == name), "`{name}` is missing: {given:?}");
        }
        for it in &given {
            assert!(required.contains(&it.as_str()) || optional.contains(&it.as_str()), "`{it}` of `{name}`");
        }
    }

    #[test]
    fn each_job_is_a_case_of_its_stage() {
        let document = document(&of(script::mixed()));
        check(&document);
        insta::assert_snapshot!(document);
    }

    #[test]
    fn a_child_pipeline_is_a_suite_of_its_own() {
        let document = document(&of(script::family()));
        check(&document);
        insta::assert_snapshot!(document);
    }

    #[test]
    fn a_run_that_was_killed_leaves_an_error_of_what_ran() {
        let events = script::mixed().into_iter().filter(|(at, _)| *at < Duration::from_secs(30)).collect();
        let document = document(&of(events));
        check(&document);
        assert!(
            document.contains(r#"<error message="the run did not come to its end" type="unfinished">"#),
            "{document}"
        );
    }

    proptest::proptest! {
        #[test]
        fn it_is_well_formed_whatever_a_job_has_printed(name in ".{0,20}", lines in proptest::collection::vec(proptest::arbitrary::any::<String>(), 0..4)) {
            let mut run = of(script::mixed());
            run.jobs[0].name = name.clone();
            run.title = name;
            let e2e = run.jobs.iter_mut().find(|job| job.name == "e2e").expect("it is there");
            e2e.attempts[0].tail = lines.clone();
            if let Some(failure) = &mut e2e.attempts[0].failure {
                failure.message = lines.concat();
            }
            check(&document(&run));
        }
    }
}
