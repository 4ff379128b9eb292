//! A program with a log file, as a child process or in a container, ended when the harness goes away.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::docker::{Container, Plan};
use crate::error::HarnessError;
use crate::place::Place;
use crate::wait::until;

/// Lines of a log that an error shows.
const TAIL: usize = 40;
/// How long a program may take to start; Node and Envoy on a busy machine need seconds.
const START: Duration = Duration::from_secs(60);
/// How long a program may take to end by itself after SIGTERM.
const END: Duration = Duration::from_secs(15);

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Child(Box<Child>),
    Container(Box<Container>),
}

impl Process {
    /// Starts `command`; what it prints goes to `<folder>/<name>.log`, after what an earlier one of that name printed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, folder: &Path, mut command: Command) -> Result<Self, HarnessError> {
        let log = folder.join(format!("{name}.log"));
        let open = || File::options().create(true).append(true).open(&log);
        let out = open().map_err(HarnessError::io(format!("open the log of {name}")))?;
        let err = open().map_err(HarnessError::io(format!("open the log of {name}")))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .kill_on_drop(true)
            .spawn()
            .map_err(HarnessError::io(format!("start {name}")))?;
        Ok(Self {
            name: name.to_owned(),
            log,
            running: Running::Child(Box::new(child)),
        })
    }

    /// As [`Process::start`], where `place` says. In a container it may write `folder`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start_in(
        place: &Place,
        name: &str,
        folder: &Path,
        command: Command,
    ) -> Result<Self, HarnessError> {
        let containers = match place {
            Place::Processes => return Self::start(name, folder, command),
            Place::Containers(containers) => containers,
        };
        let command = command.as_std();
        let text = |text: &OsStr| text.to_string_lossy().into_owned();
        let environment = command.get_envs();
        let log = folder.join(format!("{name}.log"));
        let plan = Plan {
            name,
            image: &containers.programs,
            command: std::iter::once(command.get_program())
                .chain(command.get_args())
                .map(text)
                .collect(),
            environment: environment
                .filter_map(|(name, value)| Some((text(name), text(value?))))
                .collect(),
            folder,
            reads: containers.reads.iter().map(PathBuf::as_path).collect(),
            writes: vec![folder],
            log: log.clone(),
            becomes: None,
        };
        Ok(Self {
            name: name.to_owned(),
            running: Running::Container(Box::new(Container::start(plan).await?)),
            log,
        })
    }

    /// Its id, while it runs and can be seen from here.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        match &self.running {
            Running::Child(child) => child.id(),
            Running::Container(container) => container.id(),
        }
    }

    /// All that it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The last lines that it printed.
    #[must_use]
    pub fn tail(&self) -> String {
        tail(&self.log())
    }

    /// Fails if it has ended.
    ///
    /// # Errors
    /// [`HarnessError::Exited`] with the end of its log.
    pub async fn running(&mut self) -> Result<(), HarnessError> {
        let child = match &mut self.running {
            Running::Child(child) => child,
            Running::Container(container) => return container.running(tail).await,
        };
        match child
            .try_wait()
            .map_err(HarnessError::io(format!("ask for {}", self.name)))?
        {
            None => Ok(()),
            Some(status) => Err(HarnessError::Exited {
                name: self.name.clone(),
                status: status.to_string(),
                log: self.tail(),
            }),
        }
    }

    /// Asks `ready` until it answers, but no longer than the program lives.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn ready<T>(
        &mut self,
        mut ready: impl AsyncFnMut(&Self) -> Result<T, String>,
    ) -> Result<T, HarnessError> {
        let what = format!("{} is ready", self.name);
        let answer = until(&what, START, async || match self.running().await {
            Err(ended) => Ok(Err(ended)),
            Ok(()) => ready(self).await.map(Ok),
        });
        answer.await?.0
    }

    /// Waits for the line with which the peers say that they listen: `{"ready":true,…}`.
    ///
    /// # Errors
    /// As [`Process::ready`].
    pub async fn announced(&mut self) -> Result<Value, HarnessError> {
        let is_ready = |value: &Value| value.get("ready") == Some(&Value::Bool(true));
        self.ready(async |process| {
            let lines = process.log();
            let line = lines
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .find(is_ready);
            line.ok_or_else(|| "no line says so".to_owned())
        })
        .await
    }

    /// Ends it at once and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(&mut self) -> Result<(), HarnessError> {
        match &mut self.running {
            Running::Child(child) => child
                .kill()
                .await
                .map_err(HarnessError::io(format!("kill {}", self.name))),
            Running::Container(container) => container.kill().await,
        }
    }

    /// Asks it to end (SIGTERM) and says how it ended.
    ///
    /// # Errors
    /// When it does not end in time; it is then killed.
    pub async fn terminate(&mut self) -> Result<ExitStatus, HarnessError> {
        let child = match &mut self.running {
            Running::Child(child) => child,
            Running::Container(container) => {
                let seconds = i32::try_from(END.as_secs()).unwrap_or(i32::MAX);
                let code = container.stop(seconds).await?;
                // What a shell would say of it, as the system's own word for it.
                let code = i32::try_from(code).unwrap_or(i32::MAX);
                return Ok(ExitStatus::from_raw((code & 0xff) << 8));
            }
        };
        if let Some(id) = child.id() {
            let sent = Command::new("kill")
                .args(["-TERM", &id.to_string()])
                .status()
                .await;
            sent.map_err(HarnessError::io(format!("signal {}", self.name)))?;
        }
        if let Ok(status) = tokio::time::timeout(END, child.wait()).await {
            return status.map_err(HarnessError::io(format!("wait for {}", self.name)));
        }
        self.kill().await?;
        Err(HarnessError::Deadline {
            what: format!("{} ends after SIGTERM", self.name),
            seconds: END.as_secs_f64(),
        })
    }
}

/// A command whose arguments are given at once.
pub(crate) fn command<A: AsRef<OsStr>>(
    program: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// The last lines of `text`.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL);
    lines.get(from..).unwrap_or_default().join("\n")
}
