//! The state of one delta xDS stream, without the stream.
//!
//! Protocol: "xDS REST and gRPC protocol" of Envoy's documentation, incremental variant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gatehold_wire::discovery::DeltaDiscoveryRequest;

use crate::held::Held;
use crate::of_type::{Difference, OfType};
use crate::{Resources, Response, nack};

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
    names: BTreeSet<Arc<str>>,
    /// What the client was last offered, whether it took it or not: a refused version is not offered
    /// again.
    told: Held,
    /// To be sent even if nothing changed, because the client asked again.
    asked_again: BTreeSet<Arc<str>>,
    /// The client holds nothing and waits for a first answer, be it empty.
    first_answer_due: bool,
    in_flight: Option<InFlight>,
    refused: BTreeMap<Arc<str>, Refused>,
}

#[derive(Debug)]
struct InFlight {
    nonce: String,
    difference: Arc<Difference>,
    /// What the client was told before.
    before: Held,
}

#[derive(Debug)]
struct Refused {
    rejection: Rejection,
    /// What the client goes on with, if it ever took any.
    applied: Option<Arc<str>>,
}

impl Subscriptions {
    /// Takes one request in.
    ///
    /// # Errors
    /// When the request goes over a bound or names no type; the stream should end with the message.
    pub fn request(&mut self, mut request: DeltaDiscoveryRequest) -> Result<Answer, RequestError> {
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
            subscription.open(&mut request);
        }
        subscription.change(request);
        let known = subscription.names.len().max(subscription.told.except.len());
        if known > MAX_NAMES {
            Err(RequestError::TooManyNames(type_url))
        } else {
            Ok(answer)
        }
    }

    /// The responses that are due: for each type without one in flight, what differs between
    /// `resources` and what the client was told. They count as sent.
    pub fn due(&mut self, resources: &Resources) -> Vec<Response> {
        let mut due = Vec::new();
        let none = OfType::default();
        for (type_url, subscription) in &mut self.types {
            if subscription.in_flight.is_some() {
                continue;
            }
            let of_type = resources.types(type_url).unwrap_or(&none);
            let (difference, told) = subscription.difference(of_type);
            let before = std::mem::replace(&mut subscription.told, told);
            subscription.asked_again.clear();
            if difference.is_empty() && !subscription.first_answer_due {
                continue;
            }
            subscription.first_answer_due = false;
            self.last_nonce += 1;
            let nonce = self.last_nonce.to_string();
            due.push(Response::new(
                type_url,
                &nonce,
                resources.version(),
                difference.clone(),
            ));
            subscription.in_flight = Some(InFlight {
                nonce,
                difference,
                before,
            });
        }
        due
    }

    /// How the client stands, per type URL.
    pub fn status(&self) -> impl Iterator<Item = (&str, TypeStatus)> {
        self.types
            .iter()
            .map(|(type_url, subscription)| (&**type_url, subscription.status()))
    }

    /// The version of a resource that the client has in force, and that which it refuses.
    pub fn resource(&self, type_url: &str, name: &str) -> (Option<Arc<str>>, Option<Rejection>) {
        let Some(subscription) = self.types.get(type_url) else {
            return (None, None);
        };
        let told = match &subscription.in_flight {
            Some(in_flight) => &in_flight.before,
            None => &subscription.told,
        };
        match subscription.refused.get(name) {
            Some(refused) => (refused.applied.clone(), Some(refused.rejection.clone())),
            None => (told.version(name).cloned(), None),
        }
    }

    /// Whether the client asks for this resource, and whether it has still to answer what it was sent of that type.
    pub(crate) fn asks(&self, type_url: &str, name: &str) -> (bool, bool) {
        let Some(subscription) = self.types.get(type_url) else {
            return (false, false);
        };
        let asks = subscription.wildcard || subscription.names.contains(name);
        (asks, subscription.in_flight.is_some())
    }

    /// What is refused at present: type URL, name, and what of it.
    pub fn rejections(&self) -> impl Iterator<Item = (&str, &str, &Rejection)> {
        self.types.iter().flat_map(|(type_url, subscription)| {
            let refused = subscription.refused.iter();
            refused.map(|(name, refused)| (&**type_url, &**name, &refused.rejection))
        })
    }

    /// Whether every response was answered, and nothing is refused.
    pub fn is_settled(&self) -> bool {
        let mut types = self.types.values();
        !self.types.is_empty() && types.all(|it| it.in_flight.is_none() && it.refused.is_empty())
    }

    /// How many resources are refused at present.
    pub fn rejected(&self) -> usize {
        self.types.values().map(|s| s.refused.len()).sum()
    }
}

impl Subscription {
    /// The first request of a type on this stream.
    fn open(&mut self, request: &mut DeltaDiscoveryRequest) {
        // Subscribing to nothing at first is the old way to say `*`.
        self.wildcard = request.resource_names_subscribe.is_empty();
        self.first_answer_due = request.initial_resource_versions.is_empty()
            && (self.wildcard
                || request
                    .resource_names_subscribe
                    .iter()
                    .any(|name| name == "*"));
        let held = std::mem::take(&mut request.initial_resource_versions);
        let held = held.into_iter();
        self.told.except = held
            .map(|(name, version)| (name.into(), Some(version.into())))
            .collect();
    }

    fn answer(&mut self, request: &DeltaDiscoveryRequest) -> Answer {
        if request.response_nonce.is_empty() {
            return Answer::None;
        }
        let Some(InFlight {
            difference, before, ..
        }) = self
            .in_flight
            .take_if(|in_flight| in_flight.nonce == request.response_nonce)
        else {
            return Answer::Stale;
        };
        let Difference {
            changed, removed, ..
        } = &*difference;
        let refused = match &request.error_detail {
            Some(error) => nack::reasons(&error.message, changed.iter().map(|(name, _)| &**name)),
            None => BTreeMap::new(),
        };
        for name in removed {
            self.refused.remove(name);
        }
        // Nearly always nothing is, or was, refused.
        if !(refused.is_empty() && self.refused.is_empty()) {
            for (name, version) in changed {
                let earlier = self.refused.remove(name);
                let Some(reason) = refused.get(&**name) else {
                    continue;
                };
                let applied = match earlier {
                    Some(earlier) => earlier.applied,
                    None => before.version(name).cloned(),
                };
                let rejection = Rejection {
                    version: version.clone(),
                    reason: reason.clone(),
                };
                let refused = Refused { rejection, applied };
                self.refused.insert(name.clone(), refused);
            }
        }
        let applied = changed.len() - refused.len();
        match request.error_detail {
            Some(_) => Answer::Nack { applied, refused },
            None => Answer::Ack { applied },
        }
    }

    fn change(&mut self, request: DeltaDiscoveryRequest) {
        for name in request.resource_names_subscribe {
            let name: Arc<str> = name.into();
            if &*name == "*" {
                self.wildcard = true;
            } else if !self.names.insert(name.clone()) {
                self.asked_again.insert(name);
            }
        }
        for name in request.resource_names_unsubscribe {
            let name: Arc<str> = name.into();
            if &*name == "*" {
                self.wildcard = false;
            } else if self.names.remove(&name) && self.wildcard {
                // The client can't know whether `*` covers the name, so it is told again.
                self.asked_again.insert(name);
            }
        }
        if !self.wildcard {
            let names = &self.names;
            self.told.retain(names);
            if let Some(in_flight) = &mut self.in_flight {
                in_flight.before.retain(names);
            }
            self.asked_again.retain(|name| names.contains(name));
            self.refused.retain(|name, _| names.contains(name));
        }
    }

    /// What the client lacks, and what it will have been told then.
    fn difference(&self, of_type: &OfType) -> (Arc<Difference>, Held) {
        let Held { base, except } = &self.told;
        // A filter wants all, and holds what others hold.
        if self.wildcard
            && self.names.is_empty()
            && self.asked_again.is_empty()
            && except.is_empty()
        {
            let difference = of_type.since(base.as_ref());
            let kept = difference.kept.iter().cloned();
            let told = Held {
                base: Some(of_type.versions().clone()),
                except: kept.map(|(name, version)| (name, Some(version))).collect(),
            };
            return (difference, told);
        }
        let difference = self.own_difference(of_type);
        let told = self.told_after(of_type, &difference);
        (Arc::new(difference), told)
    }

    fn own_difference(&self, of_type: &OfType) -> Difference {
        let changed = of_type.resources().filter(|resource| {
            let name = &resource.name;
            let is_wanted = self.wildcard || self.names.contains(name);
            is_wanted
                && (self.told.version(name) != Some(&resource.version)
                    || self.asked_again.contains(name))
        });
        let held = self.told.iter().filter(|(_, version)| version.is_some());
        let unknown = self.names.iter().filter(|name| !self.told.knows(name));
        let removed: BTreeSet<&Arc<str>> = held
            .map(|(name, _)| name)
            .chain(unknown)
            .chain(&self.asked_again)
            .filter(|name| of_type.is_gone(name))
            .collect();
        Difference {
            removed: removed.into_iter().cloned().collect(),
            ..Difference::new(changed)
        }
    }

    fn told_after(&self, of_type: &OfType, difference: &Difference) -> Held {
        let removed = difference.removed.iter();
        let unknown = removed.filter(|name| self.names.contains(*name));
        let unknown = unknown.map(|name| (name.clone(), None));
        if !self.wildcard {
            let mut told = self.told.clone();
            let changed = difference.changed.iter().cloned();
            told.except
                .extend(changed.map(|(name, version)| (name, Some(version))));
            told.except.extend(unknown);
            return told;
        }
        // All that is here the client has now; what is not, and was not removed, it keeps.
        let removed: BTreeSet<&Arc<str>> = difference.removed.iter().collect();
        let kept = self
            .told
            .iter()
            .filter(|(name, _)| of_type.get(name).is_none() && !removed.contains(name));
        let kept = kept.map(|(name, version)| (name.clone(), version.cloned()));
        Held {
            base: Some(of_type.versions().clone()),
            except: kept.chain(unknown).collect(),
        }
    }

    fn status(&self) -> TypeStatus {
        let told = match &self.in_flight {
            Some(in_flight) => &in_flight.before,
            None => &self.told,
        };
        let told = told.iter().filter_map(|(name, version)| {
            let applied = match self.refused.get(name) {
                Some(refused) => refused.applied.as_ref(),
                None => version,
            };
            Some((name.to_string(), applied?.clone()))
        });
        let refused = self.refused.iter();
        TypeStatus {
            acked: told.collect(),
            rejected: refused
                .map(|(name, refused)| (name.to_string(), refused.rejection.clone()))
                .collect(),
            in_flight: self.in_flight.is_some(),
        }
    }
}
