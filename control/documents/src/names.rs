//! The frame that all kinds of documents share: `apiVersion`, `kind`, `metadata`, `spec`.

use crate::fields::{self, Fields};
use crate::format;
use crate::problem::{At, Position, Report};
use crate::suggest::instead_of;
use crate::yaml::Node;

/// The version of all documents.
pub(crate) const API_VERSION: &str = "gatehold.io/v1";

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum DocumentKind {
    Server,
    Issuer,
    Policy,
    Console,
    Webhook,
    Detectors,
    Filter,
}

impl DocumentKind {
    /// The kind as it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Issuer => "Issuer",
            Self::Policy => "Policy",
            Self::Console => "Console",
            Self::Webhook => "Webhook",
            Self::Detectors => "Detectors",
            Self::Filter => "Filter",
        }
    }
}

/// A document whose frame has been read.
pub(crate) struct Document<'a> {
    pub(crate) kind: DocumentKind,
    pub(crate) at: Position,
    /// Absent when it is missing or wrong, which has been reported.
    pub(crate) name: Option<At<String>>,
    /// Absent when it is missing, which has been reported.
    pub(crate) spec: Option<&'a Node>,
}

/// Reads the frame. Nothing is returned when the kind of the document cannot be told.
pub(crate) fn document<'a>(node: &'a Node, report: &mut Report) -> Option<Document<'a>> {
    let known = ["apiVersion", "kind", "metadata", "spec"];
    let fields = Fields::new(node, "a document", &known, report)?;
    let help = format!("write `apiVersion: {API_VERSION}`");
    if let Some(version) = fields.require("apiVersion", "a document", &help, report) {
        fields::one_of(version, "`apiVersion`", &[(API_VERSION, ())], report);
    }
    let spec = fields.require(
        "spec",
        "a document",
        "write what it says under `spec:`",
        report,
    );
    let name = name(&fields, report);
    let help =
        "write `kind: Server`, `Issuer`, `Policy`, `Console`, `Webhook`, `Detectors` or `Filter`";
    let kind = fields.require("kind", "a document", help, report)?;
    let kinds = [
        DocumentKind::Server,
        DocumentKind::Issuer,
        DocumentKind::Policy,
        DocumentKind::Console,
        DocumentKind::Webhook,
        DocumentKind::Detectors,
        DocumentKind::Filter,
    ];
    let kinds = kinds.map(|kind| (kind.name(), kind));
    let kind = fields::one_of(kind, "`kind`", &kinds, report)?;
    Some(Document {
        kind,
        at: node.at,
        name,
        spec,
    })
}

fn name(fields: &Fields<'_>, report: &mut Report) -> Option<At<String>> {
    let help = "write `metadata: { name: … }`";
    let metadata = fields.require("metadata", "a document", help, report)?;
    let metadata = Fields::new(metadata, "`metadata`", &["name"], report)?;
    let name = metadata.require("name", "`metadata`", help, report)?;
    let text = fields::text(name, "`name`", report)?;
    checked(text, "name", format::name, report)
}

/// The value once its form has been checked; reports what to write instead.
pub(crate) fn checked(
    text: At<String>,
    what: &str,
    check: impl FnOnce(&str) -> Result<String, String>,
    report: &mut Report,
) -> Option<At<String>> {
    match check(&text.value) {
        Ok(value) => Some(At { value, at: text.at }),
        Err(help) => {
            let written = crate::suggest::excerpt(&text.value);
            report.add(text.at, format!("`{written}` is no valid {what}"), help);
            None
        }
    }
}

/// As [`checked`], for all; those that are not valid are left out.
pub(crate) fn all_checked(
    texts: Vec<At<String>>,
    what: &str,
    check: impl Fn(&str) -> Result<String, String>,
    report: &mut Report,
) -> Vec<At<String>> {
    let texts = texts.into_iter();
    texts
        .filter_map(|text| checked(text, what, &check, report))
        .collect()
}

/// The values without their places.
pub(crate) fn values(texts: Vec<At<String>>) -> Vec<String> {
    texts.into_iter().map(|text| text.value).collect()
}

/// Reports a reference to something that does not exist.
pub(crate) fn unknown(name: &At<String>, what: &str, known: &[&str], report: &mut Report) {
    let help = if known.is_empty() {
        format!("add a document of this kind; there is no {what} at all")
    } else {
        instead_of(&name.value, known)
    };
    let written = crate::suggest::excerpt(&name.value);
    report.add(name.at, format!("there is no {what} `{written}`"), help);
}
