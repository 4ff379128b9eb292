//! Times scans.

use std::time::{Duration, Instant};

use anyhow::Result;
use gatehold_detect::{Context, Kind, Pack, scan};

use crate::texts::Mix;

/// Bytes that are timed at once: few enough that often nothing else runs in between.
const BATCH: usize = 32 << 10;
/// Runs of which the fastest counts, of each batch.
const RUNS: usize = 12;

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

    /// In bytes.
    pub(crate) fn pack_size(&self) -> usize {
        self.size
    }

    /// The fastest of some runs over all texts, batch by batch.
    pub(crate) fn mix(&self, mix: &Mix) -> Speed {
        let mut once = Duration::ZERO;
        let mut flagged = 0;
        let mut rest = mix.texts.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let texts = rest.iter().take_while(|text| {
                let fits = bytes < BATCH;
                bytes += text.len();
                fits
            });
            let (batch, others) = rest.split_at(texts.count());
            rest = others;
            once += (0..RUNS)
                .map(|_| self.run(mix.kind, batch))
                .min()
                .unwrap_or_default();
            flagged += batch
                .iter()
                .filter(|text| self.flagged(mix.kind, text))
                .count();
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
    pub(crate) fn run(&self, kind: Kind, texts: &[Vec<u8>]) -> Duration {
        let start = Instant::now();
        for text in texts {
            self.flagged(kind, text);
        }
        start.elapsed()
    }

    fn flagged(&self, kind: Kind, text: &[u8]) -> bool {
        std::hint::black_box(scan(&self.pack, kind, Context::default(), text)).flagged
    }
}
