//! The load generator: sends the mix in an open loop, and is told over HTTP what to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use gatehold_harness::{Answer, Received, Recorder};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Kind;
use crate::reload;
use crate::world::{Settings, World};

/// A load generator in this process. Dropping it leaves what is under way to itself.
#[derive(Debug)]
pub struct Traffic {
    surface: Recorder,
}

/// What it is told.
#[derive(Debug, Default)]
struct Orders {
    started: AtomicBool,
    stop: AtomicBool,
    done: AtomicBool,
}

impl Traffic {
    /// Waits for orders on a port of its own: `GET /progress` and `/counts`; `POST /start`, `/stop`, `/reload` (409
    /// while one goes on), `/issuer` (what tokens are verified by changes now) and `/token` (`{path, token}`).
    ///
    /// # Errors
    /// When it cannot listen, or the settings are none.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let world = Arc::new(World::new(&settings)?);
        let orders = Arc::new(Orders::default());
        let surface = Recorder::start().await?;
        surface.answer(move |request| obey(request, &settings, &world, &orders));
        Ok(Self { surface })
    }

    /// Where it takes its orders.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.surface.port()
    }
}

fn obey(
    request: &Received,
    settings: &Settings,
    world: &Arc<World>,
    orders: &Arc<Orders>,
) -> Answer {
    match (request.verb.as_str(), request.path.as_str()) {
        ("GET", "/progress") => {
            let (ended, violations) = world.tally.progress();
            let done = orders.done.load(Ordering::Relaxed);
            return Answer::json(
                &json!({ "ended": ended, "violations": violations, "done": done }),
            );
        }
        ("GET", "/counts") => return Answer::json(&json!(world.tally.snapshot())),
        ("POST", "/start") => {
            if !orders.started.swap(true, Ordering::Relaxed) {
                tokio::spawn(load(
                    settings.clone(),
                    Arc::clone(world),
                    Arc::clone(orders),
                ));
            }
        }
        ("POST", "/stop") => orders.stop.store(true, Ordering::Relaxed),
        ("POST", "/reload") => {
            if !reload::start(world) {
                return Answer::status(409);
            }
        }
        ("POST", "/issuer") => world.issuer_changed.store(true, Ordering::Relaxed),
        ("POST", "/token") => {
            let said = request.json();
            let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
            world.provide(text("path"), text("token").to_owned());
        }
        _ => return Answer::status(404),
    }
    Answer::json(&json!({}))
}

/// Sends traffic until it is told to stop, then waits until all of it has ended.
async fn load(settings: Settings, world: Arc<World>, orders: Arc<Orders>) {
    let mut rng = Rng::with_seed(settings.seed);
    let mut work = JoinSet::new();
    let begin = tokio::time::Instant::now();
    let mut due = begin;
    while !orders.stop.load(Ordering::Relaxed) {
        // Exponential pauses, as from many clients that know nothing of each other.
        let pause = -(1.0 - rng.f64()).ln() / settings.rate;
        due += Duration::from_secs_f64(pause.min(1.0));
        tokio::time::sleep_until(due).await;
        let kind = Kind::choose(&mut rng);
        let slice = slice(due.saturating_duration_since(begin), settings.slice);
        work.spawn(super::run(
            Arc::clone(&world),
            kind,
            Rng::with_seed(rng.u64(..)),
            due.into_std(),
            slice,
        ));
        while let Some(ended) = work.try_join_next() {
            reap(&world, ended);
        }
    }
    while let Some(ended) = work.join_next().await {
        reap(&world, ended);
    }
    orders.done.store(true, Ordering::Relaxed);
}

fn reap(world: &World, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        world
            .tally
            .violation(format!("a piece of traffic panicked: {error}"));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a run has few slices"
)]
fn slice(at: Duration, length: f64) -> u32 {
    (at.as_secs_f64() / length) as u32
}
