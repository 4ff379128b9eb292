//! Memory of every part of a run, sampled while it lasts.

use std::time::Duration;

use gatehold_harness::Harness;

use crate::memory::{Bound, IN_USE, Series, WITH_CACHES, kept_mb, resident_mb};

/// Memory of one part over a run.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Which part.
    pub name: &'static str,
    /// Over time.
    pub series: Series,
    /// What it may grow by; nothing is asked of the parts that only test.
    pub bound: Option<Bound>,
}

/// What was sampled so far.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    envoy: Series,
    /// What of it its allocator does not keep for later.
    in_use: Series,
    /// All lives of control together.
    control: Series,
    /// The longest of them.
    longest: Series,
    life: Series,
    life_of: Option<u32>,
    traffic: Series,
    upstream: Series,
}

impl Samples {
    /// Looks at every part; what is no process of its own is left out.
    pub(crate) async fn take(
        &mut self,
        at: Duration,
        harness: &Harness,
        traffic: Option<u32>,
        upstream: Option<u32>,
    ) -> anyhow::Result<()> {
        if let Some(megabytes) = harness.envoy.id().and_then(resident_mb) {
            let memory = harness.envoy.admin("/memory").await?.json();
            self.envoy.add(at, megabytes);
            self.in_use.add(at, megabytes - kept_mb(&memory));
        }
        let control = harness.control.id();
        if control != self.life_of {
            self.end_life();
            self.life_of = control;
        }
        if let Some(megabytes) = control.and_then(resident_mb) {
            self.control.add(at, megabytes);
            self.life.add(at, megabytes);
        }
        for (part, series) in [(traffic, &mut self.traffic), (upstream, &mut self.upstream)] {
            if let Some(megabytes) = part.and_then(resident_mb) {
                series.add(at, megabytes);
            }
        }
        Ok(())
    }

    /// What Envoy and control had last.
    pub(crate) fn last(&self) -> [f64; 2] {
        [&self.envoy, &self.control].map(|series| {
            let last = series.samples().last();
            last.map_or(0.0, |(_, megabytes)| *megabytes)
        })
    }

    /// All of it, Envoy first, then control.
    pub(crate) fn end(mut self) -> Vec<Memory> {
        self.end_life();
        [
            ("Envoy", self.envoy, Some(WITH_CACHES)),
            (
                "Envoy, without its allocator's caches",
                self.in_use,
                Some(IN_USE),
            ),
            ("control", self.control, Some(IN_USE)),
            ("control, longest life", self.longest, Some(IN_USE)),
            ("load generator", self.traffic, None),
            ("upstream", self.upstream, None),
        ]
        .into_iter()
        .filter(|(_, series, _)| !series.samples().is_empty())
        .map(|(name, series, bound)| Memory {
            name,
            series,
            bound,
        })
        .collect()
    }

    fn end_life(&mut self) {
        let life = std::mem::take(&mut self.life);
        if life.samples().len() > self.longest.samples().len() {
            self.longest = life;
        }
    }
}
