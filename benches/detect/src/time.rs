//! Times scans.

use std::time::{Duration, Instant};

use anyhow::Result;
use gatehold_detect::{Context, Kind, Pack, scan};

use crate::texts::Mix;

/// For one mix, at least.
const AT_LEAST: Duration = Duration::from_millis(500);
/// Runs of which the fastest counts.
const RUNS: u32 = 5;

/// A pack as the filter has it.
pub(crate) struct Timer {
    pack: Pack,
    size: usize,
}

/// How fast a mix was read.
pub(crate) struct Speed {
    pub(crate) megabytes: f64,
    pub(crate) once: Duration,
    pub(crate) flagged: usize,
}

impl Timer {
    pub(crate) fn new() -> Result<Self> {
        let bytes = gatehold_detectors::compile(&[])?.to_bytes();
        Ok(Self {
            pack: Pack::load(&bytes)?,
            size: bytes.len(),
        })
    }

    pub(crate) fn pack_size(&self) -> String {
        format!("pack of {} KB, out", self.size >> 10)
    }

    /// The fastest of some runs over all texts.
    pub(crate) fn mix(&self, mix: &Mix) -> Speed {
        let mut once = Duration::MAX;
        let mut flagged = 0;
        let begin = Instant::now();
        let mut runs = 0;
        while runs < RUNS || begin.elapsed() < AT_LEAST {
            let start = Instant::now();
            flagged = mix
                .texts
                .iter()
                .filter(|text| self.flagged(mix.kind, text))
                .count();
            once = once.min(start.elapsed());
            runs += 1;
        }
        Speed {
            megabytes: mix.bytes() as f64 / once.as_secs_f64() / 1e6,
            once,
            flagged,
        }
    }

    /// The fastest time for one text.
    pub(crate) fn once(&self, kind: Kind, text: &[u8]) -> Duration {
        let time = |_| {
            let start = Instant::now();
            self.flagged(kind, text);
            start.elapsed()
        };
        (0..200).map(time).min().unwrap_or_default()
    }

    /// One run.
    pub(crate) fn quick(&self, mix: &Mix) -> Duration {
        let start = Instant::now();
        for text in &mix.texts {
            self.flagged(mix.kind, text);
        }
        start.elapsed()
    }

    fn flagged(&self, kind: Kind, text: &[u8]) -> bool {
        std::hint::black_box(scan(&self.pack, kind, Context::default(), text)).flagged
    }
}
