//! What clients and their users saw, as a table in Markdown.

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

/// A client.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    client: &'static str,
    version: &'static str,
    seen: Vec<(Duration, Seen)>,
}

impl Row {
    pub(crate) fn new((client, version): (&'static str, &'static str)) -> Self {
        Self {
            client,
            version,
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
            row.client, row.version
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
