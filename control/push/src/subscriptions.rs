//! The state of one delta xDS stream, without the stream.
//!
//! Protocol: "xDS REST and gRPC protocol" of Envoy's documentation, incremental variant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gatehold_wire::Any;
use gatehold_wire::discovery::{self, DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use crate::{Resource, Resources, nack};

/// Types that one stream may ask for.
pub const MAX_TYPES: usize = 16;
/// Names that one stream may subscribe to, or say that it holds, per type.
pub const MAX_NAMES: usize = 100_000;

/// What a client asked for and what it was told, per type.
#[derive(Debug, Default)]
pub struct Subscriptions {
    types: BTreeMap<String, Subscription>,
    last_nonce: u64,
}

/// What a request said about the response before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: it only changes subscriptions.
    None,
    /// The response was applied.
    Ack {
        /// How many resources it carried.
        applied: usize,
    },
    /// Resources of the response were refused.
    Nack {
        /// How many resources were applied all the same.
        applied: usize,
        /// Name to reason.
        refused: BTreeMap<String, String>,
    },
    /// It answers a response that is not the one in flight; only its subscriptions count.
    Stale,
}

/// A request that ends the stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The request names no type.
    #[error("the request has no type_url; set it to the type of the resources")]
    NoType,
    /// Too many types on one stream.
    #[error("`{0}` is one type too many; a stream may ask for {MAX_TYPES}")]
    TooManyTypes(String),
    /// Too many names of one type.
    #[error("too many names of `{0}`; subscribe to `*`, or to at most {MAX_NAMES} names")]
    TooManyNames(String),
}

/// How a client stands with one type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeStatus {
    /// What the client has applied: name to version.
    pub acked: BTreeMap<String, Arc<str>>,
    /// What the client has refused and has not got a better version of yet.
    pub rejected: BTreeMap<String, Rejection>,
    /// Whether a response has not been answered yet.
    pub in_flight: bool,
}

/// A refused resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The version that was refused.
    pub version: Arc<str>,
    /// Why, in the client's words.
    pub reason: String,
}

#[derive(Debug, Default)]
struct Subscription {
    wildcard: bool,
    names: BTreeSet<String>,
    /// What the client was last offered, whether it took it or not: a refused version is not offered
    /// again. `None` for a name that it knows not to exist.
    told: BTreeMap<String, Option<Arc<str>>>,
    /// To be sent even if nothing changed, because the client asked again.
    asked_again: BTreeSet<String>,
    /// The client holds nothing and waits for a first answer, be it empty.
    first_answer_due: bool,
    in_flight: Option<InFlight>,
    status: TypeStatus,
}

#[derive(Debug)]
struct InFlight {
    nonce: String,
    offered: BTreeMap<String, Arc<str>>,
    removed: Vec<String>,
}

impl Subscriptions {
    /// Takes one request in.
    ///
    /// # Errors
    /// When the request goes over a bound or names no type; the stream should end with the message.
    pub fn request(&mut self, request: DeltaDiscoveryRequest) -> Result<Answer, RequestError> {
        let type_url = request.type_url.clone();
        if type_url.is_empty() {
            return Err(RequestError::NoType);
        }
        let is_new = !self.types.contains_key(&type_url);
        if is_new && self.types.len() >= MAX_TYPES {
            return Err(RequestError::TooManyTypes(type_url));
        }
        let subscription = self.types.entry(type_url.clone()).or_default();
        let answer = subscription.answer(&request);
        if is_new {
            subscription.open(&request);
        }
        subscription.change(request);
        let known = subscription.names.len().max(subscription.told.len());
        if known > MAX_NAMES {
            Err(RequestError::TooManyNames(type_url))
        } else {
            Ok(answer)
        }
    }

    /// The responses that are due: for each type without one in flight, what differs between
    /// `resources` and what the client was told. They count as sent.
    pub fn due(&mut self, resources: &Resources) -> Vec<DeltaDiscoveryResponse> {
        let mut due = Vec::new();
        for (type_url, subscription) in &mut self.types {
            if subscription.in_flight.is_some() {
                continue;
            }
            let (changed, removed) = subscription.difference(type_url, resources);
            if changed.is_empty() && removed.is_empty() && !subscription.first_answer_due {
                continue;
            }
            self.last_nonce += 1;
            let nonce = self.last_nonce.to_string();
            subscription.sent(&nonce, &changed, &removed);
            due.push(DeltaDiscoveryResponse {
                system_version_info: resources.version().to_owned(),
                resources: changed
                    .into_iter()
                    .map(|(name, resource)| to_wire(type_url, name, resource))
                    .collect(),
                type_url: type_url.clone(),
                nonce,
                removed_resources: removed,
            });
        }
        due
    }

    /// How the client stands, per type URL.
    pub fn status(&self) -> impl Iterator<Item = (&str, &TypeStatus)> {
        self.types
            .iter()
            .map(|(type_url, subscription)| (&**type_url, &subscription.status))
    }
}

impl Subscription {
    /// The first request of a type on this stream.
    fn open(&mut self, request: &DeltaDiscoveryRequest) {
        // Subscribing to nothing at first is the old way to say `*`.
        self.wildcard = request.resource_names_subscribe.is_empty();
        self.first_answer_due = request.initial_resource_versions.is_empty()
            && (self.wildcard
                || request
                    .resource_names_subscribe
                    .iter()
                    .any(|name| name == "*"));
        for (name, version) in &request.initial_resource_versions {
            let version: Arc<str> = version.as_str().into();
            self.told.insert(name.clone(), Some(version.clone()));
            self.status.acked.insert(name.clone(), version);
        }
    }

    fn answer(&mut self, request: &DeltaDiscoveryRequest) -> Answer {
        if request.response_nonce.is_empty() {
            return Answer::None;
        }
        let Some(InFlight {
            offered, removed, ..
        }) = self
            .in_flight
            .take_if(|in_flight| in_flight.nonce == request.response_nonce)
        else {
            return Answer::Stale;
        };
        self.status.in_flight = false;
        let refused = match &request.error_detail {
            Some(error) => nack::reasons(&error.message, offered.keys().map(String::as_str)),
            None => BTreeMap::new(),
        };
        for name in removed {
            self.status.acked.remove(&name);
            self.status.rejected.remove(&name);
        }
        let applied = offered.len() - refused.len();
        for (name, version) in offered {
            if let Some(reason) = refused.get(&name) {
                let rejection = Rejection {
                    version,
                    reason: reason.clone(),
                };
                self.status.rejected.insert(name, rejection);
            } else {
                self.status.rejected.remove(&name);
                self.status.acked.insert(name, version);
            }
        }
        match request.error_detail {
            Some(_) => Answer::Nack { applied, refused },
            None => Answer::Ack { applied },
        }
    }

    fn change(&mut self, request: DeltaDiscoveryRequest) {
        for name in request.resource_names_subscribe {
            if name == "*" {
                self.wildcard = true;
            } else if !self.names.insert(name.clone()) {
                self.asked_again.insert(name);
            }
        }
        for name in request.resource_names_unsubscribe {
            if name == "*" {
                self.wildcard = false;
            } else if self.names.remove(&name) && self.wildcard {
                // The client can't know whether `*` covers the name, so it is told again.
                self.asked_again.insert(name);
            }
        }
        if !self.wildcard {
            let names = &self.names;
            self.told.retain(|name, _| names.contains(name));
            self.asked_again.retain(|name| names.contains(name));
            self.status.acked.retain(|name, _| names.contains(name));
            self.status.rejected.retain(|name, _| names.contains(name));
        }
    }

    fn difference<'r>(
        &self,
        type_url: &str,
        resources: &'r Resources,
    ) -> (Vec<(&'r str, &'r Resource)>, Vec<String>) {
        let wanted = |name: &str| self.wildcard || self.names.contains(name);
        let is_news = |name: &str, resource: &Resource| {
            let told = self.told.get(name).and_then(Option::as_ref);
            told != Some(&resource.version) || self.asked_again.contains(name)
        };
        let changed = resources
            .of_type(type_url)
            .filter(|(name, resource)| wanted(name) && is_news(name, resource))
            .collect();

        let held = self
            .told
            .iter()
            .filter(|(_, version)| version.is_some())
            .map(|(name, _)| name);
        let unknown = self
            .names
            .iter()
            .filter(|name| !self.told.contains_key(*name));
        let removed: BTreeSet<&String> = held
            .chain(unknown)
            .chain(&self.asked_again)
            .filter(|name| resources.is_gone(type_url, name))
            .collect();
        (changed, removed.into_iter().cloned().collect())
    }

    fn sent(&mut self, nonce: &str, changed: &[(&str, &Resource)], removed: &[String]) {
        let offered: BTreeMap<String, Arc<str>> = changed
            .iter()
            .map(|(name, resource)| ((*name).to_owned(), resource.version.clone()))
            .collect();
        for (name, version) in &offered {
            self.told.insert(name.clone(), Some(version.clone()));
        }
        for name in removed {
            if self.names.contains(name) {
                self.told.insert(name.clone(), None);
            } else {
                self.told.remove(name);
            }
        }
        self.asked_again.clear();
        self.first_answer_due = false;
        self.in_flight = Some(InFlight {
            nonce: nonce.to_owned(),
            offered,
            removed: removed.to_vec(),
        });
        self.status.in_flight = true;
    }
}

fn to_wire(type_url: &str, name: &str, resource: &Resource) -> discovery::Resource {
    discovery::Resource {
        version: resource.version.to_string(),
        resource: Some(Any {
            type_url: type_url.to_owned(),
            value: resource.body.to_vec(),
        }),
        name: name.to_owned(),
    }
}
