//! Input that nobody should send.

use fastrand::Rng;
use gatehold_harness::{Call, message};
use serde_json::json;

use super::requests::{Asked, Ended, head, must_be_refused};
use crate::tally::Outcome;
use crate::upstream::FORBIDDEN;
use crate::world::{CRM, World, shaped};

/// A body of the corpus. What becomes of each is another test's business; here it has to come to an end.
pub(super) async fn corpus(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let at = rng.usize(0..world.corpus.len().max(1));
    let Some((name, body)) = world.corpus.get(at) else {
        anyhow::bail!("the corpus is empty");
    };
    let size = body.len();
    let call = Call::post(CRM, body.clone()).header("mcp-protocol-version", message::LEGACY);
    let token = world.token(rng, "alice", CRM)?;
    let reply = world.send(&shaped(rng, call, size).bearer(&token)).await?;
    let said = format!("{name}: {} {}", reply.status, head(&reply.text()));
    if reply.status.is_server_error() {
        world.tally.violation(format!("hostile input: {said}"));
    }
    let outcome = if reply.status.is_success() {
        Outcome::Answered
    } else {
        Outcome::Refused
    };
    Ok(Ended { outcome, said })
}

/// Without a token, or with one that does not hold.
pub(super) async fn unknown(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let params = json!({ "name": "get_customer", "arguments": { "secret": FORBIDDEN } });
    let call = asked.request(rng.bool(), CRM, "tools/call", &params);
    let call = match rng.u32(0..3) {
        0 => call,
        1 => call.bearer("not.a.token"),
        // For another server.
        _ => call.bearer(&world.sign("alice", "/elsewhere/mcp")?),
    };
    let reply = world.send(&shaped(rng, call, 300)).await?;
    if reply.status != 401 {
        world.tally.violation(format!(
            "without a good token: {} {}",
            reply.status,
            head(&reply.text())
        ));
    }
    Ok(Ended::with(Outcome::Refused))
}

/// More than the limit of a body.
pub(super) async fn too_large(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let fill = (1 << 20) + rng.usize(0..500_000);
    let arguments = json!({ "secret": FORBIDDEN });
    let call = super::calls::tool(world, rng, &asked, "get_customer", arguments, fill)?;
    let reply = world.send(&call).await;
    // A client that still sends may find the connection closed before it reads why.
    let Ok(reply) = reply else {
        return Ok(Ended::with(Outcome::Refused));
    };
    let ended = Ended {
        outcome: if reply.status == 200 {
            Outcome::Answered
        } else {
            Outcome::Refused
        },
        said: format!("{} {}", reply.status, head(&reply.text())),
    };
    Ok(must_be_refused(world, "a body over the limit", ended))
}
