//! Arguments as a table.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Rows that are shown; the rest is in the raw text, which is always whole.
const MAX_ROWS: usize = 1000;
/// Deeper values are shown as JSON: beyond this nobody can follow the indentation.
const MAX_DEPTH: usize = 8;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// How far in it stands.
    pub depth: usize,
    /// Key or position (`[3]`).
    pub key: String,
    /// `object`, `list`, `text`, `number`, `truth`, `nothing`, or `json` where it became too deep.
    pub kind: &'static str,
    /// The value: texts without quotes, numbers exactly as they were written, of objects and lists how many
    /// entries they have.
    pub value: String,
}

/// The rows of a JSON object, and how many more there are. `None` when it is no object.
///
/// Numbers are never read: `9007199254740993` must not be shown as another number.
pub fn rows(json: &str) -> Option<(Vec<Row>, usize)> {
    let raw: &RawValue = serde_json::from_str(json).ok()?;
    let Value::Object(members) = value(raw)? else {
        return None;
    };
    let mut table = Table::default();
    for (key, raw) in members {
        table.add(0, key, raw);
    }
    Some((table.rows, table.more))
}

#[derive(Default)]
struct Table {
    rows: Vec<Row>,
    more: usize,
}

impl Table {
    fn add(&mut self, depth: usize, key: String, raw: &RawValue) {
        if self.rows.len() >= MAX_ROWS {
            self.more += 1;
            return;
        }
        let row = |kind, value| Row {
            depth,
            key,
            kind,
            value,
        };
        match value(raw) {
            Some(Value::Object(members)) if depth < MAX_DEPTH => {
                self.rows
                    .push(row("object", count(members.len(), "entry", "entries")));
                for (key, raw) in members {
                    self.add(depth + 1, key, raw);
                }
            }
            Some(Value::List(items)) if depth < MAX_DEPTH => {
                self.rows
                    .push(row("list", count(items.len(), "item", "items")));
                for (index, raw) in items.into_iter().enumerate() {
                    self.add(depth + 1, format!("[{index}]"), raw);
                }
            }
            Some(Value::Text(text)) => self.rows.push(row("text", text)),
            Some(Value::Other(kind)) => self.rows.push(row(kind, raw.get().to_owned())),
            Some(Value::Object(_) | Value::List(_)) | None => {
                self.rows.push(row("json", raw.get().to_owned()));
            }
        }
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        0 => "empty".to_owned(),
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}

enum Value<'a> {
    Object(Vec<(String, &'a RawValue)>),
    List(Vec<&'a RawValue>),
    Text(String),
    Other(&'static str),
}

fn value(raw: &RawValue) -> Option<Value<'_>> {
    let text = raw.get();
    match text.as_bytes().first()? {
        b'{' => Some(Value::Object(
            serde_json::from_str::<Members<'_>>(text).ok()?.0,
        )),
        b'[' => Some(Value::List(serde_json::from_str::<Items<'_>>(text).ok()?.0)),
        b'"' => Some(Value::Text(serde_json::from_str(text).ok()?)),
        b't' | b'f' => Some(Value::Other("truth")),
        b'n' => Some(Value::Other("nothing")),
        _ => Some(Value::Other("number")),
    }
}

/// The members of an object in the order in which they were written, repeated ones too.
struct Members<'a>(Vec<(String, &'a RawValue)>);
struct Items<'a>(Vec<&'a RawValue>);
struct Read;

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object).map(Self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Read).map(Self)
    }
}

impl<'de> Visitor<'de> for Read {
    type Value = Vec<&'de RawValue>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(json: &str, expected: &[(usize, &str, &str, &str)]) {
        let (rows, more) = rows(json).unwrap();
        let short: Vec<_> = rows
            .iter()
            .map(|row| (row.depth, row.key.as_str(), row.kind, row.value.as_str()))
            .collect();
        assert_eq!(short, expected);
        assert_eq!(more, 0);
    }

    #[test]
    fn values_as_they_were_written() {
        check("{}", &[]);
        check(
            r#"{"a":9007199254740993,"b":1e400,"c":"x\ny","d":null,"e":true}"#,
            &[
                (0, "a", "number", "9007199254740993"),
                (0, "b", "number", "1e400"),
                (0, "c", "text", "x\ny"),
                (0, "d", "nothing", "null"),
                (0, "e", "truth", "true"),
            ],
        );
    }

    #[test]
    fn nested() {
        check(
            r#"{"a":{"b":[1,{}]},"a":[]}"#,
            &[
                (0, "a", "object", "1 entry"),
                (1, "b", "list", "2 items"),
                (2, "[0]", "number", "1"),
                (2, "[1]", "object", "empty"),
                (0, "a", "list", "empty"),
            ],
        );
    }

    #[test]
    fn no_object() {
        for json in ["", "[]", "1", "{", "\"x\""] {
            assert_eq!(rows(json), None, "{json}");
        }
    }

    #[test]
    fn too_much() {
        let many: Vec<String> = (0..1200).map(|number| format!("\"k{number}\":1")).collect();
        let (shown, more) = rows(&format!("{{{}}}", many.join(","))).unwrap();
        assert_eq!((shown.len(), more), (1000, 200));
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        let (shown, _) = rows(&deep).unwrap();
        assert_eq!(shown.last().unwrap().kind, "json");
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = rows(&text);
        }
    }
}
