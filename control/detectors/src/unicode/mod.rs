//! The table by which the filter reads characters outside ASCII, from Unicode data.

mod latin;
#[cfg(test)]
mod tests;

use gatehold_detect::{Fold, Folded};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
use unicode_script::{Script, UnicodeScript};

/// Characters from here on are not in the table.
const END: u32 = 0x2_0000;

/// Compatibility forms, small letters, letters without accents, and what else they look like.
pub fn fold() -> Fold {
    let readings: Vec<(char, Reading)> = (0x80..END)
        .filter_map(char::from_u32)
        .filter_map(|character| Some((character, reading(character)?)))
        .collect();
    Fold::build(
        readings
            .iter()
            .map(|(character, reading)| (*character, reading.as_folded())),
    )
}

/// An owned [`Folded`].
enum Reading {
    Letter,
    Ideograph,
    Invisible,
    Mark,
    Text { plain: String, confusable: String },
}

impl Reading {
    fn as_folded(&self) -> Folded<'_> {
        match self {
            Self::Letter => Folded::Letter,
            Self::Ideograph => Folded::Ideograph,
            Self::Invisible => Folded::Invisible,
            Self::Mark => Folded::Mark,
            Self::Text { plain, confusable } => Folded::Text { plain, confusable },
        }
    }
}

/// What the character reads as; none for separators.
fn reading(character: char) -> Option<Reading> {
    if is_invisible(character) {
        return Some(Reading::Invisible);
    }
    if is_accent(character) {
        return Some(Reading::Mark);
    }
    if let Some(plain) = punctuation(character) {
        return Some(Reading::Text {
            plain: plain.to_owned(),
            confusable: String::new(),
        });
    }
    let plain = plain(character);
    let mut only = plain.chars();
    let confusable = match (only.next(), only.next()) {
        (Some(letter), None) if !letter.is_ascii() && !is_unspaced(letter) => {
            looks_like(character, letter)
        }
        _ => String::new(),
    };
    if plain.is_empty() {
        return None;
    }
    if confusable.is_empty() && plain.chars().eq([character]) {
        return Some(if is_unspaced(character) {
            Reading::Ideograph
        } else if character.is_alphanumeric() || is_combining_mark(character) {
            Reading::Letter
        } else {
            return None;
        });
    }
    let readable = |it: char| it.is_ascii_graphic() || it == ' ' || it.is_alphanumeric();
    plain
        .chars()
        .any(readable)
        .then_some(Reading::Text { plain, confusable })
}

/// Compatibility form in small letters without accents; what of it is neither letter nor ASCII is left out.
fn plain(character: char) -> String {
    if let Some(letters) = latin::base(character) {
        return letters.to_owned();
    }
    let small: String = character.nfkd().flat_map(char::to_lowercase).collect();
    let letters: String = small
        .nfkd()
        .filter(|it| !is_accent(*it) && !is_invisible(*it))
        .flat_map(|it| match (latin::base(it), punctuation(it)) {
            (Some(base), _) => base.chars().collect::<Vec<_>>(),
            (None, Some(sign)) => sign.chars().collect(),
            (None, None) => vec![it],
        })
        .collect();
    letters
        .nfc()
        .filter(|it| it.is_ascii() || it.is_alphanumeric() || is_combining_mark(*it))
        .collect()
}

/// The ASCII letters that a letter looks like, written small or large.
fn looks_like(written: char, small: char) -> String {
    if let Some(letters) = latin::looks_like(small) {
        return letters.to_owned();
    }
    skeleton(small)
        .or_else(|| skeleton(written))
        .unwrap_or_default()
}

/// The prototype that UTS #39 gives, when it is ASCII letters or digits.
fn skeleton(character: char) -> Option<String> {
    let mut buffer = [0; 4];
    let text = character.encode_utf8(&mut buffer);
    let letters: String = unicode_security::skeleton(text)
        .filter(|it| !is_accent(*it))
        .map(|it| it.to_string())
        .map(|it| it.chars().map(plain).collect::<String>())
        .collect();
    let letters = if letters == "rn" {
        "m".to_owned()
    } else {
        letters
    };
    let fits =
        (1..=2).contains(&letters.len()) && letters.bytes().all(|it| it.is_ascii_lowercase());
    fits.then_some(letters)
}

/// Characters that leave nothing to be seen.
fn is_invisible(character: char) -> bool {
    matches!(
        u32::from(character),
        0xAD | 0x34F
            | 0x61C
            | 0x115F
            | 0x1160
            | 0x17B4
            | 0x17B5
            | 0x180B..=0x180F
            | 0x200B..=0x200F
            | 0x202A..=0x202E
            | 0x2060..=0x206F
            | 0x3164
            | 0xFE00..=0xFE0F
            | 0xFEFF
            | 0xFFA0
            | 0xFFF0..=0xFFFB
            | 0x1_BCA0..=0x1_BCA3
            | 0x1_D173..=0x1_D17A
    )
}

/// Marks that words are read without. Vowel signs of Indic scripts are none of them: they are half of a word.
fn is_accent(character: char) -> bool {
    let code = u32::from(character);
    matches!(
        code,
        0x300..=0x36F | 0x483..=0x489 | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F
    ) || (matches!(code, 0x591..=0x8FF) && is_combining_mark(character))
        || (canonical_combining_class(character) != 0
            && !matches!(code, 0x900..=0x10FF | 0x3099..=0x309A))
}

/// Whether words of its script are written without spaces, or with endings that grow on them.
fn is_unspaced(character: char) -> bool {
    use Script::{Bopomofo, Han, Hangul, Hiragana, Katakana, Khmer, Lao, Myanmar, Thai, Yi};
    matches!(
        character.script(),
        Han | Hangul | Hiragana | Katakana | Bopomofo | Thai | Lao | Khmer | Myanmar | Yi
    ) || character == 'ー'
}

/// Signs that mean the same as one in ASCII, where normalization leaves them.
fn punctuation(character: char) -> Option<&'static str> {
    Some(match character {
        '‘' | '’' | '‚' | '‛' | 'ʼ' | 'ʻ' | '′' | '´' | '｀' | 'ˊ' | 'ˋ' => "'",
        '“' | '”' | '„' | '‟' | '″' | '«' | '»' | '「' | '」' | '『' | '』' => "\"",
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '﹣' => "-",
        '⁄' | '∕' | '╱' | '⧸' => "/",
        '。' | '․' | '｡' | '।' | '۔' => ".",
        '、' | '،' | '､' => ",",
        '؟' => "?",
        '؛' => ";",
        '∶' | '꞉' => ":",
        '\u{2329}' | '\u{3008}' | '⟨' | '‹' | '❮' | '＜' => "<",
        '\u{232A}' | '\u{3009}' | '⟩' | '›' | '❯' | '＞' => ">",
        '【' | '〔' | '〖' => "[",
        '】' | '〕' | '〗' => "]",
        '∣' | '│' | '┃' | '▏' => "|",
        '∗' | '⁎' | '✱' => "*",
        '\u{2800}' | '\u{85}' | '\u{2028}' | '\u{2029}' => " ",
        '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' | '\u{A0}' => {
            " "
        }
        _ => return None,
    })
}
