//! Latencies: a histogram that can be sent to another process and added to others.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest that is told apart, in microseconds: longer than any deadline of a run.
const LONGEST: u64 = 120_000_000;
/// Digits of a value that are kept.
const DIGITS: u8 = 3;

/// How long things took, in microseconds, to three digits.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Option<Histogram<u64>>);

impl Latencies {
    /// Adds one.
    pub fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.record(micros, 1);
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        for (micros, count) in other.recorded() {
            self.record(micros, count);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// The one below which that share of them lies, in milliseconds; 0 of none.
    #[must_use]
    pub fn ms(&self, share: f64) -> f64 {
        let found = self.0.as_ref().map(|all| all.value_at_quantile(share));
        Duration::from_micros(found.unwrap_or_default()).as_secs_f64() * 1000.0
    }

    fn record(&mut self, micros: u64, count: u64) {
        if self.0.is_none() {
            // With these bounds it can be made.
            self.0 = Histogram::new_with_bounds(1, LONGEST, DIGITS).ok();
        }
        if let Some(all) = &mut self.0 {
            all.saturating_record_n(micros.clamp(1, LONGEST), count);
        }
    }

    fn recorded(&self) -> impl Iterator<Item = (u64, u64)> {
        let values = self.0.iter().flat_map(Histogram::iter_recorded);
        values.map(|value| (value.value_iterated_to(), value.count_at_value()))
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.recorded())
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut latencies = Self::default();
        for (micros, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            latencies.record(micros, count);
        }
        Ok(latencies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        for value in millis {
            latencies.add(Duration::from_millis(value));
        }
        latencies
    }

    #[test]
    fn shares_are_found_to_three_digits() {
        let hundred = of(1..=1000);
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0)] {
            let found = hundred.ms(share);
            assert!(
                (found - expected).abs() <= expected * 0.002,
                "{share}: {found}"
            );
        }
        assert!(Latencies::default().ms(0.5) < 0.001);
    }

    #[test]
    fn what_was_sent_to_another_process_is_the_same_there() {
        let sent = of([1, 1, 7, 30_000, 3_600_000]);
        let text = serde_json::to_string(&sent).unwrap();
        let mut received: Latencies = serde_json::from_str(&text).unwrap();
        for share in [0.0, 0.3, 0.5, 0.8, 1.0] {
            assert!(
                (received.ms(share) - sent.ms(share)).abs() < 0.001,
                "{share}"
            );
        }
        received.merge(&of([7]));
        assert_eq!((received.count(), sent.count()), (6, 5));
    }
}
