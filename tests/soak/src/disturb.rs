//! What is done to the system while it works: control is killed, the policy changes, workers lose their VM.

use std::time::{Duration, Instant};

use fastrand::Rng;
use gatehold_harness::{Harness, HarnessError};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::documents::{ISSUER_FILE, POLICY_FILE, issuer, policy};
use crate::push::{Followed, Pushes, follow};
use crate::stage::Role;
use crate::tally::Tally;
use crate::world::CRM;

/// What the tally calls a changed issuer.
pub const ISSUER_CHANGES: &str = "changes of an issuer";

/// Something to be seen in a picture of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Control was killed.
    Kill,
    /// The VM of a worker was ended.
    Reload,
}

/// What was done, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// What can be seen, with seconds since the start.
    pub marks: Vec<(f64, Mark)>,
    /// Changes of the policy while control ran.
    pub pushes: Pushes,
    /// Those that met a control that was away.
    pub pushes_away: Pushes,
}

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
    kills: u32,
    push: Instant,
    wide: bool,
    following: Option<Following>,
    issue: Instant,
    changed: bool,
    /// None when workers keep their VMs.
    reload: Option<Instant>,
    done: Done,
}

/// A change whose effect is waited for.
#[derive(Debug)]
struct Following {
    task: JoinHandle<anyhow::Result<Followed>>,
    away: bool,
    kills: u32,
}

impl Disturber {
    /// For a run of that length.
    #[must_use]
    pub fn new(mut rng: Rng, length: Duration, reloads: bool) -> Self {
        let begin = Instant::now();
        // A short run has a kill in it too.
        let pause = Duration::from_secs(30).min(length / 4);
        let kill = begin + pause.mul_f64(1.0 + rng.f64());
        Self {
            push: begin + Duration::from_secs(2),
            issue: begin + Duration::from_secs(5),
            reload: reloads.then(|| begin + pause / 2),
            rng,
            begin,
            length,
            pause,
            kill,
            start: None,
            kills: 0,
            wide: false,
            following: None,
            changed: false,
            done: Done::default(),
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// When control cannot be killed or started, a document cannot be written, or the load generator has gone.
    pub async fn step(
        &mut self,
        harness: &mut Harness,
        traffic: &mut Role,
        tally: &Tally,
    ) -> anyhow::Result<()> {
        let now = Instant::now();
        self.collect(tally).await?;
        if now >= self.push && self.following.is_none() {
            self.change(harness, tally)?;
            self.push = now + Duration::from_millis(self.rng.u64(1_000..8_000));
        }
        // Every token has to be verified again then.
        if now >= self.issue {
            self.changed = !self.changed;
            traffic.tell("/issuer", &Value::Null).await?;
            harness
                .documents
                .write(ISSUER_FILE, &issuer(self.changed))?;
            tally.disturbed(ISSUER_CHANGES);
            self.issue = now + Duration::from_secs(self.rng.u64(20..60));
        }
        if self.reload.is_some_and(|due| now >= due) {
            if traffic.tell("/reload", &json!({})).await? {
                self.mark(now, Mark::Reload);
            }
            self.reload = Some(now + (self.pause / 2).mul_f64(1.0 + self.rng.f64()));
        }
        if let Some(start) = self.start {
            if now >= start {
                restart(harness, tally).await?;
                self.start = None;
                self.kill = Instant::now() + self.pause.mul_f64(1.0 + self.rng.f64());
            }
        } else if now >= self.kill && !self.is_quiet(now) {
            harness.control.kill().await?;
            self.kills = self.kills.saturating_add(1);
            self.mark(now, Mark::Kill);
            tally.disturbed("kills of control");
            self.start = Some(now + Duration::from_millis(self.rng.u64(0..3_000)));
        }
        Ok(())
    }

    /// Brings control back if it is away, waits for the last change, and says what was done.
    ///
    /// # Errors
    /// When control cannot be started.
    pub async fn settle(mut self, harness: &mut Harness, tally: &Tally) -> anyhow::Result<Done> {
        if self.start.take().is_some() {
            restart(harness, tally).await?;
        }
        if let Some(following) = self.following.take() {
            self.count(following, tally).await?;
        }
        Ok(self.done)
    }

    /// Writes the policy's other state.
    fn change(&mut self, harness: &Harness, tally: &Tally) -> anyhow::Result<()> {
        self.wide = !self.wide;
        let (wide, since) = (self.wide, Instant::now());
        harness.documents.write(POLICY_FILE, &policy(wide))?;
        tally.disturbed("changes of the policy");
        let (port, workers) = (harness.port(), harness.envoy.workers());
        let token = harness.token("prober", &["support"], CRM)?;
        self.following = Some(Following {
            task: tokio::spawn(async move { follow(port, workers, &token, wide, since).await }),
            away: self.start.is_some(),
            kills: self.kills,
        });
        Ok(())
    }

    async fn collect(&mut self, tally: &Tally) -> anyhow::Result<()> {
        let ended = self
            .following
            .take_if(|following| following.task.is_finished());
        match ended {
            Some(following) => self.count(following, tally).await,
            None => Ok(()),
        }
    }

    async fn count(&mut self, following: Following, tally: &Tally) -> anyhow::Result<()> {
        match following.task.await? {
            Ok(followed) if following.away || following.kills != self.kills => {
                self.done.pushes_away.add(followed);
            }
            Ok(followed) => self.done.pushes.add(followed),
            Err(error) => tally.violation(format!("{error:#}")),
        }
        Ok(())
    }

    fn mark(&mut self, now: Instant, mark: Mark) {
        let at = now.duration_since(self.begin).as_secs_f64();
        self.done.marks.push((at, mark));
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
