//! The root of one plugin instance: configuration, the two streams to control, the tick.
//!
//! A VM may hold several roots (a configuration update makes a second one) and there is one VM per worker
//! plus one on the main thread, so nothing here is static and every root opens its own streams.

use std::rc::Rc;

use crate::audit::AuditQueue;
use crate::backoff::Backoff;
use crate::config::{Audit, Config};
use crate::host::{HostError, Level, RootHost};
use crate::metrics::{Counter, Metrics};
use crate::push::{Change, PushClient};
use crate::setup::Setup;
use crate::store;
use crate::worker::Worker;

use contact::Contact;

/// Milliseconds between ticks: streams are opened, events leave.
const TICK: u32 = 100;
/// Ticks that a root which is to go waits for its events to be acknowledged.
const DRAIN_TICKS: u32 = 50;

const AUDIT_SERVICE: &str = "gatehold.audit.v1.Audit";
const AUDIT_METHOD: &str = "Append";
const HOLD_SERVICE: &str = "gatehold.hold.v1.Holds";
const HOLD_METHOD: &str = "Hold";

/// One root.
#[derive(Debug, Default)]
pub struct Root {
    /// The host's number of its context.
    context: u32,
    configured: Option<Configured>,
}

#[derive(Debug)]
struct Configured {
    worker: Rc<Worker>,
    push: PushClient,
    push_stream: Link,
    contact: Contact,
    audit_stream: Link,
    /// Opened when the first request waits.
    hold_stream: Link,
    context: u32,
    life: Life,
}

/// Whether the root is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// It serves.
    Serving,
    /// It waits so many ticks more for its events to be acknowledged.
    Draining(u32),
}

/// One stream to control.
#[derive(Debug)]
struct Link {
    state: LinkState,
    backoff: Backoff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkState {
    /// Open under this token.
    Open(u32),
    /// To be opened at this time (nanoseconds).
    Closed(u64),
}

impl Root {
    /// A root that is not configured yet.
    pub fn new(context: u32) -> Self {
        Self {
            context,
            configured: None,
        }
    }

    /// Takes the plugin's configuration. `false` when it cannot be used; control being away is no reason.
    pub fn configure(&mut self, host: &dyn RootHost) -> bool {
        match Configured::new(host, self.context) {
            Ok(configured) => {
                self.configured = Some(configured);
                true
            }
            Err(problem) => {
                host.log(Level::Error, &format!("gatehold: {problem}"));
                false
            }
        }
    }

    /// What new exchanges share; nothing before a configuration was accepted.
    pub fn worker(&self) -> Option<Rc<Worker>> {
        self.configured
            .as_ref()
            .map(|configured| Rc::clone(&configured.worker))
    }

    /// Time passes.
    pub fn tick(&mut self, host: &dyn RootHost) {
        if let Some(configured) = &mut self.configured {
            configured.tick(host);
        }
    }

    /// The other side has taken a stream.
    pub fn opened(&mut self, stream: u32) {
        if let Some(configured) = &mut self.configured
            && configured.push_stream.is(stream)
        {
            configured.contact.taken();
        }
    }

    /// A message came on a stream.
    pub fn message(&mut self, host: &dyn RootHost, stream: u32, size: usize) {
        if let Some(configured) = &mut self.configured {
            configured.message(host, stream, size);
        }
    }

    /// A stream was closed by the other side, or never came to be.
    pub fn closed(&mut self, host: &dyn RootHost, stream: u32, status: u32) {
        if let Some(configured) = &mut self.configured {
            configured.closed(host, stream, status);
        }
    }

    /// The root is to go. `true` when it may at once; otherwise it says so by [`RootHost::done`].
    pub fn done(&mut self) -> bool {
        let Some(configured) = &mut self.configured else {
            return true;
        };
        let settled = configured.worker.audit.borrow().is_settled();
        if settled && configured.worker.open.get() == 0 {
            return true;
        }
        configured.life = Life::Draining(DRAIN_TICKS);
        false
    }
}

impl Configured {
    fn new(host: &dyn RootHost, context: u32) -> Result<Self, String> {
        let json = host.configuration().map_err(|error| error.to_string())?;
        let config = Config::parse(&json).map_err(|error| error.to_string())?;
        let metrics = Metrics::define(host).map_err(|error| error.to_string())?;
        let node = node(host, "id");
        let headers = config.hold_headers;
        let setup = Setup::new(host, &metrics, headers);
        let worker = Rc::new(Worker::new(config, metrics, setup, node.clone()));
        let words = worker.setup.words(headers, worker.audit.borrow().sender());
        let mut push = PushClient::new(node, self::node(host, "cluster"), words);
        restore(host, &worker, &mut push);
        host.set_tick(TICK).map_err(|error| error.to_string())?;
        Ok(Self {
            worker,
            push,
            push_stream: Link::new(),
            contact: Contact::new(host.now().unwrap_or_default()),
            audit_stream: Link::new(),
            hold_stream: Link::new(),
            context,
            life: Life::Serving,
        })
    }

    fn tick(&mut self, host: &dyn RootHost) {
        let Ok(now) = host.now() else { return };
        if self.push_stream.is_due(now) {
            self.open_push(host, now);
        }
        if self.worker.config.audit == Audit::On {
            if self.audit_stream.is_due(now) {
                self.open_audit(host, now);
            }
            self.flush(host, now);
        }
        self.hold(host, now);
        self.look_around(host, now);
        if let Life::Draining(left) = self.life {
            let idle = self.worker.open.get() == 0 && self.worker.audit.borrow().is_settled();
            match left.checked_sub(1) {
                Some(left) if !idle => self.life = Life::Draining(left),
                _ => {
                    self.end_waits(host, now);
                    self.life = Life::Serving;
                    let _ = host.done();
                }
            }
        }
    }

    fn message(&mut self, host: &dyn RootHost, stream: u32, size: usize) {
        let message = match host.message(size) {
            Ok(message) => message,
            Err(error) => {
                host.log(
                    Level::Error,
                    &format!("gatehold: message of control is lost: {error}"),
                );
                return self.drop_stream(host, stream);
            }
        };
        if self.push_stream.is(stream) {
            self.push_stream.backoff.succeed();
            self.heard(host);
            self.pushed(host, stream, &message);
        } else if self.hold_stream.is(stream) {
            self.hold_stream.backoff.succeed();
            self.told(host, stream, &message);
        } else if self.audit_stream.is(stream) {
            self.audit_stream.backoff.succeed();
            let acknowledged = self.worker.audit.borrow_mut().acknowledge(&message);
            match acknowledged {
                Ok(events) => {
                    self.worker
                        .metrics
                        .add(host, Counter::AuditAcknowledged, events);
                    let now = host.now().unwrap_or_default();
                    self.flush(host, now);
                }
                Err(error) => {
                    host.log(
                        Level::Warn,
                        &format!("gatehold: audit acknowledgement: {error}"),
                    );
                    self.drop_stream(host, stream);
                }
            }
        }
    }

    fn closed(&mut self, host: &dyn RootHost, stream: u32, status: u32) {
        let random = self.worker.random.number();
        let now = host.now().unwrap_or_default();
        if self.hold_stream.is(stream) {
            self.hold_closed();
        }
        if self.push_stream.is(stream) {
            self.push_stream.fail(now, random);
            self.push_ended(host, now, status);
        }
        for (link, name) in [
            (&mut self.audit_stream, "audit"),
            (&mut self.hold_stream, "hold"),
        ] {
            if link.is(stream) {
                link.fail(now, random);
                host.log(
                    Level::Info,
                    &format!("gatehold: {name} stream closed with gRPC status {status}"),
                );
            }
        }
    }

    fn open_push(&mut self, host: &dyn RootHost, now: u64) {
        let cluster = &self.worker.config.control_cluster;
        let opened = host.open_stream(cluster, crate::push::SERVICE, crate::push::METHOD);
        match opened {
            Ok(stream) => {
                self.push_stream.state = LinkState::Open(stream);
                for request in self.push.subscribe() {
                    if let Err(error) = host.send(stream, &request) {
                        return self.lost(host, now, stream, error);
                    }
                }
            }
            Err(error) => {
                let random = self.worker.random.number();
                self.push_stream.fail(now, random);
                host.log(
                    Level::Warn,
                    &format!("gatehold: cannot reach control in cluster `{cluster}`: {error}"),
                );
            }
        }
    }

    fn open_audit(&mut self, host: &dyn RootHost, now: u64) {
        let cluster = &self.worker.config.control_cluster;
        match host.open_stream(cluster, AUDIT_SERVICE, AUDIT_METHOD) {
            Ok(stream) => {
                self.audit_stream.state = LinkState::Open(stream);
                let again = resend(host, stream, &self.worker.audit.borrow());
                if let Err(error) = again {
                    self.lost(host, now, stream, error);
                }
            }
            // The push stream says why, once.
            Err(_) => {
                let random = self.worker.random.number();
                self.audit_stream.fail(now, random);
            }
        }
    }

    /// Sends what the window allows.
    fn flush(&mut self, host: &dyn RootHost, now: u64) {
        let LinkState::Open(stream) = self.audit_stream.state else {
            return;
        };
        loop {
            let Some(message) = self.worker.audit.borrow_mut().next_message() else {
                return;
            };
            // A batch that could not be sent stays in the window and goes out on the next stream.
            if let Err(error) = host.send(stream, &message) {
                return self.lost(host, now, stream, error);
            }
        }
    }

    fn pushed(&mut self, host: &dyn RootHost, stream: u32, message: &[u8]) {
        let received = match self.push.receive(message) {
            Ok(received) => received,
            Err(error) => {
                host.log(
                    Level::Error,
                    &format!("gatehold: push cannot be read: {error}"),
                );
                return self.drop_stream(host, stream);
            }
        };
        for reason in &received.refused {
            host.log(
                Level::Error,
                &format!("gatehold: resource refused: {reason}"),
            );
        }
        let metrics = &self.worker.metrics;
        metrics.add(host, Counter::PushApplied, received.changes.len());
        metrics.add(host, Counter::PushRefused, received.refused.len());
        publish(host, &self.worker, &self.push);
        self.keep(host, &received.changes);
        if let Err(error) = host.send(stream, &received.reply) {
            let now = host.now().unwrap_or_default();
            self.lost(host, now, stream, error);
        }
    }

    /// Keeps what is in force for workers that start later.
    fn keep(&self, host: &dyn RootHost, changes: &[Change]) {
        let cluster = &self.worker.config.control_cluster;
        if let Err(error) = store::save(host, cluster, changes, &self.push) {
            let line =
                format!("gatehold: a restarted worker will have to wait for control: {error}");
            host.log(Level::Warn, &line);
        }
    }

    /// Has host calls be about the root again, after they were about a request.
    fn come_back(&self, host: &dyn RootHost) {
        if let Err(error) = host.enter(self.context) {
            let line = format!("gatehold: cannot come back from a request: {error}");
            host.log(Level::Error, &line);
        }
    }

    fn drop_stream(&mut self, host: &dyn RootHost, stream: u32) {
        let now = host.now().unwrap_or_default();
        let _ = host.cancel(stream);
        self.fail(now, stream);
    }

    fn lost(&mut self, host: &dyn RootHost, now: u64, stream: u32, error: HostError) {
        host.log(
            Level::Warn,
            &format!("gatehold: stream to control lost: {error}"),
        );
        let _ = host.cancel(stream);
        self.fail(now, stream);
    }

    fn fail(&mut self, now: u64, stream: u32) {
        let random = self.worker.random.number();
        if self.hold_stream.is(stream) {
            self.hold_closed();
        }
        let Self {
            push_stream,
            audit_stream,
            hold_stream,
            ..
        } = self;
        for link in [push_stream, audit_stream, hold_stream] {
            if link.is(stream) {
                link.fail(now, random);
            }
        }
    }
}

/// A field of Envoy's node; empty when there is none. Versions differ in where they keep it.
fn node(host: &dyn RootHost, field: &str) -> String {
    let paths: [&[&str]; 2] = [&["xds", "node", field], &["node", field]];
    let found = paths
        .into_iter()
        .filter_map(|path| host.property(path).ok());
    let text = found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    text.into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

fn resend(host: &dyn RootHost, stream: u32, queue: &AuditQueue) -> Result<(), HostError> {
    queue
        .unacknowledged()
        .try_for_each(|message| host.send(stream, message))
}

fn restore(host: &dyn RootHost, worker: &Worker, push: &mut PushClient) {
    match store::load(host, &worker.config.control_cluster) {
        Ok(None) => {}
        Ok(Some(resources)) => {
            for reason in push.restore(resources) {
                host.log(
                    Level::Warn,
                    &format!("gatehold: kept resource left out: {reason}"),
                );
            }
            publish(host, worker, push);
        }
        Err(error) => {
            host.log(
                Level::Warn,
                &format!("gatehold: kept resources cannot be read: {error}"),
            );
        }
    }
}

/// Puts what arrived in force for new exchanges.
fn publish(host: &dyn RootHost, worker: &Worker, push: &PushClient) {
    if let Some(snapshot) = push.snapshot() {
        worker.metrics.servers(host, snapshot.servers());
        *worker.snapshot.borrow_mut() = Some(Rc::new(snapshot));
    }
}

impl Link {
    fn new() -> Self {
        Self {
            state: LinkState::Closed(0),
            backoff: Backoff::default(),
        }
    }

    fn is_due(&self, now: u64) -> bool {
        matches!(self.state, LinkState::Closed(at) if at <= now)
    }

    fn is(&self, stream: u32) -> bool {
        self.state == LinkState::Open(stream)
    }

    fn fail(&mut self, now: u64, random: u64) {
        let wait = self.backoff.fail(random).saturating_mul(1_000_000);
        self.state = LinkState::Closed(now.saturating_add(wait));
    }
}

mod contact;
mod hold;
mod setup;

#[cfg(test)]
#[path = "root_tests.rs"]
mod tests;
