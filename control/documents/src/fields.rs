//! Reading typed values from the tree; every mismatch is reported where it is written.

use std::path::PathBuf;
use std::str::FromStr;

use crate::problem::{At, Position, Report};
use crate::suggest::{excerpt, instead_of};
use crate::yaml::{Kind, Node, Value};

/// The entries of a map with fixed fields.
pub(crate) struct Fields<'a> {
    /// Where the map begins; missing fields are reported there.
    pub(crate) at: Position,
    node: &'a Node,
}

impl<'a> Fields<'a> {
    /// The map, once fields that are not among the `known` ones have been reported.
    pub(crate) fn new(
        node: &'a Node,
        what: &str,
        known: &[&str],
        report: &mut Report,
    ) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            let message = format!("{what} must be a mapping, found {}", node.describe());
            let example = known.first().copied().unwrap_or("name");
            report.add(
                node.at,
                message,
                format!("write its fields, such as `{example}: …`"),
            );
            return None;
        };
        for (key, _) in entries {
            if !known.contains(&key.text.as_str()) {
                let name = excerpt(&key.text);
                report.add(
                    key.at,
                    format!("{what} has no field `{name}`"),
                    instead_of(&key.text, known),
                );
            }
        }
        Some(Self { at: node.at, node })
    }

    /// The field's value, if it is given.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Node> {
        let Kind::Map(entries) = &self.node.kind else {
            return None;
        };
        let mut entries = entries.iter();
        entries
            .find(|(key, _)| key.text == name)
            .map(|(_, node)| node)
    }

    /// The field's value; reports when it is missing.
    pub(crate) fn require(
        &self,
        name: &str,
        what: &str,
        help: &str,
        report: &mut Report,
    ) -> Option<&'a Node> {
        let node = self.get(name);
        if node.is_none() {
            report.add(self.at, format!("{what} needs `{name}`"), help.to_owned());
        }
        node
    }
}

/// A string that is not empty.
pub(crate) fn text(node: &Node, what: &str, report: &mut Report) -> Option<At<String>> {
    let Kind::Scalar(scalar) = &node.kind else {
        mismatch(node, what, "a text", None, report);
        return None;
    };
    match scalar.value() {
        Value::String(text) if !text.trim().is_empty() => Some(At {
            value: text.to_owned(),
            at: node.at,
        }),
        Value::String(_) => {
            report.add(
                node.at,
                format!("{what} is empty"),
                "write it, or remove the field".to_owned(),
            );
            None
        }
        Value::Bool(_) | Value::Number(_) => {
            let help = format!("quote it: \"{}\"", excerpt(&scalar.text));
            mismatch(node, what, "a text", Some(help), report);
            None
        }
        Value::Null => {
            mismatch(node, what, "a text", None, report);
            None
        }
    }
}

/// The absolute path of a file, which need not be there yet.
pub(crate) fn file(node: &Node, what: &str, report: &mut Report) -> Option<PathBuf> {
    let text = text(node, what, report)?;
    let path = PathBuf::from(&text.value);
    if path.is_absolute() && !text.value.chars().any(char::is_control) {
        return Some(path);
    }
    let message = format!("{what} must be an absolute path, found {}", node.describe());
    let help = "write where control finds the file, such as `/etc/gatehold/secret`";
    report.add(node.at, message, help.to_owned());
    None
}

/// A string or a list of strings, without repetitions.
pub(crate) fn texts(node: &Node, what: &str, report: &mut Report) -> Vec<At<String>> {
    let Kind::List(items) = &node.kind else {
        return text(node, what, report).into_iter().collect();
    };
    let mut texts: Vec<At<String>> = Vec::with_capacity(items.len());
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    for item in items {
        let Some(text) = text(item, &format!("each entry of {what}"), report) else {
            continue;
        };
        if seen.insert(text.value.clone()) {
            texts.push(text);
        } else {
            let message = format!("{what} names `{}` twice", excerpt(&text.value));
            report.add(text.at, message, "remove one of them".to_owned());
        }
    }
    texts
}

/// As [`texts`], at least one.
pub(crate) fn some_texts(node: &Node, what: &str, report: &mut Report) -> Vec<At<String>> {
    if matches!(&node.kind, Kind::List(items) if items.is_empty()) {
        let help = "name at least one, or remove the field";
        report.add(node.at, format!("{what} is an empty list"), help.to_owned());
    }
    texts(node, what, report)
}

/// A whole number within bounds.
pub(crate) fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    node: &Node,
    what: &str,
    least: T,
    most: T,
    report: &mut Report,
) -> Option<T> {
    let written = match &node.kind {
        Kind::Scalar(scalar) => match scalar.value() {
            Value::Number(text) => text.parse::<T>().ok(),
            _ => None,
        },
        _ => None,
    };
    match written {
        Some(number) if number >= least && number <= most => Some(number),
        _ => {
            let expected = format!("a whole number from {least} to {most}");
            mismatch(node, what, &expected, None, report);
            None
        }
    }
}

/// A scalar that `read` understands, whether it is quoted or not.
pub(crate) fn scalar<T>(
    node: &Node,
    what: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
    report: &mut Report,
) -> Option<T> {
    let Kind::Scalar(scalar) = &node.kind else {
        mismatch(node, what, "a single value", None, report);
        return None;
    };
    match read(&scalar.text) {
        Ok(value) => Some(value),
        Err(help) => {
            report.add(
                node.at,
                format!("{what} cannot be {}", node.describe()),
                help,
            );
            None
        }
    }
}

/// One of fixed names.
pub(crate) fn one_of<T: Copy>(
    node: &Node,
    what: &str,
    known: &[(&str, T)],
    report: &mut Report,
) -> Option<T> {
    scalar(
        node,
        what,
        |text| {
            let found = known.iter().find(|(name, _)| *name == text);
            found.map(|(_, value)| *value).ok_or_else(|| {
                let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                instead_of(text, &names)
            })
        },
        report,
    )
}

fn mismatch(node: &Node, what: &str, expected: &str, help: Option<String>, report: &mut Report) {
    let message = format!("{what} must be {expected}, found {}", node.describe());
    report.add(node.at, message, help);
}
