//! `detection` of a server: what is done about what is seen in its traffic.

use gatehold_engine::Subjects;

use crate::documents::{Detection, DetectionAction, DetectionActions, ToolDetection};
use crate::fields::{self, Fields};
use crate::format;
use crate::names::{all_checked, values};
use crate::policy;
use crate::problem::{Position, Report};
use crate::yaml::{Kind, Node};

/// Actions as they are written.
const ACTIONS: [(&str, DetectionAction); 5] = [
    ("off", DetectionAction::Off),
    ("log", DetectionAction::Log),
    ("redact", DetectionAction::Redact),
    ("approve", DetectionAction::Approve),
    ("block", DetectionAction::Block),
];

/// What an entry says itself; the rest is that of the server.
#[derive(Clone, Copy, Default)]
struct Said {
    arguments: Option<DetectionAction>,
    results: Option<DetectionAction>,
    definitions: Option<DetectionAction>,
    secrets_in_arguments: Option<DetectionAction>,
    secrets_in_results: Option<DetectionAction>,
}

/// Reads `detection`, and where it first asks for approval.
pub(crate) fn detection(node: &Node, report: &mut Report) -> Option<(Detection, Option<Position>)> {
    if matches!(node.kind, Kind::Scalar(_)) {
        let known = [("off", DetectionAction::Off), ("log", DetectionAction::Log)];
        let action = fields::one_of(node, "`detection`", &known, report)?;
        let detection = Detection {
            otherwise: all(action),
            ..Detection::default()
        };
        return Some((detection, None));
    }
    let known = [
        "arguments",
        "results",
        "definitions",
        "secrets",
        "tools",
        "approval",
    ];
    let fields = Fields::new(node, "`detection`", &known, report)?;
    let mut asks = None;
    let otherwise = said(&fields, &mut asks, report).over(DetectionActions::default());
    let tools = fields.get("tools");
    let tools = tools.map(|node| tools_of(node, otherwise, &mut asks, report));
    let approval = fields.get("approval").and_then(|node| {
        let known = ["by", "within", "reason", "requester"];
        let fields = Fields::new(node, "`approval`", &known, report)?;
        // Any caller of the server may be the one whose call waits.
        let approval = policy::approval(&fields, "`approval`", &Subjects::default(), report);
        Some((node.at, approval))
    });
    match (asks, &approval) {
        (Some(at), None) => {
            let help = "say who approves: `approval: { by: { roles: [security] }, within: 15m }`";
            report.add(
                at,
                "`approve` needs an `approval` under `detection`",
                help.to_owned(),
            );
        }
        (None, Some((at, _))) => {
            let help = "write `approve` where calls are to wait, or remove `approval`";
            report.add(
                *at,
                "`approval` is of no use: no action is `approve`",
                help.to_owned(),
            );
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    let detection = Detection {
        otherwise,
        tools: tools.unwrap_or_default(),
        approval: approval.map(|(_, approval)| approval),
    };
    Some((detection, asks))
}

fn tools_of(
    node: &Node,
    otherwise: DetectionActions,
    asks: &mut Option<Position>,
    report: &mut Report,
) -> Vec<ToolDetection> {
    let Kind::List(items) = &node.kind else {
        let message = format!("`tools` must be a list, found {}", node.describe());
        let help = "begin each entry with `- `: `- { match: [\"get_*\"], results: redact }`";
        report.add(node.at, message, help.to_owned());
        return Vec::new();
    };
    let entries = items.iter().filter_map(|item| {
        let known = ["match", "arguments", "results", "definitions", "secrets"];
        let what = "an entry of `tools`";
        let fields = Fields::new(item, what, &known, report)?;
        let help = "name tools, prompts or resources: `match: [\"get_*\"]`";
        let patterns = fields.require("match", what, help, report)?;
        let patterns = fields::some_texts(patterns, "`match`", report);
        let patterns = values(all_checked(patterns, "pattern", format::glob, report));
        if known.iter().skip(1).all(|name| fields.get(name).is_none()) {
            let help = "add `arguments`, `results`, `definitions` or `secrets`";
            report.add(item.at, format!("{what} says no action"), help.to_owned());
        }
        Some(ToolDetection {
            patterns,
            actions: said(&fields, asks, report).over(otherwise),
        })
    });
    entries.collect()
}

/// The actions that are written, and in `asks` where the first is that asks for approval.
fn said(fields: &Fields<'_>, asks: &mut Option<Position>, report: &mut Report) -> Said {
    let mut action = |fields: &Fields<'_>, name: &str, report: &mut Report| {
        let node = fields.get(name)?;
        let action = fields::one_of(node, &format!("`{name}`"), &ACTIONS, report)?;
        if action == DetectionAction::Approve {
            asks.get_or_insert(node.at);
        }
        Some((node.at, action))
    };
    let arguments = action(fields, "arguments", report);
    if let Some((at, DetectionAction::Redact)) = arguments {
        let help = "use `approve` or `block`; secrets alone can be taken out: \
                    `secrets: { arguments: redact }`";
        let message = "`arguments` cannot be `redact`: without the words it would be another call";
        report.add(at, message, help.to_owned());
    }
    let results = action(fields, "results", report);
    let definitions = action(fields, "definitions", report);
    let (in_arguments, in_results) = match fields.get("secrets") {
        None => (None, None),
        // One word for both.
        Some(node) if matches!(node.kind, Kind::Scalar(_)) => {
            let both = action(fields, "secrets", report);
            (both, both)
        }
        Some(node) => match Fields::new(node, "`secrets`", &["arguments", "results"], report) {
            Some(fields) => (
                action(&fields, "arguments", report),
                action(&fields, "results", report),
            ),
            None => (None, None),
        },
    };
    let only = |found: Option<(Position, DetectionAction)>| found.map(|(_, action)| action);
    Said {
        arguments: only(arguments),
        results: only(results),
        definitions: only(definitions),
        secrets_in_arguments: only(in_arguments),
        secrets_in_results: only(in_results),
    }
}

impl Said {
    fn over(self, otherwise: DetectionActions) -> DetectionActions {
        DetectionActions {
            arguments: self.arguments.unwrap_or(otherwise.arguments),
            results: self.results.unwrap_or(otherwise.results),
            definitions: self.definitions.unwrap_or(otherwise.definitions),
            secrets_in_arguments: self
                .secrets_in_arguments
                .unwrap_or(otherwise.secrets_in_arguments),
            secrets_in_results: self
                .secrets_in_results
                .unwrap_or(otherwise.secrets_in_results),
        }
    }
}

fn all(action: DetectionAction) -> DetectionActions {
    DetectionActions {
        arguments: action,
        results: action,
        definitions: action,
        secrets_in_arguments: action,
        secrets_in_results: action,
    }
}
