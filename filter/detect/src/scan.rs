//! One message, read once.

use std::ops::Range;

use crate::again::Deep;
use crate::hash::Hash;
use crate::matcher::Matcher;
use crate::score::Fired;
use crate::secrets::Secrets;
use crate::skim::Skim;
use crate::spare::Left;
use crate::user::Search;
use crate::words::{Gap, words};
use crate::{Finding, Kind, MAX_FINDINGS, Pack, Secret, Verdict, again};

/// Bytes that are read at once. Where a piece ends depends on the text alone, never on how it was fed, so that
/// nothing else does either.
const PIECE: usize = 16 << 10;

/// How far below the threshold a score is still exact, in thousandths of log odds.
const MARGIN: i32 = 700;

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

impl Context<'_> {
    /// The names of the tools, as words are known.
    fn hashes(&self) -> Vec<Hash> {
        let names = self.tools.iter();
        names
            .map(|name| Hash::of(name.to_ascii_lowercase().as_bytes()))
            .collect()
    }
}

/// A scan under way.
#[derive(Debug)]
pub struct Scan<'p> {
    pack: &'p Pack,
    kind: Kind,
    skim: Skim<'p>,
    /// Reads closely; made when there is something to read.
    matcher: Option<Matcher<'p>>,
    gap: Gap,
    /// Up to here in the input it was read closely.
    closely: usize,
    tools: Vec<Hash>,
    left: Left,
    /// What is not yet a piece.
    pending: Vec<u8>,
    /// What may still have to be read closely of the pieces before.
    kept: Vec<u8>,
    /// Bytes before the piece at hand.
    before: usize,
    findings: Vec<Finding>,
    secrets: Secrets<'p>,
    /// Those that were written as something else.
    disguised: Vec<Secret>,
    rules: Search<'p>,
}

impl<'p> Scan<'p> {
    /// Begins a scan.
    pub fn new(pack: &'p Pack, kind: Kind, context: Context<'_>) -> Self {
        let threshold = pack.threshold(kind);
        let enough = threshold.saturating_sub(MARGIN);
        Self::reading(
            pack,
            kind,
            context,
            enough.saturating_sub(pack.user.most(threshold)),
        )
    }

    /// Begins a scan that reads all of the text closely, which takes much longer: for comparisons.
    pub fn close(pack: &'p Pack, kind: Kind, context: Context<'_>) -> Self {
        Self::reading(pack, kind, context, 0)
    }

    fn reading(pack: &'p Pack, kind: Kind, context: Context<'_>, enough: i32) -> Self {
        let tools = context.hashes();
        let mut left = pack.spare.take();
        Self {
            pack,
            kind,
            skim: Skim::new(pack, kind, &tools, enough, &mut left),
            left,
            matcher: None,
            gap: Gap::begin(),
            closely: 0,
            tools,
            pending: Vec::new(),
            kept: Vec::new(),
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
        self.end()
    }

    /// The verdict over a text that is there whole.
    fn whole(mut self, text: &[u8]) -> Verdict {
        if text.len() >= PIECE {
            self.feed(text);
            return self.finish();
        }
        self.read(text);
        self.end()
    }

    fn end(mut self) -> Verdict {
        let verdict = self.verdict();
        self.skim.leave(&mut self.left);
        if let Some(matcher) = self.matcher {
            self.left.matcher = matcher.wear();
        }
        self.pack.spare.give(self.left);
        verdict
    }

    fn verdict(&self) -> Verdict {
        let sum = self.best();
        let (mut findings, more, of_rules) = self.rules.outcome();
        let sum = sum.saturating_add(more);
        let threshold = self.pack.threshold(self.kind);
        findings.extend_from_slice(&self.findings);
        weightiest(&mut findings);
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

    /// The best sum so far.
    fn best(&self) -> i32 {
        self.matcher.as_ref().map_or(0, |matcher| matcher.best().0)
    }

    fn read(&mut self, text: &[u8]) {
        self.secrets.begin(text);
        let zones = self.skim.piece(text, &mut self.secrets).to_vec();
        self.secrets.end(text);
        self.rules.feed(text, &self.pack.fold);
        if self.skim.met_escapes() {
            self.disguise(again::behind_escapes(self.pack, text, self.before));
        }
        let first = zones.iter().map(|zone| zone.start).min();
        match first {
            None => {}
            Some(first) if first.max(self.closely) >= self.before => {
                self.read_zones(text, self.before, &zones);
            }
            Some(_) => {
                let kept = std::mem::take(&mut self.kept);
                let joined = [kept.as_slice(), text].concat();
                self.read_zones(&joined, self.before - kept.len(), &zones);
                self.kept = kept;
            }
        }
        self.keep(text);
        self.before += text.len();
    }

    /// Keeps what the next zone may begin with.
    fn keep(&mut self, text: &[u8]) {
        let end = self.before + text.len();
        let keep = end - self.skim.keep_from().max(self.closely).min(end);
        if keep <= text.len() {
            self.kept.clear();
            self.kept
                .extend_from_slice(text.get(text.len() - keep..).unwrap_or_default());
        } else {
            let surplus = (self.kept.len() + text.len()).saturating_sub(keep);
            self.kept.drain(..surplus.min(self.kept.len()));
            self.kept.extend_from_slice(text);
        }
    }

    /// Reads parts of a text closely, which begins at `base` of the input.
    fn read_zones(&mut self, text: &[u8], base: usize, zones: &[Range<usize>]) {
        let was = self.best();
        let (pack, kind, tools) = (self.pack, self.kind, &self.tools);
        let worn = &mut self.left.matcher;
        let matcher = self
            .matcher
            .get_or_insert_with(|| Matcher::new(pack, kind, tools, worn.take()));
        matcher.begin_piece(base);
        for zone in zones {
            let start = zone.start.max(self.closely).max(base) - base;
            let end = between(text, zone.end.saturating_sub(base));
            if start >= end {
                continue;
            }
            let far = self.closely.saturating_sub(base);
            let start = before(text, far, start);
            if start > far || self.closely < base {
                matcher.skip();
                self.gap = Gap::within();
            }
            let mut deep = Deep {
                matcher: Some(&mut *matcher),
                secrets: None,
            };
            self.gap = words(text, start..end, self.gap, &pack.fold, &mut deep);
            self.closely = base + end;
        }
        let views = matcher.take_views();
        for (view, at) in views {
            self.disguise(again::in_view(self.pack, &view, at));
        }
        let Some(matcher) = &self.matcher else {
            return;
        };
        let (sum, fired) = matcher.best();
        if sum > was {
            self.findings = self.explain(matcher, fired, text, base);
        }
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
    fn explain(
        &self,
        matcher: &Matcher<'_>,
        fired: &[Fired],
        text: &[u8],
        base: usize,
    ) -> Vec<Finding> {
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
            let decoded = matcher.decoded(it.start, it.end).map(str::as_bytes);
            let at_hand = span
                .start
                .checked_sub(base)
                .zip(span.end.checked_sub(base))
                .and_then(|(start, end)| text.get(start..end));
            findings.push(Finding {
                feature: feature.name.clone(),
                weight: f64::from(weight) / 1000.0,
                excerpt: decoded.or(at_hand).map(excerpt).unwrap_or_default(),
                span,
            });
        }
        weightiest(&mut findings);
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
    Scan::new(pack, kind, context).whole(text)
}

/// Where a zone that ends there may be cut: behind the next space.
fn between(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let space = rest.iter().position(|byte| matches!(byte, b' ' | b'\n'));
    space.map_or(text.len(), |space| at + space)
}

/// Where a zone that begins there may begin, not before `from`: behind a space.
fn before(text: &[u8], from: usize, at: usize) -> usize {
    let rest = text.get(from..at).unwrap_or_default();
    let space = rest.iter().rposition(|byte| matches!(byte, b' ' | b'\n'));
    space.map_or(from, |space| from + space + 1)
}

/// Every feature that fires in a text, in the order of places: what weights are trained on.
pub fn trace(pack: &Pack, context: Context<'_>, text: &[u8]) -> Vec<Fired> {
    let mut matcher = Matcher::new(pack, Kind::Result, &context.hashes(), None);
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
        let mut deep = Deep {
            matcher: Some(&mut matcher),
            secrets: None,
        };
        gap = words(piece, 0..end, gap, &pack.fold, &mut deep);
        before += end;
        rest = others;
    }
    matcher.into_trace()
}

/// Leaves the weightiest findings, these first.
#[inline(never)]
fn weightiest(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    findings.truncate(MAX_FINDINGS);
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
