//! `gatehold serve`: everything that control is, wired together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context as _, bail};
use clap::Args;
use gatehold_api::{ApiState, Metrics, Readiness};
use gatehold_desk::{Desk, Settings};
use gatehold_push::{Fleet, Gate, PushService};
use gatehold_store::Store;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tracing::{info, warn};

use crate::audit_service::AuditService;
use crate::console;
use crate::fleet::Watched;
use crate::hold_service::HoldService;
use crate::in_force::{InForce, Outlets, Published};
use crate::keys::{Fetcher, Keeper};
use crate::limits;
use crate::lock;
use crate::logging::{self, LogFormat};
use crate::observer::{DeskMetrics, PushMetrics};
use crate::signals::EndSignals;
use crate::tls::{self, Follower, TlsOptions};
use crate::watch::follow;
use crate::webhooks;

/// A connection on which nothing comes for this long is asked whether it lives …
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// … and is closed when no answer comes within this time.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that wait to be accepted, unless the system allows fewer: after a restart all filters come at once,
/// and one that finds no place tries again only after a second or more.
const BACKLOG: u32 = 65_535;
/// After a signal, connections have this long to end.
const GRACE: Duration = Duration::from_secs(10);

/// How to serve.
#[derive(Debug, Args)]
pub struct Options {
    /// Directory of the documents (`*.yaml`, `*.yml`); it is watched.
    #[arg(long, value_name = "DIR")]
    pub config: PathBuf,
    /// Address for the filters. Whoever reaches it reads all policies and writes audit events: have the mesh keep
    /// others away, or give certificates.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18000")]
    pub grpc: SocketAddr,
    /// Certificates for it.
    #[command(flatten)]
    pub tls: TlsOptions,
    /// Address for /healthz, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18001")]
    pub http: SocketAddr,
    /// Address of the console, where people sign in and decide about calls that wait, and of its HTTP API.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18002")]
    pub console: SocketAddr,
    /// File for audit events; made when it is missing.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// How log lines look. What is logged is set by RUST_LOG.
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Where to write the addresses that were bound, as JSON: for addresses with port 0.
    #[arg(long, value_name = "FILE")]
    pub ports_file: Option<PathBuf>,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// When it can't start, or a part of it fails.
pub async fn serve(options: Options) -> anyhow::Result<()> {
    let Options {
        config,
        grpc,
        tls,
        http,
        console,
        data,
        log_format,
        ports_file,
    } = options;
    logging::start(log_format)?;
    let mut signals = EndSignals::catch().context("cannot catch signals")?;
    let shutdown = CancellationToken::new();
    let certificates = match tls.files() {
        Some(files) => Some(Follower::start(files).await?),
        None => None,
    };

    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    // To the end: the name keeps it open.
    let _lock = lock::hold(&data)?;
    let store = Store::open(&data).await?;
    metrics.audit_head(store.head().await?.sequence);
    let settings = Settings {
        observer: Arc::new(DeskMetrics(metrics.clone())),
        ..Settings::default()
    };
    let desk = Desk::open(&store, settings, shutdown.clone()).await?;
    limits::raise_open_files();
    let grpc_listener = bind(grpc, "--grpc")?;
    let http_listener = bind(http, "--http")?;
    let console_listener = bind(console, "--console")?;
    let (grpc, http) = (grpc_listener.local_addr()?, http_listener.local_addr()?);
    let console = console_listener.local_addr()?;

    let (snapshots, snapshot) = watch::channel(None);
    let (rollouts, rollout) = watch::channel(None);
    let (refusals, refusal) = watch::channel(Some("the documents were not read yet".to_owned()));
    let (published, in_force_now) = watch::channel(Published::default());
    let (reading_sender, readings) = mpsc::channel(1);
    let (found_sender, found) = mpsc::channel(16);
    let keeper = Keeper::new(Fetcher::new()?, metrics.clone(), found_sender);
    let in_force = InForce::new(
        store.binding_key().clone(),
        keeper,
        metrics.clone(),
        Outlets {
            snapshots,
            rollouts,
            refusals,
            published,
            desk: desk.clone(),
        },
    );

    let (fleet, gate) = (Arc::new(Fleet::default()), Arc::new(Gate::default()));
    let watched = Arc::new(Watched {
        fleet: fleet.clone(),
        gate: gate.clone(),
        snapshots: snapshot.clone(),
        rollouts: rollout.clone(),
    });
    let console_server = console::serve(
        console_listener,
        desk.clone(),
        watched.clone(),
        in_force_now.clone(),
        shutdown.clone(),
    );
    let webhooks = webhooks::tell(
        data.clone(),
        desk.clone(),
        metrics.clone(),
        in_force_now,
        shutdown.clone(),
    );
    let observer = Arc::new(PushMetrics(metrics.clone()));
    let push = PushService::new(snapshot.clone(), fleet, observer, shutdown.clone());
    let filters = push.filters(rollout, gate);
    let audit = AuditService::new(store.clone(), metrics.clone(), shutdown.clone());
    let holds = HoldService::new(desk, metrics.clone(), shutdown.clone());
    let services = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(push.into_server())
        .add_service(filters)
        .add_service(audit.into_server())
        .add_service(holds.into_server());
    let secured = certificates
        .as_ref()
        .map(|certificates| certificates.current());
    let until_shutdown = shutdown.clone();
    let grpc_server = async move {
        let end = until_shutdown.clone().cancelled_owned();
        match secured {
            Some(current) => {
                let incoming = tls::incoming(grpc_listener, current, until_shutdown);
                services.serve_with_incoming_shutdown(incoming, end).await
            }
            None => {
                let incoming = TcpIncoming::from(grpc_listener).with_nodelay(Some(true));
                services.serve_with_incoming_shutdown(incoming, end).await
            }
        }
    };

    let probed = store.clone();
    let readiness = Readiness::new()
        .probe("documents", move || {
            // What was in force before a bad change is still in force, and so still served.
            let in_force = snapshot.borrow().is_some();
            let why = refusal.borrow().clone().unwrap_or_default();
            async move { if in_force { Ok(()) } else { Err(why) } }
        })
        .probe("audit", move || {
            let store = probed.clone();
            async move { store.check().await.map_err(|error| error.to_string()) }
        });
    let counted = metrics.clone();
    let http_server = gatehold_api::serve(
        http_listener,
        ApiState { metrics, readiness },
        shutdown.clone().cancelled_owned(),
    );

    let mut parts = JoinSet::new();
    parts.spawn(async move { grpc_server.await.context("the gRPC server failed") });
    parts.spawn(async move { http_server.await.context("the HTTP server failed") });
    parts.spawn(console_server);
    parts.spawn(webhooks);
    if let Some(certificates) = certificates {
        parts.spawn(ok(certificates.run(shutdown.clone())));
    }
    info!(%grpc, %http, %console, "ready");
    if let Some(file) = ports_file {
        write_ports(
            &file,
            [("grpc", grpc), ("http", http), ("console", console)],
        )
        .with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    parts.spawn(ok(watched.count(counted, shutdown.clone())));
    parts.spawn(ok(follow(config, reading_sender, shutdown.clone())));
    parts.spawn(ok(in_force.run(readings, found, shutdown.clone())));

    let ended = tokio::select! {
        signal = signals.next() => {
            info!(signal, "shutting down");
            Ok(())
        }
        Some(part) = parts.join_next() => match part {
            Ok(Ok(())) => Err(anyhow::anyhow!("a part of the service ended by itself")),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(error.into()),
        },
    };
    shutdown.cancel();
    let rest = async { while parts.join_next().await.is_some() {} };
    tokio::select! {
        rest = timeout(GRACE, rest) => {
            if rest.is_err() {
                warn!("some connections did not end in time");
            }
        }
        signal = signals.next() => warn!(signal, "not waiting any longer"),
    }
    store.close().await;
    ended
}

fn bind(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    match listen(address) {
        Ok(listener) => Ok(listener),
        Err(error) => bail!("cannot listen on `{address}`: {error}; give another with {option}"),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn ok(part: impl Future<Output = ()>) -> anyhow::Result<()> {
    part.await;
    Ok(())
}

/// Whoever waits for the file must never see half of it.
fn write_ports(file: &Path, ports: [(&str, SocketAddr); 3]) -> io::Result<()> {
    let ports: BTreeMap<_, _> = ports
        .map(|(name, address)| (name, address.to_string()))
        .into();
    let ports = json!(ports);
    let unfinished = file.with_extension("unfinished");
    fs::write(&unfinished, format!("{ports}\n"))?;
    fs::rename(unfinished, file)
}
