//! Envoy with the filter: started on the repository's own bootstrap, asked over its admin interface.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::bootstrap::{self, Bootstrap};
use crate::docker::{Container, Image, Plan};
use crate::engine::{self, IMAGE, MODE, Mode, TAG};
use crate::error::HarnessError;
use crate::http::{Call, Reply};
use crate::place::Place;
use crate::process::{Process, command, tail};
use crate::tools::Tools;
use crate::wait::until;

/// How long it may take to compile the filter and to listen.
const START: Duration = Duration::from_secs(60);

/// What Envoy reads and writes, each under the path that it has here.
#[derive(Debug)]
struct Files<'a> {
    /// Bootstrap.
    folder: &'a Path,
    /// The filter.
    wasm: &'a Path,
    /// Where Envoy writes its admin address, below `folder`.
    admin: &'a Path,
}

/// How Envoy runs.
#[derive(Debug)]
enum Running {
    Local(Box<Process>),
    Docker(Box<Container>),
}

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    running: Running,
    log: PathBuf,
    gateway: u16,
    admin: u16,
    workers: u32,
}

impl Envoy {
    /// Starts it in `folder`, where its bootstrap and its log are written. It runs in a container where that works, or
    /// as the environment chooses.
    ///
    /// # Errors
    /// When it ends early or does not listen in time.
    pub async fn start(
        tools: &Tools,
        folder: &Path,
        bootstrap: &Bootstrap<'_>,
        workers: u32,
    ) -> Result<Self, HarnessError> {
        Self::start_in(None, tools, folder, bootstrap, workers).await
    }

    /// As [`Envoy::start`], at a place that the caller has chosen.
    ///
    /// # Errors
    /// As [`Envoy::start`].
    pub async fn start_in(
        place: Option<&Place>,
        tools: &Tools,
        folder: &Path,
        bootstrap: &Bootstrap<'_>,
        workers: u32,
    ) -> Result<Self, HarnessError> {
        let file = bootstrap.file();
        if file == bootstrap::chosen() && file != bootstrap::BOOTSTRAP {
            say(format!("Envoy is set up as in {file}"));
        }
        let text = fs::read_to_string(tools.root.join(&file))
            .map_err(HarnessError::io(format!("read {file}")))?;
        let config = folder.join("envoy.yaml");
        fs::write(&config, bootstrap.render(&text)?)
            .map_err(HarnessError::io("write the bootstrap"))?;
        // A folder of its own, because that is all that a container may write.
        let admin = folder.join("envoy-admin");
        fs::create_dir_all(&admin).map_err(HarnessError::io("create a folder"))?;
        let address = admin.join("address");
        let _ = fs::remove_file(&address);
        let log = folder.join("envoy.log");
        let show = |path: &Path| path.to_string_lossy().into_owned();
        let arguments = [
            "-c".to_owned(),
            show(&config),
            "--concurrency".to_owned(),
            workers.to_string(),
            "--admin-address-path".to_owned(),
            show(&address),
            // Several of them run side by side, and none is restarted hot.
            "--disable-hot-restart".to_owned(),
            "--drain-time-s".to_owned(),
            "1".to_owned(),
            // The access log is read while it is written.
            "--file-flush-interval-msec".to_owned(),
            "50".to_owned(),
            "--log-level".to_owned(),
            "warning".to_owned(),
            "--component-log-level".to_owned(),
            "wasm:info".to_owned(),
        ];
        let files = Files {
            folder,
            wasm: bootstrap.wasm,
            admin: &admin,
        };
        let running = match place {
            None => launch(tools, &files, &arguments, &log).await?,
            Some(Place::Processes) => local(tools, &files, &arguments)?,
            Some(Place::Containers(containers)) => {
                let program = containers.envoy_program.as_deref();
                contained(&containers.envoy, program, &files, &arguments, &log).await?
            }
        };
        let mut envoy = Self {
            running,
            log,
            gateway: bootstrap.gateway,
            admin: bootstrap.admin,
            workers,
        };
        let (found, _) = until("Envoy is ready", START, async || {
            if let Err(ended) = envoy.running().await {
                return Ok(Err(ended));
            }
            let admin = fs::read_to_string(&address).map_err(|error| error.to_string())?;
            let port = admin
                .rsplit_once(':')
                .and_then(|(_, port)| port.trim().parse().ok());
            let port = port.ok_or_else(|| format!("its admin address is `{admin}`"))?;
            let reply = Call::get("/ready")
                .send(port)
                .await
                .map_err(|error| error.to_string())?;
            if reply.status == 200 {
                Ok(Ok(port))
            } else {
                Err(reply.text())
            }
        })
        .await?;
        envoy.admin = found?;
        Ok(envoy)
    }

    /// Port where clients come in.
    #[must_use]
    pub fn gateway_port(&self) -> u16 {
        self.gateway
    }

    /// Port of the admin interface.
    #[must_use]
    pub fn admin_port(&self) -> u16 {
        self.admin
    }

    /// Worker threads, each with a filter of its own.
    #[must_use]
    pub fn workers(&self) -> u32 {
        self.workers
    }

    /// Its process id, while it runs and can be seen from here, which also holds in a container of a local engine.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        match &self.running {
            Running::Local(process) => process.id(),
            Running::Docker(container) => container.id(),
        }
    }

    /// Fails if it has ended.
    ///
    /// # Errors
    /// [`HarnessError::Exited`] with the end of its log.
    pub async fn running(&mut self) -> Result<(), HarnessError> {
        match &mut self.running {
            Running::Local(process) => process.running().await,
            Running::Docker(container) => container.running(tail).await,
        }
    }

    /// GET of the admin interface.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn admin(&self, path: &str) -> Result<Reply, HarnessError> {
        Call::get(path).send(self.admin).await
    }

    /// POST to the admin interface: `/logging?wasm=debug`, `/reset_counters`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn admin_post(&self, path: &str) -> Result<Reply, HarnessError> {
        Call::new(hyper::Method::POST, path).send(self.admin).await
    }

    /// Every counter and gauge, by name.
    ///
    /// # Errors
    /// When the admin interface does not answer with them.
    pub async fn stats(&self) -> Result<BTreeMap<String, u64>, HarnessError> {
        let text = self.admin("/stats").await?.text();
        let entry = |line: &str| {
            let (name, value) = line.rsplit_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Ok(text.lines().filter_map(entry).collect())
    }

    /// One counter or gauge; 0 while it has not been seen.
    ///
    /// # Errors
    /// As [`Envoy::stats`].
    pub async fn stat(&self, name: &str) -> Result<u64, HarnessError> {
        Ok(self.stats().await?.get(name).copied().unwrap_or_default())
    }

    /// How often a filter has failed so far: reloads of a VM and requests that one failed.
    ///
    /// # Errors
    /// As [`Envoy::stats`].
    pub async fn filter_failures(&self) -> Result<u64, HarnessError> {
        let counts = |name: &str| {
            name.starts_with("wasm.") && (name.contains("vm_reload") || name.contains("failed"))
        };
        Ok(self
            .stats()
            .await?
            .iter()
            .filter(|(name, _)| counts(name))
            .map(|(_, value)| value)
            .sum())
    }

    /// Requests that were sent to an upstream cluster, over all time.
    ///
    /// # Errors
    /// As [`Envoy::stats`].
    pub async fn sent_upstream(&self, cluster: &str) -> Result<u64, HarnessError> {
        self.stat(&format!("cluster.{cluster}.upstream_rq_total"))
            .await
    }

    /// Its log and access log, as text.
    #[must_use]
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// The entries of the access log so far. An entry is written when its exchange has ended, a little later.
    #[must_use]
    pub fn access_log(&self) -> Vec<Value> {
        let entry = |line: &str| {
            serde_json::from_str::<Value>(line.trim())
                .ok()
                .filter(|entry| entry.get("verb").is_some())
        };
        self.log().lines().filter_map(entry).collect()
    }

    /// Envoy's own check of a bootstrap; the text is what it says.
    ///
    /// # Errors
    /// With Envoy's words, when it refuses it.
    pub async fn validate(
        tools: &Tools,
        folder: &Path,
        bootstrap: &str,
    ) -> Result<String, HarnessError> {
        let config = folder.join("validate.yaml");
        fs::write(&config, bootstrap).map_err(HarnessError::io("write the bootstrap"))?;
        let arguments = [
            "--mode".as_ref(),
            "validate".as_ref(),
            "-c".as_ref(),
            config.as_os_str(),
        ];
        let output = command(&tools.envoy, arguments)
            .current_dir(&tools.root)
            .output()
            .await;
        let output = output.map_err(HarnessError::io("start Envoy"))?;
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        if output.status.success() {
            Ok(text)
        } else {
            Err(HarnessError::Unexpected(tail(&text)))
        }
    }
}

/// In a container where that works, else the installed program, unless the environment chooses.
async fn launch(
    tools: &Tools,
    files: &Files<'_>,
    arguments: &[String],
    log: &Path,
) -> Result<Running, HarnessError> {
    let mode = Mode::of_environment()?;
    let started = match mode {
        Mode::Local => Err(format!("{MODE} is `local`")),
        Mode::Either | Mode::Docker => match engine::usable().await {
            Ok(()) => contained(&Image::new(IMAGE, TAG), None, files, arguments, log)
                .await
                .map_err(|error| error.to_string()),
            Err(reason) => Err(reason),
        },
    };
    match started {
        Ok(running) => {
            say(format!(
                "Envoy runs in containers of {IMAGE}:{TAG} ({MODE}=local prevents it)"
            ));
            Ok(running)
        }
        Err(reason) if mode == Mode::Docker => Err(HarnessError::Unexpected(format!(
            "{MODE} is `docker`, but {reason}; correct that, or set it to `local`"
        ))),
        Err(reason) => {
            say(format!("Envoy runs as a local process: {reason}"));
            local(tools, files, arguments)
        }
    }
}

/// The installed program.
fn local(tools: &Tools, files: &Files<'_>, arguments: &[String]) -> Result<Running, HarnessError> {
    let start = command(&tools.envoy, arguments);
    let process = Process::start("envoy", files.folder, start)?;
    Ok(Running::Local(Box::new(process)))
}

/// `program` in a container of `image`, or what the image begins with.
async fn contained(
    image: &Image,
    program: Option<&Path>,
    files: &Files<'_>,
    arguments: &[String],
    log: &Path,
) -> Result<Running, HarnessError> {
    let program = program.map(|program| program.to_string_lossy().into_owned());
    let plan = Plan {
        name: "envoy",
        image,
        command: program
            .into_iter()
            .chain(arguments.iter().cloned())
            .collect(),
        // The script of Envoy's own image would make another user of root.
        environment: vec![("ENVOY_UID".to_owned(), "0".to_owned())],
        folder: files.folder,
        reads: vec![files.folder, files.wasm],
        writes: vec![files.admin],
        log: log.to_path_buf(),
        // That script turns into Envoy.
        becomes: Some("envoy"),
    };
    Ok(Running::Docker(Box::new(Container::start(plan).await?)))
}

/// Says once per process which Envoy is tested. Written past the capture of test output, which hides what passes.
fn say(line: String) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.contains(&line) {
        // Nobody may be listening.
        let _ = writeln!(std::io::stderr(), "harness: {line}");
        said.insert(line);
    }
}

fn read(path: &Path) -> String {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
