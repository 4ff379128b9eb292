//! One spelling for equal arguments, to be digested.

use crate::json;
use crate::limits::Limits;
use serde_json::{Map, Number, Value};
use std::cmp::Ordering;
use std::fmt::Write as _;

/// Arguments after RFC 8785: keys sorted by UTF-16 code units, no blanks, shortest escapes and numbers. It
/// differs from the RFC in one point: integers keep all their digits, so that two of them which a float
/// cannot tell apart have two digests.
#[must_use]
pub fn canonical(arguments: &Map<String, Value>) -> String {
    let mut out = String::new();
    object(arguments, &mut out);
    out
}

/// [`canonical`] of an object that is written in another way; `None` when the text is none, or has two readings.
#[must_use]
pub fn canonical_text(object: &str) -> Option<String> {
    match json::read(object.as_bytes(), Limits::MAX_DEPTH).ok()?.value {
        Value::Object(map) => Some(canonical(&map)),
        _ => None,
    }
}

fn value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => self::number(number, out),
        Value::String(text) => string(text, out),
        Value::Array(entries) => {
            out.push('[');
            for (at, entry) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                self::value(entry, out);
            }
            out.push(']');
        }
        Value::Object(map) => object(map, out),
    }
}

/// The order of UTF-16. Out of line: a sort has a dozen copies of what it compares by.
#[inline(never)]
fn in_units(left: &str, right: &str) -> Ordering {
    left.encode_utf16().cmp(right.encode_utf16())
}

fn object(map: &Map<String, Value>, out: &mut String) {
    let mut members: Vec<_> = map.iter().collect();
    // The map is in the order of UTF-8, which is that of UTF-16 but for characters beyond U+D7FF.
    if members.iter().any(|(key, _)| !key.is_ascii()) {
        members.sort_by(|(left, _), (right, _)| in_units(left, right));
    }
    out.push('{');
    for (at, (key, member)) in members.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        string(key, out);
        out.push(':');
        value(member, out);
    }
    out.push('}');
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    // Mostly there is nothing to escape, and the text goes over in one piece.
    while let Some((before, at)) = rest
        .bytes()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
        .and_then(|at| rest.split_at_checked(at))
    {
        out.push_str(before);
        let mut after = at.chars();
        match after.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\r') => out.push_str("\\r"),
            Some(control) => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = after.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn number(number: &Number, out: &mut String) {
    if let Some(integer) = number.as_i64() {
        let _ = write!(out, "{integer}");
    } else if let Some(integer) = number.as_u64() {
        let _ = write!(out, "{integer}");
    } else {
        float(number.as_f64().unwrap_or(0.0), out);
    }
}

/// As ECMAScript writes a number (`Number::toString`).
fn float(value: f64, out: &mut String) {
    if value == 0.0 {
        return out.push('0');
    }
    let (digits, point) = shortest(value.abs());
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let split = |at: i32| digits.split_at_checked(usize::try_from(at).unwrap_or(0));
    if value < 0.0 {
        out.push('-');
    }
    let _ = match point {
        1..=21 if count <= point => write!(out, "{digits}{}", zeros(point - count)),
        1..=21 => {
            let (whole, rest) = split(point).unwrap_or((&digits, ""));
            write!(out, "{whole}.{rest}")
        }
        -5..=0 => write!(out, "0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = split(1).unwrap_or((&digits, ""));
            let dot = if rest.is_empty() { "" } else { "." };
            write!(out, "{first}{dot}{rest}e{:+}", point - 1)
        }
    };
}

/// The shortest digits that read back as `value` (the even ones of two, which `std` does not promise), and
/// before which of them, counted from the first, the decimal point stands.
fn shortest(value: f64) -> (String, i32) {
    let text = Number::from_f64(value)
        .map(|number| number.to_string())
        .unwrap_or_default();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let significant = all.trim_start_matches('0');
    let length = |text: &str| i32::try_from(text.len()).unwrap_or(i32::MAX);
    let point =
        length(whole) - (length(&all) - length(significant)) + exponent.parse::<i32>().unwrap_or(0);
    (significant.trim_end_matches('0').to_owned(), point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let check = |input: &str, expected: &str| {
            let Value::Object(map) = serde_json::from_str(input).unwrap() else {
                panic!("{input}")
            };
            assert_eq!(canonical(&map), expected, "{input}");
        };
        check("{}", "{}");
        check(
            r#"{"b": 1, "a": [ true, null, {} ]}"#,
            r#"{"a":[true,null,{}],"b":1}"#,
        );
        // UTF-16 puts the surrogates of an emoji before U+FB33.
        check(
            "{\"\u{fb33}\":1,\"\u{1f600}\":2}",
            "{\"\u{1f600}\":2,\"\u{fb33}\":1}",
        );
        check(
            r#"{"s":"\u0041\/\u000a\u001F\u20ac\""}"#,
            "{\"s\":\"A/\\n\\u001f€\\\"\"}",
        );
        check(r#"{"n":100.0}"#, r#"{"n":100}"#);
        check(
            r#"{"n":18446744073709551615}"#,
            r#"{"n":18446744073709551615}"#,
        );
        check(r#"{"n":9007199254740993}"#, r#"{"n":9007199254740993}"#);
        check(r#"{"n":-0.0}"#, r#"{"n":0}"#);
    }

    #[test]
    fn numbers_of_rfc_8785_appendix_b() {
        let check = |bits: u64, expected: &str| {
            let mut out = String::new();
            float(f64::from_bits(bits), &mut out);
            assert_eq!(out, expected, "{bits:016x}");
        };
        check(0x0000_0000_0000_0000, "0");
        check(0x8000_0000_0000_0000, "0");
        check(0x0000_0000_0000_0001, "5e-324");
        check(0x8000_0000_0000_0001, "-5e-324");
        check(0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308");
        check(0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308");
        check(0x4340_0000_0000_0000, "9007199254740992");
        check(0x4430_0000_0000_0000, "295147905179352830000");
        check(0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22");
        check(0x44b5_2d02_c7e1_4af6, "1e+23");
        check(0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23");
        check(0x444b_1ae4_d6e2_ef4e, "999999999999999700000");
        check(0x444b_1ae4_d6e2_ef4f, "999999999999999900000");
        check(0x444b_1ae4_d6e2_ef50, "1e+21");
        check(0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7");
        check(0x3eb0_c6f7_a0b5_ed8d, "0.000001");
        check(0x41b3_de43_5555_5553, "333333333.3333332");
        check(0x41b3_de43_5555_5557, "333333333.33333343");
        check(0xbecb_f647_612f_3696, "-0.0000033333333333333333");
        check(0x4314_3ff3_c1cb_0959, "1424953923781206.2");
    }
}
