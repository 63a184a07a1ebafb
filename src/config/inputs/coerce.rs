//! Values as the types of inputs (`coerced_value` of GitLab's `Ci::Inputs`).

use super::{interpolate::ruby_text, spec::Type};
use crate::config::{
    Node, Span,
    node::{Kind, Mapping, Scalar, Value},
    yaml::scan,
};

/// A value as a type. `string` takes anything as text; the other types read texts as JSON.
pub(super) fn coerce(value: &Node, kind: Type) -> Node {
    match (kind, value.as_str()) {
        (Type::String, None) => Node::string(ruby_text(value), value.span),
        (Type::String, Some(_)) | (_, None) => value.clone(),
        (_, Some(text)) => match serde_json::from_str(text) {
            Ok(json) => from_json(json, value.span),
            Err(_) => value.clone(),
        },
    }
}

fn from_json(value: serde_json::Value, span: Span) -> Node {
    use serde_json::Value as Json;
    let kind = match value {
        Json::Null => return Node::null(span),
        Json::Bool(value) => Kind::Scalar(Scalar { value: Value::Bool(value), text: value.to_string() }),
        Json::Number(number) => Kind::Scalar(scan(&number.to_string())),
        Json::String(text) => return Node::string(text, span),
        Json::Array(items) => Kind::Sequence(items.into_iter().map(|item| from_json(item, span)).collect()),
        Json::Object(entries) => {
            let mut mapping = Mapping::default();
            for (key, value) in entries {
                mapping.insert(key, span, from_json(value, span));
            }
            Kind::Mapping(mapping)
        }
    };
    Node { kind, span }
}
