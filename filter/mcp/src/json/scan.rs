//! Where the arguments of a call stand in its text, found without building them.
//!
//! Most calls are decided without a look at their arguments, and building a tree of them is the most that reading
//! a call costs. But they go on to the server, so they have to be read as strictly as all else. This does that and
//! no more: whatever is unusual is left to [`super::read`], which also has the words for what is wrong.

use super::PROTOTYPE;
use crate::limits::Limits;
use std::ops::Range;

/// The place of `params.arguments` in a text that [`super::read`] takes. Nothing when there is no such object,
/// when the text is wrong, and when it is just unusual: escapes or other characters than ASCII in keys, exponents,
/// numbers of more than 18 digits.
pub(crate) fn arguments(json: &[u8], depth: u32) -> Option<Range<usize>> {
    scan(json, depth, Place::Top)?.found
}

/// Whether it is a text that [`super::read`] takes; `false` also when it is just unusual.
pub(crate) fn is_usual(json: &[u8], depth: u32) -> bool {
    scan(json, depth, Place::Inside).is_some()
}

fn scan(json: &[u8], depth: u32, place: Place) -> Option<Scan<'_>> {
    std::str::from_utf8(json).ok()?;
    let mut scan = Scan {
        length: json.len(),
        rest: json,
        keys: Vec::new(),
        found: None,
    };
    scan.value(depth.min(Limits::MAX_DEPTH), place)?;
    scan.blanks();
    scan.rest.is_empty().then_some(scan)
}

/// Which object is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The message.
    Top,
    /// Its parameters.
    Params,
    /// Any other.
    Inside,
}

struct Scan<'a> {
    length: usize,
    rest: &'a [u8],
    /// Keys of the objects that are open, the innermost last.
    keys: Vec<&'a [u8]>,
    found: Option<Range<usize>>,
}

/// Objects of up to so many keys are looked through pair by pair.
const FEW: usize = 12;

/// Digits that always fit 64 bits.
const DIGITS: usize = 18;

impl<'a> Scan<'a> {
    fn value(&mut self, left: u32, place: Place) -> Option<()> {
        self.blanks();
        match self.rest.first()? {
            b'{' => self.object(left.checked_sub(1)?, place),
            b'[' => self.array(left.checked_sub(1)?),
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => None,
        }
    }

    fn object(&mut self, left: u32, place: Place) -> Option<()> {
        let first = self.keys.len();
        self.expect(b'{')?;
        self.blanks();
        if self.rest.first() == Some(&b'}') {
            return self.expect(b'}');
        }
        loop {
            self.blanks();
            let key = self.string()?;
            if !key.is_ascii() || key.contains(&b'\\') || key == PROTOTYPE.as_bytes() {
                return None;
            }
            self.keys.push(key);
            self.blanks();
            self.expect(b':')?;
            self.blanks();
            let start = self.at();
            match (place, key) {
                (Place::Top, b"params") => self.value(left, Place::Params)?,
                (Place::Params, b"arguments") if self.rest.first() == Some(&b'{') => {
                    self.value(left, Place::Inside)?;
                    self.found = Some(start..self.at());
                }
                _ => self.value(left, Place::Inside)?,
            }
            self.blanks();
            match self.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        if has_alike(self.keys.get_mut(first..)?) {
            return None;
        }
        self.keys.truncate(first);
        Some(())
    }

    fn array(&mut self, left: u32) -> Option<()> {
        self.expect(b'[')?;
        self.blanks();
        if self.rest.first() == Some(&b']') {
            return self.expect(b']');
        }
        loop {
            self.value(left, Place::Inside)?;
            self.blanks();
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// What stands between the quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let from = self.rest;
        loop {
            self.rest = self.rest.get(plain(self.rest)..)?;
            match self.next()? {
                b'"' => return from.get(..from.len() - self.rest.len() - 1),
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    /// The rest of an escape.
    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => match self.hex()? {
                0xd800..0xdc00 => {
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    matches!(self.hex()?, 0xdc00..0xe000).then_some(())
                }
                0xdc00..0xe000 => None,
                _ => Some(()),
            },
            _ => None,
        }
    }

    fn hex(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        digits.iter().try_fold(0, |value, digit| {
            Some((value << 4) | char::from(*digit).to_digit(16)?)
        })
    }

    fn number(&mut self) -> Option<()> {
        if self.rest.first() == Some(&b'-') {
            self.expect(b'-')?;
        }
        let first = self.rest.first();
        let whole = self.digits()?;
        if whole > DIGITS || (whole > 1 && first == Some(&b'0')) {
            return None;
        }
        if self.rest.first() == Some(&b'.') {
            self.expect(b'.')?;
            self.digits()?;
        }
        match self.rest.first() {
            Some(b'e' | b'E') => None,
            _ => Some(()),
        }
    }

    /// How many digits there are, at least one.
    fn digits(&mut self) -> Option<usize> {
        let count = self
            .rest
            .iter()
            .take_while(|it| it.is_ascii_digit())
            .count();
        self.rest = self.rest.get(count..)?;
        (count > 0).then_some(count)
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }

    fn blanks(&mut self) {
        while let Some((b' ' | b'\n' | b'\r' | b'\t', rest)) = self.rest.split_first() {
            self.rest = rest;
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn at(&self) -> usize {
        self.length - self.rest.len()
    }
}

/// How many bytes of a string come before the next quote, backslash or control character.
fn plain(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return at * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let at = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    words.len() * 8 + at.unwrap_or(rest.len())
}

/// Eight bytes at once: the lowest bit that is set is in the first byte that is a quote, a backslash or a control
/// character. Bytes behind it may be marked without being one, since a borrow runs upward.
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    below(word, 0x20) | equal(b'"') | equal(b'\\')
}

/// Whether two of these keys, which are ASCII, differ in case at most.
fn has_alike(keys: &mut [&[u8]]) -> bool {
    if keys.len() <= FEW {
        let mut rest: &[&[u8]] = keys;
        while let Some((key, others)) = rest.split_first() {
            if others.iter().any(|other| other.eq_ignore_ascii_case(key)) {
                return true;
            }
            rest = others;
        }
        return false;
    }
    let folded = |key: &&[u8]| key.to_ascii_lowercase();
    keys.sort_by_cached_key(folded);
    keys.array_windows()
        .any(|[left, right]| left.eq_ignore_ascii_case(right))
}

#[cfg(test)]
mod tests {
    use super::super::{integers_fit, read};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_them() {
        let check = |json: &str, expected: Option<&str>| {
            let found = arguments(json.as_bytes(), 8).and_then(|range| json.get(range));
            assert_eq!(found, expected, "{json}");
        };
        check(r#"{"params":{"arguments":{"a":1}}}"#, Some(r#"{"a":1}"#));
        check(
            " {\"a\":[1,\"x\"],\"params\" : {\"x\":-0.5,\"arguments\"\n:\t{ } , \"name\":\"\\u00e9\\ud83d\\ude00\"} } ",
            Some("{ }"),
        );
        check(r#"{"params":{"x":{"arguments":{}}}}"#, None);
        check(r#"{"x":{"arguments":{}}}"#, None);
        check(r#"[{"params":{"arguments":{}}}]"#, None);
        check(r#"{"params":[{"arguments":{}}]}"#, None);
        check(r#"{"params":{"arguments":[]}}"#, None);
        check(r#"{"params":{"\u0061rguments":{}}}"#, None);
        check(r#"{"params":{"arguments":{}}}x"#, None);
        check(r#"{"params":{"arguments":{}},"params":{}}"#, None);
        check(r#"{"params":{"arguments":{"a":1,"A":1}}}"#, None);
        check(r#"{"params":{"arguments":{"a":"\ud800"}}}"#, None);
        check(r#"{"params":{"arguments":{"a":01}}}"#, None);
        check(r#"{"params":{"arguments":{"a":1e999}}}"#, None);
        check(r#"{"params":{"arguments":{"a":[[[[[[[]]]]]]]}}}"#, None);
        check("{\"params\":{\"arguments\":{\"a\":\"\n\"}}}", None);
    }

    proptest! {
        #[test]
        fn plain_bytes(text in prop::collection::vec(prop_oneof![any::<u8>(), 0x1e_u8..0x24, 0x5b_u8..0x5e], 0..40)) {
            let expected = text
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
                .unwrap_or(text.len());
            prop_assert_eq!(plain(&text), expected);
        }
    }

    #[test]
    fn alike() {
        let check = |keys: &[&str], expected: bool| {
            let mut keys: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
            assert_eq!(has_alike(&mut keys), expected, "{keys:?}");
        };
        check(&[], false);
        check(&["a", "b", "A"], true);
        let many: Vec<String> = (0..40).map(|at| format!("k{at}")).collect();
        let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&many, false);
        many.push("K17");
        check(&many, true);
    }

    fn text() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\n",
            "\"a\"",
            "\"A\"",
            "\"params\"",
            "\"arguments\"",
            "1",
            "-",
            "0",
            ".5",
            "e9",
            "true",
            "null",
            "\"",
            "\\",
            "\\u",
            "\\ud800",
            "\\udc00",
            "d83d",
            "é",
            "\"__proto__\"",
            "{\"params\":{\"arguments\":{",
            "}}}",
            "\"b\":1",
            "\"c\":\"x\"",
            "99999999999999999999",
        ]);
        prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
    }

    /// What is found stands in a text that the careful reader takes too, and is what it reads there.
    fn agrees(json: &str, depth: u32) -> Result<(), TestCaseError> {
        if is_usual(json.as_bytes(), depth) {
            prop_assert!(read(json.as_bytes(), depth).is_ok(), "{json}");
            prop_assert!(
                super::super::check(json.as_bytes(), depth).is_ok(),
                "{json}"
            );
        }
        let Some(range) = arguments(json.as_bytes(), depth) else {
            return Ok(());
        };
        let whole = read(json.as_bytes(), depth);
        prop_assert!(whole.is_ok(), "{json}: {whole:?}");
        prop_assert!(integers_fit(json.as_bytes()));
        let part = json.get(range).map(|part| read(part.as_bytes(), depth));
        let there = whole.unwrap().value["params"]["arguments"].take();
        prop_assert!(there.is_object());
        prop_assert_eq!(part.unwrap().unwrap().value, there);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn takes_nothing_that_the_careful_reader_refuses(text in text(), depth in 0_u32..6) {
            agrees(&text, depth)?;
            agrees(&format!(r#"{{"params":{{"arguments":{{{text}}}}}}}"#), depth)?;
            agrees(&format!(r#"{{"params":{{"arguments":{{"k":{text}}},"b":2}}}}"#), depth)?;
        }
    }
}
