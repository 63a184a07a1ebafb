//! Wildcards and regular expressions: the first line is the pattern, the rest what it is held against.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podline::config::{expression::Pattern, glob::Glob};

fuzz_target!(|text: &str| {
    let (pattern, path) = text.split_once('\n').unwrap_or((text, "src/deep/a.rs"));
    for glob in [Glob::ruby(pattern), Glob::doublestar(pattern), Glob::include(pattern)] {
        glob.matches(path);
    }
    for pattern in [Pattern::literal(pattern), Pattern::bare(pattern)].into_iter().flatten() {
        pattern.is_match(path);
    }
});
