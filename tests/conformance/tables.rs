//! GitLab's tables of expressions and of expanded variables.

use podline::config::{
    expand::{Definition, Options, expand_with},
    expression::{Expression, Name, Value},
};
use serde_json::Value as Json;

use super::tally::{self, Tally};

/// The rows of a table by the names of its columns; each is a case that is named by its line.
fn table(name: &str, holds: impl Fn(&dyn Fn(&str) -> String) -> Result<(), String>) {
    let Some(folder) = tally::conformance() else { return };
    let text = std::fs::read_to_string(folder.join(name)).expect("the table is part of the data");
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let mut tally = Tally::new(name);
    for line in lines.filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |column: &str| {
            let at = columns.iter().position(|name| *name == column);
            at.and_then(|at| cells.get(at)).copied().unwrap_or_default().to_owned()
        };
        tally.case(line, holds(&cell));
    }
    tally.finish("");
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("`{text}` is no JSON: {error}"))
}

fn same(found: &str, expected: &str) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("found `{found}`, expected `{expected}`")) }
}

#[test]
fn every_expression_has_gitlabs_value_and_truth() {
    table("expressions.tsv", |cell| {
        let variables = json(&cell("variables_json"));
        let value = Expression::parse(&cell("expression")).ok().map(|expression| {
            expression.evaluate(|name| {
                let found = match name {
                    Name::Variable(name) => variables.get(name),
                    Name::Input(name) => variables.get("inputs").and_then(|inputs| inputs.get(name)),
                };
                found.filter(|value| !value.is_null()).map(|value| match value {
                    Json::Bool(value) => Value::Bool(*value),
                    Json::String(text) => Value::String(text.clone()),
                    other => Value::String(other.to_string()),
                })
            })
        });
        let holds = value.as_ref().is_some_and(Value::is_present);
        same(&holds.to_string(), &cell("expected_truthy"))?;
        match cell("expected_value_json").as_str() {
            "" => Ok(()),
            expected => same(&serde_json::json!(value).to_string(), &json(expected).to_string()),
        }
    });
}

#[test]
fn every_text_is_expanded_as_gitlab_expands_it() {
    table("expand-variables.tsv", |cell| {
        let flags = json(&cell("options_json"));
        let options = Options {
            keep_unknown: cell("function") == "expand_existing",
            file_references: flags["expand_file_refs"] != false,
            refuse_masked: flags["fail_on_masked"] == true,
            ..Options::EMPTY_UNKNOWN
        };
        let variables = Variable::list(&json(&cell("variables_json")));
        let result = expand_with(&cell("value"), options, |name| {
            variables.iter().find(|variable| variable.key == name).map(Variable::definition)
        });
        let expected = cell("expected_result");
        match (cell("outcome").as_str(), result) {
            ("ok", Ok(found)) => same(&found, &expected),
            ("ok", Err(error)) => Err(format!("is refused: {error}")),
            (_, Ok(found)) => Err(format!("is expanded to `{found}`")),
            (_, Err(error)) if error.to_string().starts_with(&expected) => Ok(()),
            (_, Err(error)) => same(&error.to_string(), &expected),
        }
    });
}

/// A variable of `variables_json`: a hash of values, or a list of items.
struct Variable {
    key: String,
    value: String,
    file: bool,
    raw: bool,
    masked: bool,
}

impl Variable {
    fn list(variables: &Json) -> Vec<Self> {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        match variables {
            Json::Object(map) => map
                .iter()
                .map(|(key, value)| Self {
                    key: key.clone(),
                    value: text(value),
                    file: false,
                    raw: false,
                    masked: false,
                })
                .collect(),
            Json::Array(list) => list
                .iter()
                .map(|item| Self {
                    key: text(&item["key"]),
                    value: text(&item["value"]),
                    file: item["file"] == true,
                    raw: item["raw"] == true,
                    masked: item["masked"] == true,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    fn definition(&self) -> Definition<'_> {
        let Self { key, value, file, raw, masked } = self;
        Definition { key, value, file: *file, raw: *raw, masked: *masked }
    }
}
