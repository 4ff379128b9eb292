//! Cutting text into what can be shown and what has to be marked.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::hidden::{is_combining, is_hidden, name, tag};

/// Marks that may stand on one letter; no writing needs more, and heaps of them cover other lines.
const MAX_COMBINING: usize = 3;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Can be shown as it is, once it is escaped for where it stands.
    Plain(&'t str),
    /// What to show, as a mark, for hidden characters: `U+202E`, `U+200B×40`, `TAG “rm -rf”`. Printable ASCII
    /// but for `×` and the quotes.
    Mark(String),
}

/// Cuts a text into pieces; nothing of it is left out.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut combining = 0;
    let mut end = 0;
    while let Some(char) = rest.get(end..).and_then(|rest| rest.chars().next()) {
        combining = if is_combining(char) { combining + 1 } else { 0 };
        if combining <= MAX_COMBINING && !is_hidden(char) {
            end += char.len_utf8();
            continue;
        }
        let (plain, from) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain));
        }
        let (mark, length) = mark(from);
        pieces.push(Piece::Mark(mark));
        rest = from.get(length..).unwrap_or_default();
        end = 0;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    pieces
}

/// The mark for the hidden characters at the start, and how many bytes it stands for. A run of the same
/// character is one mark, and so is a text in TAG characters.
fn mark(text: &str) -> (String, usize) {
    let tags: String = text.chars().map_while(tag).collect();
    if !tags.is_empty() {
        // Each TAG character takes four bytes.
        let length = tags.len() * 4;
        return (format!("TAG “{tags}”"), length);
    }
    let Some(first) = text.chars().next() else {
        return (String::new(), 0);
    };
    let count = text.chars().take_while(|char| *char == first).count();
    let length = count * first.len_utf8();
    let code = u32::from(first);
    match count {
        1 => (format!("U+{code:04X}"), length),
        _ => (format!("U+{code:04X}×{count}"), length),
    }
}

/// The text for a terminal or a log line: one line, hidden characters as `[U+202E]`.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Plain(text) => plain.push_str(text),
            Piece::Mark(mark) => {
                // Writing to a String cannot fail.
                let _ = write!(plain, "[{mark}]");
            }
        }
    }
    plain
}

/// The text as [`plain`], cut to so many characters, with a sign that it was cut.
pub fn one_line(text: &str, characters: usize) -> String {
    // What follows need not be looked at: marks are never shorter than what they stand for, but runs may be.
    let start: String = text.chars().take(characters.saturating_mul(4)).collect();
    let plain = plain(&start);
    let mut line: String = plain.chars().take(characters).collect();
    if line.len() < plain.len() || start.len() < text.len() {
        line.pop();
        line.push('…');
    }
    line
}

/// The hidden characters of a text, each with its name and number: for a warning beside it. Line breaks and
/// tabs are in many a text for good reason; they are marked, but not warned of.
pub fn hidden_in(text: &str) -> Vec<(String, &'static str, usize)> {
    let mut found: BTreeMap<char, usize> = BTreeMap::new();
    for char in text.chars() {
        if is_hidden(char) && !matches!(char, '\n' | '\r' | '\t') {
            let of_a_kind = if tag(char).is_some() {
                '\u{e0000}'
            } else {
                char
            };
            *found.entry(of_a_kind).or_default() += 1;
        }
    }
    found
        .into_iter()
        .map(|(char, count)| match char {
            '\u{e0000}' => ("U+E0020–E007E".to_owned(), name(char), count),
            _ => (format!("U+{:04X}", u32::from(char)), name(char), count),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(plain(text), expected, "{text:?}");
    }

    #[test]
    fn hidden_characters_become_marks() {
        check("", "");
        check("refund", "refund");
        check("a\u{202e}b", "a[U+202E]b");
        check("\u{200b}", "[U+200B]");
        check("x\u{200b}\u{200b}\u{200b}y", "x[U+200B×3]y");
        check("line\nbreak", "line[U+000A]break");
        check("\u{1b}[31m", "[U+001B][31m");
        check("no\u{a0}break", "no[U+00A0]break");
        check(
            "hi \u{e0072}\u{e006d}\u{e0020}\u{e002d}!",
            "hi [TAG “rm -”]!",
        );
        check("\u{e0001}\u{e0041}", "[U+E0001][TAG “A”]");
        check("👩\u{200d}💻", "👩[U+200D]💻");
    }

    #[test]
    fn heaps_of_marks_are_cut_open() {
        check("e\u{301}", "e\u{301}");
        check(
            "e\u{301}\u{302}\u{303}\u{304}x",
            "e\u{301}\u{302}\u{303}[U+0304]x",
        );
    }

    #[test]
    fn cut_to_a_line() {
        assert_eq!(one_line("abcdef", 6), "abcdef");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(one_line("a\nb", 20), "a[U+000A]b");
    }

    #[test]
    fn warnings_count_by_kind() {
        let found = hidden_in("a\u{202e}\u{e0041}\u{e0042}\n");
        let short: Vec<_> = found
            .iter()
            .map(|(code, name, count)| (code.as_str(), *name, *count))
            .collect();
        assert_eq!(
            short,
            [
                ("U+202E", "right-to-left override", 1),
                ("U+E0020–E007E", "TAG character", 2)
            ]
        );
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(text in any::<String>()) {
            prop_assert!(!plain(&text).chars().any(is_hidden));
        }

        #[test]
        fn visible_text_stays_as_it_is(text in "[ -~é中]{0,40}") {
            prop_assert_eq!(plain(&text), text);
        }

        #[test]
        fn hostile_text_too(text in "[a\u{202e}\u{200b}\u{e0041}\u{e0042}\u{301}\n\u{1b}<&\"]{0,60}") {
            prop_assert!(!plain(&text).chars().any(is_hidden));
        }
    }
}
