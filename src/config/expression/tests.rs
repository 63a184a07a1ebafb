use proptest::prelude::*;

use super::*;

fn of(variables: &[(&str, &str)]) -> impl Fn(Name<'_>) -> Option<Value> {
    move |name| {
        let Name::Variable(name) = name else { return None };
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| Value::from(*value))
    }
}

#[test]
fn values_follow_ruby() {
    let variables = [("EMPTY", ""), ("SET", "value"), ("PATTERN", "/^val/"), ("FLAG", "true")];
    let value = |text: &str| Expression::parse(text).expect(text).evaluate(of(&variables));
    for (text, expected) in [
        ("$EMPTY || $SET", Value::from("")),
        ("$UNDEF || $SET", Value::from("value")),
        ("$UNDEF == \"\"", Value::Bool(false)),
        ("$EMPTY == null", Value::Bool(false)),
        ("$UNDEF == null", Value::Bool(true)),
        ("$UNDEF =~ /va/", Value::Bool(false)),
        ("$UNDEF !~ /va/", Value::Bool(true)),
        ("$SET =~ $PATTERN", Value::Bool(true)),
        ("$SET =~ $UNDEF", Value::Bool(false)),
        ("$SET !~ $UNDEF", Value::Bool(true)),
        ("\"al\" =~ $SET", Value::Bool(true)),
        ("$UNDEF =~ $SET", Value::Bool(true)),
        ("$FLAG == true", Value::Bool(true)),
        ("$SET == 'value'", Value::Bool(true)),
        ("$UNDEF && $SET || $FLAG", Value::from("true")),
        ("$FLAG || $UNDEF && $UNDEF == \"x\"", Value::from("true")),
        ("$UNDEF || $UNDEF && $SET == \"value\" || $FLAG", Value::from("true")),
        ("($UNDEF || $SET) && $EMPTY", Value::from("")),
        ("\"a/b\" =~ /a\\/b/ && \"x\" =~ /x|y/", Value::Bool(true)),
        ("$SET == \"value\"\n  && $FLAG", Value::from("true")),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn a_blank_result_does_not_hold() {
    let blank = |text| Expression::parse(text).expect(text).holds(|name| (name == "B").then_some("  "));
    assert!(!blank("$B"));
    assert!(!blank("$UNDEF"));
    assert!(blank("$B == \"  \""));
}

#[test]
fn mistakes_name_their_place_and_the_way_out() {
    for (text, start, hint) in [
        ("${VAR} == \"a\"", 0, "write `$VAR`"),
        ("$VAR = \"a\"", 5, "write `==`"),
        ("$VAR && !$B", 8, "compare instead"),
        ("$A & $B", 3, "write `&&`"),
        ("$A | $B", 3, "write `||`"),
        ("$A == main", 6, "write `$main` for a variable, or `\"main\"` for a text"),
        ("$A == \"main", 6, "close it with"),
        ("$A =~ /x/", 6, "at least two characters"),
        ("$A =~ /ab(?=c)/", 6, "no look-around"),
        ("$A $B", 3, "join values"),
        ("$A == ", 6, ""),
        ("== $A", 0, ""),
        ("($A", 0, ""),
        ("$A)", 2, ""),
        ("()", 1, ""),
        ("", 0, ""),
    ] {
        let error = Expression::parse(text).expect_err(text);
        assert_eq!(error.range.start, start, "{text}: {error}");
        assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{text}: {:?}", error.hint);
    }
    let long = ["$A"; 51].join(" && ");
    assert!(Expression::parse(&long).expect_err("101 tokens").message.contains("99"));
}

#[test]
fn a_trace_tells_the_value_of_each_operand() {
    let expression = Expression::parse("$A == \"x\" && ($B || $C)").expect("valid");
    let trace = expression.explain(of(&[("A", "x"), ("B", "b")]));
    let lines: Vec<String> = trace
        .steps
        .iter()
        .map(|step| {
            let value = step.value.as_ref().map_or("not looked at".into(), Value::to_string);
            format!("{} is {value}", step.text)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "$A is \"x\"",
            "$A == \"x\" is true",
            "$B is \"b\"",
            "$C is not looked at",
            "($B || $C) is \"b\"",
            "$A == \"x\" && ($B || $C) is \"b\"",
        ]
    );
    assert_eq!(expression.variables(), ["A", "B", "C"]);
    assert_eq!(trace.filled(expression.text()), "\"x\" == \"x\" && (\"b\" || $C)");
    let tree: Vec<String> =
        trace.tree().iter().map(|(depth, step)| format!("{depth} {}", step.text)).collect();
    assert_eq!(
        tree,
        ["0 $A == \"x\" && ($B || $C)", "1 $A == \"x\"", "2 $A", "1 ($B || $C)", "2 $B", "2 $C"]
    );
}

#[test]
fn a_chain_of_one_operation_is_one_part() {
    let tree = |text: &str| {
        let trace = Expression::parse(text).expect("valid").explain(of(&[("A", "x"), ("B", "b")]));
        trace.tree().iter().map(|(depth, step)| format!("{depth} {}", step.text)).collect::<Vec<_>>()
    };
    assert_eq!(tree("$A && $B && $C"), ["0 $A && $B && $C", "1 $A", "1 $B", "1 $C"]);
    assert_eq!(tree("$A || $B && $C || $D")[..3], ["0 $A || $B && $C || $D", "1 $A", "1 $B && $C"]);
    assert_eq!(tree("($A && $B) && $C")[..3], ["0 ($A && $B) && $C", "1 ($A && $B)", "2 $A"]);
    assert_eq!(tree("($A) && $B && $C")[1..], ["1 ($A)", "1 $B", "1 $C"]);
}

proptest! {
    #[test]
    fn no_text_makes_the_language_panic(text in r#"[$ABinputs\[\]. "'/=~!&|()null\\é]{0,32}"#) {
        if let Ok(expression) = Expression::parse(&text) {
            let _ = expression.evaluate(of(&[("A", "/a/"), ("B", "")]));
            let _ = expression.explain(of(&[("A", "/a/"), ("B", "")]));
        }
    }

    #[test]
    fn sensible_texts_parse(
        text in r#"(\$[A-C]|"x"|null|\(\$A\)) (==|!=|&&|\|\|) (\$[A-C]|'y') (&&|\|\|) \$D =~ /ab+/"#
    ) {
        prop_assert!(Expression::parse(&text).is_ok());
    }
}
