//! Where the parts of a run are: in this process, in processes of their own, or in containers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use gatehold_harness::process::Process;
use gatehold_harness::{Call, Containers, HarnessError, Place, Reply, Tools};
use serde_json::Value;
use tokio::process::Command;

use crate::traffic::role::Traffic;
use crate::upstream::Upstream;
use crate::world::Settings;

/// What to do where no engine answers.
const INSTALL: &str = "for containers install Docker (Debian and Ubuntu: `apt-get install docker.io`; others: \
                       https://docs.docker.com/engine/install), start it, and let this user talk to /var/run/docker.sock";

/// Where load generator, upstream and all programs run.
#[derive(Clone, Debug)]
pub enum Stage {
    /// Load generator and upstream in this process, programs as processes.
    Here,
    /// Each as a process; this program plays load generator and upstream too.
    Processes(PathBuf),
    /// Each in a container.
    Containers(PathBuf, Arc<Containers>),
}

impl Stage {
    /// Containers where that works, else processes, for a run of the program at `program`; and in words what was
    /// chosen, or why and what to do about it.
    ///
    /// # Errors
    /// When a tool is missing.
    pub async fn choose(program: PathBuf) -> anyhow::Result<(Self, String)> {
        let tools = Tools::find()?;
        match Self::contained(&tools, program.clone()).await {
            Ok(found) => Ok(found),
            Err(HarnessError::Unexpected(reason)) => Ok((
                Self::Processes(program),
                format!("processes, because {reason}; {INSTALL}"),
            )),
            Err(error) => Err(error.into()),
        }
    }

    /// Containers, and what they are made of in words.
    ///
    /// # Errors
    /// [`HarnessError::Unexpected`] when that does not work here.
    pub async fn contained(
        tools: &Tools,
        program: PathBuf,
    ) -> Result<(Self, String), HarnessError> {
        let reads = vec![
            tools.root.join("tests/peers"),
            tools.peer("node_modules")?,
            tools.root.join("tests/corpus"),
        ];
        let programs = [program.as_path(), &tools.gatehold, &tools.node];
        let containers = Containers::prepare(tools, &programs, reads).await?;
        let said = format!("containers: {}", containers.describe());
        Ok((Self::Containers(program, Arc::new(containers)), said))
    }

    /// Where the harness is to run things; it chooses itself without.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Here | Self::Processes(_) => None,
            Self::Containers(_, containers) => Some(Place::Containers(Arc::clone(containers))),
        }
    }

    /// Starts the upstream, and says where it speaks MCP.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn upstream(&self, folder: &Path) -> anyhow::Result<(Role, u16)> {
        let Some(program) = self.program() else {
            let upstream = Upstream::start().await?;
            let (port, surface) = (upstream.port(), upstream.surface());
            return Ok((Role::here(surface, upstream), port));
        };
        let mut command = Command::new(program);
        command.arg("upstream");
        let (role, said) = self.start("upstream", folder, command).await?;
        Ok((role, port(&said, "mcp")?))
    }

    /// Starts the load generator, which waits for orders.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn traffic(&self, folder: &Path, settings: &Settings) -> anyhow::Result<Role> {
        let Some(program) = self.program() else {
            let traffic = Traffic::start(settings.clone()).await?;
            return Ok(Role::here(traffic.port(), traffic));
        };
        let file = folder.join("settings.json");
        fs::write(&file, serde_json::to_vec(settings)?).context("write the settings")?;
        let mut command = Command::new(program);
        command.arg("traffic").arg("--settings").arg(&file);
        Ok(self.start("traffic", folder, command).await?.0)
    }

    fn program(&self) -> Option<&Path> {
        match self {
            Self::Here => None,
            Self::Processes(program) | Self::Containers(program, _) => Some(program),
        }
    }

    async fn start(
        &self,
        name: &str,
        folder: &Path,
        command: Command,
    ) -> anyhow::Result<(Role, Value)> {
        let place = self.place().unwrap_or_default();
        let mut process = Process::start_in(&place, name, folder, command).await?;
        let said = process.announced().await?;
        let role = Role {
            port: port(&said, "port")?,
            part: Part::There(Box::new(process)),
        };
        Ok((role, said))
    }
}

/// A part of the run that takes orders over HTTP. Dropping it ends it.
#[derive(Debug)]
pub struct Role {
    port: u16,
    part: Part,
}

#[derive(Debug)]
enum Part {
    There(Box<Process>),
    Here {
        _kept: Box<dyn std::fmt::Debug + Send + Sync>,
    },
}

impl Role {
    fn here(port: u16, kept: impl std::fmt::Debug + Send + Sync + 'static) -> Self {
        Self {
            port,
            part: Part::Here {
                _kept: Box::new(kept),
            },
        }
    }

    /// Its process id, if it is a process of its own.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        match &self.part {
            Part::There(process) => process.id(),
            Part::Here { .. } => None,
        }
    }

    /// What it says.
    ///
    /// # Errors
    /// When it has ended, or says nothing.
    pub async fn ask(&mut self, path: &str) -> anyhow::Result<Value> {
        let call = Call::get(path);
        let reply = self.exchange(&call).await?;
        anyhow::ensure!(reply.status == 200, "{path}: {}", reply.status);
        Ok(serde_json::from_slice(&reply.body)?)
    }

    /// Tells it to do something; false when it does not do it now.
    ///
    /// # Errors
    /// As [`Role::ask`].
    pub async fn tell(&mut self, path: &str, what: &Value) -> anyhow::Result<bool> {
        let reply = self.exchange(&Call::post(path, what.to_string())).await?;
        anyhow::ensure!(
            reply.status == 200 || reply.status == 409,
            "{path}: {}",
            reply.status
        );
        Ok(reply.status == 200)
    }

    async fn exchange(&mut self, call: &Call) -> anyhow::Result<Reply> {
        if let Part::There(process) = &mut self.part {
            process.running().await?;
        }
        Ok(call.send(self.port).await?)
    }
}

fn port(said: &Value, name: &str) -> anyhow::Result<u16> {
    let found = said.get(name).and_then(Value::as_u64);
    let found = found.and_then(|port| u16::try_from(port).ok());
    found.with_context(|| format!("it does not say its port: {said}"))
}
