//! Which rows are left out together: what comes from one place, or was made from the same payloads.

use gatehold_detect::Kind;

use crate::data::Row;
use crate::train::mix;

/// How many folds there are.
pub(crate) const FOLDS: usize = 4;

/// The fold in which a row is tested and not learnt from.
pub(crate) fn fold(row: &Row) -> usize {
    let source = row.source.as_str();
    let stem = source.split(':').next().unwrap_or_default();
    match (row.kind, stem) {
        // Payloads of the first two were put into other carriers in the third.
        (_, "agentdojo" | "injecagent" | "dev_recombined") if row.kind == Kind::Result => 0,
        (_, "agentdojo_benign" | "injecagent_benign" | "docs_dev" | "docs_aisec") => 0,
        (_, "asb" | "apibank" | "gitlog_dev" | "workbench_results") => 1,
        (_, "bipia" | "bipia_benign" | "data_dev" | "agentbench_db" | "agent_files") => 2,
        (_, "garak_latent" | "injecagent_simresp" | "code_dev" | "toolbench_results") => 3,
        (Kind::Tool, "dev_poc") => 0,
        (Kind::Tool, "dev_recombined") if source.ends_with("fixture") => 0,
        (Kind::Tool, "dev_recombined") => 1,
        (Kind::Tool, "dev_rl_mcptool" | "tools_livemcpbench" | "tools_injecagent") => 2,
        (Kind::Argument, "jailbreak_llms") => 3,
        // One source has nearly all definitions: its rows are told apart by their words.
        _ => (mix(&String::from_utf8_lossy(&row.text), 7) % FOLDS as u64) as usize,
    }
}
