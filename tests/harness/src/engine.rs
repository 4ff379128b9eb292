//! Whether programs can run in containers here: a local engine answers; for Envoy it also has the image, or can pull it
//! soon enough.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::SystemInfo;
use testcontainers::bollard::query_parameters::{
    CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptions,
};
use testcontainers::core::client::docker_client_instance;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::error::HarnessError;

/// Envoy's own image, and the version that set-up installs as a program.
pub(crate) const IMAGE: &str = "envoyproxy/envoy";
/// Its tag.
pub(crate) const TAG: &str = "v1.40.0";
/// Label of our containers and images; its value is what [`owner`] says.
pub(crate) const OWNER: &str = "gatehold.harness.owner";

/// Variable that chooses how Envoy runs.
pub(crate) const MODE: &str = "GATEHOLD_ENVOY_MODE";

/// An engine that is there answers within milliseconds; where there is none, nobody should wait for it.
const PING: Duration = Duration::from_millis(900);
/// One question to an engine that answers pings.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a pull may stand still: a closed network often swallows packets instead of refusing them.
const STILL: Duration = Duration::from_secs(10);
/// How long a pull may take that makes progress.
const PULL: Duration = Duration::from_secs(300);

/// How Envoy runs, as the environment wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In a container if that works here, else as a process.
    Either,
    /// As a process; no engine is asked.
    Local,
    /// In a container; an error if that does not work.
    Docker,
}

impl Mode {
    /// Of [`MODE`].
    pub(crate) fn of_environment() -> Result<Self, HarnessError> {
        Self::parse(env::var(MODE).unwrap_or_default().as_str())
    }

    fn parse(text: &str) -> Result<Self, HarnessError> {
        match text {
            "" => Ok(Self::Either),
            "local" => Ok(Self::Local),
            "docker" => Ok(Self::Docker),
            other => Err(HarnessError::Unexpected(format!(
                "{MODE} is `{other}`; set it to `local` or `docker`, or leave it out to have the better one chosen"
            ))),
        }
    }
}

/// `Err` is why Envoy cannot run in a container here. Found out once per process.
pub(crate) async fn usable() -> Result<(), String> {
    static FOUND: OnceCell<Result<(), String>> = OnceCell::const_new();
    FOUND.get_or_init(find).await.clone()
}

/// Pid namespace, user and process that a container belongs to; the last part is the process id.
pub(crate) fn owner() -> Option<String> {
    Some(format!("{}{}", household()?, std::process::id()))
}

/// Removes a container, running or not.
pub(crate) async fn remove(docker: &Docker, container: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true);
    // One that is gone already is what was wanted.
    let _ = timeout(
        ANSWER,
        docker.remove_container(container, Some(options.build())),
    )
    .await;
}

/// What a local engine that answers calls itself; `Err` is why programs cannot run in containers here. Found out once
/// per process.
pub(crate) async fn answers() -> Result<String, String> {
    static FOUND: OnceCell<Result<String, String>> = OnceCell::const_new();
    FOUND.get_or_init(ask).await.clone()
}

/// Removes the containers and images of this process.
pub(crate) async fn sweep() {
    if answers().await.is_err() {
        return;
    }
    if let (Some(ours), Ok(docker)) = (owner(), docker_client_instance().await) {
        remove_if(&docker, |owner| owner == ours).await;
    }
}

async fn find() -> Result<(), String> {
    answers().await?;
    let docker = docker_client_instance().await.map_err(|e| e.to_string())?;
    have_image(&docker).await
}

async fn ask() -> Result<String, String> {
    if !cfg!(target_os = "linux") {
        return Err("only Linux gives a container this machine's loopback interface".to_owned());
    }
    // An engine on another machine does not share our loopback interface either.
    if let Ok(host) = env::var("DOCKER_HOST")
        && !host.is_empty()
        && !host.starts_with("unix://")
    {
        return Err(format!("DOCKER_HOST is `{host}`, not a local socket"));
    }
    let asked = async {
        let docker = docker_client_instance().await.map_err(|e| e.to_string())?;
        docker.ping().await.map_err(|e| e.to_string())?;
        Ok::<_, String>(docker)
    };
    let docker = timeout(PING, asked)
        .await
        .unwrap_or_else(|_| Err("it takes too long".to_owned()))
        .map_err(|error| format!("no container engine answers ({error})"))?;
    let info = timeout(ANSWER, docker.info())
        .await
        .map_err(|_| "the container engine does not say what it is".to_owned())?
        .map_err(|error| format!("the container engine does not say what it is ({error})"))?;
    shares_loopback(&info)?;
    remove_orphans(&docker).await;
    Ok(format!(
        "container engine {}",
        info.server_version.unwrap_or_default()
    ))
}

/// Refuses engines whose "host" is not this machine.
fn shares_loopback(info: &SystemInfo) -> Result<(), String> {
    let options = info.security_options.iter().flatten();
    if options
        .into_iter()
        .any(|option| option.contains("name=rootless"))
    {
        return Err("the container engine is rootless: its network is not ours".to_owned());
    }
    match info.operating_system.as_deref() {
        Some(system) if system.contains("Docker Desktop") => {
            Err("the container engine runs in a virtual machine: its network is not ours".into())
        }
        _ => Ok(()),
    }
}

/// Pulls the image unless it is there.
async fn have_image(docker: &Docker) -> Result<(), String> {
    let image = format!("{IMAGE}:{TAG}");
    if let Ok(Ok(_)) = timeout(ANSWER, docker.inspect_image(&image)).await {
        return Ok(());
    }
    let options = CreateImageOptionsBuilder::new()
        .from_image(IMAGE)
        .tag(TAG)
        .build();
    let mut progress = docker.create_image(Some(options), None, None);
    let pull = async {
        loop {
            match timeout(STILL, progress.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Err(error.to_string()),
                Err(_) => return Err(format!("nothing came for {} s", STILL.as_secs())),
            }
        }
    };
    timeout(PULL, pull)
        .await
        .unwrap_or_else(|_| Err(format!("not done after {} s", PULL.as_secs())))
        .map_err(|error| format!("the image {image} is not there and cannot be pulled ({error})"))
}

/// Removes what test processes left that were killed before they could clean up.
async fn remove_orphans(docker: &Docker) {
    let Some(household) = household() else { return };
    let gone = |owner: &str| {
        let process = owner.strip_prefix(&household);
        process.is_some_and(|process| !Path::new("/proc").join(process).exists())
    };
    remove_if(docker, gone).await;
}

/// Removes our containers, and then our images, whose owner is one of these.
async fn remove_if(docker: &Docker, chosen: impl Fn(&str) -> bool) {
    let filters = HashMap::from([("label", vec![OWNER])]);
    let containers = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let listed = timeout(ANSWER, docker.list_containers(Some(containers))).await;
    for container in listed.ok().and_then(Result::ok).into_iter().flatten() {
        let owner = container.labels.as_ref().and_then(|all| all.get(OWNER));
        if let (true, Some(id)) = (owner.is_some_and(|owner| chosen(owner)), container.id) {
            remove(docker, &id).await;
        }
    }
    let images = ListImagesOptionsBuilder::new().filters(&filters).build();
    let listed = timeout(ANSWER, docker.list_images(Some(images))).await;
    for image in listed.ok().and_then(Result::ok).into_iter().flatten() {
        if image.labels.get(OWNER).is_some_and(|owner| chosen(owner)) {
            // One that somebody uses stays.
            let removed = docker.remove_image(&image.id, None::<RemoveImageOptions>, None);
            let _ = timeout(ANSWER, removed).await;
        }
    }
}

/// What all processes share that can see each other under `/proc`: pid namespace and user.
fn household() -> Option<String> {
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let user = fs::metadata("/proc/self").ok()?.uid();
    Some(format!("{}/{user}/", namespace.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_is_one_of_three() {
        let mode = |text| Mode::parse(text).map_err(|error| error.to_string());
        assert_eq!(mode(""), Ok(Mode::Either));
        assert_eq!(mode("local"), Ok(Mode::Local));
        assert_eq!(mode("docker"), Ok(Mode::Docker));
        assert!(mode("podman").unwrap_err().contains("`podman`"));
    }

    #[test]
    fn engines_with_a_network_of_their_own_are_refused() {
        let engine = |option: &str, system: &str| {
            shares_loopback(&SystemInfo {
                security_options: Some(vec!["name=seccomp,profile=default".into(), option.into()]),
                operating_system: Some(system.into()),
                ..SystemInfo::default()
            })
            .is_ok()
        };
        assert!(engine("name=cgroupns", "Debian GNU/Linux 12"));
        assert!(!engine("name=rootless", "Debian GNU/Linux 12"));
        assert!(!engine("name=cgroupns", "Docker Desktop"));
    }
}
