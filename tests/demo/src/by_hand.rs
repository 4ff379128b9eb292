//! After the scenario: what somebody can type, until they have had enough.

use gatehold_harness::Harness;

use crate::show;

/// Prints a token and commands, and waits for the end (Ctrl-C).
pub(crate) async fn stay(harness: &Harness) -> anyhow::Result<()> {
    let token = harness.sign_in("alice", "/crm/mcp").await?;
    let url = harness.url("/crm/mcp");
    show::title("Now you");
    show::line("Everything stays up until Ctrl-C. In another terminal:");
    show::line("");
    show::line(&format!("TOKEN={token}"));
    show::line("");
    let console = harness.control.console_port();
    show::line(&format!(
        "# decide in a browser: http://127.0.0.1:{console} (sign in as carol or dave; passwords are like names)"
    ));
    show::line("");
    show::line("# a refund that waits for finance (change the amount to 50)");
    show::line(&call(&url, 500));
    show::line("");
    show::line("# the same without a token: the challenge, and the document that it points to");
    show::line(&format!(
        "curl -si {url} -X POST -H 'content-type: application/json' -d '{{}}'"
    ));
    show::line(&format!(
        "curl -s {}",
        harness.url("/.well-known/oauth-protected-resource/crm/mcp")
    ));
    show::line("");
    show::line("# change the policy: it is in force when the editor closes");
    show::line(&format!(
        "$EDITOR {}/policies.yaml",
        harness.documents.folder().display()
    ));
    show::line("");
    show::line("# why, and what happened");
    show::line(&format!(
        "target/debug/gatehold explain {} --server crm --user alice --role support --tool refund --args '{{\"amount\": 500}}'",
        harness.documents.folder().display()
    ));
    show::line(&format!(
        "target/debug/gatehold audit export --data {}",
        harness.folder().join("gatehold.db").display()
    ));
    show::line(&format!(
        "curl -s http://127.0.0.1:{}/stats/prometheus | grep ^gatehold",
        harness.envoy.admin_port()
    ));
    tokio::signal::ctrl_c().await?;
    show::line("stopping");
    Ok(())
}

fn call(url: &str, amount: u32) -> String {
    format!(
        r#"curl -s {url} -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \
    -H 'accept: application/json, text/event-stream' -H 'mcp-protocol-version: 2026-07-28' \
    -H 'mcp-method: tools/call' -H 'mcp-name: refund' \
    -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"refund","arguments":{{"order":"o-1","amount":{amount}}},
         "_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}'"#
    )
}
