//! What is odd about the texts of a call, for whoever decides.

use gatehold_approvals::Call;

use super::arguments::rows;
use crate::text::{hidden_in, look_alike};

/// A warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where: `tool`, `arguments › memo`.
    pub place: String,
    /// What.
    pub text: String,
}

/// At most this many are shown.
const MAX: usize = 12;

/// Hidden characters and letters that look like others, wherever the agent, its user or the server wrote.
pub fn notes(call: &Call, definition: Option<&str>) -> Vec<Note> {
    let requester = &call.requester;
    let mut notes = Vec::new();
    for (place, text) in [
        ("user", &requester.user),
        ("agent", &requester.agent),
        ("server", &call.server),
        ("target", &call.target),
    ] {
        look(&mut notes, place, text);
    }
    match rows(&call.arguments) {
        Some((rows, _)) => {
            for row in rows {
                look(&mut notes, "a key in the arguments", &row.key);
                if matches!(row.kind, "text" | "json") {
                    look(&mut notes, &format!("arguments › {}", row.key), &row.value);
                }
            }
        }
        None => look(&mut notes, "arguments", &call.arguments),
    }
    if let Some(definition) = definition {
        look(&mut notes, "tool definition", definition);
    }
    notes.truncate(MAX);
    notes
}

fn look(notes: &mut Vec<Note>, place: &str, text: &str) {
    if notes.len() >= MAX || text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control()) {
        return;
    }
    let hidden: Vec<_> = hidden_in(text)
        .into_iter()
        .map(|(code, name, count)| match count {
            1 => format!("{name} ({code})"),
            _ => format!("{count} × {name} ({code})"),
        })
        .collect();
    if !hidden.is_empty() {
        notes.push(Note {
            place: place.to_owned(),
            text: format!("hidden characters: {}", hidden.join(", ")),
        });
    }
    if let Some(text) = look_alike(text) {
        notes.push(Note {
            place: place.to_owned(),
            text,
        });
    }
}
