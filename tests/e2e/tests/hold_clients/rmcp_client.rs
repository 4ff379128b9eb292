//! A stock client on rmcp, in this process.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientConfig, GetTaskParams, ProtocolVersion,
    TaskPayload,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt};
use serde_json::{Value, json};

/// How the client is set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rmcp {
    /// `initialize`.
    Legacy,
    /// 2026-07-28, and nothing more.
    Modern,
    /// 2026-07-28 with the Tasks extension.
    Tasks,
}

impl Rmcp {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Legacy => "2025-11-25",
            Self::Modern => "2026-07-28",
            Self::Tasks => "2026-07-28, Tasks",
        }
    }

    /// Connects, makes one call, and gives its result as it stands on the wire.
    pub(crate) async fn call(
        self,
        url: &str,
        token: &str,
        tool: &str,
        arguments: &Value,
    ) -> Result<Value, String> {
        let config =
            StreamableHttpClientTransportConfig::with_uri(url.to_owned()).auth_header(token);
        // In one build with control its HTTP client has TLS, of which it must know whose; there may be one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let transport = StreamableHttpClientTransport::from_config(config);
        let lifecycle = match self {
            Self::Legacy => ClientLifecycleMode::Initialize,
            Self::Modern | Self::Tasks => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        };
        let mut client = ClientConfig::default();
        if matches!(self, Self::Tasks) {
            let tasks = json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
            client.capabilities =
                serde_json::from_value(tasks).map_err(|error| error.to_string())?;
        }
        let client = client.serve_with_lifecycle(transport, lifecycle).await;
        let client = client.map_err(|error| error.to_string())?;
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let result = match self {
            Self::Legacy | Self::Modern => {
                let result = client
                    .call_tool(params)
                    .await
                    .map_err(|error| error.to_string())?;
                serde_json::to_value(result).map_err(|error| error.to_string())?
            }
            Self::Tasks => {
                let answer = client
                    .call_tool_once(params)
                    .await
                    .map_err(|error| error.to_string())?;
                let CallToolResponse::Task(created) = answer else {
                    return Err(format!("no task: {answer:?}"));
                };
                let poll = created.task.poll_interval_ms.unwrap_or(1000).min(1000);
                loop {
                    let params = GetTaskParams::new(created.task.task_id.clone());
                    let state = client
                        .get_task(params)
                        .await
                        .map_err(|error| error.to_string())?;
                    match state.task.payload {
                        TaskPayload::Completed { result } => {
                            break serde_json::to_value(result)
                                .map_err(|error| error.to_string())?;
                        }
                        TaskPayload::Working => {}
                        other => return Err(format!("{other:?}")),
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(poll)).await;
                }
            }
        };
        client.cancel().await.map_err(|error| error.to_string())?;
        Ok(result)
    }
}
