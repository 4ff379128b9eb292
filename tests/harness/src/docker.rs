//! A program in a container.

use std::env;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use testcontainers::core::client::docker_client_instance;
use testcontainers::core::logs::LogFrame;
use testcontainers::core::{AccessMode, Mount};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

use crate::engine::{OWNER, owner, remove};
use crate::error::HarnessError;

/// Most of the engine's own copy of a log: ours is beside the other files.
const ENGINE_LOG: [(&str, &str); 2] = [("max-size", "20m"), ("max-file", "1")];

/// An image of the engine.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) tag: String,
}

impl Image {
    pub(crate) fn new(name: &str, tag: &str) -> Self {
        Self {
            name: name.to_owned(),
            tag: tag.to_owned(),
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.name, self.tag)
    }
}

/// What to start.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// What it is called in errors.
    pub(crate) name: &'a str,
    pub(crate) image: &'a Image,
    /// What the image runs, or the arguments of its entry point.
    pub(crate) command: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Whose owner the container runs as, and after which it is named.
    pub(crate) folder: &'a Path,
    /// What it may read, under the paths that they have here.
    pub(crate) reads: Vec<&'a Path>,
    /// What it may write.
    pub(crate) writes: Vec<&'a Path>,
    /// What it prints is appended here.
    pub(crate) log: PathBuf,
    /// The name of the running program, if the image begins with another one.
    pub(crate) becomes: Option<&'static str>,
}

/// A program in a container; dropping it removes the container, also during a panic.
#[derive(Debug)]
pub(crate) struct Container {
    name: String,
    container: Option<ContainerAsync<GenericImage>>,
    process: Option<i64>,
    becomes: Option<&'static str>,
}

impl Container {
    /// Starts it on the host's network.
    pub(crate) async fn start(plan: Plan<'_>) -> Result<Self, HarnessError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "{}-{}-{}",
            called(plan.folder),
            plan.name,
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let user = fs::metadata(plan.folder).map_err(HarnessError::io("look at the folder"))?;
        let mount = |path: &Path, access| {
            let path = path.to_string_lossy().into_owned();
            Mount::bind_mount(path.clone(), path).with_access_mode(access)
        };
        let log = plan.log;
        let append = move |frame: &LogFrame| {
            use std::io::Write;
            // A log that cannot be written must not end the test.
            let file = fs::File::options().create(true).append(true).open(&log);
            let _ = file.and_then(|mut file| file.write_all(frame.bytes()));
        };
        let mut request = GenericImage::new(&plan.image.name, &plan.image.tag)
            .with_cmd(plan.command)
            .with_container_name(&name)
            .with_label(OWNER, owner().unwrap_or_default())
            .with_network("host")
            // Only programs of one user may share a port that is reserved, and what they write must be ours to remove.
            .with_user(format!("{}:{}", user.uid(), user.gid()))
            .with_userns_mode("host")
            // Where SELinux is enforced, a container cannot read our files otherwise, unless they are relabeled.
            .with_security_opt("label=disable")
            .with_host_config_modifier(|config| {
                let options = ENGINE_LOG.map(|(name, value)| (name.to_owned(), value.to_owned()));
                config.log_config = Some(testcontainers::bollard::models::HostConfigLogConfig {
                    typ: Some("json-file".to_owned()),
                    config: Some(options.into()),
                });
            })
            .with_log_consumer(append);
        for (name, value) in plan.environment {
            request = request.with_env_var(name, value);
        }
        for path in plan.reads {
            request = request.with_mount(mount(path, AccessMode::ReadOnly));
        }
        for path in plan.writes {
            request = request.with_mount(mount(path, AccessMode::ReadWrite));
        }
        let failed = |error: &dyn fmt::Display| {
            HarnessError::Unexpected(format!(
                "the container of {} does not start ({error})",
                plan.name
            ))
        };
        let docker = docker_client_instance().await;
        let docker = docker.map_err(|error| failed(&error))?;
        match request.start().await {
            Ok(container) => {
                let seen = docker.inspect_container(container.id(), None).await;
                Ok(Self {
                    name: plan.name.to_owned(),
                    container: Some(container),
                    process: seen.ok().and_then(|seen| seen.state?.pid),
                    becomes: plan.becomes,
                })
            }
            Err(error) => {
                // One that was made but could not start is nobody's.
                remove(&docker, &name).await;
                Err(failed(&error))
            }
        }
    }

    /// The program's process id once it is up, unless the engine counts processes in a namespace of its own.
    pub(crate) fn id(&self) -> Option<u32> {
        let process = self.process.filter(|process| *process > 0)?;
        let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
        if self.becomes.is_some_and(|expected| expected != name.trim()) {
            return None;
        }
        u32::try_from(process).ok()
    }

    /// Fails if it has ended.
    pub(crate) async fn running(
        &self,
        tail: impl FnOnce(&str) -> String,
    ) -> Result<(), HarnessError> {
        let exited = |status: String, log: String| HarnessError::Exited {
            name: self.name.clone(),
            status,
            log,
        };
        let Some(container) = &self.container else {
            return Err(exited(
                "its container was removed".to_owned(),
                String::new(),
            ));
        };
        if container.is_running().await.unwrap_or(false) {
            return Ok(());
        }
        let code = container.exit_code().await.ok().flatten();
        // From the engine, because the last lines may not have reached the log yet.
        let said = container.stderr_to_vec().await.unwrap_or_default();
        let status = code.map_or_else(
            || "container stopped".to_owned(),
            |code| format!("container stopped with exit status {code}"),
        );
        Err(exited(status, tail(&String::from_utf8_lossy(&said))))
    }

    /// Ends the program without a word and removes the container.
    pub(crate) async fn kill(&mut self) -> Result<(), HarnessError> {
        self.process = None;
        match self.container.take() {
            None => Ok(()),
            Some(container) => container.rm().await.map_err(|error| self.refused(&error)),
        }
    }

    /// Asks the program to end, waits for it so many seconds, and says with which status it ended.
    pub(crate) async fn stop(&mut self, seconds: i32) -> Result<i64, HarnessError> {
        let Some(container) = &self.container else {
            return Ok(0);
        };
        let stopped = container.stop_with_timeout(Some(seconds)).await;
        stopped.map_err(|error| self.refused(&error))?;
        let code = container.exit_code().await.ok().flatten();
        self.kill().await?;
        Ok(code.unwrap_or_default())
    }

    fn refused(&self, error: &dyn fmt::Display) -> HarnessError {
        HarnessError::Unexpected(format!(
            "the container of {} does not end ({error})",
            self.name
        ))
    }
}

/// What containers of a folder are called: temporary folders have names that are unique on this machine.
fn called(folder: &Path) -> String {
    let inner = folder.strip_prefix(env::temp_dir());
    let parts = inner.unwrap_or(folder).iter();
    let parts: Vec<_> = parts.map(|part| part.to_string_lossy()).collect();
    parts.join("-").replace(['/', ' '], "")
}

impl Drop for Container {
    fn drop(&mut self) {
        let container = self.container.take();
        if tokio::runtime::Handle::try_current().is_ok() {
            return drop(container);
        }
        // Removing it takes a runtime, and this is called outside of one.
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() {
            let _inside = runtime.enter();
            drop(container);
        }
    }
}
