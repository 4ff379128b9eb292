//! Values of conditions. What comes from the request or the policy is borrowed, never copied.

use std::ops::Deref;
use std::rc::Rc;

use serde_json::Value as Json;

use super::number::finite;
use super::{Failure, Number};
use crate::scope::Scope;
use crate::{Findings, Var};

/// The value of an expression.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Text<'a>),
    List(List<'a>),
    Map(Map<'a>),
}

/// A string.
#[derive(Clone, Debug)]
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    Owned(Rc<str>),
}

/// A list.
#[derive(Clone, Debug)]
pub(crate) enum List<'a> {
    Json(&'a [Json]),
    Strings(&'a [String]),
    /// Strings of a table, by number.
    Named(&'a [u32], &'a [String]),
    Owned(Rc<[Value<'a>]>),
}

/// A map.
#[derive(Clone, Debug)]
pub(crate) enum Map<'a> {
    Json(&'a serde_json::Map<String, Json>),
    Root(Var, &'a Scope<'a>),
    Findings(&'a Findings),
    Owned(Rc<[(Value<'a>, Value<'a>)]>),
}

/// Fields of `findings`.
const FINDINGS: [&str; 4] = ["score", "flagged", "features", "secrets"];

impl<'a> Value<'a> {
    pub(crate) fn from_json(json: &'a Json) -> Result<Self, Failure<'static>> {
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(bool) => Self::Bool(*bool),
            Json::Number(number) => Self::Number(Number::from_outside(number)?),
            Json::String(text) => Self::Text(Text::Borrowed(text)),
            Json::Array(items) => Self::List(List::Json(items)),
            Json::Object(fields) => Self::Map(Map::Json(fields)),
        })
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Number(number) => number.type_name(),
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    pub(crate) fn bool(&self) -> Result<bool, Failure<'static>> {
        match self {
            Self::Bool(bool) => Ok(*bool),
            other => Err(other.is_no("bool")),
        }
    }

    pub(crate) fn text(self) -> Result<Text<'a>, Failure<'static>> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(other.is_no("string")),
        }
    }

    pub(crate) fn is_no(&self, expected: &'static str) -> Failure<'static> {
        Failure::Type {
            expected,
            found: self.type_name(),
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::Owned(text.into())
    }
}

impl<'a> List<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json(items) => items.len(),
            Self::Strings(items) => items.len(),
            Self::Named(items, _) => items.len(),
            Self::Owned(items) => items.len(),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Result<Option<Value<'a>>, Failure<'static>> {
        let text = |text: &'a String| Value::Text(Text::Borrowed(text));
        Ok(match self {
            Self::Json(items) => return items.get(index).map(Value::from_json).transpose(),
            Self::Strings(items) => items.get(index).map(text),
            Self::Named(items, names) => items
                .get(index)
                .and_then(|number| names.get(*number as usize))
                .map(text),
            Self::Owned(items) => items.get(index).cloned(),
        })
    }
}

impl<'a> Map<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json(fields) => fields.len(),
            Self::Root(var, scope) => scope.fields(*var).len(),
            Self::Findings(_) => FINDINGS.len(),
            Self::Owned(entries) => entries.len(),
        }
    }

    /// The value under a string key.
    pub(crate) fn field(&self, field: &str) -> Result<Option<Value<'a>>, Failure<'static>> {
        match self {
            Self::Json(fields) => fields.get(field).map(Value::from_json).transpose(),
            Self::Root(var, scope) => Ok(scope.field(*var, field)),
            Self::Findings(findings) => Ok(match field {
                "score" => Some(Value::Number(finite(findings.score)?)),
                "flagged" => Some(Value::Bool(findings.flagged)),
                "features" => Some(Value::List(List::Strings(&findings.features))),
                "secrets" => Some(Value::List(List::Strings(&findings.secrets))),
                _ => None,
            }),
            Self::Owned(entries) => Ok(entries
                .iter()
                .find(|(key, _)| matches!(key, Value::Text(text) if **text == *field))
                .map(|(_, value)| value.clone())),
        }
    }

    /// The value under any key that CEL allows: booleans, integers and strings.
    pub(crate) fn entry(&self, key: &Value<'_>) -> Result<Option<Value<'a>>, Failure<'static>> {
        match (key, self) {
            (Value::Text(text), _) => self.field(text),
            (_, Self::Owned(entries)) => Ok(entries
                .iter()
                .find(|(other, _)| same_key(other, key))
                .map(|(_, value)| value.clone())),
            (Value::Bool(_) | Value::Number(_), _) => Ok(None),
            (other, _) => Err(other.is_no("a key")),
        }
    }

    /// The keys, in an order of their own.
    pub(crate) fn keys(&self) -> Vec<Value<'a>> {
        match self {
            Self::Json(fields) => fields
                .keys()
                .map(|key| Value::Text(Text::Borrowed(key.as_str())))
                .collect(),
            Self::Root(var, scope) => names(scope.fields(*var)),
            Self::Findings(_) => names(&FINDINGS),
            Self::Owned(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
        }
    }
}

fn names<'a>(fields: &'static [&'static str]) -> Vec<Value<'a>> {
    let fields = fields.iter();
    fields
        .map(|field| Value::Text(Text::Borrowed(field)))
        .collect()
}

/// Whether two keys are the same; numbers by value.
pub(crate) fn same_key(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => **left == **right,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Number(left), Value::Number(right)) => {
            left.compare(*right) == Some(std::cmp::Ordering::Equal)
        }
        _ => false,
    }
}
