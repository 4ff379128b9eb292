//! Documents, events and calls.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gatehold_documents::{Documents, load};
use gatehold_engine::{Arguments, Decision, Effect, Principal, Query, ServerPolicy, Target};
use gatehold_shadow::{By, Existing, Observation, Plan, Planner};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

pub(crate) const SERVERS: [&str; 2] = ["crm", "hr"];

/// The servers' documents, with these beside them.
pub(crate) fn load_with(policies: &[&str]) -> Result<Documents, String> {
    let mut yaml = String::from(
        "apiVersion: gatehold.io/v1\nkind: Issuer\nmetadata: { name: corp }\nspec: { issuer: https://idp.example.com }\n",
    );
    for server in SERVERS {
        yaml.push_str(&format!(
            "---\napiVersion: gatehold.io/v1\nkind: Server\nmetadata: {{ name: {server} }}\n\
             spec: {{ path: /{server}, resource: https://gw.example.com/{server}, issuers: [corp], \
             risk: {{ destructive: [drop] }} }}\n"
        ));
    }
    let mut files = vec![(PathBuf::from("servers.yaml"), yaml)];
    for (number, policy) in policies.iter().enumerate() {
        files.push((
            PathBuf::from(format!("{number}.yaml")),
            (*policy).to_owned(),
        ));
    }
    load(&files).map_err(|problems| problems.to_string())
}

/// The servers' documents, and what is proposed beside them.
pub(crate) fn documents(plan: &Plan) -> Documents {
    let proposed = plan.to_string();
    load_with(&[&proposed]).unwrap_or_else(|problems| panic!("{problems}\n{proposed}"))
}

/// What a proposal is put beside.
pub(crate) fn existing(documents: &Documents) -> Existing {
    let mut existing = Existing::default();
    for server in &documents.servers {
        existing.add(&server.policy).unwrap();
    }
    existing
}

/// Servers without a policy.
pub(crate) fn nothing() -> Existing {
    existing(&load_with(&[]).unwrap())
}

/// What decides, by the name of the server.
pub(crate) fn policies(documents: &Documents) -> BTreeMap<String, ServerPolicy> {
    let policies = documents.servers.iter().map(|server| {
        (
            server.name.clone(),
            ServerPolicy::new(server.policy.clone()).unwrap(),
        )
    });
    policies.collect()
}

pub(crate) fn seen(line: Value) -> Observation {
    let mut whole = json!({
        "kind": "decision", "sender": "a", "time": "2026-01-02T03:04:05.000000006Z", "server": "crm",
        "era": "modern", "method": "tools/call", "target": "get", "user": "alice", "agent": "desk",
        "roles": ["support"], "effect": "deny", "rules": [], "refusal": "hidden", "outcome": "ok",
        "enforced": false,
    });
    let fields = whole.as_object_mut().unwrap();
    fields.extend(line.as_object().unwrap().clone());
    Observation::parse(&whole.to_string()).unwrap().unwrap()
}

pub(crate) fn plan(by: By, observations: &[Observation]) -> Plan {
    let mut planner = Planner::new(by, None);
    for observation in observations {
        planner.add(observation);
    }
    planner.plan(&nothing())
}

/// One call of somebody.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) who: usize,
    pub(crate) server: usize,
    pub(crate) method: &'static str,
    pub(crate) name: String,
    /// Its only argument.
    pub(crate) amount: u32,
}

pub(crate) fn calls() -> impl Strategy<Value = Vec<Call>> {
    let method = prop::sample::select(vec![
        "tools/call",
        "resources/read",
        "prompts/get",
        "custom/a",
        "custom/b",
    ]);
    let amount = prop::sample::select(vec![50, 100_000]);
    let call = (0..6_usize, 0..2_usize, method, name(), amount);
    let call = call.prop_map(|(who, server, method, name, amount)| Call {
        who,
        server,
        method,
        name,
        amount,
    });
    prop::collection::vec(call, 1..40)
}

pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec!["get", "set", "drop", "docs://a", "get*", "*", "g t"])
            .prop_map(str::to_owned),
        1 => "[ -~\u{e9}\u{202e}\n\u{1f600}\\*]{1,6}",
    ]
}

/// Who there is: user, agent, roles. Some users and agents are odd, and one user has two agents.
pub(crate) fn people() -> impl Strategy<Value = Vec<Principal>> {
    let roles = || prop::sample::subsequence(vec!["support", "lead", "o'dd *"], 0..=3);
    prop::collection::vec(roles(), 5).prop_map(|roles| {
        let who = [
            ("alice", "desk", 0),
            ("alice", "shell", 0),
            ("bob", "desk", 1),
            ("carol", "", 2),
            ("dave", "desk", 3),
            ("eve * \"x\"", "odd\tone", 4),
        ];
        let people = who.map(|(user, agent, of)| Principal {
            user: user.to_owned(),
            agent: agent.to_owned(),
            roles: roles[of].iter().map(|&role| role.to_owned()).collect(),
            groups: Vec::new(),
            claims: Map::new(),
        });
        people.to_vec()
    })
}

pub(crate) fn target(call: &Call) -> Target<'_> {
    match call.method {
        "tools/call" => Target::Tool(&call.name),
        "resources/read" => Target::Resource(&call.name),
        "prompts/get" => Target::Prompt(&call.name),
        method => Target::Method(method),
    }
}

pub(crate) fn decide(
    policies: &BTreeMap<String, ServerPolicy>,
    people: &[Principal],
    call: &Call,
) -> Decision {
    let mut arguments = Map::new();
    arguments.insert("amount".to_owned(), call.amount.into());
    let query = Query {
        principal: &people[call.who],
        target: target(call),
        arguments: Arguments::Known(&arguments),
        findings: None,
    };
    policies[SERVERS[call.server]].decide(&query)
}

pub(crate) fn allows(
    policies: &BTreeMap<String, ServerPolicy>,
    people: &[Principal],
    call: &Call,
) -> bool {
    decide(policies, people, call).effect == Effect::Allow
}
