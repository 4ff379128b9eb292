//! Expressions become automata in bytes.

use regex_automata::MatchKind;
use regex_automata::dfa::{StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_syntax::hir::{Hir, HirKind};

/// Most bytes of one automaton before it is made sparse.
const MAX_DFA: usize = 2 << 20;
/// Most bytes of one of several expressions.
const MAX_JOINED: usize = 512 << 10;
/// Most bytes of one that does not need to be relaxed.
const MAX_SIMPLE: usize = 16 << 10;
/// Most bytes that are needed to make one.
const MAX_WORK: usize = 16 << 20;
/// Most bytes of what an automaton is made from.
const MAX_NFA: usize = 1 << 20;

/// The automaton that finds the end of a match from its beginning.
pub(super) fn anchored(hir: &Hir) -> Result<Vec<u8>, String> {
    automaton(
        &[hir],
        StartKind::Anchored,
        MatchKind::LeftmostFirst,
        MAX_DFA,
    )
}

/// Automata that say which of the expressions may match: one for all, or several where one would be too large.
pub(super) fn filters(
    expressions: &[Hir],
    out: &mut Vec<(Vec<u8>, Vec<u16>)>,
) -> Result<(), (u16, String)> {
    let mut simple = Vec::with_capacity(expressions.len());
    for (number, hir) in (0..).zip(expressions) {
        // Where any place may begin a match, a gap of so many characters is a state for each way to be within some.
        if filter(&[hir], MAX_SIMPLE).is_ok() {
            simple.push((number, hir.clone()));
            continue;
        }
        let hir = beginning(hir).unwrap_or_else(|| relaxed(hir));
        filter(&[&hir], MAX_DFA).map_err(|reason| (number, reason))?;
        simple.push((number, hir));
    }
    join(&simple, out)
}

fn join(
    expressions: &[(u16, Hir)],
    out: &mut Vec<(Vec<u8>, Vec<u16>)>,
) -> Result<(), (u16, String)> {
    let hirs: Vec<&Hir> = expressions.iter().map(|(_, hir)| hir).collect();
    let most = if expressions.len() > 1 {
        MAX_JOINED
    } else {
        MAX_DFA
    };
    match (filter(&hirs, most), expressions) {
        (_, []) => {}
        (Ok(bytes), _) => out.push((
            bytes,
            expressions.iter().map(|(number, _)| *number).collect(),
        )),
        (Err(reason), [(number, _)]) => return Err((*number, reason)),
        (Err(_), _) => {
            let (first, second) = expressions.split_at(expressions.len() / 2);
            join(first, out)?;
            join(second, out)?;
        }
    }
    Ok(())
}

/// What an expression begins with, up to what is counted; nothing when that is next to nothing.
fn beginning(hir: &Hir) -> Option<Hir> {
    let begins = match hir.kind() {
        HirKind::Capture(capture) => beginning(&capture.sub)?,
        HirKind::Alternation(subs) => {
            Hir::alternation(subs.iter().map(beginning).collect::<Option<_>>()?)
        }
        HirKind::Concat(subs) => {
            let is_counted = |sub: &Hir| match sub.kind() {
                HirKind::Repetition(repetition) => repetition.max != Some(1),
                HirKind::Capture(_) => true,
                _ => false,
            };
            Hir::concat(
                subs.iter()
                    .take_while(|sub| !is_counted(sub))
                    .cloned()
                    .collect(),
            )
        }
        HirKind::Literal(_) => hir.clone(),
        _ => return None,
    };
    begins
        .properties()
        .minimum_len()
        .filter(|length| *length >= 2)?;
    Some(begins)
}

/// An expression that matches wherever this one does, and more often: without counts.
fn relaxed(hir: &Hir) -> Hir {
    let all = |subs: &[Hir]| subs.iter().map(relaxed).collect();
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            let mut open = repetition.with(relaxed(&repetition.sub));
            if open.max != Some(1) {
                open.min = open.min.min(1);
                open.max = None;
            }
            Hir::repetition(open)
        }
        HirKind::Capture(capture) => relaxed(&capture.sub),
        HirKind::Concat(subs) => Hir::concat(all(subs)),
        HirKind::Alternation(subs) => Hir::alternation(all(subs)),
        _ => hir.clone(),
    }
}

fn filter(hirs: &[&Hir], most: usize) -> Result<Vec<u8>, String> {
    automaton(hirs, StartKind::Unanchored, MatchKind::All, most)
}

fn automaton(
    hirs: &[&Hir],
    start: StartKind,
    kind: MatchKind,
    most: usize,
) -> Result<Vec<u8>, String> {
    let thompson = thompson::Config::new()
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
        .dfa_size_limit(Some(most))
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
