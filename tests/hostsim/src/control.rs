//! The other end of the filter's streams: pushes and audit.

use gatehold_wire::audit::{AppendRequest, AppendResponse, Event};
use gatehold_wire::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource};
use gatehold_wire::hold::{FromFilter, ToFilter, from_filter, to_filter};
use gatehold_wire::{Any, DETECTORS_TYPE_URL, ISSUER_TYPE_URL, SERVER_TYPE_URL, push};
use prost::Message as _;

use crate::abi::Callback;
use crate::sim::{Sim, callback};
use crate::world::with;

const PUSH: &str = "DeltaAggregatedResources";
const AUDIT: &str = "Append";
const HOLD: &str = "Holds/Hold";

/// Resources to push, with their versions.
#[derive(Clone, Debug, Default)]
pub struct Push {
    issuers: Vec<Resource>,
    detectors: Vec<Resource>,
    servers: Vec<Resource>,
    removed: Vec<String>,
}

/// What the filter answers to one response of control.
pub type Reply = DeltaDiscoveryRequest;

/// One stream that the filter opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamView {
    /// Its token.
    pub token: u32,
    /// The root that opened it.
    pub root: u32,
    /// Cluster, service and method.
    pub target: String,
    /// Whether it is open.
    pub open: bool,
}

impl Push {
    /// Adds an issuer.
    pub fn issuer(mut self, version: &str, issuer: &push::Issuer) -> Self {
        let value = issuer.encode_to_vec();
        let resource = resource(ISSUER_TYPE_URL, &issuer.name, version, value);
        self.issuers.push(resource);
        self
    }

    /// Adds what is looked for.
    pub fn detectors(mut self, version: &str, detectors: &push::Detectors) -> Self {
        let value = detectors.encode_to_vec();
        let resource = resource(DETECTORS_TYPE_URL, "detectors", version, value);
        self.detectors.push(resource);
        self
    }

    /// Adds a server.
    pub fn server(self, version: &str, server: &push::Server) -> Self {
        self.raw_server(&server.name, version, server.encode_to_vec())
    }

    /// Adds a server as these bytes.
    pub fn raw_server(mut self, name: &str, version: &str, value: Vec<u8>) -> Self {
        let resource = resource(SERVER_TYPE_URL, name, version, value);
        self.servers.push(resource);
        self
    }

    /// Takes a server away.
    pub fn remove_server(mut self, name: &str) -> Self {
        self.removed.push(name.to_owned());
        self
    }

    /// The responses: issuers, detectors, then servers, as far as there are any.
    fn responses(&self) -> Vec<Vec<u8>> {
        let issuers = DeltaDiscoveryResponse {
            resources: self.issuers.clone(),
            type_url: ISSUER_TYPE_URL.to_owned(),
            nonce: "issuers".to_owned(),
            ..DeltaDiscoveryResponse::default()
        };
        let detectors = DeltaDiscoveryResponse {
            resources: self.detectors.clone(),
            type_url: DETECTORS_TYPE_URL.to_owned(),
            nonce: "detectors".to_owned(),
            ..DeltaDiscoveryResponse::default()
        };
        let servers = DeltaDiscoveryResponse {
            resources: self.servers.clone(),
            type_url: SERVER_TYPE_URL.to_owned(),
            nonce: "servers".to_owned(),
            removed_resources: self.removed.clone(),
            ..DeltaDiscoveryResponse::default()
        };
        [issuers, detectors, servers]
            .into_iter()
            .filter(|it| !it.resources.is_empty() || !it.removed_resources.is_empty())
            .map(|it| it.encode_to_vec())
            .collect()
    }
}

fn resource(type_url: &str, name: &str, version: &str, value: Vec<u8>) -> Resource {
    Resource {
        version: version.to_owned(),
        resource: Some(Any {
            type_url: type_url.to_owned(),
            value,
        }),
        name: name.to_owned(),
    }
}

impl Sim {
    /// All streams that the filter ever opened.
    pub fn streams(&self) -> Vec<StreamView> {
        with(|world| {
            let view = |(token, stream): (&u32, &crate::world::Stream)| StreamView {
                token: *token,
                root: stream.root,
                target: stream.target.clone(),
                open: stream.open,
            };
            world.streams.iter().map(view).collect()
        })
    }

    /// Tokens of the push streams that are open.
    pub fn push_streams(&self) -> Vec<u32> {
        self.open(PUSH)
    }

    /// Tokens of the audit streams that are open.
    pub fn audit_streams(&self) -> Vec<u32> {
        self.open(AUDIT)
    }

    /// Tokens of the hold streams that are open.
    pub fn hold_streams(&self) -> Vec<u32> {
        self.open(HOLD)
    }

    /// Takes what the filter has said of requests that wait, on all hold streams.
    pub fn holds(&self) -> Vec<from_filter::Message> {
        let streams = self.streams().into_iter();
        streams
            .filter(|stream| stream.target.ends_with(HOLD))
            .flat_map(|stream| self.sent(stream.token))
            .map(|bytes| FromFilter::decode(bytes.as_slice()).expect("a message"))
            .filter_map(|it| it.message)
            .collect()
    }

    /// Says something of a request that waits, on all hold streams that are open.
    pub fn tell(&self, message: to_filter::Message) {
        let message = Some(message);
        for token in self.hold_streams() {
            self.receive(
                token,
                &ToFilter {
                    message: message.clone(),
                }
                .encode_to_vec(),
            );
        }
    }

    fn open(&self, method: &str) -> Vec<u32> {
        let streams = self.streams().into_iter();
        streams
            .filter(|stream| stream.open && stream.target.ends_with(method))
            .map(|stream| stream.token)
            .collect()
    }

    /// Takes what the filter has sent on a stream.
    pub fn sent(&self, token: u32) -> Vec<Vec<u8>> {
        with(|world| {
            let stream = world.streams.get_mut(&token);
            std::mem::take(&mut stream.expect("the stream is known").sent)
        })
    }

    /// A message of control, whether or not the stream is open still.
    pub fn receive(&self, token: u32, message: &[u8]) {
        let root = with(|world| {
            world.message = Some(message.to_vec());
            world.streams[&token].root
        });
        let size = message.len();
        callback(root, Callback::Receive { token, size });
        with(|world| world.message = None);
    }

    /// Control or the network closes a stream.
    pub fn close(&self, token: u32, status: u32) {
        close(token, status);
    }

    /// The same, with words for it.
    pub fn close_saying(&self, token: u32, status: u32, message: &str) {
        with(|world| message.clone_into(&mut world.grpc_message));
        close(token, status);
        with(|world| world.grpc_message.clear());
    }

    /// Pushes on all open streams; gives what the filter answered, subscriptions left out.
    pub fn push(&self, push: &Push) -> Vec<Reply> {
        let mut replies = Vec::new();
        for token in self.push_streams() {
            self.sent(token);
            for response in push.responses() {
                self.receive(token, &response);
            }
            replies.extend(self.requests(token));
        }
        replies
    }

    /// Takes what the filter has sent on a push stream.
    pub fn requests(&self, token: u32) -> Vec<Reply> {
        let decode = |bytes: Vec<u8>| Reply::decode(bytes.as_slice()).expect("a request");
        self.sent(token).into_iter().map(decode).collect()
    }

    /// Takes the batches that were sent on the audit streams, those of closed ones too.
    pub fn batches(&self) -> Vec<AppendRequest> {
        let streams = self.streams().into_iter();
        streams
            .filter(|stream| stream.target.ends_with(AUDIT))
            .flat_map(|stream| self.sent(stream.token))
            .map(|bytes| AppendRequest::decode(bytes.as_slice()).expect("a batch"))
            .collect()
    }

    /// Acknowledges all batches up to this one, on all open audit streams.
    pub fn acknowledge(&self, batch: u64) {
        for token in self.audit_streams() {
            self.receive(token, &AppendResponse { batch }.encode_to_vec());
        }
    }

    /// The events that the filter sends with the next tick, acknowledged.
    pub fn events(&self) -> Vec<Event> {
        self.tick();
        let batches = self.batches();
        if let Some(last) = batches.iter().map(|batch| batch.batch).max() {
            self.acknowledge(last);
        }
        batches.into_iter().flat_map(|batch| batch.events).collect()
    }
}

/// Tells the filter that a stream is closed.
/// The other side has taken a stream, if it is still there.
pub(crate) fn take(token: u32) {
    let stream = with(|world| world.streams.get(&token).cloned());
    if let Some(stream) = stream.filter(|stream| stream.open) {
        callback(stream.root, Callback::Opened { token });
    }
}

pub(crate) fn close(token: u32, status: u32) {
    let root = with(|world| {
        let stream = world.streams.get_mut(&token).expect("the stream is known");
        stream.open = false;
        world.grpc_status = status;
        stream.root
    });
    callback(root, Callback::Close { token, status });
}
