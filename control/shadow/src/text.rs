//! Text from outside, written where it must not be taken for something else.

/// For terminals: what moves a cursor or hides is shown as what it is.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

/// For YAML and CEL: a text in double quotes, in ASCII where it would not be seen otherwise. Both read JSON's escapes,
/// but for pairs of surrogates.
pub(crate) fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for c in json.chars() {
        if !is_hidden(c) {
            quoted.push(c);
            continue;
        }
        let code = u32::from(c);
        quoted.push_str(&match code > 0xffff {
            true => format!("\\U{code:08x}"),
            false => format!("\\u{code:04x}"),
        });
    }
    quoted
}

/// For YAML: as it is where it can only be read as a text, else in quotes.
pub(crate) fn scalar(text: &str) -> String {
    let first = text.chars().next();
    let is_word = first.is_some_and(|c| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    // What some reader of YAML takes for a boolean, a number or nothing.
    let lower = text.to_ascii_lowercase();
    let is_special = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf",
    ]
    .contains(&lower.as_str());
    match is_word && !is_special {
        true => text.to_owned(),
        false => quoted(text),
    }
}

/// Control characters, those that change directions, and those without a width.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_need_no_quotes() {
        for (text, expected) in [
            ("get_customer", "get_customer"),
            ("get-sum", "get-sum"),
            ("true", "\"true\""),
            ("No", "\"No\""),
            ("1e3", "\"1e3\""),
            ("a b", "\"a b\""),
            ("a: b", "\"a: b\""),
            ("docs://a", "\"docs://a\""),
            ("", "\"\""),
            ("say \"it\"\n", "\"say \\\"it\\\"\\n\""),
            ("a\u{202e}b", "\"a\\u202eb\""),
            ("\u{e0041}", "\"\\U000e0041\""),
        ] {
            assert_eq!(scalar(text), expected);
            let expected = expected.replace("\\U000e0041", "\\udb40\\udc41");
            let back: String = match expected.starts_with('"') {
                true => serde_json::from_str(&expected).unwrap_or_default(),
                false => expected,
            };
            assert_eq!(back, text);
        }
    }

    #[test]
    fn terminals_are_not_told_what_to_do() {
        assert_eq!(visible("a\u{1b}[2Jb\u{200b}"), "a\\u{1b}[2Jb\\u{200b}");
        assert_eq!(visible("naïve"), "naïve");
    }
}
