//! Whether a value looks random, and whether somebody made it up to show where one belongs.

/// Words that stand where a secret belongs.
const STAND_INS: &[&[u8]] = &[
    b"example",
    b"placeholder",
    b"your",
    b"changeme",
    b"change_me",
    b"change-me",
    b"redacted",
    b"dummy",
    b"sample",
    b"insert",
    b"replace",
    b"xxxx",
    b"....",
    b"****",
    b"0000000",
    b"foobar",
    b"secret_here",
    b"<",
    b"fake",
];

/// Values that are passwords in documentation only, or none.
const NO_PASSWORDS: &[&[u8]] = &[
    b"password",
    b"passwd",
    b"pass",
    b"pwd",
    b"secret",
    b"postgres",
    b"root",
    b"admin",
    b"guest",
    b"user",
    b"username",
    b"test",
    b"token",
    b"mysql",
    b"mongo",
    b"redis",
    b"default",
    b"demo",
    b"none",
    b"null",
    b"true",
    b"false",
    b"pw",
    b"p",
    b"string",
];

/// What a text is made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Makeup {
    pub(super) lower: usize,
    pub(super) upper: usize,
    pub(super) digits: usize,
    pub(super) others: usize,
    /// How many different bytes.
    pub(super) distinct: u32,
    /// How often the kind changes from one byte to the next.
    pub(super) changes: usize,
    /// How often a byte is followed by itself or by its successor.
    pub(super) steps: usize,
}

pub(super) fn makeup(text: &[u8]) -> Makeup {
    let mut it = Makeup::default();
    let mut seen = 0_u128;
    let mut last: Option<(u8, u8)> = None;
    for byte in text {
        let kind = match byte {
            b'a'..=b'z' => {
                it.lower += 1;
                0
            }
            b'A'..=b'Z' => {
                it.upper += 1;
                1
            }
            b'0'..=b'9' => {
                it.digits += 1;
                2
            }
            _ => {
                it.others += 1;
                3
            }
        };
        seen |= 1 << (byte & 127);
        if let Some((before, kind_before)) = last {
            it.changes += usize::from(kind != kind_before);
            it.steps += usize::from(*byte == before || *byte == before.wrapping_add(1));
        }
        last = Some((*byte, kind));
    }
    it.distinct = seen.count_ones();
    it
}

impl Makeup {
    fn kinds(&self) -> usize {
        [self.lower, self.upper, self.digits, self.others]
            .iter()
            .filter(|count| **count > 0)
            .count()
    }
}

/// Whether what follows a known prefix is more than a stand-in: the prefix says the rest.
pub(super) fn is_filled_in(rest: &[u8]) -> bool {
    let it = makeup(rest);
    it.distinct >= 9 && it.distinct as usize * 8 >= rest.len().min(64) && !is_stand_in(rest)
}

/// Whether a value is random enough for a secret that only its surroundings speak for.
pub(super) fn is_random(value: &[u8]) -> bool {
    let it = makeup(value);
    let length = value.len();
    it.digits > 0
        && it.lower + it.upper > 0
        && it.distinct >= 10
        && it.changes * 5 >= length
        && it.steps * 4 < length
        && !is_stand_in(value)
}

/// Whether a value is a password that somebody chose, rather than one from a manual or the name of something.
pub(super) fn is_password(value: &[u8]) -> bool {
    if value.len() < 8 {
        return false;
    }
    let it = makeup(value);
    let is_mixed = it.kinds() >= 3 || (it.kinds() == 2 && value.len() >= 14 && it.changes >= 3);
    is_mixed
        && it.digits + it.others > 0
        && it.lower + it.upper > 0
        && it.distinct >= 6
        && !is_stand_in(value)
        && !is_no_password(value)
}

/// Whether a password is one of those of manuals: `password`, with or without digits behind it.
pub(super) fn is_no_password(value: &[u8]) -> bool {
    let digits = value
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'!' | b'_' | b'-'))
        .count();
    let word = value.get(..value.len() - digits).unwrap_or_default();
    word.is_empty()
        || NO_PASSWORDS
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known))
        || contains(value, b"password")
        || contains(value, b"p@ssw0rd")
}

/// Whether it says that something else belongs in its place.
pub(super) fn is_stand_in(value: &[u8]) -> bool {
    let begins = STAND_INS.iter().filter_map(|word| word.first());
    let firsts = begins.fold(0_u128, |set, byte| set | 1 << (byte & 127));
    (0..value.len()).any(|at| {
        let rest = value.get(at..).unwrap_or_default();
        let first = rest.first().copied().unwrap_or(0).to_ascii_lowercase();
        firsts >> (first & 127) & 1 != 0
            && STAND_INS.iter().any(|word| {
                let head = rest.get(..word.len());
                head.is_some_and(|head| head.eq_ignore_ascii_case(word))
            })
    })
}

/// Whether a text has a word in it, in small letters, whatever its case.
pub(super) fn contains(text: &[u8], word: &[u8]) -> bool {
    let first = word.first().map(|first| first | 0x20);
    text.windows(word.len()).any(|window| {
        // Nearly all are refused by their first byte.
        window.first().map(|byte| byte | 0x20) == first && window.eq_ignore_ascii_case(word)
    })
}

/// FNV-1a.
pub(super) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The checksum in the last six letters of GitHub's and npm's tokens: CRC-32 of what comes before, in base 62.
pub(super) fn has_checksum(rest: &[u8]) -> bool {
    let Some((body, sum)) = rest.split_last_chunk::<6>() else {
        return false;
    };
    let mut crc = u32::MAX;
    for byte in body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let claimed = sum.iter().try_fold(0_u64, |value, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return None,
        };
        Some(value * 62 + u64::from(digit))
    });
    claimed == Some(u64::from(!crc))
}

/// What base64 holds, of either alphabet, with or without padding, at most its first `most` bytes.
pub(super) fn base64(text: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(most.min(text.len()));
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
            if out.len() >= most {
                break;
            }
        }
    }
    Some(out)
}
