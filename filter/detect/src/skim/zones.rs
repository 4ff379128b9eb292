//! What is to be read closely.

use std::ops::Range;

/// Bytes between two places that are remembered.
const STRIDE: usize = 128;
/// Most bytes that are kept of what was skimmed, so that they can be read closely later.
const KEPT: usize = 16 << 10;

/// Words before the first that matters.
const BEFORE: u32 = 4;

/// Places in a text, and what of it is to be read closely.
#[derive(Debug)]
pub(super) struct Zones {
    /// Words before something that it may have to do with.
    reach: u32,
    /// Some places: positions, and bytes of the input.
    trail: Vec<(u32, usize)>,
    /// The byte from which on the next place is remembered.
    next: usize,
    done: Vec<Range<usize>>,
    /// The zone under way: where it begins, and the position behind which it ends.
    open: Option<(usize, u32)>,
    always: bool,
}

impl Zones {
    pub(super) fn new(reach: u32, mut trail: Vec<(u32, usize)>) -> Self {
        trail.clear();
        Self {
            reach,
            trail,
            next: 0,
            done: Vec::new(),
            open: None,
            always: false,
        }
    }

    /// Its room.
    pub(super) fn leave(self) -> Vec<(u32, usize)> {
        self.trail
    }

    /// Everything is read closely.
    pub(super) fn always(&mut self) {
        self.always = true;
    }

    pub(super) fn reach(&self) -> u32 {
        self.reach
    }

    pub(super) fn begin(&mut self) {
        self.done.clear();
    }

    /// The text is read from there on; nothing of the words before the position comes behind it.
    #[inline(always)]
    pub(super) fn pass(&mut self, position: u32, at: usize) {
        if at >= self.next {
            self.note(position, at);
        }
    }

    #[inline(never)]
    fn note(&mut self, position: u32, at: usize) {
        self.trail.push((position, at));
        self.next = at + STRIDE;
        if let Some((start, until)) = self.open
            && position > until
        {
            self.done.push(start..at);
            self.open = None;
        }
    }

    /// Lets the zone under way go on up to the position. Whether there is one.
    #[inline]
    pub(super) fn goes_on(&mut self, until: u32) -> bool {
        if let Some((_, end)) = &mut self.open {
            *end = (*end).max(until);
        }
        self.open.is_some()
    }

    /// What stands between the positions is to be read.
    #[inline(never)]
    pub(super) fn open(&mut self, from: u32, until: u32) {
        // The word before says whether the first begins a sentence.
        let from = from.saturating_sub(BEFORE);
        let later = self.trail.partition_point(|(position, _)| *position < from);
        let place = later.checked_sub(1).and_then(|at| self.trail.get(at));
        let start = place.or(self.trail.first()).map_or(0, |(_, at)| *at);
        self.open = Some(match self.open {
            Some((begun, before)) => (begun.min(start), before.max(until)),
            None => (start, until),
        });
    }

    /// The piece ends there.
    pub(super) fn end(&mut self, position: u32, at: usize) -> &[Range<usize>] {
        let from = position.saturating_sub(self.reach + BEFORE);
        let later = self.trail.partition_point(|(position, _)| *position < from);
        self.trail.drain(..later.saturating_sub(1));
        let begins = self.trail.first().map_or(at, |(_, at)| *at);
        if self.always {
            self.done.push(0..at);
        } else if at - begins > KEPT {
            // Few words in many bytes: what cannot be kept is read now.
            self.open(from, position);
            self.trail.clear();
            self.trail.push((position, at));
        }
        if let Some((start, until)) = self.open {
            self.done.push(start..at);
            self.open = (until > position).then_some((at, until));
        }
        self.next = at;
        &self.done
    }

    /// The byte from which on text may still be asked for.
    pub(super) fn keep_from(&self) -> usize {
        self.trail.first().map_or(usize::MAX, |(_, at)| *at)
    }
}
