//! Other gateways, installed by `peers.sh`, on the same CPU, with the same load and upstream. Each gets the one case
//! that it can serve: it stands where Envoy stands, and speaks one era.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use gatehold_harness::process::Process;
use tokio::process::Command;

use crate::cases::{self, Way};
use crate::policy::{ALLOWED, Rules};
use crate::site::{Ground, Site};
use crate::variant::Variant;

/// The case that a peer can serve.
#[must_use]
pub fn case_of(peer: Variant) -> Option<&'static str> {
    match peer {
        Variant::McpProxy => Some("call-2k"),
        Variant::McpAirlock => Some("call-2k-modern"),
        _ => None,
    }
}

/// What `mcp-proxy` is told: one server, no audit, no metrics.
fn proxy_config(port: u16, upstream: u16) -> String {
    format!(
        "[proxy]\nname = \"bench\"\nseparator = \"/\"\n\n[proxy.listen]\nhost = \"127.0.0.1\"\nport = {port}\n\n\
         [[backends]]\nname = \"crm\"\ntransport = \"http\"\nurl = \"http://127.0.0.1:{upstream}/mcp\"\n\n\
         [observability]\naudit = false\nlog_level = \"error\"\n"
    )
}

/// What `mcp-airlock` is told: one tool that may be read, and no limit that the load would meet.
fn airlock_policy() -> String {
    format!(
        "version: 1\nenvironment: prod\nblast_radius: {{ max_per_call: 1000000, max_per_principal: 1000000000, window_s: 60 }}\n\
         tools:\n  {ALLOWED}:\n    tiers: {{ prod: L0 }}\n"
    )
}

/// Starts a peer of those that `peers.sh` has put into `folder`.
///
/// # Errors
/// When it is not there, or does not answer.
pub async fn start(
    ground: &Ground<'_>,
    folder: &Path,
    peer: Variant,
    token: &str,
) -> anyhow::Result<Site> {
    let port = free_port()?;
    let home = ground.folder.join(peer.name());
    fs::create_dir_all(&home).context("could not create a folder")?;
    let write = |name: &str, text: String| {
        let path = home.join(name);
        fs::write(&path, text).with_context(|| format!("could not write {name}"))?;
        anyhow::Ok(path)
    };
    let upstream = ground.load.upstream();
    let (program, way) = match peer {
        Variant::McpProxy => (
            "bin/mcp-proxy",
            Way {
                path: "/",
                prefix: "crm/",
                principal: None,
            },
        ),
        Variant::McpAirlock => (
            "airlock/bin/mcp-airlock",
            Way {
                path: "/mcp",
                prefix: "",
                principal: Some("x-airlock-principal"),
            },
        ),
        other => bail!("`{}` is no peer", other.name()),
    };
    let program = folder.join(program);
    ensure!(
        program.exists(),
        "`{}` is not there; run `make bench-peers`, which installs it",
        program.display()
    );
    let mut command = Command::new(program);
    command.current_dir(&home);
    if peer == Variant::McpProxy {
        command
            .arg("--config")
            .arg(write("proxy.toml", proxy_config(port, upstream))?);
    } else {
        let (policy, upstream, port) = (
            write("policy.yaml", airlock_policy())?,
            format!("http://127.0.0.1:{upstream}/mcp"),
            port.to_string(),
        );
        let arguments: [&OsStr; 8] = [
            "--policy".as_ref(),
            policy.as_ref(),
            "--upstream".as_ref(),
            upstream.as_ref(),
            "--env".as_ref(),
            "prod".as_ref(),
            "--port".as_ref(),
            port.as_ref(),
        ];
        command
            .args(arguments)
            .env("AIRLOCK_TRUST_PRINCIPAL_HEADER", "1");
    }
    let mut process = ground
        .plan
        .on_measured(|| Process::start(peer.name(), ground.folder, command))?;
    let ready = process
        .ready(async |_| {
            ground
                .load
                .ask(port, cases::get("/"))
                .map(drop)
                .map_err(|error| error.to_string())
        })
        .await;
    ready.with_context(|| process.tail())?;
    let mut site = Site {
        variant: peer,
        rules: Rules::Few,
        port,
        id: process.id().context("the peer has ended")?,
        control: None,
        session: None,
        way,
        admin: None,
        process,
        _reserved: None,
    };
    if peer == Variant::McpProxy {
        site.begin_session(ground.load, token)
            .with_context(|| site.tail())?;
    }
    Ok(site)
}

/// A port that was free a moment ago: these programs do not share one.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("could not find a port")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_told_where_to_go() {
        let config = proxy_config(1111, 2222);
        assert!(
            config.contains("port = 1111\n") && config.contains("127.0.0.1:2222/mcp"),
            "{config}"
        );
        assert!(airlock_policy().contains("\n  search_orders:\n    tiers: { prod: L0 }\n"));
        for peer in Variant::PEERS {
            assert!(crate::cases::Case::of(case_of(peer).unwrap()).is_some() && peer.is_peer());
        }
        assert_eq!(case_of(Variant::All), None);
    }
}
