//! Secrets and personal data: what opens something, and what identifies somebody.
//!
//! A scan tells every word; nearly all are let go by their length and letters. What looks odd is looked at with what
//! is around it, within bounds, and what was looked at in vain is not looked at again. A word near the end of a piece
//! waits for more, so that it does not matter how a text is cut into pieces.

mod around;
mod judge;
mod keys;
mod letters;
mod numbers;
mod token;

use std::ops::Range;

use crate::Secret;
use crate::flag::{CAMEL, DIGIT, LOWER, SYMBOLS, UPPER};
use crate::words::Word;

/// How far behind a word is looked.
const AHEAD: usize = 4096;
/// How far behind the beginning of a PEM block.
const AHEAD_PEM: usize = 8192;
/// How far before a word.
const BACK: usize = 128;
/// Most secrets of one scan; where there are more, the last one goes to the end.
const MOST: usize = 4096;
/// Most words that wait for more text; all are near its end.
const WAITING: usize = 2048;

/// Patterns that identify a person rather than open something.
const PERSONAL: &[&str] = &[
    "aadhaar",
    "card",
    "codice-fiscale",
    "cpf",
    "email",
    "iban",
    "phone",
    "us-ssn",
];

/// Patterns that are off unless a pack turns them on: text is full of them.
pub(crate) const OFF: &[&str] = &["email", "phone"];

/// Every pattern of secrets and personal data that ships, by name; some names come more than once.
pub fn patterns() -> impl Iterator<Item = &'static str> {
    const OTHERS: &[&str] = &[
        "aws-secret-key",
        "azure-client-secret",
        "azure-devops-token",
        "azure-key",
        "basic-auth",
        "bearer-token",
        "credential",
        "discord-token",
        "discord-webhook",
        "jwt",
        "mailchimp-key",
        "password",
        "private-key",
        "slack-webhook",
        "telegram-token",
        "url-password",
    ];
    let keys = keys::KEYS.iter().chain(keys::DOTTED).map(|key| key.name);
    keys.chain(OTHERS.iter().copied())
        .chain(PERSONAL.iter().copied())
}

/// Why a word is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Token,
    Digits,
    Group,
    Plus,
    Account,
    Name,
    Header,
    Scheme,
    Pem,
    Mail,
}

/// How many signs there are.
const SIGNS: usize = 10;

/// A word that is looked at, in bytes of the whole input.
#[derive(Clone, Debug)]
struct Candidate {
    word: Range<usize>,
    sign: Sign,
}

/// What a candidate came to.
struct Look {
    found: Option<(&'static str, Range<usize>)>,
    /// Up to here nothing else is looked at.
    resume: usize,
    /// Up to here nothing of the same sign is looked at.
    quiet: usize,
}

/// The secrets of a scan under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets<'p> {
    /// Bytes before the piece at hand.
    base: usize,
    /// Up to here all was looked at.
    resume: usize,
    /// By sign: up to here its words were looked at together with an earlier one.
    quiet: [usize; SIGNS],
    /// The end of what was read before the piece.
    tail: Vec<u8>,
    /// Words that wait for more text, in order.
    waiting: Vec<Candidate>,
    found: Vec<Secret>,
    /// Patterns that are not told.
    off: &'p [String],
}

impl<'p> Secrets<'p> {
    /// Looks for everything but the patterns that are off.
    pub(crate) fn new(off: &'p [String]) -> Self {
        Self {
            off,
            ..Self::default()
        }
    }

    /// What was found so far, as if the text ended here.
    pub(crate) fn found(&self) -> Vec<Secret> {
        let mut now = self.clone();
        let (tail, start) = (std::mem::take(&mut now.tail), now.base - self.tail.len());
        for candidate in std::mem::take(&mut now.waiting) {
            now.settle(&tail, start, &candidate);
        }
        if now.found.len() >= MOST
            && let Some(last) = now.found.last_mut()
        {
            last.span.end = self.base;
        }
        now.found
    }

    /// Whether a word may be odd, by its last three letters in small ones, what stands behind it, and its flags.
    #[inline(always)]
    pub(crate) fn may_look(last: u32, next: u8, flags: u8) -> bool {
        let odd = ENDINGS >> ending(last) & 1 != 0 || matches!(next, b'@' | b':');
        odd || flags & (DIGIT | CAMEL) != 0
    }

    /// A word of the piece at hand, which is nothing but letters, digits and underscores.
    #[inline(never)]
    pub(crate) fn look(&mut self, text: &[u8], start: usize, end: usize, flags: u8) {
        if let Some(sign) = sign(text, start, end, flags) {
            self.odd(text, start..end, sign);
        }
    }

    /// A word of the piece at hand.
    #[inline]
    pub(crate) fn word(&mut self, text: &[u8], word: &Word) {
        if word.flags & SYMBOLS == 0
            && let Some(sign) = sign(text, word.start, word.end, word.flags)
        {
            self.odd(text, word.start..word.end, sign);
        }
    }

    /// Before the words of a piece are told.
    pub(crate) fn begin(&mut self, piece: &[u8]) {
        let first = self.waiting.first();
        if first.is_none_or(|it| it.needs() > self.base + piece.len()) {
            return;
        }
        let start = self.base - self.tail.len();
        let mut text = std::mem::take(&mut self.tail);
        let kept = text.len();
        text.extend_from_slice(piece.get(..AHEAD_PEM).unwrap_or(piece));
        let end = start + text.len();
        let waiting = std::mem::take(&mut self.waiting);
        let mut waiting = waiting.into_iter().peekable();
        while let Some(candidate) = waiting.next_if(|it| it.needs() <= end) {
            self.settle(&text, start, &candidate);
        }
        self.waiting = waiting.collect();
        text.truncate(kept);
        self.tail = text;
    }

    /// After the words of a piece were told.
    pub(crate) fn end(&mut self, piece: &[u8]) {
        self.base += piece.len();
        let first = self.waiting.first().map_or(self.base, |it| it.word.start);
        let keep = (self.base - first) + BACK;
        if piece.len() >= keep {
            self.tail.clear();
            self.tail
                .extend_from_slice(piece.get(piece.len() - keep..).unwrap_or_default());
        } else {
            self.tail.extend_from_slice(piece);
            let surplus = self.tail.len().saturating_sub(keep);
            self.tail.drain(..surplus);
        }
    }

    #[cold]
    fn odd(&mut self, text: &[u8], word: Range<usize>, sign: Sign) {
        let place = self.base + word.start..self.base + word.end;
        if place.start < self.resume || self.found.len() >= MOST || self.is_off(sign) {
            return;
        }
        let candidate = Candidate { word: place, sign };
        if !self.waiting.is_empty() || candidate.needs() > self.base + text.len() {
            if self.waiting.len() < WAITING {
                self.waiting.push(candidate);
            }
        } else if word.start < BACK && !self.tail.is_empty() {
            let start = self.base - self.tail.len();
            let head = text.get(..word.end + AHEAD_PEM).unwrap_or(text);
            let joined = [self.tail.as_slice(), head].concat();
            self.settle(&joined, start, &candidate);
        } else {
            self.settle(text, self.base, &candidate);
        }
    }

    /// Whether nothing can come of a sign.
    fn is_off(&self, sign: Sign) -> bool {
        let name = match sign {
            Sign::Mail => "email",
            Sign::Plus => "phone",
            _ => return false,
        };
        self.off.iter().any(|off| off == name)
    }

    /// Looks at a candidate in a text that begins at `start`, and has all that there is to see.
    fn settle(&mut self, text: &[u8], start: usize, candidate: &Candidate) {
        let word = &candidate.word;
        if word.start < self.resume || self.found.len() >= MOST {
            return;
        }
        let sign = candidate.sign as usize;
        if self
            .quiet
            .get(sign)
            .is_some_and(|quiet| word.start < *quiet)
        {
            return;
        }
        let Some(local) = word.start.checked_sub(start).map(|at| at..word.end - start) else {
            return;
        };
        let floor = self.resume.saturating_sub(start);
        let look = look(text, &local, candidate.sign, floor);
        self.resume = self.resume.max(start + look.resume);
        if let Some(quiet) = self.quiet.get_mut(sign) {
            *quiet = start + look.quiet;
        }
        if let Some((pattern, span)) = look.found
            && !self.off.iter().any(|off| off == pattern)
        {
            self.found.push(Secret {
                pattern: pattern.to_owned(),
                personal: PERSONAL.contains(&pattern),
                span: start + span.start..start + span.end,
            });
        }
    }
}

impl Candidate {
    /// Where the text must reach for a look at it, unless it ends before.
    fn needs(&self) -> usize {
        match self.sign {
            Sign::Pem => self.word.end + AHEAD_PEM,
            _ => self.word.end + AHEAD,
        }
    }
}

/// What is odd about a word; nothing about most.
#[inline]
fn sign(text: &[u8], start: usize, end: usize, flags: u8) -> Option<Sign> {
    let length = end - start;
    if flags & DIGIT != 0 {
        return odd_digits(text, start, end, flags);
    }
    if length >= 20 && flags & CAMEL != 0 {
        return Some(Sign::Token);
    }
    let next = text.get(end).copied()?;
    match next {
        b'a'..=b'z' | b'A'..=b'Z' | b'.' | b',' => None,
        b'@' => Some(Sign::Mail),
        b':' if is_scheme(text, end) => Some(Sign::Scheme),
        _ if may_end_name(text, end) => odd_name(text, start, end),
        _ => None,
    }
}

fn is_scheme(text: &[u8], colon: usize) -> bool {
    let rest = text.get(colon + 1..).unwrap_or_default();
    rest.starts_with(b"//") || rest.starts_with(b"\\/\\/")
}

/// A word with digits.
fn odd_digits(text: &[u8], start: usize, end: usize, flags: u8) -> Option<Sign> {
    let length = end - start;
    let next = text.get(end).copied().unwrap_or(b' ');
    if next == b'@' {
        return Some(Sign::Mail);
    }
    if flags & (LOWER | UPPER) == 0 {
        let before = start.checked_sub(1).and_then(|at| text.get(at));
        if before == Some(&b'+') {
            return Some(Sign::Plus);
        }
        // At the end of a piece nobody knows yet.
        let goes_on = || text.get(end + 1).is_none_or(u8::is_ascii_digit);
        return match length {
            12.. => Some(Sign::Digits),
            3 if matches!(next, b'-' | b'.') && goes_on() => Some(Sign::Group),
            4 if matches!(next, b' ' | b'-') && goes_on() => Some(Sign::Group),
            _ => None,
        };
    }
    if length >= 4
        && flags & LOWER == 0
        && let Some([b'A'..=b'Z', b'A'..=b'Z', second, third]) = text.get(start..start + 4)
        && ((second.is_ascii_digit() && third.is_ascii_digit()) || length == 16)
    {
        return Some(Sign::Account);
    }
    if length >= 12 {
        return Some(Sign::Token);
    }
    (next == b':' && is_scheme(text, end)).then_some(Sign::Scheme)
}

/// Whether a word that ends there may be one that [`odd_name`] knows, by its last three letters: a bit for the hash
/// of each usual ending, with a multiplier for which they have few.
#[inline]
fn may_end_name(text: &[u8], end: usize) -> bool {
    let last = end.checked_sub(3).and_then(|at| text.get(at..end));
    let Some(&[first, second, third]) = last else {
        return false;
    };
    ENDINGS >> ending(u32::from_le_bytes([first, second, third, 0])) & 1 != 0
}

#[inline]
const fn ending(letters: u32) -> u32 {
    (letters | 0x20_2020).wrapping_mul(0x6AEA_2E65) >> 26
}

/// The bits of [`may_end_name`].
const ENDINGS: u64 = {
    let mut bits = 0;
    let mut rest: &[&[u8; 3]] = &[
        b"ord", b"swd", b"pwd", b"ase", b"ort", b"ena", b"ret", b"key", b"ken", b"rer", b"sic",
        b"gin",
    ];
    while let [[first, second, third], others @ ..] = rest {
        bits |= 1 << ending(u32::from_le_bytes([*first, *second, *third, 0]));
        rest = others;
    }
    bits
};

/// A word that may be the name of a secret, or stand before one.
fn odd_name(text: &[u8], start: usize, end: usize) -> Option<Sign> {
    let length = end - start;
    if !(3..=48).contains(&length) {
        return None;
    }
    let letters = text.get(start..end)?;
    let last = letters.last()?.to_ascii_lowercase();
    let dash_before = start.checked_sub(1).and_then(|at| text.get(at)) == Some(&b'-');
    match (last, length) {
        (b'r', 6) if letters.eq_ignore_ascii_case(b"bearer") => Some(Sign::Header),
        (b'c', 5) if letters.eq_ignore_ascii_case(b"basic") => Some(Sign::Header),
        (b'n', 5) if dash_before && letters == b"BEGIN" => Some(Sign::Pem),
        (b'd' | b'e' | b't' | b'y' | b'n' | b'a', _) => {
            let ending = letters
                .last_chunk::<3>()?
                .map(|byte| byte.to_ascii_lowercase());
            let usual = matches!(
                &ending,
                b"ord" | b"swd" | b"pwd" | b"ase" | b"ort" | b"ena" | b"ret" | b"key" | b"ken"
            );
            (usual && around::is_name(letters, dash_before)).then_some(Sign::Name)
        }
        _ => None,
    }
}

/// Looks at a word with what is around it, from `floor` on.
fn look(text: &[u8], word: &Range<usize>, sign: Sign, floor: usize) -> Look {
    let (found, resume, quiet) = match sign {
        Sign::Token => {
            let run = token::run(text, word, floor);
            (token::named(text, &run), run.end, 0)
        }
        Sign::Digits => match numbers::number(text, word.start) {
            // A long number may also be part of a token.
            None => return look(text, word, Sign::Token, floor),
            found => (found, 0, 0),
        },
        Sign::Account => {
            let (found, seen) = letters::iban(text, word.start);
            match found.or_else(|| letters::codice_fiscale(text, word)) {
                None if word.len() >= 12 => return look(text, word, Sign::Token, floor),
                found => (found, 0, seen),
            }
        }
        Sign::Name => {
            let (found, seen) = around::assigned(text, word);
            (found, 0, seen)
        }
        Sign::Mail => (around::email(text, word, floor), word.end, 0),
        Sign::Group => (numbers::number(text, word.start), 0, 0),
        Sign::Plus => (numbers::phone(text, word.start), 0, 0),
        Sign::Header => (around::header(text, word), 0, 0),
        Sign::Scheme => (around::url(text, word), 0, 0),
        Sign::Pem => (around::pem(text, word, AHEAD_PEM), 0, 0),
    };
    let end = found.as_ref().map_or(0, |(_, span)| span.end);
    Look {
        found,
        resume: resume.max(end),
        quiet,
    }
}
