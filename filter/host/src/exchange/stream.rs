//! Event streams: each event is judged as soon as it is whole, and goes on at once.

use gatehold_mcp::Outcome;
use gatehold_mcp::list::ListError;
use gatehold_mcp::reply::{code, error_body, event};
use gatehold_mcp::sse::{Event, Framer, Tail, TooLarge};

use crate::exchange::allowed::{Allowed, Asked, Judged};
use crate::exchange::response::upstream_code;
use crate::exchange::standing::Over;
use crate::exchange::{Exchange, Rest, State};
use crate::host::{Direction, Flow, Host, HostError, Level, whole_body};
use crate::metrics::Refused;

/// What became of one piece of a stream.
struct Passed {
    /// What goes on.
    bytes: Vec<u8>,
    /// Why the stream cannot go on, if it cannot.
    broken: Option<TooLarge>,
}

impl Exchange {
    /// A piece of an event stream.
    pub(super) fn stream(
        &mut self,
        host: &dyn Host,
        mut allowed: Box<Allowed>,
        mut framer: Box<Framer>,
        size: usize,
        end: bool,
    ) -> Flow {
        match self.review(host, &mut allowed) {
            Ok(()) => {}
            Err(Over::Ended(class, reason)) => {
                return self.end_standing(host, &allowed, size, class, &reason);
            }
            Err(Over::Broken(error)) => return self.broken(host, allowed, error),
        }
        let passed = match pass(host, &mut allowed, &mut framer, size) {
            Ok(passed) => passed,
            Err(error) => return self.broken(host, allowed, error),
        };
        let Passed { mut bytes, broken } = passed;
        if end && broken.is_none() {
            bytes.extend(allowed.judge_tail(framer.finish()));
            framer = Box::new(allowed.framer());
        }
        let settled = self.settle(host, &mut allowed);
        let replaced = settled.and_then(|()| host.replace_body(Direction::Response, size, &bytes));
        if let Err(error) = replaced {
            return self.broken(host, allowed, error);
        }
        if end || broken.is_some() {
            self.finish_all(host, &mut allowed, Outcome::Unknown);
        } else {
            self.finish_answered(host, &mut allowed);
        }
        self.state = match (broken, end) {
            (_, true) => State::Ended,
            (Some(_), false) => {
                self.count_refused(host, Refused::TooLarge);
                State::Cut(Rest::Reset)
            }
            (None, false) => State::Streaming(allowed, framer),
        };
        Flow::Continue
    }

    /// What comes after an answer that was cut short.
    pub(super) fn swallow(&mut self, host: &dyn Host, rest: Rest, size: usize, end: bool) -> Flow {
        let swallowed = host.replace_body(Direction::Response, size, &[]);
        if rest == Rest::Reset && !end || swallowed.is_err() {
            // The error event has gone to the client with an earlier piece.
            return self.bar(host);
        }
        self.state = if end { State::Ended } else { State::Cut(rest) };
        Flow::Continue
    }

    /// A piece of the body of an error that came before the verdict.
    pub(super) fn empty(&mut self, host: &dyn Host, size: usize) -> Flow {
        match host.replace_body(Direction::Response, size, &[]) {
            Ok(()) => {
                self.state = State::Emptied;
                Flow::Continue
            }
            Err(_) => self.bar(host),
        }
    }

    /// The host failed in the middle of a stream. Nothing can be said any more; nothing unjudged passes.
    fn broken(&mut self, host: &dyn Host, mut allowed: Box<Allowed>, error: HostError) -> Flow {
        host.log(
            Level::Error,
            &format!("gatehold: event stream ended: {error}"),
        );
        self.count_refused(host, Refused::Internal);
        self.abort_all(host, &mut allowed);
        self.bar(host)
    }
}

fn pass(
    host: &dyn Host,
    allowed: &mut Allowed,
    framer: &mut Framer,
    size: usize,
) -> Result<Passed, HostError> {
    let chunk = whole_body(host, Direction::Response, size)?;
    let broken = framer.push(&chunk).err();
    let mut passed = Passed {
        bytes: Vec::with_capacity(size),
        broken,
    };
    while let Some(event) = framer.next_event() {
        passed.bytes.extend(allowed.judge_event(event));
    }
    if let Some(error) = &passed.broken {
        let body = error_body(allowed.id(), code::TOO_LARGE, &error.to_string(), None);
        passed.bytes.extend(event(&body));
    }
    Ok(passed)
}

impl Allowed {
    pub(super) fn framer(&self) -> Framer {
        Framer::new(self.endpoint.server.limits.event_bytes)
    }

    /// What goes on in the place of an event.
    fn judge_event(&mut self, event: Event) -> Vec<u8> {
        let event = self.seal_id(event);
        let judged = match event.data() {
            // Comments, keep-alives and priming events.
            None => return event.into_raw(),
            Some(data) if data.is_empty() => return event.into_raw(),
            Some(data) => self.judge(&data),
        };
        match judged {
            Ok(Judged::Same) => event.into_raw(),
            Ok(Judged::New(new)) => event.with_data(&new),
            Ok(Judged::Nothing) => Vec::new(),
            Err(error) => event.with_data(&self.unreadable(&error)),
        }
    }

    /// The error in the place of a message that cannot be judged. It ends the request, if there is but one:
    /// nobody knows which of several it would have answered.
    fn unreadable(&mut self, error: &ListError) -> Vec<u8> {
        let code = upstream_code(error);
        if let [only] = self.asked.as_mut_slice() {
            let Asked { outcome, .. } = only;
            outcome.get_or_insert(Outcome::Error(code));
        }
        error_body(self.id(), code, &error.to_string(), None)
    }

    /// What a stream ends with. A piece that was cut off is no event, and some client might still read it
    /// as one, so it goes no further.
    fn judge_tail(&mut self, tail: Tail) -> Vec<u8> {
        match tail {
            Tail::Complete(event) => self.judge_event(event),
            Tail::Empty | Tail::Cut(_) => Vec::new(),
        }
    }
}
