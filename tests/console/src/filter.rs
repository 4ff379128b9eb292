//! A filter, as far as holds go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatehold_proto::discovery::AggregatedDiscoveryServiceClient;
use gatehold_proto::hold::HoldsClient;
use gatehold_wire::SERVER_TYPE_URL;
use gatehold_wire::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node};
use gatehold_wire::hold::{self, from_filter, to_filter};
use gatehold_wire::push::Approve;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

const PATIENCE: Duration = Duration::from_secs(30);

/// What the script says of a call.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Wanted {
    user: String,
    agent: String,
    tool: String,
    arguments: Value,
    risks: Vec<String>,
    rule: String,
    roles: Vec<String>,
    approvers: Vec<String>,
    quorum: u32,
    reason_required: bool,
    within: u64,
    mechanism: i32,
}

impl Wanted {
    /// A refund with these arguments that alice asks for, and one finance lead decides.
    pub fn refund(arguments: Value) -> Self {
        Self {
            arguments,
            ..Self::default()
        }
    }

    /// The same, asked for by somebody else.
    #[must_use]
    pub fn by(mut self, user: &str) -> Self {
        self.user = user.to_owned();
        self
    }

    /// The same, where policy wants a reason.
    #[must_use]
    pub fn with_reason(mut self) -> Self {
        self.reason_required = true;
        self
    }
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            user: "alice".to_owned(),
            agent: "crm-agent".to_owned(),
            tool: "refund".to_owned(),
            arguments: json!({}),
            risks: vec!["financial".to_owned()],
            rule: "refunds/large".to_owned(),
            roles: vec!["finance-lead".to_owned()],
            approvers: Vec::new(),
            quorum: 1,
            reason_required: false,
            within: 900,
            mechanism: hold::Mechanism::Request as i32,
        }
    }
}

/// A connection to the hold service.
#[derive(Debug)]
pub struct Filter {
    version: String,
    sender: mpsc::Sender<hold::FromFilter>,
    said: watch::Receiver<Vec<to_filter::Message>>,
    calls: Mutex<HashMap<String, hold::Call>>,
    number: Mutex<u64>,
    channel: Channel,
    /// Further ones that stay connected.
    others: Mutex<Vec<Subscription>>,
}

/// What a filter says and what it is pushed; it is connected as long as this lives.
type Subscription = (
    mpsc::Sender<DeltaDiscoveryRequest>,
    Streaming<DeltaDiscoveryResponse>,
);

impl Filter {
    /// Connects, and learns which policy is in force for the server `crm`.
    pub async fn connect(port: u16) -> Arc<Self> {
        let channel = Channel::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        let channel = channel.connect().await.expect("control listens");
        let version = version(channel.clone()).await;
        let (sender, receiver) = mpsc::channel(64);
        let hello = hold::Hello {
            sender: "0".repeat(32),
            node: "envoy-1".to_owned(),
        };
        let hello = from_filter::Message::Hello(hello);
        let first = hold::FromFilter {
            message: Some(hello),
        };
        sender.send(first).await.unwrap();
        let mut client = HoldsClient::new(channel.clone());
        let stream = client.hold(ReceiverStream::new(receiver)).await;
        let mut messages = stream.expect("holds are served").into_inner();
        let (said_sender, said) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok(Some(message)) = messages.message().await {
                said_sender.send_modify(|said| said.extend(message.message));
            }
        });
        Arc::new(Self {
            version,
            sender,
            said,
            calls: Mutex::default(),
            number: Mutex::default(),
            channel,
            others: Mutex::default(),
        })
    }

    /// Another one connects, and says this of itself.
    pub async fn connect_another(&self, node: Node) {
        let mut other = subscribe(self.channel.clone(), node).await;
        pushed(&mut other).await;
        self.others.lock().unwrap().push(other);
    }

    /// A call waits; gives its waiter and approval.
    pub async fn wait(&self, wanted: Wanted) -> (String, String) {
        let number = {
            let mut number = self.number.lock().unwrap();
            *number += 1;
            *number
        };
        let waiter = format!("{number:032x}");
        let arguments = wanted.arguments.to_string();
        let mut digest = Sha256::new();
        for part in [&wanted.user, &wanted.agent, &wanted.tool, &arguments] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let call = hold::Call {
            digest: digest.finalize().to_vec(),
            server: "crm".to_owned(),
            policy_version: self.version.clone(),
            method: "tools/call".to_owned(),
            target: wanted.tool,
            issuer: "corporate".to_owned(),
            user: wanted.user,
            agent: wanted.agent,
            roles: vec!["support".to_owned()],
            arguments,
            rules: vec![wanted.rule],
            requirements: vec![Approve {
                roles: wanted.roles,
                users: wanted.approvers,
                within_seconds: wanted.within,
                quorum: wanted.quorum,
                reason_required: wanted.reason_required,
                self_approval: false,
            }],
            risks: wanted.risks,
            era: "modern".to_owned(),
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
            event_id: format!("{number:032x}"),
            findings: Vec::new(),
        };
        self.calls
            .lock()
            .unwrap()
            .insert(waiter.clone(), call.clone());
        let wait = hold::Wait {
            waiter: waiter.clone(),
            call: Some(call),
            mechanism: wanted.mechanism,
            leg: None,
            body: Vec::new(),
            cancel_key: waiter.clone(),
        };
        self.send(from_filter::Message::Wait(wait)).await;
        let approval = self
            .heard(|message| match message {
                to_filter::Message::Pending(pending) if pending.waiter == waiter => {
                    Some(pending.approval.clone())
                }
                to_filter::Message::Decided(decided) if decided.waiter == waiter => {
                    panic!("decided at once: {decided:?}")
                }
                _ => None,
            })
            .await;
        (waiter, approval)
    }

    /// What was decided on a waiter's call.
    pub async fn decided(&self, waiter: &str) -> Value {
        self.heard(|message| match message {
            to_filter::Message::Decided(decided) if decided.waiter == waiter => {
                let outcome = decided.outcome().as_str_name();
                Some(json!({ "outcome": outcome, "reason": decided.reason }))
            }
            _ => None,
        })
        .await
    }

    /// Claims what was approved, and says that the upstream answered.
    pub async fn run(&self, waiter: &str, approval: &str, detail: &str) -> bool {
        let call = self.calls.lock().unwrap()[waiter].clone();
        let claim = hold::Claim {
            waiter: waiter.to_owned(),
            approval: approval.to_owned(),
            digest: call.digest,
            policy_version: call.policy_version,
            server: call.server,
        };
        self.send(from_filter::Message::Claim(claim)).await;
        let granted = self
            .heard(|message| match message {
                to_filter::Message::Claimed(claimed) if claimed.waiter == waiter => {
                    Some(claimed.granted)
                }
                _ => None,
            })
            .await;
        let report = hold::Report {
            waiter: waiter.to_owned(),
            approval: approval.to_owned(),
            progress: hold::report::Progress::Answered as i32,
            detail: detail.to_owned(),
            result: Vec::new(),
        };
        self.send(from_filter::Message::Report(report)).await;
        granted
    }

    /// The client of a waiter goes away, for this reason.
    pub async fn leave(&self, waiter: &str, why: i32) {
        let waiter = waiter.to_owned();
        self.send(from_filter::Message::Leave(hold::Leave { waiter, why }))
            .await;
    }

    /// A tool's definition was seen.
    pub async fn definition(&self, tool: &str, definition: &Value) {
        let definition = definition.to_string();
        let definition = hold::Definition {
            server: "crm".to_owned(),
            tool: tool.to_owned(),
            digest: Sha256::digest(&definition).to_vec(),
            definition,
        };
        self.send(from_filter::Message::Definition(definition))
            .await;
    }

    async fn send(&self, message: from_filter::Message) {
        let message = hold::FromFilter {
            message: Some(message),
        };
        self.sender.send(message).await.expect("the stream is open");
    }

    async fn heard<T>(&self, find: impl Fn(&to_filter::Message) -> Option<T>) -> T {
        let mut said = self.said.clone();
        let wait = async {
            loop {
                if let Some(found) = said.borrow_and_update().iter().find_map(&find) {
                    return found;
                }
                said.changed().await.expect("the stream is open");
            }
        };
        timeout(PATIENCE, wait)
            .await
            .expect("control answers in time")
    }
}

/// Version of the resource of the server `crm`, as a filter is pushed it.
async fn version(channel: Channel) -> String {
    let node = Node {
        id: "envoy-1".to_owned(),
        ..Node::default()
    };
    let response = pushed(&mut subscribe(channel, node).await).await;
    let mut resources = response.resources.iter();
    let crm = resources.find(|resource| resource.name == "crm");
    crm.expect("the server is in force").version.clone()
}

async fn subscribe(channel: Channel, node: Node) -> Subscription {
    let (sender, receiver) = mpsc::channel(4);
    let ask = DeltaDiscoveryRequest {
        node: Some(node),
        type_url: SERVER_TYPE_URL.to_owned(),
        resource_names_subscribe: vec!["*".to_owned()],
        ..DeltaDiscoveryRequest::default()
    };
    sender.send(ask).await.unwrap();
    let mut client = AggregatedDiscoveryServiceClient::new(channel);
    let stream = client.delta_aggregated_resources(ReceiverStream::new(receiver));
    let stream = stream.await.expect("resources are pushed").into_inner();
    (sender, stream)
}

async fn pushed((_, stream): &mut Subscription) -> DeltaDiscoveryResponse {
    let pushed = timeout(PATIENCE, stream.message()).await.expect("in time");
    pushed.expect("no error").expect("a push")
}
