//! What `gatehold report` and `gatehold suggest` read: the requests in the audit log.

use std::path::PathBuf;
use std::pin::pin;
use std::time::SystemTime;

use anyhow::bail;
use clap::Args;
use gatehold_shadow::Observation;
use gatehold_store::Reader;
use tokio_stream::StreamExt as _;

/// Which requests to look at.
#[derive(Debug, Args)]
pub struct Source {
    /// The file that `gatehold serve` keeps audit events in; it may be running.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Only what arrived since then: a time (`2026-11-23T10:00:00Z`), or how long ago (`7d`, `12h`).
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<String>,
}

impl Source {
    /// Hands every request on, oldest first.
    ///
    /// # Errors
    /// When the file can't be read, or has lines that are no events.
    pub async fn each(&self, mut take: impl FnMut(Observation)) -> anyhow::Result<()> {
        let Self { data, since } = self;
        let reader = Reader::open(data).await?;
        let mut lines = pin!(reader.export(1));
        while let Some(line) = lines.next().await {
            let Some(observation) = Observation::parse(&line?)? else {
                continue;
            };
            if since
                .as_ref()
                .is_none_or(|since| observation.time >= *since)
            {
                take(observation);
            }
        }
        Ok(())
    }
}

/// A time as events have it: such texts sort as times do.
fn since(text: &str) -> anyhow::Result<String> {
    let ago = humantime::parse_duration(text).ok();
    let time = match ago {
        Some(ago) => SystemTime::now().checked_sub(ago),
        None => humantime::parse_rfc3339(text).ok(),
    };
    let epoch = SystemTime::UNIX_EPOCH;
    match time.filter(|time| *time >= epoch) {
        Some(time) => Ok(humantime::format_rfc3339_nanos(time).to_string()),
        None => bail!("write a time such as `2026-11-23T10:00:00Z`, or how long ago: `7d`, `12h`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_events_have_them() {
        let written = since("2026-11-23T10:00:00Z").ok();
        assert_eq!(written.as_deref(), Some("2026-11-23T10:00:00.000000000Z"));
        let (week, day) = (since("7d").ok(), since("1d").ok());
        assert!(week.is_some() && week < day);
        for wrong in ["", "yesterday", "2026-11-23", "-1d", "99999y"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
