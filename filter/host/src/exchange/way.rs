//! How one message of a server is looked at, and where parts of it are.

use std::ops::Range;

use gatehold_detect::Kind;

use crate::detection::{Action, Actions, Seen};

/// As what a message is looked at, and what is done about what is seen.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) kind: Kind,
    /// About injection.
    pub(super) injection: Action,
    /// About secrets.
    pub(super) secrets: Action,
    /// Tool, prompt or resource.
    pub(super) subject: String,
}

impl Way {
    pub(super) fn of(kind: Kind, actions: Actions, subject: &str) -> Self {
        Self {
            kind,
            injection: match kind {
                Kind::Tool => actions.definitions,
                Kind::Result | Kind::Argument => actions.results,
            },
            secrets: actions.secrets_in_results,
            subject: subject.to_owned(),
        }
    }

    /// The strictest of what is to be done about what was seen.
    pub(super) fn action(&self, seen: &Seen) -> Action {
        let injection = match seen.verdict.flagged {
            true => self.injection,
            false => Action::Off,
        };
        match seen.verdict.secrets.as_slice() {
            [] => injection,
            _ => injection.max(self.secrets),
        }
    }

    /// Whether the next call has to wait for what was seen.
    pub(super) fn approves(&self, seen: &Seen) -> bool {
        let injection = seen.verdict.flagged && self.injection == Action::Approve;
        let secrets = !seen.verdict.secrets.is_empty() && self.secrets == Action::Approve;
        injection || secrets
    }

    /// What was looked at, for a person.
    pub(super) fn what(&self, server: &str) -> String {
        match self.subject.as_str() {
            "" => format!("a message of server `{server}`"),
            subject => format!("a result of `{subject}` of server `{server}`"),
        }
    }
}

/// Where a part that was borrowed from `message` stands in it.
pub(super) fn span(message: &[u8], part: &str) -> Range<usize> {
    let start = part.as_ptr().addr();
    let start = start.saturating_sub(message.as_ptr().addr());
    start..start.saturating_add(part.len())
}

/// The message with other text for some of its parts, which come in order; nothing without any.
pub(super) fn spliced(message: &[u8], edits: &[(&str, Vec<u8>)]) -> Option<Vec<u8>> {
    if edits.is_empty() {
        return None;
    }
    let mut new = Vec::with_capacity(message.len());
    let mut from = 0;
    for (part, text) in edits {
        let span = span(message, part);
        new.extend_from_slice(message.get(from..span.start)?);
        new.extend_from_slice(text);
        from = span.end;
    }
    new.extend_from_slice(message.get(from..)?);
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_replaced() {
        let message = "[one,two,three]";
        let part = |from: usize, to: usize| message.get(from..to).unwrap();
        let edits = [(part(1, 4), b"1".to_vec()), (part(9, 14), b"3".to_vec())];
        let new = spliced(message.as_bytes(), &edits).unwrap();
        assert_eq!(String::from_utf8(new).unwrap(), "[1,two,3]");
        assert_eq!(spliced(message.as_bytes(), &[]), None);
    }
}
