//! Taking out what was seen, until nothing is seen any more.

use std::ops::Range;

use gatehold_detect::{Context, Kind, Verdict, merged, redact, sentence};

use crate::detection::detectors::Detectors;
use crate::detection::envelope::veiled;
use crate::detection::strings::{line, touched};

/// What stands in the place of what was taken out.
pub const MARK: &str = "[withheld by Gatehold]";

/// How often a text is looked at again.
const ROUNDS: usize = 8;

/// Bytes that are looked at in all rounds together; what needs more is withheld.
const MAX_LOOKED: usize = 16 << 20;

/// Bytes of a line that is taken out as a whole; of a longer one just sentences.
const MAX_LINE: usize = 2048;

/// What is to be taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unwanted {
    /// Injection.
    pub injection: bool,
    /// Secrets and personal data.
    pub secrets: bool,
}

impl Unwanted {
    fn is_in(self, verdict: &Verdict) -> bool {
        self.injection && verdict.flagged || self.secrets && !verdict.secrets.is_empty()
    }
}

impl Detectors {
    /// The text without what was seen: of injection the lines that it stands in (of long ones the sentences), since
    /// what is around a finding belongs to it, and if that is not enough whole strings; of secrets just these. Its shape stays. Nothing
    /// when something is seen even so, as in the names of members: then it has to be withheld.
    pub fn redacted(
        &self,
        looked: (Kind, Context<'_>),
        text: &[u8],
        first: &Verdict,
        unwanted: Unwanted,
    ) -> Option<Vec<u8>> {
        self.redacted_but(looked, text, (first, unwanted), |_| None)
    }

    /// The same of a whole message, in whose envelope anything may be seen.
    pub fn redacted_message(
        &self,
        looked: (Kind, Context<'_>),
        message: &[u8],
        first: &Verdict,
        unwanted: Unwanted,
    ) -> Option<Vec<u8>> {
        self.redacted_but(looked, message, (first, unwanted), veiled)
    }

    fn redacted_but(
        &self,
        (kind, context): (Kind, Context<'_>),
        text: &[u8],
        (first, unwanted): (&Verdict, Unwanted),
        veil: impl Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let mut now = text.to_vec();
        let mut verdict = first.clone();
        for round in 0..ROUNDS {
            let whole = round > 0;
            if now.len().saturating_mul(round.saturating_add(1)) > MAX_LOOKED {
                return None;
            }
            let spans = spans(&now, &verdict, unwanted, whole);
            // It stands where nothing can be taken out.
            if spans.is_empty() {
                return None;
            }
            let new = replaced(&now, &spans)?;
            if new == now && whole {
                return None;
            }
            now = new;
            let shown = veil(&now);
            verdict = self.verdict(kind, context, shown.as_deref().unwrap_or(&now));
            if !unwanted.is_in(&verdict) {
                return Some(now);
            }
        }
        None
    }
}

fn spans(text: &[u8], verdict: &Verdict, unwanted: Unwanted, whole: bool) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    if unwanted.injection && verdict.flagged {
        let places = verdict.findings.iter().map(|finding| finding.span.clone());
        let places: Vec<Range<usize>> = places.collect();
        let strings = touched(text, &places);
        for place in &places {
            let first = strings.partition_point(|string| string.end <= place.start);
            let own = strings.iter().skip(first);
            let own = own.take_while(|string| string.start < place.end);
            spans.extend(own.map(|string| match whole {
                true => string.clone(),
                false => {
                    let line = line(text, string, place);
                    match line.len() {
                        ..=MAX_LINE => line,
                        _ => sentence(text, place),
                    }
                }
            }));
        }
    }
    if unwanted.secrets {
        spans.extend(verdict.secrets.iter().map(|secret| secret.span.clone()));
    }
    merged(spans)
}

fn replaced(text: &[u8], spans: &[Range<usize>]) -> Option<Vec<u8>> {
    // A part of JSON, such as the arguments of a call, is JSON too.
    if let Some(new) = redact(text, spans, MARK) {
        return Some(new);
    }
    if text.contains(&b'{') {
        return None;
    }
    let mut new = Vec::with_capacity(text.len());
    let mut from = 0;
    for span in spans {
        new.extend_from_slice(text.get(from..span.start)?);
        new.extend_from_slice(MARK.as_bytes());
        from = span.end;
    }
    new.extend_from_slice(text.get(from..)?);
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_replaced_in_its_places() {
        let spans = [4..7, 12..13];
        let new = replaced(b"one two three", &spans).unwrap();
        assert_eq!(new, format!("one {MARK} thre{MARK}").into_bytes());
    }
}
