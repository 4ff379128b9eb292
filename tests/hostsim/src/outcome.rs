//! What came of an exchange.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::pairs::{Pairs, get};

/// Headers and body as they went on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Headers in order.
    pub headers: Pairs,
    /// The whole body.
    pub body: Vec<u8>,
    /// The body in the pieces in which it went on.
    pub pieces: Vec<Vec<u8>>,
    /// Trailers.
    pub trailers: Pairs,
    /// Whether its end went on too.
    pub ended: bool,
}

impl Message {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        get(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// What is wrong with it as HTTP.
    pub(crate) fn problem(&self) -> Option<String> {
        let length = self.header("content-length")?;
        let told: Option<usize> = length.parse().ok();
        let wrong = self.ended && told != Some(self.body.len());
        wrong.then(|| format!("content-length {length}, but {} bytes", self.body.len()))
    }
}

/// What came of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What the upstream got, if anything.
    pub upstream: Option<Message>,
    /// What the client got, if anything.
    pub client: Option<Message>,
    /// Whether the stream was reset.
    pub reset: bool,
    /// Whether the filter replied by itself.
    pub replied: bool,
    /// What the filter published for the access log.
    pub filter_state: BTreeMap<String, String>,
}

impl Outcome {
    /// HTTP status that the client got.
    pub fn status(&self) -> Option<u16> {
        self.client.as_ref()?.header(":status")?.parse().ok()
    }

    /// Bytes of the body that the upstream got.
    pub fn upstream_body(&self) -> &[u8] {
        self.upstream.as_ref().map_or(&[], |message| &message.body)
    }

    /// The client's body; fails when it got no answer.
    pub fn answer(&self) -> &Message {
        self.client.as_ref().expect("the client has an answer")
    }

    /// Whether the client's body holds a text.
    pub fn shows(&self, text: &str) -> bool {
        self.client.as_ref().is_some_and(|message| {
            let bytes = text.as_bytes();
            message.body.windows(bytes.len()).any(|part| part == bytes)
        })
    }
}
