//! What was measured, as tables and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::layouts::Layout;
use crate::scenario::{Herd, Measured};

/// The goal: Envoys have acknowledged within this many milliseconds, at p99.
const GOAL_MS: f64 = 1000.0;

/// All figures of one run.
#[derive(Clone, Debug)]
pub struct Report {
    pub(crate) machine: Machine,
    pub(crate) measured: Vec<Measured>,
    pub(crate) layouts: Vec<Layout>,
}

/// Where it was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// CPUs that control and the simulated Envoys share.
    pub(crate) cpus: usize,
    /// Streams that the limit of open files allows.
    pub(crate) most_streams: usize,
    /// Envoys that were asked for.
    pub(crate) wanted_envoys: usize,
}

impl Report {
    /// The whole as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let Machine {
            cpus,
            most_streams,
            wanted_envoys,
        } = self.machine;
        json!({
            "machine": { "cpus": cpus, "most_streams": most_streams, "wanted_envoys": wanted_envoys },
            "goal_p99_ms": GOAL_MS,
            "policies": self.measured.iter().map(policy_json).collect::<Vec<_>>(),
            "one_changed_rule": self.layouts.iter().map(layout_json).collect::<Vec<_>>(),
        })
    }

    /// The tables, and what they say.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from(HEAD);
        // Writing to a String cannot fail, here and below.
        for measured in &self.measured {
            let _ = writeln!(text, "{}", row(measured));
        }
        text.push('\n');
        for measured in &self.measured {
            text.push_str(&details(measured));
        }
        text.push_str("\n| rules | servers | bytes per stream, one changed rule | whole policy | changed file to ACK, ms (p50 / p99 / max) |\n|--:|--:|--:|--:|--:|\n");
        for layout in &self.layouts {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                layout.rules,
                layout.servers,
                layout.changed_bytes,
                layout.whole_bytes,
                layout.acked.text()
            );
        }
        text.push_str(&self.verdict());
        text
    }

    fn verdict(&self) -> String {
        let mut text = String::from(
            "\nEvery stream held the same after every change, and what it held had the digest that its version is.\n",
        );
        let Machine {
            cpus,
            most_streams,
            wanted_envoys,
        } = self.machine;
        let _ = writeln!(
            text,
            "Control and the simulated Envoys share {cpus} CPUs, so the time also holds what the Envoys need."
        );
        for Measured { plan, changes, .. } in &self.measured {
            let p99 = changes.acked.quantile(0.99);
            let met = if p99 <= GOAL_MS { "met" } else { "missed" };
            let _ = writeln!(
                text,
                "Goal of {GOAL_MS:.0} ms (p99) with {} Envoys and {} rules: {met}, {p99:.0} ms.",
                plan.envoys, plan.rules
            );
            if plan.envoys < wanted_envoys {
                let _ = writeln!(
                    text,
                    "{wanted_envoys} Envoys were asked for; the limit of open files allows {most_streams} streams, and so {} Envoys.",
                    plan.envoys
                );
            }
        }
        text
    }
}

const HEAD: &str = "
| rules | Envoys | streams | changed file to ACK, ms (p50 / p99 / max) | to the last ACK | first snapshot for all at once, ms | after a restart, ms | KB per stream | control's CPU per change, s |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

fn row(measured: &Measured) -> String {
    let plan = measured.plan;
    let changes = &measured.changes;
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {:.0} | {:.2} |",
        plan.rules,
        plan.envoys,
        streams(measured),
        changes.acked.text(),
        changes.last.text(),
        measured.herd.acked.text(),
        measured.restart.acked.text(),
        kilobytes_per_stream(measured),
        changes.control_cpu,
    )
}

fn details(measured: &Measured) -> String {
    let Measured {
        plan,
        herd,
        changes,
        restart,
        memory_empty,
        memory_herd,
        memory_changes,
        memory_restart,
    } = measured;
    let mut text = format!("{} rules, {} Envoys:\n", plan.rules, plan.envoys);
    let _ = writeln!(text, "- of a change, mean ms: {}", changes.parts.text());
    let _ = writeln!(
        text,
        "- until control had counted the last ACK, ms: {}",
        changes.counted.text()
    );
    let _ = writeln!(
        text,
        "- a change on the wire: one message of {} bytes per stream, at most {} bytes received; over all streams {} received, {} sent",
        changes.wire.message_bytes,
        changes.wire.received_most,
        changes.wire.received,
        changes.wire.sent
    );
    let _ = writeln!(
        text,
        "- CPU of a change, s: control {:.2}, simulated Envoys {:.2}",
        changes.control_cpu, changes.bench_cpu
    );
    for (name, herd) in [("first snapshot", herd), ("restart", restart)] {
        let _ = writeln!(text, "- {name}: {}", herd_text(herd));
    }
    let _ = writeln!(
        text,
        "- memory of control, MB: {:.0} without streams, {:.0} with the first snapshot everywhere (peak {:.0}), {:.0} after the changes (peak {:.0}), {:.0} after the restart (peak {:.0})",
        memory_empty.resident,
        memory_herd.resident,
        memory_herd.peak,
        memory_changes.resident,
        memory_changes.peak,
        memory_restart.resident,
        memory_restart.peak
    );
    text
}

fn herd_text(herd: &Herd) -> String {
    format!(
        "{:.1} MB received, {:.1} MB sent, CPU {:.1} s of control and {:.1} s of the Envoys, {} connections tried again",
        megabytes(herd.wire.received),
        megabytes(herd.wire.sent),
        herd.control_cpu,
        herd.bench_cpu,
        herd.retries
    )
}

fn streams(measured: &Measured) -> usize {
    measured.plan.envoys * measured.plan.per_envoy
}

/// What a stream adds to control's memory, once changes have been acknowledged.
fn kilobytes_per_stream(measured: &Measured) -> f64 {
    let more = measured.memory_changes.resident - measured.memory_empty.resident;
    #[expect(clippy::cast_precision_loss, reason = "few streams")]
    let streams = streams(measured).max(1) as f64;
    more * 1024.0 / streams
}

fn megabytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
    let bytes = bytes as f64;
    bytes / 1_048_576.0
}

fn policy_json(measured: &Measured) -> Value {
    let Measured {
        plan,
        herd,
        changes,
        restart,
        memory_empty,
        memory_herd,
        memory_changes,
        memory_restart,
    } = measured;
    json!({
        "rules": plan.rules,
        "servers": plan.servers,
        "envoys": plan.envoys,
        "streams": streams(measured),
        "change": {
            "changes": plan.changes,
            "acked": changes.acked.json(),
            "last_ack": changes.last.json(),
            "counted_by_control": changes.counted.json(),
            "parts": changes.parts.json(),
            "message_bytes": changes.wire.message_bytes,
            "received_bytes_per_stream": changes.wire.received_most,
            "received_bytes": changes.wire.received,
            "sent_bytes": changes.wire.sent,
            "control_cpu_s": changes.control_cpu,
            "envoys_cpu_s": changes.bench_cpu,
        },
        "first_snapshot": herd_json(herd),
        "restart": herd_json(restart),
        "control_memory_mb": {
            "without_streams": memory_empty.resident,
            "first_snapshot": memory_herd.resident,
            "first_snapshot_peak": memory_herd.peak,
            "after_changes": memory_changes.resident,
            "after_changes_peak": memory_changes.peak,
            "after_restart": memory_restart.resident,
            "after_restart_peak": memory_restart.peak,
        },
        "kb_per_stream": kilobytes_per_stream(measured),
    })
}

fn herd_json(herd: &Herd) -> Value {
    json!({
        "acked": herd.acked.json(),
        "received_bytes": herd.wire.received,
        "sent_bytes": herd.wire.sent,
        "control_cpu_s": herd.control_cpu,
        "envoys_cpu_s": herd.bench_cpu,
        "tried_again": herd.retries,
    })
}

fn layout_json(layout: &Layout) -> Value {
    json!({
        "rules": layout.rules,
        "servers": layout.servers,
        "changed_rule_bytes": layout.changed_bytes,
        "whole_policy_bytes": layout.whole_bytes,
        "acked": layout.acked.json(),
    })
}
