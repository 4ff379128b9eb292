//! Streams that have ended, for a while.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use crate::StreamKind;

/// Streams that are remembered.
pub const MAX_GONE: usize = 1000;
/// How long they are remembered.
pub const GONE_FOR: Duration = Duration::from_secs(3600);

/// Streams that ended in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// What they carried.
    pub kind: StreamKind,
    /// Envoy's node id; empty if the client never said it.
    pub node: String,
    /// Envoy's cluster.
    pub cluster: String,
    /// The filter's version; empty if the client never said it.
    pub version: String,
    /// The other end of the last of them, `address:port`.
    pub peer: String,
    /// Why control ended them; `None` when the client went, or control did.
    pub refused: Option<String>,
    /// When the last of them ended.
    pub at: SystemTime,
    /// How many there were: a filter that is refused comes back again and again.
    pub times: u64,
}

/// Those that ended last, oldest first.
#[derive(Debug, Default)]
pub(crate) struct GoneList(VecDeque<Gone>);

impl GoneList {
    /// Adds one, to those like it if there are any.
    pub(crate) fn add(&mut self, mut gone: Gone) {
        let alike = |other: &Gone| {
            let of = |it: &Gone| (it.kind, it.node == gone.node, it.cluster == gone.cluster);
            of(other) == of(&gone)
                && (&other.version, &other.refused) == (&gone.version, &gone.refused)
        };
        if let Some(index) = self.0.iter().position(alike)
            && let Some(earlier) = self.0.remove(index)
        {
            gone.times = gone.times.saturating_add(earlier.times);
        }
        self.forget(gone.at);
        if self.0.len() >= MAX_GONE {
            self.0.pop_front();
        }
        self.0.push_back(gone);
    }

    /// Those of the last hour before `now`, oldest first.
    pub(crate) fn list(&mut self, now: SystemTime) -> Vec<Gone> {
        self.forget(now);
        self.0.iter().cloned().collect()
    }

    fn forget(&mut self, now: SystemTime) {
        // A clock that was set back makes nobody older.
        let is_old = |gone: &Gone| now.duration_since(gone.at).is_ok_and(|age| age > GONE_FOR);
        while self.0.front().is_some_and(is_old) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(node: &str, refused: Option<&str>, second: u64) -> Gone {
        Gone {
            kind: StreamKind::Policy,
            node: node.to_owned(),
            cluster: String::new(),
            version: String::new(),
            peer: String::new(),
            refused: refused.map(str::to_owned),
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
            times: 1,
        }
    }

    fn list(gone: &mut GoneList, second: u64) -> Vec<(String, u64)> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let all = gone.list(now).into_iter();
        all.map(|gone| (gone.node, gone.times)).collect()
    }

    #[test]
    fn those_alike_are_one_and_old_ones_are_forgotten() {
        let mut all = GoneList::default();
        all.add(gone("a", None, 0));
        all.add(gone("b", Some("too old"), 10));
        all.add(gone("b", Some("too old"), 20));
        all.add(gone("b", None, 30));
        let owned = |expected: &[(&str, u64)]| -> Vec<(String, u64)> {
            expected.iter().map(|(n, t)| (n.to_string(), *t)).collect()
        };
        assert_eq!(list(&mut all, 40), owned(&[("a", 1), ("b", 2), ("b", 1)]));
        assert_eq!(list(&mut all, 3601), owned(&[("b", 2), ("b", 1)]));
        // The clock was set back.
        assert_eq!(list(&mut all, 0), owned(&[("b", 2), ("b", 1)]));
        assert_eq!(list(&mut all, 8000), []);
    }

    #[test]
    fn there_are_never_too_many() {
        let mut all = GoneList::default();
        for number in 0..=MAX_GONE {
            all.add(gone(&number.to_string(), None, 1));
        }
        let names = list(&mut all, 2);
        assert_eq!(names.len(), MAX_GONE);
        assert_eq!(names.first(), Some(&("1".to_owned(), 1)));
    }
}
