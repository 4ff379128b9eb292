//! The VM of a worker is ended on purpose while there is load, and Envoy makes a new one.
//!
//! Meanwhile that worker answers 503, and what it had under way breaks off. Such endings are counted apart, but only
//! those that fall into the time until every worker decides again, and only when Envoy itself answered: a filter that
//! comes back without its policy says so in a body.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatehold_harness::{Call, message};
use serde_json::json;

use crate::world::{CRM, World};

/// What the tally calls it.
pub const RELOADS: &str = "VMs of workers ended";
/// The header by which a filter that was built for it ends its VM.
const TRAP: &str = "x-gatehold-trap";
/// How long a worker may stay away: Envoy makes a new VM within about a second, on a busy machine somewhat later.
const BACK: Duration = Duration::from_secs(30);
/// Between two looks while it is away.
const ASK: Duration = Duration::from_millis(10);
/// What breaks at the end of a VM is noticed a little later.
const NOTICED: Duration = Duration::from_secs(2);

/// An ending that the reload of a worker explains.
#[derive(Clone, Copy, Debug)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the worker was reloading")
    }
}

impl std::error::Error for Cut {}

/// When workers reloaded.
#[derive(Debug, Default)]
pub struct Reloads {
    windows: Mutex<Vec<(Instant, Option<Instant>)>>,
    running: AtomicBool,
}

impl Reloads {
    /// Whether something that lasted from `begin` to `end` may have met a worker that reloaded.
    #[must_use]
    pub fn explain(&self, begin: Instant, end: Instant) -> bool {
        self.windows().iter().any(|(opened, closed)| {
            let noticed = closed.map(|closed| closed + NOTICED);
            *opened <= end
                && closed.is_none_or(|closed| begin <= closed)
                && noticed.is_none_or(|noticed| end <= noticed)
        })
    }

    fn open(&self) {
        self.windows().push((Instant::now(), None));
    }

    fn close(&self) {
        if let Some((_, end)) = self.windows().last_mut() {
            *end = Some(Instant::now());
        }
    }

    fn windows(&self) -> MutexGuard<'_, Vec<(Instant, Option<Instant>)>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the VM of one worker and waits until all decide again, in the background; false when that goes on already.
pub fn start(world: &Arc<World>) -> bool {
    if world.reloads.running.swap(true, Ordering::Relaxed) {
        return false;
    }
    let world = Arc::clone(world);
    tokio::spawn(async move {
        if let Err(error) = reload(&world).await {
            world.tally.violation(format!("reload: {error:#}"));
        }
        world.reloads.running.store(false, Ordering::Relaxed);
    });
    true
}

async fn reload(world: &World) -> anyhow::Result<()> {
    let call = json!({ "name": "get_customer", "arguments": {} });
    let call = message::modern(CRM, "tools/call", &call).bearer(&world.warm("alice", CRM)?);
    world.reloads.open();
    let begin = Instant::now();
    world.tally.disturbed(RELOADS);
    if let Ok(reply) = call.header(TRAP, "1").send(world.port).await {
        anyhow::ensure!(
            reply.status == 503,
            "a request that should have ended its VM was answered with {}; is the filter built with `trap-for-tests`?",
            reply.status
        );
    }
    let back = back(world).await;
    world.reloads.close();
    back?;
    world.tally.reloaded(begin.elapsed());
    Ok(())
}

/// Waits until so many answers in a row come that no worker can have been missed.
async fn back(world: &World) -> anyhow::Result<()> {
    let wanted = 20 * world.workers;
    let probe = Call::get(&format!("/.well-known/oauth-protected-resource{CRM}"));
    let begin = Instant::now();
    let mut count = 0;
    while count < wanted {
        let seen = match probe.send(world.port).await {
            Ok(reply) if reply.status == 200 => {
                count += 1;
                continue;
            }
            Ok(reply) => format!("{} {}", reply.status, reply.text()),
            Err(error) => error.to_string(),
        };
        anyhow::ensure!(
            begin.elapsed() < BACK,
            "a worker is not back after {} s: {seen}",
            BACK.as_secs()
        );
        count = 0;
        tokio::time::sleep(ASK).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_meets_a_reload_is_explained_by_it() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let reloads = Reloads::default();
        assert!(!reloads.explain(at(0), at(60)));
        *reloads.windows() = vec![(at(10), Some(at(12))), (at(30), None)];
        for (begin, end, explained) in [
            (1, 9, false),
            (1, 10, true),
            (11, 11, true),
            (12, 14, true),
            (13, 13, false),
            // It met the reload, but broke off long after it.
            (9, 15, false),
            (20, 29, false),
            (29, 31, true),
            (500, 501, true),
        ] {
            assert_eq!(
                reloads.explain(at(begin), at(end)),
                explained,
                "{begin} to {end}"
            );
        }
    }
}
