//! Definitions of tools: control is told what they are, because an approval holds for one of them only.

use gatehold_mcp::canonical_text;
use gatehold_wire::hold::{Definition, from_filter};
use sha2::{Digest as _, Sha256};

use crate::worker::Worker;

/// Bytes of a definition that control is told whole; of a larger one it learns the digest.
const MAX_DEFINITION: usize = 64 << 10;

/// Tells control of the tools, by name and text, that it does not know like this.
pub(super) fn tell(worker: &Worker, server: &str, tools: Vec<(String, &str)>) {
    let mut known = worker.tools.borrow_mut();
    for (tool, text) in tools {
        if !known.is_news(server, &tool, text) {
            continue;
        }
        // What has no canonical form is bound to as it is written.
        let canonical = canonical_text(text).unwrap_or_else(|| text.to_owned());
        let digest = Sha256::digest(canonical.as_bytes()).to_vec();
        let fits = canonical.len() <= MAX_DEFINITION;
        let definition = Definition {
            server: server.to_owned(),
            tool,
            digest,
            definition: if fits { canonical } else { String::new() },
        };
        let message = from_filter::Message::Definition(definition);
        worker.holds.borrow_mut().notice(message);
    }
}
