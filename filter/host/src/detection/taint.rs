//! Principals that have read something that `approve` is for: until somebody has approved a call of theirs, each
//! one that is not read-only waits.
//!
//! It is kept in Envoy's shared data, for all workers to see; another Envoy does not know of it.

use gatehold_engine::Approval;
use gatehold_wire::audit::Finding;
use gatehold_wire::{approval_from_wire, approval_to_wire, push};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::caller::Caller;
use crate::hex::hex;
use crate::hold::call_digest;
use crate::host::{Host, HostError};

/// Seconds after which what was read is forgotten.
pub const SECONDS: u64 = 3_600;

/// Bytes of what was seen, of which names may be somebody else's.
const MAX_SEEN: usize = 256;

/// What a principal has read.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Taint {
    /// When it is forgotten, in seconds since the Unix epoch.
    until: u64,
    /// Server and tool that it came from, and what was seen, for a person.
    pub seen: String,
    /// Who approves, as an encoded message.
    approval: Vec<u8>,
    /// What was seen, as an encoded message.
    finding: Vec<u8>,
}

impl Taint {
    /// Of something that is read now, in seconds.
    pub fn new(now: u64, mut seen: String, approval: &Approval, finding: &Finding) -> Self {
        seen.retain(|char| !char.is_control());
        seen.truncate(seen.floor_char_boundary(MAX_SEEN));
        Self {
            until: now.saturating_add(SECONDS),
            seen,
            approval: approval_to_wire(approval).encode_to_vec(),
            finding: finding.encode_to_vec(),
        }
    }

    /// Who approves.
    pub fn approval(&self) -> Approval {
        // It was encoded here; what cannot be read asks for an approver without saying which.
        let approval = push::Approve::decode(self.approval.as_slice()).unwrap_or_default();
        approval_from_wire(&approval)
    }

    /// Names it, in hex: another one, be it of the same, has another name.
    pub fn mark(&self) -> String {
        // Serializing plain strings and numbers cannot fail.
        let json = serde_json::to_vec(self).unwrap_or_default();
        hex(&Sha256::digest(json))
    }

    /// What was seen.
    pub fn finding(&self) -> Finding {
        Finding::decode(self.finding.as_slice()).unwrap_or_default()
    }
}

/// What the principal has read, if that is not forgotten at `now`, in seconds.
///
/// # Errors
/// The host's, also when what it has cannot be read.
pub fn read(
    host: &dyn Host,
    cluster: &str,
    caller: &Caller,
    now: u64,
) -> Result<Option<Taint>, HostError> {
    let Some(bytes) = host.shared(&key(cluster, caller))? else {
        return Ok(None);
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    let taint: Taint = serde_json::from_slice(&bytes).map_err(|_| HostError::Malformed {
        call: "get_shared_data",
    })?;
    Ok(Some(taint).filter(|taint| now < taint.until))
}

/// Keeps what the principal has read.
///
/// # Errors
/// The host's.
pub fn set(
    host: &dyn Host,
    cluster: &str,
    caller: &Caller,
    taint: &Taint,
) -> Result<(), HostError> {
    let bytes = serde_json::to_vec(taint).map_err(|_| HostError::Malformed {
        call: "set_shared_data",
    })?;
    host.set_shared(&key(cluster, caller), &bytes)
}

/// Forgets it, after an approval; what was read since stays.
///
/// # Errors
/// The host's.
pub fn clear(
    host: &dyn Host,
    cluster: &str,
    caller: &Caller,
    taint: &Taint,
) -> Result<(), HostError> {
    if read(host, cluster, caller, 0)?.as_ref() == Some(taint) {
        return host.set_shared(&key(cluster, caller), &[]);
    }
    Ok(())
}

fn key(cluster: &str, caller: &Caller) -> String {
    let digest = caller.taint_digest(|identity| call_digest(identity, []));
    format!("gatehold.taint.{cluster}\n{}", hex(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, NOW, identity};

    #[test]
    fn what_was_seen_is_bounded() {
        let seen = format!("a\r\nb\u{7f}{}", "é".repeat(300));
        let taint = Taint::new(NOW, seen, &Approval::default(), &Finding::default());
        assert_eq!(taint.seen, format!("ab{}", "é".repeat(127)));
        let long = "x".repeat(300);
        let later = Taint::new(NOW, long, &Approval::default(), &Finding::default());
        assert_eq!(later.seen.len(), 256);
        assert_ne!(taint.mark(), later.mark());
    }

    #[test]
    fn it_is_of_one_principal_and_for_an_hour() {
        let host = FakeHost::new();
        let caller = |user: &str| {
            Caller::new(gatehold_identity::Identity {
                user: user.to_owned(),
                ..identity()
            })
        };
        let (ann, bob) = (caller("ann"), caller("bob"));
        let approval = Approval {
            roles: vec!["lead".into()],
            ..Approval::default()
        };
        let finding = Finding {
            score: 0.5,
            ..Finding::default()
        };
        let taint = Taint::new(NOW, "seen".into(), &approval, &finding);
        set(&host, "c", &ann, &taint).unwrap();
        let known = |caller: &Caller, cluster: &str, now: u64| {
            read(&host, cluster, caller, now).unwrap().is_some()
        };
        assert!(known(&ann, "c", NOW + SECONDS - 1));
        assert!(!known(&ann, "c", NOW + SECONDS));
        assert!(!known(&bob, "c", NOW) && !known(&ann, "d", NOW));
        assert_eq!(
            (taint.approval(), taint.finding()),
            (approval.clone(), finding.clone())
        );

        let newer = Taint::new(NOW + 1, "more".into(), &approval, &finding);
        set(&host, "c", &ann, &newer).unwrap();
        clear(&host, "c", &ann, &taint).unwrap();
        assert!(known(&ann, "c", NOW), "what was read since stays");
        clear(&host, "c", &ann, &newer).unwrap();
        assert!(!known(&ann, "c", NOW));
    }
}
