//! How many Envoys there are, and how they stand.

use crate::labels::{StateLabel, VersionLabel};
use crate::metrics::gauge;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Versions that have a series of their own: what clients say of themselves must not make any number of them.
const MAX_VERSIONS: usize = 16;
/// The label of all others, and of what no version looks like.
const OTHER: &str = "other";

/// How the fleet stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetCounts {
    /// Envoys by state, every state once.
    pub nodes: Vec<(&'static str, u64)>,
    /// Filters by the version that they say.
    pub versions: Vec<(String, u64)>,
    /// Resources that are refused, by all streams.
    pub refusals: u64,
    /// Filters that have not all of the snapshot in force.
    pub behind: u64,
    /// Versions of the filter that are held back.
    pub held_back: u64,
}

#[derive(Debug, Default)]
pub(crate) struct FleetMetrics {
    nodes: Family<StateLabel, Gauge>,
    filters: Family<VersionLabel, Gauge>,
    refusals: Gauge,
    behind: Gauge,
    held_back: Gauge,
}

impl FleetMetrics {
    pub(crate) fn register(&self, all: &mut Registry) {
        all.register(
            "fleet_nodes",
            "Envoys that are connected or were in the last hour, by how they stand",
            self.nodes.clone(),
        );
        all.register(
            "fleet_filters",
            "Filters connected, by the version that they say",
            self.filters.clone(),
        );
        all.register(
            "fleet_refusals",
            "Resources that are refused at present, summed over streams",
            self.refusals.clone(),
        );
        all.register(
            "fleet_behind",
            "Filters that have not everything in force yet",
            self.behind.clone(),
        );
        all.register(
            "fleet_held_back",
            "Versions of the filter that go to no further Envoy, because one refuses them, does not answer or went away",
            self.held_back.clone(),
        );
    }

    pub(crate) fn set(&self, counts: &FleetCounts) {
        let FleetCounts {
            nodes,
            versions,
            refusals,
            behind,
            held_back,
        } = counts;
        for (state, count) in nodes {
            let label = StateLabel { state };
            self.nodes.get_or_create_owned(&label).set(gauge(*count));
        }
        let is_version = |version: &str| {
            let inner = |c: char| c.is_ascii_alphanumeric() || "-._+".contains(c);
            !version.is_empty() && version.len() <= 32 && version.chars().all(inner)
        };
        let mut by_count: Vec<_> = versions.iter().collect();
        by_count.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        self.filters.clear();
        let mut shown = 0;
        for (version, count) in by_count {
            let version = if shown < MAX_VERSIONS && is_version(version) {
                shown += 1;
                version.clone()
            } else {
                OTHER.to_owned()
            };
            let filters = self.filters.get_or_create_owned(&VersionLabel { version });
            filters.inc_by(gauge(*count));
        }
        self.refusals.set(gauge(*refusals));
        self.behind.set(gauge(*behind));
        self.held_back.set(gauge(*held_back));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metrics;

    #[test]
    fn what_clients_say_makes_few_series() {
        let metrics = Metrics::new("1");
        let versions = (0_u64..40).map(|number| (format!("0.{number}.0"), number + 1));
        let odd = [("0.1\"\n".to_owned(), 5), (String::new(), 7)];
        metrics.fleet(&FleetCounts {
            nodes: vec![("current", 2), ("gone", 1)],
            versions: versions.chain(odd).collect(),
            refusals: 3,
            behind: 4,
            held_back: 1,
        });
        let text = metrics.render().unwrap();
        let filters = text
            .lines()
            .filter(|line| line.starts_with("gatehold_fleet_filters{"));
        assert_eq!(filters.count(), MAX_VERSIONS + 1);
        // 1 + 2 + … + 24, and the odd ones.
        let other = 24 * 25 / 2 + 12;
        for line in [
            "gatehold_fleet_filters{version=\"0.39.0\"} 40".to_owned(),
            format!("gatehold_fleet_filters{{version=\"other\"}} {other}"),
            "gatehold_fleet_nodes{state=\"current\"} 2".to_owned(),
            "gatehold_fleet_refusals 3".to_owned(),
            "gatehold_fleet_behind 4".to_owned(),
            "gatehold_fleet_held_back 1".to_owned(),
        ] {
            assert!(text.contains(&line), "`{line}` is not in: {text}");
        }
        // A version that nobody has any more has no series.
        metrics.fleet(&FleetCounts::default());
        assert!(!metrics.render().unwrap().contains("fleet_filters{"));
    }
}
