//! The page of a run: one file that needs no network, drawn in the browser from the run's history.
//!
//! ```text
//! History ─► JSON ─────────┐
//! traces ─► gzip, base64 ─┴─► page
//! ```
//!
//! Whatever a job has printed is data in it: the page's policy runs no script but its own, by hash, and its
//! script makes text nodes only.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD, write::EncoderWriter};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

use super::history::History;

const BODY: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPTS: [&str; 5] = [
    include_str!("page/text.js"),
    include_str!("page/log.js"),
    include_str!("page/pictures.js"),
    include_str!("page/job.js"),
    include_str!("page/app.js"),
];

/// Writes the page of a run, with the traces that are in its folder.
///
/// # Errors
/// When it cannot be written. A trace that cannot be read is left out.
pub fn write(history: &History, folder: &Path, to: &mut dyn Write) -> io::Result<()> {
    head(history, Kind::File, to)?;
    for (at, job) in history.jobs.iter().enumerate() {
        for (number, attempt) in job.attempts.iter().enumerate() {
            let trace = attempt.trace.as_ref().and_then(|name| File::open(folder.join(name)).ok());
            if let Some(mut trace) = trace {
                write!(to, "<script type=\"application/gzip\" id=\"log-{at}-{number}\">")?;
                let mut packed =
                    GzEncoder::new(EncoderWriter::new(&mut *to, &STANDARD), Compression::default());
                io::copy(&mut trace, &mut packed)?;
                packed.finish()?.finish()?;
                writeln!(to, "</script>")?;
            }
        }
    }
    foot(to)
}

/// Writes the page of a run that asks its server for the traces and for what is new.
///
/// # Errors
/// When it cannot be written.
pub fn write_live(history: &History, to: &mut dyn Write) -> io::Result<()> {
    head(history, Kind::Live, to)?;
    foot(to)
}

/// Where the page will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Live,
}

fn head(history: &History, kind: Kind, to: &mut dyn Write) -> io::Result<()> {
    let (connect, live) = match kind {
        Kind::File => ("'none'", ""),
        Kind::Live => ("'self'", " data-live"),
    };
    let (script, style) = (hash(&script()), hash(STYLE));
    writeln!(
        to,
        "<!doctype html>\n<html lang=\"en\"{live}>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {script}; \
         style-src {style}; connect-src {connect}; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>podline</title>\n<style>{STYLE}</style>\n{BODY}"
    )?;
    let json = serde_json::to_string(history)?;
    // `<` is all that HTML could make something of in here
    writeln!(to, "<script type=\"application/json\" id=\"data\">{}</script>", json.replace('<', "\\u003c"))
}

fn foot(to: &mut dyn Write) -> io::Result<()> {
    writeln!(to, "<script>{}</script>\n</html>", script())
}

/// The page's own script, in a scope of its own.
fn script() -> String {
    format!("\"use strict\";\n(() => {{\n{}}})();\n", SCRIPTS.concat())
}

/// How the policy names a text that it lets in.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{
        record::{Head, Record},
        script,
    };

    #[test]
    fn text_of_a_job_is_data_wherever_it_comes_up() {
        let (at, event) = script::mixed().remove(0);
        let crate::event::Event::PipelineStarted(mut outline) = event else { panic!("a script begins") };
        outline.title = "</script><script>alert(1)</script>".to_owned();
        outline.jobs[0].name = "<!--<script>".to_owned();
        let head = Head { project: "<b>".to_owned(), ..script::head() };
        let events = vec![(at, crate::event::Event::PipelineStarted(outline))];
        let history = History::of(&Record { head, ..script::record(events) });
        let mut page = Vec::new();
        write(&history, Path::new("nowhere"), &mut page).expect("memory takes it");
        let page = String::from_utf8(page).expect("the page is UTF-8");
        assert_eq!(page.matches("<script").count(), 2, "its data and its own script");
        assert!(!page.contains("<b>") && !page.contains("<!--"));
    }

    #[test]
    fn the_script_makes_no_markup_of_text() {
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
        {
            assert!(!script().contains(way), "{way}");
        }
        assert!(!script().contains("</"), "nothing in it ends it");
        assert!(!BODY.contains("style=") && !BODY.contains(" onclick"), "the policy would not let it in");
    }
}
