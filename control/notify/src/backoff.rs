//! When to try again.

use std::time::Duration;

/// How long to wait between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first attempt; each time after that twice as long as before.
    pub first: Duration,
    /// No longer than this.
    pub longest: Duration,
    /// How long after it was made a message is given up.
    pub give_up: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(15 * 60),
            give_up: Duration::from_secs(24 * 3600),
        }
    }
}

impl Backoff {
    /// How long to wait after that many attempts (from 1). `random` from 0 to 1 spreads the waits of many messages
    /// over a half of the time before and after.
    #[must_use]
    pub fn after(&self, attempts: u32, random: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let wait = self.first.saturating_mul(doubled).min(self.longest);
        wait.mul_f64(0.5 + random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff::default();
        let check = |attempts, random, millis| {
            let wait = backoff.after(attempts, random);
            assert_eq!(wait, Duration::from_millis(millis), "{attempts} {random}");
        };
        check(0, 0.5, 1000);
        check(1, 0.5, 1000);
        check(1, 0.0, 500);
        check(1, 1.0, 1500);
        check(2, 0.5, 2000);
        check(5, 0.5, 16_000);
        check(10, 0.5, 512_000);
        check(11, 0.5, 900_000);
        check(u32::MAX, 1.0, 1_350_000);
        check(1, f64::MAX, 1500);
    }
}
