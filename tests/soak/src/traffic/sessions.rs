//! What lasts longer than a request: legacy sessions with their streams, subscriptions, and the stock servers.

use std::time::Duration;

use anyhow::Context as _;
use fastrand::Rng;
use gatehold_harness::{Call, Exchange, Reply, Version, message};
use serde_json::{Value, json};

use super::requests::{Asked, Ended, head, must_be_allowed};
use crate::tally::Outcome;
use crate::upstream::FORBIDDEN;
use crate::world::{CRM, DESK, EVERYTHING, World, user};

/// A session: who has it, over what, and its id as the client got it.
struct Session<'a> {
    world: &'a World,
    path: &'static str,
    token: String,
    version: Version,
    id: String,
}

impl<'a> Session<'a> {
    async fn open(world: &'a World, rng: &mut Rng, path: &'static str) -> anyhow::Result<Self> {
        let who = user(rng);
        let mut session = Self {
            world,
            path,
            // One token for all of it: another could be of another agent, whose session this is not.
            token: world.token(rng, who, path)?,
            version: if rng.bool() {
                Version::Http1
            } else {
                Version::Http2
            },
            id: String::new(),
        };
        let params = json!({ "protocolVersion": message::LEGACY, "capabilities": {},
            "clientInfo": { "name": "soak", "version": "1" } });
        let asked = Asked::new(world);
        let call = Call::post(path, asked.body("initialize", &params).to_string());
        let reply = session.send(call).await?;
        let ended = asked.judge(world, &reply);
        anyhow::ensure!(
            ended.outcome == Outcome::Answered,
            "initialize: {}",
            ended.said
        );
        session.id = reply.header("mcp-session-id").to_owned();
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let reply = session.send(session.post(&ready)).await?;
        anyhow::ensure!(reply.status == 202, "initialized: {}", reply.status);
        Ok(session)
    }

    fn with_headers(&self, call: Call) -> Call {
        let call = call.header("mcp-protocol-version", message::LEGACY);
        let call = call.bearer(&self.token).over(self.version);
        if self.id.is_empty() {
            call
        } else {
            call.header("mcp-session-id", &self.id)
        }
    }

    fn post(&self, body: &Value) -> Call {
        Call::post(self.path, body.to_string())
    }

    async fn send(&self, call: Call) -> anyhow::Result<Reply> {
        self.world.send(&self.with_headers(call)).await
    }

    async fn stream(&self) -> anyhow::Result<Exchange> {
        let call = Call::get(self.path).header("accept", "text/event-stream");
        self.world.open(&self.with_headers(call)).await
    }

    async fn call(&self, tool: &str, arguments: impl Fn(&str) -> Value) -> anyhow::Result<()> {
        let asked = Asked::new(self.world);
        let params = json!({ "name": tool, "arguments": arguments(&asked.marker) });
        let reply = self
            .send(self.post(&asked.body("tools/call", &params)))
            .await?;
        let ended = asked.judge_call(self.world, &reply);
        let ended = must_be_allowed(self.world, "a call in a session", ended);
        anyhow::ensure!(ended.outcome == Outcome::Answered, "{tool}: {}", ended.said);
        Ok(())
    }

    /// Somebody else's request in this session: for them there is none.
    async fn intrude(&self) -> anyhow::Result<()> {
        let params = json!({ "name": "get_customer", "arguments": { "secret": FORBIDDEN } });
        let call = self.post(&Asked::new(self.world).body("tools/call", &params));
        let call = self.with_headers(call).without("authorization");
        let token = self.world.warm("eve", self.path)?;
        let reply = self.world.send(&call.bearer(&token)).await?;
        if reply.status != 404 {
            self.world.tally.violation(format!(
                "a foreign session: {} {}",
                reply.status,
                head(&reply.text())
            ));
        }
        Ok(())
    }

    async fn close(self) -> anyhow::Result<Ended> {
        let reply = self.send(Call::delete(self.path)).await?;
        Ok(Ended {
            outcome: if reply.status.is_success() {
                Outcome::Answered
            } else {
                Outcome::Failed
            },
            said: format!("DELETE: {} {}", reply.status, head(&reply.text())),
        })
    }
}

/// A session with the scripted upstream: calls while a GET stream is open, an answer to a request, and the end.
pub(super) async fn legacy(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let session = Session::open(world, rng, CRM).await?;
    let mut stream = session.stream().await?;
    anyhow::ensure!(stream.status() == 200, "GET: {}", stream.status());
    for _ in 0..rng.u32(1..4) {
        session
            .call("get_customer", |marker| json!({ "marker": marker }))
            .await?;
        stream.event().await?.context("the GET stream ended")?;
    }
    session.intrude().await?;
    let pong = json!({ "jsonrpc": "2.0", "id": "server-1", "result": {} });
    let reply = session.send(session.post(&pong)).await?;
    anyhow::ensure!(reply.status == 202, "a response: {}", reply.status);
    if rng.u32(0..3) == 0 {
        drop(stream);
    } else {
        while rng.u32(0..20) > 0 && stream.event().await?.is_some() {}
    }
    session.close().await
}

/// A session with the stock server of the earlier protocols.
pub(super) async fn everything(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let session = Session::open(world, rng, EVERYTHING).await?;
    let stream = session.stream().await?;
    anyhow::ensure!(stream.status() == 200, "GET: {}", stream.status());
    session
        .call("echo", |marker| json!({ "message": marker }))
        .await?;
    let asked = Asked::new(world);
    let list = session.post(&asked.body("tools/list", &json!({})));
    let reply = session.send(list).await?;
    let ended = asked.judge(world, &reply);
    anyhow::ensure!(ended.outcome == Outcome::Answered, "list: {}", ended.said);
    session.close().await
}

/// Requests to the stock server of the modern protocol.
pub(super) async fn desk(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let (method, params) = match rng.u32(0..4) {
        0 => (
            "tools/call",
            json!({ "name": "slow", "arguments": { "steps": rng.u32(1..6), "delayMs": 20 } }),
        ),
        1 => ("resources/read", json!({ "uri": "crm://handbook/tone" })),
        2 => ("tools/list", json!({})),
        _ => (
            "tools/call",
            json!({ "name": "echo", "arguments": { "text": asked.marker } }),
        ),
    };
    let call = asked.request(true, DESK, method, &params);
    let token = world.token(rng, "alice", DESK)?;
    let reply = world.send(&call.bearer(&token)).await?;
    let ended = asked.judge(world, &reply);
    if reply.text().contains("delete_customer") {
        world
            .tally
            .violation(format!("a stock list shows too much: {}", ended.said));
    }
    Ok(must_be_allowed(
        world,
        "a request to the stock server",
        ended,
    ))
}

/// The code of the error that ends a stream whose caller is no longer let in.
const ENDED: &str = "-31401";

/// A subscription that is left after a while, or read until the server ends it.
pub(super) async fn listen(world: &World, rng: &mut Rng) -> anyhow::Result<Ended> {
    let asked = Asked::new(world);
    let path = if rng.u32(0..4) == 0 { DESK } else { CRM };
    let params = json!({ "notifications": { "toolsListChanged": true } });
    let call = asked.request(true, path, "subscriptions/listen", &params);
    let call = call.over(if rng.bool() {
        Version::Http1
    } else {
        Version::Http2
    });
    let token = world.token(rng, "carol", path)?;
    let mut exchange = world.open(&call.bearer(&token)).await?;
    anyhow::ensure!(exchange.status() == 200, "listen: {}", exchange.status());
    let first = exchange.event().await?.context("no acknowledgement")?;
    // What tokens are verified by may change between the answer's headers and its first event.
    if first.contains(ENDED) {
        return Ok(Ended::with(Outcome::Left));
    }
    if !first.contains("acknowledged") {
        world
            .tally
            .violation(format!("a subscription starts with: {}", head(&first)));
    }
    let stay = Duration::from_millis(rng.u64(50..4000));
    let rest = async {
        while exchange.event().await?.is_some() {}
        anyhow::Ok(())
    };
    match tokio::time::timeout(stay, rest).await {
        Err(_) => Ok(Ended::with(Outcome::Left)),
        Ok(ended) => ended.map(|()| Ended::with(Outcome::Answered)),
    }
}
