//! Counts what happens on the push streams and at the desk.

use std::any::Any;
use std::time::Duration;

use gatehold_api::{Metrics, Resource, Stream};
use gatehold_approvals::{Counts, State};
use gatehold_push::{EXTENSION_TYPE_URL, Observer, StreamKind};
use gatehold_wire::{DETECTORS_TYPE_URL, ISSUER_TYPE_URL, SERVER_TYPE_URL};

/// Tells the metrics.
#[derive(Clone, Debug)]
pub struct PushMetrics(pub Metrics);

impl Observer for PushMetrics {
    fn connected(&self, kind: StreamKind) -> Box<dyn Any + Send> {
        Box::new(self.0.stream_opened(match kind {
            StreamKind::Policy => Stream::Policy,
            StreamKind::Filter => Stream::Filter,
        }))
    }

    fn pushed(&self, type_url: &str, resources: usize) {
        if let Some(resource) = resource(type_url) {
            self.0.pushed(resource, resources as u64);
        }
    }

    fn acked(&self, type_url: &str, resources: usize, latency: Duration) {
        if let Some(resource) = resource(type_url) {
            self.0.acked(resource, resources as u64, latency);
        }
    }

    fn nacked(&self, type_url: &str, resources: usize) {
        if let Some(resource) = resource(type_url) {
            self.0.nacked(resource, resources as u64);
        }
    }

    fn problem(&self, problem: &'static str) {
        self.0.problem(problem);
    }
}

/// Tells the metrics what happens at the desk.
#[derive(Clone, Debug)]
pub struct DeskMetrics(pub Metrics);

impl gatehold_desk::Observer for DeskMetrics {
    fn open(&self, counts: Counts) {
        let Counts {
            pending,
            approved,
            waiting,
        } = counts;
        self.0
            .approvals_open(pending as u64, approved as u64, waiting as u64);
    }

    fn moved(&self, state: State) {
        self.0.approval_moved(state.as_str());
    }

    fn claimed(&self, after: Duration) {
        self.0.approval_claimed(after);
    }

    fn written(&self, events: u64, head: u64) {
        if events > 0 {
            self.0.audit_stored(events, 0);
        }
        self.0.audit_head(head);
    }

    fn failed(&self) {
        self.0.approvals_failed();
    }
}

fn resource(type_url: &str) -> Option<Resource> {
    match type_url {
        SERVER_TYPE_URL => Some(Resource::Server),
        ISSUER_TYPE_URL => Some(Resource::Issuer),
        DETECTORS_TYPE_URL => Some(Resource::Detectors),
        EXTENSION_TYPE_URL => Some(Resource::Filter),
        _ => None,
    }
}
