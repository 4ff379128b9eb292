//! What a loader shares between one set and the next, and that nobody can tell by what comes of it.

use std::path::PathBuf;
use std::sync::Arc;

use gatehold_documents::{Loader, load};

const ISSUER: &str = "
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: corp }
spec: { issuer: \"https://idp.example.com\" }
";

fn server(name: &str) -> String {
    format!(
        "
apiVersion: gatehold.io/v1
kind: Server
metadata: {{ name: {name} }}
spec: {{ path: /{name}, resource: \"https://gw.example.com/{name}\", issuers: [corp] }}
"
    )
}

fn policy(name: &str, rules: &[(&str, &str)]) -> String {
    let rules = rules.iter().map(|(server, tool)| {
        format!("    - allow: {{ server: \"{server}\", tools: [\"{tool}\"] }}\n")
    });
    let rules: String = rules.collect();
    format!(
        "
apiVersion: gatehold.io/v1
kind: Policy
metadata: {{ name: {name} }}
spec:
  rules:
{rules}"
    )
}

fn files(files: &[(&str, String)]) -> Vec<(PathBuf, String)> {
    let files = files.iter();
    files
        .map(|(name, text)| (PathBuf::from(name), text.clone()))
        .collect()
}

/// Sets as they may follow each other; the last file is the one that changes most.
fn sets() -> Vec<Vec<(PathBuf, String)>> {
    let issuer = || ("a.yaml", ISSUER.to_owned());
    let servers = |names: &[&str]| {
        let servers: Vec<String> = names.iter().map(|name| server(name)).collect();
        ("b.yaml", servers.join("---"))
    };
    let of = |name, rules: &[(&str, &str)]| ("c.yaml", policy(name, rules));
    let both = servers(&["crm", "wiki"]);
    let all = policy("all", &[("*", "get_*")]);
    vec![
        files(&[issuer(), both.clone(), of("p", &[("crm", "x")])]),
        // A rule changes, another comes, one goes.
        files(&[issuer(), both.clone(), of("p", &[("crm", "y")])]),
        files(&[
            issuer(),
            both.clone(),
            of("p", &[("crm", "y"), ("w*", "z")]),
        ]),
        files(&[issuer(), both.clone(), of("p", &[("w*", "z")])]),
        // The policy is called otherwise, and then there is none.
        files(&[issuer(), both.clone(), of("q", &[("w*", "z")])]),
        files(&[issuer(), both.clone()]),
        // A server comes that a pattern reaches, and goes again.
        files(&[issuer(), both.clone(), ("c.yaml", all.clone())]),
        files(&[
            issuer(),
            servers(&["crm", "new", "wiki"]),
            ("c.yaml", all.clone()),
        ]),
        files(&[issuer(), both.clone(), ("c.yaml", all.clone())]),
        // A file comes before the others, so that each has another number.
        files(&[
            ("0.yaml", policy("first", &[("wiki", "f")])),
            issuer(),
            both.clone(),
            ("c.yaml", all.clone()),
        ]),
        // Bad sets, each followed by a good one.
        files(&[
            issuer(),
            both.clone(),
            ("c.yaml", "kind: Polity\n".to_owned()),
        ]),
        files(&[issuer(), both.clone(), of("p", &[("crn", "x")])]),
        files(&[issuer(), both.clone(), ("c.yaml", all.clone())]),
        files(&[both.clone(), ("c.yaml", all.clone())]),
        files(&[issuer(), both.clone(), both.clone(), ("c.yaml", all)]),
        files(&[issuer(), both, of("p", &[("crm", "x")])]),
    ]
}

#[test]
fn what_was_loaded_before_changes_nothing() {
    let sets = sets();
    let mut in_turn = Loader::default();
    for (number, set) in sets.iter().enumerate() {
        assert_eq!(in_turn.load(set), load(set), "set {number} in turn");
        for (other, before) in sets.iter().enumerate() {
            let mut loader = Loader::default();
            let _ = loader.load(before);
            assert_eq!(loader.load(set), load(set), "set {number} after {other}");
        }
    }
    assert!(sets.iter().filter(|set| load(set).is_ok()).count() > 8);
}

#[test]
fn a_server_that_no_change_reaches_is_shared() {
    let sets = sets();
    let mut loader = Loader::default();
    let mut load = |number: usize| loader.load(sets.get(number).unwrap()).unwrap().servers;
    let (before, after) = (load(0), load(1));
    let shared = |name: &str| {
        let of = |servers: &[Arc<gatehold_documents::ServerDocument>]| {
            servers
                .iter()
                .find(|server| server.name == name)
                .cloned()
                .unwrap()
        };
        Arc::ptr_eq(&of(&before), &of(&after))
    };
    assert_eq!((shared("crm"), shared("wiki")), (false, true));
}
