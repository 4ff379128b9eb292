//! How long an Envoy takes until it serves, and what each further worker costs in memory.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use gatehold_harness::ports::Reserved;

use crate::cases::{self, Case, Way};
use crate::load::{Job, Plan};
use crate::machine::{self, Memory};
use crate::policy::{self, Rules};
use crate::site::{Desk, Ground, launch, wait_for_policy};
use crate::stats::Spread;
use crate::variant::Variant;

/// How long a start may take.
const START: Duration = Duration::from_secs(60);
/// Between two questions whether it serves.
const PAUSE: Duration = Duration::from_millis(1);

/// How long a variant takes to start, in milliseconds from the start of the process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start {
    /// Which.
    pub variant: Variant,
    /// Until the listener answers.
    pub listening: Spread,
    /// Until the filter decides by a policy, if it has one.
    pub policy: Option<Spread>,
}

/// Memory of a variant with more and more workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Workers {
    /// Which.
    pub variant: Variant,
    /// Workers and memory.
    pub sizes: Vec<(u32, Memory)>,
}

impl Workers {
    /// What each further worker costs, in MB resident.
    #[must_use]
    pub fn per_worker(&self) -> f64 {
        match (self.sizes.first(), self.sizes.last()) {
            (Some((few, least)), Some((many, most))) if many > few => {
                (most.rss - least.rss) / f64::from(many.saturating_sub(*few))
            }
            _ => 0.0,
        }
    }
}

fn desk_of(desks: &[Desk], variant: Variant) -> Option<&Desk> {
    desks
        .iter()
        .find(|desk| variant.is_ours() && desk.serves(variant, Rules::Few))
}

/// Starts each of `variants` `times` times, in turn.
///
/// # Errors
/// When one does not start.
pub async fn starts(
    ground: &Ground<'_>,
    desks: &[Desk],
    variants: &[Variant],
    times: usize,
) -> anyhow::Result<Vec<Start>> {
    let mut found = vec![(Vec::new(), Vec::new()); variants.len()];
    for time in 0..times {
        for (variant, (listening, policy)) in variants.iter().zip(&mut found) {
            let name = format!("start-{}-{time}", variant.name());
            let (first, served) =
                start_once(ground, desk_of(desks, *variant), *variant, &name).await?;
            listening.push(first);
            policy.extend(served);
        }
    }
    let start = |(variant, (listening, policy)): (&Variant, &(Vec<f64>, Vec<f64>))| {
        let listening = Spread::of(listening)?;
        Some(Start {
            variant: *variant,
            listening,
            policy: Spread::of(policy),
        })
    };
    Ok(variants.iter().zip(&found).filter_map(start).collect())
}

async fn start_once(
    ground: &Ground<'_>,
    desk: Option<&Desk>,
    variant: Variant,
    name: &str,
) -> anyhow::Result<(f64, Option<f64>)> {
    let reserved = Reserved::any()?;
    let port = reserved.port();
    let path = format!("/.well-known/oauth-protected-resource{}", policy::PATH);
    let begin = Instant::now();
    let mut process = launch(ground, desk, variant, port, 1, name)?;
    let mut listening = None;
    while begin.elapsed() < START {
        if let Ok(reply) = ground.load.ask(port, cases::get(&path)) {
            let now = begin.elapsed().as_secs_f64() * 1000.0;
            let first = *listening.get_or_insert(now);
            if !variant.is_ours() || reply.status == 200 {
                process.kill().await?;
                return Ok((first, variant.is_ours().then_some(now)));
            }
        }
        std::thread::sleep(PAUSE);
    }
    bail!(
        "`{}` did not start within {START:?}: {}",
        variant.name(),
        process.tail()
    )
}

/// Starts each of `variants` with one, two and four workers, and puts a little load on it.
///
/// # Errors
/// When one does not start.
pub async fn workers(
    ground: &Ground<'_>,
    desks: &[Desk],
    variants: &[Variant],
    token: &str,
) -> anyhow::Result<Vec<Workers>> {
    let case = Case::of("call-2k").context("no case for the load")?;
    let mut found = Vec::new();
    for variant in variants {
        let mut sizes = Vec::new();
        for workers in [1, 2, 4] {
            let reserved = Reserved::any()?;
            let port = reserved.port();
            let name = format!("workers-{}-{workers}", variant.name());
            let mut process = launch(
                ground,
                desk_of(desks, *variant),
                *variant,
                port,
                workers,
                &name,
            )?;
            wait_for_policy(ground.load, *variant, port, &mut process).await?;
            // The kernel deals connections out among the workers; with so many none stays without.
            ground.load.run(Job {
                port,
                connections: 64,
                requests: vec![
                    case.request(&Way::ENVOY, policy::ALLOWED, token, None)
                        .into(),
                ],
                plan: Plan::Closed {
                    length: Duration::from_millis(400),
                    at_most: usize::MAX,
                },
                expected: None,
            })?;
            sizes.push((
                workers,
                machine::memory(process.id().context("Envoy has ended")?)?,
            ));
            process.kill().await?;
        }
        found.push(Workers {
            variant: *variant,
            sizes,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_workers_are_counted_without_the_first() {
        let workers = |sizes: &[(u32, f64)]| {
            let size = |(count, rss): &(u32, f64)| {
                (
                    *count,
                    Memory {
                        rss: *rss,
                        pss: 1.0,
                    },
                )
            };
            Workers {
                variant: Variant::All,
                sizes: sizes.iter().map(size).collect(),
            }
        };
        assert_eq!(
            workers(&[(1, 50.0), (2, 53.0), (4, 59.0)]).per_worker(),
            3.0
        );
        assert_eq!(workers(&[(1, 50.0)]).per_worker(), 0.0);
    }
}
