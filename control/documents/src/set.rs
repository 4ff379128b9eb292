//! The typed documents of a set, before anything is known of what they say of each other.

use std::sync::Arc;

use crate::console::ConsoleSpec;
use crate::detectors::DetectorsSpec;
use crate::filter::FilterSpec;
use crate::issuer::IssuerSpec;
use crate::policy::PolicySpec;
use crate::problem::{At, Position};
use crate::server::ServerSpec;
use crate::webhook::WebhookSpec;

/// A typed document; `spec` is absent when it has problems, which then are reported already.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) name: At<String>,
    pub(crate) at: Position,
    pub(crate) spec: Option<Arc<T>>,
}

/// All typed documents of a set, or of a file of it.
#[derive(Debug, Default)]
pub(crate) struct Set {
    pub(crate) servers: Vec<Entry<ServerSpec>>,
    pub(crate) issuers: Vec<Entry<IssuerSpec>>,
    pub(crate) policies: Vec<Entry<PolicySpec>>,
    pub(crate) consoles: Vec<Entry<ConsoleSpec>>,
    pub(crate) webhooks: Vec<Entry<WebhookSpec>>,
    pub(crate) detectors: Vec<Entry<DetectorsSpec>>,
    pub(crate) filters: Vec<Entry<FilterSpec>>,
    /// Whether anything was reported of them.
    pub(crate) has_problems: bool,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        let Self { name, at, spec } = self;
        Self {
            name: name.clone(),
            at: *at,
            spec: spec.clone(),
        }
    }
}

impl Set {
    /// Adds the documents of a file.
    pub(crate) fn extend(&mut self, file: &Self) {
        self.servers.extend_from_slice(&file.servers);
        self.issuers.extend_from_slice(&file.issuers);
        self.policies.extend_from_slice(&file.policies);
        self.consoles.extend_from_slice(&file.consoles);
        self.webhooks.extend_from_slice(&file.webhooks);
        self.detectors.extend_from_slice(&file.detectors);
        self.filters.extend_from_slice(&file.filters);
    }
}
