//! Counts what happens on the push streams.

use std::any::Any;
use std::time::Duration;

use gatehold_api::{Metrics, Resource, Stream};
use gatehold_push::Observer;
use gatehold_wire::{ISSUER_TYPE_URL, SERVER_TYPE_URL};

/// Tells the metrics.
#[derive(Clone, Debug)]
pub struct PushMetrics(pub Metrics);

impl Observer for PushMetrics {
    fn connected(&self) -> Box<dyn Any + Send> {
        Box::new(self.0.stream_opened(Stream::Policy))
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
}

fn resource(type_url: &str) -> Option<Resource> {
    match type_url {
        SERVER_TYPE_URL => Some(Resource::Server),
        ISSUER_TYPE_URL => Some(Resource::Issuer),
        _ => None,
    }
}
