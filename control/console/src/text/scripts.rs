//! Names that look like others.

use unicode_security::MixedScript as _;
use unicode_security::confusable_detection::skeleton;

/// What is odd about the letters of a text, for a note beside it: a word of several scripts, or a word that
/// looks as if it were ASCII and is not. Of several such words, the first.
pub fn look_alike(text: &str) -> Option<String> {
    text.split(|char: char| !char.is_alphanumeric() && !matches!(char, '_' | '-' | '.'))
        .find_map(word)
}

fn word(word: &str) -> Option<String> {
    if word.is_ascii() || word.len() > 512 {
        return None;
    }
    let looks: String = skeleton(word).collect();
    if looks.is_ascii()
        && word
            .chars()
            .any(|char| !char.is_ascii() && char.is_alphabetic())
    {
        let strange: Vec<_> = word
            .chars()
            .filter(|char| !char.is_ascii())
            .take(4)
            .map(|char| format!("{char} is U+{:04X}", u32::from(char)))
            .collect();
        let strange = strange.join(", ");
        return Some(format!(
            "“{word}” reads like “{looks}”, but it is not: {strange}"
        ));
    }
    if word.is_single_script() {
        return None;
    }
    Some(format!("“{word}” mixes letters of several scripts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let note = look_alike(text);
        match expected {
            None => assert_eq!(note, None, "{text}"),
            Some(part) => assert!(note.clone().unwrap_or_default().contains(part), "{note:?}"),
        }
    }

    #[test]
    fn honest_words() {
        for text in [
            "refund",
            "naïve café",
            "привет мир",
            "日本語のテスト",
            "שלום",
            "Größe",
            "user@example.com",
            "“quoted” – dash",
            "",
            "한국어",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn words_that_pretend() {
        check("p\u{430}ypal", Some("U+0430"));
        check("send to \u{440}\u{430}\u{443}", Some("reads like"));
        check("admin\u{4e2d}\u{434}", Some("several scripts"));
    }
}
