//! One reading of a JSON text, with all that a parser has seen of it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A JSON value in which an object keeps every member, repeated keys included.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// `null`.
    Null,
    /// `true` and `false`.
    Bool(bool),
    /// A number that the parser keeps as an integer.
    Integer(i128),
    /// A number that the parser keeps as a double.
    Double(f64),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Tree>),
    /// An object, in the order of the text.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The members of an object, none for anything else.
    pub fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The entries of an array, none for anything else.
    pub fn entries(&self) -> &[Self] {
        match self {
            Self::Array(entries) => entries,
            _ => &[],
        }
    }

    /// Whether two readings of a number are the same number. Where one of the parsers has only doubles, the
    /// same double is meant.
    pub fn same_number(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left == right,
            _ => match (self.double(), other.double()) {
                // Not every parser rounds the last digit of a long one right; those of Node and CPython do, and
                // are held to it in `real.rs`.
                (Some(left), Some(right)) => {
                    left == right || (left - right).abs() <= left.abs() * 4.0 * f64::EPSILON
                }
                _ => false,
            },
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "that is what a parser with doubles only does"
    )]
    fn double(&self) -> Option<f64> {
        match self {
            Self::Integer(integer) => Some(*integer as f64),
            Self::Double(double) => Some(*double),
            _ => None,
        }
    }
}

impl From<&Value> for Tree {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(*bool),
            Value::Number(number) => number.as_i128().map_or_else(
                || Self::Double(number.as_f64().unwrap_or(f64::NAN)),
                Self::Integer,
            ),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(entries) => Self::Array(entries.iter().map(Self::from).collect()),
            Value::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(key, member)| (key.clone(), member.into()))
                    .collect(),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Seen)
    }
}

struct Seen;

impl<'de> Visitor<'de> for Seen {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Double(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut array = Vec::new();
        while let Some(entry) = entries.next_element()? {
            array.push(entry);
        }
        Ok(Tree::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}
