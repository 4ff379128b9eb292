//! The stream of requests that wait: what goes out, what comes in, and whose time is over.

use std::rc::Rc;

use super::{Configured, HOLD_METHOD, HOLD_SERVICE, LinkState};
use crate::exchange::no_longer_there;
use crate::hold::{Event, Leave, hello, read};
use crate::host::{Level, RootHost};

impl Configured {
    /// Ends the wait of those whose time is over, and tells control what is new.
    pub(super) fn hold(&mut self, host: &dyn RootHost, now: u64) {
        let due = self.worker.holds.borrow_mut().due(now);
        for waiter in due {
            self.wake(host, &waiter, Event::Due);
        }
        if self.hold_stream.is_due(now) && self.worker.holds.borrow().has_news() {
            self.open_hold(host, now);
        }
        self.flush_holds(host, now);
    }

    /// Tells everybody who waits to come back: no tick will come any more.
    pub(super) fn end_waits(&mut self, host: &dyn RootHost, now: u64) {
        let waiters = self.worker.holds.borrow().waiters();
        for waiter in waiters {
            self.wake(host, &waiter, Event::Due);
        }
        self.flush_holds(host, now);
    }

    /// What control said on the stream.
    pub(super) fn told(&mut self, host: &dyn RootHost, stream: u32, message: &[u8]) {
        match read(message) {
            Ok(Some((waiter, event))) => {
                if matches!(event, Event::Claimed(_)) {
                    self.worker.holds.borrow_mut().answered(&waiter);
                }
                self.wake(host, &waiter, event);
            }
            // A newer control says what this filter does not know.
            Ok(None) => {}
            Err(error) => {
                let line = format!("gatehold: message about a hold cannot be read: {error}");
                host.log(Level::Error, &line);
                return self.drop_stream(host, stream);
            }
        }
        let now = host.now().unwrap_or_default();
        self.flush_holds(host, now);
    }

    fn wake(&mut self, host: &dyn RootHost, waiter: &str, event: Event) {
        let place = self.worker.holds.borrow().place(waiter);
        let Some(place) = place else {
            no_longer_there(&self.worker, waiter, &event);
            return;
        };
        let exchange = place.exchange.upgrade();
        let entered = host.enter(place.context);
        match (exchange, entered) {
            (Some(exchange), Ok(())) => {
                match exchange.try_borrow_mut() {
                    Ok(mut exchange) => exchange.event(host, event),
                    // It is in the middle of something else, which cannot be: it does not run for sure.
                    Err(_) => no_longer_there(&self.worker, waiter, &event),
                }
            }
            _ => {
                no_longer_there(&self.worker, waiter, &event);
                let mut holds = self.worker.holds.borrow_mut();
                holds.leave(waiter, Some(Leave::Gone));
            }
        }
        self.come_back(host);
    }

    /// The stream is gone. What was sent last may not have arrived.
    pub(super) fn hold_closed(&self) {
        self.worker.holds.borrow_mut().closed();
        self.worker.tools.borrow_mut().forget();
    }

    fn open_hold(&mut self, host: &dyn RootHost, now: u64) {
        let cluster = &self.worker.config.control_cluster;
        match host.open_stream(cluster, HOLD_SERVICE, HOLD_METHOD) {
            Ok(stream) => {
                self.hold_stream.state = LinkState::Open(stream);
                // Control may be another one than before.
                self.worker.holds.borrow_mut().reopened();
                let (sender, node) = {
                    let audit = self.worker.audit.borrow();
                    (audit.sender().to_owned(), audit.node().to_owned())
                };
                if let Err(error) = host.send(stream, &hello(&sender, &node)) {
                    self.lost(host, now, stream, error);
                }
            }
            // The push stream says why, once.
            Err(_) => {
                let random = self.worker.random.number();
                self.hold_stream.fail(now, random);
            }
        }
    }

    fn flush_holds(&mut self, host: &dyn RootHost, now: u64) {
        let LinkState::Open(stream) = self.hold_stream.state else {
            return;
        };
        let worker = Rc::clone(&self.worker);
        let messages = worker.holds.borrow_mut().next_messages();
        for message in messages {
            if let Err(error) = host.send(stream, &message) {
                return self.lost(host, now, stream, error);
            }
        }
    }
}
