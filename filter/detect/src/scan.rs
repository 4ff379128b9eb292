//! One message, read once.

use std::ops::Range;

use crate::hash::Hash;
use crate::matcher::Matcher;
use crate::score::Fired;
use crate::secrets::Secrets;
use crate::user::Search;
use crate::words::{Gap, Sink, Word, words};
use crate::{Finding, Kind, MAX_FINDINGS, Pack, Secret, Verdict, again};

/// Bytes that are read at once. Where a piece ends depends on the text alone, never on how it was fed, so that
/// nothing else does either.
const PIECE: usize = 16 << 10;

/// Most secrets that are told of what was written as something else.
const MOST_DISGUISED: usize = 256;

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
    /// What is not yet a piece.
    pending: Vec<u8>,
    /// Bytes before that.
    before: usize,
    findings: Vec<Finding>,
    secrets: Secrets,
    /// Those that were written as something else.
    disguised: Vec<Secret>,
    rules: Search<'p>,
}

/// Hands words to all who look for something.
struct Both<'a, 'p>(&'a mut Matcher<'p>, &'a mut Secrets);

impl Sink for Both<'_, '_> {
    #[inline]
    fn word(&mut self, text: &[u8], word: &Word) {
        self.0.word(text, word);
        self.1.word(text, word);
    }

    #[inline]
    fn passes(&mut self, text: &[u8], word: &Word) -> bool {
        Secrets::passes(text, word) && self.0.passes(text, word)
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
            pending: Vec::new(),
            before: 0,
            findings: Vec::new(),
            secrets: Secrets::new(pack.user.off()),
            disguised: Vec::new(),
            rules: Search::new(&pack.user),
        }
    }

    /// Reads a part of the text: plain or JSON as it is on the wire, escapes and all, cut anywhere. Text that is
    /// not UTF-8 is read as far as it goes.
    pub fn feed(&mut self, part: &[u8]) {
        let mut part = part;
        while self.pending.len() + part.len() >= PIECE {
            if self.pending.is_empty() {
                let (piece, rest) = part.split_at(cut(part));
                self.read(piece);
                part = rest;
                continue;
            }
            let (head, rest) = part.split_at(PIECE - self.pending.len());
            part = rest;
            let mut pending = std::mem::take(&mut self.pending);
            pending.extend_from_slice(head);
            let (piece, rest) = pending.split_at(cut(&pending));
            self.read(piece);
            self.pending.extend_from_slice(rest);
        }
        self.pending.extend_from_slice(part);
    }

    /// The verdict over all parts.
    pub fn finish(mut self) -> Verdict {
        let pending = std::mem::take(&mut self.pending);
        self.read(&pending);
        self.verdict()
    }

    fn verdict(&self) -> Verdict {
        let (sum, _) = self.matcher.best();
        let (mut findings, more, of_rules) = self.rules.outcome();
        let sum = sum.saturating_add(more);
        let threshold = self.pack.threshold(self.kind);
        findings.extend_from_slice(&self.findings);
        findings.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        findings.truncate(MAX_FINDINGS);
        let mut secrets = self.secrets.found();
        secrets.extend_from_slice(&self.disguised);
        secrets.extend(of_rules);
        secrets.sort_by_key(|secret| (secret.span.start, secret.span.end));
        secrets.dedup();
        Verdict {
            score: score(sum, threshold),
            flagged: sum >= threshold,
            findings,
            secrets,
        }
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
        self.rules.feed(text, &self.pack.fold);
        for (view, at) in self.matcher.take_views() {
            self.disguise(again::in_view(self.pack, &view, at));
        }
        self.disguise(again::behind_escapes(self.pack, text, self.before));
        let (sum, fired) = self.matcher.best();
        if sum > was {
            self.findings = self.explain(fired, text);
        }
        self.before += text.len();
    }

    fn disguise(&mut self, found: Vec<Secret>) {
        for secret in found {
            let known = self.disguised.contains(&secret);
            if !known && self.disguised.len() < MOST_DISGUISED {
                self.disguised.push(secret);
            }
        }
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

/// Where the first piece of a text ends that has one: behind the last space of its last quarter, or else where no
/// character and no escape is cut.
fn cut(text: &[u8]) -> usize {
    let piece = text.get(..PIECE).unwrap_or(text);
    let last = piece.get(PIECE / 4 * 3..).unwrap_or_default();
    let from = piece.len() - last.len();
    let after = |fits: fn(u8) -> bool| {
        last.iter()
            .rposition(|byte| fits(*byte))
            .map(|at| from + at + 1)
    };
    after(|byte| byte.is_ascii_whitespace())
        .or_else(|| after(|byte| matches!(byte, b',' | b';' | b':' | b')' | b']' | b'}' | b'"')))
        .or_else(|| after(|byte| matches!(byte, b'\\' | 0xC0..)).map(|at| at - 1))
        .unwrap_or(piece.len())
        .max(1)
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
    let mut gap = Gap::begin();
    let mut rest = text;
    let mut before = 0;
    while !rest.is_empty() {
        let end = if rest.len() < PIECE {
            rest.len()
        } else {
            cut(rest)
        };
        let (piece, others) = rest.split_at(end);
        matcher.begin_piece(before);
        gap = words(piece, 0..end, gap, &pack.fold, &mut matcher);
        before += end;
        rest = others;
    }
    matcher.into_trace()
}

/// 0.5 at the threshold, so that scores of all kinds read alike.
fn score(sum: i32, threshold: i32) -> f64 {
    let odds = f64::from(sum.saturating_sub(threshold)) / 1000.0;
    1.0 / (1.0 + (-odds).exp())
}

/// Text for people: one line, cut.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    const MOST: usize = 96;
    // The last character may be four bytes long.
    let text = String::from_utf8_lossy(bytes.get(..MOST + 4).unwrap_or(bytes));
    let mut line = String::with_capacity(MOST.min(text.len()));
    for character in text.chars() {
        if line.len() + character.len_utf8() > MOST {
            break;
        }
        let visible = !character.is_control();
        line.push(if visible { character } else { ' ' });
    }
    line
}
