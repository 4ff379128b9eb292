//! What is done to the system while it works: control is killed, the policy changes.

use std::time::{Duration, Instant};

use fastrand::Rng;
use gatehold_harness::{Harness, HarnessError};

use crate::documents::{ISSUER_FILE, POLICY_FILE, issuer, policy};
use crate::tally::Tally;

/// What the tally calls a changed issuer.
pub const ISSUER_CHANGES: &str = "changes of an issuer";

/// When the next disturbances come.
#[derive(Debug)]
pub struct Disturber {
    rng: Rng,
    begin: Instant,
    length: Duration,
    /// Between two kills of control.
    pause: Duration,
    kill: Instant,
    start: Option<Instant>,
    push: Instant,
    wide: bool,
    issue: Instant,
    changed: bool,
}

impl Disturber {
    /// For a run of that length.
    #[must_use]
    pub fn new(mut rng: Rng, length: Duration) -> Self {
        let begin = Instant::now();
        // A short run has a kill in it too.
        let pause = Duration::from_secs(30).min(length / 4);
        let kill = begin + pause.mul_f64(1.0 + rng.f64());
        Self {
            push: begin + Duration::from_secs(2),
            issue: begin + Duration::from_secs(5),
            rng,
            begin,
            length,
            pause,
            kill,
            start: None,
            wide: false,
            changed: false,
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// When control cannot be killed or started, or a document cannot be written.
    pub async fn step(&mut self, harness: &mut Harness, tally: &Tally) -> anyhow::Result<()> {
        let now = Instant::now();
        if now >= self.push {
            self.wide = !self.wide;
            harness.documents.write(POLICY_FILE, &policy(self.wide))?;
            tally.disturbed("changes of the policy");
            self.push = now + Duration::from_millis(self.rng.u64(1_000..8_000));
        }
        // Every token has to be verified again then.
        if now >= self.issue {
            self.changed = !self.changed;
            harness
                .documents
                .write(ISSUER_FILE, &issuer(self.changed))?;
            tally.disturbed(ISSUER_CHANGES);
            self.issue = now + Duration::from_secs(self.rng.u64(20..60));
        }
        if let Some(start) = self.start {
            if now >= start {
                restart(harness, tally).await?;
                self.start = None;
                self.kill = Instant::now() + self.pause.mul_f64(1.0 + self.rng.f64());
            }
        } else if now >= self.kill && !self.is_quiet(now) {
            harness.control.kill().await?;
            tally.disturbed("kills of control");
            self.start = Some(now + Duration::from_millis(self.rng.u64(0..3_000)));
        }
        Ok(())
    }

    /// Brings control back if it is away.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn settle(&mut self, harness: &mut Harness, tally: &Tally) -> anyhow::Result<()> {
        if self.start.take().is_some() {
            restart(harness, tally).await?;
        }
        Ok(())
    }

    /// In the middle of a run control is left alone for a fifth of it, so that one of its lives is long enough to
    /// show a leak.
    fn is_quiet(&self, now: Instant) -> bool {
        let share = now.duration_since(self.begin).as_secs_f64() / self.length.as_secs_f64();
        (0.4..0.6).contains(&share)
    }
}

/// Starts control on the ports that it had. While it is away, a connection of anybody may get one of them as its own
/// end; such a connection lasts for seconds.
async fn restart(harness: &mut Harness, tally: &Tally) -> anyhow::Result<()> {
    let mut tries = 20;
    loop {
        tries -= 1;
        match harness.control.restart().await {
            Err(HarnessError::Exited { log, .. }) if tries > 0 && in_use(&log) => {
                tally.disturbed("starts of control that found a port taken");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            ended => return Ok(ended?),
        }
    }
}

fn in_use(log: &str) -> bool {
    let last = log.lines().last().unwrap_or_default();
    last.to_lowercase().contains("in use")
}
