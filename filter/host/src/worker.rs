//! What all exchanges of one root share.
//!
//! A configuration update makes a second root in the same VM, so none of this is static: it hangs off
//! the root and each exchange holds on to it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gatehold_identity::TokenMemory;

use crate::audit::{AuditQueue, Bounds, Recorded, Weight};
use crate::caller::Caller;
use crate::config::{Audit, AuditOverflow, Config};
use crate::detection::Verdicts;
use crate::hold::{Holds, KnownTools};
use crate::host::Host;
use crate::metrics::{Counter, Metrics};
use crate::random::Random;
use crate::setup::Setup;
use crate::snapshot::Snapshot;

/// Tokens that one worker remembers.
const TOKENS: usize = 10_000;
/// Bytes that their identities may take.
const TOKEN_BYTES: usize = 16 << 20;

/// State of one root.
#[derive(Debug)]
pub struct Worker {
    /// The plugin's configuration.
    pub config: Config,
    /// What is in force; nothing before the first push.
    pub snapshot: RefCell<Option<Rc<Snapshot>>>,
    /// Verified tokens.
    pub tokens: RefCell<TokenMemory<Caller>>,
    /// Events on their way to control.
    pub audit: RefCell<AuditQueue>,
    /// Requests that wait for a person.
    pub holds: RefCell<Holds>,
    /// Definitions of tools that control has been told.
    pub tools: RefCell<KnownTools>,
    /// What detection saw in definitions.
    pub verdicts: RefCell<Verdicts>,
    /// What is known of how the filter was set up.
    pub setup: Setup,
    /// Counters.
    pub metrics: Metrics,
    /// Identifiers.
    pub random: Random,
    /// Exchanges that have not ended.
    pub open: Cell<usize>,
    /// Bytes of bodies that exchanges in shadow mode keep copies of.
    pub copied: Cell<usize>,
}

/// Room in the audit queue for the event of an allowed request; see [`Worker::reserve`].
#[derive(Debug)]
pub enum Slot {
    /// Room is kept.
    Reserved,
    /// None is needed.
    Unneeded,
}

impl Worker {
    /// State of a new root. `node` is Envoy's node id.
    pub fn new(config: Config, metrics: Metrics, setup: Setup, node: String) -> Self {
        let random = Random::new();
        let audit = AuditQueue::new(random.id(), node, Bounds::default());
        Self {
            config,
            snapshot: RefCell::new(None),
            tokens: RefCell::new(TokenMemory::new(TOKENS, TOKEN_BYTES, random.pair())),
            audit: RefCell::new(audit),
            holds: RefCell::default(),
            tools: RefCell::new(KnownTools::new(random.pair())),
            verdicts: RefCell::new(Verdicts::new(random.pair())),
            setup,
            metrics,
            random,
            open: Cell::new(0),
            copied: Cell::new(0),
        }
    }

    /// Whether there are events at all.
    pub fn records(&self) -> bool {
        self.config.audit == Audit::On
    }

    /// Keeps room for the event of a request that is about to be allowed. Nothing when there is no room
    /// and the configuration wants the request refused for that.
    pub fn reserve(&self) -> Option<Slot> {
        match (self.config.audit, self.config.audit_overflow) {
            (Audit::On, AuditOverflow::Refuse) => {
                self.audit.borrow_mut().reserve().then_some(Slot::Reserved)
            }
            (Audit::Off, _) | (_, AuditOverflow::Drop) => Some(Slot::Unneeded),
        }
    }

    /// Gives room back.
    pub fn release(&self, slot: &Slot) {
        match slot {
            Slot::Reserved => self.audit.borrow_mut().release(),
            Slot::Unneeded => {}
        }
    }

    /// Hands an encoded event to the queue.
    pub fn record(&self, host: &dyn Host, event: Vec<u8>, weight: Weight) {
        let counter = match self.audit.borrow_mut().record(event, weight) {
            Recorded::Queued => Counter::AuditQueued,
            Recorded::Dropped => Counter::AuditDropped,
        };
        self.metrics.add(host, counter, 1);
    }
}
