//! One message, read once.

use std::ops::Range;

use crate::hash::Hash;
use crate::matcher::Matcher;
use crate::score::Fired;
use crate::secrets::{self, Secrets};
use crate::words::{Gap, Sink, Word, words};
use crate::{Finding, Kind, MAX_FINDINGS, Pack, Verdict};

/// Most bytes without a space that are kept until the rest of a word arrives.
const MAX_CARRY: usize = 4096;

/// What is known beside the text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Names of the other tools of the same server or list: a definition that speaks of one is suspicious.
    pub tools: &'a [String],
    /// The arguments that the text answers: an address that stands in it is no news.
    pub request: &'a [u8],
}

/// A scan under way.
#[derive(Debug)]
pub struct Scan<'p> {
    pack: &'p Pack,
    kind: Kind,
    matcher: Matcher<'p>,
    gap: Gap,
    /// The end of the last piece, from which on a word may go on in the next.
    carry: Vec<u8>,
    /// Bytes before the carry.
    before: usize,
    findings: Vec<Finding>,
    secrets: Secrets,
}

/// Hands words to all who look for something.
struct Both<'a, 'p>(&'a mut Matcher<'p>, &'a mut Secrets);

impl Sink for Both<'_, '_> {
    #[inline]
    fn word(&mut self, text: &[u8], word: &Word) {
        self.0.word(text, word);
        self.1.word(text, word);
    }

    fn hidden(&mut self, run: Range<usize>, carried: &[u8]) {
        self.0.hidden(run, carried);
    }

    #[inline]
    fn knows(&self, hash: Hash) -> bool {
        self.0.knows(hash)
    }
}

impl<'p> Scan<'p> {
    /// Begins a scan.
    pub fn new(pack: &'p Pack, kind: Kind, context: Context<'_>) -> Self {
        Self {
            pack,
            kind,
            matcher: Matcher::new(pack, kind, context),
            gap: Gap::begin(),
            carry: Vec::new(),
            before: 0,
            findings: Vec::new(),
            secrets: Secrets::new(secrets::OFF),
        }
    }

    /// Reads a piece: plain text or JSON as it is on the wire, escapes and all. Words may be split between
    /// pieces. Text that is not UTF-8 is read as far as it goes.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut piece = piece;
        if !self.carry.is_empty() {
            let Some(space) = piece.iter().position(u8::is_ascii_whitespace) else {
                self.carry.extend_from_slice(piece);
                if self.carry.len() > MAX_CARRY {
                    self.flush();
                }
                return;
            };
            let (head, rest) = piece.split_at(space + 1);
            self.carry.extend_from_slice(head);
            self.flush();
            piece = rest;
        }
        let tail = piece.iter().rev().take(MAX_CARRY);
        let carried = tail.take_while(|byte| !byte.is_ascii_whitespace()).count();
        let carried = if carried >= MAX_CARRY { 0 } else { carried };
        let (now, later) = piece.split_at(piece.len() - carried);
        self.read(now);
        self.carry.extend_from_slice(later);
    }

    /// The verdict over all pieces so far, without what may be half a word.
    pub fn verdict(&self) -> Verdict {
        let (sum, _) = self.matcher.best();
        let threshold = self.pack.threshold(self.kind);
        Verdict {
            score: score(sum, threshold),
            flagged: sum >= threshold,
            findings: self.findings.clone(),
            secrets: self.secrets.found(),
        }
    }

    /// The verdict over all pieces.
    pub fn finish(mut self) -> Verdict {
        self.flush();
        self.verdict()
    }

    fn flush(&mut self) {
        let carry = std::mem::take(&mut self.carry);
        self.read(&carry);
    }

    fn read(&mut self, text: &[u8]) {
        let (was, _) = self.matcher.best();
        self.matcher.begin_piece(self.before);
        self.secrets.begin(text);
        self.gap = words(
            text,
            0..text.len(),
            self.gap,
            &self.pack.fold,
            &mut Both(&mut self.matcher, &mut self.secrets),
        );
        self.secrets.end(text);
        let (sum, fired) = self.matcher.best();
        if sum > was {
            self.findings = self.explain(fired, text);
        }
        self.before += text.len();
    }

    /// Findings for what fired, of which the text of this piece is at hand.
    fn explain(&self, fired: &[Fired], text: &[u8]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        for it in fired {
            let Some(feature) = self.pack.features().get(usize::from(it.feature)) else {
                continue;
            };
            let weight = feature.weights.get(self.kind.index()).copied().unwrap_or(0);
            if weight <= 0 || findings.iter().any(|known| known.feature == feature.name) {
                continue;
            }
            let span = it.start as usize..it.end as usize;
            let decoded = self.matcher.decoded(it.start, it.end).map(str::as_bytes);
            let at_hand = span
                .start
                .checked_sub(self.before)
                .zip(span.end.checked_sub(self.before))
                .and_then(|(start, end)| text.get(start..end));
            findings.push(Finding {
                feature: feature.name.clone(),
                weight: f64::from(weight) / 1000.0,
                excerpt: decoded.or(at_hand).map(excerpt).unwrap_or_default(),
                span,
            });
        }
        findings.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        findings.truncate(MAX_FINDINGS);
        findings
    }
}

/// Scans a message that is there whole.
pub fn scan(pack: &Pack, kind: Kind, context: Context<'_>, text: &[u8]) -> Verdict {
    let mut scan = Scan::new(pack, kind, context);
    scan.feed(text);
    scan.finish()
}

/// Every feature that fires in a text, in the order of places: what weights are trained on.
pub fn trace(pack: &Pack, context: Context<'_>, text: &[u8]) -> Vec<Fired> {
    let mut matcher = Matcher::new(pack, Kind::Result, context);
    matcher.keep_trace();
    words(text, 0..text.len(), Gap::begin(), &pack.fold, &mut matcher);
    matcher.into_trace()
}

/// 0.5 at the threshold, so that scores of all kinds read alike.
fn score(sum: i32, threshold: i32) -> f64 {
    let odds = f64::from(sum.saturating_sub(threshold)) / 1000.0;
    1.0 / (1.0 + (-odds).exp())
}

/// Text for people: one line, cut.
fn excerpt(bytes: &[u8]) -> String {
    const MOST: usize = 96;
    let text = String::from_utf8_lossy(bytes);
    let mut line = String::new();
    for character in text.chars() {
        if line.len() + character.len_utf8() > MOST {
            break;
        }
        let visible = !character.is_control();
        line.push(if visible { character } else { ' ' });
    }
    line
}
