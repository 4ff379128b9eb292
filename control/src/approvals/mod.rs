//! `gatehold approvals`: decide from a terminal, by the console's HTTP API.

mod client;
mod table;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use gatehold_console::api::{ApprovalJson, ListJson};
use gatehold_console::text::is_hidden;
use serde_json::json;

pub(crate) use client::Client;
pub use client::Refused;
pub(crate) use table::columns;

/// What can be done with approvals.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the calls that wait for people, newest first.
    List(List),
    /// Show one, with everything that is known of it.
    Show(Show),
    /// Say yes to one.
    Approve(Vote),
    /// Say no to one.
    Deny(Vote),
}

/// Where the console is, and who asks.
#[derive(Debug, Args)]
pub struct Connection {
    /// Address of the console.
    #[arg(
        long,
        value_name = "URL",
        env = "GATEHOLD_URL",
        default_value = "http://127.0.0.1:18002"
    )]
    pub url: String,
    /// File with a bearer token of the console's issuer for one of its `api.audiences`. Without it, the variable
    /// GATEHOLD_TOKEN holds the token.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Print JSON, as the HTTP API gives it.
    #[arg(long)]
    pub json: bool,
}

/// Which to list.
#[derive(Debug, Args)]
pub struct List {
    /// Only these states, with commas between them: pending, approved, used, denied, expired, withdrawn,
    /// superseded; or `all`.
    #[arg(long, value_name = "STATES", default_value = "pending")]
    pub state: String,
    /// Only calls of this server.
    #[arg(long)]
    pub server: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub limit: u16,
    /// Only those that are older than the one with this id.
    #[arg(long, value_name = "ID")]
    pub before: Option<String>,
    /// Where, and who.
    #[command(flatten)]
    pub connection: Connection,
}

/// Which to show.
#[derive(Debug, Args)]
pub struct Show {
    /// Its id, as `list` prints it.
    pub id: String,
    /// Where, and who.
    #[command(flatten)]
    pub connection: Connection,
}

/// What to say, and why.
#[derive(Debug, Args)]
pub struct Vote {
    /// Its id, as `list` prints it.
    pub id: String,
    /// Why. The agent sees it.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Digest of the call, as `show` prints it: refused when the approval is for another call.
    #[arg(long, value_name = "HEX")]
    pub digest: Option<String>,
    /// Where, and who.
    #[command(flatten)]
    pub connection: Connection,
}

/// Asks the console, and prints its answer.
///
/// # Errors
/// [`Refused`] with a text that says what to do, or why the console could not be asked.
pub async fn approvals(command: Command, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        Command::List(list) => self::list(list, out).await,
        Command::Show(Show { id, connection }) => {
            let client = Client::new(&connection)?;
            let answer = client.get(&["approvals", &id], &[]).await?;
            show(&answer, connection.json, out)
        }
        Command::Approve(vote) => self::vote(vote, "approve", out).await,
        Command::Deny(vote) => self::vote(vote, "deny", out).await,
    }
}

async fn list(list: List, out: &mut impl Write) -> anyhow::Result<()> {
    let List {
        state,
        server,
        limit,
        before,
        connection,
    } = list;
    let limit = limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    if state != "all" {
        query.push(("state", &state));
    }
    query.extend(server.as_deref().map(|server| ("server", server)));
    query.extend(before.as_deref().map(|before| ("before", before)));
    let client = Client::new(&connection)?;
    let answer = client.get(&["approvals"], &query).await?;
    if connection.json {
        return Ok(writeln!(out, "{}", visible(&answer))?);
    }
    let page: ListJson = parse(&answer)?;
    write!(out, "{}", table::list(&page, &state))?;
    Ok(())
}

async fn vote(vote: Vote, verdict: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let Vote {
        id,
        reason,
        digest,
        connection,
    } = vote;
    let body = match digest {
        Some(digest) => json!({ "reason": reason, "digest": digest }),
        None => json!({ "reason": reason }),
    };
    let client = Client::new(&connection)?;
    let answer = client.post(&["approvals", &id, verdict], &body).await?;
    if connection.json {
        return Ok(writeln!(out, "{}", visible(&answer))?);
    }
    write!(out, "{}", table::voted(&parse(&answer)?, verdict))?;
    Ok(())
}

fn show(answer: &str, as_json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if as_json {
        return Ok(writeln!(out, "{}", visible(answer))?);
    }
    let approval: ApprovalJson = parse(answer)?;
    write!(out, "{}", table::one(&approval))?;
    Ok(())
}

pub(crate) fn parse<T: serde::de::DeserializeOwned>(answer: &str) -> anyhow::Result<T> {
    serde_json::from_str(answer)
        .context("the console's answer can't be read; is `gatehold` here as new as the one there?")
}

/// JSON in which hidden characters are escaped: they only stand in texts, where that means the same.
pub(crate) fn visible(json: &str) -> String {
    let mut visible = String::with_capacity(json.len());
    for char in json.chars() {
        if is_hidden(char) && char != '\n' {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                visible.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            visible.push(char);
        }
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_json() {
        let json = json!({ "a": "x\u{202e}y\u{e0041}z\n", "b": "é 中" }).to_string();
        let seen = visible(&json);
        assert!(
            seen.contains(r"x\u202ey\udb40\udc41z\n") && seen.contains("é 中"),
            "{seen}"
        );
        let again: serde_json::Value = serde_json::from_str(&seen).unwrap();
        assert_eq!(again.to_string(), json);
    }
}
