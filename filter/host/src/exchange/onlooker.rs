//! Shadow mode (`enforce: false`): an exchange is judged as any other, and nothing of it is changed.
//!
//! Nothing waits for a verdict either: what comes goes on at once, and a copy of it is judged.

use crate::exchange::decide::{Answer, Stop};
use crate::exchange::{Exchange, State, session};
use crate::host::{Direction, Flow, HeaderPairs, Host, HostError, Level, LocalReply};
use crate::metrics::Refused;
use crate::record::Draft;
use gatehold_mcp::{Era, Message, Operation, operation};
use std::rc::Rc;

/// Bytes of bodies that one worker keeps copies of.
const MAX_COPIED: usize = 64 << 20;

/// A host on which one may look but not touch. What is held of a body is the copy.
pub(super) struct Onlooker<'h> {
    pub(super) host: &'h dyn Host,
    pub(super) copy: &'h [u8],
}

impl Host for Onlooker<'_> {
    fn now(&self) -> Result<u64, HostError> {
        self.host.now()
    }

    fn headers(&self, direction: Direction) -> Result<HeaderPairs, HostError> {
        self.host.headers(direction)
    }

    fn trailers(&self) -> Result<HeaderPairs, HostError> {
        self.host.trailers()
    }

    /// Identifiers that were sealed while the server was enforced are opened still; its clients go on with them.
    fn set_header(&self, direction: Direction, name: &str, value: &str) -> Result<(), HostError> {
        match (direction, name) {
            (Direction::Request, session::HEADER | session::LAST_EVENT_ID) => {
                self.host.set_header(direction, name, value)
            }
            _ => Ok(()),
        }
    }

    fn remove_header(&self, _direction: Direction, _name: &str) -> Result<(), HostError> {
        Ok(())
    }

    fn body(&self, _direction: Direction, size: usize) -> Result<Vec<u8>, HostError> {
        Ok(self.copy.get(..size).unwrap_or(self.copy).to_vec())
    }

    fn replace_body(&self, _: Direction, _size: usize, _new: &[u8]) -> Result<(), HostError> {
        Ok(())
    }

    fn reply(&self, _reply: &LocalReply) -> Result<(), HostError> {
        Ok(())
    }

    fn resume(&self, _direction: Direction) -> Result<(), HostError> {
        Ok(())
    }

    fn reset(&self) -> Result<(), HostError> {
        Ok(())
    }

    fn shared(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.host.shared(key)
    }

    fn set_shared(&self, key: &str, value: &[u8]) -> Result<(), HostError> {
        self.host.set_shared(key, value)
    }

    fn publish(&self, key: &str, value: &[u8]) -> Result<(), HostError> {
        self.host.publish(key, value)
    }

    fn property(&self, path: &[&str]) -> Result<Vec<u8>, HostError> {
        self.host.property(path)
    }

    fn count(&self, metric: u32, by: u64) {
        self.host.count(metric, by);
    }

    fn log(&self, level: Level, message: &str) {
        self.host.log(level, message);
    }
}

impl Exchange {
    /// Hands an event on, with a piece of a body if it brings one. In shadow mode it is about a copy of all that
    /// would be held by now, and what it brings goes on whatever comes of it.
    pub(super) fn on(
        &mut self,
        host: &dyn Host,
        (direction, size): (Direction, usize),
        event: &mut dyn FnMut(&mut Self, &dyn Host, usize) -> Flow,
    ) -> Flow {
        if self.is_enforced_by_now() {
            return self.end_shadow(host, size, event);
        }
        if !self.shadow {
            return event(self, host, size);
        }
        self.look_on(host, (direction, size), event)
    }

    #[cold]
    fn look_on(
        &mut self,
        host: &dyn Host,
        (direction, size): (Direction, usize),
        event: &mut dyn FnMut(&mut Self, &dyn Host, usize) -> Flow,
    ) -> Flow {
        let mut copy = self.take_copy();
        let all = copy.len().saturating_add(size);
        if size > 0 && self.reads() {
            if !self.has_room(all) {
                // What it would have come to stays unknown.
                self.done(host);
                return Flow::Continue;
            }
            // With less than there is it is judged as a host that fails.
            copy.extend(host.body(direction, size).unwrap_or_default());
        }
        let flow = event(self, &Onlooker { host, copy: &copy }, all);
        if flow == Flow::Pause && self.reads() {
            self.keep_copy(copy);
        }
        Flow::Continue
    }

    /// Takes out what is kept of a body, and gives its room back.
    pub(super) fn take_copy(&mut self) -> Vec<u8> {
        let copy = std::mem::take(&mut self.copy);
        if let Some(worker) = &self.worker {
            let copied = worker.copied.get().saturating_sub(copy.len());
            worker.copied.set(copied);
        }
        copy
    }

    fn keep_copy(&mut self, copy: Vec<u8>) {
        if let Some(worker) = &self.worker {
            let copied = worker.copied.get().saturating_add(copy.len());
            worker.copied.set(copied);
        }
        self.copy = copy;
    }

    /// Whether so much may be kept beside what others keep: a worker's memory has an end.
    fn has_room(&self, size: usize) -> bool {
        let worker = self.worker.as_ref();
        worker.is_some_and(|worker| worker.copied.get().saturating_add(size) <= MAX_COPIED)
    }

    /// Whether it wants to see the bodies that come.
    fn reads(&self) -> bool {
        let state = &self.state;
        matches!(
            state,
            State::Receiving(_) | State::Collecting(..) | State::Streaming(..)
        )
    }

    /// Whether what began in shadow mode has no right to it any more: its server is enforced now, or gone.
    fn is_enforced_by_now(&self) -> bool {
        let (Some(endpoint), Some(worker)) = (&self.spared_by, &self.worker) else {
            return false;
        };
        match (&*worker.snapshot.borrow(), &self.snapshot) {
            (Some(now), Some(before)) if !Rc::ptr_eq(now, before) => {
                let named = now.named(&endpoint.server.name);
                named.is_none_or(|endpoint| !endpoint.server.shadow)
            }
            _ => false,
        }
    }

    /// Ends what began in shadow mode, whether or not it is still looked at: a request that is not whole yet, and a
    /// stream. A stream that is judged event by event is told why.
    #[cold]
    #[inline(never)]
    fn end_shadow(
        &mut self,
        host: &dyn Host,
        size: usize,
        event: &mut dyn FnMut(&mut Self, &dyn Host, usize) -> Flow,
    ) -> Flow {
        self.shadow = false;
        self.spared_by = None;
        drop(self.take_copy());
        if matches!(self.state, State::Streaming(..)) {
            return event(self, host, size);
        }
        self.done(host);
        self.bar(host)
    }
}

/// Notes why a message would not have gone on, and says what its answer needs.
#[cold]
pub(super) fn spare(stop: Stop, message: &Message, era: Era, draft: &mut Draft) -> Answer {
    match stop {
        Stop::Refused(refusal) => draft.spare(refusal.class, &refusal.reason),
        Stop::Held(ask) => draft.spare(Refused::Approval, &ask.decision.reason),
    }
    let Message::Request(request) = message else {
        return Answer::Plain;
    };
    match operation(request, era) {
        Ok(Operation::Listen { .. }) => Answer::Subscription,
        _ => Answer::Plain,
    }
}
