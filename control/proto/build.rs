//! Generates the gRPC services; their messages are those of gatehold-wire.

use std::error::Error;

const ROOT: &str = "../../filter/wire/proto";
const FILES: [&str; 3] = [
    "gatehold/audit/v1/audit.proto",
    "gatehold/hold/v1/hold.proto",
    "envoy/service/discovery/v3/discovery.proto",
];

/// What only control says, to Envoy.
const ENVOY: &str = "proto";
const ENVOY_FILES: [&str; 3] = [
    "envoy/config/core/v3/core.proto",
    "envoy/extensions/filters/http/wasm/v3/wasm.proto",
    "envoy/extensions/wasm/v3/wasm.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    println!("cargo::rerun-if-changed={ENVOY}");
    let descriptors = protox::compile(FILES, [ROOT])?;
    tonic_prost_build::configure()
        .extern_path(".gatehold.audit.v1", "::gatehold_wire::audit")
        .extern_path(".gatehold.hold.v1", "::gatehold_wire::hold")
        .extern_path(".gatehold.push.v1", "::gatehold_wire::push")
        .extern_path(".envoy.service.discovery.v3", "::gatehold_wire::discovery")
        .compile_fds(descriptors)?;
    let descriptors = protox::compile(ENVOY_FILES, [ENVOY])?;
    tonic_prost_build::configure()
        .include_file("envoy.rs")
        .compile_fds(descriptors)?;
    Ok(())
}
