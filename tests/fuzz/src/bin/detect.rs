//! The target `detect` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gatehold_fuzz::targets::detect(data));
