//! What a valid set of documents holds, in a few lines.

use std::fmt;

use crate::Documents;

/// A valid set of documents, for people: how many of what, and one line per server.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a>(pub &'a Documents);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let documents = self.0;
        writeln!(
            f,
            "valid: {}, {}, {}, {}",
            count(documents.servers.len(), "server", "servers"),
            count(documents.issuers.len(), "issuer", "issuers"),
            count(documents.policies, "policy", "policies"),
            count(documents.rules.len(), "rule", "rules"),
        )?;
        for server in &documents.servers {
            let hosts = match server.hosts.as_slice() {
                [] => "any host".to_owned(),
                hosts => hosts.join(", "),
            };
            let rules = count(server.policy.rules.len(), "rule", "rules");
            let name = &server.name;
            let shadow = match server.enforce {
                true => "",
                false => ", not enforced",
            };
            writeln!(f, "  {name}: {} on {hosts}, {rules}{shadow}", server.path)?;
        }
        Ok(())
    }
}

/// A number with its noun.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    }
}
