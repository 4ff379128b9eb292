//! Envoy in a container.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use testcontainers::core::client::docker_client_instance;
use testcontainers::core::logs::LogFrame;
use testcontainers::core::{AccessMode, Mount};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

use crate::engine::{IMAGE, OWNER, TAG, owner, remove};
use crate::error::HarnessError;

/// What a container sees of this machine, each under the path that it has here.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    /// Bootstrap; read-only.
    pub folder: &'a Path,
    /// The filter; read-only.
    pub wasm: &'a Path,
    /// Where Envoy writes its admin address, below `folder`.
    pub admin: &'a Path,
}

/// Envoy in a container; dropping it removes the container, also during a panic.
#[derive(Debug)]
pub(crate) struct Container {
    container: Option<ContainerAsync<GenericImage>>,
    process: Option<i64>,
}

impl Container {
    /// Starts the image with `arguments` on the host's network. What it prints is appended to `log`.
    pub(crate) async fn start(
        files: &Files<'_>,
        arguments: &[String],
        log: PathBuf,
    ) -> Result<Self, HarnessError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // The folder's name is unique on this machine, but Envoy may be started in it more than once.
        let name = files.folder.file_name().unwrap_or_default();
        let name = format!(
            "{}-{}",
            name.to_string_lossy(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let user = fs::metadata(files.folder).map_err(HarnessError::io("look at the folder"))?;
        let mount = |path: &Path, access| {
            let path = path.to_string_lossy().into_owned();
            Mount::bind_mount(path.clone(), path).with_access_mode(access)
        };
        let append = move |frame: &LogFrame| {
            use std::io::Write;
            // A log that cannot be written must not end the test.
            let file = fs::File::options().create(true).append(true).open(&log);
            let _ = file.and_then(|mut file| file.write_all(frame.bytes()));
        };
        let container = GenericImage::new(IMAGE, TAG)
            .with_cmd(arguments.iter().cloned())
            .with_container_name(&name)
            .with_label(OWNER, owner().unwrap_or_default())
            .with_network("host")
            // Only programs of one user may share a port that is reserved, and what Envoy writes must be ours to remove.
            .with_user(format!("{}:{}", user.uid(), user.gid()))
            // The image's script would make another user of root.
            .with_env_var("ENVOY_UID", "0")
            .with_userns_mode("host")
            // Where SELinux is enforced, a container cannot read our files otherwise, unless they are relabeled.
            .with_security_opt("label=disable")
            .with_mount(mount(files.folder, AccessMode::ReadOnly))
            .with_mount(mount(files.wasm, AccessMode::ReadOnly))
            .with_mount(mount(files.admin, AccessMode::ReadWrite))
            .with_log_consumer(append)
            .start()
            .await;
        let docker = docker_client_instance().await;
        match (container, docker) {
            (Ok(container), Ok(docker)) => {
                let seen = docker.inspect_container(container.id(), None).await;
                Ok(Self {
                    container: Some(container),
                    process: seen.ok().and_then(|seen| seen.state?.pid),
                })
            }
            (Err(error), Ok(docker)) => {
                // One that was made but could not start is nobody's.
                remove(&docker, &name).await;
                Err(failed(error))
            }
            (Err(error), _) => Err(failed(error)),
            (_, Err(error)) => Err(failed(error)),
        }
    }

    /// Envoy's process id once it is up, unless the engine counts processes in a namespace of its own.
    pub(crate) fn id(&self) -> Option<u32> {
        let process = self.process?;
        // The image begins with a script that turns into Envoy.
        let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
        (name.trim() == "envoy")
            .then(|| u32::try_from(process).ok())
            .flatten()
    }

    /// Fails if it has ended.
    pub(crate) async fn running(
        &self,
        tail: impl FnOnce(&str) -> String,
    ) -> Result<(), HarnessError> {
        let Some(container) = &self.container else {
            return Ok(());
        };
        if container.is_running().await.unwrap_or(false) {
            return Ok(());
        }
        let code = container.exit_code().await.ok().flatten();
        // From the engine, because the last lines may not have reached the log yet.
        let said = container.stderr_to_vec().await.unwrap_or_default();
        Err(HarnessError::Exited {
            name: "envoy".to_owned(),
            status: code.map_or_else(
                || "container stopped".to_owned(),
                |code| format!("container stopped with exit status {code}"),
            ),
            log: tail(&String::from_utf8_lossy(&said)),
        })
    }
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

fn failed(error: impl std::fmt::Display) -> HarnessError {
    HarnessError::Unexpected(format!("the container of Envoy does not start ({error})"))
}
