//! Tools whose definition is withheld, per server: calls of them are refused until it is clean.
//!
//! It is kept in Envoy's shared data, for all workers to see. What is not covered: a tool that nobody has listed
//! through this Envoy since it started, and the oldest where more than [`MAX_TOOLS`] are withheld.

use std::collections::HashSet;

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
    let listed = listed.into_iter().map(|(tool, seen)| (cut(tool), seen));
    let listed: Vec<(&str, Option<&str>)> = listed.collect();
    let mut known = HashSet::new();
    // Of two with one name the last counts, and so do the last where there are too many.
    let mut withheld = Vec::new();
    for (tool, seen) in listed.into_iter().rev() {
        if let (true, Some(seen)) = (known.insert(tool), seen)
            && withheld.len() < MAX_TOOLS
        {
            withheld.push((tool.to_owned(), seen.to_owned()));
        }
    }
    let mut now = before.clone();
    now.retain(|(name, _)| !known.contains(name.as_str()));
    now.extend(withheld.into_iter().rev());
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
        // Of two with one name the last counts.
        let twice = [("1", None), ("2", Some("x")), ("1", Some("y")), ("2", None)];
        note(&host, "c", "crm", twice).unwrap();
        let now = read(&host, "c", "crm", "1").unwrap();
        assert_eq!(now.as_deref(), Some("y"));
        assert_eq!(read(&host, "c", "crm", "2").unwrap(), None);
    }
}
