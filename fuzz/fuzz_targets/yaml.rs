//! Text to nodes: every place that is reported lies in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podline::config::{Diagnostics, Sources, yaml};

fuzz_target!(|text: &str| {
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let source = sources.add("ci.yml", text);
    let text = sources.get(source).text.clone();
    yaml::parse(source, &text, &mut diagnostics);
    for span in diagnostics.iter().filter_map(|found| found.span) {
        assert!(text.get(span.start as usize..span.end as usize).is_some(), "{span:?} lies outside");
        sources.locate(span);
    }
});
