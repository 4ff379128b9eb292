//! The documents that control reads: many servers with many rules, of which one changes at a time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Rules of one policy document at most.
const RULES_PER_POLICY: usize = 100;
/// Rules of one file at most.
const RULES_PER_FILE: usize = 1000;

// The key is that of RFC 8037, A.2.
const ISSUER: &str = r#"apiVersion: gatehold.io/v1
kind: Issuer
metadata: { name: corp }
spec:
  issuer: https://idp.example.com
  jwks:
    keys:
      keys:
        - { kty: OKP, crv: Ed25519, kid: "1", x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo }
"#;

/// A set of documents on disk.
#[derive(Debug)]
pub(crate) struct Documents {
    folder: PathBuf,
    servers: usize,
    rules: usize,
    /// Rules that were changed, with the number of the change.
    changed: BTreeMap<usize, usize>,
}

/// One changed rule, and where it is to arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The server whose resource is to change.
    pub(crate) server: String,
    /// The tool that the rule is about now.
    pub(crate) tool: String,
    /// The file that holds the rule.
    pub(crate) file: String,
    /// What the file says now.
    pub(crate) text: String,
}

impl Documents {
    /// Writes `rules` rules for `servers` servers into `folder`.
    pub(crate) fn write(folder: &Path, servers: usize, rules: usize) -> io::Result<Self> {
        let documents = Self {
            folder: folder.to_path_buf(),
            servers: servers.clamp(1, rules.max(1)),
            rules: rules.max(1),
            changed: BTreeMap::new(),
        };
        fs::create_dir_all(folder)?;
        documents.put("issuer.yaml", ISSUER)?;
        let servers: String = (0..documents.servers).map(server).collect();
        documents.put("servers.yaml", &servers)?;
        for file in 0..documents.rules.div_ceil(RULES_PER_FILE) {
            documents.put(&file_name(file), &documents.file(file))?;
        }
        Ok(documents)
    }

    /// Thinks of another change of one rule, which is not written yet.
    pub(crate) fn change(&mut self, number: usize) -> Change {
        // A step that has no divisor in common with usual numbers of rules, so that none comes twice.
        let rule = number.saturating_mul(7919) % self.rules;
        self.changed.insert(rule, number);
        let file = rule / RULES_PER_FILE;
        Change {
            server: server_name(self.server_of(rule)),
            tool: tool(rule, Some(&number)),
            file: file_name(file),
            text: self.file(file),
        }
    }

    /// Writes a file as a careful user does: a new one is moved into the place of the old one.
    pub(crate) fn put(&self, name: &str, text: &str) -> io::Result<()> {
        let unfinished = self.folder.join(format!(".{name}.unfinished"));
        fs::write(&unfinished, text)?;
        fs::rename(unfinished, self.folder.join(name))
    }

    fn server_of(&self, rule: usize) -> usize {
        rule.saturating_mul(self.servers) / self.rules
    }

    /// All policies whose rules are in this file.
    fn file(&self, file: usize) -> String {
        let first = file * RULES_PER_FILE;
        let mut text = String::new();
        let mut server = None;
        let mut in_policy = 0;
        for rule in first..(first + RULES_PER_FILE).min(self.rules) {
            let of = self.server_of(rule);
            if server != Some(of) || in_policy == RULES_PER_POLICY {
                (server, in_policy) = (Some(of), 0);
                text.push_str(&policy(rule));
            }
            in_policy += 1;
            let (server, tool) = (server_name(of), tool(rule, self.changed.get(&rule)));
            // Every tenth looks at what a call says.
            let when = match rule % 10 {
                9 => format!(", when: \"args.amount <= {rule}.0\""),
                _ => String::new(),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "    - allow: {{ server: {server}, tools: [{tool}]{when} }}"
            );
        }
        text
    }
}

fn file_name(file: usize) -> String {
    format!("policies-{file:04}.yaml")
}

fn server_name(server: usize) -> String {
    format!("server-{server:05}")
}

fn tool(rule: usize, change: Option<&usize>) -> String {
    match change {
        None => format!("tool-{rule:06}"),
        Some(change) => format!("tool-{rule:06}-change-{change}"),
    }
}

fn server(server: usize) -> String {
    let name = server_name(server);
    format!(
        "---
apiVersion: gatehold.io/v1
kind: Server
metadata: {{ name: {name} }}
spec:
  path: /{name}/mcp
  resource: https://gw.example.com/{name}/mcp
  issuers: [corp]
"
    )
}

fn policy(first_rule: usize) -> String {
    let role = first_rule / RULES_PER_POLICY % 50;
    format!(
        "---
apiVersion: gatehold.io/v1
kind: Policy
metadata: {{ name: policy-{first_rule:06} }}
spec:
  subjects: {{ roles: [role-{role}] }}
  rules:
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_is_one_rule_of_one_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut documents = Documents::write(folder.path(), 10, 2500).expect("written");
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("there");
        let names = [0, 1, 2].map(file_name);
        let before = names.clone().map(|name| read(&name));
        let change = documents.change(1);
        documents.put(&change.file, &change.text).expect("written");
        // Rule 7919 % 2500 = 419 is the second server's: each has 250.
        assert_eq!(change.server, "server-00001");
        assert_eq!(change.tool, "tool-000419-change-1");
        let after = names.map(|name| read(&name));
        assert_eq!(after[1..], before[1..]);
        let differ = before[0].lines().zip(after[0].lines());
        let differ: Vec<_> = differ.filter(|(one, other)| one != other).collect();
        assert_eq!(differ.len(), 1);
        assert!(differ[0].1.contains(&change.tool), "{differ:?}");
        let rules = after.iter().flat_map(|text| text.lines());
        assert_eq!(rules.filter(|line| line.contains("- allow")).count(), 2500);
    }
}
