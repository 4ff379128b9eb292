//! Letters of the Latin script that normalization leaves as they are, and lookalikes that are ours to say.

/// The letters of ASCII that a Latin letter stands for: stroked, small capital, turned, boxed.
pub(super) fn base(letter: char) -> Option<&'static str> {
    if let Some(number) = boxed(letter) {
        return LETTERS.get(number..=number);
    }
    Some(match letter {
        'ᴀ' | 'ɐ' | 'ɑ' | 'ɒ' | 'Ɑ' => "a",
        'ʙ' | 'ƀ' | 'Ƀ' | 'Ɓ' | 'ɓ' | 'ᴃ' => "b",
        'ᴄ' | 'ƈ' | 'Ƈ' | 'ɔ' | 'Ɔ' | 'ȼ' | 'Ȼ' | 'ↄ' => "c",
        'ᴅ' | 'đ' | 'Đ' | 'ɖ' | 'ɗ' | 'ð' | 'Ð' | 'ƌ' | 'Ɖ' | 'Ɗ' | 'ᴆ' => "d",
        'ᴇ' | 'ǝ' | 'Ǝ' | 'ə' | 'Ə' | 'ɛ' | 'Ɛ' | 'ɘ' | 'ɇ' | 'Ɇ' => "e",
        'ꜰ' | 'ƒ' | 'Ƒ' | 'ɟ' => "f",
        'ɢ' | 'ɡ' | 'ǥ' | 'Ǥ' | 'ɠ' | 'Ɠ' | 'ƃ' => "g",
        'ʜ' | 'ħ' | 'Ħ' | 'ɦ' | 'ɥ' | 'ⱨ' => "h",
        'ɪ' | 'ı' | 'ɨ' | 'Ɨ' | 'ᴉ' | 'ɩ' => "i",
        'ᴊ' | 'ȷ' | 'ɉ' | 'Ɉ' | 'ɾ' | 'ʝ' => "j",
        'ᴋ' | 'ƙ' | 'Ƙ' | 'ʞ' | 'ĸ' | 'ⱪ' => "k",
        'ʟ' | 'ł' | 'Ł' | 'ƚ' | 'Ƚ' | 'ɫ' | 'ɭ' | 'ⅼ' => "l",
        'ᴍ' | 'ɯ' | 'ɱ' | 'Ɯ' => "m",
        'ɴ' | 'ŋ' | 'Ŋ' | 'ɲ' | 'Ɲ' | 'ƞ' | 'ɳ' | 'ᴎ' => "n",
        'ᴏ' | 'ø' | 'Ø' | 'ɵ' | 'Ɵ' => "o",
        'ᴘ' | 'ƥ' | 'Ƥ' | 'ᵽ' => "p",
        'ꞯ' | 'ɋ' | 'Ɋ' | 'ʠ' => "q",
        'ʀ' | 'ɍ' | 'Ɍ' | 'ɹ' | 'ɽ' | 'ʁ' | 'ɼ' => "r",
        'ꜱ' | 'ʂ' | 'ƨ' | 'Ƨ' => "s",
        'ᴛ' | 'ŧ' | 'Ŧ' | 'ƭ' | 'Ƭ' | 'ʇ' | 'ʈ' | 'Ʈ' => "t",
        'ᴜ' | 'ʉ' | 'Ʉ' | 'ʊ' => "u",
        'ᴠ' | 'ʋ' | 'Ʋ' | 'ʌ' | 'Ʌ' => "v",
        'ᴡ' | 'ʍ' | 'ⱳ' | 'Ⱳ' => "w",
        'ʏ' | 'ƴ' | 'Ƴ' | 'ʎ' | 'ɏ' | 'Ɏ' => "y",
        'ᴢ' | 'ƶ' | 'Ƶ' | 'ȥ' | 'ʐ' | 'ⱬ' => "z",
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' | 'ᴁ' => "ae",
        'œ' | 'Œ' | 'ɶ' => "oe",
        'þ' | 'Þ' => "th",
        _ => return None,
    })
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

/// Letters in dark circles and squares, and those of flags: their number in the alphabet.
fn boxed(letter: char) -> Option<usize> {
    let code = u32::from(letter);
    [0x1_F150, 0x1_F170, 0x1_F1E6]
        .into_iter()
        .find_map(|first| code.checked_sub(first).filter(|number| *number < 26))
        .and_then(|number| usize::try_from(number).ok())
}

/// What letters of other scripts are used for in Latin words, where the prototypes of UTS #39 say nothing or
/// something that only a font has. Small letters.
pub(super) fn looks_like(letter: char) -> Option<&'static str> {
    Some(match letter {
        'α' => "a",
        'β' | 'в' => "b",
        'ϲ' | 'с' => "c",
        'ԁ' | 'δ' => "d",
        'ε' | 'е' | 'є' | 'э' => "e",
        'һ' | 'н' => "h",
        'ι' | 'і' => "i",
        'κ' | 'к' => "k",
        'м' | 'μ' => "m",
        'η' | 'п' | 'и' => "n",
        'ο' | 'о' | 'σ' | 'օ' | 'ס' => "o",
        'ρ' | 'р' => "p",
        'г' | 'я' => "r",
        'ѕ' => "s",
        'τ' | 'т' => "t",
        'υ' | 'ц' | 'ս' => "u",
        'ν' => "v",
        'ω' | 'ѡ' | 'ш' => "w",
        'χ' | 'х' => "x",
        'γ' | 'у' => "y",
        'з' | 'ζ' => "z",
        _ => return None,
    })
}
