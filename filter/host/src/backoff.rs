//! When a lost stream is opened again.

/// Delay after the first failure, in milliseconds.
const BASE: u64 = 200;
/// Longest delay, in milliseconds.
const CAP: u64 = 5_000;

/// Exponential backoff with jitter, so that the workers of many proxies do not come back together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// One more failure; gives the milliseconds to wait, between half of the delay and all of it.
    pub fn fail(&mut self, random: u64) -> u64 {
        let delay = BASE.saturating_mul(1 << self.failures.min(10)).min(CAP);
        self.failures = self.failures.saturating_add(1);
        let half = delay / 2;
        half + random.checked_rem(half + 1).unwrap_or(0)
    }

    /// The other side has spoken.
    pub fn succeed(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_cap_and_starts_over() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.fail(0), 100);
        assert_eq!(backoff.fail(u64::MAX) / 201, 1);
        for _ in 0..100 {
            assert!(backoff.fail(7) <= CAP);
        }
        assert!(backoff.fail(2_500) >= CAP / 2);
        backoff.succeed();
        assert_eq!(backoff.fail(0), 100);
    }
}
