//! Risk classes that tools without one might get: proposals for whoever writes the documents.
//!
//! Nothing here is used to decide. What a server says of its own tools is shown as what it says, and never
//! makes a tool look less dangerous than its name does.

mod review;
mod words;

pub use review::{RiskReview, Unclassed, review};

use serde_json::Value;

use words::{class_of, in_words};

/// The classes that have a meaning by themselves, from the least to the most.
pub const CLASSES: [&str; 5] = ["read", "write", "destructive", "external", "financial"];

/// A class that a tool might get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// One of [`CLASSES`].
    pub class: &'static str,
    /// What speaks for it, as a clause.
    pub reason: String,
}

/// The classes that a tool might get by its definition (an entry of the result of `tools/list`), in the order of
/// [`CLASSES`]. There is always one; what cannot be told is taken to write.
#[must_use]
pub fn suggest(tool: &Value) -> Vec<Suggestion> {
    let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
    let words = in_words(name);
    let hint = |hint: &str| {
        let annotations = tool.get("annotations");
        annotations.and_then(|annotations| annotations.get(hint)?.as_bool())
    };
    let mut found: Vec<Suggestion> = Vec::new();
    for class in CLASSES {
        let said = words.iter().filter(|word| class_of(word) == Some(class));
        let said: Vec<String> = said.map(|word| format!("`{word}`")).collect();
        if !said.is_empty() {
            let reason = format!("its name says {}", said.join(", "));
            found.push(Suggestion { class, reason });
        }
    }
    let mut claimed = |class, hint: &str| {
        let reason = format!("the server says `{hint}`");
        match found.iter_mut().find(|found| found.class == class) {
            Some(known) => known.reason = format!("{}, and {reason}", known.reason),
            None => found.push(Suggestion { class, reason }),
        }
    };
    let only_reads = hint("readOnlyHint") == Some(true);
    if only_reads {
        claimed("read", "readOnlyHint: true");
    }
    // The specification has it true unless said otherwise, so only what was said out loud tells anything.
    if hint("destructiveHint") == Some(true) && !only_reads {
        claimed("destructive", "destructiveHint: true");
    }
    if hint("openWorldHint") == Some(true) {
        claimed("external", "openWorldHint: true");
    }
    settle(found, only_reads)
}

/// Takes out `read` beside what does more, and `write` beside what says it more exactly.
fn settle(mut found: Vec<Suggestion>, only_reads: bool) -> Vec<Suggestion> {
    let has = |found: &[Suggestion], class: &str| found.iter().any(|found| found.class == class);
    let does_more = ["write", "destructive", "financial"]
        .iter()
        .any(|class| has(&found, class));
    if does_more {
        found.retain(|suggestion| suggestion.class != "read");
        if only_reads && let Some(first) = found.first_mut() {
            first
                .reason
                .push_str(", although the server says `readOnlyHint: true`");
        }
    }
    if has(&found, "destructive") {
        found.retain(|suggestion| suggestion.class != "write");
    }
    let says_what_it_does = CLASSES
        .iter()
        .any(|class| *class != "external" && has(&found, class));
    if !says_what_it_does && !has(&found, "external") {
        found.push(Suggestion {
            class: "write",
            reason: "nothing says that it only reads".to_owned(),
        });
    }
    found.sort_by_key(|found| CLASSES.iter().position(|class| *class == found.class));
    found
}
