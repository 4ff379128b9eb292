//! Secrets in what is written as something else: in decoded views, and behind escapes that spell plain letters.

use std::ops::Range;

use crate::fold::Fold;
use crate::hash::Hash;
use crate::matcher::Matcher;
use crate::secrets::Secrets;
use crate::words::{Gap, Sink, Word, words};
use crate::{Pack, Secret};

/// Who looks into text that is no piece of the input: one or the other. One type for both, since the reading of words
/// is built anew for each.
pub(crate) struct Deep<'a, 'p> {
    pub(crate) matcher: Option<&'a mut Matcher<'p>>,
    pub(crate) secrets: Option<&'a mut Secrets<'p>>,
}

impl Sink for Deep<'_, '_> {
    fn word(&mut self, text: &[u8], word: &Word) {
        if let Some(matcher) = &mut self.matcher {
            matcher.word(text, word);
        }
        if let Some(secrets) = &mut self.secrets {
            secrets.word(text, word);
        }
    }

    #[inline]
    fn passes(&mut self, text: &[u8], word: &Word) -> bool {
        let matched = self.matcher.as_mut();
        self.secrets.is_none() && matched.is_some_and(|matcher| matcher.passes(text, word))
    }

    fn hidden(&mut self, run: Range<usize>, carried: &[u8]) {
        if let Some(matcher) = &mut self.matcher {
            matcher.hidden(run, carried);
        }
    }

    fn knows(&self, hash: Hash) -> bool {
        self.matcher
            .as_ref()
            .is_some_and(|matcher| matcher.knows(hash))
    }
}

impl Deep<'_, '_> {
    /// Reads a text from its beginning to its end.
    #[inline(never)]
    pub(crate) fn read(&mut self, text: &[u8], fold: &Fold) {
        words(text, 0..text.len(), Gap::begin(), fold, self);
    }
}

/// The secrets of a text, with places in it.
fn secrets(pack: &Pack, text: &[u8]) -> Vec<Secret> {
    let mut secrets = Secrets::new(pack.user.off());
    secrets.begin(text);
    let mut deep = Deep {
        matcher: None,
        secrets: Some(&mut secrets),
    };
    deep.read(text, &pack.fold);
    secrets.end(text);
    secrets.found()
}

/// The secrets of a view: they stand where the whole view stands.
pub(crate) fn in_view(pack: &Pack, view: &[u8], at: Range<usize>) -> Vec<Secret> {
    let mut found = secrets(pack, view);
    for secret in &mut found {
        secret.span = at.clone();
    }
    found
}

/// The secrets of a piece that are seen only when `\u0067` is read as the letter that it is.
pub(crate) fn behind_escapes(pack: &Pack, piece: &[u8], before: usize) -> Vec<Secret> {
    let Some((text, places)) = unescaped(piece) else {
        return Vec::new();
    };
    let place = |at: usize| places.get(at).copied().unwrap_or(piece.len());
    let mut found = secrets(pack, &text);
    for secret in &mut found {
        secret.span = before + place(secret.span.start)..before + place(secret.span.end);
    }
    found
}

/// The text with plain letters in the place of their escapes, and where each byte stood; nothing when it has none.
fn unescaped(piece: &[u8]) -> Option<(Vec<u8>, Vec<usize>)> {
    let escape = |at: usize| {
        let [b'\\', b'u', b'0', b'0', high, low] = piece.get(at..at + 6)? else {
            return None;
        };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
        // What would end a string or begin an escape stays as it is.
        (byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')).then_some(byte)
    };
    let first = piece.windows(4).position(|it| it == br"\u00")?;
    let (mut text, mut places) = (
        Vec::with_capacity(piece.len()),
        Vec::with_capacity(piece.len()),
    );
    let mut any = false;
    let mut at = first.saturating_sub(BEFORE);
    while let Some(byte) = piece.get(at) {
        places.push(at);
        if let Some(letter) = escape(at) {
            any = true;
            text.push(letter);
            at += 6;
        } else {
            text.push(*byte);
            at += 1;
        }
    }
    places.push(at);
    any.then_some((text, places))
}

/// Bytes before the first escape that may belong to what it is part of.
const BEFORE: usize = 1024;
