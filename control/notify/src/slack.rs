//! The body that incoming webhooks of Slack understand, and others that follow it.
//!
//! Nothing that a caller wrote stands outside of code, where neither mentions nor links are looked for, and it cannot
//! end the code: it holds no backtick and nothing that Slack reads as markup.

use gatehold_approvals::Approval;
use gatehold_documents::WebhookEvent;
use serde_json::{Value, json};

use crate::message::time;
use crate::visible::visible;

/// Characters of arguments that are shown.
const ARGUMENTS: usize = 1200;
/// Characters of a name that are shown.
const NAME: usize = 120;

/// The JSON body that tells of an event. `page` is the address of the approval for people.
#[must_use]
pub fn slack(event: WebhookEvent, approval: &Approval, page: Option<&str>) -> Value {
    let call = &approval.call;
    let (title, emoji) = title(event);
    let what = code(if call.target.is_empty() {
        &call.method
    } else {
        &call.target
    });
    let server = code(&call.server);
    let requester = &call.requester;
    let mut who = format!("*Who asks*\n{}", code(&requester.user));
    if !requester.agent.is_empty() {
        who.push_str(&format!(" through {}", code(&requester.agent)));
    }
    let risks = match call.risks.as_slice() {
        [] => "none given".to_owned(),
        risks => risks
            .iter()
            .map(|risk| code(risk))
            .collect::<Vec<_>>()
            .join(" "),
    };
    let mut fields = vec![
        text(&format!("*Call*\n{what} of {server}")),
        text(&who),
        text(&format!("*Risk*\n{risks}")),
    ];
    match event {
        WebhookEvent::Pending => {
            fields.push(text(&format!(
                "*Until*\n{}",
                time(approval.expires_unix_millis)
            )));
            fields.push(text(&format!("*Who decides*\n{}", deciders(approval))));
        }
        _ => fields.extend(outcome(approval).map(|outcome| text(&outcome))),
    }
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": format!("{emoji} {title}"), "emoji": true } }),
        json!({ "type": "section", "fields": fields }),
    ];
    if !matches!(call.arguments.as_str(), "" | "{}") {
        let shown = harmless(&visible(&call.arguments, ARGUMENTS), 2 * ARGUMENTS);
        blocks.push(
            json!({ "type": "section", "text": text(&format!("*Arguments*\n```{shown}```")) }),
        );
    }
    if let Some(page) = page {
        let label = if event == WebhookEvent::Pending {
            "Look and decide"
        } else {
            "Look"
        };
        blocks.push(json!({
            "type": "actions",
            "elements": [{
                "type": "button",
                "text": { "type": "plain_text", "text": label },
                "url": page,
            }],
        }));
    }
    json!({
        "text": format!("{title}: {what} of {server}, asked for by {}", code(&requester.user)),
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
        "link_names": false,
    })
}

fn title(event: WebhookEvent) -> (&'static str, &'static str) {
    match event {
        WebhookEvent::Pending => ("A call waits for approval", ":hourglass_flowing_sand:"),
        WebhookEvent::Approved => ("A call was approved", ":white_check_mark:"),
        WebhookEvent::Denied => ("A call was denied", ":no_entry:"),
        WebhookEvent::Expired => ("Nobody decided in time about a call", ":alarm_clock:"),
        WebhookEvent::Withdrawn => ("A call was withdrawn", ":leftwards_arrow_with_hook:"),
        WebhookEvent::Superseded => (
            "Policy or tool changed while a call waited",
            ":arrows_counterclockwise:",
        ),
        WebhookEvent::Used => ("An approved call went through", ":arrow_forward:"),
    }
}

/// Who may decide. Names stand in documents, but are treated as any others.
fn deciders(approval: &Approval) -> String {
    let missing = approval.missing();
    let needs = missing.iter().map(|missing| {
        let roles = missing.roles.iter().map(|role| code(role));
        let users = missing.users.iter().map(|user| code(user));
        let names = roles.chain(users).take(8).collect::<Vec<_>>().join(", ");
        match missing.need.saturating_sub(missing.have) {
            0 | 1 => names,
            more => format!("{more} of {names}"),
        }
    });
    needs.collect::<Vec<_>>().join("; and ")
}

/// Who decided and why, if anybody did.
fn outcome(approval: &Approval) -> Option<String> {
    if let Some(vote) = approval.votes.last() {
        let why = match vote.reason.trim() {
            "" => String::new(),
            reason => format!(": {}", code(reason)),
        };
        return Some(format!(
            "*{}*\n{}{why}",
            verdict(vote.verdict.as_str()),
            code(&vote.by.user)
        ));
    }
    match approval.ended_reason.trim() {
        "" => None,
        reason => Some(format!("*Why*\n{}", code(reason))),
    }
}

fn verdict(verdict: &str) -> &'static str {
    match verdict {
        "approve" => "Approved by",
        _ => "Denied by",
    }
}

fn text(text: &str) -> Value {
    // `verbatim` keeps Slack from looking for links, channels and mentions.
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

/// As code within a line.
fn code(text: &str) -> String {
    let shown = harmless(&visible(text, NAME), 2 * NAME);
    match shown.trim() {
        "" => "—".to_owned(),
        _ => format!("`{shown}`"),
    }
}

/// Without what Slack reads as markup, and what ends code; at most so many characters, escapes counted: Slack takes no
/// message with a longer text, and a caller must not be able to keep one from being sent.
fn harmless(text: &str, most: usize) -> String {
    let mut harmless = String::with_capacity(text.len());
    let mut left = most.saturating_sub(1);
    for character in text.chars() {
        let mut unescaped = [0; 4];
        let escaped = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '`' => "'",
            character => character.encode_utf8(&mut unescaped),
        };
        let Some(less) = left.checked_sub(escaped.chars().count()) else {
            harmless.push('…');
            break;
        };
        left = less;
        harmless.push_str(escaped);
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_cut_between_escapes() {
        for (text, most, expected) in [
            ("a<b", 10, "a&lt;b"),
            ("&&&", 11, "&amp;&amp;…"),
            ("a`b", 3, "a'…"),
            ("", 3, ""),
        ] {
            assert_eq!(harmless(text, most), expected, "{text}");
            assert!(harmless(text, most).chars().count() <= most);
        }
    }
}
