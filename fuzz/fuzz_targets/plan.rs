//! A whole file: read, planned, and written again; what is written reads as the same tree.
#![no_main]

use indexmap::IndexMap;
use libfuzzer_sys::fuzz_target;
use podline::{
    config::{self, Diagnostics, Sources},
    pipeline::Plan,
};

fuzz_target!(|text: &str| {
    // The length chooses, so that a seed is a plain file.
    let event = podline_fuzz::event(text.len() as u8);
    let planned = podline_fuzz::plan(text, event, &IndexMap::new());
    let Some((config, pipeline)) = planned.made else { return };
    Plan::new(&pipeline);
    let written = config::emit(&config.tree);
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let source = sources.add("effective.yml", &written);
    if let Some(again) = config::yaml::parse(source, &written, &mut diagnostics) {
        assert_eq!(config::emit(&again.content), written, "it is written in another way once it is read");
    }
});
