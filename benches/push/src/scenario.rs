//! One policy, pushed to all Envoys: first all at once, then change by change, then after a restart.

use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, bail};

use crate::contents::Id;
use crate::control::Control;
use crate::documents::Documents;
use crate::fleet::{Counters, Fleet, Wire};
use crate::parts::Parts;
use crate::stages::second_of_day;
use crate::stats::Times;
use crate::system::{Memory, cpu_seconds, memory};

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Simulated Envoys.
    pub(crate) envoys: usize,
    /// Streams of each.
    pub(crate) per_envoy: usize,
    /// Servers of the policy.
    pub(crate) servers: usize,
    /// Rules of the policy.
    pub(crate) rules: usize,
    /// Changes.
    pub(crate) changes: usize,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// What was measured.
    pub(crate) plan: Plan,
    /// All Envoys at once, with nothing in their hands.
    pub(crate) herd: Herd,
    /// Change by change.
    pub(crate) changes: Changes,
    /// All Envoys at once after a restart of control, during which a rule was changed.
    pub(crate) restart: Herd,
    /// Control without streams, MB.
    pub(crate) memory_empty: Memory,
    /// Control when all had their first snapshot.
    pub(crate) memory_herd: Memory,
    /// Control when all changes were acknowledged.
    pub(crate) memory_changes: Memory,
    /// Control when all had come back after the restart.
    pub(crate) memory_restart: Memory,
}

/// Many connections at once.
#[derive(Clone, Debug)]
pub(crate) struct Herd {
    /// From the beginning until all streams of an Envoy had acknowledged.
    pub(crate) acked: Times,
    /// Bytes.
    pub(crate) wire: Wire,
    /// CPU of control.
    pub(crate) control_cpu: f64,
    /// CPU of the simulated Envoys.
    pub(crate) bench_cpu: f64,
    /// Connections that failed and were tried again.
    pub(crate) retries: usize,
}

/// Changes of one rule each.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    /// From the changed file until all streams of an Envoy had acknowledged, over Envoys and changes.
    pub(crate) acked: Times,
    /// From the changed file until the last Envoy had acknowledged, over changes.
    pub(crate) last: Times,
    /// From the changed file until control had counted all acknowledgements, over changes.
    pub(crate) counted: Times,
    /// Where the time goes.
    pub(crate) parts: Parts,
    /// Bytes of the change with the most.
    pub(crate) wire: Wire,
    /// CPU seconds of control for one change.
    pub(crate) control_cpu: f64,
    /// CPU seconds of the simulated Envoys for one change.
    pub(crate) bench_cpu: f64,
}

/// Measures one policy.
pub(crate) async fn measure(
    program: &Path,
    plan: Plan,
    say: impl Fn(&str),
) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("documents");
    let mut documents = Documents::write(&path, plan.servers, plan.rules)?;
    let mut control = Control::start(program, folder.path()).await?;
    let memory_empty = memory(control.id());
    let mut fleet = Fleet::new(control.grpc(), plan.envoys, plan.per_envoy);

    say("all Envoys connect at once");
    let cpu = Cpu::of(Some(&control));
    let begin = fleet.shared.now();
    let before = fleet.counters();
    fleet.expect();
    // A connection that control has no place for is tried again, as Envoy does, and counted.
    fleet.may_end(true);
    fleet.connect();
    fleet
        .acknowledged()
        .await
        .context("at the first snapshot")?;
    let resources = plan.servers as u64;
    let streams = fleet.streams.len() as u64;
    control.has_counted(resources * streams).await?;
    let herd = gather(&fleet, begin, cpu.since(&control), &before)?;
    fleet.may_end(false);
    let mut held = fleet.held()?;
    let memory_herd = memory(control.id());

    say("one rule after the other changes");
    let changes = changes(&fleet, &control, &mut documents, &mut held, plan).await?;
    let memory_changes = memory(control.id());

    say("control restarts while a rule changes");
    fleet.may_end(true);
    control.kill().await?;
    let change = documents.change(plan.changes + 1);
    documents.put(&change.file, &change.text)?;
    let cpu = Cpu::of(None);
    let (begin, before) = (fleet.shared.now(), fleet.counters());
    fleet.expect();
    control.restart().await?;
    fleet.acknowledged().await.context("after the restart")?;
    control.has_counted(streams).await?;
    let restart = gather(&fleet, begin, cpu.since(&control), &before)?;
    fleet
        .held_after(&held, &change)
        .context("after the restart")?;
    Ok(Measured {
        plan,
        herd,
        changes,
        restart,
        memory_empty,
        memory_herd,
        memory_changes,
        memory_restart: memory(control.id()),
    })
}

fn gather(fleet: &Fleet, begin: u64, cpu: Cpu, before: &Counters) -> anyhow::Result<Herd> {
    let mut acked = Times::new()?;
    for time in fleet.envoys_acked() {
        acked.add(time.saturating_sub(begin));
    }
    Ok(Herd {
        acked,
        wire: fleet.wire(before),
        control_cpu: cpu.control,
        bench_cpu: cpu.bench,
        retries: fleet.shared.retries.swap(0, Ordering::Relaxed),
    })
}

async fn changes(
    fleet: &Fleet,
    control: &Control,
    documents: &mut Documents,
    held: &mut Vec<Option<Id>>,
    plan: Plan,
) -> anyhow::Result<Changes> {
    let (mut acked, mut last, mut counted) = (Times::new()?, Times::new()?, Times::new()?);
    let (mut parts, mut wire) = (Parts::default(), Wire::default());
    let mut cpu = Cpu::default();
    let streams = fleet.streams.len() as u64;
    let mut total = control.acknowledged().await?;
    for number in 1..=plan.changes {
        let change = documents.change(number);
        let (before, used) = (fleet.counters(), Cpu::of(Some(control)));
        fleet.expect();
        let (begin, second) = (fleet.shared.now(), second_of_day());
        documents.put(&change.file, &change.text)?;
        fleet
            .acknowledged()
            .await
            .with_context(|| format!("at change {number}"))?;
        total += streams;
        control.has_counted(total).await?;
        counted.add(fleet.shared.now().saturating_sub(begin));
        let used = used.since(control);
        cpu = Cpu {
            control: cpu.control + used.control,
            bench: cpu.bench + used.bench,
        };
        let times = fleet.envoys_acked().into_iter();
        let times: Vec<u64> = times.map(|time| time.saturating_sub(begin)).collect();
        let all = times.iter().copied().max().unwrap_or_default();
        last.add(all);
        times.into_iter().for_each(|time| acked.add(time));
        let (first_begun, last_begun) = fleet.begun();
        let begun = [first_begun, last_begun].map(|time| time.saturating_sub(begin));
        parts.add(control.in_force().1, second, begun, all);
        let went = fleet.wire(&before);
        if went.messages_most != 1 || went.messages_least != 1 {
            bail!(
                "one rule was changed, but {} messages came",
                went.messages_most
            );
        }
        if went.received_most > wire.received_most {
            wire = went;
        }
        *held = fleet
            .held_after(held, &change)
            .with_context(|| format!("at change {number}"))?;
    }
    #[expect(clippy::cast_precision_loss, reason = "few changes")]
    let each = |seconds: f64| seconds / plan.changes.max(1) as f64;
    Ok(Changes {
        acked,
        last,
        counted,
        parts,
        wire,
        control_cpu: each(cpu.control),
        bench_cpu: each(cpu.bench),
    })
}

/// CPU seconds of both processes.
#[derive(Clone, Copy, Debug, Default)]
struct Cpu {
    control: f64,
    bench: f64,
}

impl Cpu {
    /// Used so far; a control that is not started yet has used none.
    fn of(control: Option<&Control>) -> Self {
        Self {
            control: control.map_or(0.0, |control| cpu_seconds(control.id())),
            bench: cpu_seconds(std::process::id()),
        }
    }

    fn since(self, control: &Control) -> Self {
        let now = Self::of(Some(control));
        Self {
            control: now.control - self.control,
            bench: now.bench - self.bench,
        }
    }
}
