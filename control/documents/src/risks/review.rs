//! Which tools of a server have no class, as text and as YAML to paste.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::{CLASSES, Suggestion, suggest};
use crate::ServerDocument;
use crate::specialize::glob_matches;

/// What a look at the tools of one server came to. Its text is for people.
#[derive(Clone, Debug, PartialEq)]
pub struct RiskReview {
    /// Name of the server.
    pub server: String,
    /// How many tools it has.
    pub tools: usize,
    /// Those without a class, by name.
    pub without: Vec<Unclassed>,
    /// Patterns of tools by class, as the documents have them.
    present: BTreeMap<String, BTreeSet<String>>,
}

/// A tool that has no class in the documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclassed {
    /// Its name, as the server says it.
    pub name: String,
    /// What it might get.
    pub suggestions: Vec<Suggestion>,
}

impl Unclassed {
    /// Whether its name can stand in a document for this tool alone, and people can read it as it is.
    fn is_plain(&self) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/:".contains(c);
        !self.name.is_empty() && self.name.len() <= 256 && self.name.chars().all(plain)
    }
}

/// Looks for tools without a class. `tools` are definitions as in the result of `tools/list`; whatever has no name is
/// left out.
#[must_use]
pub fn review(server: &ServerDocument, tools: &[Value]) -> RiskReview {
    let mut present: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for risk in &server.policy.risks {
        for class in &risk.classes {
            let patterns = present.entry(class.clone()).or_default();
            patterns.extend(risk.tools.iter().cloned());
        }
    }
    let mut named: BTreeMap<&str, &Value> = BTreeMap::new();
    for tool in tools {
        if let Some(name) = tool.get("name").and_then(Value::as_str) {
            named.insert(name, tool);
        }
    }
    let has_class = |name: &str| {
        let mut patterns = present.values().flatten();
        patterns.any(|pattern| glob_matches(pattern, name))
    };
    let without = named.iter().filter(|(name, _)| !has_class(name));
    let without = without.map(|(name, tool)| Unclassed {
        name: (*name).to_owned(),
        suggestions: suggest(tool),
    });
    RiskReview {
        server: server.name.clone(),
        tools: named.len(),
        without: without.collect(),
        present,
    }
}

impl RiskReview {
    /// The field `risk` of the server's document with the suggestions in it: it takes the place of the one that is
    /// there. Tools whose names are not plain are left out.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut classes = self.present.clone();
        for tool in self.without.iter().filter(|tool| tool.is_plain()) {
            for suggestion in &tool.suggestions {
                let patterns = classes.entry(suggestion.class.to_owned()).or_default();
                patterns.insert(tool.name.clone());
            }
        }
        let position = |class: &str| CLASSES.iter().position(|known| *known == class);
        let mut classes: Vec<_> = classes.into_iter().collect();
        classes.sort_by_key(|(class, _)| (position(class).unwrap_or(usize::MAX), class.clone()));
        let mut yaml = "  risk:\n".to_owned();
        for (class, patterns) in classes {
            // A JSON text is a YAML text.
            let patterns = patterns
                .into_iter()
                .map(|pattern| Value::from(pattern).to_string());
            let patterns: Vec<_> = patterns.collect();
            yaml.push_str(&format!("    {class}: [{}]\n", patterns.join(", ")));
        }
        yaml
    }
}

impl fmt::Display for RiskReview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (server, tools) = (&self.server, self.tools);
        if tools == 0 {
            return writeln!(f, "{server}: no tool is known");
        }
        if self.without.is_empty() {
            return writeln!(f, "{server}: all {tools} tools have a risk class");
        }
        let without = self.without.len();
        writeln!(f, "{server}: {without} of {tools} tools have no risk class")?;
        let shown = |tool: &Unclassed| {
            tool.name
                .chars()
                .take(64)
                .collect::<String>()
                .escape_default()
                .to_string()
        };
        let width = self.without.iter().map(|tool| shown(tool).len()).max();
        let width = width.unwrap_or_default().min(40);
        for tool in &self.without {
            let name = shown(tool);
            for (index, suggestion) in tool.suggestions.iter().enumerate() {
                let name = if index == 0 { name.as_str() } else { "" };
                let Suggestion { class, reason } = suggestion;
                writeln!(f, "  {name:<width$}  {class:<11}  {reason}")?;
            }
            if !tool.is_plain() {
                writeln!(
                    f,
                    "  {:<width$}  left out below: its name is not plain letters, digits and `_.-/:`",
                    ""
                )?;
            }
        }
        writeln!(
            f,
            "\nSuggestions by names and by what the server says of itself: look at each before you paste."
        )?;
        writeln!(
            f,
            "In Server `{server}`, under `spec`, in place of `risk`:\n"
        )?;
        f.write_str(&self.yaml())
    }
}
