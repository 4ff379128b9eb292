//! Identifiers of letters and digits: bank accounts, and tax numbers of people.

use std::ops::Range;

/// Countries that have IBANs, and how long theirs are.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NL", 18),
    (b"NO", 15),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SC", 31),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

/// An account that begins here, also in groups of four, and up to where it was read.
pub(super) fn iban(text: &[u8], start: usize) -> (Option<(&'static str, Range<usize>)>, usize) {
    let country = text.get(start..start + 2).unwrap_or_default();
    let place = LENGTHS.binary_search_by(|(known, _)| known.as_slice().cmp(country));
    let Some((_, length)) = place.ok().and_then(|place| LENGTHS.get(place)) else {
        return (None, 0);
    };
    // The country and its check digits come last in the number of which the rest by 97 is 1.
    let (mut rest, mut head, mut digits, mut at) = (0, 0, 0, start);
    let mut count = 0;
    while count < *length {
        let (value, ten) = match text.get(at) {
            Some(byte @ b'0'..=b'9') => (u32::from(byte - b'0'), 10),
            Some(byte @ b'A'..=b'Z') => (u32::from(byte - b'A') + 10, 100),
            Some(b' ') if count > 0 && count % 4 == 0 => {
                at += 1;
                continue;
            }
            _ => return (None, at),
        };
        if count < 4 {
            head = (head * ten + value) % 97;
        } else {
            rest = (rest * ten + value) % 97;
            digits += u32::from(ten == 10);
        }
        count += 1;
        at += 1;
    }
    let ends = text
        .get(at)
        .is_none_or(|byte| !byte.is_ascii_alphanumeric());
    // Two letters and two digits make six digits.
    let rest = (rest * (1_000_000 % 97) + head) % 97;
    let is_account = ends && rest == 1 && digits >= 6;
    (is_account.then_some(("iban", start..at)), at)
}

/// The Italian tax number, with its check letter.
pub(super) fn codice_fiscale(
    text: &[u8],
    word: &Range<usize>,
) -> Option<(&'static str, Range<usize>)> {
    const ODD: &[u8; 26] = &[
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let letters: &[u8; 16] = text.get(word.clone())?.try_into().ok()?;
    let fits = letters.iter().enumerate().all(|(place, byte)| match place {
        6 | 7 | 9 | 10 | 12..=14 => byte.is_ascii_digit(),
        _ => byte.is_ascii_uppercase(),
    });
    if !fits {
        return None;
    }
    let (check, body) = letters.split_last()?;
    let sum: u32 = body
        .iter()
        .enumerate()
        .map(|(place, byte)| {
            let value = if byte.is_ascii_digit() {
                byte - b'0'
            } else {
                byte.wrapping_sub(b'A')
            };
            match place % 2 {
                0 => ODD.get(usize::from(value)).copied().unwrap_or(0),
                _ => value,
            }
        })
        .map(u32::from)
        .sum();
    (sum % 26 == u32::from(check.wrapping_sub(b'A'))).then_some(("codice-fiscale", word.clone()))
}
