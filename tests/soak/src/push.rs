//! How soon a changed document is in force: from its write to the first decision that follows it, and until every
//! worker does.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use gatehold_harness::{Call, Reply, message};
use serde_json::json;

use crate::documents::SOMETIMES;
use crate::latency::Latencies;
use crate::traffic::requests::refused;
use crate::world::CRM;

/// How long a change may take to be in force, a dead control included. A change that never comes is wrong, a slow one
/// is only slow.
const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks, and so how exact the figures are.
const LOOK: Duration = Duration::from_millis(2);

/// From the write of a document.
#[derive(Clone, Copy, Debug)]
pub struct Followed {
    /// Until the first decision that follows it was answered.
    pub first: Duration,
    /// Until every worker followed it: the first answer of a row in which no worker can have been missed.
    pub all: Duration,
}

/// What the pushes of a run came to.
#[derive(Clone, Debug, Default)]
pub struct Pushes {
    /// Until the first decision.
    pub first: Latencies,
    /// Until every worker.
    pub all: Latencies,
}

impl Pushes {
    /// Adds one.
    pub fn add(&mut self, followed: Followed) {
        self.first.add(followed.first);
        self.all.add(followed.all);
    }
}

/// Asks at `port` again and again, each time over a new connection, until every worker decides by the state of the
/// policy that was written at `since`.
///
/// # Errors
/// When that has not come true after a minute.
pub async fn follow(
    port: u16,
    workers: u32,
    token: &str,
    wide: bool,
    since: Instant,
) -> anyhow::Result<Followed> {
    let call = message::tool("refund", &json!({ "amount": SOMETIMES }));
    let call = message::legacy(CRM, "tools/call", &call).bearer(token);
    let mut row = Row::new(20 * workers);
    let looking = async {
        loop {
            let asked = row.is_broken();
            let state = state(&call, port).await;
            if let Some(followed) = row.take(state.map(|state| state == wide), since.elapsed()) {
                return followed;
            }
            if asked {
                tokio::time::sleep(LOOK).await;
            }
        }
    };
    let found = tokio::time::timeout(DEADLINE, looking).await;
    found.with_context(|| format!("a changed policy (wide: {wide}) is not in force everywhere"))
}

/// Which state of the policy decided; nothing when a worker that reloads answered.
async fn state(call: &Call, port: u16) -> Option<bool> {
    let reply: Reply = call.send(port).await.ok()?;
    (reply.status == 200).then(|| !refused(&reply.json()))
}

/// Answers in a row that follow the change.
#[derive(Debug)]
struct Row {
    wanted: u32,
    length: u32,
    first: Option<Duration>,
    begin: Duration,
}

impl Row {
    fn new(wanted: u32) -> Self {
        Self {
            wanted,
            length: 0,
            first: None,
            begin: Duration::ZERO,
        }
    }

    fn is_broken(&self) -> bool {
        self.length == 0
    }

    /// Takes an answer at a time; says what was found when the row is long enough.
    fn take(&mut self, follows: Option<bool>, at: Duration) -> Option<Followed> {
        if follows != Some(true) {
            self.length = 0;
            return None;
        }
        let first = *self.first.get_or_insert(at);
        if self.length == 0 {
            self.begin = at;
        }
        self.length = self.length.saturating_add(1);
        (self.length >= self.wanted).then_some(Followed {
            first,
            all: self.begin,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_follow_when_nobody_lags_behind_any_more() {
        let mut row = Row::new(3);
        let at = Duration::from_millis;
        let answers = [
            (Some(false), 1),
            (Some(true), 2),
            (Some(true), 3),
            (Some(false), 4),
            (Some(true), 5),
            (None, 6),
            (Some(true), 7),
            (Some(true), 8),
        ];
        for (follows, millis) in answers {
            assert!(row.take(follows, at(millis)).is_none(), "{millis}");
        }
        let followed = row.take(Some(true), at(9)).unwrap();
        assert_eq!((followed.first, followed.all), (at(2), at(7)));
    }
}
