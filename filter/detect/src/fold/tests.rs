use super::{Fold, Folded};

fn text<'a>(plain: &'a str, confusable: &'a str) -> Folded<'a> {
    Folded::Text { plain, confusable }
}

fn sample() -> Fold {
    Fold::build([
        ('é', text("e", "")),
        ('ﬁ', text("fi", "")),
        ('О', text("о", "o")),
        ('о', text("о", "o")),
        ('ж', Folded::Letter),
        ('漢', Folded::Ideograph),
        ('\u{200b}', Folded::Invisible),
        ('\u{301}', Folded::Mark),
        ('×', text("", "x")),
        ('𝒶', text("a", "")),
    ])
}

#[test]
fn every_kind_of_answer() {
    let fold = sample();
    for (character, expected) in [
        ('é', text("e", "")),
        ('ﬁ', text("fi", "")),
        ('О', text("о", "o")),
        ('ж', Folded::Letter),
        ('漢', Folded::Ideograph),
        ('\u{20000}', Folded::Ideograph),
        ('\u{200b}', Folded::Invisible),
        ('\u{301}', Folded::Mark),
        ('×', Folded::Letter),
        ('𝒶', text("a", "")),
        ('—', Folded::Separator),
        ('\u{10FFFF}', Folded::Separator),
        ('\u{E0041}', Folded::Tag(b'A')),
        ('\u{E007F}', Folded::Invisible),
        ('\u{E0100}', Folded::Invisible),
    ] {
        assert_eq!(fold.get(character), expected, "{character:?}");
    }
}

#[test]
fn text_is_folded() {
    assert_eq!(
        sample().fold("Caf\u{200b}é ﬁne—\u{E0041}\u{301}Ок"),
        "cafe fine aо "
    );
}

#[test]
fn a_table_without_entries_has_separators_only() {
    assert_eq!(Fold::default().get('é'), Folded::Separator);
    assert_eq!(Fold::load(&Fold::default().to_bytes()), Ok(Fold::default()));
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::{Fold, sample};

    #[test]
    fn by_bytes_and_back() {
        let bytes = sample().to_bytes();
        assert_eq!(Fold::load(&bytes), Ok(sample()));
        for cut in 0..bytes.len().min(64) {
            assert!(Fold::load(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn damaged_bytes_are_refused_or_harmless(place in 0..6000_usize, byte: u8, character: char) {
            let mut bytes = sample().to_bytes();
            let place = place % bytes.len();
            bytes[place] = byte;
            if let Ok(fold) = Fold::load(&bytes) {
                let _ = fold.get(character);
            }
        }
    }
}
