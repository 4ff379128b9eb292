//! What is known of a sign-in under way. It travels in a cookie, so that nobody who merely starts sign-ins can fill
//! memory.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::NoRandomness;

/// How long signing in may take, in seconds.
pub(super) const LIFETIME: u64 = 600;

/// A sign-in under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Comes back with the code; who does not have the cookie does not know it.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// Redeems the code (PKCE).
    pub verifier: String,
    /// Where to go afterwards.
    pub to: String,
    /// When it began, in Unix seconds.
    pub at: u64,
}

/// Signs and reads tickets, with a key of this process.
#[derive(Clone)]
pub struct Tickets {
    mac: Hmac<Sha256>,
}

impl Tickets {
    /// Seconds that the cookie lasts.
    pub const LIFETIME: u64 = LIFETIME;

    /// With a new key: what was begun before a restart has to be begun again.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new() -> Result<Self, NoRandomness> {
        let mut key = [0; 64];
        getrandom::fill(&mut key).map_err(|_| NoRandomness)?;
        Ok(Self {
            mac: Hmac::new(&key.into()),
        })
    }

    /// The ticket as a cookie's value.
    pub fn write(&self, ticket: &Ticket) -> String {
        // Texts and a number can always be written.
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(ticket).unwrap_or_default());
        let mac = self.mac.clone().chain_update(text.as_bytes());
        format!(
            "{text}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    }

    /// The ticket in a cookie's value, unless it was made up or is too old at `now`.
    pub fn read(&self, value: &str, now: u64) -> Option<Ticket> {
        let (text, mac) = value.split_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        self.mac
            .clone()
            .chain_update(text.as_bytes())
            .verify_slice(&mac)
            .ok()?;
        let ticket = URL_SAFE_NO_PAD.decode(text).ok()?;
        let ticket: Ticket = serde_json::from_slice(&ticket).ok()?;
        (now.saturating_sub(ticket.at) < LIFETIME).then_some(ticket)
    }
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tickets(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_is_read_and_not_for_long() {
        let tickets = Tickets::new().unwrap();
        let ticket = Ticket {
            state: "s".to_owned(),
            nonce: "n".to_owned(),
            verifier: "v".to_owned(),
            to: "/approvals".to_owned(),
            at: 1000,
        };
        let value = tickets.write(&ticket);
        assert_eq!(tickets.read(&value, 1000), Some(ticket.clone()));
        assert_eq!(tickets.read(&value, 1000 + LIFETIME - 1), Some(ticket));
        assert_eq!(tickets.read(&value, 1000 + LIFETIME), None);
        assert_eq!(tickets.read(&format!("x{value}"), 1000), None);
        assert_eq!(tickets.read(&value.replace('.', ""), 1000), None);
        let other = Tickets::new().unwrap();
        assert_eq!(other.read(&value, 1000), None);
    }
}
