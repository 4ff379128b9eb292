//! Memory over time: samples, a line through them, and whether they are flat.

use std::fs;
use std::time::Duration;

use serde_json::Value;

/// The part of a run that counts as warm-up: pools, caches and heaps fill.
const WARM_UP: f64 = 0.1;

/// What the last third may have more than the first.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    megabytes: f64,
    factor: f64,
}

/// Of what a process holds in use: noise, heaps that find their size.
pub const IN_USE: Bound = Bound {
    megabytes: 8.0,
    factor: 1.05,
};
/// Of what is resident where an allocator keeps freed memory for itself: Envoy's keeps up to 32 MB for its threads,
/// and takes hours until it has as much of each size as was ever wanted at once.
pub const WITH_CACHES: Bound = Bound {
    megabytes: 32.0,
    factor: 1.2,
};

/// Resident memory of a process in MB (2^20 bytes).
#[must_use]
pub fn resident_mb(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// What Envoy's allocator keeps of freed memory, in MB, by the answer of the admin interface to `/memory`.
#[must_use]
pub fn kept_mb(memory: &Value) -> f64 {
    let bytes = |name: &str| {
        let value = memory.get(name).and_then(Value::as_str);
        value.and_then(|value| value.parse::<f64>().ok())
    };
    let kept = ["total_thread_cache", "pageheap_free"].into_iter();
    kept.filter_map(bytes).sum::<f64>() / 1_048_576.0
}

/// Memory of one process over a run.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Seconds since the start of the run, and MB.
    samples: Vec<(f64, f64)>,
}

/// What a series comes to, all in MB, the slope in MB per hour; the warm-up is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Median of the first third.
    pub start: f64,
    /// Median of the middle third.
    pub middle: f64,
    /// Median of the last third.
    pub end: f64,
    /// The most that was seen.
    pub peak: f64,
    /// Slope of the line with the least squares.
    pub slope: f64,
}

impl Summary {
    /// Whether the last third is no more than the first, but for what the bound leaves to noise and caches.
    #[must_use]
    pub fn is_flat(&self, bound: Bound) -> bool {
        self.end <= (self.start + bound.megabytes).max(self.start * bound.factor)
    }
}

impl Series {
    /// Adds a sample.
    pub fn add(&mut self, at: Duration, megabytes: f64) {
        self.samples.push((at.as_secs_f64(), megabytes));
    }

    /// The samples, as (seconds, MB).
    #[must_use]
    pub fn samples(&self) -> &[(f64, f64)] {
        &self.samples
    }

    /// Sums it up.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let first = self.samples.first().map_or(0.0, |(at, _)| *at);
        let last = self.samples.last().map_or(0.0, |(at, _)| *at);
        let from = first + (last - first) * WARM_UP;
        let warm: Vec<(f64, f64)> = self
            .samples
            .iter()
            .copied()
            .filter(|(at, _)| *at >= from)
            .collect();
        let third = |number: f64| {
            let length = (last - from) / 3.0;
            let (low, high) = (from + length * number, from + length * (number + 1.0));
            median(
                warm.iter()
                    .filter(|(at, _)| (low..=high).contains(at))
                    .map(|(_, value)| *value),
            )
        };
        Summary {
            start: third(0.0),
            middle: third(1.0),
            end: third(2.0),
            peak: warm.iter().map(|(_, value)| *value).fold(0.0, f64::max),
            slope: slope(&warm) * 3600.0,
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    crate::tally::quantile(&values, 0.5)
}

/// Slope of the line with the least squares; 0 when there is none.
fn slope(samples: &[(f64, f64)]) -> f64 {
    let count = samples.iter().map(|_| 1.0).sum::<f64>();
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|sample| sample.0), mean(|sample| sample.1));
    let spread: f64 = samples.iter().map(|sample| (sample.0 - x).powi(2)).sum();
    if spread > 0.0 {
        let both = samples.iter().map(|sample| (sample.0 - x) * (sample.1 - y));
        both.sum::<f64>() / spread
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(value: impl Fn(f64) -> f64) -> Summary {
        let mut series = Series::default();
        for second in 0..600_u32 {
            let at = f64::from(second);
            series.add(Duration::from_secs(u64::from(second)), value(at));
        }
        series.summary()
    }

    #[test]
    fn a_leak_is_not_flat_and_noise_is() {
        let leak = series(|at| 100.0 + at / 20.0);
        assert!((leak.slope - 180.0).abs() < 0.1, "{leak:?}");
        assert!(!leak.is_flat(IN_USE), "{leak:?}");
        let noise = series(|at| 100.0 + (at * 7.0) % 5.0);
        assert!(
            noise.is_flat(IN_USE) && noise.slope.abs() < 2.0,
            "{noise:?}"
        );
    }

    #[test]
    fn the_warm_up_does_not_count() {
        let warmed = series(|at| if at < 50.0 { 10.0 } else { 100.0 });
        assert!(warmed.is_flat(IN_USE), "{warmed:?}");
        assert!(warmed.slope.abs() < 0.1, "{warmed:?}");
        assert!((warmed.start - 100.0).abs() < 0.1, "{warmed:?}");
    }

    #[test]
    fn a_series_may_begin_late() {
        let mut series = Series::default();
        for second in 1000..1100 {
            series.add(Duration::from_secs(second), 30.0);
        }
        let late = series.summary();
        assert!(
            (late.start - 30.0).abs() < 0.1 && late.is_flat(IN_USE),
            "{late:?}"
        );
    }

    #[test]
    fn what_the_allocator_keeps_is_read() {
        let memory = serde_json::json!({ "allocated": "9", "pageheap_free": "1048576", "total_thread_cache": "2097152" });
        assert!((kept_mb(&memory) - 3.0).abs() < 0.01);
        assert!(kept_mb(&Value::Null) < 0.01);
    }

    #[test]
    fn nothing_is_flat() {
        assert!(Series::default().summary().is_flat(IN_USE));
    }
}
