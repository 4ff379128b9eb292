//! Every input that is kept, through its target.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking, and say how many inputs there were"
)]

use std::panic::catch_unwind;

use gatehold_fuzz::{corpus, targets};

fn replay(name: &str) {
    let target = targets::ALL.iter().find(|(known, _)| *known == name);
    let (_, target) = target.expect("a target");
    let inputs = corpus::inputs(name);
    assert!(inputs.len() > 5, "{name} has nearly no inputs");
    let mut found = Vec::new();
    for (file, bytes) in &inputs {
        if catch_unwind(|| target(bytes)).is_err() {
            found.push(file.display().to_string());
        }
    }
    println!("{name}: {} inputs", inputs.len());
    assert!(
        found.is_empty(),
        "findings of {name}:\n{}",
        found.join("\n")
    );
}

#[test]
fn json_rpc() {
    replay("json_rpc");
}

#[test]
fn sse() {
    replay("sse");
}

#[test]
fn headers() {
    replay("headers");
}

#[test]
fn policy() {
    replay("policy");
}

#[test]
fn answers() {
    replay("answers");
}

#[test]
fn detect() {
    replay("detect");
}

#[test]
fn differential() {
    replay("differential");
}
