//! The `gatehold` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    gatehold_control::run()
}
