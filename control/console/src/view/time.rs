//! Times as people read them.

use chrono::{DateTime, Utc};

/// A point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// For machines: `2026-11-23T00:15:04Z`.
    pub iso: String,
    /// For people: `23 Nov 2026, 00:15 UTC`.
    pub text: String,
}

impl Moment {
    /// From milliseconds since the Unix epoch.
    pub fn new(unix_millis: u64) -> Self {
        let time = i64::try_from(unix_millis).ok();
        let time = time.and_then(DateTime::<Utc>::from_timestamp_millis);
        let Some(time) = time else {
            let text = "far in the future".to_owned();
            return Self {
                iso: text.clone(),
                text,
            };
        };
        Self {
            iso: time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            text: time.format("%-d %b %Y, %H:%M UTC").to_string(),
        }
    }
}

/// Milliseconds since the Unix epoch of a time in RFC 3339.
pub fn millis(iso: &str) -> Option<u64> {
    let time = DateTime::parse_from_rfc3339(iso).ok()?;
    u64::try_from(time.timestamp_millis()).ok()
}

/// Time until something, shortly: `3 d 4 h`, `2 h 5 min`, `4 min`, `38 s`, `over`.
pub fn left(now_millis: u64, until_millis: u64) -> String {
    let Some(seconds) = until_millis
        .checked_sub(now_millis)
        .map(|millis| millis / 1000)
    else {
        return "over".to_owned();
    };
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Time since something, shortly: `just now`, `4 min ago`.
pub fn ago(now_millis: u64, at_millis: u64) -> String {
    let since = now_millis.saturating_sub(at_millis);
    match since {
        0..5_000 => "just now".to_owned(),
        _ => format!("{} ago", left(0, since)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let moment = Moment::new(1_795_392_904_000);
        assert_eq!(moment.iso, "2026-11-23T00:15:04Z");
        assert_eq!(millis(&moment.iso), Some(1_795_392_904_000));
        assert_eq!(moment.text, "23 Nov 2026, 00:15 UTC");
        assert_eq!(Moment::new(u64::MAX).text, "far in the future");
    }

    #[test]
    fn spans() {
        let check = |millis: u64, expected: &str| assert_eq!(left(1000, 1000 + millis), expected);
        check(0, "0 s");
        check(59_999, "59 s");
        check(60_000, "1 min");
        check(3_600_000, "1 h");
        check(3_900_000, "1 h 5 min");
        check(90_000_000, "1 d 1 h");
        assert_eq!(left(1000, 999), "over");
        assert_eq!(ago(10_000, 9_000), "just now");
        assert_eq!(ago(100_000, 30_000), "1 min ago");
        assert_eq!(ago(0, 30_000), "just now");
    }
}
