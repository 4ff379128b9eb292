//! A run from its start to its report.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use fastrand::Rng;
use gatehold_harness::Harness;
use gatehold_harness::wait::until;
use tokio::task::JoinSet;

use crate::disturb::Disturber;
use crate::documents::{ISSUER_FILE, POLICY_FILE, SERVERS, issuer, policy};
use crate::memory::{Series, kept_mb, resident_mb};
use crate::report::Report;
use crate::tally::Tally;
use crate::traffic::{self, DEADLINE, Kind};
use crate::upstream;
use crate::world::{CRM, DESK, World};

/// Between two looks at what is due.
const STEP: Duration = Duration::from_millis(200);
/// Between two lines that say how far it is, and two looks at Envoy's statistics.
const PROGRESS: Duration = Duration::from_secs(10);
/// Between two sign-ins with the OpenID provider.
const SIGN_IN: Duration = Duration::from_secs(240);
/// How long everything may take to come to rest after the load.
const REST: Duration = Duration::from_secs(30);

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long there is load.
    pub length: Duration,
    /// Pieces of traffic per second, on average.
    pub rate: f64,
    /// Names the run: with the same seed the same traffic is sent in the same order.
    pub seed: u64,
    /// Envoy's worker threads.
    pub workers: u32,
}

/// Runs the load and reports; whether all held stands in the report.
///
/// # Errors
/// When something cannot be started, or Envoy or control falls over.
pub async fn soak(options: &Options) -> anyhow::Result<Report> {
    say(&format!("seed {}", options.seed));
    let mut harness = Harness::builder()
        .document("servers.yaml", SERVERS)
        .document(ISSUER_FILE, &issuer(false))
        .document(POLICY_FILE, &policy(false))
        .everything()
        .desk()
        .provider()
        .workers(options.workers)
        .start()
        .await?;
    let tally = Arc::new(Tally::default());
    upstream::install(&harness.recorder, Arc::clone(&tally));
    let world = Arc::new(World::new(&harness, Arc::clone(&tally))?);
    in_force(&harness).await?;

    // What was counted before the documents were in force is no failure.
    let seen = harness.envoy.stats().await?;
    let mut run = Run {
        rng: Rng::with_seed(options.seed),
        begin: Instant::now(),
        envoy: Series::default(),
        in_use: Series::default(),
        control: Series::default(),
        longest: Series::default(),
        life: Series::default(),
        life_of: None,
        seen: seen
            .into_iter()
            .filter(|(name, _)| must_stay_zero(name))
            .collect(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(load(
        Arc::clone(&world),
        Rng::with_seed(run.rng.u64(..)),
        options.rate,
        Arc::clone(&stop),
    ));
    let mut disturber = Disturber::new(Rng::with_seed(run.rng.u64(..)), options.length);
    run.conduct(options, &mut harness, &world, &mut disturber)
        .await?;
    disturber.settle(&mut harness, &tally).await?;
    stop.store(true, Ordering::Relaxed);
    load.await.context("the load panicked")?;
    come_to_rest(&harness, &tally).await?;
    run.look(&mut harness, &tally).await?;
    run.end_life();
    Ok(Report::new(
        options,
        run.begin.elapsed(),
        tally.snapshot(),
        [run.envoy, run.in_use, run.control, run.longest],
        run.seen,
        said(&harness),
    ))
}

/// One run's own state.
struct Run {
    rng: Rng,
    begin: Instant,
    envoy: Series,
    /// What of it its allocator does not keep for later.
    in_use: Series,
    /// All lives of control together.
    control: Series,
    /// The longest of them.
    longest: Series,
    life: Series,
    life_of: Option<u32>,
    /// Envoy's statistics as last seen, those that count failures.
    seen: BTreeMap<String, u64>,
}

impl Run {
    async fn conduct(
        &mut self,
        options: &Options,
        harness: &mut Harness,
        world: &Arc<World>,
        disturber: &mut Disturber,
    ) -> anyhow::Result<()> {
        let tally = Arc::clone(&world.tally);
        // Short runs have enough samples too.
        let sampling = (options.length / 200).clamp(STEP, Duration::from_secs(3));
        let (mut sample, mut progress, mut sign_in) = (self.begin, self.begin, self.begin);
        let mut signing = None;
        while self.begin.elapsed() < options.length {
            tokio::time::sleep(STEP).await;
            disturber.step(harness, &tally).await?;
            // What was received has been looked at; kept, it would fill this process.
            drop(harness.recorder.take());
            let now = Instant::now();
            if now >= sample {
                sample = now + sampling;
                self.sample(harness).await?;
            }
            if now >= sign_in {
                sign_in = now + SIGN_IN;
                signing = Some(sign(harness, world));
            }
            if now >= progress {
                progress = now + PROGRESS;
                self.look(harness, &tally).await?;
                self.tell(options, &tally);
            }
        }
        if let Some(signing) = signing {
            signing.await.context("the sign-in panicked")??;
        }
        Ok(())
    }

    async fn sample(&mut self, harness: &Harness) -> anyhow::Result<()> {
        let at = self.begin.elapsed();
        if let Some(megabytes) = harness.envoy.id().and_then(resident_mb) {
            let memory = harness.envoy.admin("/memory").await?.json();
            self.envoy.add(at, megabytes);
            self.in_use.add(at, megabytes - kept_mb(&memory));
        }
        let control = harness.control.id();
        if control != self.life_of {
            self.end_life();
            self.life_of = control;
        }
        if let Some(megabytes) = control.and_then(resident_mb) {
            self.control.add(at, megabytes);
            self.life.add(at, megabytes);
        }
        Ok(())
    }

    fn end_life(&mut self) {
        let life = std::mem::take(&mut self.life);
        if life.samples().len() > self.longest.samples().len() {
            self.longest = life;
        }
    }

    /// Looks at what Envoy counts, and whether it and control run.
    async fn look(&mut self, harness: &mut Harness, tally: &Tally) -> anyhow::Result<()> {
        harness.envoy.running().await?;
        let stats = harness.envoy.stats().await?;
        for (name, value) in stats {
            let failure = must_stay_zero(&name);
            if failure && value > self.seen.get(&name).copied().unwrap_or_default() {
                tally.violation(format!("Envoy counts {value} of {name}"));
            }
            if failure || is_of_interest(&name) {
                self.seen.insert(name, value);
            }
        }
        Ok(())
    }

    fn tell(&self, options: &Options, tally: &Tally) {
        let (ended, violations) = tally.progress();
        let last = |series: &Series| series.samples().last().map_or(0.0, |(_, value)| *value);
        say(&format!(
            "{:>5.0} of {:.0} s  {ended} ended, {violations} violations, Envoy {:.1} MB, control {:.1} MB",
            self.begin.elapsed().as_secs_f64(),
            options.length.as_secs_f64(),
            last(&self.envoy),
            last(&self.control),
        ));
    }
}

/// Counters that say that the filter failed.
fn must_stay_zero(name: &str) -> bool {
    let worker = name.starts_with("wasm.")
        && (name.contains("vm_reload") || name.contains("failed") || name.contains("crash"));
    let filter = name.contains("gatehold_refusals")
        && (name.ends_with("internal")
            || name.ends_with("not_ready")
            || name.ends_with("audit_full"));
    worker || filter
}

fn is_of_interest(name: &str) -> bool {
    name.starts_with("wasmcustom.gatehold_")
}

/// Sends traffic until it is told to stop, then waits until all of it has ended.
async fn load(world: Arc<World>, mut rng: Rng, rate: f64, stop: Arc<AtomicBool>) {
    let mut work = JoinSet::new();
    let mut due = tokio::time::Instant::now();
    while !stop.load(Ordering::Relaxed) {
        // Exponential pauses, as from many clients that know nothing of each other.
        let pause = -(1.0 - rng.f64()).ln() / rate;
        due += Duration::from_secs_f64(pause.min(1.0));
        tokio::time::sleep_until(due).await;
        let kind = Kind::choose(&mut rng);
        work.spawn(traffic::run(
            Arc::clone(&world),
            kind,
            Rng::with_seed(rng.u64(..)),
        ));
        while let Some(ended) = work.try_join_next() {
            reap(&world, ended);
        }
    }
    while let Some(ended) = work.join_next().await {
        reap(&world, ended);
    }
}

fn reap(world: &World, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        world
            .tally
            .violation(format!("a piece of traffic panicked: {error}"));
    }
}

/// Waits until nothing is under way any more, neither in Envoy nor at the upstream.
async fn come_to_rest(harness: &Harness, tally: &Tally) -> anyhow::Result<()> {
    let rest = until("nothing is under way", REST, async || {
        let stats = harness
            .envoy
            .stats()
            .await
            .map_err(|error| error.to_string())?;
        let active: Vec<String> = stats
            .iter()
            .filter(|(name, value)| {
                **value > 0
                    && (name.ends_with("rq_active") || name.ends_with("exchanges_open"))
                    && !name.contains("admin")
                    && !name.contains("gatehold_control")
            })
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let answers = harness.recorder.open_answers();
        if active.is_empty() && answers == 0 {
            Ok(())
        } else {
            Err(format!("{active:?}, {answers} answers of the upstream"))
        }
    });
    if let Err(error) = rest.await {
        tally.violation(format!("after the load: {error}"));
    }
    Ok(())
}

/// Waits until every worker has every server and the keys of both issuers.
async fn in_force(harness: &Harness) -> anyhow::Result<()> {
    for path in [CRM, DESK, crate::world::EVERYTHING] {
        let path = format!("/.well-known/oauth-protected-resource{path}");
        let call = gatehold_harness::Call::get(&path);
        harness
            .on_all_workers(&call, DEADLINE, |reply| {
                reply.status == 200 && reply.text().contains("127.0.0.1")
            })
            .await?;
    }
    Ok(())
}

/// Signs somebody in with the OpenID provider, in the background: Node.js takes its time.
fn sign(harness: &Harness, world: &Arc<World>) -> tokio::task::JoinHandle<anyhow::Result<()>> {
    let (tools, world) = (harness.tools.clone(), Arc::clone(world));
    let urls = [CRM, DESK].map(|path| (path, harness.url(path)));
    let issuer = harness.provider.as_ref().map(|provider| provider.issuer());
    tokio::spawn(async move {
        let Some(issuer) = issuer else { return Ok(()) };
        for (path, url) in urls {
            let token =
                gatehold_harness::peers::sign_in(&tools, &issuer, "alice", "crm-agent", &url)
                    .await?;
            world.provide(path, token);
        }
        Ok(())
    })
}

/// What control and Envoy said, without the entries of the access log.
fn said(harness: &Harness) -> String {
    let (control, envoy) = (harness.control.log(), harness.envoy.log());
    let lines = envoy.lines().filter(|line| !line.starts_with('{'));
    format!("{control}\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}

/// Writes a line to whoever watches.
pub(crate) fn say(line: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "soak: {line}");
}
