//! Signatures as the Standard Webhooks specification has them: HMAC-SHA256 over id, time and body.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Fewest bytes of a key.
const LEAST: usize = 24;
/// Most bytes of a key.
const MOST: usize = 64;

/// The keys of one webhook. Debug output does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys(Vec<Vec<u8>>);

/// Why a secret can't be used. No text holds any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// There is nothing in it.
    #[error("it is empty; {HELP}")]
    Empty,
    /// A line is not base64.
    #[error("line {0} is not base64; {HELP}")]
    NotBase64(usize),
    /// A key is too short or too long.
    #[error("the key of line {0} is not {LEAST} to {MOST} bytes long; {HELP}")]
    Length(usize),
}

const HELP: &str = "make one with `echo whsec_$(openssl rand -base64 32)`";

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

impl Keys {
    /// Reads the text of a secret file: a key per line, in base64, with or without `whsec_` before it. With several,
    /// messages are signed by each, so that receivers can change theirs one after the other.
    ///
    /// # Errors
    /// When a line is no key.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut keys = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let coded = line.strip_prefix("whsec_").unwrap_or(line);
            let key = BASE64
                .decode(coded)
                .map_err(|_| KeysError::NotBase64(number))?;
            if !(LEAST..=MOST).contains(&key.len()) {
                return Err(KeysError::Length(number));
            }
            keys.push(key);
        }
        match keys.is_empty() {
            true => Err(KeysError::Empty),
            false => Ok(Self(keys)),
        }
    }

    /// The value of `webhook-signature`.
    #[must_use]
    pub fn sign(&self, id: &str, unix_seconds: u64, body: &str) -> String {
        let signatures = self.0.iter().filter_map(|key| {
            // Any length of key is possible.
            let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
            mac.update(format!("{id}.{unix_seconds}.{body}").as_bytes());
            Some(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_reference_implementations() {
        let keys = Keys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature = keys.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let two = Keys::parse(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n\nMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx\n",
        );
        let both = two.unwrap().sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert!(both.starts_with(&format!("{signature} v1,")), "{both}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let check = |text: &str, expected| assert_eq!(Keys::parse(text), Err(expected), "{text}");
        check("", KeysError::Empty);
        check("\n \n", KeysError::Empty);
        check("whsec_secret!", KeysError::NotBase64(1));
        check(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_c2hvcnQ=",
            KeysError::Length(2),
        );
        let keys = Keys::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(format!("{keys:?}"), "Keys(1)");
    }
}
