//! The tree.

use std::ops::Range;

use granit_parser::ScalarStyle;

use crate::problem::Position;

/// One value.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    /// Entries in the order of the text. Keys are unique.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) at: Position,
    pub(crate) text: String,
}

/// A value that is neither list nor map.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// The text after quotes and escapes are resolved.
    pub(crate) text: String,
    pub(crate) style: ScalarStyle,
    /// Bytes of the file that it is written in, quotes included.
    pub(crate) source: Range<usize>,
}

/// The value of a scalar by the core schema of YAML 1.2 (section 10.3.2): quoted text is a string, plain
/// text may be something else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// An integer or a decimal, as it is written.
    Number(&'a str),
    String(&'a str),
}

impl Scalar {
    pub(crate) fn value(&self) -> Value<'_> {
        let text = self.text.as_str();
        if self.style != ScalarStyle::Plain {
            return Value::String(text);
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            _ if is_number(text) => Value::Number(text),
            _ => Value::String(text),
        }
    }
}

impl Node {
    /// What it is, for messages: "a list", "the number `12`".
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
            Kind::Scalar(scalar) => match scalar.value() {
                Value::Null => "nothing".to_owned(),
                Value::Bool(bool) => format!("the boolean `{bool}`"),
                Value::Number(text) => format!("the number `{}`", crate::suggest::excerpt(text)),
                Value::String(text) => format!("the text `{}`", crate::suggest::excerpt(text)),
            },
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.value() == Value::Null)
    }

    /// What copying the node costs: about its bytes in memory.
    pub(crate) fn cost(&self) -> usize {
        const NODE: usize = 96;
        let content = match &self.kind {
            Kind::Scalar(scalar) => scalar.text.len(),
            Kind::List(items) => items.iter().map(Self::cost).sum(),
            Kind::Map(entries) => {
                let entries = entries.iter();
                entries
                    .map(|(key, node)| NODE + key.text.len() + node.cost())
                    .sum()
            }
        };
        NODE.saturating_add(content)
    }
}

/// Whether plain text is an integer (decimal, octal, hexadecimal) or a decimal of the core schema.
fn is_number(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && (whole.len() + fraction.len()) > 0 && exponent
}
