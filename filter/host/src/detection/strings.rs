//! Where the strings of a JSON text are, without building it.

use std::ops::Range;

use gatehold_detect::merged;

/// What stands between the quotes of each JSON string that one of `spans` touches, in order; names of members are
/// left out. A text that is no JSON object, array or string is one string as a whole.
pub(super) fn touched(text: &[u8], spans: &[Range<usize>]) -> Vec<Range<usize>> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'{' | b'[' | b'"')) {
        let whole = 0..text.len();
        return Vec::from_iter((!spans.is_empty()).then_some(whole));
    }
    let spans = merged(spans.to_vec());
    let mut next = spans.iter().peekable();
    let mut touched = Vec::new();
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if *byte != b'"' {
            continue;
        }
        let start = at.saturating_add(1);
        let mut end = text.len();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'\\' => {
                    bytes.next();
                }
                b'"' => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let string = start..end;
        while next.next_if(|span| span.end <= string.start).is_some() {}
        let is_touched = next.peek().is_some_and(|span| span.start < string.end);
        if is_touched && !is_name(text, end) {
            touched.push(string);
        }
    }
    touched
}

/// The strings of a JSON text as they are written, names of members left out: the first bytes of them and the last,
/// so many of each.
pub fn ends(text: &[u8], most: usize) -> String {
    let whole = 0..text.len();
    let strings = touched(text, std::slice::from_ref(&whole));
    let mut first = Vec::new();
    for string in &strings {
        let left = most.saturating_sub(first.len());
        if left == 0 {
            break;
        }
        first.extend(
            text.get(string.clone())
                .unwrap_or_default()
                .iter()
                .take(left),
        );
        first.push(b' ');
    }
    let mut last: Vec<u8> = Vec::new();
    // From behind, and so are their bytes.
    for string in strings.iter().rev() {
        let left = most.saturating_sub(last.len());
        if left == 0 {
            break;
        }
        let bytes = text.get(string.clone()).unwrap_or_default();
        last.push(b' ');
        last.extend(bytes.iter().rev().take(left));
    }
    last.reverse();
    first.extend(last);
    String::from_utf8_lossy(&first).trim_end().to_owned()
}

/// Whether the string that ends in front of the quote at `end` is the name of a member.
fn is_name(text: &[u8], end: usize) -> bool {
    let after = text.iter().skip(end.saturating_add(1));
    let mut after = after.filter(|byte| !byte.is_ascii_whitespace());
    after.next() == Some(&b':')
}

/// The line of `string`, which lies in `text`, that `span` stands in: from a line break to the next, be it
/// written as an escape, however often it is escaped.
pub(super) fn line(text: &[u8], string: &Range<usize>, span: &Range<usize>) -> Range<usize> {
    let start = span.start.clamp(string.start, string.end);
    let end = span.end.clamp(start, string.end);
    let before = text.get(string.start..start).unwrap_or_default();
    let after = text.get(end..string.end).unwrap_or_default();
    let from = last_break(before).map_or(string.start, |at| string.start.saturating_add(at));
    let to = first_break(after).map_or(string.end, |at| end.saturating_add(at));
    from..to
}

/// Where what follows the last line break begins.
fn last_break(text: &[u8]) -> Option<usize> {
    (1..=text.len())
        .rev()
        .find(|&end| text.get(..end).is_some_and(ends_with_break))
}

fn ends_with_break(text: &[u8]) -> bool {
    text.ends_with(b"\n") || text.ends_with(b"\\n")
}

/// Where the first line break begins, with all of its backslashes.
fn first_break(text: &[u8]) -> Option<usize> {
    let mut escape = None;
    for (at, byte) in text.iter().enumerate() {
        match (byte, escape) {
            (b'\n', _) => return Some(at),
            (b'n', Some(start)) => return Some(start),
            (b'\\', None) => escape = Some(at),
            (b'\\', Some(_)) => {}
            _ => escape = None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, part: &str) -> Range<usize> {
        let start = text.find(part).unwrap();
        start..start + part.len()
    }

    #[test]
    fn strings_that_are_touched() {
        for (text, part, expected) in [
            (r#"{"a":"one","b":["two","three"]}"#, "wo", vec!["two"]),
            (
                r#"{"a":"one","b":["two","three"]}"#,
                "wo\",\"th",
                vec!["two", "three"],
            ),
            (
                r#"{"a":"x \" one \\","b":1}"#,
                "one",
                vec![r#"x \" one \\"#],
            ),
            (r#"{"key" : 1}"#, "key", vec![]),
            (r#"{"key":"value"}"#, "key\":\"val", vec!["value"]),
            (r#"{"a":12345}"#, "234", vec![]),
            ("plain text", "text", vec!["plain text"]),
        ] {
            let found = touched(text.as_bytes(), &[at(text, part)]);
            let found: Vec<&str> = found.into_iter().map(|it| text.get(it).unwrap()).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn ends_of_what_is_said() {
        let text = r#"{"a":"one","b":[1,"two"],"c":{"three":"four"}}"#;
        assert_eq!(ends(text.as_bytes(), 100), "one two four one two four");
        assert_eq!(ends(text.as_bytes(), 5), "one t four");
        assert_eq!(ends(b"a plain text", 3), "a p ext");
    }

    #[test]
    fn many_places_in_any_order() {
        let text = r#"["one","two","three","four"]"#;
        let spans = [
            at(text, "our"),
            at(text, "ne"),
            at(text, "one"),
            at(text, "thr"),
        ];
        let found = touched(text.as_bytes(), &spans);
        let found: Vec<&str> = found.into_iter().map(|it| text.get(it).unwrap()).collect();
        assert_eq!(found, ["one", "three", "four"]);
    }

    #[test]
    fn spans_are_merged() {
        let merged = merged(vec![5..9, 1..3, 2..4, 9..10]);
        assert_eq!(merged, [1..4, 5..10]);
    }

    #[test]
    fn lines_around_a_place() {
        for (text, part, expected) in [
            (r"one two three", "two", "one two three"),
            (r"one\ntwo x\nthree", "two", "two x"),
            (r"one\\ntwo x\\nthree", "two", "two x"),
            (r"one\ttwo x\\nthree", "two", r"one\ttwo x"),
            ("one\ntwo x\nthree", "two", "two x"),
            (r"one\ntwo\nthree\nfour", r"wo\nth", r"two\nthree"),
        ] {
            let found = line(text.as_bytes(), &(0..text.len()), &at(text, part));
            assert_eq!(text.get(found), Some(expected), "{text}");
        }
    }
}
