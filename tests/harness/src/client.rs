//! Stock MCP clients: the official SDKs, each in a process of its own, told what to do step by step.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::error::HarnessError;
use crate::process::command;
use crate::tools::Tools;

/// How long one step may take; the SDKs' own limit is a minute.
const STEP: Duration = Duration::from_secs(90);

/// An official SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// `@modelcontextprotocol/sdk` 1.x.
    TypeScript1,
    /// `@modelcontextprotocol/client` 2.x.
    TypeScript2,
    /// `mcp` 1.x of PyPI.
    Python1,
    /// `mcp` 2.x of PyPI.
    Python2,
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// `initialize` and sessions.
    Legacy,
    /// 2026-07-28 and nothing else.
    Modern,
    /// What the SDK finds out.
    Auto,
}

impl Era {
    fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
            Self::Auto => "auto",
        }
    }
}

/// Every SDK in every era that it speaks.
pub const CLIENTS: [(Sdk, Era); 6] = [
    (Sdk::TypeScript1, Era::Legacy),
    (Sdk::TypeScript2, Era::Legacy),
    (Sdk::TypeScript2, Era::Modern),
    (Sdk::Python1, Era::Legacy),
    (Sdk::Python2, Era::Legacy),
    (Sdk::Python2, Era::Modern),
];

/// A running client. Dropping it kills it.
#[derive(Debug)]
pub struct Client {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Client {
    /// Starts it for the server at `url`; the first step has to be `{"op":"connect"}`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        tools: &Tools,
        sdk: Sdk,
        era: Era,
        url: &str,
        token: Option<&str>,
    ) -> Result<Self, HarnessError> {
        let (program, script) = match sdk {
            Sdk::TypeScript1 => (&tools.node, "clients/ts1.mjs"),
            Sdk::TypeScript2 => (&tools.node, "clients/ts2.mjs"),
            Sdk::Python1 => (&tools.python_mcp1, "clients/py1.py"),
            Sdk::Python2 => (&tools.python_mcp2, "clients/py2.py"),
        };
        let mut start = command(program, [tools.peer(script)?]);
        start.args(["--url", url, "--era", era.name()]);
        if let Some(token) = token {
            start.args(["--token", token]);
        }
        // Python would leave compiled files in the checkout.
        start.env("PYTHONDONTWRITEBYTECODE", "1");
        start
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = start
            .spawn()
            .map_err(HarnessError::io(format!("start {script}")))?;
        let missing = || HarnessError::Unexpected(format!("{script} has no stdin or stdout"));
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = BufReader::new(child.stdout.take().ok_or_else(missing)?).lines();
        Ok(Self {
            child,
            input,
            output,
        })
    }

    /// Starts it and connects; the answer of the connection is `Err` when that failed.
    ///
    /// # Errors
    /// When it cannot be started, or says that it could not connect.
    pub async fn connect(
        tools: &Tools,
        sdk: Sdk,
        era: Era,
        url: &str,
        token: Option<&str>,
    ) -> Result<Self, HarnessError> {
        let mut client = Self::start(tools, sdk, era, url, token)?;
        let answer = client.step(&json!({ "op": "connect" })).await?;
        if answer.get("ok") == Some(&Value::Bool(true)) {
            return Ok(client);
        }
        Err(HarnessError::Unexpected(format!(
            "{sdk:?} ({}) could not connect: {answer}",
            era.name()
        )))
    }

    /// Runs one step and gives its answer, `{"op","ok":true,"result"}` or `{"op","ok":false,"error"}`. The steps are
    /// described in `tests/peers/clients/steps.mjs`.
    ///
    /// # Errors
    /// When the client has fallen over or does not answer in time.
    pub async fn step(&mut self, step: &Value) -> Result<Value, HarnessError> {
        self.step_within(step, STEP).await
    }

    /// As [`Client::step`], for one that may take longer.
    ///
    /// # Errors
    /// As [`Client::step`].
    pub async fn step_within(
        &mut self,
        step: &Value,
        patience: Duration,
    ) -> Result<Value, HarnessError> {
        let line = format!("{step}\n");
        let answer = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.flush().await?;
            self.output.next_line().await
        };
        let late = |_| HarnessError::Deadline {
            what: format!("answer to {step}"),
            seconds: patience.as_secs_f64(),
        };
        match tokio::time::timeout(patience, answer).await.map_err(late)? {
            Ok(Some(line)) => serde_json::from_str(&line).map_err(|error| {
                HarnessError::Unexpected(format!("a client printed `{line}`: {error}"))
            }),
            Ok(None) | Err(_) => Err(self.fallen(step).await),
        }
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// As [`Client::step`].
    pub async fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value, HarnessError> {
        self.step(&json!({ "op": "callTool", "name": tool, "arguments": arguments }))
            .await
    }

    /// The names of the tools that it is shown, in order.
    ///
    /// # Errors
    /// As [`Client::step`].
    pub async fn tools(&mut self) -> Result<Vec<String>, HarnessError> {
        let answer = self.step(&json!({ "op": "listTools" })).await?;
        let tools = answer.pointer("/result/tools").and_then(Value::as_array);
        let tools =
            tools.ok_or_else(|| HarnessError::Unexpected(format!("no list of tools: {answer}")))?;
        let name = |tool: &Value| {
            tool.get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Ok(tools.iter().map(name).collect())
    }

    /// Closes the session, as a client does that ends well.
    ///
    /// # Errors
    /// As [`Client::step`].
    pub async fn close(mut self) -> Result<(), HarnessError> {
        self.step(&json!({ "op": "close" })).await.map(drop)
    }

    async fn fallen(&mut self, step: &Value) -> HarnessError {
        let mut log = String::new();
        if let Some(errors) = self.child.stderr.as_mut() {
            let _ =
                tokio::time::timeout(Duration::from_secs(1), errors.read_to_string(&mut log)).await;
        }
        HarnessError::Exited {
            name: format!("client at {step}"),
            status: "no answer".to_owned(),
            log,
        }
    }
}
