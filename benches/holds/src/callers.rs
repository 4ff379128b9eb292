//! Clients that wait: each asks again when it is told that its call is pending, so that it goes on waiting.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use bytes::Bytes;
use gatehold_harness::{Approver, Harness, message};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const CRM: &str = "/crm/mcp";
/// Calls of one user, of whom no more than a hundred may wait.
const PER_USER: usize = 90;
/// What Envoy takes on one connection at a time.
const PER_CONNECTION: usize = 100;

/// Makes one call that waits and is let through.
pub(crate) async fn warm(harness: &Harness, approver: &Approver) -> anyhow::Result<()> {
    let token = harness.token("warm", &[], CRM)?;
    let arguments = json!({ "order": "warm", "amount": 500 });
    let call =
        message::legacy(CRM, "tools/call", &message::tool("refund", &arguments)).bearer(&token);
    let port = harness.port();
    let waiting = tokio::spawn(async move { call.send(port).await });
    let id = approver.wait_for_pending(1).await?.remove(0);
    approver.approve(&id, "").await?;
    waiting.await??;
    Ok(())
}

/// Makes that many calls; they wait for as long as what is returned lives.
pub(crate) async fn call(harness: &Harness, count: usize) -> anyhow::Result<JoinSet<()>> {
    let mut callers = JoinSet::new();
    let port = harness.port();
    let mut connection = connect(port).await?;
    for number in 0..count {
        if number > 0 && number.is_multiple_of(PER_CONNECTION) {
            connection = connect(port).await?;
        }
        let user = format!("user-{}", number / PER_USER);
        let token = harness.token(&user, &[], CRM)?;
        let arguments = json!({
            "order": format!("order-{number}"), "amount": 500,
            "note": "the customer says that the parcel came late, and that it was the wrong one",
        });
        let body =
            message::request(1, "tools/call", &message::tool("refund", &arguments)).to_string();
        callers.spawn(wait(connection.clone(), port, token, body));
    }
    Ok(callers)
}

async fn connect(port: u16) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .context("cannot connect to Envoy")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// Asks until the call has run or it is refused for good.
async fn wait(mut sender: SendRequest<Full<Bytes>>, port: u16, token: String, body: String) {
    loop {
        let request = Request::post(format!("http://127.0.0.1:{port}{CRM}"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", message::LEGACY)
            .header("authorization", format!("Bearer {token}"))
            .body(Full::from(body.clone()));
        let Ok(request) = request else { return };
        let Ok(answer) = sender.send_request(request).await else {
            return;
        };
        let Ok(answer) = answer.into_body().collect().await else {
            return;
        };
        let answer = answer.to_bytes();
        let is_pending = answer.windows(11).any(|window| window == b"/approvals/");
        if !is_pending {
            return;
        }
    }
}
