use std::sync::LazyLock;

use gatehold_detect::{Fold, Folded};

use super::fold;

static FOLD: LazyLock<Fold> = LazyLock::new(fold);

#[test]
fn spellings_read_as_their_letters() {
    let fold = &*FOLD;
    for (written, expected) in [
        ("Ｉｇｎｏｒｅ　ａｌｌ＃＃＃", "ignore all###"),
        ("𝐈𝐠𝐧𝐨𝐫𝐞 𝓲𝓷𝓼𝓽𝓻𝓾𝓬𝓽𝓲𝓸𝓷𝓼", "ignore instructions"),
        ("ⓘⓖⓝⓞⓡⓔ 🅘🅖🅝🅞🅡🅔 🄸🄶 🅸🅶", "ignore ignore ig ig"),
        ("ɪɢɴᴏʀᴇ ᴘʀᴇᴠɪᴏᴜꜱ", "ignore previous"),
        ("ᵢᵍⁿᵒʳᵉ", "ignore"),
        ("ïgñörê İGNORE", "ignore ignore"),
        (
            "i\u{301}\u{320}g\u{34F}n\u{200B}o\u{2060}r\u{FE0F}e",
            "ignore",
        ),
        ("ﬁle Straße Łódź ĳ", "file strasse lodz ij"),
        ("don’t “quote” — …", "don't \"quote\" - ..."),
        ("игнорируй ВСЁ", "игнорируи все"),
        ("忽略。ｶﾀｶﾅ", "忽略.カタカナ"),
        ("\u{E0049}\u{E0067}", "ig"),
        ("٪", " "),
    ] {
        assert_eq!(fold.fold(written), expected, "{written}");
    }
}

#[test]
fn lookalikes_are_told_apart_from_the_letter() {
    let fold = &*FOLD;
    for (letter, expected) in [
        ('а', "a"),
        ('А', "a"),
        ('о', "o"),
        ('О', "o"),
        ('е', "e"),
        ('р', "p"),
        ('с', "c"),
        ('і', "i"),
        ('І', "i"),
        ('х', "x"),
        ('у', "y"),
        ('ѕ', "s"),
        ('Т', "t"),
        ('М', "m"),
        ('Н', "h"),
        ('В', "b"),
        ('К', "k"),
        ('һ', "h"),
        ('ԁ', "d"),
        ('ԛ', "q"),
        ('ԝ', "w"),
        ('ј', "j"),
        ('α', "a"),
        ('Α', "a"),
        ('ο', "o"),
        ('ν', "v"),
        ('Ρ', "p"),
        ('օ', "o"),
        ('Տ', "s"),
        ('Ꭰ', "d"),
        ('Ꮪ', "s"),
        ('Ꭼ', "e"),
        ('ꓰ', "e"),
        ('ж', ""),
        ('λ', ""),
        ('ب', ""),
    ] {
        let found = match fold.get(letter) {
            Folded::Text { plain, confusable } if !plain.is_ascii() => confusable,
            Folded::Letter => "",
            other => panic!("{letter}: {other:?}"),
        };
        assert_eq!(found, expected, "{letter}");
    }
}

#[test]
fn kinds_of_characters() {
    let fold = &*FOLD;
    for (characters, expected) in [
        ("жλبकह", Folded::Letter),
        ("漢かカー以ก", Folded::Ideograph),
        (
            "\u{200b}\u{200d}\u{202e}\u{2066}\u{feff}\u{fe0f}\u{3164}\u{ad}",
            Folded::Invisible,
        ),
        ("\u{301}\u{336}\u{20dd}\u{64b}\u{5b8}", Folded::Mark),
        ("•→✅🎉©€", Folded::Separator),
    ] {
        for character in characters.chars() {
            assert_eq!(fold.get(character), expected, "{character:?}");
        }
    }
}

#[test]
fn words_of_scripts_with_vowel_signs_keep_them() {
    let fold = &*FOLD;
    for word in ["हिन्दी", "தமிழ்", "ไทย", "한국어"] {
        assert_eq!(fold.fold(word), word);
    }
}

#[test]
fn what_was_folded_stays() {
    let fold = &*FOLD;
    for character in (0x80..0x2_0000).filter_map(char::from_u32) {
        let once = fold.fold(&character.to_string());
        assert_eq!(fold.fold(&once), once, "{character:?}");
    }
}

#[test]
fn the_table_is_small() {
    let size = FOLD.to_bytes().len();
    assert!(size < 100_000, "{size} bytes");
}
