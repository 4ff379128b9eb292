//! The dependency rule: which crate may know which.
#![expect(clippy::expect_used, reason = "helpers of tests may panic")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What each crate of the product may depend on, of ours. A crate that is not listed is a mistake:
/// whoever adds one decides here where it belongs.
const RULES: &[(&str, &[&str])] = &[
    ("gatehold-engine", &[]),
    ("gatehold-detect", &[]),
    ("gatehold-detectors", &["gatehold-detect"]),
    ("gatehold-mcp", &[]),
    ("gatehold-identity", &[]),
    ("gatehold-wire", &["gatehold-engine", "gatehold-identity"]),
    (
        "gatehold-filter",
        &[
            "gatehold-detect",
            "gatehold-engine",
            "gatehold-mcp",
            "gatehold-identity",
            "gatehold-wire",
        ],
    ),
    ("gatehold-proto", &["gatehold-wire"]),
    (
        "gatehold-documents",
        &[
            "gatehold-detect",
            "gatehold-detectors",
            "gatehold-engine",
            "gatehold-identity",
            "gatehold-mcp",
        ],
    ),
    (
        "gatehold-store",
        &[
            "gatehold-approvals",
            "gatehold-engine",
            "gatehold-mcp",
            "gatehold-wire",
        ],
    ),
    (
        "gatehold-desk",
        &[
            "gatehold-approvals",
            "gatehold-engine",
            "gatehold-store",
            "gatehold-wire",
        ],
    ),
    (
        "gatehold-notify",
        &[
            "gatehold-approvals",
            "gatehold-desk",
            "gatehold-documents",
            "gatehold-store",
        ],
    ),
    ("gatehold-push", &["gatehold-proto", "gatehold-wire"]),
    ("gatehold-api", &[]),
    ("gatehold-shadow", &["gatehold-engine", "gatehold-mcp"]),
    ("gatehold-approvals", &["gatehold-engine"]),
    (
        "gatehold-console",
        &[
            "gatehold-approvals",
            "gatehold-desk",
            "gatehold-documents",
            "gatehold-engine",
            "gatehold-identity",
            "gatehold-push",
        ],
    ),
    (
        "gatehold",
        &[
            "gatehold-api",
            "gatehold-console",
            "gatehold-approvals",
            "gatehold-desk",
            "gatehold-detect",
            "gatehold-detectors",
            "gatehold-documents",
            "gatehold-engine",
            "gatehold-identity",
            "gatehold-mcp",
            "gatehold-notify",
            "gatehold-proto",
            "gatehold-push",
            "gatehold-shadow",
            "gatehold-store",
            "gatehold-wire",
        ],
    ),
];

/// The only crates that may name the proxy-wasm SDK: the adapter, what drives it, and the filter that does nothing,
/// which benches compare it with.
const MAY_NAME_PROXY_WASM: &[&str] = &[
    "gatehold-bench-empty",
    "gatehold-filter",
    "gatehold-hostsim",
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata answers")
}

/// Direct dependencies of a package, tests left out: those may use anything.
fn direct(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

fn is_product(package: &Package) -> bool {
    let manifest = package.manifest_path.as_str().replace('\\', "/");
    manifest.contains("/filter/") || manifest.contains("/control/")
}

#[test]
fn crates_know_only_what_the_rule_lets_them() {
    let metadata = metadata();
    let ours: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let rules: BTreeMap<&str, &[&str]> = RULES.iter().copied().collect();
    let mut broken = Vec::new();
    for package in metadata
        .packages
        .iter()
        .filter(|package| is_product(package))
    {
        let Some(allowed) = rules.get(package.name.as_str()) else {
            broken.push(format!(
                "`{}` has no rule: add one in layers.rs",
                package.name
            ));
            continue;
        };
        for dependency in direct(package).filter(|name| ours.contains(name)) {
            if !allowed.contains(&dependency) {
                broken.push(format!("`{}` must not know `{dependency}`", package.name));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_rule_names_a_crate_that_exists() {
    let metadata = metadata();
    let ours: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    for (name, allowed) in RULES {
        assert!(
            ours.contains(name),
            "the rule for `{name}` is about no crate"
        );
        for dependency in *allowed {
            assert!(
                ours.contains(dependency),
                "the rule for `{name}` allows `{dependency}`, which is no crate"
            );
        }
    }
}

#[test]
fn only_the_adapter_names_proxy_wasm() {
    for package in &metadata().packages {
        let names = package
            .dependencies
            .iter()
            .any(|dependency| dependency.name == "proxy-wasm");
        assert!(
            !names || MAY_NAME_PROXY_WASM.contains(&package.name.as_str()),
            "`{}` must not depend on proxy-wasm: only the adapter knows the host",
            package.name
        );
    }
}

#[test]
fn nothing_comes_from_git() {
    for package in &metadata().packages {
        for dependency in &package.dependencies {
            let source = dependency
                .source
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                !source.starts_with("git"),
                "`{}` takes `{}` from git",
                package.name,
                dependency.name
            );
        }
    }
}
