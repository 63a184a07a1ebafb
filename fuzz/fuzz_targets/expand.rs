//! The three expanders, over lines of `NAME=VALUE`; a value that begins with `!` is not expanded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podline::config::expand::{self, Definition, Options};

fuzz_target!(|text: &str| {
    let lines = text.lines().take(64).filter_map(|line| line.split_once('='));
    let list: Vec<Definition<'_>> = lines
        .map(|(key, value)| Definition {
            key,
            value,
            raw: value.starts_with('!'),
            file: key.ends_with("FILE"),
            masked: key.ends_with("TOKEN"),
        })
        .collect();
    let find = |name: &str| list.iter().rev().find(|definition| definition.key == name).copied();
    let value = |name: &str| find(name).map(|definition| definition.value);
    expand::expand(text, value);
    expand::expand_existing(text, value);
    expand::expand_as_runner(text, value);
    for options in [Options::EMPTY_UNKNOWN, Options::KEEP_UNKNOWN, Options::FOR_RUNNER] {
        let refusing = Options { refuse_masked: true, ..options };
        let _ = expand::expand_with(text, refusing, find);
        if let Ok(values) = expand::expand_all(&list, options) {
            assert_eq!(values.len(), list.len());
        }
    }
});
