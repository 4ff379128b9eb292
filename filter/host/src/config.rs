//! The plugin's configuration: the few things that cannot come from control.

use std::borrow::Cow;

use serde::Deserialize;
use thiserror::Error;

/// Longest name of a cluster that is taken; Envoy's own names are far shorter.
const MAX_CLUSTER_NAME: usize = 1024;

/// What the `configuration` of the filter in Envoy says, as JSON.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Envoy's name of the cluster on which control serves gRPC.
    pub control_cluster: String,
    /// Whether audit events are sent to control.
    #[serde(default)]
    pub audit: Audit,
    /// What happens to requests while the audit queue is full.
    #[serde(default)]
    pub audit_overflow: AuditOverflow,
    /// What happens to requests that belong to no server.
    #[serde(default)]
    pub unmatched: Unmatched,
    /// Whether Envoy's `allow_on_headers_stop_iteration` is set for this filter. Without it headers go
    /// ahead of the verdict; bodies never do.
    #[serde(default)]
    pub hold_headers: HoldHeaders,
    /// Seconds for which a request that waits for a person stays open before its client is told to come back.
    /// Stock clients give up after 60.
    #[serde(default = "hold_seconds")]
    pub hold_seconds: u64,
}

/// What a request may wait, in seconds: less than the minute after which stock clients give up.
const HOLD_SECONDS: std::ops::RangeInclusive<u64> = 1..=55;

fn hold_seconds() -> u64 {
    45
}

/// Whether audit events are sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Audit {
    /// They are.
    #[default]
    On,
    /// They are not, and none are collected.
    Off,
}

/// What happens while the audit queue is full.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum AuditOverflow {
    /// The event is dropped and counted; the request goes on.
    #[default]
    Drop,
    /// The request is refused.
    Refuse,
}

/// What happens to requests that belong to no server.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Unmatched {
    /// They are refused (404).
    #[default]
    Deny,
    /// They pass as if the filter were not there.
    Pass,
}

/// Whether headers wait for the verdict too.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(from = "bool")]
pub enum HoldHeaders {
    /// They do, which needs `allow_on_headers_stop_iteration`.
    #[default]
    Hold,
    /// They go ahead.
    GoAhead,
}

impl From<bool> for HoldHeaders {
    fn from(hold: bool) -> Self {
        if hold { Self::Hold } else { Self::GoAhead }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Not the JSON that is expected.
    #[error(
        "the plugin configuration is not valid: {0}; write an object like {{\"control_cluster\": \"gatehold_control\"}}"
    )]
    Json(#[from] serde_json::Error),
    /// No cluster, or a name that is out of bounds.
    #[error("`control_cluster` must name an Envoy cluster, with 1 to {MAX_CLUSTER_NAME} bytes")]
    ClusterLength,
    /// Envoy would take the name for a serialized `GrpcService` message.
    #[error(
        "`control_cluster` `{0}` cannot be told from an encoded message; give the cluster another name, for example `gatehold_control`"
    )]
    ClusterName(String),
    /// The host could not be given it.
    #[error(
        "`control_cluster` has characters that no host name has, and more than 115 bytes; give control a shorter name, for example by a ServiceEntry"
    )]
    ClusterNameTooLong,
    /// Too short to wait, or longer than clients do.
    #[error("`hold_seconds` must be from 1 to 55; stock clients give up after 60 seconds")]
    HoldSeconds,
}

impl Config {
    /// Reads the configuration; unknown fields are an error.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_slice(json)?;
        if !HOLD_SECONDS.contains(&config.hold_seconds) {
            return Err(ConfigError::HoldSeconds);
        }
        let name = &config.control_cluster;
        if name.is_empty() || name.len() > MAX_CLUSTER_NAME {
            return Err(ConfigError::ClusterLength);
        }
        // The host reads the argument of a new stream as a protobuf message first and as a cluster name
        // only when that fails. `()` is the message that skips every field, so it accepts what any
        // message would.
        if <() as prost::Message>::decode(name.as_bytes()).is_ok() {
            return Err(ConfigError::ClusterName(name.clone()));
        }
        if grpc_service(name).is_none() {
            return Err(ConfigError::ClusterNameTooLong);
        }
        Ok(config)
    }
}

/// What control is called in the headers of a stream, where the cluster's name cannot stand there.
const AUTHORITY: &str = "gatehold";

/// What the host is given to open a stream to a cluster. Envoy puts the name of the cluster into `:authority`, and a
/// server ends a stream whose authority no URI could have, such as Istio's `outbound|18000||control.example`; so for
/// these it is a `GrpcService` with an authority. `None` for a name that is too long for that: the host takes text, and
/// the lengths of longer ones are none.
pub(crate) fn grpc_service(cluster: &str) -> Option<Cow<'_, str>> {
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    if cluster.bytes().all(is_host) {
        return Some(Cow::Borrowed(cluster));
    }
    let length = |text: &str| {
        u8::try_from(text.len())
            .ok()
            .filter(u8::is_ascii)
            .map(char::from)
    };
    // Its field 1, `envoy_grpc`, has the cluster in its own field 1 and the authority in field 2.
    let (name, authority) = (length(cluster)?, length(AUTHORITY)?);
    let inner = format!("\n{name}{cluster}\x12{authority}{AUTHORITY}");
    let outer = length(&inner)?;
    Some(Cow::Owned(format!("\n{outer}{inner}")))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn defaults() {
        assert_eq!(
            Config::parse(br#"{"control_cluster": "gatehold_control"}"#).unwrap(),
            Config {
                control_cluster: "gatehold_control".into(),
                audit: Audit::On,
                audit_overflow: AuditOverflow::Drop,
                unmatched: Unmatched::Deny,
                hold_headers: HoldHeaders::Hold,
                hold_seconds: 45,
            }
        );
    }

    #[test]
    fn every_field() {
        let json = br#"{"control_cluster": "c", "audit": "off", "audit_overflow": "refuse",
                        "unmatched": "pass", "hold_headers": false, "hold_seconds": 1}"#;
        assert_eq!(
            Config::parse(json).unwrap(),
            Config {
                control_cluster: "c".into(),
                audit: Audit::Off,
                audit_overflow: AuditOverflow::Refuse,
                unmatched: Unmatched::Pass,
                hold_headers: HoldHeaders::GoAhead,
                hold_seconds: 1,
            }
        );
    }

    #[test]
    fn refuses() {
        for (json, message) in [
            ("", "not valid"),
            ("{}", "missing field `control_cluster`"),
            (r#"{"control_cluster": ""}"#, "must name"),
            (
                r#"{"control_cluster": "c", "audti": "on"}"#,
                "unknown field `audti`",
            ),
            (r#"{"control_cluster": "c", "audit": true}"#, "not valid"),
            (r#"{"control_cluster": "a12345678"}"#, "another name"),
            (
                &format!(
                    r#"{{"control_cluster": "outbound|18000||{}"}}"#,
                    "c".repeat(100)
                ),
                "a shorter name",
            ),
            (
                r#"{"control_cluster": "c", "hold_seconds": 56}"#,
                "from 1 to 55",
            ),
        ] {
            let error = Config::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(message), "{json}: {error}");
        }
    }

    #[test]
    fn a_name_that_is_no_host_gets_an_authority() {
        assert_eq!(
            grpc_service("gatehold_control").unwrap(),
            "gatehold_control"
        );
        assert_eq!(
            grpc_service("control.example:18000").unwrap(),
            "control.example:18000"
        );
        for cluster in ["outbound|18000||c".to_owned(), "|".repeat(115)] {
            let text = grpc_service(&cluster).unwrap();
            let service = GrpcService::decode(text.as_bytes()).unwrap();
            let envoy = service.envoy_grpc.unwrap();
            assert_eq!(
                (envoy.cluster_name, envoy.authority.as_str()),
                (cluster, "gatehold")
            );
        }
        assert_eq!(grpc_service(&"|".repeat(116)), None);
    }

    /// The part of Envoy's message that is used.
    #[derive(PartialEq, prost::Message)]
    struct GrpcService {
        #[prost(message, optional, tag = "1")]
        envoy_grpc: Option<EnvoyGrpc>,
    }

    #[derive(PartialEq, prost::Message)]
    struct EnvoyGrpc {
        #[prost(string, tag = "1")]
        cluster_name: String,
        #[prost(string, tag = "2")]
        authority: String,
    }
}
