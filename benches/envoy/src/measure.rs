//! One measurement: a case at a site, closed loop for CPU and throughput, open loop for latency.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hdrhistogram::Histogram;

use crate::cases::Case;
use crate::load::{Expected, Job, Load, Plan};
use crate::machine;
use crate::schedule::Schedule;
use crate::site::Site;
use crate::tokens::Tokens;

/// Connections of the closed loop: enough that Envoy always has something to do.
pub const CLOSED_CONNECTIONS: usize = 16;
/// Connections of the open loop: enough that a request waits for Envoy only, not for a connection.
pub const OPEN_CONNECTIONS: usize = 64;

/// A case at a site, ready to be measured.
#[derive(Debug)]
pub struct Subject<'a> {
    /// What is sent.
    pub case: Case,
    /// Where to.
    pub site: &'a Site,
    /// What every answer must be.
    pub expected: Expected,
    /// A token that the site knows.
    pub token: &'a str,
}

/// What a closed loop found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Closed {
    /// CPU time of the process per request, in microseconds.
    pub cpu_us: f64,
    /// Requests per second.
    pub rps: f64,
}

impl Subject<'_> {
    /// The requests that are sent in turn; at most `count` different ones where each is to be new.
    fn requests(&self, tokens: &Tokens, count: usize) -> anyhow::Result<Vec<Arc<[u8]>>> {
        let session = self.site.session.as_deref();
        let tools = self.case.tools();
        let first = tools.first().map_or("", String::as_str);
        if self.case.cold {
            return (0..count)
                .map(|_| {
                    Ok(self
                        .case
                        .request(&self.site.way, first, &tokens.fresh()?, session)
                        .into())
                })
                .collect();
        }
        if tools.is_empty() {
            return Ok(vec![
                self.case
                    .request(&self.site.way, first, self.token, session)
                    .into(),
            ]);
        }
        Ok(tools
            .iter()
            .map(|tool| {
                self.case
                    .request(&self.site.way, tool, self.token, session)
                    .into()
            })
            .collect())
    }

    /// Sends as fast as answers come, for `length`.
    ///
    /// # Errors
    /// When an answer is wrong.
    pub fn closed(&self, load: &Load, tokens: &Tokens, length: Duration) -> anyhow::Result<Closed> {
        // No variant verifies more than 10,000 new tokens in a second.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small, positive number"
        )]
        let at_most = if self.case.cold {
            (length.as_secs_f64() * 10_000.0) as usize
        } else {
            usize::MAX
        };
        let requests = self.requests(tokens, at_most)?;
        let job = Job {
            port: self.site.port,
            connections: CLOSED_CONNECTIONS,
            requests,
            plan: Plan::Closed { length, at_most },
            expected: Some(self.expected),
        };
        let before = machine::cpu_ns(self.site.id)?;
        let outcome = load.run(job).with_context(|| self.name())?;
        settle(self.site)?;
        let used = machine::cpu_ns(self.site.id)?.saturating_sub(before);
        let answered = as_f64(outcome.answered.max(1));
        Ok(Closed {
            cpu_us: as_f64(used) / 1000.0 / answered,
            rps: answered / outcome.elapsed.as_secs_f64().max(1e-6),
        })
    }

    /// Sends at a fixed rate, for `length`; the latencies in nanoseconds.
    ///
    /// # Errors
    /// When an answer is wrong.
    pub fn open(
        &self,
        load: &Load,
        tokens: &Tokens,
        rate: f64,
        length: Duration,
    ) -> anyhow::Result<Histogram<u64>> {
        let schedule = Schedule::new(rate, length);
        let count = usize::try_from(schedule.count()).unwrap_or(usize::MAX);
        let job = Job {
            port: self.site.port,
            connections: OPEN_CONNECTIONS,
            requests: self.requests(tokens, count)?,
            plan: Plan::Open(schedule),
            expected: Some(self.expected),
        };
        let outcome = load.run(job).with_context(|| self.name())?;
        settle(self.site)?;
        Ok(outcome.latencies)
    }

    fn name(&self) -> String {
        format!("`{}` at `{}`", self.case.name, self.site.variant.name())
    }
}

/// Waits until what a measurement has left behind is done: audit events leave with the next tick, and control writes
/// them. It belongs to the requests that caused it, and must not disturb the next measurement.
fn settle(site: &Site) -> anyhow::Result<()> {
    if !site.variant.audits() {
        return Ok(());
    }
    const WINDOW: Duration = Duration::from_millis(120);
    const IDLE_NS: u64 = 3_000_000;
    let used = || {
        let control = site.control.map_or(Ok(0), machine::cpu_ns)?;
        anyhow::Ok(machine::cpu_ns(site.id)?.saturating_add(control))
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut before = used()?;
    while Instant::now() < deadline {
        std::thread::sleep(WINDOW);
        let now = used()?;
        if now.saturating_sub(before) < IDLE_NS {
            return Ok(());
        }
        before = now;
    }
    bail!("`{}` has not come to rest", site.variant.name())
}

/// For figures; exact up to 2^52.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "figures are far below 2^52")]
pub fn as_f64(value: u64) -> f64 {
    value as f64
}
