//! People who decide about calls that wait, through the API of the console.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::HarnessError;
use crate::http::{Call, Reply};
use crate::wait::until;

/// Audience of their tokens: what documents of tests have as `api.audiences`.
pub const AUDIENCE: &str = "gatehold-api";
/// How long until a call that was made is seen to wait.
const SEEN: Duration = Duration::from_secs(20);

/// Somebody with a token for the API.
#[derive(Clone, Debug)]
pub struct Approver {
    port: u16,
    token: String,
}

impl Approver {
    /// Somebody with this token, for the console at this port of this machine.
    #[must_use]
    pub fn new(port: u16, token: String) -> Self {
        Self { port, token }
    }

    /// Approvals by the parameters of the API, such as `state=pending&limit=10`; newest first.
    ///
    /// # Errors
    /// When the API does not answer with a list.
    pub async fn list(&self, query: &str) -> Result<Vec<Value>, HarnessError> {
        let reply = self
            .send(Call::get(&format!("/api/v1/approvals?{query}")))
            .await?;
        let answer = reply.json();
        let list = match answer.get("approvals") {
            Some(list) => list.as_array(),
            None => answer.as_array(),
        };
        let list = list.cloned().filter(|_| reply.status == 200);
        list.ok_or_else(|| HarnessError::Unexpected(format!("{}: {}", reply.status, reply.text())))
    }

    /// Those that wait for a decision, all of them, newest first.
    ///
    /// # Errors
    /// As [`Approver::list`].
    pub async fn pending(&self) -> Result<Vec<Value>, HarnessError> {
        let mut all = Vec::new();
        let mut before = String::new();
        loop {
            let page = self
                .list(&format!("state=pending&limit=200{before}"))
                .await?;
            let is_last = page.len() < 200;
            before = page
                .last()
                .map_or_else(String::new, |last| format!("&before={}", id_of(last)));
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Waits until this many wait for a decision, and gives their ids, newest first.
    ///
    /// # Errors
    /// When that does not come true within seconds.
    pub async fn wait_for_pending(&self, count: usize) -> Result<Vec<String>, HarnessError> {
        let waiting = until("calls wait for a decision", SEEN, async || {
            let pending = self.pending().await.map_err(|error| error.to_string())?;
            match pending.len() == count {
                true => Ok(pending),
                false => Err(format!("{} wait", pending.len())),
            }
        });
        Ok(waiting.await?.0.iter().map(id_of).collect())
    }

    /// One approval.
    ///
    /// # Errors
    /// When the API does not answer with it.
    pub async fn show(&self, id: &str) -> Result<Value, HarnessError> {
        let reply = self
            .send(Call::get(&format!("/api/v1/approvals/{id}")))
            .await?;
        if reply.status == 200 {
            return Ok(reply.json());
        }
        let (status, text) = (reply.status, reply.text());
        Err(HarnessError::Unexpected(format!("{status}: {text}")))
    }

    /// The state that an approval is in.
    ///
    /// # Errors
    /// As [`Approver::show`].
    pub async fn state(&self, id: &str) -> Result<String, HarnessError> {
        let approval = self.show(id).await?;
        let state = approval.get("state").and_then(Value::as_str);
        Ok(state.unwrap_or_default().to_owned())
    }

    /// Waits until an approval is in this state.
    ///
    /// # Errors
    /// When that does not come true by `deadline`.
    pub async fn wait_for_state(
        &self,
        id: &str,
        state: &str,
        deadline: Duration,
    ) -> Result<(), HarnessError> {
        let what = format!("approval {id} is {state}");
        let reached = until(&what, deadline, async || match self.state(id).await {
            Ok(found) if found == state => Ok(()),
            Ok(found) => Err(found),
            Err(error) => Err(error.to_string()),
        });
        reached.await.map(drop)
    }

    /// Approves; the answer says what came of it.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn approve(&self, id: &str, reason: &str) -> Result<Reply, HarnessError> {
        self.vote(id, "approve", reason).await
    }

    /// Denies; the answer says what came of it.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn deny(&self, id: &str, reason: &str) -> Result<Reply, HarnessError> {
        self.vote(id, "deny", reason).await
    }

    async fn vote(&self, id: &str, verdict: &str, reason: &str) -> Result<Reply, HarnessError> {
        let path = format!("/api/v1/approvals/{id}/{verdict}");
        self.send(Call::post(&path, json!({ "reason": reason }).to_string()))
            .await
    }

    async fn send(&self, call: Call) -> Result<Reply, HarnessError> {
        let call = call.without("accept").header("accept", "application/json");
        call.bearer(&self.token).send(self.port).await
    }
}

/// The id of an approval as the API shows it.
#[must_use]
pub fn id_of(approval: &Value) -> String {
    let id = approval.get("id").and_then(Value::as_str);
    id.unwrap_or_default().to_owned()
}
