//! `rules:if`: what is read has a value, and the same one when it is explained.
#![no_main]

use libfuzzer_sys::fuzz_target;
use podline::config::expression::{Expression, Name, Value};

fuzz_target!(|text: &str| {
    let lookup = |name: Name<'_>| match name {
        Name::Variable("EMPTY") => Some(Value::from("")),
        Name::Variable("PATTERN") => Some(Value::from("/^a.*/i")),
        Name::Variable(name) if name.starts_with('A') => Some(Value::from("abc")),
        Name::Input("flag") => Some(Value::Bool(true)),
        _ => None,
    };
    match Expression::parse(text) {
        Ok(expression) => {
            let value = expression.evaluate(lookup);
            let trace = expression.explain(lookup);
            assert_eq!(trace.value, value);
            trace.filled(text);
            trace.tree();
            expression.variables();
        }
        Err(error) => assert!(text.get(error.range.clone()).is_some(), "{error:?} lies outside"),
    }
});
