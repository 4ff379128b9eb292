//! What scans need room for, kept from one to the next: most texts are short, and making and clearing it would take
//! longer than reading them.

use std::sync::{Mutex, PoisonError};

use crate::matcher::Worn;
use crate::score::Score;

/// Most that are kept: as many scans as usually are under way at once.
const MOST: usize = 8;

/// What a scan leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// By class: where it was seen last.
    pub(crate) last: Vec<u32>,
    /// Behind all of these positions.
    pub(crate) position: u32,
    pub(crate) trail: Vec<(u32, usize)>,
    pub(crate) score: Option<Score>,
    pub(crate) matcher: Option<Worn>,
}

/// What scans left behind.
#[derive(Debug, Default)]
pub(crate) struct Spare(Mutex<Vec<Left>>);

impl Spare {
    /// Something to scan with, new if there is nothing else.
    pub(crate) fn take(&self) -> Left {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default()
    }

    pub(crate) fn give(&self, left: Left) {
        // Positions must not come to an end in the next text.
        if left.position > u32::MAX / 2 {
            return;
        }
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MOST {
            spare.push(left);
        }
    }
}

impl Clone for Spare {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Spare {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
