//! The last good resources, in the shared data of all workers, so that a worker whose VM restarts decides
//! at once with what was in force.
//!
//! One key per resource and one for the index. All workers hold the same and write it alike; one that
//! lags may put an older version back for a moment, which its successor learns from control.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::host::{HostError, RootHost};
use crate::push::{Change, Kind, PushClient, Stored};

/// Why nothing could be kept or read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The host refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The index cannot be read or written.
    #[error("the index of kept resources is not valid: {0}")]
    Index(#[from] serde_json::Error),
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Index {
    servers: BTreeSet<String>,
    issuers: BTreeSet<String>,
    #[serde(default)]
    detectors: BTreeSet<String>,
}

/// Keeps what changed. Nothing is written before the set of servers is known.
///
/// # Errors
/// When the host refuses; what was kept before may be incomplete then.
pub fn save(
    host: &dyn RootHost,
    cluster: &str,
    changes: &[Change],
    push: &PushClient,
) -> Result<(), StoreError> {
    for change in changes {
        match change {
            Change::Put(stored) => {
                let key = resource_key(cluster, stored.kind, &stored.name);
                host.set_shared(&key, &encode(stored))?;
            }
            // Shared data cannot be removed, only emptied.
            Change::Removed(kind, name) => {
                host.set_shared(&resource_key(cluster, *kind, name), &[])?;
            }
        }
    }
    if !push.is_ready() {
        return Ok(());
    }
    let index = Index {
        servers: push.names(Kind::Server),
        issuers: push.names(Kind::Issuer),
        detectors: push.names(Kind::Detectors),
    };
    host.set_shared(&index_key(cluster), &serde_json::to_vec(&index)?)?;
    Ok(())
}

/// What was kept; nothing when no worker has kept anything yet.
///
/// # Errors
/// When the host refuses or the index is damaged.
pub fn load(host: &dyn RootHost, cluster: &str) -> Result<Option<Vec<Stored>>, StoreError> {
    let Some(index) = host
        .shared(&index_key(cluster))?
        .filter(|index| !index.is_empty())
    else {
        return Ok(None);
    };
    let index: Index = serde_json::from_slice(&index)?;
    let issuers = index.issuers.into_iter().map(|name| (Kind::Issuer, name));
    let servers = index.servers.into_iter().map(|name| (Kind::Server, name));
    let detectors = index.detectors.into_iter();
    let detectors = detectors.map(|name| (Kind::Detectors, name));
    let mut resources = Vec::new();
    for (kind, name) in issuers.chain(detectors).chain(servers) {
        if let Some(bytes) = host.shared(&resource_key(cluster, kind, &name))? {
            resources.extend(decode(kind, name, &bytes));
        }
    }
    Ok(Some(resources))
}

fn index_key(cluster: &str) -> String {
    format!("gatehold.index.{cluster}")
}

fn resource_key(cluster: &str, kind: Kind, name: &str) -> String {
    let kind = match kind {
        Kind::Server => "server",
        Kind::Issuer => "issuer",
        Kind::Detectors => "detectors",
    };
    // No cluster name has a line break, so that no two keys are alike.
    format!("gatehold.{kind}.{cluster}\n{name}")
}

/// Length of the version, the version, the message.
fn encode(stored: &Stored) -> Vec<u8> {
    let version = stored.version.as_bytes();
    let size = u32::try_from(version.len()).unwrap_or(u32::MAX);
    [size.to_le_bytes().as_slice(), version, &stored.bytes].concat()
}

fn decode(kind: Kind, name: String, bytes: &[u8]) -> Option<Stored> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
    let (version, message) = rest.split_at_checked(size)?;
    let version = String::from_utf8(version.to_vec()).ok()?;
    Some(Stored {
        kind,
        name,
        version,
        bytes: message.to_vec(),
    })
}
