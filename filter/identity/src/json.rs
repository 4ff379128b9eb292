//! JSON without ambiguity: RFC 7515 section 4 and RFC 7519 section 4 let a parser choose between refusing
//! repeated members and taking the last; another reader of the same token may have chosen otherwise.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// An object in which no object, at any depth, repeats a member.
///
/// The depth is bounded by serde_json (128).
pub(crate) fn object(text: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    // A pass of its own, so that how serde_json represents numbers stays its own business.
    serde_json::from_slice::<Unique>(text)?;
    serde_json::from_slice(text)
}

/// Any value, read for its members' names and forgotten.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        while items.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unique, A::Error> {
        let mut names = BTreeSet::new();
        while let Some((name, Unique)) = members.next_entry::<String, Unique>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a member is repeated"));
            }
        }
        Ok(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_members_are_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":{"b":[{"c":1,"c":2}]}}"#,
            r#"{"":1,"":2}"#,
        ] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn only_objects_and_nothing_after_them() {
        for text in [
            "",
            "[]",
            "1",
            "null",
            "\"a\"",
            "{} {}",
            "{}x",
            "\u{feff}{}",
            "{\"a\":1,}",
        ] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
        assert!(object(&[b"[".repeat(100_000), b"]".repeat(100_000)].concat()).is_err());
    }

    #[test]
    fn everything_else_is_kept() {
        let text = r#" {"a":[null,true,-1,18446744073709551615,1.5,"\u00e9"],"b":{"a":{}}} "#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(object(text.as_bytes()).unwrap()), expected);
    }
}
