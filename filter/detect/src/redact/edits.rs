//! Ranges that were found, and what takes their places.

use std::ops::Range;

/// What was found: in order, without overlaps, within the text.
pub(super) struct Spans(Vec<Range<usize>>);

/// The ranges in order, those that overlap or touch made one.
#[inline(never)]
pub fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
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

impl Spans {
    pub(super) fn new(spans: &[Range<usize>], length: usize) -> Self {
        let within = spans.iter().map(|span| span.start..span.end.min(length));
        Self(merged(
            within.filter(|span| span.start < span.end).collect(),
        ))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The number of the first span that lies in a range at least in part, and all that do. Ranges are asked for
    /// in order; `next` remembers how far they got.
    pub(super) fn within(
        &self,
        range: &Range<usize>,
        next: &mut usize,
    ) -> (usize, &[Range<usize>]) {
        while self
            .0
            .get(*next)
            .is_some_and(|span| span.end <= range.start)
        {
            *next += 1;
        }
        let rest = self.0.get(*next..).unwrap_or_default();
        let count = rest.partition_point(|span| span.start < range.end);
        (*next, rest.get(..count).unwrap_or_default())
    }
}

/// What takes the place of what, in order.
#[derive(Default)]
pub(super) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    /// Adds one behind those that are there.
    pub(super) fn push(&mut self, range: Range<usize>, text: String) {
        self.0.push((range, text));
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (Range<usize>, String)> {
        self.0.into_iter()
    }

    pub(super) fn apply(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut from = 0;
        for (range, replacement) in &self.0 {
            out.extend_from_slice(text.get(from..range.start).unwrap_or_default());
            out.extend_from_slice(replacement.as_bytes());
            from = range.end;
        }
        out.extend_from_slice(text.get(from..).unwrap_or_default());
        out
    }
}
