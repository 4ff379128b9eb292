//! Which characters a reader does not see, or sees elsewhere than they are.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Whether a character must be shown by its number: controls (line breaks and tabs too), what formats or
/// redirects text, blanks other than the space, what has no width or no glyph, and what no font knows.
pub fn is_hidden(char: char) -> bool {
    if matches!(char, ' '..='~') {
        return false;
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(char);
    matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::SpaceSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
    ) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char)
        // The empty pattern of Braille: a letter by its category, a blank by its looks.
        || char == '\u{2800}'
}

/// Whether a character stands on the one before it.
pub(super) fn is_combining(char: char) -> bool {
    char > '\u{2ff}'
        && matches!(
            CodePointMapData::<GeneralCategory>::new().get(char),
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
        )
}

/// The ASCII character that a TAG character stands for, which some models read and no person sees.
pub(super) fn tag(char: char) -> Option<char> {
    let ascii = u32::from(char).checked_sub(0xe0000)?;
    let ascii = char::from_u32(ascii)?;
    matches!(ascii, ' '..='~').then_some(ascii)
}

/// What a hidden character is, in words; for those that are met most.
pub fn name(char: char) -> &'static str {
    match char {
        '\n' => "line break",
        '\r' => "carriage return",
        '\t' => "tab",
        '\u{1b}' => "escape",
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => "control character",
        '\u{a0}' => "no-break space",
        '\u{ad}' => "soft hyphen",
        '\u{61c}' => "Arabic letter mark",
        '\u{200b}' => "zero width space",
        '\u{200c}' => "zero width non-joiner",
        '\u{200d}' => "zero width joiner",
        '\u{200e}' => "left-to-right mark",
        '\u{200f}' => "right-to-left mark",
        '\u{2028}' => "line separator",
        '\u{2029}' => "paragraph separator",
        '\u{202a}' => "left-to-right embedding",
        '\u{202b}' => "right-to-left embedding",
        '\u{202c}' => "end of direction",
        '\u{202d}' => "left-to-right override",
        '\u{202e}' => "right-to-left override",
        '\u{2060}' => "word joiner",
        '\u{2066}' => "left-to-right isolate",
        '\u{2067}' => "right-to-left isolate",
        '\u{2068}' => "first strong isolate",
        '\u{2069}' => "end of isolate",
        '\u{feff}' => "byte order mark",
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => "variation selector",
        '\u{e0000}'..='\u{e007f}' => "TAG character",
        _ if is_combining(char) => "combining mark",
        _ => "invisible or unknown character",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_not_hidden() {
        for char in "aZ09 ~!\"'<>&\u{e9}ßжשع中かก€→😀".chars() {
            assert!(!is_hidden(char), "U+{:04X}", u32::from(char));
        }
    }

    #[test]
    fn what_is_not_seen_is_hidden() {
        let hidden = [
            0x00, 0x09, 0x0a, 0x0d, 0x1b, 0x7f, 0x85, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x1160,
            0x1680, 0x17b4, 0x180e, 0x2000, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029,
            0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x202f, 0x205f, 0x2060, 0x2061, 0x2064, 0x2066,
            0x2067, 0x2068, 0x2069, 0x206a, 0x2800, 0x3000, 0x3164, 0xe000, 0xfe00, 0xfe0f, 0xfeff,
            0xffa0, 0xfff9, 0xffff, 0x1d173, 0xe0001, 0xe0041, 0xe007f, 0xe0100, 0xe01ef, 0x10ffff,
        ];
        for code in hidden {
            let char = char::from_u32(code).unwrap();
            assert!(is_hidden(char), "U+{code:04X}");
        }
    }

    #[test]
    fn tags_are_read() {
        assert_eq!(tag('\u{e0041}'), Some('A'));
        assert_eq!(tag('\u{e0020}'), Some(' '));
        assert_eq!(tag('\u{e0001}'), None);
        assert_eq!(tag('A'), None);
    }
}
