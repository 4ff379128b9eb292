//! Everything behind the browser, and the HTTP by which its script makes things happen.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use gatehold_harness::control::Control;
use gatehold_harness::peers::Provider;
use gatehold_harness::{Call, HarnessError, Tools};
use gatehold_wire::discovery::Node;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use crate::filter::{Filter, Wanted};

/// For one whole scenario, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Control with a console, an OpenID provider, and a filter.
#[derive(Debug)]
pub struct Stage {
    /// Where programs are.
    pub tools: Tools,
    /// The real `gatehold serve`.
    pub control: Control,
    /// Who lets calls wait.
    pub filter: Arc<Filter>,
    /// Address of the console.
    pub console: String,
    /// Address of the provider.
    pub issuer: String,
    folder: TempDir,
    _provider: Provider,
}

impl Stage {
    /// Starts all of it. The Console document comes last, so that its absence is seen too.
    pub async fn start() -> Self {
        let tools = ready(Tools::find());
        let folder = tempfile::tempdir().expect("a folder");
        let documents = folder.path().join("documents");
        fs::create_dir(&documents).expect("made");
        let provider = ready(Provider::start(&tools, folder.path(), 0).await);
        let issuer = format!("http://127.0.0.1:{}", provider.port());
        fs::write(documents.join("all.yaml"), server(&issuer)).expect("written");
        let control = ready(Control::start(&tools, folder.path(), 0, 0).await);
        let console = format!("http://127.0.0.1:{}", control.console_port());

        let refused = ready(Call::get("/approvals").send(control.console_port()).await);
        assert_eq!(refused.status, 503);
        assert!(refused.text().contains("kind: Console"));
        let unfinished = folder.path().join("console.unfinished");
        fs::write(&unfinished, console_document(&console)).expect("written");
        fs::rename(unfinished, documents.join("console.yaml")).expect("moved");
        let filter = Filter::connect(control.grpc_port()).await;
        Self {
            tools,
            control,
            filter,
            console,
            issuer,
            folder,
            _provider: provider,
        }
    }

    /// A file with a bearer token for the console's API, from the provider.
    pub async fn token(&self, user: &str) -> PathBuf {
        let mut login = Command::new(&self.tools.node);
        login.arg(ready(self.tools.peer("login.mjs")));
        login.args(["--issuer", &self.issuer, "--user", user, "--password", user]);
        login.args(["--resource", &self.console, "--client", "console"]);
        let output = login.output().await.expect("node runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let file = self.folder.path().join(format!("{user}.token"));
        fs::write(&file, output.stdout).expect("written");
        file
    }
}

fn ready<T>(started: Result<T, HarnessError>) -> T {
    started.unwrap_or_else(|error| panic!("{error}"))
}

/// Runs one scenario of `browser.mjs`, and fails when the script does.
pub async fn play(scenario: &str) {
    let Stage {
        tools,
        control,
        filter,
        console,
        folder: _folder,
        _provider,
        ..
    } = Stage::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let stage = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, router(filter)).await });
    let further = |name: &str| ready(tools.further("the browser", name, "run `make setup`"));
    let mut script = Command::new(&tools.node);
    script
        .arg(tools.root.join("tests/console/browser.mjs"))
        .arg(scenario)
        .env("CONSOLE", &console)
        .env("STAGE", &stage)
        .env("GATEHOLD_CHROMIUM", further("GATEHOLD_CHROMIUM"))
        .env(
            "GATEHOLD_BROWSER_MODULES",
            further("GATEHOLD_BROWSER_MODULES"),
        )
        .env("SHOTS", shots())
        .kill_on_drop(true);
    let ran = timeout(PATIENCE, script.output())
        .await
        .expect("the script ends in time");
    let output = ran.expect("node runs");
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    println!("{said}");
    assert!(
        output.status.success(),
        "the browser did not see what it should\n{said}\n{errors}\n{}",
        control.log()
    );
}

/// Where screenshots go.
fn shots() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let target = exe
        .ancestors()
        .nth(3)
        .map(PathBuf::from)
        .unwrap_or_default();
    let shots = target.join("console-screenshots");
    fs::create_dir_all(&shots).expect("made");
    shots
}

fn router(filter: Arc<Filter>) -> Router {
    Router::new()
        .route("/wait", post(wait))
        .route("/decided", post(decided))
        .route("/run", post(run))
        .route("/leave", post(leave))
        .route("/definition", post(definition))
        .route("/connect", post(connect))
        .with_state(filter)
}

async fn wait(State(filter): State<Arc<Filter>>, Json(wanted): Json<Wanted>) -> Json<Value> {
    let (waiter, approval) = filter.wait(wanted).await;
    Json(json!({ "waiter": waiter, "approval": approval }))
}

async fn decided(State(filter): State<Arc<Filter>>, Json(asked): Json<Value>) -> Json<Value> {
    Json(filter.decided(text(&asked, "waiter")).await)
}

async fn run(State(filter): State<Arc<Filter>>, Json(asked): Json<Value>) -> Json<Value> {
    let (waiter, approval) = (text(&asked, "waiter"), text(&asked, "approval"));
    let granted = filter.run(waiter, approval, text(&asked, "detail")).await;
    Json(json!({ "granted": granted }))
}

async fn leave(State(filter): State<Arc<Filter>>, Json(asked): Json<Value>) -> Json<Value> {
    let why = asked["why"]
        .as_i64()
        .and_then(|why| i32::try_from(why).ok());
    filter
        .leave(text(&asked, "waiter"), why.unwrap_or_default())
        .await;
    Json(json!({}))
}

async fn definition(State(filter): State<Arc<Filter>>, Json(asked): Json<Value>) -> Json<Value> {
    filter
        .definition(text(&asked, "tool"), &asked["definition"])
        .await;
    Json(json!({}))
}

async fn connect(State(filter): State<Arc<Filter>>, Json(asked): Json<Value>) -> Json<Value> {
    let words = asked["words"].as_array().into_iter().flatten();
    let node = Node {
        id: text(&asked, "node").to_owned(),
        cluster: text(&asked, "cluster").to_owned(),
        user_agent_version: text(&asked, "version").to_owned(),
        client_features: words.filter_map(Value::as_str).map(str::to_owned).collect(),
        ..Node::default()
    };
    filter.connect_another(node).await;
    Json(json!({}))
}

fn text<'a>(asked: &'a Value, name: &str) -> &'a str {
    asked[name].as_str().unwrap_or_default()
}

fn server(issuer: &str) -> String {
    format!(
        "
apiVersion: gatehold.io/v1
kind: Issuer
metadata: {{ name: corporate }}
spec: {{ issuer: \"{issuer}\" }}
---
apiVersion: gatehold.io/v1
kind: Server
metadata: {{ name: crm }}
spec:
  path: /mcp
  resource: https://gateway.example.com/mcp
  issuers: [corporate]
"
    )
}

fn console_document(url: &str) -> String {
    format!(
        "
apiVersion: gatehold.io/v1
kind: Console
metadata: {{ name: console }}
spec:
  url: {url}
  signIn: {{ issuer: corporate, clientId: console, scopes: [openid] }}
  api: {{ audiences: [\"{url}\"] }}
"
    )
}
