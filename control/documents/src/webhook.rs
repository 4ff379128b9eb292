//! `kind: Webhook`.

use std::path::PathBuf;

use crate::documents::{WebhookEvent, WebhookFormat};
use crate::fields::{self, Fields};
use crate::format;
use crate::names::{all_checked, checked};
use crate::problem::{At, Report};
use crate::suggest::{excerpt, instead_of};
use crate::yaml::Node;

/// The `spec` of a webhook.
#[derive(Debug)]
pub(crate) struct WebhookSpec {
    pub(crate) url: String,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) format: WebhookFormat,
    pub(crate) events: Vec<WebhookEvent>,
    /// Empty when the document does not say: all of them.
    pub(crate) servers: Vec<At<String>>,
}

/// Reads the `spec`; nothing when a required field is missing or wrong.
pub(crate) fn webhook(spec: &Node, report: &mut Report) -> Option<WebhookSpec> {
    let what = "a webhook's `spec`";
    let known = ["url", "secretFile", "format", "events", "servers"];
    let fields = Fields::new(spec, what, &known, report)?;
    let help = "write where messages are posted: `url: https://hooks.example.com/gatehold`";
    let url = fields.require("url", what, help, report);
    let url = url.and_then(|node| fields::text(node, "`url`", report));
    let url = url.and_then(|text| checked(text, "address of a webhook", format::hook, report));
    let known = [
        ("gatehold", WebhookFormat::Gatehold),
        ("slack", WebhookFormat::Slack),
    ];
    let format = fields.get("format");
    let format = format.and_then(|node| fields::one_of(node, "`format`", &known, report));
    let format = format.unwrap_or_default();
    let secret_file = match (fields.get("secretFile"), format) {
        (Some(node), _) => Some(fields::file(node, "`secretFile`", report)?),
        // There the address is the secret.
        (None, WebhookFormat::Slack) => None,
        (None, WebhookFormat::Gatehold) => {
            let help = "name the file of the secret that messages are signed with, such as \
                        `secretFile: /etc/gatehold/pager.secret`";
            fields.require("secretFile", what, help, report);
            return None;
        }
    };
    let events = fields.get("events").map(|node| events(node, report));
    let servers = fields.get("servers").map(|node| {
        let texts = fields::some_texts(node, "`servers`", report);
        all_checked(texts, "pattern", format::glob, report)
    });
    Some(WebhookSpec {
        url: url?.value,
        secret_file,
        format,
        events: events.unwrap_or_else(|| vec![WebhookEvent::Pending]),
        servers: servers.unwrap_or_default(),
    })
}

fn events(node: &Node, report: &mut Report) -> Vec<WebhookEvent> {
    let known = WebhookEvent::ALL.map(WebhookEvent::as_str);
    let mut events = Vec::new();
    for name in fields::some_texts(node, "`events`", report) {
        let mut all = WebhookEvent::ALL.into_iter();
        match all.find(|event| event.as_str() == name.value) {
            Some(event) => events.push(event),
            None => {
                let message = format!("there is no event `{}`", excerpt(&name.value));
                report.add(name.at, message, instead_of(&name.value, &known));
            }
        }
    }
    events.sort_unstable();
    events
}
