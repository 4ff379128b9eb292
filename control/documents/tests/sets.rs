//! What whole sets of documents come to, and how decisions are explained.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use expect_test::expect;
use gatehold_detectors::{RuleRole, UserRule};
use gatehold_documents::{
    AuditArguments, ConsoleDocument, Detection, DetectionAction, DetectionActions, Documents,
    KeySource, Limits, Question, ReadError, SignIn, Summary, WebhookDocument, WebhookEvent,
    WebhookFormat, explain, load, read_dir,
};
use gatehold_engine::{Approval, Principal, RuleEffect, Target};
use serde_json::{Map, Value, json};

const SET: &str = r#"
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: crm }
spec:
  path: /crm/mcp
  hosts: [gw.example.com, other.example.com]
  resource: https://gw.example.com/crm/mcp
  audiences: [crm, "https://gw.example.com/crm/mcp"]
  issuers: [corp]
  scopes: [mcp:tools]
  allowedOrigins: ["https://app.example.com:8443"]
  risk: { read: "get_*", destructive: ["delete_*", drop] }
  limits: { requestBytes: 1MiB, responseBytes: 65536, eventBytes: 4MiB, depth: 64, listEntries: 10000 }
  audit: { arguments: digest }
  detection:
    results: redact
    secrets: { arguments: block }
    tools:
      - { match: ["get_*", search], results: approve }
      - { match: drop, arguments: block, definitions: block, secrets: off }
    approval: { by: { roles: [security] } }
---
apiVersion: gatehold.io/v1
kind: Server
metadata: { name: crm-eu }
spec: { path: /eu, resource: "https://gw.example.com/eu", issuers: [corp] }
---
apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: corp }
spec:
  issuer: https://idp.example.com/
  refresh: 1h30m
  algorithms: [ES256]
  clockSkew: 0s
  claims: { user: email, roles: [r1, r2] }
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: support }
spec:
  subjects: &support { roles: [support] }
  rules:
    - allow: { server: crm, tools: ["get_*", "search_*"] }
    - name: small
      allow: { server: "crm*", tools: refund, when: "args.amount <= 100.0" }
    - approve: { server: crm, tools: refund, when: "args.amount > 100.0", by: { roles: finance-lead }, within: 15m }
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: { name: guard }
spec:
  rules:
    - deny: { server: "*", risk: destructive }
---
apiVersion: gatehold.io/v1
kind: Console
metadata: { name: console }
spec:
  url: https://gatehold.example.com
  signIn: { issuer: corp, clientId: gatehold-console, clientSecretFile: /etc/gatehold/console.secret, scopes: [openid, email] }
  api: { audiences: [gatehold-api] }
  sessions: { idle: 30m, longest: 8h }
---
apiVersion: gatehold.io/v1
kind: Webhook
metadata: { name: pager }
spec:
  url: https://hooks.example.com/x?channel=1
  secretFile: /etc/gatehold/pager.secret
  events: [used, pending]
  servers: ["crm*"]
---
apiVersion: gatehold.io/v1
kind: Webhook
metadata: { name: chat }
spec: { url: "http://127.0.0.1:9000/hook", format: slack }
---
apiVersion: gatehold.io/v1
kind: Detectors
metadata: { name: detectors }
spec:
  rules:
    - { name: hosts, pattern: "corp.example", weight: 2.5 }
    - { name: badge, pattern: "EMP-[0-9]{6}", means: personal }
  patterns: { on: [email], off: [card, iban] }
  allow: ["sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"]
  shadow:
    pack: /etc/gatehold/next.pack
    rules:
      - { name: badge, pattern: "EMP-[0-9]{8}", means: secret }
"#;

fn documents() -> Documents {
    load(&[(PathBuf::from("set.yaml"), SET.to_owned())]).unwrap()
}

#[test]
fn actions_of_a_tool_are_those_of_the_server_unless_it_says_otherwise() {
    use DetectionAction::{Approve, Block, Log, Off, Redact};
    let documents = documents();
    let detection = &documents.server("crm").unwrap().detection;
    let otherwise = DetectionActions {
        arguments: Log,
        results: Redact,
        definitions: Log,
        secrets_in_arguments: Block,
        secrets_in_results: Log,
    };
    let get = DetectionActions {
        results: Approve,
        ..otherwise
    };
    let drop = DetectionActions {
        arguments: Block,
        definitions: Block,
        secrets_in_arguments: Off,
        secrets_in_results: Off,
        ..otherwise
    };
    assert_eq!(detection.otherwise, otherwise);
    let tools: Vec<_> = detection
        .tools
        .iter()
        .map(|entry| (entry.patterns.join(" "), entry.actions))
        .collect();
    assert_eq!(
        tools,
        [("get_* search".to_owned(), get), ("drop".to_owned(), drop)]
    );
    let approval = detection.approval.as_ref().unwrap();
    assert_eq!(
        (&approval.roles[..], approval.within_seconds),
        (&["security".to_owned()][..], 900)
    );
    let eu = documents.server("crm-eu").unwrap();
    assert_eq!(eu.detection, Detection::default());
    assert_eq!(eu.detection.otherwise.definitions, Log);
}

#[test]
fn a_shadow_has_the_rules_in_force_unless_it_has_its_own() {
    let documents = documents();
    let detectors = documents.detectors.unwrap();
    let names = |rules: &[UserRule]| -> Vec<(String, RuleRole)> {
        let rules = rules.iter();
        rules
            .map(|rule| (rule.name.clone(), rule.role.clone()))
            .collect()
    };
    let hosts = ("hosts".to_owned(), RuleRole::Finding { weight: 2.5 });
    let secret = |personal| ("badge".to_owned(), RuleRole::Secret { personal });
    assert_eq!(names(&detectors.rules), [hosts.clone(), secret(true)]);
    let shadow = detectors.shadow.as_ref().unwrap();
    assert_eq!(names(&shadow.rules), [hosts, secret(false)]);
    assert_eq!(shadow.rules.last().unwrap().pattern, "EMP-[0-9]{8}");
    assert_eq!(
        (&detectors.pack, shadow.pack.as_deref()),
        (&None, Some(Path::new("/etc/gatehold/next.pack")))
    );
    let mut digest: [u8; 32] = std::array::from_fn(|at| at as u8);
    digest[31] = 0xff;
    assert_eq!(detectors.allow, [digest]);
    assert_eq!(
        (detectors.on.join(" "), detectors.off.join(" ")),
        ("email".to_owned(), "card iban".to_owned())
    );
}

#[test]
fn everything_is_read() {
    let documents = documents();
    expect![[r#"
        valid: 2 servers, 1 issuer, 2 policies, 4 rules
          crm: /crm/mcp on gw.example.com, other.example.com, 4 rules
          crm-eu: /eu on any host, 2 rules
    "#]]
    .assert_eq(&Summary(&documents).to_string());
    let crm = documents.server("crm").unwrap();
    assert_eq!(crm.location.to_string(), "set.yaml:2:1");
    assert_eq!(crm.hosts, ["gw.example.com", "other.example.com"]);
    assert_eq!(crm.audiences, ["crm", "https://gw.example.com/crm/mcp"]);
    assert_eq!(crm.allowed_origins, ["https://app.example.com:8443"]);
    assert_eq!(crm.audit_arguments, AuditArguments::Digest);
    let limits = Limits {
        request_bytes: Some(1 << 20),
        response_bytes: Some(65536),
        event_bytes: Some(4 << 20),
        depth: Some(64),
        list_entries: Some(10_000),
    };
    assert_eq!(crm.limits, limits);
    let risks: Vec<_> = crm
        .policy
        .risks
        .iter()
        .map(|risk| (&risk.classes[..], &risk.tools[..]))
        .collect();
    assert_eq!(
        format!("{risks:?}"),
        r#"[(["destructive"], ["delete_*", "drop"]), (["read"], ["get_*"])]"#
    );
    let eu = documents.server("crm-eu").unwrap();
    assert_eq!(eu.audiences, [eu.resource.as_str()]);
    assert_eq!(eu.limits, Limits::default());
    let corp = documents.issuer("corp").unwrap();
    let discovery = "https://idp.example.com/.well-known/openid-configuration";
    assert_eq!(corp.keys, KeySource::Discovery(discovery.to_owned()));
    assert_eq!((corp.refresh_seconds, corp.clock_skew_seconds), (5400, 0));
    assert_eq!(
        (corp.claims.user.as_slice(), corp.claims.agent.len()),
        (&["email".to_owned()][..], 2)
    );
}

#[test]
fn the_console_and_webhooks_are_read() {
    let documents = documents();
    let console = documents.console.as_deref().unwrap();
    assert_eq!(console.location.to_string(), "set.yaml:57:1");
    let expected = ConsoleDocument {
        name: "console".to_owned(),
        location: console.location.clone(),
        url: "https://gatehold.example.com".to_owned(),
        sign_in: SignIn {
            issuer: "corp".to_owned(),
            client_id: "gatehold-console".to_owned(),
            client_secret_file: Some(PathBuf::from("/etc/gatehold/console.secret")),
            scopes: vec!["openid".to_owned(), "email".to_owned()],
        },
        api_audiences: vec!["gatehold-api".to_owned()],
        idle_seconds: 1800,
        longest_seconds: 8 * 3600,
    };
    assert_eq!(console, &expected);
    let [chat, pager] = documents.webhooks.as_slice() else {
        panic!("{:?}", documents.webhooks);
    };
    assert_eq!(
        (chat.name.as_str(), chat.format),
        ("chat", WebhookFormat::Slack)
    );
    assert_eq!(
        (chat.secret_file.as_ref(), chat.servers.as_slice()),
        (None, &["*".to_owned()][..])
    );
    assert_eq!(pager.url, "https://hooks.example.com/x?channel=1");
    assert_eq!(
        pager.secret_file,
        Some(PathBuf::from("/etc/gatehold/pager.secret"))
    );
    assert_eq!(pager.events, [WebhookEvent::Pending, WebhookEvent::Used]);
    let check = |webhook: &WebhookDocument, event, server: &str, expected: bool| {
        assert_eq!(
            webhook.wants(event, server),
            expected,
            "{} {event:?} {server}",
            webhook.name
        );
    };
    check(chat, WebhookEvent::Pending, "wiki", true);
    check(chat, WebhookEvent::Used, "wiki", false);
    check(pager, WebhookEvent::Used, "crm-eu", true);
    check(pager, WebhookEvent::Used, "wiki", false);
    check(pager, WebhookEvent::Denied, "crm", false);
}

#[test]
fn the_first_group_of_an_envoy_counts() {
    let digest = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";
    let text = format!(
        "apiVersion: gatehold.io/v1
kind: Filter
metadata: {{ name: filter }}
spec:
  versions:
    - {{ name: old, module: old.wasm, sha256: {digest} }}
    - {{ name: new, module: /srv/new.wasm, sha256: {digest} }}
    - {{ name: next, module: next/a.wasm, sha256: {digest} }}
  configuration: {{ control_cluster: control, audit_overflow: refuse, hold_seconds: 20 }}
  groups:
    - {{ name: one, nodes: {{ id: 'edge-7*' }}, version: next }}
    - {{ name: canary, nodes: {{ id: ['edge-*', rim], cluster: [canary] }}, version: new }}
  default: old
"
    );
    let documents = load(&[(PathBuf::from("documents/f.yaml"), text)]).unwrap();
    let filter = documents.filter.as_deref().unwrap();
    for (id, cluster, expected) in [
        ("edge-71", "canary", "next"),
        ("edge-71", "", "next"),
        ("edge-1", "canary", "new"),
        ("rim", "canary", "new"),
        ("rim-1", "canary", "old"),
        ("edge-1", "canary-2", "old"),
        ("", "", "old"),
    ] {
        assert_eq!(filter.version_of(id, cluster), expected, "{id} {cluster}");
    }
    let modules = filter.versions.iter().map(|version| &version.module);
    let modules: Vec<_> = modules.map(|path| path.to_str().unwrap()).collect();
    assert_eq!(
        modules,
        [
            "documents/old.wasm",
            "/srv/new.wasm",
            "documents/next/a.wasm"
        ]
    );
    let [version, ..] = filter.versions.as_slice() else {
        panic!("no versions");
    };
    assert_eq!((version.sha256[1], version.sha256[31]), (1, 255));
    assert_eq!(version.sha256_at.to_string(), "documents/f.yaml:6:46");
    assert_eq!(
        filter.configuration,
        r#"{"audit_overflow":"refuse","control_cluster":"control","hold_headers":true,"hold_seconds":20}"#
    );
    assert!(filter.hold_headers);
}

#[test]
fn options_of_approve_rules_are_read() {
    let rule = |options: &str| {
        let from = "by: { roles: finance-lead }, within: 15m";
        let text = SET.replace(from, options);
        assert_ne!(text, SET);
        let documents = load(&[(PathBuf::from("set.yaml"), text)]).unwrap();
        let rules = &documents.server("crm").unwrap().policy.rules;
        let RuleEffect::Approve(approval) = rules[3].effect.clone() else {
            panic!("{:?}", rules[3].effect);
        };
        approval
    };
    let approval = rule(
        "by: { roles: [a, b], users: [u], quorum: 2 }, within: 1d, reason: required, requester: may-approve",
    );
    let expected = Approval {
        roles: vec!["a".to_owned(), "b".to_owned()],
        users: vec!["u".to_owned()],
        within_seconds: 86_400,
        quorum: 2,
        reason_required: true,
        self_approval: true,
    };
    assert_eq!(approval, expected);
    let approval = rule("by: { users: [u] }, reason: optional, requester: may-not-approve");
    let expected = Approval {
        users: vec!["u".to_owned()],
        within_seconds: 900,
        quorum: 1,
        ..Approval::default()
    };
    assert_eq!(approval, expected);
}

#[test]
fn rules_are_specialized_per_server() {
    let documents = documents();
    let ids = |server: &str| -> Vec<String> {
        let rules = &documents.server(server).unwrap().policy.rules;
        rules.iter().map(|rule| rule.id.clone()).collect()
    };
    assert_eq!(
        ids("crm"),
        ["guard/1", "support/1", "support/small", "support/3"]
    );
    assert_eq!(ids("crm-eu"), ["guard/1", "support/small"]);
    let rules = &documents.server("crm").unwrap().policy.rules;
    assert_eq!(
        (&rules[0].targets.tools[..], &rules[0].targets.risks[..]),
        (&["*".to_owned()][..], &["destructive".to_owned()][..])
    );
    let RuleEffect::Approve(approval) = &rules[3].effect else {
        panic!("{:?}", rules[3].effect);
    };
    assert_eq!(
        (approval.within_seconds, approval.roles.as_slice()),
        (900, &["finance-lead".to_owned()][..])
    );
    assert_eq!(documents.rules.get("support/small").unwrap().line, 46);
}

#[test]
fn the_order_of_files_and_documents_does_not_matter() {
    let parts: Vec<_> = SET.split("\n---\n").collect();
    let file = |(index, part): (usize, &&str)| {
        (PathBuf::from(format!("{index}.yaml")), (*part).to_owned())
    };
    let mut files: Vec<_> = parts.iter().enumerate().map(file).collect();
    let one = load(&files).unwrap();
    files.reverse();
    assert_eq!(load(&files).unwrap(), one);
    let policies = |documents: &Documents| -> Vec<_> {
        documents
            .servers
            .iter()
            .map(|server| server.policy.clone())
            .collect()
    };
    assert_eq!(policies(&one), policies(&documents()));
}

/// A server that is not enforced says so wherever it is shown.
#[test]
fn shadow_mode_is_seen() {
    for (line, enforced) in [
        ("", true),
        ("enforce: true, ", true),
        ("enforce: false, ", false),
    ] {
        let yaml = format!(
            "apiVersion: gatehold.io/v1\nkind: Issuer\nmetadata: {{ name: corp }}\nspec: {{ issuer: https://idp.example.com }}\n---\n\
             apiVersion: gatehold.io/v1\nkind: Server\nmetadata: {{ name: crm }}\n\
             spec: {{ {line}path: /crm/mcp, resource: https://gw.example.com/crm/mcp, issuers: [corp] }}\n"
        );
        let documents = load(&[("a.yaml".into(), yaml)]).unwrap();
        assert_eq!(documents.servers[0].enforce, enforced);
        let summary = Summary(&documents).to_string();
        assert_eq!(summary.contains("not enforced"), !enforced, "{summary}");
        let question = Question {
            server: "crm",
            principal: &Principal::default(),
            target: Target::Tool("x"),
            arguments: None,
            findings: None,
        };
        let explained = explain(&documents, &question).unwrap().to_string();
        assert_eq!(explained.contains("not enforced"), !enforced, "{explained}");
    }
}

fn explained(roles: &[&str], target: Target<'_>, arguments: Option<Value>) -> String {
    let principal = Principal {
        user: "ada".to_owned(),
        agent: "desk".to_owned(),
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
        ..Principal::default()
    };
    let arguments: Option<Map<_, _>> = arguments.and_then(|value| value.as_object().cloned());
    let question = Question {
        server: "crm",
        principal: &principal,
        target,
        arguments: arguments.as_ref(),
        findings: None,
    };
    explain(&documents(), &question).unwrap().to_string()
}

#[test]
fn explanations() {
    let refund = Target::Tool("refund");
    expect![[r#"
        allow: tool `refund` of server `crm` for user `ada` through agent `desk`, roles support
          because allowed by rule `support/small`
          shown in lists
          allow   support/small: matches (set.yaml:46:7)
          approve support/3: its condition is false (set.yaml:48:7)
          2 rules about other targets
    "#]]
    .assert_eq(&explained(
        &["support"],
        refund,
        Some(json!({ "amount": 50 })),
    ));
    expect![[r#"
        hold: tool `refund` of server `crm` for user `ada` through agent `desk`, roles support
          because approval required by rule `support/3`
          shown in lists
          allow   support/small: its condition is false (set.yaml:46:7)
          approve support/3: matches (set.yaml:48:7)
          2 rules about other targets
    "#]]
    .assert_eq(&explained(
        &["support"],
        refund,
        Some(json!({ "amount": 500 })),
    ));
    expect![[r#"
        deny: tool `refund` of server `crm` for user `ada` through agent `desk`, roles support
          because rule `support/3` could not be evaluated: there is no field `amount`: ask for it with `has` first
          shown in lists
          rule `support/small` failed: there is no field `amount`: ask for it with `has` first
          rule `support/3` failed: there is no field `amount`: ask for it with `has` first
          allow   support/small: its condition fails: there is no field `amount`: ask for it with `has` first (set.yaml:46:7)
          approve support/3: its condition fails: there is no field `amount`: ask for it with `has` first (set.yaml:48:7)
          2 rules about other targets
    "#]].assert_eq(&explained(&["support"], refund, Some(json!({}))));
    expect![[r#"
        depends on the arguments: tool `refund` of server `crm` for user `ada` through agent `desk`, roles support
          shown in lists
          allow   support/small: its condition depends on the arguments (set.yaml:46:7)
          approve support/3: its condition depends on the arguments (set.yaml:48:7)
          2 rules about other targets
    "#]]
    .assert_eq(&explained(&["support"], refund, None));
    expect![[r#"
        deny: tool `drop` of server `crm` for user `ada` through agent `desk`
          because denied by rule `guard/1`
          hidden in lists
          deny    guard/1: matches (set.yaml:55:7)
          allow   support/1: is about other subjects (set.yaml:45:7)
          allow   support/small: is about other subjects (set.yaml:46:7)
          approve support/3: is about other subjects (set.yaml:48:7)
    "#]]
    .assert_eq(&explained(&[], Target::Tool("drop"), None));
    expect![[r#"
        deny: resource `file:///x` of server `crm` for user `ada` through agent `desk`, roles support
          because no rule allows resource `file:///x`
          hidden in lists
          4 rules about other targets
    "#]].assert_eq(&explained(
        &["support"],
        Target::Resource("file:///x"),
        None,
    ));
    let principal = Principal::default();
    let question = Question {
        server: "crn",
        principal: &principal,
        target: refund,
        arguments: None,
        findings: None,
    };
    let error = explain(&documents(), &question).unwrap_err();
    expect!["there is no server `crn`: did you mean `crm`?"].assert_eq(&error.to_string());
}

#[test]
fn directories() {
    let directory = tempfile::tempdir().unwrap();
    let write =
        |name: &str, text: &[u8]| std::fs::write(directory.path().join(name), text).unwrap();
    write("set.yml", SET.as_bytes());
    write("notes.txt", b"no: document");
    write(".hidden.yaml", b"no: document");
    let files = read_dir(directory.path()).unwrap();
    assert_eq!(load(&files).unwrap().servers.len(), 2);
    write("also.yaml", b"kind: Sever\n");
    let files = read_dir(directory.path()).unwrap();
    let names: Vec<_> = files
        .iter()
        .filter_map(|(path, _)| path.file_name()?.to_str())
        .collect();
    assert_eq!(names, ["also.yaml", "set.yml"]);
    assert_eq!(load(&files).unwrap_err().list.len(), 4);
    write("also.yaml", b"\xff");
    assert!(matches!(
        read_dir(directory.path()),
        Err(ReadError::NotText { .. })
    ));
    assert!(matches!(
        read_dir(Path::new("/nonexistent")),
        Err(ReadError::Io { .. })
    ));
}

#[test]
fn the_documents_of_the_quick_start_are_valid() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../envoy/local/documents");
    let documents = load(&read_dir(&directory).unwrap()).map_err(|problems| problems.to_string());
    assert_eq!(documents.err(), None);
}
