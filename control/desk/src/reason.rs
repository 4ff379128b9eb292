//! What people write, made fit for agents.

/// Characters of a reason that are kept.
const MOST: usize = 500;

/// One line of at most 500 characters without any that cannot be seen; what was several lines is one.
pub(crate) fn one_line(text: &str) -> String {
    let blank =
        |character: char| character.is_whitespace() || matches!(character, '\u{2028}' | '\u{2029}');
    let mut line = String::with_capacity(text.len().min(MOST * 4));
    let mut count = 0;
    let mut is_after_blank = true;
    for character in text.chars() {
        let character = match blank(character) {
            true if is_after_blank => continue,
            true => ' ',
            false if character.is_control() || is_unseen(character) => continue,
            false => character,
        };
        is_after_blank = character == ' ';
        line.push(character);
        count += 1;
        if count == MOST {
            break;
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// What turns text around, or stands in it without being seen.
fn is_unseen(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn reasons_are_one_line() {
        let check = |text: &str, expected: &str| assert_eq!(one_line(text), expected, "{text:?}");
        check("", "");
        check(" \n\t ", "");
        check("  fine ", "fine");
        check("a\r\nb\u{2028}c\td", "a b c d");
        check("a\u{202e}b\u{2066}c\u{e0041}\u{200b}", "abc");
        check("a\u{0}b\u{1b}[31mc\u{7f}", "ab[31mc");
        check(&"é".repeat(600), &"é".repeat(500));
        check(&format!("{} x", "a".repeat(499)), &"a".repeat(499));
    }
}
