//! Cuts text into words as a model reads them: whatever their case, script, escapes and invisible characters.

use crate::flag::{CAMEL, DIGIT, LOWER, START, SYMBOLS, UNDERSCORE, UPPER};
use crate::hash::Hash;

/// Most bytes of a word that are looked at; longer ones are shapes, not words.
pub(crate) const MAX_WORD: u32 = 40;

/// One word, or a run of symbols.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    /// Hash of its folded form.
    pub(crate) hash: Hash,
    /// Bytes of the piece it was read from.
    pub(crate) start: usize,
    /// End of these.
    pub(crate) end: usize,
    /// Characters.
    pub(crate) length: u32,
    /// What it is like.
    pub(crate) flags: u8,
    /// The symbol right before it, or 0.
    pub(crate) before: u8,
    /// The symbol right after it, or 0.
    pub(crate) after: u8,
    /// How far it is from the word before: 1, more after the end of a sentence or field.
    pub(crate) step: u8,
}

/// Takes the words.
pub(crate) trait Sink {
    /// The next word, whose bytes are those of `text`.
    fn word(&mut self, text: &[u8], word: &Word);
}

/// What a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Space,
    Letter,
    Symbol,
    Other,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Symbol; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let of = byte as u8;
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            table[byte] = match of {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => Class::Letter,
                0..=b' ' | 127 => Class::Space,
                b'\\' | b'&' | b'%' | 128.. => Class::Other,
                _ => Class::Symbol,
            };
        }
        byte += 1;
    }
    table
}

/// The state between two words, which one piece hands to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gap {
    /// Whether the next word begins something.
    starts: bool,
    /// How far the next word is.
    step: u8,
    /// The symbol right before the place, or 0.
    before: u8,
    /// A run of symbols under way.
    symbols: Hash,
    count: u32,
    start: usize,
    /// Whether a sentence may have ended: a stop was seen, and a space would settle it.
    stop: bool,
}

impl Gap {
    /// At the beginning of a text.
    pub(crate) const fn begin() -> Self {
        Self {
            starts: true,
            ..Self::new()
        }
    }

    const fn new() -> Self {
        Self {
            starts: false,
            step: 1,
            before: 0,
            symbols: Hash::new(),
            count: 0,
            start: 0,
            stop: false,
        }
    }
}

/// A word under way.
#[derive(Clone, Copy, Debug)]
struct Open {
    hash: Hash,
    start: usize,
    end: usize,
    length: u32,
    flags: u8,
}

/// Reads a piece that begins and ends between words, and gives the state at its end.
pub(crate) fn words(text: &[u8], gap: Gap, sink: &mut impl Sink) -> Gap {
    let mut reader = Reader {
        text,
        sink,
        gap,
        open: None,
        unspaced: Unspaced::default(),
    };
    reader.read();
    reader.gap
}

struct Reader<'t, 's, S> {
    text: &'t [u8],
    sink: &'s mut S,
    gap: Gap,
    open: Option<Open>,
    unspaced: Unspaced,
}

/// Most characters of a word in a script that has no spaces.
const UNSPACED: usize = 4;

/// The last characters of a run in a script without spaces: every two, three and four of them may be a word.
#[derive(Clone, Copy, Debug, Default)]
struct Unspaced {
    last: [(char, usize); UNSPACED],
    count: usize,
    end: usize,
}

impl<S: Sink> Reader<'_, '_, S> {
    fn read(&mut self) {
        let mut at = 0;
        while let Some(byte) = self.text.get(at) {
            match CLASSES
                .get(usize::from(*byte))
                .copied()
                .unwrap_or(Class::Symbol)
            {
                Class::Letter => {
                    self.letter(*byte, at, at + 1);
                    at += 1;
                }
                Class::Space => {
                    self.space(*byte, at);
                    at += 1;
                }
                Class::Symbol => {
                    self.symbol(*byte, at);
                    at += 1;
                }
                Class::Other => at = self.other(*byte, at),
            }
        }
        self.close(0);
        self.flush_symbols(at);
    }

    #[inline]
    fn letter(&mut self, byte: u8, at: usize, end: usize) {
        let flag = match byte {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            _ => UNDERSCORE,
        };
        match &mut self.open {
            Some(open) => {
                if flag == UPPER && open.flags & LOWER != 0 {
                    open.flags |= CAMEL;
                }
                open.flags |= flag;
                open.hash.push(byte.to_ascii_lowercase());
                open.length += 1;
                open.end = end;
            }
            None => {
                self.flush_symbols(at);
                let mut hash = Hash::new();
                hash.push(byte.to_ascii_lowercase());
                self.open = Some(Open {
                    hash,
                    start: at,
                    end,
                    length: 1,
                    flags: flag,
                });
            }
        }
    }

    /// Ends the word under way, if there is one; `after` is the symbol that ends it.
    fn close(&mut self, after: u8) {
        let Some(open) = self.open.take() else {
            return;
        };
        let mut flags = open.flags;
        if flags & LOWER != 0 {
            flags &= !UPPER;
        }
        if self.gap.starts {
            flags |= START;
        }
        let word = Word {
            hash: open.hash,
            start: open.start,
            end: open.end,
            length: open.length,
            flags,
            before: self.gap.before,
            after,
            step: self.gap.step,
        };
        self.gap = Gap::new();
        self.sink.word(self.text, &word);
    }

    fn space(&mut self, byte: u8, at: usize) {
        self.close(0);
        self.flush_symbols(at);
        self.gap.before = 0;
        if byte == b'\n' || byte == b'\r' {
            self.gap.starts = true;
        }
        if self.gap.stop {
            self.gap.stop = false;
            self.gap.starts = true;
            self.gap.step = 2;
        }
    }

    fn symbol(&mut self, byte: u8, at: usize) {
        // An apostrophe inside a word is no letter and no end.
        if byte == b'\'' && self.open.is_some() {
            let next = self.text.get(at + 1);
            if next.is_some_and(u8::is_ascii_alphabetic) {
                return;
            }
        }
        self.close(byte);
        match byte {
            b'.' | b'!' | b'?' => self.gap.stop = true,
            b',' | b'\'' | b'/' | b'-' | b'@' | b'=' | b'+' | b'$' | b'~' | b'^' => {}
            b'"' => {
                self.gap.starts = true;
                if self.gap.stop {
                    self.gap.stop = false;
                    self.gap.step = 2;
                }
            }
            _ => self.gap.starts = true,
        }
        if matches!(byte, b'"' | b'<' | b'[' | b'{' | b'\'' | b'`') {
            self.flush_symbols(at);
        }
        if !matches!(byte, b'"' | b',' | b'\'') {
            if self.gap.count == 0 {
                self.gap.start = at;
            }
            self.gap.symbols.push(byte);
            self.gap.count += 1;
        }
        if matches!(byte, b'>' | b']') {
            self.flush_symbols(at + 1);
        }
        self.gap.before = byte;
    }

    fn flush_symbols(&mut self, end: usize) {
        if self.gap.count >= 2 {
            let word = Word {
                hash: self.gap.symbols,
                start: self.gap.start,
                end,
                length: self.gap.count,
                flags: SYMBOLS,
                before: 0,
                after: 0,
                step: 0,
            };
            self.sink.word(self.text, &word);
        }
        self.gap.count = 0;
        self.gap.symbols = Hash::new();
    }

    /// What needs a careful look: escapes and everything beyond ASCII. Gives where to go on.
    #[inline(never)]
    fn other(&mut self, byte: u8, at: usize) -> usize {
        match byte {
            b'\\' => self.escape(at),
            b'&' | b'%' => {
                self.symbol(byte, at);
                at + 1
            }
            _ => self.character(at),
        }
    }

    /// `\n`, `\u0069` and the like, also when the backslash itself was escaped.
    fn escape(&mut self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let slashes = rest
            .iter()
            .take(8)
            .take_while(|byte| **byte == b'\\')
            .count();
        let end = at + slashes;
        match rest.get(slashes) {
            Some(b'n' | b'r') => {
                self.space(b'\n', at);
                end + 1
            }
            Some(b't' | b'b' | b'f') => {
                self.space(b' ', at);
                end + 1
            }
            Some(b'"') => {
                self.symbol(b'"', at);
                end + 1
            }
            Some(b'/') => {
                self.symbol(b'/', at);
                end + 1
            }
            Some(b'u') => self.unicode_escape(at, end),
            _ => {
                self.symbol(b'\\', at);
                end
            }
        }
    }

    fn unicode_escape(&mut self, at: usize, u: usize) -> usize {
        let Some(unit) = hex4(self.text, u + 1) else {
            self.symbol(b'\\', at);
            return u;
        };
        let mut end = u + 5;
        let mut code = unit;
        if (0xd800..0xdc00).contains(&unit) {
            let rest = self.text.get(end..).unwrap_or_default();
            let slashes = rest
                .iter()
                .take(8)
                .take_while(|byte| **byte == b'\\')
                .count();
            let low = (rest.get(slashes) == Some(&b'u'))
                .then(|| hex4(self.text, end + slashes + 1))
                .flatten()
                .filter(|low| (0xdc00..0xe000).contains(low));
            if let Some(low) = low {
                code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                end += slashes + 5;
            }
        }
        if let Some(character) = char::from_u32(code) {
            self.put(character, at, end);
        }
        end
    }

    fn character(&mut self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let (character, length) = decode(rest);
        if let Some(character) = character {
            self.put(character, at, at + length);
        }
        at + length
    }

    /// One character, wherever it came from.
    fn put(&mut self, character: char, at: usize, end: usize) {
        if character.is_ascii() {
            #[expect(clippy::cast_possible_truncation, reason = "it is ASCII")]
            let byte = character as u32 as u8;
            match CLASSES.get(usize::from(byte)) {
                Some(Class::Letter) => self.letter(byte, at, end),
                Some(Class::Space) => self.space(byte, at),
                _ => self.symbol(byte, at),
            }
            return;
        }
        if is_unspaced(character) {
            self.ideograph(character, at, end);
        } else if character.is_alphanumeric() {
            if self.open.is_none() {
                self.flush_symbols(at);
                self.open = Some(Open {
                    hash: Hash::new(),
                    start: at,
                    end,
                    length: 0,
                    flags: LOWER,
                });
            }
            if let Some(open) = &mut self.open {
                for lower in character.to_lowercase() {
                    let mut buffer = [0; 4];
                    for byte in lower.encode_utf8(&mut buffer).as_bytes() {
                        open.hash.push(*byte);
                    }
                }
                open.length += 1;
                open.end = end;
            }
        } else if character.is_whitespace() {
            self.space(b' ', at);
        } else {
            self.close(0);
            self.gap.starts = true;
        }
    }
}

impl<S: Sink> Reader<'_, '_, S> {
    /// A character of a script without spaces: tells the words that may end with it.
    fn ideograph(&mut self, character: char, at: usize, end: usize) {
        self.close(0);
        self.flush_symbols(at);
        let unspaced = &mut self.unspaced;
        if unspaced.end != at {
            unspaced.count = 0;
        }
        unspaced.last.rotate_left(1);
        if let Some(last) = unspaced.last.last_mut() {
            *last = (character, at);
        }
        unspaced.count += 1;
        unspaced.end = end;
        let Unspaced { last, count, .. } = *unspaced;
        // Two characters are about as much as a word.
        let step = u8::from(count % 2 == 1);
        let mut flags = LOWER;
        for length in 2..=UNSPACED.min(count) {
            let mut hash = Hash::new();
            let mut start = at;
            for (nth, (character, begins)) in last.iter().skip(UNSPACED - length).enumerate() {
                if nth == 0 {
                    start = *begins;
                }
                let mut buffer = [0; 4];
                let bytes = character.encode_utf8(&mut buffer).as_bytes();
                bytes.iter().for_each(|byte| hash.push(*byte));
            }
            if self.gap.starts && length == count {
                flags |= START;
            }
            let word = Word {
                hash,
                start,
                end,
                length: length as u32,
                flags,
                before: self.gap.before,
                after: 0,
                step: if length == 2 { step } else { 0 },
            };
            self.sink.word(self.text, &word);
        }
        if count >= UNSPACED {
            self.gap = Gap::new();
        }
    }
}

/// Han, kana, Hangul and Thai: words are not set apart by spaces, or grow endings.
fn is_unspaced(character: char) -> bool {
    matches!(u32::from(character),
        0x0e00..=0x0e7f | 0x3041..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7a3 | 0xf900..=0xfaff)
}

fn hex4(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, digit| {
        Some(value * 16 + char::from(*digit).to_digit(16)?)
    })
}

/// The first character and its length in bytes; a byte that begins none is skipped.
fn decode(bytes: &[u8]) -> (Option<char>, usize) {
    for length in 2..=4 {
        let Some(head) = bytes.get(..length) else {
            break;
        };
        if let Ok(text) = std::str::from_utf8(head) {
            return (text.chars().next(), length);
        }
    }
    (None, 1)
}
