//! What one changed rule costs on the wire, by how the rules are divided among servers.

use std::path::Path;

use anyhow::Context as _;

use crate::control::Control;
use crate::documents::Documents;
use crate::fleet::{Fleet, Wire};
use crate::stats::Times;

/// Numbers of servers.
pub(crate) const LAYOUTS: [usize; 4] = [1, 10, 100, 1000];
/// Changes that are looked at.
const CHANGES: usize = 3;

/// The same rules divided among this many servers.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Servers.
    pub(crate) servers: usize,
    /// Rules of all of them.
    pub(crate) rules: usize,
    /// Bytes that each stream got for a changed rule.
    pub(crate) changed_bytes: u64,
    /// Bytes that each stream got for the whole policy.
    pub(crate) whole_bytes: u64,
    /// From the changed file to the acknowledgement of one Envoy.
    pub(crate) acked: Times,
}

/// Measures one division, with one Envoy.
pub(crate) async fn measure(
    program: &Path,
    servers: usize,
    rules: usize,
    streams: usize,
) -> anyhow::Result<Layout> {
    let folder = tempfile::tempdir()?;
    let mut documents = Documents::write(&folder.path().join("documents"), servers, rules)?;
    let control = Control::start(program, folder.path()).await?;
    let mut fleet = Fleet::new(control.grpc(), 1, streams);
    let before = fleet.counters();
    fleet.expect();
    fleet.connect();
    fleet
        .acknowledged()
        .await
        .context("at the first snapshot")?;
    let whole = fleet.wire(&before);
    let mut held = fleet.held()?;
    let (mut acked, mut wire) = (Times::new()?, Wire::default());
    for number in 1..=CHANGES {
        let change = documents.change(number);
        let before = fleet.counters();
        fleet.expect();
        let begin = fleet.shared.now();
        documents.put(&change.file, &change.text)?;
        fleet.acknowledged().await?;
        for time in fleet.envoys_acked() {
            acked.add(time.saturating_sub(begin));
        }
        wire = fleet.wire(&before);
        held = fleet.held_after(&held, &change)?;
    }
    Ok(Layout {
        servers: servers.min(rules),
        rules,
        changed_bytes: wire.received_most,
        whole_bytes: whole.received_most,
        acked,
    })
}
