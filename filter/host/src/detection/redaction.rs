//! Taking out what was seen, until nothing is seen any more.

use std::ops::Range;

use gatehold_detect::{Context, Kind, Verdict, redact, sentence};

use crate::detection::detectors::Detectors;
use crate::detection::strings::{line, touched};

/// What stands in the place of what was taken out.
pub const MARK: &str = "[withheld by Gatehold]";

/// How often a text is looked at again.
const ROUNDS: usize = 8;

/// Bytes of a line that is taken out as a whole; of a longer one just sentences.
const MAX_LINE: usize = 2048;

/// What is to be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        (kind, context): (Kind, Context<'_>),
        text: &[u8],
        first: &Verdict,
        unwanted: Unwanted,
    ) -> Option<Vec<u8>> {
        let mut now = text.to_vec();
        let mut verdict = first.clone();
        for round in 0..ROUNDS {
            let whole = round > 0;
            let spans = spans(&now, &verdict, unwanted, whole);
            let new = replaced(&now, &spans)?;
            if new == now && whole {
                return None;
            }
            now = new;
            verdict = self.look(kind, context, &now).verdict;
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
        for finding in &verdict.findings {
            let strings = touched(text, std::slice::from_ref(&finding.span));
            spans.extend(strings.into_iter().map(|string| match whole {
                true => string,
                false => {
                    let line = line(text, &string, &finding.span);
                    match line.len() {
                        ..=MAX_LINE => line,
                        _ => sentence(text, &finding.span),
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

/// In order, and none of them overlapping another.
fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_by_key(|span| span.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
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
    fn spans_are_merged() {
        let merged = merged(vec![5..9, 1..3, 2..4, 9..10]);
        assert_eq!(merged, [1..4, 5..10]);
    }

    #[test]
    fn plain_text_is_replaced_in_its_places() {
        let spans = [4..7, 12..13];
        let new = replaced(b"one two three", &spans).unwrap();
        assert_eq!(new, format!("one {MARK} thre{MARK}").into_bytes());
    }
}
