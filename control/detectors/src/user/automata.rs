//! Expressions become automata in bytes.

use regex_automata::MatchKind;
use regex_automata::dfa::{StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_syntax::hir::Hir;

/// Most bytes of one automaton before it is made sparse.
const MAX_DFA: usize = 2 << 20;
/// Most bytes that are needed to make one.
const MAX_WORK: usize = 16 << 20;
/// Most bytes of what an automaton is made from.
const MAX_NFA: usize = 1 << 20;

/// The automaton that finds ends of matches, and the one that finds their beginnings.
pub(super) fn pair(hir: &Hir) -> Result<(Vec<u8>, Vec<u8>), String> {
    let forward = automaton(&[hir], false, MatchKind::LeftmostFirst)?;
    let reverse = automaton(&[hir], true, MatchKind::All)?;
    Ok((forward, reverse))
}

/// Automata that say which of the expressions match: one for all, or several where one would be too large.
pub(super) fn filters(
    expressions: &[(u16, &Hir)],
    out: &mut Vec<(Vec<u8>, Vec<u16>)>,
) -> Result<(), (u16, String)> {
    let hirs: Vec<&Hir> = expressions.iter().map(|(_, hir)| *hir).collect();
    match (automaton(&hirs, false, MatchKind::All), expressions) {
        (Ok(bytes), _) => out.push((
            bytes,
            expressions.iter().map(|(number, _)| *number).collect(),
        )),
        (Err(reason), [(number, _)]) => return Err((*number, reason)),
        (Err(_), []) => {}
        (Err(_), _) => {
            let (first, second) = expressions.split_at(expressions.len() / 2);
            filters(first, out)?;
            filters(second, out)?;
        }
    }
    Ok(())
}

fn automaton(hirs: &[&Hir], reverse: bool, kind: MatchKind) -> Result<Vec<u8>, String> {
    let start = if reverse {
        StartKind::Anchored
    } else {
        StartKind::Unanchored
    };
    let thompson = thompson::Config::new()
        .reverse(reverse)
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(MAX_NFA));
    let nfa = thompson::Compiler::new()
        .configure(thompson)
        .build_many_from_hir(hirs)
        .map_err(|error| too_large(&error))?;
    let config = dense::Config::new()
        .match_kind(kind)
        .start_kind(start)
        .dfa_size_limit(Some(MAX_DFA))
        .determinize_size_limit(Some(MAX_WORK));
    let dense = dense::Builder::new().configure(config).build_from_nfa(&nfa);
    let dense = dense.map_err(|error| too_large(&error))?;
    let sparse = dense.to_sparse().map_err(|error| too_large(&error))?;
    Ok(sparse.to_bytes_little_endian())
}

fn too_large(error: &dyn std::error::Error) -> String {
    format!(
        "the pattern makes too large an automaton ({error}); make repetitions such as `.{{0,200}}` shorter, or split it into several rules"
    )
}
