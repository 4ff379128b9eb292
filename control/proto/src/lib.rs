//! gRPC services of the push, audit and hold protocols, both sides, generated over the messages of
//! gatehold-wire, so that filter and control share one set of message types.
#![forbid(unsafe_code)]

/// `gatehold.audit.v1.Audit`: filters append audit events, control acknowledges what is on disk.
pub mod audit {
    pub use generated::{audit_client::AuditClient, audit_server};

    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]
    mod generated {
        include!(concat!(env!("OUT_DIR"), "/gatehold.audit.v1.rs"));
    }
}

/// `gatehold.hold.v1.Holds`: filters say which calls wait, control says what was decided.
pub mod hold {
    pub use generated::{holds_client::HoldsClient, holds_server};

    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]
    mod generated {
        include!(concat!(env!("OUT_DIR"), "/gatehold.hold.v1.rs"));
    }
}

/// `envoy.service.discovery.v3.AggregatedDiscoveryService`, delta only.
pub mod discovery {
    pub use generated::{
        aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
        aggregated_discovery_service_server,
    };

    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]
    mod generated {
        include!(concat!(env!("OUT_DIR"), "/envoy.service.discovery.v3.rs"));
    }
}

/// What of Envoy's configuration carries the filter, in the modules of its packages.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
pub mod extension {
    include!(concat!(env!("OUT_DIR"), "/envoy.rs"));
}
