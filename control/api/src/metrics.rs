//! The metrics of control.

use crate::fleet::{FleetCounts, FleetMetrics};
use crate::labels::{
    IssuerLabel, KindLabel, ProblemLabel, Resource, ResourceLabel, ResultLabel, StateLabel, Stream,
    StreamLabel, VersionLabel, WebhookLabel,
};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Seconds from a push to its ACK; a policy change has to be in force everywhere within one.
const ACK_BUCKETS: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// Seconds from the decision of an approval to the claim of its call: at once when the client waits, minutes when it
/// comes back.
const CLAIM_BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0,
];

/// The states of an approval that is open.
const OPEN_STATES: [&str; 2] = ["pending", "approved"];
/// All states of an approval.
const STATES: [&str; 7] = [
    "pending",
    "approved",
    "used",
    "denied",
    "expired",
    "withdrawn",
    "superseded",
];

/// The metrics of control. A clone is a handle to the same metrics.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

/// Counts a stream as connected for as long as it lives.
#[derive(Debug)]
#[must_use = "the stream counts as connected only while this lives"]
pub struct StreamGuard {
    connected: Gauge,
}

#[derive(Default)]
struct Inner {
    registry: Registry,
    config: Family<VersionLabel, Gauge>,
    config_loads: Family<ResultLabel, Counter>,
    config_refused: Gauge,
    config_problems: Gauge,
    documents: Family<KindLabel, Gauge>,
    streams: Family<StreamLabel, Gauge>,
    pushes: Family<ResourceLabel, Counter>,
    acks: Family<ResourceLabel, Counter>,
    nacks: Family<ResourceLabel, Counter>,
    problems: Family<ProblemLabel, Counter>,
    ack_latency: Option<Histogram>,
    jwks_age: Family<IssuerLabel, Gauge<f64, AtomicU64>>,
    jwks_fetches: Family<IssuerLabel, Counter>,
    jwks_failures: Family<IssuerLabel, Counter>,
    /// When each issuer's keys were fetched; turned into ages when the metrics are read.
    jwks_fetched: Mutex<HashMap<String, Instant>>,
    audit_events: Counter,
    audit_batches: Counter,
    audit_repeated: Counter,
    audit_dropped: Counter,
    audit_failures: Counter,
    audit_head: Gauge,
    approvals: Family<StateLabel, Gauge>,
    approvals_moved: Family<StateLabel, Counter>,
    approvals_waiting: Gauge,
    approvals_failures: Counter,
    claim_latency: Option<Histogram>,
    webhook_messages: Family<WebhookLabel, Counter>,
    fleet: FleetMetrics,
}

impl Metrics {
    /// New metrics, all zero; `version` is that of the binary.
    pub fn new(version: &str) -> Self {
        let latency = Histogram::new(ACK_BUCKETS);
        let mut inner = Inner {
            ack_latency: Some(latency.clone()),
            claim_latency: Some(Histogram::new(CLAIM_BUCKETS)),
            ..Inner::default()
        };
        let mut all = Registry::with_prefix("gatehold");
        let build = Info::new(VersionLabel {
            version: version.to_owned(),
        });
        all.register("build", "Version of the binary", build);
        all.register(
            "config",
            "Version of the documents in force",
            inner.config.clone(),
        );
        all.register(
            "config_loads",
            "Document sets read",
            inner.config_loads.clone(),
        );
        all.register(
            "config_refused",
            "1 when the documents on disk, or modules that they name, were refused and older ones are in force",
            inner.config_refused.clone(),
        );
        all.register(
            "config_problems",
            "Problems in the documents on disk",
            inner.config_problems.clone(),
        );
        all.register("documents", "Documents in force", inner.documents.clone());
        all.register("streams", "Streams connected", inner.streams.clone());
        all.register("pushes", "Resources pushed", inner.pushes.clone());
        all.register(
            "push_acks",
            "Resources that a filter took",
            inner.acks.clone(),
        );
        all.register(
            "push_nacks",
            "Resources that a filter refused",
            inner.nacks.clone(),
        );
        all.register(
            "problems",
            "Envoys whose filter told of a wrong set-up, or was refused for its version",
            inner.problems.clone(),
        );
        all.register_with_unit("push_ack", "From a push to its ACK", Unit::Seconds, latency);
        all.register_with_unit(
            "jwks_age",
            "Since an issuer's keys were last fetched",
            Unit::Seconds,
            inner.jwks_age.clone(),
        );
        all.register(
            "jwks_fetches",
            "Fetches of keys that gave keys",
            inner.jwks_fetches.clone(),
        );
        all.register(
            "jwks_failures",
            "Fetches of keys that failed",
            inner.jwks_failures.clone(),
        );
        all.register(
            "audit_events",
            "Audit events stored",
            inner.audit_events.clone(),
        );
        all.register(
            "audit_batches",
            "Audit batches stored",
            inner.audit_batches.clone(),
        );
        all.register(
            "audit_batches_repeated",
            "Audit batches that were sent again and already stored",
            inner.audit_repeated.clone(),
        );
        all.register(
            "audit_dropped",
            "Audit events that filters had to drop",
            inner.audit_dropped.clone(),
        );
        all.register(
            "audit_failures",
            "Audit batches that could not be stored",
            inner.audit_failures.clone(),
        );
        all.register(
            "audit_head",
            "Sequence of the newest audit event in the chain",
            inner.audit_head.clone(),
        );
        register_approvals(&mut all, &inner);
        inner.fleet.register(&mut all);
        inner.registry = all;

        // A series that only appears with the first event hides the step from 0 to 1 from `rate()`.
        for state in OPEN_STATES {
            inner.approvals.get_or_create_owned(&StateLabel { state });
        }
        for state in STATES {
            let label = StateLabel { state };
            inner.approvals_moved.get_or_create_owned(&label);
        }
        for stream in [Stream::Policy, Stream::Audit, Stream::Hold, Stream::Filter] {
            inner.streams.get_or_create_owned(&StreamLabel { stream });
        }
        for resource in [
            Resource::Server,
            Resource::Issuer,
            Resource::Detectors,
            Resource::Filter,
        ] {
            inner
                .pushes
                .get_or_create_owned(&ResourceLabel { resource });
            inner.acks.get_or_create_owned(&ResourceLabel { resource });
            inner.nacks.get_or_create_owned(&ResourceLabel { resource });
        }
        for result in ["applied", "refused"] {
            inner
                .config_loads
                .get_or_create_owned(&ResultLabel { result });
        }
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A set of documents came into force, with this version and this many documents of each kind.
    pub fn documents_applied(&self, version: &str, servers: u64, issuers: u64, policies: u64) {
        let inner = &self.inner;
        inner.config.clear();
        inner
            .config
            .get_or_create_owned(&VersionLabel {
                version: version.to_owned(),
            })
            .set(1);
        inner
            .config_loads
            .get_or_create_owned(&ResultLabel { result: "applied" })
            .inc();
        inner.config_refused.set(0);
        inner.config_problems.set(0);
        for (kind, count) in [
            ("Server", servers),
            ("Issuer", issuers),
            ("Policy", policies),
        ] {
            inner
                .documents
                .get_or_create_owned(&KindLabel { kind })
                .set(gauge(count));
        }
    }

    /// A set of documents was refused for this many problems; what was in force stays in force.
    pub fn documents_refused(&self, problems: u64) {
        self.inner
            .config_loads
            .get_or_create_owned(&ResultLabel { result: "refused" })
            .inc();
        self.modules_refused(problems);
    }

    /// Modules that the documents name can't be used, however it went with the documents.
    pub fn modules_refused(&self, problems: u64) {
        self.inner.config_refused.set(1);
        self.inner.config_problems.set(gauge(problems));
    }

    /// A filter opened a stream; it counts as connected until the guard is dropped.
    pub fn stream_opened(&self, stream: Stream) -> StreamGuard {
        let connected = self
            .inner
            .streams
            .get_or_create_owned(&StreamLabel { stream });
        connected.inc();
        StreamGuard { connected }
    }

    /// `count` resources went out on one stream.
    pub fn pushed(&self, resource: Resource, count: u64) {
        self.inner
            .pushes
            .get_or_create_owned(&ResourceLabel { resource })
            .inc_by(count);
    }

    /// A filter took `count` resources, `latency` after they were sent.
    pub fn acked(&self, resource: Resource, count: u64, latency: Duration) {
        self.inner
            .acks
            .get_or_create_owned(&ResourceLabel { resource })
            .inc_by(count);
        if let Some(histogram) = &self.inner.ack_latency {
            histogram.observe(latency.as_secs_f64());
        }
    }

    /// A filter refused `count` resources.
    pub fn nacked(&self, resource: Resource, count: u64) {
        self.inner
            .nacks
            .get_or_create_owned(&ResourceLabel { resource })
            .inc_by(count);
    }

    /// A filter was found to be set up wrong, the first of its Envoy. `problem` is one of few names.
    pub fn problem(&self, problem: &'static str) {
        let label = ProblemLabel { problem };
        self.inner.problems.get_or_create_owned(&label).inc();
    }

    /// The keys of `issuer` (the document's name) were fetched just now.
    pub fn jwks_fetched(&self, issuer: &str) {
        let label = IssuerLabel {
            issuer: issuer.to_owned(),
        };
        self.inner.jwks_fetches.get_or_create_owned(&label).inc();
        self.inner.jwks_failures.get_or_create_owned(&label);
        self.fetched_times(|times| times.insert(label.issuer, Instant::now()));
    }

    /// A fetch of the keys of `issuer` failed; the keys from before stay in force and grow older.
    pub fn jwks_failed(&self, issuer: &str) {
        let label = IssuerLabel {
            issuer: issuer.to_owned(),
        };
        self.inner.jwks_failures.get_or_create_owned(&label).inc();
    }

    /// `issuer` is gone from the documents, and its series with it.
    pub fn jwks_forgotten(&self, issuer: &str) {
        let label = IssuerLabel {
            issuer: issuer.to_owned(),
        };
        self.fetched_times(|times| times.remove(issuer));
        self.inner.jwks_age.remove(&label);
        self.inner.jwks_fetches.remove(&label);
        self.inner.jwks_failures.remove(&label);
    }

    /// A batch of this many events was stored; its sender had dropped `dropped` events before it.
    pub fn audit_stored(&self, events: u64, dropped: u64) {
        self.inner.audit_batches.inc();
        self.inner.audit_events.inc_by(events);
        self.inner.audit_dropped.inc_by(dropped);
    }

    /// A batch came again that was already stored.
    pub fn audit_repeated(&self) {
        self.inner.audit_repeated.inc();
    }

    /// A batch could not be stored; its sender keeps it.
    pub fn audit_failed(&self) {
        self.inner.audit_failures.inc();
    }

    /// Sequence of the newest event in the chain. Tell it at the start too, not only after an append. It
    /// never goes back, so that senders may tell theirs in any order.
    pub fn audit_head(&self, sequence: u64) {
        let head = self.inner.audit_head.inner();
        head.fetch_max(gauge(sequence), Ordering::Relaxed);
    }

    /// So many approvals are pending and approved, and so many clients wait for them.
    pub fn approvals_open(&self, pending: u64, approved: u64, waiting: u64) {
        for (state, count) in OPEN_STATES.into_iter().zip([pending, approved]) {
            let label = StateLabel { state };
            let open = self.inner.approvals.get_or_create_owned(&label);
            open.set(gauge(count));
        }
        self.inner.approvals_waiting.set(gauge(waiting));
    }

    /// An approval came to a state, by its lower-case name.
    pub fn approval_moved(&self, state: &str) {
        if let Some(state) = STATES.into_iter().find(|known| *known == state) {
            let label = StateLabel { state };
            self.inner.approvals_moved.get_or_create_owned(&label).inc();
        }
    }

    /// A call was let through, this long after it was approved.
    pub fn approval_claimed(&self, after: Duration) {
        if let Some(histogram) = &self.inner.claim_latency {
            histogram.observe(after.as_secs_f64());
        }
    }

    /// An attempt to tell a webhook came to `delivered`, `failed` (it is made again) or `given_up`.
    pub fn webhook_told(&self, webhook: &str, result: &'static str) {
        let label = WebhookLabel {
            webhook: webhook.to_owned(),
            result,
        };
        self.inner
            .webhook_messages
            .get_or_create_owned(&label)
            .inc();
    }

    /// What was done to approvals could not be written, and so was not done.
    pub fn approvals_failed(&self) {
        self.inner.approvals_failures.inc();
    }

    /// This is how the fleet stands now.
    pub fn fleet(&self, counts: &FleetCounts) {
        self.inner.fleet.set(counts);
    }

    /// Everything in the OpenMetrics text format 1.0.0.
    ///
    /// # Errors
    /// Only when a metric fails to format itself.
    pub fn render(&self) -> Result<String, fmt::Error> {
        self.fetched_times(|times| {
            for (issuer, fetched) in times.iter() {
                let label = IssuerLabel {
                    issuer: issuer.clone(),
                };
                self.inner
                    .jwks_age
                    .get_or_create_owned(&label)
                    .set(fetched.elapsed().as_secs_f64());
            }
        });
        let mut text = String::new();
        encode(&mut text, &self.inner.registry)?;
        Ok(text)
    }

    fn fetched_times<T>(&self, work: impl FnOnce(&mut HashMap<String, Instant>) -> T) -> T {
        // A poisoned lock only means that another thread panicked; the map is whole all the same.
        work(
            &mut self
                .inner
                .jwks_fetched
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

fn register_approvals(all: &mut Registry, inner: &Inner) {
    all.register(
        "webhook_messages",
        "Attempts to tell a webhook, by what came of them",
        inner.webhook_messages.clone(),
    );
    all.register(
        "approvals",
        "Approvals that are open, by state",
        inner.approvals.clone(),
    );
    all.register(
        "approval_moves",
        "Approvals that came to a state",
        inner.approvals_moved.clone(),
    );
    all.register(
        "approvals_waiting",
        "Clients that wait for an approval",
        inner.approvals_waiting.clone(),
    );
    all.register(
        "approval_failures",
        "Times that changes of approvals could not be written",
        inner.approvals_failures.clone(),
    );
    if let Some(latency) = &inner.claim_latency {
        all.register_with_unit(
            "approval_claim",
            "From the decision of an approval to the claim of its call",
            Unit::Seconds,
            latency.clone(),
        );
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.connected.dec();
    }
}

pub(crate) fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
