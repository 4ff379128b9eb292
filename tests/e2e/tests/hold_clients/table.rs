//! What clients and their users saw, as a table in Markdown.

use std::path::Path;
use std::time::Duration;

/// What one call came to.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `request`, `rounds` or `task`.
    pub(crate) mechanism: String,
    /// What the user was told before it was decided, if the client did not go on waiting.
    pub(crate) told: Option<String>,
    /// From the decision to the answer.
    pub(crate) after: Duration,
}

/// The release of a client, as set-up installs it.
pub(crate) fn release(root: &Path, client: &str) -> String {
    let (file, before, after) = match client {
        "TypeScript 1.x" => (
            "tests/peers/package.json",
            "\"@modelcontextprotocol/sdk\": \"",
            '"',
        ),
        "TypeScript 2.x" => (
            "tests/peers/package.json",
            "\"@modelcontextprotocol/client\": \"",
            '"',
        ),
        "Python 1.x" => ("tests/setup/requirements-mcp1.txt", "\nmcp==", ' '),
        "Python 2.x" => ("tests/setup/requirements-mcp2.txt", "\nmcp==", ' '),
        _ => ("Cargo.lock", "name = \"rmcp\"\nversion = \"", '"'),
    };
    let text = std::fs::read_to_string(root.join(file)).unwrap();
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{file} has no `{before}`"));
    let (release, _) = rest.split_once(after).unwrap();
    release.to_owned()
}

/// A client.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    client: String,
    protocol: &'static str,
    seen: Vec<(Duration, Seen)>,
}

impl Row {
    pub(crate) fn new(root: &Path, (client, protocol): (&'static str, &'static str)) -> Self {
        let sdk = client.trim_end_matches(" 1.x").trim_end_matches(" 2.x");
        Self {
            client: format!("{sdk} {}", release(root, client)),
            protocol,
            seen: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, delay: Duration, seen: Seen) {
        self.seen.push((delay, seen));
    }
}

pub(crate) fn markdown(rows: &[Row], delays: &[Duration]) -> String {
    let mut text = "| client | protocol | how it waits |".to_owned();
    for delay in delays {
        text.push_str(&format!(" approved after {} s |", delay.as_secs()));
    }
    text.push_str("\n| --- | --- | --- |");
    text.push_str(&" --- |".repeat(delays.len()));
    for row in rows {
        let mechanism = row
            .seen
            .first()
            .map_or("", |(_, seen)| match seen.mechanism.as_str() {
                "request" => "the request stays open, then the call is made again",
                "rounds" => "`input_required` rounds",
                "task" => "task",
                other => panic!("mechanism `{other}`"),
            });
        text.push_str(&format!(
            "\n| {} | {} | {mechanism} |",
            row.client, row.protocol
        ));
        for (_, seen) in &row.seen {
            let what = match &seen.told {
                None => format!(
                    "the result, {} ms after the decision",
                    seen.after.as_millis()
                ),
                Some(_) => {
                    "told that it is pending, and where; the same call made again: the result"
                        .to_owned()
                }
            };
            text.push_str(&format!(" {what} |"));
        }
    }
    let told = rows.iter().flat_map(|row| &row.seen);
    if let Some(told) = told.filter_map(|(_, seen)| seen.told.as_ref()).next() {
        text.push_str(&format!("\n\nWhat it is told: {told:?}"));
    }
    text.push('\n');
    text
}
