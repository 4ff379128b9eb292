//! Where the time from a changed file to the last acknowledgement goes.

use serde_json::{Map, Value, json};

use crate::stages::{InForce, milliseconds};

/// Names of the parts, in order.
const NAMES: [&str; 7] = [
    "notice",
    "read",
    "compile",
    "encode",
    "first byte",
    "last byte",
    "ack",
];

/// Milliseconds of each part, summed over changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    sums: [f64; 7],
    changes: u32,
}

impl Parts {
    /// Adds one change that was written at the second `written` of the day: what control said of it, nanoseconds
    /// from then until the first and the last stream began to receive, and until the last acknowledgement.
    pub(crate) fn add(&mut self, told: Option<InForce>, written: f64, begun: [u64; 2], acked: u64) {
        let [first, last] = begun.map(from_nanoseconds);
        let Some(told) = told else { return };
        let in_force = milliseconds(written, told.at);
        // Without the parts all of it counts as compilation.
        let [read, compile, encode] = told.parts.unwrap_or([0.0, in_force, 0.0]);
        let parts = [
            in_force - read - compile - encode,
            read,
            compile,
            encode,
            // The log line is written after the snapshot was given to the streams, so this may be negative.
            first - in_force,
            last - first,
            from_nanoseconds(acked) - last,
        ];
        for (sum, part) in self.sums.iter_mut().zip(parts) {
            *sum += part;
        }
        self.changes += 1;
    }

    /// Name and mean milliseconds of each part.
    pub(crate) fn means(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let changes = f64::from(self.changes.max(1));
        let sums = self.sums.into_iter().map(move |sum| sum / changes);
        NAMES.into_iter().zip(sums)
    }

    /// In one line.
    pub(crate) fn text(&self) -> String {
        let parts = self.means().map(|(name, mean)| format!("{name} {mean:.1}"));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// As it goes into the report.
    pub(crate) fn json(&self) -> Value {
        let parts = self.means();
        let parts =
            parts.map(|(name, mean)| (format!("{}_ms", name.replace(' ', "_")), json!(mean)));
        Value::Object(parts.collect::<Map<_, _>>())
    }
}

fn from_nanoseconds(time: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "times of a run are far below 2^52 us"
    )]
    let microseconds = (time / 1000) as f64;
    microseconds / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_sum_up_to_the_whole() {
        let mut parts = Parts::default();
        let told = InForce {
            at: 100.05,
            parts: Some([5.0, 10.0, 1.0]),
        };
        parts.add(Some(told), 100.0, [52_000_000, 70_000_000], 80_000_000);
        let means: Vec<f64> = parts.means().map(|(_, mean)| mean.round()).collect();
        assert_eq!(means, [34.0, 5.0, 10.0, 1.0, 2.0, 18.0, 10.0]);
        assert!((means.iter().sum::<f64>() - 80.0).abs() < 0.1);
    }
}
