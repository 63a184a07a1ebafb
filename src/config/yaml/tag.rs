//! Tags: what GitLab's `safe_load` does with them.

use super::scalar::scan;
use crate::config::node::{Scalar, Value};

/// What a tag makes of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// No tag, or one that Psych ignores: the node is what it looks like.
    Plain,
    /// `!reference`.
    Reference,
    /// `!!str`.
    Str,
    /// `!!float`.
    Float,
    /// One that makes a Ruby object, which `safe_load` refuses.
    Refused,
}

impl Tag {
    /// Reads the tag of an event.
    pub(super) fn of(tag: Option<&str>) -> Self {
        let Some(tag) = tag else { return Self::Plain };
        let name = tag.strip_prefix("tag:yaml.org,2002:").or_else(|| tag.strip_prefix('!')).unwrap_or(tag);
        match name {
            "reference" if tag == "!reference" => Self::Reference,
            "str" => Self::Str,
            "float" => Self::Float,
            "binary" | "omap" | "set" => Self::Refused,
            _ if name.starts_with("ruby/") => Self::Refused,
            _ => Self::Plain,
        }
    }

    /// The scalar that this tag makes of an unquoted text.
    pub(super) fn apply(self, text: String) -> Scalar {
        match self {
            Self::Str => Scalar { value: Value::String, text },
            Self::Float => {
                let scalar = scan(&text);
                #[expect(clippy::cast_precision_loss, reason = "Ruby's Float() rounds as well")]
                match scalar.value {
                    Value::Int(number) => Scalar { value: Value::Float(number as f64), ..scalar },
                    _ => scalar,
                }
            }
            Self::Plain | Self::Reference | Self::Refused => scan(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn tags_are_told_apart_by_what_psych_does_with_them() {
        let table = [
            (None, Tag::Plain),
            (Some("!"), Tag::Plain),
            (Some("!anything"), Tag::Plain),
            (Some("!reference"), Tag::Reference),
            (Some("tag:yaml.org,2002:str"), Tag::Str),
            (Some("tag:yaml.org,2002:map"), Tag::Plain),
            (Some("tag:yaml.org,2002:set"), Tag::Refused),
            (Some("!ruby/object:Object"), Tag::Refused),
        ];
        for (text, tag) in table {
            assert_eq!(Tag::of(text), tag, "{text:?}");
        }
    }
}
