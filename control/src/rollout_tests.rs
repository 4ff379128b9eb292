use std::path::PathBuf;

use super::*;

const MODULE: &[u8] = b"\0asm\x01\0\0\0";

fn document(folder: &Path, digest: &str) -> Arc<FilterDocument> {
    let text = format!(
        "apiVersion: gatehold.io/v1
kind: Filter
metadata: {{ name: filter }}
spec:
  versions:
    - {{ name: old, module: old.wasm, sha256: {digest} }}
    - {{ name: new, module: new.wasm, sha256: {digest} }}
  configuration: {{ control_cluster: control, hold_headers: false }}
  groups: [{{ name: canary, nodes: {{ cluster: canary }}, version: new }}]
  default: old
"
    );
    let file: PathBuf = folder.join("filter.yaml");
    let documents = gatehold_documents::load(&[(file, text)]).unwrap();
    documents.filter.unwrap()
}

fn plugin(resource: &Resource) -> (TypedExtensionConfig, PluginConfig) {
    let any = resource.message().unwrap();
    assert_eq!(any.type_url, EXTENSION_TYPE_URL);
    let extension = TypedExtensionConfig::decode(&*any.value).unwrap();
    let wasm = Wasm::decode(&*extension.typed_config.as_ref().unwrap().value).unwrap();
    (extension, wasm.config.unwrap())
}

/// What this Envoy is to have, as it is offered after so many refusals.
fn of(filters: &Filters, cluster: &str, refusals: u32) -> Resource {
    let version = filters.wanted("edge-1", cluster).unwrap();
    assert!(filters.versions().contains(&version));
    let resources = filters.resources(&version, refusals).unwrap();
    resources
        .get(EXTENSION_TYPE_URL, EXTENSION_NAME)
        .unwrap()
        .clone()
}

#[test]
fn each_group_gets_its_module_inline() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["old.wasm", "new.wasm"] {
        std::fs::write(folder.path().join(name), MODULE).unwrap();
    }
    let document = document(folder.path(), &hex(&Sha256::digest(MODULE)));
    let mut modules = Modules::default();
    let filters = modules.filters(&document).unwrap();
    let (rest, canary) = (of(&filters, "edge", 0), of(&filters, "canary", 0));
    let versions = [&rest, &canary].map(|resource| resource.version.to_string());
    let [old, new] = &versions;
    assert!(
        old.starts_with("old+") && new.starts_with("new+"),
        "{versions:?}"
    );

    let (extension, plugin) = plugin(&rest);
    assert_eq!(extension.name, "gatehold");
    let vm = plugin.vm_config.unwrap();
    assert_eq!((&*vm.vm_id, &*vm.runtime), ("gatehold", RUNTIME));
    assert_eq!(vm.code.unwrap().local.unwrap().inline_bytes, MODULE);
    assert_eq!(plugin.allow_on_headers_stop_iteration, Some(false));
    assert_eq!(plugin.failure_policy, i32::from(FailurePolicy::FailReload));
    let configuration = plugin.configuration.unwrap();
    let text = String::decode(&*configuration.value).unwrap();
    assert_eq!(
        text,
        r#"{"control_cluster":"control","hold_headers":false}"#
    );
    // The same document is the same filter, and files are not read again.
    std::fs::remove_file(folder.path().join("old.wasm")).unwrap();
    assert!(Arc::ptr_eq(&filters, &modules.filters(&document).unwrap()));
}

#[test]
fn another_control_offers_the_same_version_in_other_words() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["old.wasm", "new.wasm"] {
        std::fs::write(folder.path().join(name), MODULE).unwrap();
    }
    let document = document(folder.path(), &hex(&Sha256::digest(MODULE)));
    let made = [1, 2].map(|offer| {
        let offer = Offer(offer);
        let mut modules = Modules {
            offer,
            ..Modules::default()
        };
        of(&modules.filters(&document).unwrap(), "", 0)
    });
    let [one, other] = &made;
    assert_eq!(one.version, other.version);
    assert_ne!(one.message().unwrap(), other.message().unwrap());
}

#[test]
fn after_a_refusal_a_version_is_offered_in_other_words() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["old.wasm", "new.wasm"] {
        std::fs::write(folder.path().join(name), MODULE).unwrap();
    }
    let document = document(folder.path(), &hex(&Sha256::digest(MODULE)));
    let mut modules = Modules {
        offer: Offer(OFFERS - 1),
        ..Modules::default()
    };
    let filters = modules.filters(&document).unwrap();
    let [one, again, other] = [0, 0, 1].map(|refusals| of(&filters, "", refusals));
    assert_eq!(one.message().unwrap(), again.message().unwrap());
    assert_eq!(one.version, other.version);
    assert_ne!(one.message().unwrap(), other.message().unwrap());
    assert!(filters.resources("none", 0).is_none());
}

#[test]
fn modules_that_cannot_be_used_are_told_where_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("new.wasm"), "text").unwrap();
    let check = |expected: &[&str]| {
        let document = document(folder.path(), &"0".repeat(64));
        let problems = Modules::default().filters(&document).unwrap_err();
        let text = problems.to_string();
        for part in expected {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
    };
    check(&[
        "filter.yaml:6:28: cannot read `",
        "old.wasm`: No such file",
        "put the module there first",
        "filter.yaml:7:28: `",
        "new.wasm` is no WebAssembly module",
        "2 problems",
    ]);
    // Nobody waits for somebody to write into it.
    let fifo = folder.path().join("old.wasm");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    check(&["old.wasm`: it is no regular file"]);
    std::fs::remove_file(fifo).unwrap();
    check(&["old.wasm`: No such file"]);
    std::fs::create_dir(folder.path().join("old.wasm")).unwrap();
    check(&["old.wasm`: it is no regular file"]);
    std::fs::remove_dir(folder.path().join("old.wasm")).unwrap();
    std::fs::write(folder.path().join("old.wasm"), MODULE).unwrap();
    check(&[
        "filter.yaml:6:46: `",
        "old.wasm` has another SHA-256",
        "write `93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476`",
    ]);
}
