//! The parsers.

use std::borrow::Cow;

use jiter::{JsonValue as Jiter, PartialMode};
use jzon::JsonValue as Jzon;
use tinyjson::JsonValue as Tiny;

use super::tree::Tree;

/// One way to read bytes as JSON; nothing when it refuses them.
#[derive(Clone, Copy)]
pub struct Parser {
    /// What it is called in a finding.
    pub name: &'static str,
    /// Reads.
    pub read: fn(&[u8]) -> Option<Tree>,
}

/// All of them. Each refuses other texts, so none is left out for being strict.
pub const PARSERS: [Parser; 10] = [
    Parser {
        name: "serde_json",
        read: serde,
    },
    // What a decoder that reads from a stream takes: one value, whatever follows.
    Parser {
        name: "serde_json, first value of many",
        read: serde_stream,
    },
    // What text handling that repairs its input takes.
    Parser {
        name: "serde_json after lossy UTF-8",
        read: lossy,
    },
    Parser {
        name: "simd-json",
        read: simd,
    },
    Parser {
        name: "sonic-rs",
        read: sonic,
    },
    // Reads for pydantic, and so for MCP servers in Python; it takes NaN and infinities.
    Parser {
        name: "jiter",
        read: jiter,
    },
    Parser {
        name: "jiter, cut off",
        read: jiter_partial,
    },
    // A superset of JSON, for servers that take what people write by hand.
    Parser {
        name: "json5",
        read: json5,
    },
    Parser {
        name: "jzon",
        read: jzon,
    },
    // Knows doubles only, as ECMAScript does.
    Parser {
        name: "tinyjson",
        read: tiny,
    },
];

/// How deep a text may be for parsers that recurse without a limit of their own.
const MOST_NESTED: usize = 500;

fn serde(text: &[u8]) -> Option<Tree> {
    serde_json::from_slice(text).ok()
}

fn serde_stream(text: &[u8]) -> Option<Tree> {
    serde_json::Deserializer::from_slice(text)
        .into_iter()
        .next()?
        .ok()
}

fn lossy(text: &[u8]) -> Option<Tree> {
    let text = String::from_utf8_lossy(text);
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(&text)).ok()
}

fn simd(text: &[u8]) -> Option<Tree> {
    if !is_shallow(text) {
        return None;
    }
    simd_json::serde::from_slice(&mut text.to_vec()).ok()
}

fn sonic(text: &[u8]) -> Option<Tree> {
    if !is_shallow(text) {
        return None;
    }
    sonic_rs::from_slice(text).ok()
}

fn json5(text: &[u8]) -> Option<Tree> {
    if !is_shallow(text) {
        return None;
    }
    json5::from_str(std::str::from_utf8(text).ok()?).ok()
}

fn jiter(text: &[u8]) -> Option<Tree> {
    Jiter::parse(text, true).ok().map(from_jiter)
}

fn jiter_partial(text: &[u8]) -> Option<Tree> {
    let value = Jiter::parse_with_config(text, true, PartialMode::TrailingStrings);
    value.ok().map(from_jiter)
}

fn from_jiter(value: Jiter<'_>) -> Tree {
    match value {
        Jiter::Null => Tree::Null,
        Jiter::Bool(bool) => Tree::Bool(bool),
        Jiter::Int(integer) => Tree::Integer(integer.into()),
        Jiter::BigInt(integer) => {
            let text = integer.to_string();
            text.parse().map_or_else(
                |_| Tree::Double(text.parse().expect("digits are a number")),
                Tree::Integer,
            )
        }
        Jiter::Float(double) => Tree::Double(double),
        Jiter::Str(text) => Tree::Text(text.into_owned()),
        Jiter::Array(entries) => Tree::Array(entries.iter().cloned().map(from_jiter).collect()),
        Jiter::Object(members) => {
            let member = |(key, member): &(Cow<'_, str>, Jiter<'_>)| {
                (key.clone().into_owned(), from_jiter(member.clone()))
            };
            Tree::Object(members.iter().map(member).collect())
        }
    }
}

fn jzon(text: &[u8]) -> Option<Tree> {
    let value = jzon::parse(std::str::from_utf8(text).ok()?).ok()?;
    Some(from_jzon(&value))
}

fn from_jzon(value: &Jzon) -> Tree {
    match value {
        Jzon::Null => Tree::Null,
        Jzon::Boolean(bool) => Tree::Bool(*bool),
        Jzon::Number(number) => {
            let (positive, mantissa, exponent) = number.as_parts();
            let sign = if positive { "" } else { "-" };
            let text = format!("{sign}{mantissa}e{exponent}");
            match (exponent, positive) {
                (0, true) => Tree::Integer(mantissa.into()),
                (0, false) => Tree::Integer(-i128::from(mantissa)),
                _ => Tree::Double(text.parse().expect("a number in decimal notation")),
            }
        }
        Jzon::Short(text) => Tree::Text(text.as_str().to_owned()),
        Jzon::String(text) => Tree::Text(text.clone()),
        Jzon::Array(entries) => Tree::Array(entries.iter().map(from_jzon).collect()),
        Jzon::Object(members) => Tree::Object(
            members
                .iter()
                .map(|(key, member)| (key.to_owned(), from_jzon(member)))
                .collect(),
        ),
    }
}

fn tiny(text: &[u8]) -> Option<Tree> {
    if !is_shallow(text) {
        return None;
    }
    let value: Tiny = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(from_tiny(value))
}

fn from_tiny(value: Tiny) -> Tree {
    match value {
        Tiny::Null => Tree::Null,
        Tiny::Boolean(bool) => Tree::Bool(bool),
        Tiny::Number(double) => Tree::Double(double),
        Tiny::String(text) => Tree::Text(text),
        Tiny::Array(entries) => Tree::Array(entries.into_iter().map(from_tiny).collect()),
        Tiny::Object(members) => Tree::Object(
            members
                .into_iter()
                .map(|(key, member)| (key, from_tiny(member)))
                .collect(),
        ),
    }
}

/// An upper bound suffices: brackets in strings count too.
fn is_shallow(text: &[u8]) -> bool {
    let opening = text.iter().filter(|byte| matches!(byte, b'[' | b'{'));
    opening.count() <= MOST_NESTED
}
