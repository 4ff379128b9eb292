//! Texts that are never flagged, by digest.
//!
//! The unit is one string of JSON as it reads unescaped, a definition in canonical form, or a text that is no
//! JSON as a whole.

use std::collections::HashSet;
use std::ops::Range;

use gatehold_detect::{Kind, Verdict};
use gatehold_mcp::canonical_text;
use sha2::{Digest as _, Sha256};

use crate::detection::strings::touched;

/// SHA-256 of a text.
pub(super) type Digest = [u8; 32];

/// How often a text is looked at again.
const ROUNDS: usize = 8;

/// The verdict over a text without its parts that are allowed. They are not merely taken from the verdict, since
/// it names but the weightiest: they are blanked out, and the rest is looked at again.
pub(super) fn without_allowed(
    allowed: &HashSet<Digest>,
    kind: Kind,
    text: &[u8],
    mut verdict: Verdict,
    again: impl Fn(&[u8]) -> Verdict,
) -> Verdict {
    let is_allowed = |text: &[u8]| allowed.contains(&Digest::from(Sha256::digest(text)));
    let definition = || canonical_text(std::str::from_utf8(text).ok()?);
    if kind == Kind::Tool && definition().is_some_and(|text| is_allowed(text.as_bytes())) {
        return Verdict::default();
    }
    let mut text = text.to_vec();
    for _ in 0..ROUNDS {
        let strings = touched(&text, &places(&verdict));
        let mut changed = false;
        for string in strings {
            let Some(part) = text.get_mut(string) else {
                continue;
            };
            if is_allowed(part) || unescaped(part).is_some_and(|it| is_allowed(it.as_bytes())) {
                // Blanks, so that places stay.
                part.fill(b' ');
                changed = true;
            }
        }
        if !changed {
            break;
        }
        verdict = again(&text);
    }
    verdict
}

fn unescaped(part: &[u8]) -> Option<String> {
    let quoted = [b"\"", part, b"\""].concat();
    serde_json::from_slice(&quoted).ok()
}

/// Where something was seen.
pub(super) fn places(verdict: &Verdict) -> Vec<Range<usize>> {
    let findings = verdict.findings.iter().map(|it| it.span.clone());
    let secrets = verdict.secrets.iter().map(|it| it.span.clone());
    findings.chain(secrets).collect()
}
