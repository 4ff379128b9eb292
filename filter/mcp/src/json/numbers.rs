//! Integers that not every parser reads alike.

/// Whether every integer literal of a valid JSON text fits 64 bits. Beyond that `serde_json` rounds to a
/// float, while Python and others keep all digits.
pub(crate) fn integers_fit(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9'))
    {
        let (_, from) = rest.split_at(at);
        let length = if from.first() == Some(&b'"') {
            string_length(from)
        } else {
            let length = from
                .iter()
                .position(|&b| !is_number(b))
                .unwrap_or(from.len());
            if !fits(from.get(..length).unwrap_or_default()) {
                return false;
            }
            length
        };
        rest = from.get(length..).unwrap_or_default();
    }
    true
}

fn is_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

fn fits(literal: &[u8]) -> bool {
    // 18 digits always fit.
    literal.len() <= 18
        || literal
            .iter()
            .any(|byte| matches!(byte, b'.' | b'e' | b'E'))
        || std::str::from_utf8(literal)
            .is_ok_and(|text| text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok())
}

/// Bytes of the string literal that `from` starts with, both quotes included.
fn string_length(from: &[u8]) -> usize {
    let mut at = 1;
    while let Some(step) = from
        .get(at..)
        .and_then(|rest| memchr::memchr2(b'"', b'\\', rest))
    {
        at += step;
        if from.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    from.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let check = |json: &str, expected: bool| {
            assert_eq!(integers_fit(json.as_bytes()), expected, "{json}");
        };
        check("", true);
        check("0", true);
        check("18446744073709551615", true);
        check("18446744073709551616", false);
        check("-9223372036854775808", true);
        check("-9223372036854775809", false);
        check("100000000000000000000000000000.5", true);
        check("1e300", true);
        check(r#"{"a":"99999999999999999999999"}"#, true);
        check(r#"{"a\"":"\\","b":[1,99999999999999999999999]}"#, false);
        check(r#"{"99999999999999999999999":1}"#, true);
        check(r#""unclosed 99999999999999999999999"#, true);
        check("\"\\", true);
    }
}
