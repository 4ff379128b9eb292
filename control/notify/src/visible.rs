//! Text that somebody else wrote, made so that people see all of it.

/// The text with every character that cannot be seen, or that changes how others are shown, as an escape
/// (`\u{202e}`); at most `most` characters of the result, with `…` when something is missing.
#[must_use]
pub fn visible(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most.saturating_mul(4)));
    let mut length = 0_usize;
    for character in text.chars() {
        let piece = match character {
            '\n' => "\\n".to_owned(),
            '\t' => "\\t".to_owned(),
            '\r' => "\\r".to_owned(),
            character if is_hidden(character) => character.escape_unicode().to_string(),
            character => character.to_string(),
        };
        length = length.saturating_add(piece.chars().count());
        if length > most {
            shown.push('…');
            break;
        }
        shown.push_str(&piece);
    }
    shown
}

/// Controls, format and direction marks, blanks that are no ordinary space, fillers, variation selectors, tags, private
/// use and what is no character.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{13455}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        let check =
            |text: &str, expected: &str| assert_eq!(visible(text, 60), expected, "{text:?}");
        check("refund o-1", "refund o-1");
        check(
            "grüße 🙂 é \u{65}\u{301} ไทย 日本",
            "grüße 🙂 é \u{65}\u{301} ไทย 日本",
        );
        check("a\u{202e}b\u{200b}c", "a\\u{202e}b\\u{200b}c");
        check("a\nb\tc\r\0", "a\\nb\\tc\\r\\u{0}");
        check("\u{a0}\u{3000}\u{2028}", "\\u{a0}\\u{3000}\\u{2028}");
        check(
            "\u{e0041}\u{fe0f}\u{3164}\u{2800}\u{feff}",
            "\\u{e0041}\\u{fe0f}\\u{3164}\\u{2800}\\u{feff}",
        );
        check("\u{e000}", "\\u{e000}");
        check(&"x".repeat(61), &format!("{}…", "x".repeat(60)));
        // An escape is whole, or not there.
        check(
            &format!("{}\u{202e}", "x".repeat(55)),
            &format!("{}…", "x".repeat(55)),
        );
    }
}
