//! `$[[ inputs.x | function ]]` in a configuration whose header has inputs of every type.
#![no_main]

use indexmap::IndexMap;
use libfuzzer_sys::fuzz_target;

const HEADER: &str = "\
spec:
  inputs:
    word: {default: a}
    choice: {options: [a, b], default: b}
    pattern: {regex: ^v\\d, default: v1}
    number: {type: number, default: 7}
    flag: {type: boolean, default: true}
    list: {type: array, default: [a, {b: c}]}
    given: {}
---
";

fuzz_target!(|text: &str| {
    let inputs = IndexMap::from([("given".to_owned(), "$CI_COMMIT_BRANCH-$[[ inputs.word ]]".to_owned())]);
    podline_fuzz::plan(&format!("{HEADER}{text}"), podline_fuzz::event(0), &inputs);
});
