//! Envoy in a container, where an engine answers.

use std::env;
use std::path::{Path, PathBuf};

use testcontainers::core::Mount;
use testcontainers::core::logs::LogFrame;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::error::HarnessError;

const IMAGE: &str = "envoyproxy/envoy";
const TAG: &str = "v1.40.0";

/// Whether an engine answers on its local socket. An engine on another machine does not share our loopback interface.
pub(crate) async fn answers() -> bool {
    // The harness's addresses are of this machine; only Linux gives a container its loopback interface.
    if !cfg!(target_os = "linux")
        || env::var("GATEHOLD_ENVOY_MODE").is_ok_and(|mode| mode == "local")
    {
        return false;
    }
    let named =
        env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let Some(socket) = named.strip_prefix("unix://") else {
        return false;
    };
    let asked = async {
        let mut stream = tokio::net::UnixStream::connect(socket).await?;
        stream.write_all(b"GET /_ping HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer.contains(" 200 "))
    };
    let patience = std::time::Duration::from_secs(2);
    tokio::time::timeout(patience, asked)
        .await
        .is_ok_and(|answer| answer.unwrap_or(false))
}

/// Envoy in a container; dropping it removes the container.
#[derive(Debug)]
pub(crate) struct Container {
    container: ContainerAsync<GenericImage>,
}

impl Container {
    /// Starts the image with `arguments`, on the host's network and with `folder` and `wasm` where they are on the host.
    pub(crate) async fn start(
        folder: &Path,
        wasm: &Path,
        arguments: &[String],
        log: PathBuf,
    ) -> Result<Self, HarnessError> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let append = move |frame: &LogFrame| {
            use std::io::Write;
            // A log that cannot be written must not end the test.
            let file = std::fs::File::options()
                .create(true)
                .append(true)
                .open(&log);
            let _ = file.and_then(|mut file| file.write_all(frame.bytes()));
        };
        let container = GenericImage::new(IMAGE, TAG)
            .with_cmd(arguments.iter().cloned())
            .with_network("host")
            // The image's own user could not write the admin address into our folder.
            .with_env_var("ENVOY_UID", "0")
            .with_mount(Mount::bind_mount(path(folder), path(folder)))
            .with_mount(Mount::bind_mount(path(wasm), path(wasm)))
            .with_log_consumer(append)
            .start()
            .await;
        let container = container
            .map_err(|error| HarnessError::Unexpected(format!("container of Envoy: {error}")))?;
        Ok(Self { container })
    }

    /// Fails if it has ended.
    pub(crate) async fn running(&self, tail: impl FnOnce() -> String) -> Result<(), HarnessError> {
        if self.container.is_running().await.unwrap_or(false) {
            return Ok(());
        }
        Err(HarnessError::Exited {
            name: "envoy".to_owned(),
            status: "container stopped".to_owned(),
            log: tail(),
        })
    }
}
