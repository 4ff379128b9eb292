//! Where the time of a push goes, as far as control says so in its log.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

const DAY: f64 = 86_400.0;

/// The line with which control says that documents are in force.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct InForce {
    /// Second of the day (UTC).
    pub(crate) at: f64,
    /// Milliseconds of its parts: reading, compiling, encoding. Absent where control does not say.
    pub(crate) parts: Option<[f64; 3]>,
}

impl InForce {
    /// Reads a line of the log.
    pub(crate) fn read(line: &str) -> Option<Self> {
        if !line.contains("documents are in force") {
            return None;
        }
        let line: Value = serde_json::from_str(line).ok()?;
        let time = line.get("timestamp")?.as_str()?;
        let (_, time) = time.split_once('T')?;
        let mut at = 0.0;
        for part in time.trim_end_matches('Z').split(':') {
            at = at * 60.0 + part.parse::<f64>().ok()?;
        }
        let part = |name: &str| Some(line.get(name)?.as_f64()? / 1000.0);
        let parts = || Some([part("read_us")?, part("compile_us")?, part("encode_us")?]);
        Some(Self { at, parts: parts() })
    }
}

/// The second of the day (UTC) as of now.
pub(crate) fn second_of_day() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs_f64() % DAY)
}

/// Milliseconds from one second of the day to a later one, over midnight too.
pub(crate) fn milliseconds(from: f64, to: f64) -> f64 {
    (to - from).rem_euclid(DAY) * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_in_the_log() {
        let line = r#"{"timestamp":"2026-11-22T01:02:03.500000Z","level":"INFO","message":"documents are in force","read_us":1000,"compile_us":2500,"encode_us":10}"#;
        let expected = InForce {
            at: 3723.5,
            parts: Some([1.0, 2.5, 0.01]),
        };
        assert_eq!(InForce::read(line), Some(expected));
        let without = line.replace("read_us", "other");
        assert_eq!(InForce::read(&without).and_then(|told| told.parts), None);
        assert_eq!(InForce::read("{}"), None);
        assert_eq!(milliseconds(86_399.5, 0.25), 750.0);
    }
}
