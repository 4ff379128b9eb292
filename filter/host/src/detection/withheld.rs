//! Tools whose definition is withheld, per server: calls of them are refused until it is clean.
//!
//! It is kept in Envoy's shared data, for all workers to see. What is not covered: a tool that nobody has listed
//! through this Envoy since it started, and the oldest where more than [`MAX_TOOLS`] are withheld.

use crate::host::{Host, HostError};

/// Tools that are remembered for one server.
pub const MAX_TOOLS: usize = 256;
/// Bytes of a name that is remembered; of a longer one its beginning.
const MAX_NAME: usize = 1024;

/// What was seen in the definition of the tool, if it is withheld.
///
/// # Errors
/// The host's, also when what it has cannot be read.
pub fn read(
    host: &dyn Host,
    cluster: &str,
    server: &str,
    tool: &str,
) -> Result<Option<String>, HostError> {
    let all = all(host, cluster, server)?;
    let mut found = all.into_iter().filter(|(name, _)| name == cut(tool));
    Ok(found.next().map(|(_, seen)| seen))
}

/// Notes what was seen in the definitions of a list; nothing is said of those that are clean.
///
/// # Errors
/// The host's.
pub fn note<'n>(
    host: &dyn Host,
    cluster: &str,
    server: &str,
    listed: impl IntoIterator<Item = (&'n str, Option<&'n str>)>,
) -> Result<(), HostError> {
    let before = all(host, cluster, server)?;
    let mut now = before.clone();
    for (tool, seen) in listed {
        let tool = cut(tool);
        now.retain(|(name, _)| name != tool);
        if let Some(seen) = seen {
            now.push((tool.to_owned(), seen.to_owned()));
        }
    }
    let surplus = now.len().saturating_sub(MAX_TOOLS);
    now.drain(..surplus);
    if now == before {
        return Ok(());
    }
    let bytes = serde_json::to_vec(&now).map_err(|_| HostError::Malformed {
        call: "set_shared_data",
    })?;
    host.set_shared(&key(cluster, server), &bytes)
}

fn all(host: &dyn Host, cluster: &str, server: &str) -> Result<Vec<(String, String)>, HostError> {
    match host.shared(&key(cluster, server))? {
        None => Ok(Vec::new()),
        Some(bytes) if bytes.is_empty() => Ok(Vec::new()),
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|_| HostError::Malformed {
            call: "get_shared_data",
        }),
    }
}

fn key(cluster: &str, server: &str) -> String {
    format!("gatehold.withheld.{cluster}\n{server}")
}

fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MAX_NAME))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn tools_are_withheld_until_they_are_clean() {
        let host = FakeHost::new();
        let is_withheld = |tool: &str| read(&host, "c", "crm", tool).unwrap();
        note(&host, "c", "crm", [("a", Some("x")), ("b", None)]).unwrap();
        assert_eq!(is_withheld("a").as_deref(), Some("x"));
        assert_eq!(is_withheld("b"), None);
        assert_eq!(read(&host, "c", "erp", "a").unwrap(), None);
        note(&host, "c", "crm", [("b", Some("y"))]).unwrap();
        assert!(
            is_withheld("a").is_some(),
            "a page tells nothing of the others"
        );
        note(&host, "c", "crm", [("a", None)]).unwrap();
        assert_eq!(is_withheld("a"), None);
        assert!(is_withheld("b").is_some());
    }

    #[test]
    fn they_are_bounded() {
        let host = FakeHost::new();
        let names: Vec<String> = (0..=MAX_TOOLS).map(|at| at.to_string()).collect();
        let listed = names.iter().map(|name| (name.as_str(), Some("x")));
        note(&host, "c", "crm", listed).unwrap();
        assert_eq!(read(&host, "c", "crm", "0").unwrap(), None);
        assert!(read(&host, "c", "crm", "1").unwrap().is_some());
        assert_eq!(all(&host, "c", "crm").unwrap().len(), MAX_TOOLS);
    }
}
