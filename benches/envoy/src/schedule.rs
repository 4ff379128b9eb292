//! When the requests of an open loop are due: fixed in advance, so that a slow answer delays no later request, and
//! counts in full for those that had to wait behind it.

use std::time::Duration;

/// A constant rate for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    rate: f64,
    count: u64,
}

impl Schedule {
    /// `rate` requests per second for `length`; at least one.
    #[must_use]
    pub fn new(rate: f64, length: Duration) -> Self {
        let rate = rate.max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small, positive number"
        )]
        let count = (rate * length.as_secs_f64()).round().max(1.0) as u64;
        Self { rate, count }
    }

    /// How many requests.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// When request `index`, from 0, is due after the start; nothing after the last.
    #[must_use]
    pub fn due(&self, index: u64) -> Option<Duration> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let seconds = index as f64 / self.rate;
        (index < self.count).then(|| Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_even_and_end() {
        let schedule = Schedule::new(500.0, Duration::from_secs(2));
        assert_eq!(schedule.count(), 1000);
        assert_eq!(schedule.due(0), Some(Duration::ZERO));
        assert_eq!(schedule.due(250), Some(Duration::from_millis(500)));
        assert_eq!(schedule.due(999), Some(Duration::from_millis(1998)));
        assert_eq!(schedule.due(1000), None);
    }

    #[test]
    fn there_is_always_one() {
        let schedule = Schedule::new(0.0, Duration::from_millis(1));
        assert_eq!((schedule.count(), schedule.due(1)), (1, None));
    }
}
