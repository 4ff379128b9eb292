//! Rules that hold for the text of the sources.
#![expect(clippy::expect_used, reason = "helpers of tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// No file of ours is longer than this, tests included.
const MAX_LINES: usize = 600;

/// The one file that may hold `unsafe` in the product: the door to the proxy-wasm host.
const UNSAFE_PRODUCT: &str = "filter/host/src/abi.rs";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace exists")
}

/// All Rust files below the workspace, as (path relative to the root, text).
fn rust_files() -> Vec<(String, String)> {
    let root = root();
    let mut open = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace can be read") {
            let path = entry.expect("an entry of the workspace can be read").path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if path.is_dir() {
                if !matches!(name, "target" | "node_modules") && !name.starts_with('.') {
                    open.push(path);
                }
            } else if name.ends_with(".rs") {
                let relative = path
                    .strip_prefix(&root)
                    .expect("it was found below the root");
                let text = fs::read_to_string(&path).expect("a source file is UTF-8");
                files.push((relative.to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    assert!(
        files.len() > 20,
        "the sources were not found: only {} files",
        files.len()
    );
    files
}

#[test]
fn files_stay_small() {
    let long: Vec<String> = rust_files()
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| format!("{path}: {lines} lines, more than {MAX_LINES}"))
        .collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

#[test]
fn unsafe_stays_behind_one_door() {
    let keyword = ["un", "safe"].concat();
    for (path, text) in rust_files() {
        let product = path.starts_with("filter/") || path.starts_with("control/");
        if !product || path == UNSAFE_PRODUCT {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let used = code
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == keyword);
            assert!(
                !used,
                "{path}:{}: `{keyword}` belongs into {UNSAFE_PRODUCT}",
                number + 1
            );
        }
    }
}
