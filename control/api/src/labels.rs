//! Labels of the metrics. Every value comes from a closed set or from a document, never from traffic, so
//! the number of series is bounded.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use std::fmt::{self, Write as _};

/// What a gRPC stream from a filter carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Delta ADS: policies and keys go out, ACKs and NACKs come back.
    Policy,
    /// Audit events come in, acknowledgements go back.
    Audit,
    /// Calls that wait come in, decisions go back.
    Hold,
    /// The filter itself goes out, ACKs and NACKs come back.
    Filter,
}

/// Type of a pushed resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `gatehold.push.v1.Server`.
    Server,
    /// `gatehold.push.v1.Issuer`.
    Issuer,
    /// `gatehold.push.v1.Detectors`.
    Detectors,
    /// `envoy.config.core.v3.TypedExtensionConfig`.
    Filter,
}

impl EncodeLabelValue for Stream {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Policy => "policy",
            Self::Audit => "audit",
            Self::Hold => "hold",
            Self::Filter => "filter",
        })
    }
}

impl EncodeLabelValue for Resource {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Server => "server",
            Self::Issuer => "issuer",
            Self::Detectors => "detectors",
            Self::Filter => "filter",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StreamLabel {
    pub(crate) stream: Stream,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ResourceLabel {
    pub(crate) resource: Resource,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct KindLabel {
    pub(crate) kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ProblemLabel {
    pub(crate) problem: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ResultLabel {
    pub(crate) result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StateLabel {
    pub(crate) state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct WebhookLabel {
    pub(crate) webhook: String,
    pub(crate) result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct VersionLabel {
    pub(crate) version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct IssuerLabel {
    pub(crate) issuer: String,
}
