//! What the demo prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what the demo is for"
)]

use std::io::IsTerminal;

use gatehold_harness::Harness;
use serde_json::Value;

/// Colors only where somebody looks.
fn paint(code: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

pub(crate) fn title(text: &str) {
    println!("\n{}", paint("1", text));
}

pub(crate) fn line(text: &str) {
    println!("  {text}");
}

pub(crate) fn problem(text: &str) {
    eprintln!("error: {text}");
}

/// What runs where.
pub(crate) fn started(harness: &Harness) {
    line(&format!("Envoy with the filter   {}", harness.url("")));
    line(&format!(
        "control (xDS, audit)    127.0.0.1:{}",
        harness.control.grpc_port()
    ));
    line(&format!(
        "control (health)        http://127.0.0.1:{}/readyz",
        harness.control.http_port()
    ));
    line("MCP server `crm`        official TypeScript SDK 2.x, speaks 2026-07-28");
    line(
        "MCP server `everything` @modelcontextprotocol/server-everything, speaks up to 2025-11-25",
    );
    if let Some(provider) = &harness.provider {
        line(&format!("OpenID provider         {}", provider.issuer()));
    }
}

/// One step: what somebody does.
pub(crate) fn step(text: &str) {
    println!("\n  {} {text}", paint("36", "▸"));
}

/// What the client saw.
pub(crate) fn answer(text: &str) {
    println!("      client sees  {text}");
}

/// What the filter decided and why, from the audit log.
pub(crate) fn decision(event: &Value) {
    let field = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let color = if field("effect") == "allow" {
        "32"
    } else {
        "31"
    };
    let count = |name: &str| event.get(name).and_then(Value::as_u64).unwrap_or_default();
    let why = match field("reason") {
        "" => format!("{} shown, {} hidden", count("shown"), count("hidden")),
        reason => reason.to_owned(),
    };
    println!(
        "      filter       {} — {why}",
        paint(color, field("effect"))
    );
}

/// Whether something is as it should be.
pub(crate) fn verdict(holds: bool, claim: &str) {
    let mark = if holds {
        paint("32", "✓")
    } else {
        paint("31", "✗ NOT SO:")
    };
    println!("      {mark} {claim}");
}
