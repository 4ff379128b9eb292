//! One approval, and the votes on it.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use gatehold_approvals::{Approval, Verdict, Vote, VoteRefused};
use gatehold_desk::{Definition, Earlier, VoteError};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::form::genuine;
use super::frame::{Failure, Frame, page};
use super::queue::{Sample, sample, target};
use super::viewer::Viewer;
use crate::Console;
use crate::config::now_millis;
use crate::sign_in::Signed;
use crate::view::{
    Moment, Note, Row, Seen, Tone, ago, headline, hex, how_it_waits, left, may_see, notes, outcome,
    rows, seen,
};

/// Earlier calls that are shown.
const EARLIER: usize = 5;

struct VoteForm {
    may_approve: bool,
    why_not: String,
    reason_required: bool,
    reason: String,
}

struct Need {
    have: usize,
    need: u32,
    met: bool,
    text: String,
}

struct Said {
    by: String,
    verdict: &'static str,
    tone: &'static str,
    reason: String,
    at: Moment,
}

struct Before {
    id: String,
    headline: &'static str,
    tone: &'static str,
    user: String,
    asked: String,
    same: bool,
    sample: Sample,
}

struct Tool {
    description: String,
    hints: Vec<String>,
    json: String,
    changed: bool,
}

#[derive(Template)]
#[template(path = "approval.html")]
struct Page {
    frame: Frame,
    alert: Option<String>,
    id: String,
    target: String,
    server: String,
    what: String,
    risks: Vec<String>,
    headline: &'static str,
    tone: &'static str,
    open: bool,
    left: String,
    left_millis: u64,
    user: String,
    agent: String,
    issuer: String,
    roles: Vec<String>,
    notes: Vec<Note>,
    seen: Vec<Seen>,
    rows: Option<Vec<Row>>,
    more: usize,
    raw: String,
    method: String,
    digest: String,
    definition: Option<Tool>,
    earlier: Vec<Before>,
    earlier_counts: String,
    form: Option<VoteForm>,
    why_not: Option<String>,
    live_key: String,
    outcome: String,
    ended_reason: String,
    needs: Vec<Need>,
    reason_required: bool,
    votes: Vec<Said>,
    rules: Vec<String>,
    asked: Moment,
    expires: Moment,
    decided: Option<Moment>,
    waiting: bool,
    how_it_waits: String,
    event_id: String,
    trace_id: String,
    policy_version: String,
    era: String,
}

/// The page of an approval.
pub(crate) async fn approval(
    State(console): State<Console>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let found = find(&console, &viewer.signed, &id).await?;
    let none = (StatusCode::OK, None, "");
    show(&console, &viewer.signed, &found, none).await
}

#[derive(Debug, Deserialize)]
pub(crate) struct Decision {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    reason: String,
}

/// Somebody approves.
pub(crate) async fn approve(
    State(console): State<Console>,
    viewer: Viewer,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(decision): Form<Decision>,
) -> Result<Response, Failure> {
    decide(&console, &viewer, &id, &headers, decision, Verdict::Approve).await
}

/// Somebody denies.
pub(crate) async fn deny(
    State(console): State<Console>,
    viewer: Viewer,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(decision): Form<Decision>,
) -> Result<Response, Failure> {
    decide(&console, &viewer, &id, &headers, decision, Verdict::Deny).await
}

async fn decide(
    console: &Console,
    Viewer { config, signed }: &Viewer,
    id: &str,
    headers: &HeaderMap,
    Decision {
        csrf,
        digest,
        reason,
    }: Decision,
    verdict: Verdict,
) -> Result<Response, Failure> {
    genuine(headers, config, signed, &csrf)?;
    let found = find(console, signed, id).await?;
    if digest != hex(&found.call.digest) {
        let alert = "The form was for another call than this one. Nothing was done: look at it, and decide again.";
        let shown = (
            StatusCode::CONFLICT,
            Some(alert.to_owned()),
            reason.as_str(),
        );
        return show(console, signed, &found, shown).await;
    }
    let vote = Vote {
        by: signed.person.clone(),
        verdict,
        reason: reason.clone(),
        at_unix_millis: now_millis(),
    };
    match console.approvals().vote(id, vote).await {
        // The answer to a form is a redirect, so that loading the page again does not send it again.
        Ok(_) => Ok(Redirect::to(&format!("/approvals/{id}")).into_response()),
        Err(VoteError::NotFound(_)) => Err(Failure::NotFound),
        Err(VoteError::Desk(error)) => Err(error.into()),
        Err(VoteError::Refused(refused)) => {
            // As it is now: it may have changed since the page was loaded.
            let found = find(console, signed, id).await?;
            let shown = (status(refused), Some(alert(refused)), reason.as_str());
            show(console, signed, &found, shown).await
        }
    }
}

/// The status of a vote that does not count.
pub(crate) fn status(refused: VoteRefused) -> StatusCode {
    match refused {
        VoteRefused::NotAnApprover | VoteRefused::Requester => StatusCode::FORBIDDEN,
        VoteRefused::ReasonRequired => StatusCode::UNPROCESSABLE_ENTITY,
        VoteRefused::AlreadyVoted | VoteRefused::NotPending(_) => StatusCode::CONFLICT,
    }
}

fn alert(refused: VoteRefused) -> String {
    let text = refused.to_string();
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    format!(
        "{}{}. Your vote was not taken.",
        first.unwrap_or_default(),
        chars.as_str()
    )
}

/// The approval, for those who may see it.
pub(super) async fn find(
    console: &Console,
    signed: &Signed,
    id: &str,
) -> Result<Approval, Failure> {
    let found = console.approvals().get(id).await?;
    let found = found.ok_or(Failure::NotFound)?;
    if !may_see(&found, &signed.person) {
        let who: Vec<_> = found
            .call
            .requirements
            .iter()
            .map(|requirement| whom(&requirement.roles, &requirement.users))
            .collect();
        return Err(Failure::NotForYou(who.join("; ")));
    }
    Ok(found)
}

async fn show(
    console: &Console,
    signed: &Signed,
    approval: &Approval,
    (status, alert, reason): (StatusCode, Option<String>, &str),
) -> Result<Response, Failure> {
    let call = &approval.call;
    let definition = match call.target.is_empty() {
        true => None,
        false => {
            console
                .approvals()
                .definition(&call.server, &call.target)
                .await?
        }
    };
    let earlier = console.approvals().earlier(approval, EARLIER).await?;
    let template = template(signed, approval, alert, reason, definition, earlier);
    Ok(page(status, &template))
}

fn template(
    signed: &Signed,
    approval: &Approval,
    alert: Option<String>,
    reason: &str,
    definition: Option<Definition>,
    earlier: Earlier,
) -> Page {
    let now = now_millis();
    let call = approval.call.clone();
    let person = &signed.person;
    let (headline, tone) = headline(approval);
    let (may_approve, may_deny) = (approval.may_vote(person), approval.may_deny(person));
    let is_pending = approval.state == gatehold_approvals::State::Pending;
    let form = may_deny.is_ok().then(|| VoteForm {
        may_approve: may_approve.is_ok(),
        why_not: may_approve.err().map(sentence).unwrap_or_default(),
        reason_required: approval.reason_required(),
        reason: reason.to_owned(),
    });
    let why_not = may_deny.err().filter(|_| is_pending).map(sentence);
    let table = rows(&call.arguments);
    let more = table.as_ref().map_or(0, |(_, more)| *more);
    let json = definition
        .as_ref()
        .map(|definition| definition.json.as_str());
    Page {
        notes: notes(&call, json),
        seen: seen(&call.findings),
        definition: definition.map(|definition| tool(approval, definition)),
        earlier_counts: counts(&earlier),
        earlier: earlier
            .last
            .iter()
            .filter(|other| may_see(other, person))
            .map(|other| before(approval, other, now))
            .collect(),
        frame: Frame::of(
            signed,
            "approvals",
            format!("{} on {}", target(approval), call.server),
        ),
        alert,
        live_key: format!(
            "{}-{}-{}",
            approval.state,
            may_deny.is_ok(),
            may_approve.is_ok()
        ),
        id: approval.id.to_string(),
        target: target(approval),
        what: what(&call.method, &target(approval)),
        headline,
        tone: tone.class(),
        open: approval.state.is_open(),
        left: left(now, approval.expires_unix_millis),
        left_millis: approval.expires_unix_millis.saturating_sub(now),
        rows: table.map(|(rows, _)| rows),
        more,
        digest: hex(&call.digest),
        form,
        why_not,
        outcome: outcome(approval, now),
        ended_reason: approval.ended_reason.clone(),
        needs: needs(approval),
        reason_required: approval.reason_required(),
        votes: approval.votes.iter().map(said).collect(),
        asked: Moment::new(approval.created_unix_millis),
        expires: Moment::new(approval.expires_unix_millis),
        decided: approval.decided_unix_millis.map(Moment::new),
        waiting: approval.waiting > 0,
        how_it_waits: how_it_waits(approval),
        server: call.server,
        risks: call.risks,
        user: call.requester.user,
        agent: call.requester.agent,
        issuer: call.requester.issuer,
        roles: call.requester.roles,
        raw: call.arguments,
        method: call.method,
        rules: call.rules,
        event_id: call.event_id,
        trace_id: call.trace_id,
        policy_version: call.policy_version,
        era: call.era,
    }
}

fn what(method: &str, target: &str) -> String {
    match method {
        "tools/call" => format!("call the tool {target}"),
        "resources/read" => format!("read {target}"),
        "prompts/get" => format!("use the prompt {target}"),
        _ => format!("do {method}"),
    }
}

fn sentence(refused: VoteRefused) -> String {
    match refused {
        VoteRefused::Requester => {
            "You asked for this call yourself, so somebody else has to decide.".to_owned()
        }
        VoteRefused::AlreadyVoted => {
            "You have approved; others have to decide now. You can still deny.".to_owned()
        }
        VoteRefused::NotAnApprover => "You are not among those who may decide this.".to_owned(),
        VoteRefused::ReasonRequired | VoteRefused::NotPending(_) => String::new(),
    }
}

/// Who may meet a requirement.
fn whom(roles: &[String], users: &[String]) -> String {
    let roles = roles.iter().map(|role| format!("role {role}"));
    let all: Vec<_> = roles.chain(users.iter().cloned()).collect();
    match all.is_empty() {
        true => "nobody".to_owned(),
        false => all.join(" or "),
    }
}

fn needs(approval: &Approval) -> Vec<Need> {
    let mut missing = approval.missing().into_iter().peekable();
    let requirements = approval.call.requirements.iter();
    requirements
        .map(|requirement| {
            let need = requirement.quorum.max(1);
            // What is missing comes in the order of the requirements.
            let is_this = |missing: &gatehold_approvals::Missing| {
                missing.need == need
                    && missing.roles == requirement.roles
                    && missing.users == requirement.users
            };
            let open = missing.next_if(is_this);
            let whom = whom(&requirement.roles, &requirement.users);
            Need {
                have: open.as_ref().map_or(need, |missing| missing.have) as usize,
                need,
                met: open.is_none(),
                text: match need {
                    1 => format!("one of {whom}"),
                    _ => format!("{need} different people of {whom}"),
                },
            }
        })
        .collect()
}

fn said(vote: &Vote) -> Said {
    let (verdict, tone) = match vote.verdict {
        Verdict::Approve => ("approved", Tone::Good),
        Verdict::Deny => ("denied", Tone::Bad),
    };
    Said {
        by: vote.by.user.clone(),
        verdict,
        tone: tone.class(),
        reason: vote.reason.clone(),
        at: Moment::new(vote.at_unix_millis),
    }
}

fn before(approval: &Approval, other: &Approval, now: u64) -> Before {
    let (headline, tone) = headline(other);
    Before {
        id: other.id.to_string(),
        headline,
        tone: tone.class(),
        user: other.call.requester.user.clone(),
        asked: ago(now, other.created_unix_millis),
        same: other.call.arguments == approval.call.arguments,
        sample: sample(&other.call.arguments),
    }
}

fn counts(
    Earlier {
        approved,
        denied,
        other,
        ..
    }: &Earlier,
) -> String {
    let parts = [
        (approved, "approved"),
        (denied, "denied"),
        (other, "neither"),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(count, _)| **count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    parts.join(", ")
}

fn tool(approval: &Approval, definition: Definition) -> Tool {
    let parsed: Value = serde_json::from_str(&definition.json).unwrap_or_default();
    let text = |name: &str| parsed.get(name).and_then(Value::as_str).unwrap_or_default();
    let hints = [
        ("readOnlyHint", "read-only", "not read-only"),
        ("destructiveHint", "destructive", "not destructive"),
        ("idempotentHint", "idempotent", "not idempotent"),
        ("openWorldHint", "reaches outside", "stays inside"),
    ];
    let hints = hints.into_iter().filter_map(|(name, yes, no)| {
        let hint = parsed.get("annotations")?.get(name)?.as_bool()?;
        Some(if hint { yes } else { no }.to_owned())
    });
    Tool {
        description: text("description").to_owned(),
        hints: hints.collect(),
        changed: approval
            .definition
            .is_some_and(|digest| digest != definition.digest),
        json: definition.json,
    }
}
