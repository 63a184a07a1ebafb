//! Diagnostics as SARIF 2.1.0, for code scanners
//! (`docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html`).

use std::fmt::Write as _;

use indexmap::IndexSet;
use serde_json::{Value, json};

use super::diagnostics::Record;

/// The name that scanners give the root of what they scan.
const ROOT: &str = "%SRCROOT%";

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A log of one run, with its end of line. Files are named relative to the project's root.
pub fn log(records: &[Record]) -> String {
    let rules: IndexSet<&str> = records.iter().map(|record| record.code).collect();
    let level = |code: &str| records.iter().find(|record| record.code == code).map(|record| record.severity);
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "podline",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|code| rule(code, level(code))).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {ROOT: {"description": {"text": "the root of the project"}}},
            "results": records.iter().map(|record| result(record, &rules)).collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

/// What a scanner shows of a kind of mistake: `unknown-keyword` is an `unknown keyword`.
fn rule(code: &str, level: Option<&str>) -> Value {
    json!({
        "id": code,
        "shortDescription": {"text": code.replace('-', " ")},
        "defaultConfiguration": {"level": level},
    })
}

fn result(record: &Record, rules: &IndexSet<&str>) -> Value {
    let help = record.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    let mut result = json!({
        "ruleId": record.code,
        "ruleIndex": rules.get_index_of(record.code),
        "level": record.severity,
        "message": {"text": format!("{}{help}", record.message)},
    });
    if let Some(file) = &record.file {
        let mut artifact = json!({"uri": uri(file)});
        if !is_address(file) {
            artifact["uriBaseId"] = json!(ROOT);
        }
        let mut place = json!({"artifactLocation": artifact});
        if let Some(line) = record.line {
            place["region"] = json!({"startLine": line, "startColumn": record.column.unwrap_or(1)});
        }
        result["locations"] = json!([{"physicalLocation": place}]);
    }
    result
}

/// A path or the name of an include as a reference: what has a meaning there is escaped. Of an address, what
/// no address may have.
fn uri(name: &str) -> String {
    let allowed: &[u8] = if is_address(name) { b"-._~/@:?#[]!$&'()*+,;=%" } else { b"-._~/@" };
    let mut uri = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || allowed.contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

fn is_address(name: &str) -> bool {
    name.starts_with("https://") || name.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_the_rules_once_and_every_result() {
        let record = Record {
            severity: "error",
            code: "wrong-type",
            message: "`image` should be a string".to_owned(),
            file: Some("ci/a b.yml".to_owned()),
            line: Some(3),
            column: Some(7),
            help: Some("quote it".to_owned()),
        };
        let nowhere = Record {
            severity: "warning",
            file: None,
            line: None,
            column: None,
            help: None,
            ..record.clone()
        };
        insta::assert_snapshot!(log(&[record, nowhere]), @r#"
    {
      "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
      "version": "2.1.0",
      "runs": [
        {
          "tool": {
            "driver": {
              "name": "podline",
              "version": "0.1.0",
              "semanticVersion": "0.1.0",
              "rules": [
                {
                  "id": "wrong-type",
                  "shortDescription": {
                    "text": "wrong type"
                  },
                  "defaultConfiguration": {
                    "level": "error"
                  }
                }
              ]
            }
          },
          "columnKind": "unicodeCodePoints",
          "originalUriBaseIds": {
            "%SRCROOT%": {
              "description": {
                "text": "the root of the project"
              }
            }
          },
          "results": [
            {
              "ruleId": "wrong-type",
              "ruleIndex": 0,
              "level": "error",
              "message": {
                "text": "`image` should be a string\nquote it"
              },
              "locations": [
                {
                  "physicalLocation": {
                    "artifactLocation": {
                      "uri": "ci/a%20b.yml",
                      "uriBaseId": "%SRCROOT%"
                    },
                    "region": {
                      "startLine": 3,
                      "startColumn": 7
                    }
                  }
                }
              ]
            },
            {
              "ruleId": "wrong-type",
              "ruleIndex": 0,
              "level": "warning",
              "message": {
                "text": "`image` should be a string"
              }
            }
          ]
        }
      ]
    }
    "#);
    }

    #[test]
    fn names_are_references() {
        for (name, expected) in [
            (".gitlab-ci.yml", ".gitlab-ci.yml"),
            ("g/p@main:ci/ü.yml", "g/p@main%3Aci/%C3%BC.yml"),
            ("https://host/a.yml?x=1", "https://host/a.yml?x=1"),
            ("https://host/a b\u{202e}.yml?x=%20", "https://host/a%20b%E2%80%AE.yml?x=%20"),
        ] {
            assert_eq!(uri(name), expected);
        }
    }
}
