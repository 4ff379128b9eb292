//! What the routes do.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use gatehold_approvals::{Approval, Person, State as Came, Verdict, Vote, VoteRefused};
use gatehold_desk::{Filter, VoteError};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use tracing::debug;

use super::{ApprovalJson, FleetJson, ListJson, Problem};
use crate::config::now_millis;
use crate::sign_in::person_of;
use crate::view::{hex, may_see};
use crate::{Console, ConsoleConfig};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;

/// Whoever sent a valid bearer token.
pub(super) struct Caller {
    config: Arc<ConsoleConfig>,
    person: Person,
}

impl FromRequestParts<Console> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Problem> {
        let config = console.config().ok_or_else(Problem::no_console)?;
        let person = person_of(&parts.headers, &config)
            .inspect_err(|problem| debug!(%problem, "a token was refused"))?;
        Ok(Self { config, person })
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    state: Option<String>,
    server: Option<String>,
    limit: Option<usize>,
    before: Option<String>,
}

pub(super) async fn list(
    State(console): State<Console>,
    Caller { config, person }: Caller,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<ListJson>, Problem> {
    let Query(which) = which.map_err(|rejection| bad(rejection.body_text()))?;
    let states = which.state.filter(|state| !state.is_empty());
    let states: Result<Vec<_>, _> = states
        .iter()
        .flat_map(|states| states.split(','))
        .map(|name| Came::from_name(name).ok_or_else(|| unknown_state(name)))
        .collect();
    let filter = Filter {
        states: states?,
        server: which.server.filter(|server| !server.is_empty()),
        before: which.before.filter(|before| !before.is_empty()),
        limit: which.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT),
        ..Filter::default()
    };
    let page = console.visible(&person, filter).await?;
    let now = now_millis();
    let json = |approval| ApprovalJson::new(approval, &person, &config.document.url, now);
    Ok(Json(ListJson {
        approvals: page.approvals.iter().map(json).collect(),
        next: page.next,
    }))
}

pub(super) async fn show(
    State(console): State<Console>,
    Caller { config, person }: Caller,
    Path(id): Path<String>,
) -> Result<Json<ApprovalJson>, Problem> {
    let found = find(&console, &person, &id).await?;
    let url = &config.document.url;
    Ok(Json(ApprovalJson::new(&found, &person, url, now_millis())))
}

pub(super) async fn approve(
    State(console): State<Console>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ApprovalJson>, Problem> {
    decide(&console, caller, &id, &body, Verdict::Approve).await
}

pub(super) async fn deny(
    State(console): State<Console>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ApprovalJson>, Problem> {
    decide(&console, caller, &id, &body, Verdict::Deny).await
}

/// Whoever has a valid token may look, as at the page.
pub(super) async fn fleet(State(console): State<Console>, _: Caller) -> Json<FleetJson> {
    Json(console.fleet().view().into())
}

pub(super) async fn nothing() -> Problem {
    let detail = "see /api/v1/openapi.json";
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "no such address",
        detail,
    )
}

pub(super) async fn no_method() -> Problem {
    let detail = "see /api/v1/openapi.json";
    let title = "the address has no such method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "bad-request", title, detail)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Decision {
    reason: String,
    digest: Option<String>,
}

async fn decide(
    console: &Console,
    Caller { config, person }: Caller,
    id: &str,
    body: &[u8],
    verdict: Verdict,
) -> Result<Json<ApprovalJson>, Problem> {
    let Decision { reason, digest } = match body.is_empty() {
        true => Decision::default(),
        false => serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?,
    };
    if let Some(digest) = digest {
        let found = find(console, &person, id).await?;
        if !digest.eq_ignore_ascii_case(&hex(&found.call.digest)) {
            let title = "this approval is for another call than `digest` says";
            let detail = "look at it, and decide again";
            return Err(Problem::new(StatusCode::CONFLICT, "changed", title, detail));
        }
    }
    let vote = Vote {
        by: person.clone(),
        verdict,
        reason,
        at_unix_millis: now_millis(),
    };
    let after = console.approvals().vote(id, vote).await.map_err(refused)?;
    let url = &config.document.url;
    Ok(Json(ApprovalJson::new(&after, &person, url, now_millis())))
}

async fn find(console: &Console, person: &Person, id: &str) -> Result<Approval, Problem> {
    let found = console.approvals().get(id).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    match may_see(&found, person) {
        true => Ok(found),
        false => Err(refused(VoteRefused::NotAnApprover.into())),
    }
}

fn refused(error: VoteError) -> Problem {
    let refused = match error {
        VoteError::NotFound(_) => return Problem::not_found(),
        VoteError::Desk(error) => return error.into(),
        VoteError::Refused(refused) => refused,
    };
    let (kind, detail, state) = match refused {
        VoteRefused::NotAnApprover => (
            "not-an-approver",
            "ask one of `missing` in the approval to decide",
            None,
        ),
        VoteRefused::Requester => ("requester", "ask somebody else to decide", None),
        VoteRefused::ReasonRequired => ("reason-required", "send {\"reason\": \"…\"}", None),
        VoteRefused::AlreadyVoted => (
            "already-voted",
            "ask one of `missing` in the approval to decide",
            None,
        ),
        VoteRefused::NotPending(state) => ("too-late", "nothing is left to decide", Some(state)),
    };
    let mut problem = Problem::new(
        crate::pages::status(refused),
        kind,
        &refused.to_string(),
        detail,
    );
    problem.state = state.map(|state| state.as_str().to_owned());
    problem
}

fn bad(detail: String) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-request",
        "the request can’t be read",
        detail,
    )
}

fn unknown_state(name: &str) -> Problem {
    let known: Vec<_> = Came::ALL.iter().map(|state| state.as_str()).collect();
    let name: String = name.chars().take(40).collect();
    bad(format!("`{name}` is no state; use {}", known.join(", ")))
}
