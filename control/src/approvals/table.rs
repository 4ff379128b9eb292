//! Approvals as text for a terminal: nothing in it moves the cursor, hides or turns other text.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use gatehold_approvals::Finding;
use gatehold_console::api::{ApprovalJson, ListJson, MissingJson, RequirementJson};
use gatehold_console::text::{hidden_in, look_alike, one_line, plain};
use gatehold_console::view::{left, rows, seen};

/// Rows of a list, with heads; or a sentence when there are none.
pub(super) fn list(page: &ListJson, state: &str) -> String {
    if page.approvals.is_empty() {
        let what = if state == "pending" {
            "nothing waits"
        } else {
            "nothing is there"
        };
        return format!("{what} that you may see\n");
    }
    let mut lines = vec![
        [
            "ID", "STATE", "LEFT", "CALL", "RISK", "ASKED BY", "VOTES", "",
        ]
        .map(str::to_owned),
    ];
    for approval in &page.approvals {
        let is_open = matches!(approval.state.as_str(), "pending" | "approved");
        let requester = &approval.requester;
        let mut by = one_line(&requester.user, 24);
        if !requester.agent.is_empty() {
            let _ = write!(by, " through {}", one_line(&requester.agent, 24));
        }
        lines.push([
            one_line(&approval.id, 40),
            one_line(&approval.state, 12),
            if is_open {
                remaining(&approval.expires_at)
            } else {
                "-".to_owned()
            },
            format!(
                "{}/{}",
                one_line(&approval.server, 20),
                one_line(target(approval), 32)
            ),
            one_line(&approval.risks.join(","), 24),
            by,
            votes(approval),
            if approval.may_approve {
                "yours".to_owned()
            } else {
                String::new()
            },
        ]);
    }
    let mut text = columns(&lines);
    if let Some(next) = &page.next {
        let _ = writeln!(
            text,
            "\nthere are older ones: add --before {}",
            one_line(next, 40)
        );
    }
    text
}

/// Everything that is known of one.
pub(super) fn one(approval: &ApprovalJson) -> String {
    let mut text = String::new();
    let requester = &approval.requester;
    let mut field = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<12} {value}");
    };
    let expires = match approval.state.as_str() {
        "pending" | "approved" => format!(", {} left", remaining(&approval.expires_at)),
        _ => String::new(),
    };
    field("approval", plain(&approval.id));
    field("state", format!("{}{expires}", plain(&approval.state)));
    field("", plain(&approval.outcome));
    if !approval.ended_reason.is_empty() {
        field("because", plain(&approval.ended_reason));
    }
    field(
        "call",
        format!(
            "{} on {} ({})",
            plain(target(approval)),
            plain(&approval.server),
            plain(&approval.method)
        ),
    );
    field("risk", plain(&approval.risks.join(", ")));
    let through = match requester.agent.as_str() {
        "" => String::new(),
        agent => format!(" through {}", plain(agent)),
    };
    field(
        "asked by",
        format!(
            "{}{through}, roles: {}",
            plain(&requester.user),
            plain(&requester.roles.join(", "))
        ),
    );
    field("issuer", plain(&requester.issuer));
    field("rules", plain(&approval.rules.join(", ")));
    for (index, requirement) in approval.requirements.iter().enumerate() {
        let name = if index == 0 { "needs" } else { "" };
        field(name, needs(requirement, &approval.missing));
    }
    for vote in &approval.votes {
        let reason = if vote.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", plain(&vote.reason))
        };
        field(
            "vote",
            format!(
                "{} {} at {}{reason}",
                plain(&vote.user),
                plain(&vote.verdict),
                plain(&vote.at)
            ),
        );
    }
    let waits = match approval.waiting {
        0 => "nobody at this moment".to_owned(),
        1 => "one client at this moment".to_owned(),
        waiting => format!("{waiting} clients at this moment"),
    };
    field("waits", format!("{waits} ({})", plain(&approval.mechanism)));
    let findings = approval.findings.iter().cloned().map(Finding::from);
    for seen in seen(&findings.collect::<Vec<_>>()) {
        field("seen", plain(&seen.headline));
        field("", plain(&seen.features.join(", ")));
        if !seen.excerpt.is_empty() {
            field("", format!("\"{}\"", plain(&seen.excerpt)));
        }
    }
    field("asked", plain(&approval.created_at));
    field("expires", plain(&approval.expires_at));
    field("digest", plain(&approval.digest));
    field("page", plain(&approval.url));
    arguments(&mut text, approval);
    text
}

/// What a vote came to.
pub(super) fn voted(approval: &ApprovalJson, verdict: &str) -> String {
    let said = if verdict == "approve" {
        "approved"
    } else {
        "denied"
    };
    let call = format!("{} on {}", plain(target(approval)), plain(&approval.server));
    let mut text = format!("you have {said} {call}\n{}\n", plain(&approval.outcome));
    if approval.state == "pending" {
        for missing in &approval.missing {
            let _ = writeln!(
                text,
                "still missing: {} of {} from {}",
                missing.need - missing.have.min(missing.need),
                missing.need,
                whom(&missing.roles, &missing.users)
            );
        }
    }
    text
}

fn arguments(text: &mut String, approval: &ApprovalJson) {
    let Some(raw) = &approval.arguments else {
        text.push_str("\nthe call has no arguments\n");
        return;
    };
    text.push_str("\narguments\n");
    match rows(raw.get()) {
        Some((rows, more)) => {
            for row in rows {
                let value = match row.kind {
                    "text" => format!("\"{}\"", plain(&row.value)),
                    "object" | "list" => format!("({})", row.value),
                    _ => plain(&row.value),
                };
                let _ = writeln!(
                    text,
                    "  {:indent$}{}: {value}",
                    "",
                    plain(&row.key),
                    indent = row.depth * 2
                );
            }
            if more > 0 {
                let _ = writeln!(text, "  … and {more} more entries; --json prints all");
            }
        }
        None => {
            let _ = writeln!(text, "  {}", plain(raw.get()));
        }
    }
    let requester = &approval.requester;
    for (place, value) in [
        ("arguments", raw.get()),
        ("user", requester.user.as_str()),
        ("agent", requester.agent.as_str()),
        ("target", approval.target.as_str()),
    ] {
        for (code, name, count) in hidden_in(value) {
            let _ = writeln!(text, "! {place}: {count} × {name} ({code})");
        }
        if let Some(note) = look_alike(value) {
            let _ = writeln!(text, "! {place}: {}", plain(&note));
        }
    }
}

fn target(approval: &ApprovalJson) -> &str {
    if approval.target.is_empty() {
        &approval.method
    } else {
        &approval.target
    }
}

fn votes(approval: &ApprovalJson) -> String {
    let furthest = approval
        .missing
        .iter()
        .max_by_key(|missing| missing.need.saturating_sub(missing.have));
    match furthest {
        Some(missing) => format!("{} of {}", missing.have, missing.need),
        None => approval.votes.len().to_string(),
    }
}

fn needs(requirement: &RequirementJson, missing: &[MissingJson]) -> String {
    let RequirementJson {
        roles,
        users,
        quorum,
        ..
    } = requirement;
    let is_this = |missing: &&MissingJson| {
        missing.roles == *roles && missing.users == *users && missing.need == *quorum
    };
    let have = missing
        .iter()
        .find(is_this)
        .map_or(*quorum, |missing| missing.have);
    let reason = if requirement.reason_required {
        ", with a reason"
    } else {
        ""
    };
    let own = if requirement.requester_may_approve {
        ", the requester too"
    } else {
        ""
    };
    format!(
        "{have} of {quorum} from {}{reason}{own}",
        whom(roles, users)
    )
}

fn whom(roles: &[String], users: &[String]) -> String {
    let roles = roles.iter().map(|role| format!("role {}", plain(role)));
    let all: Vec<_> = roles.chain(users.iter().map(|user| plain(user))).collect();
    all.join(" or ")
}

fn remaining(expires_at: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    match gatehold_console::view::millis(expires_at) {
        Some(until) => left(u64::try_from(now).unwrap_or(u64::MAX), until),
        None => "?".to_owned(),
    }
}

/// Columns as wide as what is in them, two blanks apart.
pub(crate) fn columns<const N: usize>(lines: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines {
        let cells = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehold_console::text::is_hidden;
    use serde_json::json;

    fn approval(user: &str) -> ApprovalJson {
        serde_json::from_value(json!({
            "id": "abc", "url": "https://g.example.com/approvals/abc", "state": "pending", "outcome": "Nothing happens.",
            "endedReason": "", "server": "crm", "method": "tools/call", "target": "refund",
            "arguments": { "amount": 4800, "memo": format!("hi {user}"), "lines": [{ "sku": "x" }] },
            "digest": "00", "risks": ["financial"],
            "requester": { "issuer": "corporate", "user": user, "agent": "crm-agent", "roles": ["support"] },
            "rules": ["refunds/large"],
            "requirements": [{ "roles": ["finance-lead"], "users": [], "quorum": 2, "reasonRequired": true, "requesterMayApprove": false }],
            "missing": [{ "roles": ["finance-lead"], "users": [], "have": 1, "need": 2 }],
            "votes": [{ "user": "dave", "verdict": "approve", "reason": "fine", "at": "2026-11-23T00:15:04Z" }],
            "mayApprove": true, "mayDeny": true, "mechanism": "rounds", "waiting": 1,
            "createdAt": "2026-11-23T00:15:04Z", "expiresAt": "2020-11-23T00:15:04Z", "policyVersion": "v1",
            "era": "modern", "traceId": "", "eventId": "e",
            "findings": [{
                "kind": "result", "subject": "fetch", "score": 0.9871, "flagged": true, "start": 1, "end": 2,
                "features": ["override.instructions", "secret:card"], "excerpt": format!("forget {user}"),
                "shadow": false
            }]
        }))
        .unwrap()
    }

    #[test]
    fn a_list() {
        let page = ListJson {
            approvals: vec![approval("alice")],
            next: Some("abc".to_owned()),
        };
        expect_test::expect![[r#"
            ID   STATE    LEFT  CALL        RISK       ASKED BY                 VOTES
            abc  pending  over  crm/refund  financial  alice through crm-agent  1 of 2  yours

            there are older ones: add --before abc
        "#]]
        .assert_eq(&list(&page, "pending"));
        let none = ListJson {
            approvals: Vec::new(),
            next: None,
        };
        assert_eq!(list(&none, "pending"), "nothing waits that you may see\n");
    }

    #[test]
    fn one_of_them() {
        expect_test::expect![[r#"
            approval     abc
            state        pending, over left
                         Nothing happens.
            call         refund on crm (tools/call)
            risk         financial
            asked by     alice through crm-agent, roles: support
            issuer       corporate
            rules        refunds/large
            needs        1 of 2 from role finance-lead, with a reason
            vote         dave approve at 2026-11-23T00:15:04Z: fine
            waits        one client at this moment (rounds)
            seen         In a result of fetch: looks like an attack (0.987)
                         override.instructions, secret:card
                         "forget alice"
            asked        2026-11-23T00:15:04Z
            expires      2020-11-23T00:15:04Z
            digest       00
            page         https://g.example.com/approvals/abc

            arguments
              amount: 4800
              lines: (1 item)
                [0]: (1 entry)
                  sku: "x"
              memo: "hi alice"
        "#]]
        .assert_eq(&one(&approval("alice")));
    }

    #[test]
    fn nothing_hidden_reaches_the_terminal() {
        let bait = "x\u{1b}[2J\u{202e}\u{200b}\u{e0041}\ny\u{7}";
        let approval = approval(bait);
        let page = ListJson {
            approvals: vec![approval.clone()],
            next: Some(bait.to_owned()),
        };
        for text in [
            one(&approval),
            list(&page, bait),
            voted(&approval, "approve"),
        ] {
            let hidden: Vec<_> = text
                .chars()
                .filter(|char| is_hidden(*char) && *char != '\n')
                .collect();
            assert!(hidden.is_empty(), "{hidden:?} in {text}");
        }
        assert!(one(&approval).contains("! user: 1 × right-to-left override (U+202E)"));
    }
}
