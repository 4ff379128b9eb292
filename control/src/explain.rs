//! `gatehold explain`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use gatehold_detect::{Context as About, Kind, Pack, Verdict, scan};
use gatehold_documents::{Question, explain as explain_question};
use gatehold_engine::{Findings, Principal, Target};
use serde_json::{Map, Value};

use crate::check::load_directory;
use crate::detectors;

/// What to explain.
#[derive(Debug, Args)]
pub struct Options {
    /// Directory of the documents (`*.yaml`, `*.yml`).
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Name of the server.
    #[arg(long)]
    pub server: String,
    /// The user, as the token names it.
    #[arg(long)]
    pub user: String,
    /// The agent that acts for the user.
    #[arg(long, default_value = "")]
    pub agent: String,
    /// A role of the user; may be repeated.
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// A group of the user; may be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Claims of the token, a JSON object, for conditions that read `user.claims`.
    #[arg(long, value_name = "JSON")]
    pub claims: Option<String>,
    /// What the user wants.
    #[command(flatten)]
    pub target: TargetOptions,
    /// Arguments of the call, a JSON object. Without them the answer is that for lists, where no
    /// arguments are known yet.
    #[arg(long, value_name = "JSON")]
    pub args: Option<String>,
}

/// What the user wants: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct TargetOptions {
    /// A tool, by name.
    #[arg(long)]
    pub tool: Option<String>,
    /// A resource, by URI.
    #[arg(long, value_name = "URI")]
    pub resource: Option<String>,
    /// A prompt, by name.
    #[arg(long)]
    pub prompt: Option<String>,
    /// A method that is about none of these.
    #[arg(long)]
    pub method: Option<String>,
}

/// Prints what the filter would decide, by which rules, and why.
///
/// # Errors
/// When the documents are refused, or the question makes no sense.
pub fn explain(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let Options {
        directory,
        server,
        user,
        agent,
        roles,
        groups,
        claims,
        target,
        args,
    } = options;
    let documents = load_directory(directory)?;
    let principal = Principal {
        user: user.clone(),
        agent: agent.clone(),
        roles: roles.clone(),
        groups: groups.clone(),
        claims: object("--claims", claims.as_deref())?.unwrap_or_default(),
    };
    let arguments = object("--args", args.as_deref())?;
    let TargetOptions {
        tool,
        resource,
        prompt,
        method,
    } = target;
    let target = match (tool, resource, prompt, method) {
        (Some(tool), _, _, _) => Target::Tool(tool),
        (_, Some(uri), _, _) => Target::Resource(uri),
        (_, _, Some(prompt), _) => Target::Prompt(prompt),
        (_, _, _, Some(method)) => Target::Method(method),
        (None, None, None, None) => bail!("give one of --tool, --resource, --prompt, --method"),
    };
    let findings = match args {
        None => None,
        Some(args) => {
            let pack = detectors::in_force(documents.detectors.as_deref())?;
            Some(findings(&pack, args))
        }
    };
    let question = Question {
        server,
        principal: &principal,
        target,
        arguments: arguments.as_ref(),
        findings: findings.as_ref().map(|findings| findings as _),
    };
    write!(out, "{}", explain_question(&documents, &question)?)?;
    Ok(())
}

/// What a filter sees in these arguments. Texts that are allowed by their digest count all the same.
fn findings(pack: &Pack, arguments: &str) -> Findings {
    let Verdict {
        score,
        flagged,
        findings,
        secrets,
    } = scan(pack, Kind::Argument, About::default(), arguments.as_bytes());
    Findings {
        score,
        flagged,
        features: each(findings.into_iter().map(|finding| finding.feature)),
        secrets: each(secrets.into_iter().map(|secret| secret.pattern)),
    }
}

fn each(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut each: Vec<String> = Vec::new();
    for name in names {
        if !each.contains(&name) {
            each.push(name);
        }
    }
    each
}

fn object(option: &str, json: Option<&str>) -> anyhow::Result<Option<Map<String, Value>>> {
    let parse = |text| {
        serde_json::from_str(text)
            .with_context(|| format!("{option} takes a JSON object: `{text}`"))
    };
    json.map(parse).transpose()
}
