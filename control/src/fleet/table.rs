//! The fleet as text for a terminal: nothing in it moves the cursor, hides or turns other text.

use std::fmt::Write as _;

use gatehold_console::api::{FleetJson, NodeJson};
use gatehold_console::text::{one_line, plain};

use crate::approvals::columns;

/// Rows that are shown; `--json` gives all.
const ROWS: usize = 1000;
/// Lines that are shown of what stands in the way of Envoys, and of refusals that hold versions back.
const NOTES: usize = 100;
const HELD_BACK: usize = 20;

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
    let mut nodes: Vec<&NodeJson> = fleet.nodes.iter().collect();
    // Where not all are shown, those that are well are left out first.
    if nodes.len() > ROWS {
        nodes.sort_by_key(|node| node.state == "current");
    }
    lines.extend(nodes.iter().take(ROWS).map(|node| row(node)));
    let mut text = columns(&lines);
    text.push_str(&more(nodes.len(), ROWS));
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
    let held_back = fleet.held_back.iter().map(|held| {
        format!(
            "filter {} is held back because of {}: {}",
            plain(&held.version),
            one_line(&held.node, 40),
            plain(&held.reason)
        )
    });
    let held_back: Vec<String> = held_back.collect();
    if !(notes.is_empty() && held_back.is_empty()) {
        text.push('\n');
    }
    for (lines, most) in [(notes, NOTES), (held_back, HELD_BACK)] {
        for line in lines.iter().take(most) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        }
        text.push_str(&more(lines.len(), most));
    }
    text
}

/// Says how many are not shown, if any.
fn more(all: usize, most: usize) -> String {
    match all.saturating_sub(most) {
        0 => String::new(),
        more => format!("and {more} more: see --json\n"),
    }
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
            filter new+22 is held back because of edge-1: Unable to create
        "#]].assert_eq(&fleet(&example("")));
        let none = FleetJson {
            snapshot: None,
            nodes: Vec::new(),
            held_back: Vec::new(),
        };
        assert_eq!(fleet(&none), "nobody is connected\n");
    }

    #[test]
    fn of_thousands_those_with_trouble_are_shown() {
        let mut all = example("");
        let well = NodeJson {
            state: "current".to_owned(),
            problems: Vec::new(),
            ..all.nodes[1].clone()
        };
        let ill = all.nodes[0].clone();
        all.nodes = vec![well; 5000];
        all.nodes.extend(vec![ill; 300]);
        all.held_back = vec![all.held_back[0].clone(); 100];
        let text = fleet(&all);
        assert_eq!(
            text.lines().count(),
            1 + ROWS + 1 + 1 + NOTES + 1 + HELD_BACK + 1
        );
        for (part, times) in [
            ("  refuses  ", 300),
            ("and 4300 more: see --json", 1),
            ("refuses Filter", NOTES),
            ("and 200 more: see --json", 1),
            ("is held back", HELD_BACK),
            ("and 80 more: see --json", 1),
        ] {
            assert_eq!(text.matches(part).count(), times, "{part}");
        }
    }

    #[test]
    fn nothing_hidden_reaches_the_terminal() {
        let text = fleet(&example("\u{1b}[2J\u{202e}\u{e0041}\ny"));
        assert!(text.contains("U+202E"), "{text}");
        assert!(!text.chars().any(|char| is_hidden(char) && char != '\n'));
    }
}
