//! One Envoy that is measured, and the control behind it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use gatehold_harness::bootstrap::BOOTSTRAP;
use gatehold_harness::control::Control;
use gatehold_harness::documents::Documents;
use gatehold_harness::ports::Reserved;
use gatehold_harness::process::Process;
use gatehold_harness::{Keys, Tools};
use tokio::process::Command;

use crate::cases::{self, Way};
use crate::config::{self, Places};
use crate::load::Load;
use crate::machine::{self, Plan};
use crate::policy::{self, Rules};
use crate::variant::Variant;

/// What every site is made of.
#[derive(Debug)]
pub struct Ground<'a> {
    /// Where the programs are; `wasm` is the filter that is measured.
    pub tools: &'a Tools,
    /// The module that does nothing.
    pub empty: PathBuf,
    /// The keys of the tokens.
    pub keys: &'static Keys,
    /// Who runs where.
    pub plan: &'a Plan,
    /// The load generator, which is the upstream too.
    pub load: &'a Load,
    /// Logs and configurations are written here.
    pub folder: &'a Path,
}

/// A control that serves one of the policies.
#[derive(Debug)]
pub struct Desk {
    /// The program.
    pub control: Control,
    full: bool,
    detects: bool,
    rules: Rules,
}

impl Desk {
    /// Starts control on the documents of a policy.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(
        ground: &Ground<'_>,
        variant: Variant,
        rules: Rules,
    ) -> anyhow::Result<Self> {
        let (full, detects) = (variant.is_full(), variant.detects());
        let name = match (full, detects) {
            (false, _) => "plain",
            (true, false) => "full",
            (true, true) => "detecting",
        };
        let folder = ground
            .folder
            .join(format!("control-{name}-{}", rules.count()));
        let jwks = ground.keys.jwks().to_string();
        let documents = Documents::create(folder.join("documents"), 0, 0, 0, &jwks)?;
        documents.write("servers.yaml", &policy::servers(detects))?;
        documents.write("policy.yaml", &policy::policy(full, rules))?;
        let control = Control::start(ground.tools, &folder, 0, 0).await?;
        // What it does with audit events is not what is measured, and must not disturb the load.
        machine::step_back(control.id().context("control has ended")?)?;
        Ok(Self {
            control,
            full,
            detects,
            rules,
        })
    }

    /// Whether a site of this kind asks this control.
    #[must_use]
    pub fn serves(&self, variant: Variant, rules: Rules) -> bool {
        (self.full, self.detects) == (variant.is_full(), variant.detects()) && self.rules == rules
    }
}

/// A running Envoy.
#[derive(Debug)]
pub struct Site {
    /// What it is.
    pub variant: Variant,
    /// Rules of its policy.
    pub rules: Rules,
    /// Where clients come in.
    pub port: u16,
    /// Its process.
    pub id: u32,
    /// The process of its control, if it has one.
    pub control: Option<u32>,
    /// The session that requests carry, if they carry one.
    pub session: Option<String>,
    /// How requests reach it.
    pub way: Way,
    pub(crate) admin: Option<PathBuf>,
    pub(crate) process: Process,
    pub(crate) _reserved: Option<Reserved>,
}

impl Site {
    /// Starts an Envoy with one worker, waits until it decides, and begins the session.
    ///
    /// # Errors
    /// When it does not start, or its filter gets no policy; with the end of its log.
    pub async fn start(
        ground: &Ground<'_>,
        desk: Option<&Desk>,
        variant: Variant,
        rules: Rules,
        token: &str,
    ) -> anyhow::Result<Self> {
        let reserved = Reserved::any()?;
        let port = reserved.port();
        let name = format!("{}-{}", variant.name(), rules.count());
        let mut process = launch(ground, desk, variant, port, 1, &name)?;
        let id = process.id().context("Envoy has ended")?;
        wait_for_policy(ground.load, variant, port, &mut process).await?;
        let mut site = Self {
            variant,
            rules,
            port,
            id,
            control: desk.and_then(|desk| desk.control.id()),
            session: None,
            way: Way::ENVOY,
            admin: Some(address_of(ground.folder, &name)),
            process,
            _reserved: Some(reserved),
        };
        if variant.is_full() {
            site.begin_session(ground.load, token)?;
        }
        Ok(site)
    }

    /// Begins the session that requests carry from now on.
    ///
    /// # Errors
    /// When there is none.
    pub fn begin_session(&mut self, load: &Load, token: &str) -> anyhow::Result<()> {
        let reply = load.ask(self.port, cases::initialize(&self.way, token))?;
        let name = self.variant.name();
        ensure!(
            reply.status == 200,
            "no session at `{name}`: {} {}",
            reply.status,
            reply.text()
        );
        let session = reply.session.context("a session without an id")?;
        let reply = load.ask(self.port, cases::initialized(&self.way, token, &session))?;
        ensure!(
            reply.status == 202,
            "no session at `{name}`: {} {}",
            reply.status,
            reply.text()
        );
        self.session = Some(session);
        Ok(())
    }

    /// The end of what it has printed.
    #[must_use]
    pub fn tail(&self) -> String {
        self.process.tail()
    }

    /// The counters of Envoy whose names contain `name`, by the label at their end.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn counters(&self, load: &Load, name: &str) -> anyhow::Result<BTreeMap<String, u64>> {
        let address = fs::read_to_string(self.admin.as_deref().context("no Envoy")?)
            .context("Envoy says no admin address")?;
        let port = address
            .trim()
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        let port = port.with_context(|| format!("the admin address is `{address}`"))?;
        let reply = load.ask(port, cases::get(&format!("/stats?filter={name}")))?;
        Ok(by_label(&reply.text()))
    }
}

/// Counters by the label that their names end in: `name.state=dropped: 2`.
fn by_label(stats: &str) -> BTreeMap<String, u64> {
    let entry = |line: &str| {
        let (name, value) = line.rsplit_once(": ")?;
        Some((
            name.rsplit_once('=')?.1.to_owned(),
            value.trim().parse().ok()?,
        ))
    };
    stats.lines().filter_map(entry).collect()
}

/// Where an Envoy writes the address of its admin interface.
fn address_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.admin"))
}

/// Starts an Envoy on the measured CPU.
///
/// # Errors
/// When it cannot be started.
pub fn launch(
    ground: &Ground<'_>,
    desk: Option<&Desk>,
    variant: Variant,
    port: u16,
    workers: u32,
    name: &str,
) -> anyhow::Result<Process> {
    let file = fs::read_to_string(ground.tools.root.join(BOOTSTRAP))
        .with_context(|| format!("could not read {BOOTSTRAP}"))?;
    let jwks = ground.keys.jwks().to_string();
    let places = Places {
        gateway: port,
        control: desk.map_or(9, |desk| desk.control.grpc_port()),
        upstream: ground.load.upstream(),
        wasm: if variant == Variant::WasmEmpty {
            &ground.empty
        } else {
            &ground.tools.wasm
        },
        jwks: &jwks,
    };
    let config = ground.folder.join(format!("{name}.yaml"));
    fs::write(&config, config::render(&file, variant, &places)?)
        .context("could not write the bootstrap")?;
    let mut command = Command::new(&ground.tools.envoy);
    command.arg("-c").arg(&config);
    command
        .arg("--admin-address-path")
        .arg(address_of(ground.folder, name));
    command.args([
        "--concurrency",
        &workers.to_string(),
        "--disable-hot-restart",
        "--log-level",
        "warning",
    ]);
    ground
        .plan
        .on_measured(|| Process::start(name, ground.folder, command))
}

/// Waits until the listener answers, and until the filter has its policy where it needs one.
///
/// # Errors
/// When that takes too long; with the end of the log.
pub async fn wait_for_policy(
    load: &Load,
    variant: Variant,
    port: u16,
    process: &mut Process,
) -> anyhow::Result<()> {
    let path = format!("/.well-known/oauth-protected-resource{}", policy::PATH);
    let ready = process.ready(async |_| match load.ask(port, cases::get(&path)) {
        Ok(reply) if reply.status == 200 || !variant.is_ours() => Ok(()),
        Ok(reply) => Err(format!("{} {}", reply.status, reply.text())),
        Err(error) => Err(error.to_string()),
    });
    let ready = ready.await;
    ready.with_context(|| process.tail())
}

#[cfg(test)]
mod tests {
    use super::by_label;

    #[test]
    fn counters_are_read_by_label() {
        let found = by_label("a.state=dropped: 2\nx: y\nb: 3\na.state=acknowledged: 40\n");
        let expected = [("acknowledged".to_owned(), 40), ("dropped".to_owned(), 2)];
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
    }
}
