//! What detection sees in the definitions of a list.

use std::collections::HashSet;
use std::rc::Rc;

use gatehold_detect::{Context, Kind};
use gatehold_mcp::list::{self, ListError};
use gatehold_mcp::{Limits, ListKind};

use super::{Looked, Watch};
use crate::detection::{Action, Detection, Detectors, Seen, Unwanted};
use crate::exchange::allowed::Allowed;
use crate::exchange::way::{Way, spliced};
use crate::snapshot::Endpoint;

/// Names of other tools that a definition is looked at with.
const MAX_NAMES: usize = 256;
/// The same for all definitions of a list together, or a long list would cost its square.
const MAX_LIST_NAMES: usize = 256 << 10;
/// Bytes of such a name. No longer one is found: words end before.
const MAX_NAME: usize = 64;

impl Allowed {
    /// Looks at the entries of a list: gives those that are withheld, and the message with others redacted.
    ///
    /// # Errors
    /// A message that cannot be read in one way.
    pub(in crate::exchange) fn look_at_list(
        &mut self,
        kind: ListKind,
        message: &[u8],
        limits: &Limits,
    ) -> Result<(HashSet<String>, Option<Vec<u8>>), ListError> {
        let mut withheld = HashSet::new();
        let endpoint = Rc::clone(&self.endpoint);
        let detection = &endpoint.server.detection;
        let Some(detectors) = endpoint.detectors.as_deref().filter(|_| detection.looks()) else {
            return Ok((withheld, None));
        };
        let entries = list::entries(kind, message, limits)?;
        let mut names: Vec<String> = match kind {
            ListKind::Tools => {
                let most = MAX_LIST_NAMES.checked_div(entries.len()).unwrap_or(0);
                let names = entries.iter().take(most.min(MAX_NAMES));
                names.map(|(name, _)| cut(name).to_owned()).collect()
            }
            ListKind::Prompts | ListKind::Resources | ListKind::ResourceTemplates => Vec::new(),
        };
        names.sort_unstable();
        names.dedup();
        let verdicts = self.watch.worker.verdicts.borrow();
        let digest = verdicts.digest(names.iter().map(String::as_str));
        drop(verdicts);
        let remembers = kind == ListKind::Tools && detection.withholds();
        let mut edits: Vec<(&str, Vec<u8>)> = Vec::new();
        let mut listed: Vec<(String, Option<String>)> = Vec::new();
        for (name, entry) in entries {
            // Its own name is none of the others.
            let own = names.binary_search_by(|it| it.as_str().cmp(cut(&name)));
            let own = own.ok().map(|at| (at, names.remove(at)));
            let others = Others {
                names: &names,
                digest,
            };
            let watch = &mut self.watch;
            let (looked, seen) =
                watch.look_at_definition(&endpoint, detectors, others, &name, entry);
            if let Some((at, own)) = own {
                names.insert(at, own);
            }
            if let Looked::Redacted(new) = looked {
                edits.push((entry, new));
            }
            if seen.is_some() {
                withheld.insert(name.clone());
            }
            if remembers {
                listed.push((name, seen));
            }
        }
        // Of two with one name, one that is withheld counts.
        let (withheld_last, clean): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|(_, seen)| seen.is_some());
        self.watch
            .listed
            .extend(clean.into_iter().chain(withheld_last));
        Ok((withheld, spliced(message, &edits)))
    }
}

/// Names of the other tools of a list, and a digest of all of them.
#[derive(Clone, Copy)]
struct Others<'n> {
    names: &'n [String],
    digest: [u8; 16],
}

impl Watch {
    /// What becomes of a definition, and what was seen in it if it is withheld.
    fn look_at_definition(
        &mut self,
        endpoint: &Endpoint,
        detectors: &Detectors,
        others: Others<'_>,
        name: &str,
        entry: &str,
    ) -> (Looked, Option<String>) {
        let detection: &Detection = &endpoint.server.detection;
        let mut way = Way::of(Kind::Tool, detection.actions(name), name);
        // What a definition shows is public.
        way.secrets = way.secrets.min(Action::Log);
        if way.injection == Action::Off {
            return (Looked::Fine, None);
        }
        let context = Context {
            tools: others.names,
            ..Context::default()
        };
        let seen = self.definition(detectors, context, (&others.digest, entry));
        let Some(mut seen) = seen.map(|seen| Seen::clone(&seen)) else {
            return (Looked::Fine, None);
        };
        seen.leave(true, way.secrets != Action::Off);
        let mut action = way.action(&seen);
        if action == Action::Approve {
            let server = &endpoint.server.name;
            let what = format!("the definition of `{name}` of server `{server}`");
            self.taints(detection.approval.as_ref(), &what, &seen);
        }
        let mut looked = Looked::Fine;
        if action == Action::Redact {
            match redacted(detectors, context, entry, &seen) {
                Some(new) => looked = Looked::Redacted(new),
                None => action = Action::Block,
            }
        }
        self.observed.add(Kind::Tool, name, &seen, action);
        (looked, (action == Action::Block).then(|| seen.names()))
    }

    /// What is seen in a definition, once for each.
    fn definition(
        &mut self,
        detectors: &Detectors,
        context: Context<'_>,
        (names, entry): (&[u8], &str),
    ) -> Option<Rc<Seen>> {
        let entry = entry.as_bytes();
        let parts = [detectors.version.as_bytes(), names, entry];
        let mut looked = 0;
        let seen = self.worker.verdicts.borrow_mut().of(&parts, || {
            looked = entry.len();
            detectors.look(Kind::Tool, context, entry)
        });
        self.observed.bytes = self.observed.bytes.saturating_add(looked);
        seen
    }
}

/// A definition without what was seen in it; nothing when it would have another name then.
fn redacted(
    detectors: &Detectors,
    context: Context<'_>,
    entry: &str,
    seen: &Seen,
) -> Option<Vec<u8>> {
    let unwanted = Unwanted {
        injection: true,
        secrets: false,
    };
    let entry = entry.as_bytes();
    let new = detectors.redacted((Kind::Tool, context), entry, &seen.verdict, unwanted)?;
    let identity = |text: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(text).ok()?;
        let member = |name: &str| value.get(name).cloned();
        Some(["name", "uri", "uriTemplate"].map(member))
    };
    (identity(entry)? == identity(&new)?).then_some(new)
}

fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MAX_NAME))
        .unwrap_or_default()
}
