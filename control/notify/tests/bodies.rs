//! What receivers get to read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use expect_test::{Expect, expect};
use gatehold_approvals::{State, Verdict, Vote};
use gatehold_documents::WebhookEvent;
use gatehold_notify::{message, slack, visible};
use proptest::prelude::*;
use serde_json::Value;

use support::{approval, person};

const PAGE: &str = "https://gatehold.example.com/approvals/x";

fn check(body: &Value, expected: Expect) {
    expected.assert_eq(&format!(
        "{}\n",
        serde_json::to_string_pretty(body).unwrap()
    ));
}

#[test]
fn our_own() {
    let mut approval = approval("x", State::Pending, 1_700_000_000_000);
    check(
        &message(
            WebhookEvent::Pending,
            &approval,
            Some(PAGE),
            1_700_000_000_001,
        ),
        expect![[r#"
            {
              "data": {
                "arguments": {
                  "amount": 500,
                  "order": "o-1"
                },
                "argumentsBytes": 28,
                "createdAt": "2023-11-14T22:13:20.000Z",
                "decidedAt": null,
                "endedReason": "",
                "expiresAt": "2023-11-14T22:28:20.000Z",
                "id": "x",
                "method": "tools/call",
                "requester": {
                  "agent": "desk-agent",
                  "issuer": "https://idp.example.com",
                  "roles": [
                    "support"
                  ],
                  "user": "ada"
                },
                "requirements": [
                  {
                    "quorum": 2,
                    "roles": [
                      "finance-lead"
                    ],
                    "users": [
                      "carol"
                    ]
                  }
                ],
                "risks": [
                  "financial"
                ],
                "rules": [
                  "support/large"
                ],
                "server": "crm",
                "state": "pending",
                "target": "refund",
                "traceId": "0af7651916cd43dd8448eb211c80319c",
                "url": "https://gatehold.example.com/approvals/x",
                "votes": []
              },
              "timestamp": "2023-11-14T22:13:20.001Z",
              "type": "approval.pending"
            }
        "#]],
    );
    approval.state = State::Denied;
    approval.decided_unix_millis = Some(1_700_000_060_000);
    approval.ended_reason = "not without a ticket".to_owned();
    approval.call.arguments = format!("{{\"text\":\"{}\"}}", "x".repeat(20_000));
    approval.votes.push(Vote {
        by: person("bob"),
        verdict: Verdict::Deny,
        reason: "not without a ticket".to_owned(),
        at_unix_millis: 1_700_000_060_000,
    });
    let body = message(WebhookEvent::Denied, &approval, None, 1_700_000_060_001);
    assert_eq!(body["data"]["arguments"], Value::Null);
    assert_eq!(body["data"]["argumentsBytes"], 20_011);
    check(
        &body["data"]["votes"],
        expect![[r#"
        [
          {
            "at": "2023-11-14T22:14:20.000Z",
            "reason": "not without a ticket",
            "user": "bob",
            "verdict": "deny"
          }
        ]
    "#]],
    );
}

#[test]
fn slacks() {
    let mut approval = approval("x", State::Pending, 1_700_000_000_000);
    check(
        &slack(WebhookEvent::Pending, &approval, Some(PAGE)),
        expect![[r#"
            {
              "blocks": [
                {
                  "text": {
                    "emoji": true,
                    "text": ":hourglass_flowing_sand: A call waits for approval",
                    "type": "plain_text"
                  },
                  "type": "header"
                },
                {
                  "fields": [
                    {
                      "text": "*Call*\n`refund` of `crm`",
                      "type": "mrkdwn",
                      "verbatim": true
                    },
                    {
                      "text": "*Who asks*\n`ada` through `desk-agent`",
                      "type": "mrkdwn",
                      "verbatim": true
                    },
                    {
                      "text": "*Risk*\n`financial`",
                      "type": "mrkdwn",
                      "verbatim": true
                    },
                    {
                      "text": "*Until*\n2023-11-14T22:28:20.000Z",
                      "type": "mrkdwn",
                      "verbatim": true
                    },
                    {
                      "text": "*Who decides*\n2 of `finance-lead`, `carol`",
                      "type": "mrkdwn",
                      "verbatim": true
                    }
                  ],
                  "type": "section"
                },
                {
                  "text": {
                    "text": "*Arguments*\n```{\"amount\":500,\"order\":\"o-1\"}```",
                    "type": "mrkdwn",
                    "verbatim": true
                  },
                  "type": "section"
                },
                {
                  "elements": [
                    {
                      "text": {
                        "text": "Look and decide",
                        "type": "plain_text"
                      },
                      "type": "button",
                      "url": "https://gatehold.example.com/approvals/x"
                    }
                  ],
                  "type": "actions"
                }
              ],
              "link_names": false,
              "text": "A call waits for approval: `refund` of `crm`, asked for by `ada`",
              "unfurl_links": false,
              "unfurl_media": false
            }
        "#]],
    );
    approval.state = State::Denied;
    approval.votes.push(Vote {
        by: person("bob"),
        verdict: Verdict::Deny,
        reason: "ask <!channel> first".to_owned(),
        at_unix_millis: 1_700_000_060_000,
    });
    check(
        &slack(WebhookEvent::Denied, &approval, None),
        expect![[r#"
        {
          "blocks": [
            {
              "text": {
                "emoji": true,
                "text": ":no_entry: A call was denied",
                "type": "plain_text"
              },
              "type": "header"
            },
            {
              "fields": [
                {
                  "text": "*Call*\n`refund` of `crm`",
                  "type": "mrkdwn",
                  "verbatim": true
                },
                {
                  "text": "*Who asks*\n`ada` through `desk-agent`",
                  "type": "mrkdwn",
                  "verbatim": true
                },
                {
                  "text": "*Risk*\n`financial`",
                  "type": "mrkdwn",
                  "verbatim": true
                },
                {
                  "text": "*Denied by*\n`bob`: `ask &lt;!channel&gt; first`",
                  "type": "mrkdwn",
                  "verbatim": true
                }
              ],
              "type": "section"
            },
            {
              "text": {
                "text": "*Arguments*\n```{\"amount\":500,\"order\":\"o-1\"}```",
                "type": "mrkdwn",
                "verbatim": true
              },
              "type": "section"
            }
          ],
          "link_names": false,
          "text": "A call was denied: `refund` of `crm`, asked for by `ada`",
          "unfurl_links": false,
          "unfurl_media": false
        }
    "#]],
    );
}

/// What is outside of code, and all that is inside.
fn outside_and_inside(text: &str) -> (String, String) {
    let (mut outside, mut inside) = (String::new(), String::new());
    for (index, part) in text.replace("```", "`").split('`').enumerate() {
        if index % 2 == 0 {
            outside.push_str(part);
        } else {
            inside.push_str(part);
        }
    }
    (outside, inside)
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "text" => found.push(text.clone()),
                    value => texts(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        _ => {}
    }
}

proptest! {
    /// Whatever a caller writes, it stays within code, cannot be markup, and all of it can be seen.
    #[test]
    fn nothing_of_a_caller_gets_out_of_its_code(
        hostile in prop_oneof![
            ".{0,80}",
            "(<!channel>|<@U1>|@here|`|```|\\*|_|~|&|<https://evil.example\\|ok>|https://evil.example|\n|\u{202e}|\u{200b}|x){0,12}",
        ],
        event in proptest::sample::select(&WebhookEvent::ALL[..]),
    ) {
        let mut approval = approval("x", State::Pending, 1_700_000_000_000);
        let plain = slack(event, &approval, Some(PAGE));
        approval.call.target = hostile.clone();
        approval.call.requester.user = hostile.clone();
        approval.call.requester.agent = format!("{hostile}.");
        approval.call.arguments = Value::from(hostile.clone()).to_string();
        approval.call.risks = vec![hostile.clone()];
        approval.ended_reason = hostile.clone();
        approval.votes.push(Vote { by: person(&hostile), verdict: Verdict::Approve, reason: hostile.clone(), at_unix_millis: 0 });
        let body = slack(event, &approval, Some(PAGE));
        let (mut before, mut after) = (Vec::new(), Vec::new());
        texts(&plain, &mut before);
        texts(&body, &mut after);
        for text in &after {
            let (outside, inside) = outside_and_inside(text);
            for bad in ["evil", "@", "<", ">", "channel", "\u{202e}", "\u{200b}"] {
                prop_assert!(!outside.contains(bad), "{bad} in {outside}");
            }
            for bad in ['<', '>', '\u{202e}', '\u{200b}', '\n'] {
                prop_assert!(!inside.contains(bad), "{bad:?} in {inside}");
            }
            prop_assert!(text.chars().count() < 3000, "{}", text.len());
        }
        let shown = visible(&hostile, 1000);
        prop_assert!(shown.chars().all(|c| !c.is_control()));
    }
}
