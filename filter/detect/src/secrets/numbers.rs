//! Cards, phones and other numbers that identify a person.

use std::ops::Range;

/// Most digits of a number that is looked at.
const DIGITS: usize = 20;
/// Most groups.
const GROUPS: usize = 4;
/// Groups of digits with one sign between them.
#[derive(Default)]
struct Number {
    digits: [u8; DIGITS],
    count: usize,
    groups: [usize; GROUPS],
    parts: usize,
    /// The sign between the groups, or 0; of several the first.
    sign: u8,
    /// Whether there are different ones.
    mixed: bool,
    end: usize,
}

impl Number {
    fn read(text: &[u8], start: usize) -> Option<Self> {
        let mut it = Self::default();
        let mut at = start;
        loop {
            let from = at;
            while let Some(digit @ b'0'..=b'9') = text.get(at) {
                if let Some(place) = it.digits.get_mut(it.count) {
                    *place = digit - b'0';
                }
                it.count += 1;
                at += 1;
            }
            if at > from {
                if let Some(group) = it.groups.get_mut(it.parts) {
                    *group = at - from;
                }
                it.parts += 1;
                it.end = at;
            }
            let sign = text.get(at).copied().unwrap_or(0);
            let goes_on = matches!(sign, b' ' | b'-' | b'.')
                && text.get(at + 1).is_some_and(u8::is_ascii_digit);
            if !goes_on || it.count >= DIGITS {
                return Some(it);
            }
            // No number that is looked for has other groups and goes on.
            if !matches!(
                it.groups(),
                [4] | [4, 4 | 6] | [4, 4, 4] | [3] | [3, 2 | 3] | [3, 3, 3]
            ) {
                return None;
            }
            if it.parts == 1 {
                it.sign = sign;
            }
            it.mixed |= sign != it.sign;
            at += 1;
        }
    }

    fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or_default()
    }

    fn groups(&self) -> &[usize] {
        self.groups.get(..self.parts).unwrap_or_default()
    }

    /// The number that its digits from one place to another make.
    fn value(&self, places: Range<usize>) -> u32 {
        let digits = self.digits.get(places).unwrap_or_default();
        digits
            .iter()
            .fold(0, |value, digit| value * 10 + u32::from(*digit))
    }
}

/// Numbers that payment services give out for tests, by the FNV of their digits.
const TEST_CARDS: &[u64] = &[
    0x52844fe3fc3addf5,
    0xec069e56fa2f664b,
    0x58f962e80b1d890a,
    0xeaa68838bf2612e1,
    0xaca9e61e46612c14,
    0x2b50224c8e6c20f8,
    0xc52000058ca84359,
    0xfadbc365d433410a,
    0xd42c2da73ee64709,
    0xa8999f187471c620,
    0x4c27c69914aafffb,
    0xcb165115f4fdc78d,
    0x4c8d829613621cb3,
    0x2a86d11b72f8a20c,
    0xa66c049f149fcf10,
    0x74e5a090ba19a025,
    0x466654874eb297cd,
    0xfc2e1d6c566c5ff3,
    0xf1a92601aeac779b,
    0x7baad910ea991791,
    0xd690380d8fc25005,
    0xa6a3d1b2f026517b,
    0x5eaac54872e6810d,
    0x9045f53577765939,
    0xfa419d3277fddf3c,
    0x6dfa7ff60b29ef5f,
    0x2dee6b839a423172,
];

/// Words near one of these that say that it is for tests. Without them it counts: test data of an agent's tools looks
/// like that, and so does what people try first.
const TRIAL: &[&[u8]] = &[
    b"test", b"example", b"sample", b"sandbox", b"dummy", b"fake", b"mock", b"demo",
];

/// A number that begins here with a digit, and its place.
pub(super) fn number(text: &[u8], start: usize) -> Option<(&'static str, Range<usize>)> {
    let before = |back: usize| start.checked_sub(back).and_then(|at| text.get(at)).copied();
    // The rest of a number in groups is no number.
    let is_rest = before(1) == Some(b' ') && before(2).is_some_and(|byte| byte.is_ascii_digit());
    let stands_alone = match before(1) {
        None => true,
        // A fraction, part of a longer number, or of a name.
        Some(b'.' | b',' | b'-' | b'/' | b':') => {
            !before(2).is_some_and(|byte| byte.is_ascii_alphanumeric())
        }
        Some(byte) => !byte.is_ascii_alphanumeric() && byte < 128,
    };
    if !stands_alone && before(2) != Some(b'\\') {
        return None;
    }
    let it = Number::read(text, start)?;
    let after = |far: usize| text.get(it.end + far).copied().unwrap_or(0);
    if after(0).is_ascii_alphanumeric()
        || after(0) == b'_'
        || (matches!(after(0), b'.' | b'-' | b'/' | b':' | b'@')
            && after(1).is_ascii_alphanumeric())
    {
        return None;
    }
    let name = if it.mixed {
        None
    } else if is_card(&it) && !is_trial(&it, text, start) {
        Some("card")
    } else {
        match (it.groups(), it.sign) {
            ([3, 2, 4], b'-') => is_social_security(&it).then_some("us-ssn"),
            ([4, 4, 4], b' ') if !is_rest => is_aadhaar(&it).then_some("aadhaar"),
            ([3, 3, 4], b'-' | b'.') => is_us_phone(&it).then_some("phone"),
            _ => None,
        }
    };
    let name = name.or_else(|| is_cpf(&it, text, start).then_some("cpf"))?;
    Some((name, start..it.end))
}

/// A number with its country, of which the plus stands right before `start`.
pub(super) fn phone(text: &[u8], start: usize) -> Option<(&'static str, Range<usize>)> {
    let plus = start.checked_sub(1)?;
    let before = plus
        .checked_sub(1)
        .and_then(|at| text.get(at))
        .copied()
        .unwrap_or(b' ');
    if !matches!(
        before,
        b' ' | b'"' | b':' | b'(' | b'\n' | b'n' | b'>' | b'\t' | b'='
    ) {
        return None;
    }
    let mut at = start;
    let (mut count, mut signs) = (0, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'0'..=b'9' => count += 1,
            b' ' | b'-' | b'(' | b')' | b'.' => {
                // A number has no holes, and does not end in one.
                let next = text.get(at + 1).copied().unwrap_or(0);
                let goes_on = matches!(next, b'(' | b' ' | b'-') && signs < 6;
                if !next.is_ascii_digit() && !goes_on {
                    break;
                }
                signs += 1;
            }
            _ => break,
        }
        if count > 15 || signs > 8 {
            return None;
        }
        at += 1;
    }
    let body = text.get(start..at)?;
    let digits = body.iter().rposition(u8::is_ascii_digit)? + 1;
    let after = text.get(at).copied().unwrap_or(b' ');
    let fits = (10..=15).contains(&count)
        && body.first() != Some(&b'0')
        && !after.is_ascii_alphanumeric()
        && after != b'.'
        && !is_fictional(body);
    fits.then_some(("phone", plus..start + digits))
}

/// Numbers kept for films and manuals have 555-01 in them.
fn is_fictional(body: &[u8]) -> bool {
    let digits: Vec<u8> = body.iter().copied().filter(u8::is_ascii_digit).collect();
    digits.windows(5).any(|window| window == b"55501")
        || digits.windows(6).any(|window| window == b"123456")
}

fn is_us_phone(it: &Number) -> bool {
    let (area, exchange, line) = (it.value(0..3), it.value(3..6), it.value(6..10));
    area >= 200
        && exchange >= 200
        && area % 100 != 11
        && exchange % 100 != 11
        && !(exchange == 555 && (100..200).contains(&line))
        && area != 555
}

/// Luhn's check, the ranges of issuers, and groups as they are printed.
fn is_card(it: &Number) -> bool {
    let lengths = match it.value(0..4) {
        4000..=4999 => 16..=16,
        2221..=2720 | 5100..=5599 => 16..=16,
        3400..=3499 | 3700..=3799 => 15..=15,
        3000..=3059 | 3600..=3699 | 3800..=3999 => 14..=14,
        3528..=3589 | 6011 | 6440..=6599 | 6200..=6299 | 2200..=2204 => 16..=16,
        _ => return false,
    };
    let grouped = match it.groups() {
        // Without groups the shorter ones are too like the numbers of orders.
        [whole] => *whole >= 15,
        [4, 4, 4, 4] | [4, 6, 5] | [4, 6, 4] => it.sign != b'.',
        _ => false,
    };
    let digits = it.digits();
    grouped
        && lengths.contains(&it.count)
        && luhn(digits)
        && super::judge::makeup(digits).distinct > 1
}

/// Whether it is a number for tests, and what is around it says so.
fn is_trial(it: &Number, text: &[u8], start: usize) -> bool {
    let around = text.get(start.saturating_sub(96)..(it.end + 48).min(text.len()));
    TEST_CARDS.contains(&super::judge::fnv(it.digits()))
        && TRIAL
            .iter()
            .any(|word| around.is_some_and(|text| super::judge::contains(text, word)))
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Areas that exist, and none of the numbers that were printed on sample cards.
fn is_social_security(it: &Number) -> bool {
    let (area, group, serial) = (it.value(0..3), it.value(3..5), it.value(5..9));
    let made_up = matches!(
        (area, group, serial),
        (78, 5, 1120) | (219, 9, 9999) | (123, 45, 6789)
    );
    (1..900).contains(&area) && area != 666 && group > 0 && serial > 0 && !made_up
}

/// The Brazilian number, only as it is printed: 000.000.000-00.
fn is_cpf(it: &Number, text: &[u8], start: usize) -> bool {
    if it.groups() != [3, 3, 3, 2]
        || text.get(start + 3) != Some(&b'.')
        || text.get(start + 11) != Some(&b'-')
    {
        return false;
    }
    let check = |count: usize| {
        let digits = it.digits.iter().take(count).enumerate();
        let sum: usize = digits
            .map(|(at, digit)| usize::from(*digit) * (count + 1 - at))
            .sum();
        match sum * 10 % 11 {
            10 => 0,
            rest => rest,
        }
    };
    let is =
        |place: usize, digit: usize| it.digits.get(place).map(|it| usize::from(*it)) == Some(digit);
    is(9, check(9)) && is(10, check(10)) && super::judge::makeup(it.digits()).distinct > 1
}

/// The Indian number, with Verhoeff's check.
fn is_aadhaar(it: &Number) -> bool {
    const PERMUTE: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut check = 0;
    for (place, digit) in it.digits().iter().rev().enumerate() {
        let mut value = *digit;
        for _ in 0..place % 8 {
            value = PERMUTE.get(usize::from(value)).copied().unwrap_or(0);
        }
        check = dihedral(check, value);
    }
    check == 0 && it.value(0..1) >= 2 && super::judge::makeup(it.digits()).distinct > 2
}

/// The product in the dihedral group of ten elements.
fn dihedral(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a - 5 + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    }
}
