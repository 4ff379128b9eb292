//! Every Envoy, and how it stands.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use gatehold_push::{HeldBack, NodeState, NodeView};
use http::StatusCode;

use super::frame::{Frame, page};
use super::viewer::Viewer;
use crate::Console;
use crate::api::millis;
use crate::config::now_millis;
use crate::view::ago;

/// Rows that are shown; the API gives all.
const ROWS: usize = 1000;
/// Refusals that are shown of those that hold versions back.
const HELD_BACK: usize = 20;
/// Notes of one row that are shown.
const NOTES: usize = 20;

struct Row {
    node: String,
    cluster: String,
    addresses: String,
    state: &'static str,
    tone: &'static str,
    /// Versions that run, with how many filters of each.
    versions: Vec<String>,
    /// What control gives it, if it is not what it has.
    given: Option<String>,
    policy: String,
    notes: Vec<String>,
    seen: String,
}

#[derive(Template)]
#[template(path = "fleet.html")]
struct FleetPage {
    frame: Frame,
    summary: String,
    held_back: Vec<HeldBack>,
    more_held_back: usize,
    rows: Vec<Row>,
    more: usize,
}

/// The fleet. Whoever is signed in may look: it shows no call and no argument.
pub(crate) async fn fleet(State(console): State<Console>, viewer: Viewer) -> Response {
    let view = console.fleet().view();
    let count = |state| view.nodes.iter().filter(|node| node.state == state).count();
    let here = view.nodes.len().saturating_sub(count(NodeState::Gone));
    let mut summary = format!(
        "{here} connected, {} of them up to date",
        count(NodeState::Current)
    );
    for (state, text) in [
        (NodeState::Behind, "behind"),
        (NodeState::Problem, "with a problem"),
        (NodeState::Refuses, "refusing or refused"),
        (NodeState::Gone, "gone in the last hour"),
    ] {
        match count(state) {
            0 => {}
            count => summary.push_str(&format!(", {count} {text}")),
        }
    }
    let (now, more_held_back) = (now_millis(), view.held_back.len().saturating_sub(HELD_BACK));
    let mut nodes: Vec<&NodeView> = view.nodes.iter().collect();
    // Where not all are shown, those that are well are left out first.
    if nodes.len() > ROWS {
        nodes.sort_by_key(|node| node.state == NodeState::Current);
    }
    let template = FleetPage {
        frame: Frame::of(&viewer.signed, "fleet", "Fleet".to_owned()),
        summary,
        more: nodes.len().saturating_sub(ROWS),
        rows: nodes
            .into_iter()
            .take(ROWS)
            .map(|node| row(node, now))
            .collect(),
        held_back: view.held_back.into_iter().take(HELD_BACK).collect(),
        more_held_back,
    };
    page(StatusCode::OK, &template)
}

fn row(node: &NodeView, now: u64) -> Row {
    let (state, tone) = match node.state {
        NodeState::Current => ("Up to date", "tone-good"),
        NodeState::Behind => ("Behind", "tone-open"),
        NodeState::Problem => ("Problem", "tone-bad"),
        NodeState::Refuses => ("Refuses", "tone-bad"),
        NodeState::Gone => ("Gone", ""),
    };
    let versions = node.versions.iter();
    let given = node.filter.as_ref();
    let given = given.filter(|filter| filter.wanted != filter.held);
    let refusals = node.refusals.iter().map(|refusal| {
        let kind = &refusal.kind;
        format!(
            "{kind} {} ({}): {}",
            refusal.name, refusal.version, refusal.reason
        )
    });
    let all = refusals.len() + node.problems.len();
    let notes = refusals.chain(node.problems.iter().cloned()).take(NOTES);
    let more = all.checked_sub(NOTES).filter(|more| *more > 0);
    let more = more.map(|more| format!("and {more} more"));
    Row {
        node: match node.node.is_empty() {
            true => "no node id".to_owned(),
            false => node.node.clone(),
        },
        cluster: node.cluster.clone(),
        addresses: node
            .addresses
            .iter()
            .cloned()
            .collect::<Vec<_>>()
            .join(", "),
        state,
        tone,
        versions: versions
            .map(|(version, count)| format!("{version} × {count}"))
            .collect(),
        given: given.map(|filter| {
            let wanted = filter.wanted.as_deref().unwrap_or("no document says any");
            let held = filter.held.as_deref().unwrap_or("none");
            format!("to have {wanted}, has {held}")
        }),
        policy: match node.filters {
            0 => "none connected".to_owned(),
            filters => format!("{} of {filters}", node.current),
        },
        notes: notes.chain(more).collect(),
        seen: ago(now, millis(node.last_seen)),
    }
}
