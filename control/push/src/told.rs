//! What people were told of already, for a while.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Problems that are remembered.
const MAX_TOLD: usize = 10_000;
/// How long they are remembered.
pub(crate) const TOLD_FOR: Duration = Duration::from_secs(3600);

/// Nodes with a problem that was told, oldest first.
///
/// Not how many streams have it: a filter that is refused comes back again and again, and each time it is nobody's.
#[derive(Debug, Default)]
pub(crate) struct Told {
    known: HashSet<(String, &'static str)>,
    since: VecDeque<(Instant, (String, &'static str))>,
}

impl Told {
    /// Whether this was not told within the hour before `now`; it is, then.
    pub(crate) fn is_news(&mut self, node: &str, problem: &'static str, now: Instant) -> bool {
        while self
            .since
            .front()
            .is_some_and(|(told, _)| now.saturating_duration_since(*told) >= TOLD_FOR)
        {
            self.forget();
        }
        let key = (node.to_owned(), problem);
        if self.known.contains(&key) {
            return false;
        }
        if self.since.len() >= MAX_TOLD {
            self.forget();
        }
        self.known.insert(key.clone());
        self.since.push_back((now, key));
        true
    }

    fn forget(&mut self) {
        if let Some((_, key)) = self.since.pop_front() {
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_a_node_is_news_once_an_hour() {
        let (mut told, start) = (Told::default(), Instant::now());
        assert!(told.is_news("a", "x", start));
        assert!(!told.is_news("a", "x", start));
        assert!(told.is_news("a", "y", start));
        let later = start + TOLD_FOR / 2;
        assert!(told.is_news("b", "x", later));
        // That it was said again does not put it off.
        assert!(!told.is_news("a", "x", later));
        let hour = start + TOLD_FOR;
        assert!(told.is_news("a", "x", hour));
        assert!(!told.is_news("b", "x", hour));
    }

    #[test]
    fn there_are_never_too_many() {
        let (mut told, now) = (Told::default(), Instant::now());
        for number in 0..MAX_TOLD + 10 {
            assert!(told.is_news(&number.to_string(), "x", now));
        }
        assert_eq!((told.known.len(), told.since.len()), (MAX_TOLD, MAX_TOLD));
        assert!(!told.is_news("10", "x", now) && told.is_news("9", "x", now));
    }
}
