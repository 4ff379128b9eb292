//! Where programs run: on this machine as they are, or each in a container of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use testcontainers::core::client::docker_client_instance;

use crate::docker::Image;
use crate::engine;
use crate::error::HarnessError;
use crate::image;
use crate::tools::Tools;

/// Where programs run.
#[derive(Clone, Debug, Default)]
pub enum Place {
    /// As processes of this machine.
    #[default]
    Processes,
    /// Each in a container of its own, on this machine's network.
    Containers(Arc<Containers>),
}

/// What containers are made of.
#[derive(Debug)]
pub struct Containers {
    /// Envoy, and how it is started there.
    pub(crate) envoy: Image,
    pub(crate) envoy_program: Option<PathBuf>,
    /// All other programs, at the paths that they have here, with the shared libraries that they need.
    pub(crate) programs: Image,
    /// Folders and files that every program may read, at the paths that they have here.
    pub(crate) reads: Vec<PathBuf>,
    engine: String,
}

impl Containers {
    /// Asks the local engine, and makes images for Envoy (its own, if it is there or can be pulled) and for `programs`,
    /// which may read what lies at `reads`. The images are removed by [`sweep`].
    ///
    /// # Errors
    /// [`HarnessError::Unexpected`] with the reason why programs cannot run in containers here.
    pub async fn prepare(
        tools: &Tools,
        programs: &[&Path],
        reads: Vec<PathBuf>,
    ) -> Result<Self, HarnessError> {
        let engine = engine::answers().await.map_err(HarnessError::Unexpected)?;
        let docker = docker_client_instance().await;
        let docker = docker.map_err(|error| HarnessError::Unexpected(error.to_string()))?;
        let (envoy, envoy_program) = match engine::usable().await {
            Ok(()) => (Image::new(engine::IMAGE, engine::TAG), None),
            Err(_) => {
                let image = Image::new("gatehold-envoy", engine::TAG);
                image::import(&docker, &image, &[&tools.envoy]).await?;
                (image, Some(tools.envoy.clone()))
            }
        };
        let image = Image::new("gatehold-load", &image::tag(programs));
        image::import(&docker, &image, programs).await?;
        let real = |path: PathBuf| {
            let wrap = HarnessError::io(format!("find {}", path.display()));
            std::fs::canonicalize(&path).map_err(wrap)
        };
        Ok(Self {
            envoy,
            envoy_program,
            programs: image,
            reads: reads.into_iter().map(real).collect::<Result<_, _>>()?,
            engine,
        })
    }

    /// The engine and the images, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let made = if self.envoy_program.is_some() {
            ", made of the installed release"
        } else {
            ""
        };
        format!(
            "{}; Envoy in {}{made}, everything else in {}",
            self.engine, self.envoy, self.programs
        )
    }
}

/// Removes every container and image that this process has made and not removed yet.
pub async fn sweep() {
    engine::sweep().await;
}
