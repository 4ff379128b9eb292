//! A run from its start to its report.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use fastrand::Rng;
use gatehold_harness::wait::until;
use gatehold_harness::{Call, Harness};
use serde_json::{Value, json};

use crate::disturb::Disturber;
use crate::documents::{ISSUER_FILE, POLICY_FILE, SERVERS, issuer, policy};
use crate::reload::RELOADS;
use crate::report::{Found, Report};
use crate::samples::Samples;
use crate::stage::{Role, Stage};
use crate::tally::{Counts, Tally};
use crate::traffic::DEADLINE;
use crate::world::{CRM, DESK, EVERYTHING, Settings};

/// Between two looks at what is due.
const STEP: Duration = Duration::from_millis(200);
/// Between two lines that say how far it is, and two looks at Envoy's statistics.
const PROGRESS: Duration = Duration::from_secs(10);
/// Between two sign-ins with the OpenID provider.
const SIGN_IN: Duration = Duration::from_secs(240);
/// How long everything may take to come to rest after the load.
const REST: Duration = Duration::from_secs(30);
/// Into how many slices a run is cut for latencies over time.
const SLICES: f64 = 120.0;

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

/// Where to run it, and what else is done to it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where everything is.
    pub stage: Stage,
    /// That in words.
    pub place: String,
    /// Whether workers lose their VM now and then, for which the filter has to be built with its trap door.
    pub reloads: bool,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            stage: Stage::Here,
            place: "processes".to_owned(),
            reloads: false,
        }
    }
}

/// Runs the load with load generator and upstream in this process, as [`run`] does.
///
/// # Errors
/// As [`run`].
pub async fn soak(options: &Options) -> anyhow::Result<Report> {
    run(options, &Scenario::default()).await
}

/// Runs the load and reports; whether all held stands in the report.
///
/// # Errors
/// When something cannot be started, or a part of it falls over.
pub async fn run(options: &Options, scenario: &Scenario) -> anyhow::Result<Report> {
    say(&format!("seed {}, in {}", options.seed, scenario.place));
    let folder = tempfile::TempDir::with_prefix("gatehold-roles-").context("create a folder")?;
    let (upstream, port) = scenario.stage.upstream(folder.path()).await?;
    let mut builder = Harness::builder()
        .upstream(gatehold_harness::Upstream::At(port))
        .document("servers.yaml", SERVERS)
        .document(ISSUER_FILE, &issuer(false))
        .document(POLICY_FILE, &policy(false))
        .everything()
        .desk()
        .provider()
        .workers(options.workers);
    if let Some(place) = scenario.stage.place() {
        builder = builder.place(place);
    }
    let mut harness = builder.start().await?;
    in_force(&harness).await?;
    let slice = (options.length.as_secs_f64() / SLICES).max(1.0);
    let mut rng = Rng::with_seed(options.seed);
    let settings = Settings {
        port: harness.port(),
        rate: options.rate,
        seed: rng.u64(..),
        workers: options.workers,
        corpus: harness.tools.root.join("tests/corpus/requests"),
        keys: harness.keys.export().clone(),
        slice,
    };
    let traffic = scenario.stage.traffic(folder.path(), &settings).await?;

    // What was counted before the documents were in force is no failure.
    let seen = harness.envoy.stats().await?;
    let must_stay_zero = |name: &str| is_failure(name) && !(scenario.reloads && is_reload(name));
    let mut run = Run {
        begin: Instant::now(),
        tally: Tally::default(),
        traffic,
        upstream,
        samples: Samples::default(),
        seen: seen
            .into_iter()
            .filter(|(name, _)| is_failure(name))
            .collect(),
        must_stay_zero: &must_stay_zero,
    };
    let mut disturber = Disturber::new(rng, options.length, scenario.reloads);
    run.conduct(options, &mut harness, &mut disturber).await?;
    let done = disturber.settle(&mut harness, &run.tally).await?;
    run.come_to_rest(&harness).await?;
    run.look(&mut harness).await?;
    let took = run.begin.elapsed();
    let counts = run.counts(&harness).await?;
    Ok(Report::new(
        options,
        scenario,
        Found {
            took,
            slice,
            counts,
            done,
            memory: run.samples.end(),
            stats: run.seen,
            log: said(&harness),
        },
    ))
}

/// One run's own state.
struct Run<'a> {
    begin: Instant,
    /// What the conductor itself counts.
    tally: Tally,
    traffic: Role,
    upstream: Role,
    samples: Samples,
    /// Envoy's statistics as last seen, those that count failures.
    seen: BTreeMap<String, u64>,
    must_stay_zero: &'a dyn Fn(&str) -> bool,
}

impl Run<'_> {
    async fn conduct(
        &mut self,
        options: &Options,
        harness: &mut Harness,
        disturber: &mut Disturber,
    ) -> anyhow::Result<()> {
        // Short runs have enough samples too.
        let sampling = (options.length / 200).clamp(STEP, Duration::from_secs(3));
        let (mut sample, mut progress, mut sign_in) = (self.begin, self.begin, self.begin);
        let mut signing = tokio::task::JoinSet::new();
        self.traffic.tell("/start", &Value::Null).await?;
        while self.begin.elapsed() < options.length {
            tokio::time::sleep(STEP).await;
            disturber
                .step(harness, &mut self.traffic, &self.tally)
                .await?;
            let now = Instant::now();
            if now >= sample {
                sample = now + sampling;
                let (traffic, upstream) = (self.traffic.id(), self.upstream.id());
                let at = self.begin.elapsed();
                self.samples.take(at, harness, traffic, upstream).await?;
            }
            if now >= sign_in {
                sign_in = now + SIGN_IN;
                sign(harness, &mut signing);
            }
            if let Some(signed) = signing.try_join_next() {
                for token in signed?? {
                    self.traffic.tell("/token", &token).await?;
                }
            }
            if now >= progress {
                progress = now + PROGRESS;
                self.look(harness).await?;
                self.tell(options).await?;
            }
        }
        while let Some(signed) = signing.join_next().await {
            signed??;
        }
        Ok(())
    }

    /// Looks at what Envoy counts, and whether it and control run.
    async fn look(&mut self, harness: &mut Harness) -> anyhow::Result<()> {
        harness.envoy.running().await?;
        let stats = harness.envoy.stats().await?;
        for (name, value) in stats {
            let before = self.seen.get(&name).copied().unwrap_or_default();
            if (self.must_stay_zero)(&name) && value > before {
                self.tally
                    .violation(format!("Envoy counts {value} of {name}"));
            }
            if is_failure(&name) || is_of_interest(&name) {
                self.seen.insert(name, value);
            }
        }
        Ok(())
    }

    async fn tell(&mut self, options: &Options) -> anyhow::Result<()> {
        let progress = self.traffic.ask("/progress").await?;
        let number = |name: &str| progress.get(name).and_then(Value::as_u64).unwrap_or(0);
        let violations = number("violations").saturating_add(self.tally.progress().1);
        let [envoy, control] = self.samples.last();
        say(&format!(
            "{:>5.0} of {:.0} s  {} ended, {violations} violations, Envoy {envoy:.1} MB, control {control:.1} MB",
            self.begin.elapsed().as_secs_f64(),
            options.length.as_secs_f64(),
            number("ended"),
        ));
        Ok(())
    }

    /// Ends the load, and waits until nothing is under way any more, neither in Envoy nor at the upstream.
    async fn come_to_rest(&mut self, harness: &Harness) -> anyhow::Result<()> {
        self.traffic.tell("/stop", &Value::Null).await?;
        let (traffic, upstream) = (&mut self.traffic, &mut self.upstream);
        let ended = until("all traffic has ended", DEADLINE + REST, async || {
            let said = traffic.ask("/progress").await;
            let said = said.map_err(|error| error.to_string())?;
            let done = said.get("done") == Some(&json!(true));
            done.then_some(()).ok_or_else(|| said.to_string())
        });
        ended.await?;
        let rest = until("nothing is under way", REST, async || {
            let stats = harness.envoy.stats().await;
            let stats = stats.map_err(|error| error.to_string())?;
            let active: Vec<String> = stats
                .iter()
                .filter(|(name, value)| **value > 0 && is_active(name))
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            let said = upstream.ask("/counts").await;
            let said = said.map_err(|error| error.to_string())?;
            let open = said.get("open").and_then(Value::as_u64).unwrap_or_default();
            if active.is_empty() && open == 0 {
                Ok(())
            } else {
                Err(format!("{active:?}, {open} answers of the upstream"))
            }
        });
        if let Err(error) = rest.await {
            self.tally.violation(format!("after the load: {error}"));
        }
        Ok(())
    }

    /// What all parts have counted.
    async fn counts(&mut self, harness: &Harness) -> anyhow::Result<Counts> {
        let mut counts = self.tally.snapshot();
        counts.merge(serde_json::from_value(self.traffic.ask("/counts").await?)?);
        let mut said = self.upstream.ask("/counts").await?;
        let said = said.get_mut("counts").map(Value::take).unwrap_or_default();
        counts.merge(serde_json::from_value(said)?);
        let meant = counts.disturbances.get(RELOADS).copied().unwrap_or(0);
        let stats = harness.envoy.stats().await?;
        let reloads: u64 = stats
            .iter()
            .filter(|(name, _)| name.starts_with("wasm.") && name.ends_with("vm_reload_success"))
            .map(|(_, count)| count)
            .sum();
        if reloads > meant {
            let more = reloads.saturating_sub(meant);
            counts.violations = counts.violations.saturating_add(1);
            counts
                .said
                .push(format!("{more} VMs failed that were not ended on purpose"));
        }
        Ok(counts)
    }
}

/// Counters that say that the filter failed.
fn is_failure(name: &str) -> bool {
    let worker = name.starts_with("wasm.")
        && (name.contains("vm_reload") || name.contains("failed") || name.contains("crash"));
    let filter = name.contains("gatehold_refusals")
        && (name.ends_with("internal")
            || name.ends_with("not_ready")
            || name.ends_with("audit_full"));
    worker || filter
}

/// Those among them that count reloads which succeeded, and requests that came meanwhile.
fn is_reload(name: &str) -> bool {
    name.ends_with("vm_reload_success") || name.ends_with("vm_reload_backoff")
}

fn is_of_interest(name: &str) -> bool {
    name.starts_with("wasmcustom.gatehold_")
}

/// Gauges of what is under way in Envoy, but for its admin interface and its streams to control, whatever the name of
/// control's cluster.
fn is_active(name: &str) -> bool {
    name.ends_with("rq_active") && !name.contains("admin") && !name.contains("gatehold")
}

/// Waits until every worker has every server and the keys of both issuers.
async fn in_force(harness: &Harness) -> anyhow::Result<()> {
    for path in [CRM, DESK, EVERYTHING] {
        let path = format!("/.well-known/oauth-protected-resource{path}");
        let call = Call::get(&path);
        harness
            .on_all_workers(&call, DEADLINE, |reply| {
                reply.status == 200 && reply.text().contains("127.0.0.1")
            })
            .await?;
    }
    Ok(())
}

/// Signs somebody in with the OpenID provider, in the background: Node.js takes its time.
fn sign(harness: &Harness, signing: &mut tokio::task::JoinSet<anyhow::Result<Vec<Value>>>) {
    let tools = harness.tools.clone();
    let urls = [CRM, DESK].map(|path| (path, harness.url(path)));
    let issuer = harness.provider.as_ref().map(|provider| provider.issuer());
    signing.spawn(async move {
        let mut tokens = Vec::new();
        let Some(issuer) = issuer else {
            return Ok(tokens);
        };
        for (path, url) in urls {
            let token =
                gatehold_harness::peers::sign_in(&tools, &issuer, "alice", "crm-agent", &url)
                    .await?;
            tokens.push(json!({ "path": path, "token": token }));
        }
        Ok(tokens)
    });
}

/// What control and Envoy said, without the entries of the access log.
fn said(harness: &Harness) -> String {
    let (control, envoy) = (harness.control.log(), harness.envoy.log());
    let lines = envoy.lines().filter(|line| !line.starts_with('{'));
    format!("{control}\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}

/// Writes a line to whoever watches.
fn say(line: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{line}");
}
