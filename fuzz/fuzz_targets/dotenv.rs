//! `artifacts:reports:dotenv`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podline::runner::files::dotenv;

fuzz_target!(|text: &str| {
    if let Ok(variables) = dotenv::parse(text) {
        assert!(variables.iter().all(|(key, _)| !key.is_empty()));
    }
});
