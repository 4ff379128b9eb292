//! Features add up over windows of words; the best window counts.

use std::collections::VecDeque;

use crate::{Kind, Pack};

/// Most features that are remembered of a window.
const MAX_FIRED: usize = 512;

/// One feature at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fired {
    /// Number in [`Pack::features`](crate::Pack::features).
    pub feature: u16,
    /// In words from the beginning.
    pub position: u32,
    /// Bytes of the input.
    pub start: u32,
    /// End of these.
    pub end: u32,
}

/// The sums so far.
#[derive(Debug)]
pub(crate) struct Score {
    kind: usize,
    window: u32,
    recent: VecDeque<Fired>,
    /// By feature: how often it is in the window. It adds once.
    counts: Vec<u16>,
    sum: i32,
    best: i32,
    at_best: Vec<Fired>,
}

impl Score {
    /// `more` words than the pack says are a window.
    pub(crate) fn new(pack: &Pack, kind: Kind, more: u32) -> Self {
        Self {
            kind: kind.index(),
            window: pack.windows.get(kind.index()).copied().unwrap_or(1) + more,
            recent: VecDeque::new(),
            counts: vec![0; pack.features.len()],
            sum: 0,
            best: 0,
            at_best: Vec::new(),
        }
    }

    /// Begins again, for a text of this kind.
    pub(crate) fn renew(&mut self, pack: &Pack, kind: Kind, more: u32) {
        for fired in self.recent.drain(..) {
            if let Some(count) = self.counts.get_mut(usize::from(fired.feature)) {
                *count = 0;
            }
        }
        self.kind = kind.index();
        self.window = pack.windows.get(kind.index()).copied().unwrap_or(1) + more;
        (self.sum, self.best) = (0, 0);
        self.at_best.clear();
    }

    /// Gives the sum with it.
    pub(crate) fn fire(&mut self, pack: &Pack, fired: Fired) -> i32 {
        while let Some(first) = self.recent.front() {
            if self.recent.len() < MAX_FIRED && first.position + self.window > fired.position {
                break;
            }
            let first = *first;
            self.recent.pop_front();
            self.take(pack, first.feature);
        }
        let Some(count) = self.counts.get_mut(usize::from(fired.feature)) else {
            return self.sum;
        };
        self.recent.push_back(fired);
        *count += 1;
        if *count == 1 {
            self.sum += weight(pack, fired.feature, self.kind);
            if self.sum > self.best {
                self.best = self.sum;
                self.at_best.clear();
                self.at_best.extend(&self.recent);
            }
        }
        self.sum
    }

    /// Whether there is no more room: what fires now pushes out what fired first.
    pub(crate) fn is_full(&self) -> bool {
        self.recent.len() >= MAX_FIRED
    }

    /// The smallest start of what is in the window.
    pub(crate) fn oldest_start(&self) -> Option<u32> {
        self.recent.iter().map(|it| it.start).min()
    }

    fn take(&mut self, pack: &Pack, feature: u16) {
        if let Some(count) = self.counts.get_mut(usize::from(feature)) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.sum -= weight(pack, feature, self.kind);
            }
        }
    }

    /// The best sum, and what it was made of.
    pub(crate) fn best(&self) -> (i32, &[Fired]) {
        (self.best, &self.at_best)
    }
}

fn weight(pack: &Pack, feature: u16, kind: usize) -> i32 {
    let feature = pack.features.get(usize::from(feature));
    feature
        .and_then(|it| it.weights.get(kind))
        .copied()
        .unwrap_or(0)
}
