//! Everything together: control, Envoy with the filter, upstreams, an OpenID provider.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::approver::Approver;
use crate::bootstrap::{Bootstrap, defaults};
use crate::certificates::Certificates;
use crate::client::{Client, Era, Sdk};
use crate::control::{Control, Ports};
use crate::documents::Documents;
use crate::envoy::Envoy;
use crate::error::HarnessError;
use crate::http::{Call, Reply};
use crate::peers::{Crm, Everything, Provider};
use crate::place::Place;
use crate::ports::Reserved;
use crate::recorder::Recorder;
use crate::tokens::{Algorithm, Claims, Keys};
use crate::tools::Tools;
use crate::wait::until;
use crate::{approver, tokens};

/// How long until the documents are in force after the start.
const IN_FORCE: Duration = Duration::from_secs(30);

/// Who stands behind `/crm/mcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// [`Recorder`], in this process.
    Recorder,
    /// [`Crm`], on the official SDK.
    Crm,
    /// A server that the test has started by itself, at this port of this machine.
    At(u16),
}

/// What to start. Made by [`Harness::builder`].
#[derive(Debug)]
pub struct Builder {
    upstream: Upstream,
    everything: bool,
    desk: bool,
    provider: bool,
    signed_in: Option<String>,
    mutual_tls: bool,
    workers: u32,
    filter_config: Option<String>,
    trapping: bool,
    wasm: Option<PathBuf>,
    control_program: Option<PathBuf>,
    control_at: Option<u16>,
    edits: Vec<(String, String)>,
    documents: Vec<(String, String)>,
    folders: Vec<PathBuf>,
    fixed_ports: bool,
    wait: bool,
    place: Option<Place>,
}

impl Builder {
    /// Who answers for `/crm/mcp`; the recorder unless said otherwise.
    #[must_use]
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = upstream;
        self
    }

    /// Starts the stock server behind `/everything/mcp` too.
    #[must_use]
    pub fn everything(mut self) -> Self {
        self.everything = true;
        self
    }

    /// Starts [`Crm`] behind `/desk/mcp` too, beside whoever stands behind `/crm/mcp`.
    #[must_use]
    pub fn desk(mut self) -> Self {
        self.desk = true;
        self
    }

    /// Starts the OpenID provider too.
    #[must_use]
    pub fn provider(mut self) -> Self {
        self.provider = true;
        self
    }

    /// Gives requests without a token one of this user for `/crm/mcp`, ahead of the filter, for clients that cannot
    /// send one.
    #[must_use]
    pub fn signed_in(mut self, user: &str) -> Self {
        self.signed_in = Some(user.to_owned());
        self
    }

    /// Has control and Envoy prove to each other who they are, by certificates in `certificates` of the folder.
    #[must_use]
    pub fn mutual_tls(mut self) -> Self {
        self.mutual_tls = true;
        self
    }

    /// Envoy's worker threads; two unless said otherwise.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// The filter's configuration (JSON) instead of the bootstrap's.
    #[must_use]
    pub fn filter_config(mut self, json: &str) -> Self {
        self.filter_config = Some(json.to_owned());
        self
    }

    /// Loads the filter that was built with a trap door: a request with the header `x-gatehold-trap` ends the VM of
    /// its worker.
    #[must_use]
    pub fn trapping(mut self) -> Self {
        self.trapping = true;
        self
    }

    /// Loads this filter instead of the one that was built.
    #[must_use]
    pub fn wasm(mut self, file: impl Into<PathBuf>) -> Self {
        self.wasm = Some(file.into());
        self
    }

    /// Starts this control instead of the one that was built.
    #[must_use]
    pub fn control_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.control_program = Some(program.into());
        self
    }

    /// Has Envoy look for control's gRPC at this port of this machine, whatever control has. Nothing is waited for.
    #[must_use]
    pub fn control_at(mut self, port: u16) -> Self {
        self.control_at = Some(port);
        self.wait = false;
        self
    }

    /// Changes Envoy's bootstrap: text that stands there once, and what is to stand there. For set-ups that are wrong.
    #[must_use]
    pub fn edit(mut self, old: &str, new: &str) -> Self {
        self.edits.push((old.to_owned(), new.to_owned()));
        self
    }

    /// Adds a file of documents; see [`Documents::write`] for what may stand in it.
    #[must_use]
    pub fn document(mut self, name: &str, text: &str) -> Self {
        self.documents.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Adds every YAML file of a folder of the repository, such as `envoy/local/documents`.
    #[must_use]
    pub fn documents_of(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folders.push(folder.into());
        self
    }

    /// Takes the ports of [`defaults`], for somebody who wants to try by hand. Only one can run at a time.
    #[must_use]
    pub fn fixed_ports(mut self) -> Self {
        self.fixed_ports = true;
        self
    }

    /// Where everything runs, Envoy too. Unless said otherwise Envoy runs in a container where that works, and all else
    /// as processes.
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Does not wait until the documents are in force, for tests of what holds before that.
    #[must_use]
    pub fn without_waiting(mut self) -> Self {
        self.wait = false;
        self
    }

    /// Starts everything and waits until all workers decide by the documents.
    ///
    /// # Errors
    /// When a program is missing, ends early, or is not ready in time; with the end of its log.
    pub async fn start(self) -> Result<Harness, HarnessError> {
        let mut tools = Tools::find()?;
        if let Some(wasm) = self.wasm {
            tools.wasm = wasm;
        }
        if let Some(program) = self.control_program {
            tools.gatehold = program;
        }
        let folder =
            TempDir::with_prefix("gatehold-").map_err(HarnessError::io("create a folder"))?;
        let path = folder.path().to_path_buf();
        let fixed = |port: u16| if self.fixed_ports { port } else { 0 };

        let place = self.place.clone().unwrap_or_default();
        let recorder = Recorder::start().await?;
        let crm = match self.upstream {
            Upstream::Crm => {
                Some(Crm::start_in(&place, &tools, &path, fixed(defaults::CRM)).await?)
            }
            Upstream::Recorder | Upstream::At(_) => None,
        };
        let desk = match self.desk {
            // In a folder of its own, because its log has the name of the other one's.
            true => {
                let path = path.join("desk");
                std::fs::create_dir_all(&path).map_err(HarnessError::io("create a folder"))?;
                Some(Crm::start_in(&place, &tools, &path, 0).await?)
            }
            false => None,
        };
        let everything = match self.everything {
            true => Some(
                Everything::start_in(&place, &tools, &path, fixed(defaults::EVERYTHING)).await?,
            ),
            false => None,
        };
        let provider = match self.provider {
            true => {
                Some(Provider::start_in(&place, &tools, &path, fixed(defaults::PROVIDER)).await?)
            }
            false => None,
        };
        let reserved = if self.fixed_ports {
            None
        } else {
            Some(Reserved::any()?)
        };
        let gateway = reserved.as_ref().map_or(defaults::GATEWAY, Reserved::port);

        let keys = Keys::get(&tools)?;
        let provider_port = provider.as_ref().map_or(defaults::PROVIDER, Provider::port);
        let ports = Ports {
            grpc: fixed(defaults::CONTROL_GRPC),
            http: fixed(defaults::CONTROL_HTTP),
            // It stands in a document, so it has to be known before.
            console: match self.fixed_ports {
                true => defaults::CONSOLE,
                false => crate::ports::free()?,
            },
        };
        let documents = Documents::create(
            path.join("documents"),
            gateway,
            provider_port,
            ports.console,
            &keys.jwks().to_string(),
        )?;
        for folder in &self.folders {
            documents.copy(&tools.root.join(folder))?;
        }
        for (name, text) in &self.documents {
            documents.write(name, text)?;
        }

        let certificates = match self.mutual_tls {
            true => Some(Certificates::create(path.join("certificates"))?),
            false => None,
        };
        let control =
            Control::start_with(&place, &tools, &path, ports, certificates.as_ref()).await?;
        let token = match &self.signed_in {
            Some(user) => {
                let resource = format!("http://127.0.0.1:{gateway}/crm/mcp");
                let claims = Claims::new(user, &[], &resource).json();
                Some(keys.sign(Algorithm::Es256, &claims)?)
            }
            None => None,
        };
        let bootstrap = Bootstrap {
            gateway,
            admin: fixed(defaults::ADMIN),
            control: self.control_at.unwrap_or_else(|| control.grpc_port()),
            certificates: certificates.as_ref(),
            crm: match self.upstream {
                Upstream::At(port) => port,
                _ => crm.as_ref().map_or_else(|| recorder.port(), Crm::port),
            },
            everything: everything
                .as_ref()
                .map_or_else(|| recorder.port(), Everything::port),
            desk: desk.as_ref().map(Crm::port),
            token: token.as_deref(),
            wasm: if self.trapping {
                &tools.trapping_wasm
            } else {
                &tools.wasm
            },
            filter_config: self.filter_config.as_deref(),
            from_control: None,
            edits: &self.edits,
        };
        let envoy =
            Envoy::start_in(self.place.as_ref(), &tools, &path, &bootstrap, self.workers).await?;
        let harness = Harness {
            control,
            envoy,
            recorder,
            crm,
            desk,
            everything,
            provider,
            documents,
            keys,
            tools,
            _reserved: reserved,
            folder,
        };
        if self.wait {
            harness.wait_until_in_force().await?;
        }
        Ok(harness)
    }
}

/// Everything that was started. Dropping it ends all of it; after a panic it prints the ends of the logs.
#[derive(Debug)]
pub struct Harness {
    /// Control.
    pub control: Control,
    /// Envoy with the filter.
    pub envoy: Envoy,
    /// The upstream in this process; behind `/crm/mcp` unless [`Upstream::Crm`] was chosen, and behind
    /// `/everything/mcp` unless the stock server was started.
    pub recorder: Recorder,
    /// The server on the official SDK, if it was started.
    pub crm: Option<Crm>,
    /// The server behind `/desk/mcp`, if it was started.
    pub desk: Option<Crm>,
    /// The stock server, if it was started.
    pub everything: Option<Everything>,
    /// The OpenID provider, if it was started.
    pub provider: Option<Provider>,
    /// The documents that control watches.
    pub documents: Documents,
    /// The keys of the test tokens.
    pub keys: &'static Keys,
    /// Where the programs are.
    pub tools: Tools,
    _reserved: Option<Reserved>,
    // Last, so that the programs are gone before their files.
    folder: TempDir,
}

impl Harness {
    /// What to start: control, Envoy with two workers, and the recorder, unless more is asked for.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            upstream: Upstream::Recorder,
            everything: false,
            desk: false,
            provider: false,
            signed_in: None,
            mutual_tls: false,
            workers: 2,
            filter_config: None,
            trapping: false,
            wasm: None,
            control_program: None,
            control_at: None,
            edits: Vec::new(),
            documents: Vec::new(),
            folders: Vec::new(),
            fixed_ports: false,
            wait: true,
            place: None,
        }
    }

    /// Logs, bootstrap, documents and audit file are here while it runs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Port where clients come in.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.envoy.gateway_port()
    }

    /// URL of a path at the gateway: also the `resource` of the server there.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    /// A test token (ES256) for `user` with `roles`, for the server at `path`.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn token(&self, user: &str, roles: &[&str], path: &str) -> Result<String, HarnessError> {
        self.keys.sign(
            Algorithm::Es256,
            &Claims::new(user, roles, &self.url(path)).json(),
        )
    }

    /// Somebody who decides through the console's API; signed in by a test token for the audience `gatehold-api`.
    ///
    /// # Errors
    /// When the token cannot be signed.
    pub fn approver(&self, user: &str, roles: &[&str]) -> Result<Approver, HarnessError> {
        let claims =
            Claims::new(user, roles, approver::AUDIENCE).with("exp", tokens::now() + 86_400);
        let token = self.keys.sign(Algorithm::Es256, &claims.json())?;
        Ok(Approver::new(self.control.console_port(), token))
    }

    /// A token of the OpenID provider, by a real sign-in; the agent is `crm-agent`.
    ///
    /// # Errors
    /// When the provider was not started, or the sign-in fails.
    pub async fn sign_in(&self, user: &str, path: &str) -> Result<String, HarnessError> {
        let none = || {
            HarnessError::Unexpected(
                "the provider was not started: say so to the builder".to_owned(),
            )
        };
        let provider = self.provider.as_ref().ok_or_else(none)?;
        provider
            .sign_in(&self.tools, user, "crm-agent", &self.url(path))
            .await
    }

    /// Somebody who decides through the console's API, signed in at the OpenID provider; the token's audience is the
    /// console's address.
    ///
    /// # Errors
    /// As [`Harness::sign_in`].
    pub async fn sign_in_approver(&self, user: &str) -> Result<Approver, HarnessError> {
        let none = || HarnessError::Unexpected("the provider was not started".to_owned());
        let provider = self.provider.as_ref().ok_or_else(none)?;
        let port = self.control.console_port();
        let resource = format!("http://127.0.0.1:{port}");
        let token = provider
            .sign_in(&self.tools, user, "console", &resource)
            .await?;
        Ok(Approver::new(port, token))
    }

    /// Sends a request to the gateway.
    ///
    /// # Errors
    /// When the connection cannot be made or breaks off.
    pub async fn send(&self, call: &Call) -> Result<Reply, HarnessError> {
        call.send(self.port()).await
    }

    /// Connects a stock client to the server at `path`.
    ///
    /// # Errors
    /// When it cannot connect.
    pub async fn client(
        &self,
        sdk: Sdk,
        era: Era,
        path: &str,
        token: &str,
    ) -> Result<Client, HarnessError> {
        Client::connect(&self.tools, sdk, era, &self.url(path), Some(token)).await
    }

    /// Sends `call` again and again, each time over a new connection, until `holds` is true of so many answers in a
    /// row that no worker can have been missed. Says how long it took until the first answer of that row.
    ///
    /// # Errors
    /// When that has not come true by `deadline`.
    pub async fn on_all_workers(
        &self,
        call: &Call,
        deadline: Duration,
        holds: impl Fn(&Reply) -> bool,
    ) -> Result<Duration, HarnessError> {
        // The kernel deals connections out by chance: this many on the other workers only is less likely than one in
        // a million for two workers, and still rare for eight.
        let wanted = 20 * self.envoy.workers();
        let begin = std::time::Instant::now();
        let row = until("all workers agree", deadline, async || {
            let first = begin.elapsed();
            for count in 0..wanted {
                let reply = self.send(call).await.map_err(|error| error.to_string())?;
                if !holds(&reply) {
                    return Err(format!(
                        "after {count} good ones: {} {}",
                        reply.status,
                        reply.text()
                    ));
                }
            }
            Ok(first)
        });
        Ok(row.await?.0)
    }

    /// Waits until control is ready and every worker has the server at `/crm/mcp` and the keys for it.
    ///
    /// # Errors
    /// When that takes too long, with the ends of the logs.
    pub async fn wait_until_in_force(&self) -> Result<(), HarnessError> {
        let failed = |error| HarnessError::Unexpected(format!("{error}\n{}", self.logs()));
        let ready = until("control is ready", IN_FORCE, async || {
            let reply = self
                .control
                .get("/readyz")
                .await
                .map_err(|error| error.to_string())?;
            if reply.status == 200 {
                Ok(())
            } else {
                Err(reply.text())
            }
        });
        ready.await.map_err(failed)?;
        // The filter answers it by itself, without a decision that would be counted or audited.
        let metadata = Call::get("/.well-known/oauth-protected-resource/crm/mcp");
        let waited = self.on_all_workers(&metadata, IN_FORCE, |reply| reply.status == 200);
        waited.await.map(drop).map_err(failed)
    }

    /// The ends of the logs of control and Envoy.
    #[must_use]
    pub fn logs(&self) -> String {
        let envoy = crate::process::tail(&self.envoy.log());
        format!("-- control:\n{}\n-- envoy:\n{envoy}", self.control.tail())
    }
}

impl Drop for Harness {
    #[expect(
        clippy::print_stderr,
        reason = "a failed test has to show what the programs said"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
    }
}
