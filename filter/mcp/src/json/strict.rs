//! A `serde` visitor that refuses what parsers disagree about.

use super::keys::folded_duplicate;
use crate::limits::Limits;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not JSON: bad syntax, bad UTF-8, lone surrogate, number out of range, more than one value.
    Syntax(String),
    /// An object has this key twice, after unescaping.
    Duplicate(String),
    /// An object has this key and one that differs only in case.
    Confusable(String),
    /// An object has the key `__proto__`.
    Prototype,
    /// Nested deeper than this.
    Depth(u32),
}

/// One JSON value.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) value: Value,
    /// Whether some number of it was read as a float: perhaps an integer that fits nothing else.
    pub(crate) has_floats: bool,
}

/// Reads one JSON value and nothing beside it.
pub(crate) fn read(json: &[u8], depth: u32) -> Result<Read, Fault> {
    run::<true>(json, depth)
}

/// Like [`read`] without building the value, and without minding `__proto__` and keys that differ only in case.
pub(crate) fn check(json: &[u8], depth: u32) -> Result<(), Fault> {
    run::<false>(json, depth).map(drop)
}

fn run<const BUILD: bool>(json: &[u8], depth: u32) -> Result<Read, Fault> {
    let limit = depth.min(Limits::MAX_DEPTH);
    let fault = RefCell::new(None);
    let floats = Cell::new(false);
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Strict::<BUILD> {
        left: limit,
        limit,
        fault: &fault,
        floats: &floats,
    }
    .deserialize(&mut deserializer)
    .and_then(|value| deserializer.end().map(|()| value))
    .map(|value| Read {
        value,
        has_floats: floats.get(),
    })
    .map_err(|error| {
        fault
            .take()
            .unwrap_or_else(|| Fault::Syntax(error.to_string()))
    })
}

#[derive(Clone, Copy)]
struct Strict<'f, const BUILD: bool> {
    left: u32,
    limit: u32,
    // serde errors are opaque, so the reason takes its own way out.
    fault: &'f RefCell<Option<Fault>>,
    floats: &'f Cell<bool>,
}

impl<const BUILD: bool> Strict<'_, BUILD> {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left, ..self }),
            None => Err(self.refuse(Fault::Depth(self.limit))),
        }
    }

    fn refuse<E: serde::de::Error>(self, fault: Fault) -> E {
        self.fault.replace(Some(fault));
        E::custom("refused")
    }
}

impl<'de, const BUILD: bool> DeserializeSeed<'de> for Strict<'_, BUILD> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, const BUILD: bool> Visitor<'de> for Strict<'_, BUILD> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.floats.set(true);
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(if BUILD {
            Value::String(value.to_owned())
        } else {
            Value::Null
        })
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let seed = self.inside()?;
        let mut array = Vec::new();
        while let Some(entry) = entries.next_element_seed(seed)? {
            if BUILD {
                array.push(entry);
            }
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let seed = self.inside()?;
        let mut map = Map::new();
        let mut keys = Vec::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            let value = entries.next_value_seed(seed)?;
            if !BUILD {
                keys.push(key);
            } else if key == PROTOTYPE {
                return Err(self.refuse(Fault::Prototype));
            } else if map.contains_key(key.as_ref()) {
                return Err(self.refuse(Fault::Duplicate(excerpt(&key))));
            } else {
                map.insert(key.into_owned(), value);
            }
        }
        if BUILD {
            if let Some(key) = folded_duplicate(map.keys().map(String::as_str)) {
                return Err(self.refuse(Fault::Confusable(excerpt(key))));
            }
        } else {
            keys.sort_unstable();
            if let Some([key, _]) = keys.array_windows().find(|[left, right]| left == right) {
                return Err(self.refuse(Fault::Duplicate(excerpt(key))));
            }
        }
        Ok(Value::Object(map))
    }
}

/// A key that JSON parsers take for one like any other, but that replaces the prototype of the object to which a
/// server in JavaScript copies it: then the object has members that nobody read in it.
pub(crate) const PROTOTYPE: &str = "__proto__";

/// The start of a text from outside, for a message that goes back to it.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A key, borrowed from the text when it has no escapes.
pub(crate) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
