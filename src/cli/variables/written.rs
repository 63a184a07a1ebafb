//! A variable as a user writes it: as a value alone, or in the words of GitLab's API.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// What is written under a key: one variable, or one for each of several environments.
#[derive(Debug, Clone, PartialEq)]
pub struct Written(pub Vec<Entry>);

/// A variable in the words of GitLab's API (`/projects/:id/variables`).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Entry {
    /// The key, where it does not stand before.
    pub key: Option<String>,
    /// The value; absent where GitLab hides it.
    pub value: Option<Text>,
    /// What a job sees.
    pub variable_type: VariableType,
    /// Whether the value is hidden.
    pub masked: bool,
    /// Whether references in the value are left alone.
    pub raw: bool,
    /// Whether only protected branches have it.
    pub protected: bool,
    /// For which environments it is; all unless set.
    pub environment_scope: Option<String>,
    /// GitLab's, without a meaning here.
    description: Ignored,
    /// GitLab's, without a meaning here.
    hidden: Ignored,
}

/// `variable_type`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableType {
    /// Its value.
    #[default]
    EnvVar,
    /// The path of a file that has the value.
    File,
}

/// A value, which may be written without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

/// A value that is not looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl Entry {
    /// A value alone.
    pub fn of(text: String) -> Self {
        Self { value: Some(Text(text)), ..Self::default() }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(Plain { takes_tables: false })?.0.pop() {
            Some(Entry { value: Some(text), .. }) => Ok(text),
            _ => Ok(Self(String::new())),
        }
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Plain { takes_tables: true })
    }
}

/// Takes values, and tables where they may be. What is refused is not quoted: it may be a secret.
struct Plain {
    takes_tables: bool,
}

impl Plain {
    fn refused<E: de::Error>(&self) -> E {
        E::custom(match self.takes_tables {
            true => "expected a value, a table of `value`, `masked` and the like, or a list of tables",
            false => "expected a value",
        })
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = Written;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Written, E> {
        Ok(Written(vec![Entry::of(text.to_owned())]))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Written, E> {
        self.visit_str(if value { "true" } else { "false" })
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Written, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Written, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Written, E> {
        Err(E::custom("a number with a point needs quotes"))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Written, E> {
        self.visit_str("")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
        if !self.takes_tables {
            return Err(self.refused());
        }
        Entry::deserialize(MapAccessDeserializer::new(map)).map(|entry| Written(vec![entry]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Written, A::Error> {
        if !self.takes_tables {
            return Err(self.refused());
        }
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Written(entries))
    }
}

/// A file of variables: a table by keys, or a list as GitLab's API gives it.
#[derive(Debug, Default)]
pub(super) struct File(pub(super) Vec<(String, Written)>);

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whole)
    }
}

struct Whole;

/// What a file of variables is, for people.
const WHOLE: &str = "expected `NAME: value` lines, or the list that GitLab's API gives";

impl<'de> Visitor<'de> for Whole {
    type Value = File;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("variables")
    }

    fn visit_unit<E: de::Error>(self) -> Result<File, E> {
        Ok(File::default())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<File, E> {
        Err(E::custom(WHOLE))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
        let mut variables = Vec::new();
        while let Some(entry) = map.next_entry()? {
            variables.push(entry);
        }
        Ok(File(variables))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<File, A::Error> {
        let mut variables = Vec::new();
        while let Some(mut entry) = list.next_element::<Entry>()? {
            let Some(key) = entry.key.take() else {
                return Err(de::Error::custom("a variable of the list has no `key`"));
            };
            variables.push((key, Written(vec![entry])));
        }
        Ok(File(variables))
    }
}
