//! The requests of one worker that wait, and the messages about them that have to reach control.
//!
//! Pure: the root context moves the messages and wakes the exchanges. After a reconnect everything that is open is
//! said again, which control takes as often as it comes.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Weak;

use gatehold_wire::hold::{self, from_filter, to_filter};
use prost::Message as _;

use crate::exchange::Exchange;

/// Requests of one worker that may wait at once.
const MAX_WAITING: usize = 20_000;
/// Messages about requests that wait no longer which are kept while control is away; the oldest go first.
const MAX_NOTICES: usize = 100_000;

/// Bytes of what tells control of requests that wait: a worker has little memory, and clients choose how much it is.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// Bytes of the other messages.
const MAX_NOTICE_BYTES: usize = 32 << 20;
/// Messages that were sent last, and are said again on the next stream: they may not have arrived on the one before.
const AGAIN: usize = 256;
/// Bytes of a message that is kept for that.
const MAX_AGAIN: usize = 16 << 10;
/// Waiters that ran last, for which a grant that comes twice is no news.
const RAN: usize = 1024;

/// Why a call did not run whose client is gone.
pub const CLIENT_GONE: &str = "the client went away";

/// The requests that wait, and what is to be sent.
#[derive(Debug, Default)]
pub struct Holds {
    waiting: HashMap<String, Waiting>,
    waiting_bytes: usize,
    notice_bytes: usize,
    sent: VecDeque<Vec<u8>>,
    ran: VecDeque<String>,
    stream: Stream,
    /// Waiters of which something has not been sent on the stream that is open.
    unsent: VecDeque<(String, What)>,
    notices: VecDeque<Vec<u8>>,
    /// No deadline is earlier than this (nanoseconds).
    next_due: u64,
}

/// Whether there is a stream to send on; without one nothing is noted as unsent, since all is said again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stream {
    #[default]
    Closed,
    Open,
}

/// What of a waiter has not been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    All,
    Claim,
}

/// A request that begins to wait.
#[derive(Debug)]
pub struct Entry {
    /// Its context, and how to reach it.
    pub place: Place,
    /// When it has to be answered at the latest, in nanoseconds since the Unix epoch.
    pub deadline: u64,
    /// What tells control of it.
    pub opening: from_filter::Message,
}

/// Where a request that waits is to be found.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The host's number of its context.
    pub context: u32,
    /// The exchange itself; gone when the stream is.
    pub exchange: Weak<RefCell<Exchange>>,
}

#[derive(Debug)]
struct Waiting {
    place: Place,
    deadline: u64,
    opening: Vec<u8>,
    /// Until control has answered it: by which approval it would run, and the message.
    claim: Option<(String, Vec<u8>)>,
    /// Control may have heard of it.
    told: bool,
}

/// What control says to one request that waits.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It waits under an approval.
    Pending(Pending),
    /// What came of it.
    Decided(hold::Decided),
    /// Whether it may run.
    Claimed(hold::Claimed),
    /// What became of a task.
    Task(hold::TaskState),
    /// Its client has cancelled it.
    Cancelled,
    /// Its time is over.
    Due,
}

/// The approval that a request waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Its id.
    pub approval: String,
    /// Its page; empty when there is none.
    pub url: String,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires_unix_millis: u64,
}

pub use hold::leave::Why as Leave;
pub use hold::report::Progress;

impl Holds {
    /// Takes a request in. `false` when too many wait already.
    pub fn enter(&mut self, waiter: &str, entry: Entry) -> bool {
        let Entry {
            place,
            deadline,
            opening,
        } = entry;
        let opening = encode(opening);
        let bytes = self.waiting_bytes.saturating_add(opening.len());
        if self.waiting.len() >= MAX_WAITING || bytes > MAX_WAITING_BYTES {
            return false;
        }
        self.waiting_bytes = bytes;
        self.next_due = self.next_due.min(deadline);
        if self.waiting.is_empty() {
            self.next_due = deadline;
        }
        let waiting = Waiting {
            place,
            deadline,
            opening,
            claim: None,
            told: false,
        };
        self.waiting.insert(waiter.to_owned(), waiting);
        self.unsent(waiter, What::All);
        true
    }

    /// Says that a request would run now.
    pub fn claim(&mut self, waiter: &str, claim: hold::Claim, deadline: u64) {
        if let Some(waiting) = self.waiting.get_mut(waiter) {
            let approval = claim.approval.clone();
            waiting.claim = Some((approval, encode(from_filter::Message::Claim(claim))));
            waiting.deadline = deadline;
            self.next_due = self.next_due.min(deadline);
            self.unsent(waiter, What::Claim);
        }
    }

    /// Control has said whether a request may run.
    pub fn answered(&mut self, waiter: &str) {
        if let Some(waiting) = self.waiting.get_mut(waiter) {
            waiting.claim = None;
        }
    }

    fn unsent(&mut self, waiter: &str, what: What) {
        if self.stream == Stream::Open {
            self.unsent.push_back((waiter.to_owned(), what));
        }
    }

    /// Lets a request go because it runs.
    pub fn run(&mut self, waiter: &str) {
        self.leave(waiter, None);
        if self.ran.len() >= RAN {
            self.ran.pop_front();
        }
        self.ran.push_back(waiter.to_owned());
    }

    /// Whether a request was let go because it runs, not long ago.
    pub fn has_run(&self, waiter: &str) -> bool {
        self.ran.iter().any(|ran| ran == waiter)
    }

    /// Lets a request go, and tells control why it waits no longer, unless there is nothing to tell.
    pub fn leave(&mut self, waiter: &str, why: Option<Leave>) {
        let Some(gone) = self.waiting.remove(waiter) else {
            return;
        };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(gone.opening.len());
        // What was never said needs no end.
        let (Some(why), true) = (why, gone.told) else {
            return;
        };
        self.notice(from_filter::Message::Leave(hold::Leave {
            waiter: waiter.to_owned(),
            why: why.into(),
        }));
        // Control may have granted it, and its answer be lost: nobody else can say that nothing runs by it.
        if let Some((approval, _)) = gone.claim {
            let detail = match why {
                Leave::Gone => CLIENT_GONE,
                _ => "the answer of control came too late",
            };
            self.notice(from_filter::Message::Report(hold::Report {
                waiter: waiter.to_owned(),
                approval,
                progress: Progress::NotRun.into(),
                detail: detail.to_owned(),
                result: Vec::new(),
            }));
        }
    }

    /// Has something said that needs no answer.
    pub fn notice(&mut self, message: from_filter::Message) {
        let message = encode(message);
        self.notice_bytes = self.notice_bytes.saturating_add(message.len());
        self.notices.push_back(message);
        while self.notices.len() > MAX_NOTICES || self.notice_bytes > MAX_NOTICE_BYTES {
            let Some(oldest) = self.notices.pop_front() else {
                break;
            };
            self.notice_bytes = self.notice_bytes.saturating_sub(oldest.len());
        }
    }

    /// Whether control has to hear something.
    pub fn has_news(&self) -> bool {
        !self.unsent.is_empty() || !self.notices.is_empty() || !self.waiting.is_empty()
    }

    /// All that wait.
    pub fn waiters(&self) -> Vec<String> {
        self.waiting.keys().cloned().collect()
    }

    /// A stream has been opened: everything that is open has to be said on it.
    pub fn reopened(&mut self) {
        self.stream = Stream::Open;
        let again = std::mem::take(&mut self.sent);
        for message in again.into_iter().rev() {
            self.notice_bytes = self.notice_bytes.saturating_add(message.len());
            self.notices.push_front(message);
        }
        let waiters = self.waiting.keys().cloned();
        self.unsent = waiters.map(|waiter| (waiter, What::All)).collect();
    }

    /// The stream is gone.
    pub fn closed(&mut self) {
        self.stream = Stream::Closed;
        self.unsent.clear();
    }

    /// What is to be sent next; it is taken for sent.
    pub fn next_messages(&mut self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let Some((waiter, what)) = self.unsent.pop_front() {
            if let Some(waiting) = self.waiting.get_mut(&waiter) {
                waiting.told = true;
                if what == What::All {
                    messages.push(waiting.opening.clone());
                }
                messages.extend(waiting.claim.as_ref().map(|(_, message)| message.clone()));
            }
        }
        self.notice_bytes = 0;
        for notice in self.notices.drain(..) {
            // Definitions are told anew by whoever sees them.
            if notice.len() < MAX_AGAIN {
                if self.sent.len() >= AGAIN {
                    self.sent.pop_front();
                }
                self.sent.push_back(notice.clone());
            }
            messages.push(notice);
        }
        messages
    }

    /// Where a waiting request is.
    pub fn place(&self, waiter: &str) -> Option<Place> {
        self.waiting.get(waiter).map(|it| it.place.clone())
    }

    /// The requests whose time is over, each once: it is put off a little, in case it cannot be answered now.
    pub fn due(&mut self, now: u64) -> Vec<String> {
        const AGAIN: u64 = 5_000_000_000;
        if self.waiting.is_empty() || now < self.next_due {
            return Vec::new();
        }
        let mut due = Vec::new();
        self.next_due = u64::MAX;
        for (waiter, waiting) in &mut self.waiting {
            if waiting.deadline <= now {
                waiting.deadline = now.saturating_add(AGAIN);
                due.push(waiter.clone());
            }
            self.next_due = self.next_due.min(waiting.deadline);
        }
        due
    }
}

/// First on every stream.
pub fn hello(sender: &str, node: &str) -> Vec<u8> {
    encode(from_filter::Message::Hello(hold::Hello {
        sender: sender.to_owned(),
        node: node.to_owned(),
    }))
}

/// What a message of control says, and to which request.
///
/// # Errors
/// When it cannot be read.
pub fn read(message: &[u8]) -> Result<Option<(String, Event)>, prost::DecodeError> {
    let message = hold::ToFilter::decode(message)?.message;
    Ok(message.map(|message| match message {
        to_filter::Message::Pending(hold::Pending {
            waiter,
            approval,
            url,
            expires_unix_millis,
        }) => {
            let pending = Pending {
                approval,
                url,
                expires_unix_millis,
            };
            (waiter, Event::Pending(pending))
        }
        to_filter::Message::Decided(decided) => (decided.waiter.clone(), Event::Decided(decided)),
        to_filter::Message::Claimed(claimed) => (claimed.waiter.clone(), Event::Claimed(claimed)),
        to_filter::Message::Task(task) => (task.waiter.clone(), Event::Task(task)),
        to_filter::Message::Cancelled(cancelled) => (cancelled.waiter, Event::Cancelled),
    }))
}

fn encode(message: from_filter::Message) -> Vec<u8> {
    let message = Some(message);
    hold::FromFilter { message }.encode_to_vec()
}
