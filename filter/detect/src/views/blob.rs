//! Long words: base64, base32, hexadecimal digits, and what was compressed before.

use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::{PIECE, View, is_readable};

/// Characters from which on a word is looked at.
pub(crate) const MIN_BLOB: u32 = 16;
/// Bytes before the word that may belong to it.
pub(crate) const BEFORE: usize = 64;
/// Bytes of a run in which it is judged.
const EXTENT: usize = 512;
/// Decoded bytes by which a run is judged, at several places.
const PROBE: usize = 15;
/// Multiples of what each encoding takes for whole bytes.
const PROBES: [usize; 6] = [0, 24, 56, 120, 240, 480];

/// What the word at `start` says, if it is part of an encoded run; nothing before `from` belongs to the run.
pub(crate) fn blob(text: &[u8], from: usize, start: usize, budget: &mut usize) -> Option<View> {
    let before = text.get(from..start).unwrap_or_default();
    let reach = before.iter().rev().take(BEFORE);
    let start = start - reach.take_while(|byte| is_sign(**byte)).count();
    let rest = text.get(start..)?;
    let rest = rest.get(..PIECE.min(rest.len()))?;
    let belongs = |byte: &&u8| is_sign(**byte) || matches!(**byte, b'\\' | b'\n' | b'\r');
    let extent = rest.iter().take(EXTENT).take_while(belongs).count();
    let encoding = Encoding::of(rest.get(..extent)?)?;
    let (text, length) = encoding.decode(rest, (*budget).min(PIECE));
    *budget = budget.saturating_sub(text.len());
    let text = match unpacked(&text, budget) {
        Some(unpacked) => unpacked,
        None => readable_part(text)?,
    };
    Some(View {
        span: start..start + length,
        text,
    })
}

/// How a run is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// Its first characters are not part of it: a run is found even when something stands before it.
    Base64(usize),
    Base32,
    Hex(usize),
}

impl Encoding {
    /// The encoding in which the run can be read somewhere: what stands before it, or in its first part, may be
    /// there to mislead.
    fn of(run: &[u8]) -> Option<Self> {
        let digits = count(run, |byte| byte.is_ascii_hexdigit());
        let capitals = count(run, |byte| five(byte).is_some());
        // Text has letters in any alphabet, but for hexadecimal digits; numbers are everywhere.
        let letters = run.iter().any(u8::is_ascii_alphabetic);
        let hex = (0..2).map(Self::Hex).filter(|_| digits >= 16);
        let base32 = Some(Self::Base32).filter(|_| letters && capitals >= 16);
        let base64 = (0..4).map(Self::Base64).filter(|_| letters);
        hex.chain(base32).chain(base64).find(|encoding| {
            PROBES
                .into_iter()
                .take_while(|from| from + 12 <= run.len())
                .any(|from| run.get(from..).is_some_and(|run| encoding.fits(run)))
        })
    }

    /// Whether the run begins with what can be read, or was packed.
    fn fits(self, run: &[u8]) -> bool {
        let mut probe = [0; PROBE];
        let mut filled = 0;
        self.bytes(run, |byte| {
            if let Some(place) = probe.get_mut(filled) {
                *place = byte;
                filled += 1;
            }
            // What is neither text nor packed is soon known.
            let no_text = matches!(byte, 1..=8 | 11 | 12 | 14..=31 | 0xC0 | 0xC1 | 0xF5..);
            filled < PROBE && (!no_text || is_packed_so_far(&probe, filled))
        });
        let probe = probe.get(..filled).unwrap_or_default();
        filled >= 9 && (is_packed(probe) || is_readable(probe) || is_wide(probe))
    }

    /// At most `most` bytes, and how much of the run they were made of.
    fn decode(self, run: &[u8], most: usize) -> (Vec<u8>, usize) {
        let mut decoded = Vec::new();
        let end = self.bytes(run, |byte| {
            decoded.push(byte);
            decoded.len() < most
        });
        let padding = run.get(end..).unwrap_or_default();
        let padding = padding.iter().take(6).take_while(|byte| **byte == b'=');
        (decoded, end + padding.count())
    }

    /// Gives each byte until no more is wanted; how much of the run was read.
    #[inline]
    fn bytes(self, run: &[u8], mut more: impl FnMut(u8) -> bool) -> usize {
        let (skip, bits, value): (_, _, fn(u8) -> Option<u8>) = match self {
            Self::Base64(skip) => (skip, 6, six),
            Self::Base32 => (0, 5, five),
            Self::Hex(skip) => (skip, 4, four),
        };
        let mut at = skip;
        let mut end = skip;
        let (mut buffer, mut filled) = (0_u32, 0);
        while let Some(byte) = run.get(at) {
            let Some(value) = value(*byte) else {
                match gap(run.get(at..).unwrap_or_default()) {
                    Some(length) => at += length,
                    None => break,
                }
                continue;
            };
            at += 1;
            end = at;
            buffer = (buffer << bits | u32::from(value)) & 0xFFFF;
            filled += bits;
            if filled >= 8 {
                filled -= 8;
                let byte = u8::try_from((buffer >> filled) & 0xFF).unwrap_or(0);
                if !more(byte) {
                    break;
                }
            }
        }
        end
    }
}

/// A line break inside a run, also an escaped one, and the backslash before an escaped slash.
fn gap(rest: &[u8]) -> Option<usize> {
    let slashes = rest
        .iter()
        .take(4)
        .take_while(|byte| **byte == b'\\')
        .count();
    match (slashes, rest.get(slashes)) {
        (0, Some(b'\n' | b'\r')) => Some(1),
        (1.., Some(b'n' | b'r')) => Some(slashes + 1),
        (1.., Some(b'/')) => Some(slashes),
        _ => None,
    }
}

fn count(run: &[u8], fits: fn(u8) -> bool) -> usize {
    run.iter().take(16).take_while(|byte| fits(**byte)).count()
}

/// Text of two bytes a character.
fn is_wide(probe: &[u8]) -> bool {
    let zeros = probe.iter().filter(|byte| **byte == 0).count();
    zeros * 2 + 1 >= probe.len() && is_readable(&narrow(probe.to_vec()))
}

fn is_sign(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn six(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

fn five(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'2'..=b'7' => byte - b'2' + 26,
        _ => return None,
    })
}

fn four(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// Text of two bytes a character, as some shells take it, with the zeros left out.
fn narrow(bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().filter(|byte| **byte == 0).count();
    if zeros * 2 + 1 < bytes.len() {
        return bytes;
    }
    bytes.into_iter().filter(|byte| *byte != 0).collect()
}

/// The text from where it begins to where it stops being one.
fn readable_part(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let bytes = narrow(bytes);
    let starts = |bytes: &[u8]| is_readable(bytes.get(..PROBE).unwrap_or(bytes));
    let from = (0..bytes.len().min(PROBES.into_iter().max().unwrap_or(0)))
        .find(|from| bytes.get(*from..).is_some_and(starts))?;
    let bytes = bytes.get(from..)?;
    let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    let bytes = bytes.get(..valid)?;
    let control = |byte: &u8| matches!(byte, 0..=8 | 11 | 12 | 14..=31);
    let end = bytes.iter().position(control).unwrap_or(bytes.len());
    let text = bytes.get(..end)?;
    is_readable(text).then(|| text.to_vec())
}

/// Whether it begins as gzip or zlib do.
fn is_packed(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0x1F, 0x8B, 8, ..] | [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..]
    )
}

/// Whether the first bytes do not speak against it.
fn is_packed_so_far(probe: &[u8; PROBE], filled: usize) -> bool {
    match probe {
        [0x1F, second, ..] => filled == 1 || *second == 0x8B,
        [0x78, second, ..] => filled == 1 || matches!(second, 0x01 | 0x5E | 0x9C | 0xDA),
        _ => false,
    }
}

/// The readable beginning of what was compressed.
fn unpacked(bytes: &[u8], budget: &mut usize) -> Option<Vec<u8>> {
    if !is_packed(bytes) {
        return None;
    }
    let (packed, flags) = match bytes {
        [0x1F, 0x8B, 8, flags, ..] => (bytes.get(gzip_header(bytes, *flags)?..)?, 0),
        _ => (bytes, TINFL_FLAG_PARSE_ZLIB_HEADER),
    };
    let mut out = vec![0; PIECE.min(*budget)];
    let flags = flags | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (_, _, length) = decompress(&mut DecompressorOxide::new(), packed, &mut out, 0, flags);
    out.truncate(length);
    *budget = budget.saturating_sub(length);
    readable_part(out)
}

/// Where the data begins, past the optional name and comment.
fn gzip_header(bytes: &[u8], flags: u8) -> Option<usize> {
    let mut at = 10;
    if flags & 4 != 0 {
        let length = bytes.get(at..at + 2)?;
        at += 2 + usize::from(u16::from_le_bytes(<[u8; 2]>::try_from(length).ok()?));
    }
    for text in [8, 16] {
        if flags & text != 0 {
            at += bytes.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
        }
    }
    Some(if flags & 2 != 0 { at + 2 } else { at })
}
