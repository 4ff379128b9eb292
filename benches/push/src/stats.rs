//! Distributions.

use hdrhistogram::{CreationError, Histogram};
use serde_json::{Value, json};

/// A distribution of times.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    microseconds: Histogram<u64>,
}

impl Times {
    /// No times yet.
    ///
    /// # Errors
    /// Never with three digits, which is what is asked for.
    pub(crate) fn new() -> Result<Self, CreationError> {
        let microseconds = Histogram::new(3)?;
        Ok(Self { microseconds })
    }

    /// Adds one, in nanoseconds.
    pub(crate) fn add(&mut self, nanoseconds: u64) {
        // It grows as needed, so that everything can be recorded.
        let _ = self.microseconds.record(nanoseconds / 1000);
    }

    /// The time that this part of all does not exceed, in milliseconds.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        milliseconds(self.microseconds.value_at_quantile(part))
    }

    /// The longest, in milliseconds.
    pub(crate) fn max(&self) -> f64 {
        milliseconds(self.microseconds.max())
    }

    /// `p50 / p99 / max`, in milliseconds.
    pub(crate) fn text(&self) -> String {
        let (p50, p99, max) = (self.quantile(0.5), self.quantile(0.99), self.max());
        format!("{p50:.0} / {p99:.0} / {max:.0}")
    }

    /// As it goes into the report.
    pub(crate) fn json(&self) -> Value {
        json!({
            "p50_ms": self.quantile(0.5),
            "p99_ms": self.quantile(0.99),
            "max_ms": self.max(),
            "count": self.microseconds.len(),
        })
    }
}

fn milliseconds(microseconds: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "times of a run are far below 2^52 us"
    )]
    let value = microseconds as f64;
    value / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_samples() {
        let mut times = Times::new().expect("three digits");
        for millisecond in 1..=100 {
            times.add(millisecond * 1_000_000);
        }
        assert_eq!(times.text(), "50 / 99 / 100");
    }
}
