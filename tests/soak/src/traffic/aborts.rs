//! Clients that go away: in the middle of their request, while they wait, in the middle of the answer.

use std::time::Duration;

use fastrand::Rng;
use serde_json::json;

use super::calls::tool;
use super::requests::{Asked, Ended};
use crate::tally::Outcome;
use crate::upstream::FORBIDDEN;
use crate::world::World;

/// Leaves when half of the body is sent.
pub(super) async fn in_request(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let fill = rng.usize(0..200_000);
    // No part of it may go on, because nobody knows yet what it would have been.
    let half = json!({ "secret": FORBIDDEN });
    let call = tool(world, rng, &asked, "get_customer", half, fill)?;
    let call = call.in_pieces_of(fill / 4 + 40).unfinished();
    let stay = Duration::from_millis(rng.u64(1..300));
    match tokio::time::timeout(stay, world.open(&call)).await {
        Err(_) => Ok(Ended::with(Outcome::Left)),
        // Nothing can be said about a request that is not whole, but that its body is too large.
        Ok(answer) => {
            let status = answer?.status();
            if status.is_success() {
                world
                    .tally
                    .violation("half a request was answered as if it were whole");
            }
            Ok(Ended::with(Outcome::Refused))
        }
    }
}

/// Leaves while the upstream works.
pub(super) async fn while_waiting(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let arguments = json!({ "delay": rng.u64(200..1500) });
    let fill = rng.usize(0..20_000);
    let call = tool(world, rng, &asked, "get_customer", arguments, fill)?;
    let stay = Duration::from_millis(rng.u64(1..400));
    match tokio::time::timeout(stay, world.send(&call)).await {
        Err(_) => Ok(Ended::with(Outcome::Left)),
        Ok(reply) => Ok(asked.judge_call(world, &reply?)),
    }
}

/// Leaves in the middle of an event stream.
pub(super) async fn in_answer(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let arguments = json!({ "answer": "sse", "events": 400, "pause": rng.u64(0..20) });
    let call = tool(world, rng, &asked, "stream_orders", arguments, 0)?;
    let mut exchange = world.open(&call).await?;
    for _ in 0..rng.u32(0..40) {
        match exchange.event().await? {
            Some(event) => asked.only_ours(world, &event),
            None => return Ok(Ended::with(Outcome::Answered)),
        }
    }
    Ok(Ended::with(Outcome::Left))
}
