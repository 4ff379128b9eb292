//! Requests in both eras with ids of their own, and whose answer it was that came.

use gatehold_harness::{Call, Reply, message};
use serde_json::{Value, json};

use crate::tally::Outcome;
use crate::world::World;

/// What stands before the number in a marker.
const MARKER: &str = "mark-";

/// How a piece of traffic ended, with words for what went wrong.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    /// How.
    pub(super) outcome: Outcome,
    /// Status and body, or the error.
    pub(super) said: String,
}

impl Ended {
    /// Without words.
    #[must_use]
    pub(super) fn with(outcome: Outcome) -> Self {
        Self {
            outcome,
            said: String::new(),
        }
    }
}

/// One request that can be told from all others.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Its id: an integer or a string.
    pub(super) id: Value,
    /// A word that stands in its arguments and in its answer.
    pub(super) marker: String,
}

impl Asked {
    /// A new one.
    #[must_use]
    pub(super) fn new(world: &World) -> Self {
        let number = world.number();
        let id = if number.is_multiple_of(2) {
            json!(number)
        } else {
            json!(format!("r-{number}"))
        };
        // The end mark keeps one number from being the start of another.
        let marker = format!("{MARKER}{number}.");
        Self { id, marker }
    }

    /// The JSON-RPC request.
    #[must_use]
    pub(super) fn body(&self, method: &str, params: &Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": self.id, "method": method, "params": params })
    }

    /// As a client of either era sends it.
    #[must_use]
    pub(super) fn request(&self, modern: bool, path: &str, method: &str, params: &Value) -> Call {
        if !modern {
            let call = Call::post(path, self.body(method, params).to_string());
            return call.header("mcp-protocol-version", message::LEGACY);
        }
        // The harness knows the headers; only the id is ours.
        let call = message::modern(path, method, params);
        let mut params = params.clone();
        if let Some(params) = params.as_object_mut() {
            params.insert(
                "_meta".to_owned(),
                json!({ "io.modelcontextprotocol/protocolVersion": message::MODERN,
                    "io.modelcontextprotocol/clientCapabilities": {} }),
            );
        }
        call.body(self.body(method, &params).to_string())
    }

    /// Whether `reply` is the answer to this request, and which; what belongs to another is a violation.
    #[must_use]
    pub(super) fn judge(&self, world: &World, reply: &Reply) -> Ended {
        let text = reply.text();
        self.only_ours(world, &text);
        let outcome = if reply.status != 200 {
            Outcome::Failed
        } else {
            let answer = reply.json();
            if answer.get("id") != Some(&self.id) {
                world.tally.violation(format!(
                    "the answer to {} has another id: {}",
                    self.id,
                    head(&text)
                ));
                Outcome::Failed
            } else if refused(&answer) {
                Outcome::Refused
            } else {
                Outcome::Answered
            }
        };
        Ended {
            outcome,
            said: format!("{} {}", reply.status, head(&text)),
        }
    }

    /// As [`Asked::judge`], for one that has to run: its marker must be in the answer.
    #[must_use]
    pub(super) fn judge_call(&self, world: &World, reply: &Reply) -> Ended {
        let ended = self.judge(world, reply);
        if ended.outcome == Outcome::Answered && !reply.text().contains(&self.marker) {
            world.tally.violation(format!(
                "the answer to {} lacks its marker: {}",
                self.marker, ended.said
            ));
        }
        ended
    }

    /// Holds that `text` has no marker but ours.
    pub(super) fn only_ours(&self, world: &World, text: &str) {
        for (at, _) in text.match_indices(MARKER) {
            let rest = text.get(at..).unwrap_or_default();
            if !rest.starts_with(&self.marker) {
                world.tally.violation(format!(
                    "the answer to {} has a part of another: {}",
                    self.marker,
                    head(rest)
                ));
            }
        }
    }
}

/// Whether an answer says that the request was not carried out.
#[must_use]
pub(crate) fn refused(answer: &Value) -> bool {
    answer.get("error").is_some() || answer.pointer("/result/isError") == Some(&json!(true))
}

/// Holds that what had to be refused was; an HTTP error status does it too.
pub(super) fn must_be_refused(world: &World, what: &str, ended: Ended) -> Ended {
    match ended.outcome {
        Outcome::Answered => {
            world
                .tally
                .violation(format!("{what} was allowed: {}", ended.said));
            ended
        }
        Outcome::Failed => Ended {
            outcome: Outcome::Refused,
            ..ended
        },
        _ => ended,
    }
}

/// Holds that what had to be allowed was.
pub(super) fn must_be_allowed(world: &World, what: &str, ended: Ended) -> Ended {
    if ended.outcome == Outcome::Refused {
        world
            .tally
            .violation(format!("{what} was refused: {}", ended.said));
    }
    ended
}

/// The beginning of a text.
#[must_use]
pub(super) fn head(text: &str) -> String {
    text.chars().take(200).collect()
}
