//! The list of approvals.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{Redirect, Response};
use gatehold_approvals::{Approval, Person, State as Came};
use gatehold_desk::Filter;
use http::StatusCode;
use serde::Deserialize;

use super::frame::{Failure, Frame, page};
use super::viewer::Viewer;
use crate::Console;
use crate::config::now_millis;
use crate::text::one_line;
use crate::view::{Moment, ago, headline, left, notes, rows};

/// Rows of a page.
const ROWS: usize = 50;
/// Counted exactly up to here.
const MAX_COUNT: usize = 99;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    state: String,
    #[serde(default)]
    q: String,
    server: Option<String>,
    before: Option<String>,
}

struct Tab {
    name: &'static str,
    href: String,
    current: bool,
    count: Option<String>,
    hot: bool,
}

/// A row of the list.
struct Row {
    id: String,
    target: String,
    server: String,
    risks: Vec<String>,
    odd: bool,
    sample: Sample,
    user: String,
    agent: String,
    asked: String,
    votes: String,
    mine: bool,
    headline: &'static str,
    tone: &'static str,
    open: bool,
    left: String,
    left_millis: u64,
    waiting: bool,
    decided: String,
}

#[derive(Template)]
#[template(path = "queue.html")]
struct Queue {
    frame: Frame,
    tabs: Vec<Tab>,
    state: &'static str,
    query: String,
    server: Option<String>,
    rows: Vec<Row>,
    empty_title: &'static str,
    empty_text: &'static str,
    newer: Option<String>,
    older: Option<String>,
}

/// The tabs: name in addresses, name for people, states.
const TABS: [(&str, &str, &[Came]); 6] = [
    ("pending", "Waiting", &[Came::Pending]),
    ("approved", "Approved", &[Came::Approved]),
    ("used", "Let through", &[Came::Used]),
    ("denied", "Denied", &[Came::Denied]),
    (
        "lapsed",
        "Lapsed",
        &[Came::Expired, Came::Withdrawn, Came::Superseded],
    ),
    ("all", "All", &[]),
];

/// The site's root is the list.
pub(crate) async fn root() -> Redirect {
    Redirect::to("/approvals")
}

/// The list.
pub(crate) async fn queue(
    State(console): State<Console>,
    viewer: Viewer,
    Query(which): Query<Which>,
) -> Result<Response, Failure> {
    let Viewer { signed, .. } = viewer;
    let person = &signed.person;
    let chosen = TABS.iter().find(|(name, ..)| *name == which.state);
    let (state, _, states) = chosen.unwrap_or(&TABS[0]);
    let filter = Filter {
        states: states.to_vec(),
        server: which.server.clone().filter(|server| !server.is_empty()),
        text: Some(which.q.trim().to_owned()).filter(|text| !text.is_empty()),
        before: which.before.clone().filter(|before| !before.is_empty()),
        limit: ROWS,
        ..Filter::default()
    };
    let found = console.visible(person, filter).await?;
    let address = |state: &str, before: Option<&str>| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("state", state);
        let texts = [
            ("q", Some(which.q.as_str())),
            ("server", which.server.as_deref()),
            ("before", before),
        ];
        for (name, value) in texts {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                query.append_pair(name, value);
            }
        }
        format!("/approvals?{}", query.finish())
    };
    let mut tabs = Vec::with_capacity(TABS.len());
    for (name, shown, states) in &TABS {
        let count = match *name {
            "pending" | "approved" => Some(count(&console, person, states).await?),
            _ => None,
        };
        tabs.push(Tab {
            name: shown,
            href: address(name, None),
            current: name == state,
            hot: *name == "pending" && count.as_deref().is_some_and(|count| count != "0"),
            count,
        });
    }
    let (empty_title, empty_text) = match *state {
        _ if !which.q.is_empty() || which.server.is_some() => {
            ("Nothing fits", "No call that you may see fits this search.")
        }
        "pending" => (
            "Nothing waits",
            "When an agent wants to do something that you may decide, it appears here at once.",
        ),
        _ => ("Nothing here", "No call that you may see came to this."),
    };
    let now = now_millis();
    let template = Queue {
        frame: Frame::of(&signed, "approvals", "Approvals".to_owned()),
        tabs,
        state,
        rows: found
            .approvals
            .iter()
            .map(|approval| row(approval, person, now))
            .collect(),
        empty_title,
        empty_text,
        newer: which.before.as_ref().map(|_| address(state, None)),
        older: found.next.as_deref().map(|next| address(state, Some(next))),
        query: which.q,
        server: which.server.filter(|server| !server.is_empty()),
    };
    Ok(page(StatusCode::OK, &template))
}

async fn count(console: &Console, person: &Person, states: &[Came]) -> Result<String, Failure> {
    let filter = Filter {
        states: states.to_vec(),
        limit: MAX_COUNT,
        ..Filter::default()
    };
    let page = console.visible(person, filter).await?;
    let more = if page.next.is_some() { "+" } else { "" };
    Ok(format!("{}{more}", page.approvals.len()))
}

fn row(approval: &Approval, person: &Person, now: u64) -> Row {
    let call = &approval.call;
    let (headline, tone) = headline(approval);
    Row {
        id: approval.id.to_string(),
        target: target(approval),
        server: call.server.clone(),
        risks: call.risks.clone(),
        odd: !notes(call, None).is_empty(),
        sample: sample(&call.arguments),
        user: call.requester.user.clone(),
        agent: call.requester.agent.clone(),
        asked: ago(now, approval.created_unix_millis),
        votes: tally(approval),
        mine: approval.may_vote(person).is_ok(),
        headline,
        tone: tone.class(),
        open: approval.state.is_open(),
        left: left(now, approval.expires_unix_millis),
        left_millis: approval.expires_unix_millis.saturating_sub(now),
        waiting: approval.waiting > 0,
        decided: approval
            .decided_unix_millis
            .map(|at| Moment::new(at).text)
            .unwrap_or_default(),
    }
}

/// What the call is about: a tool, else the method.
pub(super) fn target(approval: &Approval) -> String {
    let call = &approval.call;
    if call.target.is_empty() {
        &call.method
    } else {
        &call.target
    }
    .clone()
}

/// The first arguments, shortly. What is cut or hidden here is not on the approval's own page.
pub(super) struct Sample {
    pub(super) pairs: Vec<(String, String)>,
    pub(super) more: usize,
}

/// Arguments that a sample has.
const PAIRS: usize = 4;

pub(super) fn sample(arguments: &str) -> Sample {
    let Some((rows, _)) = rows(arguments) else {
        let whole = (!arguments.is_empty()).then(|| (String::new(), one_line(arguments, 80)));
        let pairs = whole.into_iter().collect();
        return Sample { pairs, more: 0 };
    };
    let mut top: Vec<_> = rows
        .iter()
        .filter(|row| row.depth == 0)
        .map(|row| (one_line(&row.key, 30), one_line(&row.value, 44)))
        .collect();
    let more = top.len().saturating_sub(PAIRS);
    top.truncate(PAIRS);
    Sample { pairs: top, more }
}

/// `1 of 2`, of the requirement that is furthest from being met.
fn tally(approval: &Approval) -> String {
    let missing = approval.missing();
    let furthest = missing
        .iter()
        .max_by_key(|missing| missing.need.saturating_sub(missing.have));
    match (approval.state, furthest, approval.votes.len()) {
        (Came::Pending, Some(missing), _) => format!("{} of {}", missing.have, missing.need),
        (_, _, 0) => "none".to_owned(),
        (_, _, 1) => "1 vote".to_owned(),
        (_, _, votes) => format!("{votes} votes"),
    }
}
