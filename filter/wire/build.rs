//! Generates the messages. The `.proto` files are compiled by protox, so that no `protoc` is needed.

use std::error::Error;
use std::path::Path;

/// Relative to this crate; control generates the gRPC services from the same files and maps their
/// packages to the modules of this crate.
const PROTO: &str = "proto";

const FILES: [&str; 3] = [
    "gatehold/push/v1/push.proto",
    "gatehold/audit/v1/audit.proto",
    "envoy/service/discovery/v3/discovery.proto",
];

/// It speaks of what is pushed too.
const HOLD: &str = "gatehold/hold/v1/hold.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let files = FILES.map(|file| Path::new(PROTO).join(file));
    let descriptors = protox::compile(files, [PROTO])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    let hold = protox::compile([Path::new(PROTO).join(HOLD)], [PROTO])?;
    prost_build::Config::new()
        .extern_path(".gatehold.audit.v1", "crate::audit")
        .extern_path(".gatehold.push.v1", "crate::push")
        .compile_fds(hold)?;
    Ok(())
}
