//! `gatehold suggest`.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use gatehold_documents::Loader;
use gatehold_engine::ServerPolicy;
use gatehold_shadow::{Existing, Plan, Planner, Skipped};

use crate::check::load_files;
use crate::directory::{self, Files};
use crate::seen::Source;

/// What to propose a policy for.
#[derive(Debug, Args)]
pub struct Options {
    /// Where from.
    #[command(flatten)]
    pub source: Source,
    /// Name of the server; without, all.
    #[arg(long)]
    pub server: Option<String>,
    /// Directory of the documents (`*.yaml`, `*.yml`) that the proposal is put beside: what they allow is not repeated,
    /// and what they allow on a condition is left alone.
    #[arg(long, value_name = "DIR")]
    pub config: PathBuf,
    /// To whom rules speak.
    #[arg(long, value_enum, default_value_t = By::Role)]
    pub by: By,
}

/// To whom rules speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// To roles, where all who were seen with them have done the same; else to users.
    Role,
    /// To users alone.
    User,
}

/// Prints the least policy that would have allowed what was seen, as documents that go with those that are there. What
/// a person has to look at is also said in `notes`. Nothing is changed.
///
/// # Errors
/// When the file can't be read, or the documents are refused.
pub async fn suggest(
    options: Options,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> anyhow::Result<()> {
    let Options {
        source,
        server,
        config,
        by,
    } = options;
    let by = match by {
        By::Role => gatehold_shadow::By::Role,
        By::User => gatehold_shadow::By::User,
    };
    let files = directory::read(&config, &directory::look(&config)?)?;
    let documents = load_files(&files)?;
    let (mut existing, mut policies) = (Existing::default(), HashMap::new());
    for server in &documents.servers {
        existing.add(&server.policy)?;
        let policy = ServerPolicy::new(server.policy.clone())?;
        policies.insert(server.name.as_str(), policy);
    }
    let mut planner = Planner::new(by, server);
    source.each(|observation| planner.add(&observation)).await?;
    let mut plan = planner.plan(&existing);
    plan.mark(|server, tool| {
        let policy = policies.get(server);
        policy.map(|policy| policy.risks(tool)).unwrap_or_default()
    });
    fit(&mut plan, files)?;
    for note in plan.notes(&[Skipped::Conditional, Skipped::NoServer, Skipped::Refused]) {
        writeln!(notes, "{note}")?;
    }
    write!(out, "{plan}")?;
    Ok(())
}

/// Leaves nothing that the documents would be refused with.
fn fit(plan: &mut Plan, mut files: Files) -> anyhow::Result<()> {
    // It comes last, so that those before it are read once.
    let last = files.last().map(|(path, _)| path.join("the proposal"));
    files.push((last.unwrap_or_default(), String::new()));
    let mut put = |text: String| {
        if let Some((_, proposal)) = files.last_mut() {
            *proposal = text;
        }
        files.clone()
    };
    let mut loader = Loader::default();
    if loader.load(&put(plan.to_string())).is_err() {
        plan.retain(Skipped::Refused, |policy| {
            loader.load(&put(policy.to_string())).is_ok()
        });
    }
    load_files(&put(plan.to_string())).context("with what would be proposed")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use gatehold_shadow::{Clause, Grant, Kind, Need, Policy, Subject};

    use super::*;

    const SERVER: &str = "apiVersion: gatehold.io/v1\nkind: Issuer\nmetadata: { name: corp }\n\
        spec: { issuer: https://idp.example.com }\n---\n\
        apiVersion: gatehold.io/v1\nkind: Server\nmetadata: { name: crm }\n\
        spec: { path: /crm, resource: https://gw.example.com/crm, issuers: [corp] }\n";

    #[test]
    fn what_does_not_compile_is_left_out() {
        let grant = |server: &str, name: &str| Grant {
            server: server.to_owned(),
            need: Need {
                kind: Kind::Tool,
                name: name.to_owned(),
            },
            count: 3,
            risks: Vec::new(),
        };
        let policy = |name: &str, grants| Policy {
            name: name.to_owned(),
            clause: Clause {
                subjects: vec![Subject::User("ann".to_owned())],
                agents: vec!["desk".to_owned()],
            },
            grants,
        };
        let mut plan = Plan {
            policies: vec![
                policy("one", vec![grant("crm", "get"), grant("other", "get")]),
                policy("NONE", vec![grant("crm", "get")]),
            ],
            ..Plan::default()
        };
        let files = vec![(PathBuf::from("d/all.yaml"), SERVER.to_owned())];
        let fitted = fit(&mut plan, files.clone());
        assert!(fitted.is_ok(), "{fitted:?}");
        assert_eq!(plan.policies, [policy("one", vec![grant("crm", "get")])]);
        let notes = plan.notes(&[Skipped::Refused]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        let before = plan.clone();
        let fitted = fit(&mut plan, files);
        assert!(fitted.is_ok() && plan == before);
    }
}
