//! Single requests: calls that policy allows, denies, or allows now and then; lists; resources; batches.

use fastrand::Rng;
use gatehold_harness::{Call, message};
use serde_json::{Value, json};

use super::requests::{Asked, Ended, head, must_be_allowed, must_be_refused};
use crate::documents::{ALWAYS, NEVER, SOMETIMES};
use crate::tally::Outcome;
use crate::upstream::FORBIDDEN;
use crate::world::{CRM, World, shaped, user};

/// How a call goes and what comes back.
fn size(rng: &mut Rng) -> usize {
    match rng.u32(0..100) {
        0..60 => rng.usize(0..200),
        60..88 => rng.usize(1_000..8_000),
        88..98 => rng.usize(20_000..80_000),
        _ => rng.usize(300_000..800_000),
    }
}

/// `tools/call` with these arguments and one more that fills it up.
pub(super) fn tool(
    world: &World,
    rng: &mut Rng,
    asked: &Asked,
    name: &str,
    mut arguments: Value,
    fill: usize,
) -> anyhow::Result<Call> {
    if let Some(arguments) = arguments.as_object_mut() {
        arguments.insert("marker".to_owned(), json!(asked.marker));
        arguments.insert("fill".to_owned(), json!("y".repeat(fill)));
    }
    let params = json!({ "name": name, "arguments": arguments });
    let call = asked.request(rng.bool(), CRM, "tools/call", &params);
    let who = user(rng);
    Ok(shaped(rng, call, fill + 300).bearer(&world.token(rng, who, CRM)?))
}

/// A call that both states of the policy allow, answered in JSON.
pub(super) async fn allowed(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let (sent, answered) = (size(rng), size(rng));
    let (name, arguments) = if rng.bool() {
        ("get_customer", json!({ "size": answered }))
    } else {
        (
            "refund",
            json!({ "size": answered, "amount": rng.u64(1..=ALWAYS) }),
        )
    };
    let call = tool(world, rng, &asked, name, arguments, sent)?;
    let reply = world.send(&call).await?;
    let ended = asked.judge_call(world, &reply);
    Ok(must_be_allowed(world, "an allowed call", ended))
}

/// The same, answered by a stream of many events.
pub(super) async fn streamed(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let events = rng.u64(5..300);
    let arguments = json!({ "answer": "sse", "events": events, "pause": 0, "size": size(rng) });
    let fill = size(rng);
    let call = tool(world, rng, &asked, "stream_orders", arguments, fill)?;
    let reply = world.send(&call).await?;
    let count = u64::try_from(reply.messages().len()).unwrap_or_default();
    let ended = asked.judge_call(world, &reply);
    if ended.outcome == Outcome::Answered && count != events + 1 {
        world.tally.violation(format!(
            "{count} messages of {} came in {}",
            events + 1,
            asked.marker
        ));
    }
    Ok(must_be_allowed(world, "an allowed stream", ended))
}

/// A call that neither state allows.
pub(super) async fn denied(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let secret = format!("{FORBIDDEN}{}", world.number());
    let (name, arguments) = match rng.u32(0..3) {
        0 => ("refund", json!({ "amount": NEVER, "secret": secret })),
        1 => ("delete_customer", json!({ "secret": secret })),
        _ => ("unheard_of", json!({ "secret": secret })),
    };
    let fill = size(rng);
    let call = tool(world, rng, &asked, name, arguments, fill)?;
    let reply = world.send(&call).await?;
    let ended = asked.judge(world, &reply);
    Ok(must_be_refused(world, "a denied call", ended))
}

/// A call that is allowed in one state of the policy only.
pub(super) async fn undecided(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let fill = size(rng);
    let call = tool(
        world,
        rng,
        &asked,
        "refund",
        json!({ "amount": SOMETIMES }),
        fill,
    )?;
    let reply = world.send(&call).await?;
    Ok(asked.judge_call(world, &reply))
}

/// A list, which must not show what nobody may call.
pub(super) async fn listed(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let lists = ["tools/list", "prompts/list", "resources/list"];
    let method = lists.get(rng.usize(0..3)).copied().unwrap_or("tools/list");
    let modern = rng.bool();
    let mut call = asked.request(modern, CRM, method, &json!({}));
    if modern && rng.u32(0..4) == 0 {
        // The modern era has no sessions: the upstream must not see this one, and looks for it.
        call = call.header("mcp-session-id", "made-up");
    }
    let token = world.token(rng, "alice", CRM)?;
    let reply = world.send(&shaped(rng, call, 100).bearer(&token)).await?;
    for hidden in ["delete_customer", "\"internal\"", "crm://internal/"] {
        if reply.text().contains(hidden) {
            world
                .tally
                .violation(format!("{method} shows {hidden}: {}", head(&reply.text())));
        }
    }
    let ended = asked.judge(world, &reply);
    Ok(must_be_allowed(world, "a list", ended))
}

/// A resource that may be read, or one that may not.
pub(super) async fn read(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let open = rng.bool();
    let uri = if open {
        format!("crm://public/{}", world.number())
    } else {
        format!("crm://internal/{FORBIDDEN}{}", world.number())
    };
    let call = asked.request(rng.bool(), CRM, "resources/read", &json!({ "uri": uri }));
    let token = world.token(rng, "bob", CRM)?;
    let reply = world.send(&shaped(rng, call, 100).bearer(&token)).await?;
    let ended = asked.judge(world, &reply);
    Ok(if open {
        must_be_allowed(world, "an open resource", ended)
    } else {
        must_be_refused(world, "an internal resource", ended)
    })
}

/// A batch of 2025-03-26. With a denied call in it nothing of it may go on.
pub(super) async fn batch(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let denied = rng.bool();
    let asked = [Asked::new(world), Asked::new(world)];
    let mut elements: Vec<Value> = asked
        .iter()
        .map(|asked| {
            let params = json!({ "name": "get_customer", "arguments": {
                "marker": asked.marker, "note": if denied { FORBIDDEN } else { "" } } });
            asked.body("tools/call", &params)
        })
        .collect();
    if denied {
        let params = json!({ "name": "delete_customer", "arguments": { "secret": FORBIDDEN } });
        elements.insert(
            rng.usize(0..3),
            Asked::new(world).body("tools/call", &params),
        );
    }
    let call = Call::post(CRM, Value::Array(elements).to_string());
    let call = shaped(rng, call, 600).header("mcp-protocol-version", "2025-03-26");
    let token = world.token(rng, "carol", CRM)?;
    let reply = world.send(&call.bearer(&token)).await?;
    let text = reply.text();
    let answers = reply.json();
    let ran = answers.as_array().is_some_and(|answers| {
        answers
            .iter()
            .any(|answer| !super::requests::refused(answer))
    });
    if denied && ran {
        world
            .tally
            .violation(format!("a batch with a denied call ran: {}", head(&text)));
    }
    let whole = asked.iter().all(|asked| text.contains(&asked.marker));
    if ran && !whole {
        world
            .tally
            .violation(format!("a batch lacks an answer: {}", head(&text)));
    }
    Ok(Ended::with(if ran {
        Outcome::Answered
    } else {
        Outcome::Refused
    }))
}

/// A notification or the answer to a server's request, to which no answer is due. Without a session they go
/// nowhere, and the client cannot tell.
pub(super) async fn unanswered(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let body = if rng.bool() {
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": world.number() } })
    } else {
        json!({ "jsonrpc": "2.0", "id": world.number(), "result": { "roots": [] } })
    };
    let call = Call::post(CRM, body.to_string()).header("mcp-protocol-version", message::LEGACY);
    let token = world.token(rng, "dave", CRM)?;
    let reply = world.send(&shaped(rng, call, 100).bearer(&token)).await?;
    Ok(Ended {
        outcome: if reply.status == 202 {
            Outcome::Answered
        } else {
            Outcome::Failed
        },
        said: format!("{} {}", reply.status, head(&reply.text())),
    })
}

/// A call whose upstream breaks off before its answer, in the middle of it, or in the middle of a stream.
pub(super) async fn reset(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let place = ["before", "json", "sse"];
    let place = place.get(rng.usize(0..3)).copied().unwrap_or("before");
    let arguments = json!({
        "reset": place, "answer": if place == "sse" { "sse" } else { "json" },
        "events": rng.u64(2..40), "delay": rng.u64(0..30), "size": size(rng),
    });
    let fill = size(rng);
    let call = tool(world, rng, &asked, "get_customer", arguments, fill)?;
    let reply = world.send(&call).await?;
    let text = reply.text();
    asked.only_ours(world, &text);
    // A stream whose end is missing is a broken answer; what came before the break may stand.
    let ended = reply.status == 200 && reply.json().get("result").is_some();
    if ended {
        world.tally.violation(format!(
            "an answer that the upstream broke off ({place}) came as a whole: {}",
            head(&text)
        ));
    }
    Ok(Ended {
        outcome: if reply.status == 200 {
            Outcome::Broken
        } else {
            Outcome::Failed
        },
        said: format!("{place}: {} {}", reply.status, head(&text)),
    })
}
