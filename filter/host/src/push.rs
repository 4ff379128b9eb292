//! The delta xDS client: which messages to send and what to do with those that come.
//!
//! Pure: the root context moves the messages. All types share one stream. Resources apply one by one:
//! a bad one is reported and leaves in force what was, good ones of the same response apply.

use std::collections::{BTreeSet, HashMap};

use gatehold_wire::discovery::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, Resource, Status,
};
use gatehold_wire::{DETECTORS_TYPE_URL, ISSUER_TYPE_URL, SERVER_TYPE_URL, issuer_from_wire, push};
use prost::Message as _;
use thiserror::Error;

use crate::detection::{Detectors, DetectorsError};
use crate::server::{Server, ServerError};
use crate::snapshot::{Catalog, Snapshot};

/// gRPC service of the stream.
pub const SERVICE: &str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
/// gRPC method of the stream.
pub const METHOD: &str = "DeltaAggregatedResources";

/// `INVALID_ARGUMENT`, the code of a NACK.
const INVALID_ARGUMENT: i32 = 3;
/// A NACK names at most this many bytes of reasons.
const MAX_REASONS: usize = 8 << 10;

/// The types of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `gatehold.push.v1.Server`
    Server,
    /// `gatehold.push.v1.Issuer`
    Issuer,
    /// `gatehold.push.v1.Detectors`
    Detectors,
}

impl Kind {
    /// All of them, in the order in which they are subscribed: servers last, so that none arrives before its
    /// keys and what is looked for.
    pub const ALL: [Self; 3] = [Self::Issuer, Self::Detectors, Self::Server];

    /// The type URL.
    pub fn type_url(self) -> &'static str {
        match self {
            Self::Server => SERVER_TYPE_URL,
            Self::Issuer => ISSUER_TYPE_URL,
            Self::Detectors => DETECTORS_TYPE_URL,
        }
    }

    fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == url)
    }
}

/// One resource as it is kept for other workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its type.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The encoded message.
    pub bytes: Vec<u8>,
}

/// What a response changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A resource is in force.
    Put(Stored),
    /// A resource is gone.
    Removed(Kind, String),
}

/// What came of a response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Received {
    /// The ACK or NACK to send.
    pub reply: Vec<u8>,
    /// What changed, in order.
    pub changes: Vec<Change>,
    /// Resources that cannot be used, with the reason.
    pub refused: Vec<String>,
}

/// A resource that cannot be used.
#[derive(Debug, Error)]
enum ResourceError {
    #[error("its message is missing")]
    Missing,
    #[error("its message has type `{0}`")]
    OtherType(String),
    #[error("it holds `{0}`, not what it is named")]
    OtherName(String),
    #[error("its message cannot be read: {0}")]
    Encoding(#[from] prost::DecodeError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Issuer(#[from] gatehold_wire::WireError),
    #[error(transparent)]
    Detectors(#[from] DetectorsError),
}

/// The client's side of the protocol.
#[derive(Debug)]
pub struct PushClient {
    node: Node,
    catalog: Catalog,
    servers_known: ServersKnown,
}

/// Whether the set of servers is known, be it empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServersKnown {
    NotYet,
    Known,
}

impl PushClient {
    /// A client that holds nothing yet.
    ///
    /// `features` are the words by which the filter tells control what it is.
    pub fn new(node_id: String, node_cluster: String, features: Vec<String>) -> Self {
        let node = Node {
            id: node_id,
            cluster: node_cluster,
            user_agent_name: "gatehold".to_owned(),
            user_agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            client_features: features,
        };
        Self {
            node,
            catalog: Catalog::default(),
            servers_known: ServersKnown::NotYet,
        }
    }

    /// Takes resources that another worker kept. What cannot be used is left out and reported.
    pub fn restore(&mut self, resources: impl IntoIterator<Item = Stored>) -> Vec<String> {
        let mut refused = Vec::new();
        for Stored {
            kind,
            name,
            version,
            bytes,
        } in resources
        {
            if let Err(error) = self.apply(kind, &name, version, &bytes) {
                refused.push(format!("`{name}`: {error}"));
            }
        }
        self.servers_known = ServersKnown::Known;
        refused
    }

    /// Whether the servers have arrived, be it that there are none.
    pub fn is_ready(&self) -> bool {
        self.servers_known == ServersKnown::Known
    }

    /// Names of what is in force.
    pub fn names(&self, kind: Kind) -> BTreeSet<String> {
        self.versions(kind).into_keys().collect()
    }

    /// What is in force; nothing before the first servers have arrived.
    pub fn snapshot(&self) -> Option<Snapshot> {
        match self.servers_known {
            ServersKnown::NotYet => None,
            ServersKnown::Known => Some(self.catalog.snapshot()),
        }
    }

    /// Opens the conversation on a new stream: one encoded request per type, with what is held already.
    pub fn subscribe(&self) -> Vec<Vec<u8>> {
        let mut node = Some(self.node.clone());
        Kind::ALL
            .into_iter()
            .map(|kind| {
                DeltaDiscoveryRequest {
                    node: node.take(),
                    type_url: kind.type_url().to_owned(),
                    resource_names_subscribe: vec!["*".to_owned()],
                    initial_resource_versions: self.versions(kind),
                    ..DeltaDiscoveryRequest::default()
                }
                .encode_to_vec()
            })
            .collect()
    }

    /// Has control be told these words too, with every subscription from now on; gives the encoded request that
    /// tells it at once on a stream that is open.
    pub fn tell(&mut self, words: Vec<String>) -> Vec<u8> {
        self.node.client_features.extend(words);
        DeltaDiscoveryRequest {
            node: Some(self.node.clone()),
            type_url: SERVER_TYPE_URL.to_owned(),
            ..DeltaDiscoveryRequest::default()
        }
        .encode_to_vec()
    }

    /// Takes a response.
    ///
    /// # Errors
    /// When it cannot be read at all; the stream is of no use then.
    pub fn receive(&mut self, message: &[u8]) -> Result<Received, prost::DecodeError> {
        let response = DeltaDiscoveryResponse::decode(message)?;
        let mut received = Received::default();
        match Kind::from_type_url(&response.type_url) {
            Some(kind) => self.update(
                kind,
                response.resources,
                response.removed_resources,
                &mut received,
            ),
            None => received
                .refused
                .push(format!("type `{}` was not asked for", response.type_url)),
        }
        let error_detail = (!received.refused.is_empty()).then(|| Status {
            code: INVALID_ARGUMENT,
            message: reasons(&received.refused),
        });
        received.reply = DeltaDiscoveryRequest {
            type_url: response.type_url,
            response_nonce: response.nonce,
            error_detail,
            ..DeltaDiscoveryRequest::default()
        }
        .encode_to_vec();
        Ok(received)
    }

    fn update(
        &mut self,
        kind: Kind,
        resources: Vec<Resource>,
        removed: Vec<String>,
        received: &mut Received,
    ) {
        for name in removed {
            match kind {
                Kind::Server => self.catalog.remove_server(&name),
                Kind::Issuer => self.catalog.remove_issuer(&name),
                Kind::Detectors => self.catalog.remove_detectors(&name),
            }
            received.changes.push(Change::Removed(kind, name));
        }
        for resource in resources {
            match self.put(kind, resource) {
                Ok(stored) => received.changes.push(Change::Put(stored)),
                Err(reason) => received.refused.push(reason),
            }
        }
        if kind == Kind::Server {
            self.servers_known = ServersKnown::Known;
        }
    }

    fn put(&mut self, kind: Kind, resource: Resource) -> Result<Stored, String> {
        let Resource {
            version,
            resource,
            name,
        } = resource;
        if kind == Kind::Server {
            self.catalog.refuse_server(&name, None);
        }
        let result = match resource {
            None => Err(ResourceError::Missing),
            Some(any) if any.type_url != kind.type_url() => {
                Err(ResourceError::OtherType(any.type_url))
            }
            Some(any) => self
                .apply(kind, &name, version.clone(), &any.value)
                .map(|()| any.value),
        };
        match result {
            Ok(bytes) => Ok(Stored {
                kind,
                name,
                version,
                bytes,
            }),
            Err(error) => Err(format!("`{name}`: {error}")),
        }
    }

    fn apply(
        &mut self,
        kind: Kind,
        name: &str,
        version: String,
        bytes: &[u8],
    ) -> Result<(), ResourceError> {
        match kind {
            Kind::Server => {
                // Until it is in force. Where unmatched paths pass, its own must not.
                self.catalog.refuse_server(name, None);
                let server = push::Server::decode(bytes)?;
                self.catalog.refuse_server(name, Some(server.path.clone()));
                if server.name != name {
                    return Err(ResourceError::OtherName(server.name));
                }
                self.catalog.insert_server(Server::new(server, version)?);
            }
            Kind::Issuer => {
                let issuer = push::Issuer::decode(bytes)?;
                if issuer.name != name {
                    return Err(ResourceError::OtherName(issuer.name));
                }
                self.catalog
                    .insert_issuer(version, issuer_from_wire(&issuer)?);
            }
            Kind::Detectors => {
                let detectors = Detectors::new(&push::Detectors::decode(bytes)?, version)?;
                self.catalog.insert_detectors(name, detectors);
            }
        }
        Ok(())
    }

    fn versions(&self, kind: Kind) -> HashMap<String, String> {
        let owned = |(name, version): (&str, &str)| (name.to_owned(), version.to_owned());
        match kind {
            Kind::Server => self.catalog.server_versions().map(owned).collect(),
            Kind::Issuer => self.catalog.issuer_versions().map(owned).collect(),
            Kind::Detectors => self.catalog.detectors_versions().map(owned).collect(),
        }
    }
}

fn reasons(refused: &[String]) -> String {
    let mut text = String::new();
    for reason in refused {
        if text.len() + reason.len() > MAX_REASONS {
            text.push_str("; …");
            break;
        }
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(reason);
    }
    text
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
