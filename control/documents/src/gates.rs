//! Gates that nobody could open: `approve` rules whose calls would wait for no one.

use gatehold_engine::{Approval, RuleEffect, Subjects};

use crate::problem::{Position, Report};
use crate::set::Set;
use crate::suggest::excerpt;

/// What is wrong with who may approve, as far as one rule tells. `at` is where approvers are named.
pub(crate) fn answerable(
    approval: &Approval,
    subjects: &Subjects,
    at: Position,
    report: &mut Report,
) {
    // Who has a role is known to the identity provider only.
    if !approval.roles.is_empty() || approval.users.is_empty() {
        return;
    }
    let needed = approval.quorum.max(1) as usize;
    let listed = approval.users.len();
    if needed > listed {
        let message = format!("`quorum` is {needed}, but `by` names {}", people(listed));
        let help = "name more users, add `roles`, or ask for fewer";
        report.add(at, message, help.to_owned());
        return;
    }
    if approval.self_approval {
        return;
    }
    let stuck = subjects.users.iter().find(|user| {
        let others = approval.users.iter().filter(|approver| approver != user);
        others.count() < needed
    });
    if let Some(user) = stuck {
        let user = excerpt(user);
        let message = format!("nobody could approve what `{user}` asks for");
        let help = "nobody approves what they ask for themselves: name more users, add `roles`, \
                    or allow it with `requester: may-approve`";
        report.add(at, message, help.to_owned());
    }
}

/// Somebody can sign in to answer, if anything is ever asked.
pub(crate) fn console(set: &Set, report: &mut Report) {
    if !set.consoles.is_empty() {
        return;
    }
    let rules = set.policies.iter().flat_map(|entry| {
        let rules = entry.spec.iter().flat_map(|spec| &spec.rules);
        rules.filter(|rule| matches!(rule.effect, RuleEffect::Approve(_)))
    });
    let servers = set.servers.iter().filter_map(|entry| entry.spec.as_ref());
    let detection = servers.filter_map(|spec| spec.detection_asks);
    let mut places: Vec<_> = rules.map(|rule| rule.at).chain(detection).collect();
    places.sort_unstable();
    if let Some(first) = places.first() {
        let message = match places.len() {
            1 => "approval is asked for, but nobody could sign in to approve".to_owned(),
            count => {
                format!(
                    "approval is asked for in {count} places, but nobody could sign in to approve"
                )
            }
        };
        let help = "add a Console document: `kind: Console` with \
                    `spec: { url: https://…, signIn: { issuer: …, clientId: … } }`";
        report.add(*first, message, help.to_owned());
    }
}

/// A token that an agent sends to a server must be of no use for deciding about what the agent asks.
pub(crate) fn audiences(set: &Set, report: &mut Report) {
    let servers = set.servers.iter().filter_map(|entry| {
        let spec = entry.spec.as_ref()?;
        Some((entry, spec))
    });
    for console in set.consoles.iter() {
        let Some(spec) = &console.spec else { continue };
        let decide = spec.api_audiences.iter().chain([&spec.client_id]);
        for audience in decide {
            let shared = servers
                .clone()
                .find(|(_, server)| server.audiences.contains(audience));
            if let Some((server, _)) = shared {
                let message = format!(
                    "tokens for `{}` could decide about calls: the audience `{}` is the server's and the console's",
                    server.name.value,
                    excerpt(audience)
                );
                let help = "give `api.audiences` and `signIn.clientId` of the console values that no server has";
                report.add(console.at, message, help.to_owned());
            }
        }
    }
}

fn people(number: usize) -> String {
    match number {
        1 => "one user".to_owned(),
        number => format!("{number} users"),
    }
}
