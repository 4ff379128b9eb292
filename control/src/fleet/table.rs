//! The fleet as text for a terminal: nothing in it moves the cursor, hides or turns other text.

use std::fmt::Write as _;

use gatehold_console::api::{FleetJson, NodeJson};
use gatehold_console::text::{one_line, plain};

use crate::approvals::columns;

/// A row for each Envoy, and below what stands in the way of some.
pub(super) fn fleet(fleet: &FleetJson) -> String {
    if fleet.nodes.is_empty() {
        return "nobody is connected\n".to_owned();
    }
    let heads = [
        "NODE",
        "CLUSTER",
        "STATE",
        "FILTER",
        "GIVEN",
        "POLICY",
        "LAST SEEN",
    ];
    let mut lines = vec![heads.map(str::to_owned)];
    lines.extend(fleet.nodes.iter().map(row));
    let mut text = columns(&lines);
    let mut notes = Vec::new();
    for node in &fleet.nodes {
        let name = one_line(&node.node, 40);
        for refusal in &node.refusals {
            notes.push(format!(
                "{name} refuses {} {} ({}): {}",
                plain(&refusal.kind),
                plain(&refusal.name),
                plain(&refusal.version),
                plain(&refusal.reason)
            ));
        }
        let problems = node.problems.iter();
        notes.extend(problems.map(|problem| format!("{name}: {}", plain(problem))));
    }
    for held in &fleet.held_back {
        notes.push(format!(
            "filter {} goes to no further Envoy: {} refuses it ({})",
            plain(&held.version),
            one_line(&held.node, 40),
            plain(&held.reason)
        ));
    }
    if !notes.is_empty() {
        text.push('\n');
    }
    for note in notes {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{note}");
    }
    text
}

fn row(node: &NodeJson) -> [String; 7] {
    let versions: Vec<String> = node
        .versions
        .iter()
        .map(|(version, count)| format!("{} x{count}", one_line(version, 20)))
        .collect();
    let given = node.given.as_ref().map(|given| {
        let wanted = given.wanted.as_deref().map(short);
        let held = given.held.as_deref().map(short);
        match (wanted, held) {
            (Some(wanted), Some(held)) if wanted != held => format!("{held} (to have {wanted})"),
            (_, Some(held)) => held,
            (Some(wanted), None) => format!("none (to have {wanted})"),
            (None, None) => "none".to_owned(),
        }
    });
    [
        match node.node.is_empty() {
            true => "-".to_owned(),
            false => one_line(&node.node, 40),
        },
        one_line(&node.cluster, 24),
        one_line(&node.state, 12),
        versions.join(", "),
        given.unwrap_or_else(|| "-".to_owned()),
        format!("{}/{}", node.current, node.filters),
        one_line(&node.last_seen, 24),
    ]
}

/// The version's name in the document; what follows tells configurations apart.
fn short(version: &str) -> String {
    one_line(version.split('+').next().unwrap_or_default(), 24)
}

#[cfg(test)]
mod tests {
    use gatehold_console::text::is_hidden;

    use super::*;

    fn example(bait: &str) -> FleetJson {
        serde_json::from_value(serde_json::json!({
            "snapshot": "0011223344556677",
            "nodes": [
                { "node": format!("edge-1{bait}"), "cluster": "canary", "state": "refuses", "addresses": ["10.0.0.1"],
                  "filters": 3, "current": 3, "versions": { "0.1.0": 3 },
                  "given": { "wanted": "new+22", "held": "old+11" },
                  "refusals": [{ "kind": "Filter", "name": "gatehold", "version": "new+22",
                                 "reason": format!("Unable to create{bait}"), "streams": 1 }],
                  "problems": [], "since": "2026-11-23T00:00:00Z", "lastSeen": "2026-11-23T00:15:04Z" },
                { "node": "edge-2", "cluster": "edge", "state": "problem", "addresses": [],
                  "filters": 9, "current": 8, "versions": { "0.1.0": 8, "0.2.0": 1 },
                  "refusals": [], "problems": [format!("two-copies{bait}")],
                  "since": "2026-11-23T00:00:00Z", "lastSeen": "2026-11-23T00:15:04Z" },
            ],
            "heldBack": [{ "version": "new+22", "node": "edge-1", "reason": "Unable to create" }],
        }))
        .unwrap()
    }

    #[test]
    fn a_row_for_each_envoy() {
        expect_test::expect![[r#"
            NODE    CLUSTER  STATE    FILTER              GIVEN              POLICY  LAST SEEN
            edge-1  canary   refuses  0.1.0 x3            old (to have new)  3/3     2026-11-23T00:15:04Z
            edge-2  edge     problem  0.1.0 x8, 0.2.0 x1  -                  8/9     2026-11-23T00:15:04Z

            edge-1 refuses Filter gatehold (new+22): Unable to create
            edge-2: two-copies
            filter new+22 goes to no further Envoy: edge-1 refuses it (Unable to create)
        "#]].assert_eq(&fleet(&example("")));
        let none = FleetJson {
            snapshot: None,
            nodes: Vec::new(),
            held_back: Vec::new(),
        };
        assert_eq!(fleet(&none), "nobody is connected\n");
    }

    #[test]
    fn nothing_hidden_reaches_the_terminal() {
        let text = fleet(&example("\u{1b}[2J\u{202e}\u{e0041}\ny"));
        assert!(text.contains("U+202E"), "{text}");
        assert!(!text.chars().any(|char| is_hidden(char) && char != '\n'));
    }
}
