//! What an approval is bound to, and what a client carries from one round of a request to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehold_identity::{Binding, Bound, Identity};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hex::hex;

/// SHA-256 of a call: who asks which server for what, with which arguments, and what its approval takes.
pub type CallDigest = [u8; 32];

/// The digest of something that `caller` does, such as a call: each part goes in with its length before it, so that no
/// two lists of parts are the same bytes.
pub fn call_digest<'p>(
    caller: &'p Identity,
    parts: impl IntoIterator<Item = &'p [u8]>,
) -> CallDigest {
    let mut hash = Sha256::new();
    let caller = [&caller.issuer, &caller.user, &caller.agent];
    let caller = caller.map(|part| part.as_bytes());
    for part in caller.into_iter().chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What stands in a sealed `requestState`. The client cannot read a secret in it, and cannot change it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RoundState {
    /// The request's method.
    #[serde(rename = "m")]
    pub method: String,
    /// Tool, prompt or resource.
    #[serde(rename = "t")]
    pub target: String,
    /// When it is of no use any more, in seconds since the Unix epoch.
    #[serde(rename = "e")]
    pub expires: u64,
    /// The upstream's own state, when it gave one.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The approval that the call waits for, or runs under.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HeldRound>,
}

/// The part of a [`RoundState`] about an approval.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HeldRound {
    /// Its id.
    #[serde(rename = "a")]
    pub approval: String,
    /// The waiter of the first round.
    #[serde(rename = "c")]
    pub chain: String,
    /// Number of the round that comes next.
    #[serde(rename = "n")]
    pub number: u32,
    /// [`CallDigest`] in hex.
    #[serde(rename = "d")]
    pub digest: String,
    /// Whether the call has gone to the upstream, which asks for input.
    #[serde(rename = "r")]
    pub running: bool,
    /// Names what the caller had read when approval was asked for; empty for nothing.
    #[serde(rename = "t", default, skip_serializing_if = "String::is_empty")]
    pub taint: String,
}

impl RoundState {
    /// As `caller` gets it.
    pub fn seal(&self, binding: &Binding, caller: &Identity) -> String {
        // Serializing plain strings and numbers cannot fail.
        let json = serde_json::to_vec(self).unwrap_or_default();
        binding.seal(Bound::State, caller, &URL_SAFE_NO_PAD.encode(json))
    }

    /// What a client sent back; `None` unless it was sealed for this very caller.
    pub fn open(binding: &Binding, caller: &Identity, sealed: &str) -> Option<Self> {
        let text = binding.open(Bound::State, caller, sealed)?;
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

impl HeldRound {
    /// Whether it belongs to the call of this digest.
    pub fn is_of(&self, digest: &CallDigest) -> bool {
        self.digest == hex(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(user: &str) -> Identity {
        Identity {
            user: user.to_owned(),
            ..crate::testing::identity()
        }
    }

    #[test]
    fn states_are_for_one_caller() {
        let binding = Binding::new(&[1; 32], "crm");
        let state = RoundState {
            method: "tools/call".into(),
            target: "refund".into(),
            expires: 7,
            upstream: Some("a\"b".into()),
            hold: Some(HeldRound {
                approval: "x".into(),
                number: 3,
                ..HeldRound::default()
            }),
        };
        let sealed = state.seal(&binding, &identity("ann"));
        let open = |user: &str, text: &str| RoundState::open(&binding, &identity(user), text);
        assert_eq!(open("ann", &sealed), Some(state));
        assert_eq!(open("bob", &sealed), None);
        let mut other = sealed.clone();
        other.pop();
        assert_eq!(open("ann", &other), None);
        assert_eq!(open("ann", "anything"), None);
    }

    #[test]
    fn digests_tell_calls_apart() {
        let digest = |user: &str, target: &str, arguments: &str| {
            let parts = ["crm", "tools/call", target, arguments];
            call_digest(&identity(user), parts.map(str::as_bytes))
        };
        let one = digest("ann", "refund", "{}");
        assert_eq!(one, digest("ann", "refund", "{}"));
        assert_ne!(one, digest("bob", "refund", "{}"));
        assert_ne!(one, digest("ann", "refunds", "{}"));
        assert_ne!(one, digest("ann", "refund", "{\"a\":1}"));
        assert_ne!(digest("ann", "ab", "c"), digest("ann", "a", "bc"));
    }
}
