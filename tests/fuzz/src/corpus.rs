//! The inputs that are kept: `tests/corpus`, the targets' own seeds, and what was found.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of this crate.
pub fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where the inputs of a target are: its seeds, its findings, and the shared corpus.
///
/// A finding stays an input for good, so that it is not made again.
pub fn folders(target: &str) -> Vec<PathBuf> {
    let shared = home().join("../corpus");
    let mut folders = vec![
        home().join("corpus").join(target),
        home().join("regressions").join(target),
    ];
    let of_requests = matches!(target, "json_rpc" | "headers" | "differential");
    folders.extend(of_requests.then(|| shared.join("requests")));
    folders.extend((target == "answers").then(|| shared.join("responses")));
    folders.extend(matches!(target, "sse" | "answers").then(|| shared.join("sse")));
    folders
}

/// Every input of a target with the file that holds it. A folder that does not exist holds nothing.
pub fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut inputs = Vec::new();
    for folder in folders(target) {
        collect(&folder, &mut inputs);
    }
    inputs.sort();
    inputs
}

fn collect(folder: &Path, inputs: &mut Vec<(PathBuf, Vec<u8>)>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry of a folder").path();
        if path.is_dir() {
            collect(&path, inputs);
        } else if path.extension().is_none_or(|it| it != "verdict") {
            let bytes = fs::read(&path).expect("a file of the corpus can be read");
            inputs.push((path, bytes));
        }
    }
}
