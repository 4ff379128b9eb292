//! What the load generator is asked to do, and what it found.

use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::schedule::Schedule;

/// Requests to one port.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where to.
    pub port: u16,
    /// Over how many connections, which stay open between jobs.
    pub connections: usize,
    /// What is sent, one after the other and again from the first.
    pub requests: Vec<Arc<[u8]>>,
    /// When.
    pub plan: Plan,
    /// What every answer must be; anything is good if absent, and the first answer is then kept.
    pub expected: Option<Expected>,
}

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub enum Plan {
    /// The first request, once.
    Once,
    /// Closed loop: each connection sends the next request as soon as it has its answer, for so long, and no more
    /// than so many in all.
    Closed {
        /// How long.
        length: Duration,
        /// At most so many requests.
        at_most: usize,
    },
    /// Open loop: each request has its time in advance, whatever becomes of those before it.
    Open(Schedule),
}

/// What an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The HTTP status.
    pub status: u16,
    /// Bytes of the body.
    pub length: u64,
    /// How many bytes more or less it may be.
    pub slack: u64,
}

impl Expected {
    /// Whether an answer is like that.
    #[must_use]
    pub fn is_met(&self, status: u16, length: u64) -> bool {
        self.status == status && self.length.abs_diff(length) <= self.slack
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// `mcp-session-id`.
    pub session: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What to expect of further answers of the kind.
    #[must_use]
    pub fn expected(&self) -> Expected {
        Expected {
            status: self.status,
            length: u64::try_from(self.body.len()).unwrap_or(u64::MAX),
            slack: 0,
        }
    }
}

/// What a job found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Answers.
    pub answered: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Nanoseconds from the time at which a request was to be sent to the end of its answer.
    pub latencies: Histogram<u64>,
    /// The first answer, if the job does not say what to expect.
    pub first: Option<Reply>,
}
