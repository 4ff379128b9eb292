//! One MCP request and its response, as a state machine over the events of the host.
//!
//! One function per event; each takes the state out, and what it does not put back is over. A host call
//! that fails on the way to a decision ends in a refusal.

mod allowed;
mod ask;
mod batch;
mod caller;
mod decide;
mod definitions;
mod held;
mod hold_reply;
mod judge;
mod onlooker;
mod polling;
mod reply;
mod request;
mod response;
mod rounds;
mod run;
mod session;
mod standing;
mod stream;
mod task;
mod watch;
mod watched;
mod way;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;

use gatehold_mcp::sse::Framer;
use gatehold_mcp::{Limits, Outcome};
use gatehold_wire::setup::SetupProblem;

use crate::caller::Caller;
use crate::hold::{Place, Progress};
use crate::host::{Direction, Flow, HeaderPairs, Host, Level};
use crate::metrics::{Counter, Refused};
use crate::record::{Draft, Ending};
use crate::setup::{HEADERS_NOT_HELD, TWO_COPIES, body_came};
use crate::snapshot::{Endpoint, Snapshot};
use crate::worker::Worker;

pub(crate) use reply::Refusal;
pub use run::no_longer_there;

use allowed::Allowed;
use held::Held;
use judge::Judged;
use onlooker::Onlooker;
use polling::Polling;
use response::Status;
use session::Session;

/// Where the verdict is published.
const EFFECT: &str = "gatehold.effect";
/// Longest value that goes to the access log.
const MAX_PUBLISHED: usize = 256;

/// One exchange.
#[derive(Debug)]
pub struct Exchange {
    worker: Option<Rc<Worker>>,
    snapshot: Option<Rc<Snapshot>>,
    state: State,
    /// Where it is to be found while it waits.
    place: Place,
    /// Whether nothing that is decided is enforced.
    shadow: bool,
    /// Then what has come of a body so far, and has gone on.
    copy: Vec<u8>,
    /// The server that is not enforced and has let this through, while it may last longer than that.
    spared_by: Option<Rc<Endpoint>>,
}

/// Where an exchange stands.
#[derive(Debug, Default)]
enum State {
    /// Nothing has come yet.
    #[default]
    Start,
    /// No server's: nothing of it is judged.
    Ignored,
    /// The caller is known, the body arrives and is held.
    Receiving(Box<Receiving>),
    /// It waits for a person.
    Held(Box<Held>),
    /// It is about a call that waits for a person, and waits for control.
    Polling(Box<Polling>),
    /// Allowed; the response has not begun.
    Waiting(Box<Allowed>),
    /// An answer arrives and is held; so many bytes of it so far.
    Collecting(Box<Allowed>, Ahead, Status, usize),
    /// Events arrive and go on one by one.
    Streaming(Box<Allowed>, Box<Framer>),
    /// We have ended the answer; what still comes goes nowhere.
    Cut(Rest),
    /// Our own reply, or an error from before the verdict, is on its way through the response events.
    Replied,
    /// An error from before the verdict goes on without its body; nothing of the request does.
    Emptied,
    /// We could not end it, or it is ending: nothing goes on in either direction.
    Barred,
    /// All is said.
    Ended,
}

/// Whether the headers of a held body have gone on already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ahead {
    /// They are held too.
    Held,
    /// They are gone.
    Gone,
}

/// What happens to the rest of an answer that we have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// It is swallowed; it has an end.
    Swallow,
    /// The stream is reset when more comes; it may have none.
    Reset,
}

/// A request that is not decided yet.
#[derive(Debug)]
struct Receiving {
    endpoint: Rc<Endpoint>,
    caller: Rc<Caller>,
    headers: HeaderPairs,
    verb: Verb,
    session: Session,
    /// Bytes of the body so far.
    size: usize,
    /// Whether a piece of the body has come, be it an empty one: filters before this one may keep the rest back.
    body_came: bool,
    draft: Draft,
}

/// The HTTP methods of an MCP endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    /// A message.
    Post,
    /// The stream of the server's own messages.
    Get,
    /// The end of a session.
    Delete,
}

impl Exchange {
    /// An exchange that decides with what is in force now. Without a worker, which is a root that was
    /// never configured, everything is refused.
    pub fn new(worker: Option<Rc<Worker>>) -> Self {
        let snapshot = worker
            .as_ref()
            .and_then(|worker| worker.snapshot.borrow().clone());
        if let Some(worker) = &worker {
            worker.open.set(worker.open.get().saturating_add(1));
        }
        Self {
            worker,
            snapshot,
            state: State::Start,
            place: Place::default(),
            shadow: false,
            copy: Vec::new(),
            spared_by: None,
        }
    }

    /// The same, such that it can be found again while it waits: by the host's number of its context.
    pub fn shared(worker: Option<Rc<Worker>>, context: u32) -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|own| {
            let mut exchange = Self::new(worker);
            exchange.place = Place {
                context,
                exchange: own.clone(),
            };
            RefCell::new(exchange)
        })
    }

    /// Request headers.
    pub fn request_headers(&mut self, host: &dyn Host, end: bool) -> Flow {
        let Some(worker) = self.worker.clone() else {
            return self.refuse(host, None, Refusal::not_ready(NO_POLICY));
        };
        let begun = request::begin(&worker, self.snapshot.as_deref(), host);
        self.shadow = request::is_shadow(&begun);
        self.spared_by = request::spared_by(&begun);
        // What is refused may miss what the other one took; what is not enforced misses nothing.
        let is_second = (self.shadow || begun.is_err()) && request::is_behind_a_copy(&worker, host);
        let onlooker = Onlooker { host, copy: &[] };
        let host = if self.shadow { &onlooker } else { host };
        let flow = match begun {
            Err(refused) => {
                let refusal = match is_second {
                    true => Refusal::setup(TWO_COPIES),
                    false => refused.refusal,
                };
                self.refuse(host, refused.draft.map(|draft| *draft), refusal)
            }
            Ok(request::Begun::Ignored(_)) => {
                self.state = State::Ignored;
                Flow::Continue
            }
            Ok(request::Begun::Metadata(reply)) => {
                self.state = State::Replied;
                self.send(host, &reply)
            }
            Ok(request::Begun::Receiving(receiving)) if end => {
                self.judge(host, &worker, *receiving)
            }
            Ok(request::Begun::Receiving(receiving)) => {
                self.state = State::Receiving(receiving);
                match self.shadow {
                    true => Flow::Continue,
                    false => request::headers_flow(&worker, host, &self.place),
                }
            }
        };
        if self.shadow { Flow::Continue } else { flow }
    }

    /// Whether the headers are held and nothing of the body has come.
    pub fn is_bodyless(&self) -> bool {
        matches!(&self.state, State::Receiving(receiving) if !receiving.body_came)
    }

    /// Nothing of the body has come for long: refuses when it has come to Envoy, which then keeps it to itself.
    #[cold]
    #[inline(never)]
    pub fn bodyless(&mut self, host: &dyn Host) {
        let Some(worker) = self.worker.clone() else {
            return;
        };
        // What cannot be known is left to the time limits of Envoy.
        if self.shadow || !self.is_bodyless() || !body_came(host).unwrap_or(false) {
            return;
        }
        if let State::Receiving(receiving) = std::mem::take(&mut self.state) {
            let problem = SetupProblem::HeadersNotHeld;
            worker
                .setup
                .notice(host, &worker.metrics, problem, HEADERS_NOT_HELD);
            self.refuse(
                host,
                Some(receiving.draft),
                Refusal::setup(HEADERS_NOT_HELD),
            );
        }
    }

    /// A piece of the request body; `size` counts all that is held.
    pub fn request_body(&mut self, host: &dyn Host, size: usize, end: bool) -> Flow {
        let mut event = |it: &mut Self, host: &dyn Host, size| it.request_piece(host, size, end);
        self.on(host, (Direction::Request, size), &mut event)
    }

    fn request_piece(&mut self, host: &dyn Host, size: usize, end: bool) -> Flow {
        match std::mem::take(&mut self.state) {
            State::Receiving(mut receiving) => {
                receiving.body_came = true;
                receiving.size = receiving.size.max(size);
                let limit = receiving.endpoint.server.limits.request_bytes;
                if receiving.size > limit {
                    return self.refuse(host, Some(receiving.draft), Refusal::too_large(limit));
                }
                match (&self.worker, end) {
                    (Some(worker), true) => self.judge(host, &Rc::clone(worker), *receiving),
                    _ => {
                        self.state = State::Receiving(receiving);
                        Flow::Pause
                    }
                }
            }
            state @ State::Start => self.unexpected(host, state),
            state => self.stay(state, Flow::Continue, Flow::Pause),
        }
    }

    /// Request trailers: with them, HTTP/2 never says in a body event that the body is over.
    pub fn request_trailers(&mut self, host: &dyn Host) -> Flow {
        let mut event = |it: &mut Self, host: &dyn Host, _| it.request_end(host);
        self.on(host, (Direction::Request, 0), &mut event)
    }

    fn request_end(&mut self, host: &dyn Host) -> Flow {
        match std::mem::take(&mut self.state) {
            State::Receiving(receiving) => match (&self.worker, request::check_trailers(host)) {
                (Some(worker), Ok(())) => self.judge(host, &Rc::clone(worker), *receiving),
                (None, Ok(())) => self.refuse(host, Some(receiving.draft), Refusal::internal()),
                (_, Err(refusal)) => self.refuse(host, Some(receiving.draft), refusal),
            },
            state @ State::Start => self.unexpected(host, state),
            state => self.stay(state, Flow::Continue, Flow::Pause),
        }
    }

    /// Response headers: the upstream's, Envoy's own, or those of our reply.
    pub fn response_headers(&mut self, host: &dyn Host, end: bool) -> Flow {
        drop(self.take_copy());
        let mut event = |it: &mut Self, host: &dyn Host, _| it.response_begin(host, end);
        self.on(host, (Direction::Response, 0), &mut event)
    }

    fn response_begin(&mut self, host: &dyn Host, end: bool) -> Flow {
        match std::mem::take(&mut self.state) {
            State::Waiting(allowed)
            | State::Collecting(allowed, ..)
            | State::Streaming(allowed, _) => self.answer(host, allowed, end),
            State::Receiving(receiving) => self.early(host, *receiving, end),
            State::Held(held) => self.early_held(host, *held, end),
            State::Polling(polling) => self.early_poll(host, *polling, end),
            // An error of Envoy or of a filter before us, before we saw the request.
            state => self.stay(state, Flow::Continue, Flow::Continue),
        }
    }

    /// A piece of the response body; `size` counts all that is held.
    pub fn response_body(&mut self, host: &dyn Host, size: usize, end: bool) -> Flow {
        let mut event = |it: &mut Self, host: &dyn Host, size| it.response_piece(host, size, end);
        self.on(host, (Direction::Response, size), &mut event)
    }

    fn response_piece(&mut self, host: &dyn Host, size: usize, end: bool) -> Flow {
        match std::mem::take(&mut self.state) {
            State::Collecting(allowed, ahead, status, held) => {
                self.collect(host, allowed, (ahead, status), size.max(held), end)
            }
            State::Streaming(allowed, framer) => self.stream(host, allowed, framer, size, end),
            State::Cut(rest) => self.swallow(host, rest, size, end),
            State::Emptied => self.empty(host, size),
            state @ (State::Receiving(_) | State::Waiting(_)) => self.unexpected(host, state),
            state => self.stay(state, Flow::Continue, Flow::Continue),
        }
    }

    /// Response trailers, which end a body as the last piece does.
    pub fn response_trailers(&mut self, host: &dyn Host) -> Flow {
        let mut event = |it: &mut Self, host: &dyn Host, _| it.response_end(host);
        self.on(host, (Direction::Response, 0), &mut event)
    }

    fn response_end(&mut self, host: &dyn Host) -> Flow {
        match std::mem::take(&mut self.state) {
            State::Collecting(allowed, ahead, status, size) => {
                self.collected(host, allowed, (ahead, status), size)
            }
            State::Streaming(mut allowed, _) | State::Waiting(mut allowed) => {
                self.finish_all(host, &mut allowed, Outcome::Unknown);
                self.state = State::Ended;
                Flow::Continue
            }
            state => self.stay(state, Flow::Continue, Flow::Continue),
        }
    }

    /// The exchange is over, whether or not it came to its end.
    pub fn done(&mut self, host: &dyn Host) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Receiving(receiving) => {
                self.finish(host, Some(receiving.draft), Ending::Aborted);
            }
            State::Held(held) => self.abandon(host, *held),
            State::Polling(polling) => self.abandon_poll(host, *polling),
            State::Waiting(mut allowed)
            | State::Collecting(mut allowed, ..)
            | State::Streaming(mut allowed, _) => self.abort_all(host, &mut allowed),
            State::Start
            | State::Ignored
            | State::Cut(_)
            | State::Replied
            | State::Emptied
            | State::Barred
            | State::Ended => {}
        }
    }

    fn judge(&mut self, host: &dyn Host, worker: &Rc<Worker>, receiving: Receiving) -> Flow {
        match judge::judge(worker, host, receiving, None) {
            Err(refused) => self.refuse(host, refused.draft.map(|draft| *draft), refused.refusal),
            Ok(Judged::Passes(allowed)) => {
                self.pass(host, worker, allowed);
                Flow::Continue
            }
            Ok(Judged::Waits(receiving, ask, round)) => {
                self.begin_hold(host, worker, (receiving, ask, round))
            }
            Ok(Judged::Polls(receiving, poll)) => self.begin_poll(host, worker, receiving, poll),
        }
    }

    /// Notes that a request goes on.
    fn pass(&mut self, host: &dyn Host, worker: &Worker, allowed: Allowed) {
        if !self.shadow {
            let passed = allowed.asked.len();
            worker.metrics.add(host, Counter::Allowed, passed);
        }
        if let Some(draft) = allowed.asked.first().and_then(|asked| asked.draft.as_ref()) {
            publish(host, draft);
        }
        if !allowed.stands() {
            // It goes on as it was decided, to its end.
            self.spared_by = None;
        }
        self.state = State::Waiting(Box::new(allowed));
    }

    /// Answers the client instead of the upstream.
    fn refuse(&mut self, host: &dyn Host, draft: Option<Draft>, refusal: Refusal) -> Flow {
        self.note_refusal(host, draft, &refusal);
        self.state = State::Replied;
        self.send(host, &refusal.reply)
    }

    /// Counts, records and publishes a refusal.
    fn note_refusal(&self, host: &dyn Host, draft: Option<Draft>, refusal: &Refusal) {
        let Refusal {
            class,
            code,
            reason,
            reply,
        } = refusal;
        self.count_refused(host, *class);
        if *class == Refused::Internal {
            host.log(
                Level::Error,
                &format!("gatehold: request refused: {reason}"),
            );
        }
        match draft {
            Some(mut draft) => {
                draft.refused(*class, reason);
                publish(host, &draft);
                let ending = Ending::Refused {
                    code: *code,
                    status: reply.status,
                };
                self.finish(host, Some(draft), ending);
            }
            // Its event is recorded.
            None if self.shadow => {}
            None => {
                let _ = host.publish(EFFECT, b"deny");
                let _ = host.publish("gatehold.reason", reason.as_bytes());
            }
        }
    }

    fn count_refused(&self, host: &dyn Host, class: Refused) {
        let Some(worker) = self.worker.as_ref().filter(|_| !self.shadow) else {
            return;
        };
        worker.metrics.refused(host, class);
        match class {
            Refused::Hidden | Refused::Policy | Refused::Detection => {
                worker.metrics.add(host, Counter::Denied, 1);
            }
            Refused::Approval => worker.metrics.add(host, Counter::Held, 1),
            _ => {}
        }
    }

    fn send(&mut self, host: &dyn Host, reply: &crate::host::LocalReply) -> Flow {
        if let Err(error) = host.reply(reply) {
            host.log(Level::Error, &format!("gatehold: cannot answer: {error}"));
            // Nothing can be said, but nothing may go on either.
            return self.bar(host);
        }
        Flow::Pause
    }

    /// Ends the exchange abruptly. Should the host refuse even that, it still gets nothing to pass on.
    fn bar(&mut self, host: &dyn Host) -> Flow {
        self.state = State::Barred;
        let _ = host.reset();
        Flow::Pause
    }

    /// An event that this state does not expect, before anything was decided.
    fn unexpected(&mut self, host: &dyn Host, state: State) -> Flow {
        let draft = match state {
            State::Receiving(receiving) => Some(receiving.draft),
            State::Waiting(mut allowed) => {
                self.report(&mut allowed.run, Progress::Lost, "");
                let mut asked = allowed.asked.drain(..);
                let first = asked.next().and_then(|asked| asked.draft);
                for draft in asked.filter_map(|asked| asked.draft) {
                    self.finish(host, Some(draft), Ending::Aborted);
                }
                first
            }
            _ => None,
        };
        let mut refusal = Refusal::internal();
        "the host sent an event out of order".clone_into(&mut refusal.reason);
        self.refuse(host, draft, refusal)
    }

    fn stay(&mut self, state: State, flow: Flow, after_reply: Flow) -> Flow {
        let flow = match state {
            State::Replied | State::Emptied => after_reply,
            State::Barred | State::Held(_) | State::Polling(_) => Flow::Pause,
            _ => flow,
        };
        self.state = state;
        flow
    }

    /// Records the events of all that is not recorded yet: as answered, if it was, else with `otherwise`.
    fn finish_all(&self, host: &dyn Host, allowed: &mut Allowed, otherwise: Outcome) {
        for asked in &mut allowed.asked {
            let outcome = asked.outcome.unwrap_or(otherwise);
            self.finish(host, asked.draft.take(), Ending::Answered(outcome));
            self.report(&mut allowed.run, Progress::Answered, run::word(outcome));
        }
    }

    /// Tells control what became of a call that people have approved, once.
    fn report(&self, run: &mut Option<Box<run::Run>>, progress: Progress, detail: &str) {
        if let (Some(worker), Some(run)) = (&self.worker, run.take()) {
            run.report(worker, progress, detail);
        }
    }

    /// Records the events of what was answered by now.
    fn finish_answered(&self, host: &dyn Host, allowed: &mut Allowed) {
        for asked in &mut allowed.asked {
            if let Some(outcome) = asked.outcome {
                self.finish(host, asked.draft.take(), Ending::Answered(outcome));
                self.report(&mut allowed.run, Progress::Answered, run::word(outcome));
            }
        }
    }

    /// Records the events of what will not be answered any more.
    fn abort_all(&self, host: &dyn Host, allowed: &mut Allowed) {
        for asked in &mut allowed.asked {
            self.finish(host, asked.draft.take(), Ending::Aborted);
        }
        self.report(&mut allowed.run, Progress::Lost, "");
    }

    fn finish(&self, host: &dyn Host, draft: Option<Draft>, ending: Ending) {
        if let (Some(worker), Some(draft)) = (&self.worker, draft) {
            draft.finish(worker, host, ending);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        drop(self.take_copy());
        if let Some(worker) = &self.worker {
            worker.open.set(worker.open.get().saturating_sub(1));
        }
    }
}

/// What is said before the first push.
const NO_POLICY: &str = "no policy has arrived yet";

/// What is said before the detectors have arrived, where something depends on them.
const NO_DETECTORS: &str = "what detection looks for has not arrived yet";

fn mcp_limits(endpoint: &Endpoint) -> Limits {
    let limits = endpoint.server.limits;
    Limits {
        depth: limits.depth,
        list_entries: limits.list_entries,
        event_bytes: limits.event_bytes,
    }
}

/// Tells the access log. It decides nothing, so that a failure is not worth a refusal.
fn publish(host: &dyn Host, draft: &Draft) {
    for (key, value) in draft.verdict() {
        if value.is_empty() {
            continue;
        }
        let text: String = value
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_PUBLISHED)
            .collect();
        let _ = host.publish(key, text.as_bytes());
    }
}
