//! Characters that are written as something else: JSON and other backslash escapes, percent, HTML entities,
//! quoted-printable. Each is read where it stands, however often its escape was escaped.

use super::{Reader, Sink};
use crate::{Fold, Folded};

/// Most times that an escape is looked for behind others.
const DEPTH: usize = 8;
/// Invisible characters in a row that are told.
pub(crate) const HIDDEN: usize = 6;
/// Most bytes of an address that are looked through.
const MAX_URL: usize = 1024;
/// Bytes of a run of invisible characters that are looked at at once.
const MAX_HIDDEN: usize = 4096;

impl<S: Sink> Reader<'_, '_, S> {
    /// What begins with a byte that needs a careful look. Gives where to go on.
    #[inline(never)]
    pub(super) fn odd(&mut self, byte: u8, at: usize) -> usize {
        let read = match byte {
            b'\\' => return self.backslash(at),
            b'&' => entity(self.rest(at)),
            b'%' => percent(self.rest(at)),
            b'=' => return self.printable(at),
            _ => Some(utf8(self.rest(at))),
        };
        match read {
            Some((Some(character), length)) => {
                let letter = byte < 128 && character.is_ascii_alphanumeric();
                self.put(character, at, at + length, letter);
                at + length
            }
            Some((None, length)) => at + length,
            None => {
                self.symbol(byte, at, at + 1);
                at + 1
            }
        }
    }

    /// `\n`, `\u0069` and the like, also when the backslash itself was escaped.
    fn backslash(&mut self, at: usize) -> usize {
        let (read, length) = backslashed(self.rest(at));
        let end = at + length;
        match read {
            Some(character) => self.put(character, at, end, character.is_ascii_alphanumeric()),
            None => self.symbol(b'\\', at, end),
        }
        end
    }

    /// `=69=67` of quoted-printable, of which one alone would be no sign of it, and its soft line breaks.
    fn printable(&mut self, at: usize) -> usize {
        let rest = self.rest(at);
        if self.open.is_some()
            && let Some(length) = soft_break(rest)
        {
            return at + length;
        }
        let going_on = self.printable == at && at > 0;
        match quoted(rest) {
            Some((character, length))
                if going_on || quoted(rest.get(length..).unwrap_or_default()).is_some() =>
            {
                self.printable = at + length;
                self.put(
                    character,
                    at,
                    at + length,
                    character.is_ascii_alphanumeric(),
                );
                at + length
            }
            _ => {
                self.symbol(b'=', at, at + 1);
                at + 1
            }
        }
    }
}

/// What backslashes and what stands behind them read as, and how long that is; nothing for backslashes as such.
pub(crate) fn backslashed(text: &[u8]) -> (Option<char>, usize) {
    let slashes = count(text, b'\\');
    let after = text.get(slashes..).unwrap_or_default();
    let read = match after.first() {
        Some(b'n' | b'r') => Some(('\n', 1)),
        Some(b't' | b'b' | b'f') => Some((' ', 1)),
        Some(b'"') => Some(('"', 1)),
        Some(b'/') => Some(('/', 1)),
        Some(b'\'') => Some(('\'', 1)),
        _ => escape(after),
    };
    match read {
        Some((character, length)) => (Some(character), slashes + length),
        None => (None, slashes),
    }
}

/// Whether quoted-printable begins here.
pub(crate) fn is_printable(text: &[u8]) -> bool {
    quoted(text).is_some_and(|(_, length)| quoted(text.get(length..).unwrap_or_default()).is_some())
}

/// How long an address goes on.
pub(crate) fn address(text: &[u8]) -> usize {
    text.iter()
        .take(MAX_URL)
        .take_while(|byte| byte.is_ascii_graphic() && !b"\"'<>`|\\)]".contains(byte))
        .count()
}

/// How many of the byte stand at the beginning, up to [`DEPTH`].
fn count(text: &[u8], byte: u8) -> usize {
    let same = text.iter().take(DEPTH).take_while(|it| **it == byte);
    same.count()
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |value, digit| {
        value
            .checked_mul(16)?
            .checked_add(char::from(*digit).to_digit(16)?)
    })
}

/// `u0069`, `u{69}`, `U00000069`, `x69`, `151`, and how long it is.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let code = |digits: usize| hex(text.get(1..=digits)?);
    match text.first()? {
        b'u' if text.get(1) == Some(&b'{') => {
            let length = text.iter().take(9).position(|byte| *byte == b'}')?;
            let digits = text.get(2..length).filter(|digits| !digits.is_empty())?;
            Some((char::from_u32(hex(digits)?)?, length + 1))
        }
        b'u' => {
            let unit = code(4)?;
            if !(0xd800..0xe000).contains(&unit) {
                return Some((char::from_u32(unit)?, 5));
            }
            let rest = text.get(5..)?;
            let slashes = count(rest, b'\\');
            let low = rest.get(slashes..).filter(|low| low.first() == Some(&b'u'));
            let low = low.and_then(|low| hex(low.get(1..5)?));
            match low {
                Some(low)
                    if (0xd800..0xdc00).contains(&unit) && (0xdc00..0xe000).contains(&low) =>
                {
                    let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    Some((char::from_u32(code)?, slashes + 10))
                }
                _ => Some((char::REPLACEMENT_CHARACTER, 5)),
            }
        }
        b'U' => Some((char::from_u32(code(8)?)?, 9)),
        b'x' => Some((char::from_u32(code(2)?)?, 3)),
        b'0' | b'1' => {
            let digits = text.get(..3)?;
            let octal = digits.iter().try_fold(0, |value, digit| {
                Some(value * 8 + char::from(*digit).to_digit(8)?)
            })?;
            (octal >= 0o40).then_some((char::from_u32(octal)?, 3))
        }
        _ => None,
    }
}

/// `%69`, `%2569`, `%C3%A9`.
pub(crate) fn percent(text: &[u8]) -> Option<(Option<char>, usize)> {
    let mut bytes = [0; 4];
    let mut at = 0;
    for filled in 1..=bytes.len() {
        let (byte, length) = percent_byte(text.get(at..)?)?;
        at += length;
        *bytes.get_mut(filled - 1)? = byte;
        if let Ok(read) = std::str::from_utf8(bytes.get(..filled)?) {
            return Some((read.chars().next(), at));
        }
    }
    None
}

fn percent_byte(text: &[u8]) -> Option<(u8, usize)> {
    let mut rest = text.strip_prefix(b"%")?;
    for _ in 0..DEPTH {
        match rest.strip_prefix(b"25") {
            Some(nested) if hex(nested.get(..2)?).is_some() => rest = nested,
            _ => break,
        }
    }
    let byte = u8::try_from(hex(rest.get(..2)?)?).ok()?;
    // Control characters are not what text is hidden in, and `%0d` is how numbers are printed.
    (byte >= 0x20).then_some((byte, text.len() - rest.len() + 2))
}

/// `=69`: with large digits, as it is always written.
fn quoted(text: &[u8]) -> Option<(char, usize)> {
    let digits = text.strip_prefix(b"=")?.get(..2)?;
    let large = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    let byte = digits.iter().all(large).then(|| hex(digits)).flatten()?;
    let read = char::from_u32(byte).filter(char::is_ascii)?;
    (byte >= 0x20).then_some((read, 3))
}

/// `=` at the end of a line.
pub(crate) fn soft_break(text: &[u8]) -> Option<usize> {
    [&b"=\r\n"[..], b"=\n", b"=\\r\\n", b"=\\n"]
        .into_iter()
        .find(|end| text.starts_with(end))
        .map(<[u8]>::len)
}

/// `&#105;`, `&#x69;`, `&lt;`, also as `&amp;#105;`.
pub(crate) fn entity(text: &[u8]) -> Option<(Option<char>, usize)> {
    let mut rest = text.strip_prefix(b"&")?;
    for _ in 0..DEPTH {
        match rest.strip_prefix(b"amp;") {
            Some(nested) => rest = nested,
            None => break,
        }
    }
    let nested = text.len() - rest.len();
    let read = (|| {
        let length = rest.iter().take(16).position(|byte| *byte == b';')?;
        let name = rest.get(..length)?;
        let character = match name.strip_prefix(b"#") {
            Some(number) => numbered(number)?,
            None => named(name)?,
        };
        Some((Some(character), nested + length + 1))
    })();
    // `&amp;` itself is a sign.
    read.or((nested > 1).then_some((Some('&'), nested)))
}

fn numbered(number: &[u8]) -> Option<char> {
    let code = match number {
        [b'x' | b'X', digits @ ..] if !digits.is_empty() => hex(digits)?,
        [_, ..] => std::str::from_utf8(number).ok()?.parse().ok()?,
        [] => return None,
    };
    char::from_u32(code)
}

fn named(name: &[u8]) -> Option<char> {
    Some(match name {
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" | b"rsquo" | b"lsquo" => '\'',
        b"nbsp" | b"ensp" | b"emsp" | b"thinsp" | b"Tab" => ' ',
        b"NewLine" => '\n',
        b"shy" => '\u{AD}',
        b"zwnj" => '\u{200C}',
        b"zwj" => '\u{200D}',
        b"ZeroWidthSpace" => '\u{200B}',
        b"colon" => ':',
        b"lsqb" | b"lbrack" => '[',
        b"rsqb" | b"rbrack" => ']',
        b"num" => '#',
        _ => return None,
    })
}

/// The first character and its length in bytes; a byte that begins none is skipped.
pub(crate) fn utf8(bytes: &[u8]) -> (Option<char>, usize) {
    let length = match bytes.first() {
        Some(0xC2..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF4) => 4,
        _ => return (None, 1),
    };
    let read = bytes
        .get(..length)
        .and_then(|it| std::str::from_utf8(it).ok());
    match read.and_then(|it| it.chars().next()) {
        Some(character) => (Some(character), length),
        None => (None, 1),
    }
}

/// A run of invisible characters.
pub(crate) struct Hidden {
    /// In bytes.
    pub(crate) length: usize,
    pub(crate) characters: usize,
    /// Bytes that its variation selectors stand for.
    pub(crate) carried: Vec<u8>,
}

/// The run that the text begins with.
pub(crate) fn hidden(text: &[u8], fold: &Fold) -> Hidden {
    let mut run = Hidden {
        length: 0,
        characters: 0,
        carried: Vec::new(),
    };
    while run.length < MAX_HIDDEN {
        let rest = text.get(run.length..).unwrap_or_default();
        let (read, length) = match rest.first() {
            Some(b'\\') => {
                let slashes = count(rest, b'\\');
                match escape(rest.get(slashes..).unwrap_or_default()) {
                    Some((character, length)) => (Some(character), slashes + length),
                    None => break,
                }
            }
            Some(128..) => utf8(rest),
            _ => break,
        };
        let Some(character) = read else {
            break;
        };
        if character.is_ascii()
            || !matches!(fold.get(character), Folded::Invisible | Folded::Tag(_))
        {
            break;
        }
        run.length += length;
        run.characters += 1;
        let byte = match u32::from(character) {
            code @ 0xFE00..=0xFE0F => code - 0xFE00,
            code @ 0xE_0100..=0xE_01EF => code - 0xE_0100 + 16,
            _ => continue,
        };
        run.carried.extend(u8::try_from(byte));
    }
    run
}
