//! From text to the syntax tree of the `cel` crate, within bounds.

use cel::IdedExpr;
use cel::parser::{ParseErrors, Parser, PrattParser};

use super::Fault;
use crate::suggest::excerpt;

/// Longest condition, in bytes.
pub(super) const MAX_BYTES: usize = 2048;
/// How deeply brackets may be nested; the same for conditionals in a row. Parsers recurse on both.
const MAX_NESTING: usize = 24;
/// Stack for the parser that tells positions; a level of nesting takes it some 100 KiB unoptimized.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// The syntax tree, macros expanded.
pub(super) fn parse(text: &str) -> Result<IdedExpr, Fault> {
    bounds(text)?;
    // Thirty times faster than the crate's other parser, with the same tree.
    let parser = PrattParser::new().max_recursion_depth(64);
    parser.parse(text).map_err(|errors| fault(text, &errors))
}

/// The byte of the text at which each of these nodes is written, as far as that can be told.
///
/// Only the crate's slower parser tells positions, so it is asked only when there is something to report.
pub(super) fn offsets(text: &str, ast: &IdedExpr, ids: &[u64]) -> Vec<Option<usize>> {
    let unknown = vec![None; ids.len()];
    let located = std::thread::scope(|scope| {
        let parse = || {
            let parser = Parser::new().max_recursion_depth(256);
            let (located, info) = parser.parse_with_source_info(text).ok()?;
            // The ids are those of the same nodes only if the trees are equal.
            let offset = |id: &u64| info.offset_for(*id).map(|(start, _)| start as usize);
            (located == *ast).then(|| ids.iter().map(offset).collect())
        };
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, parse).ok()?.join().ok()?
    });
    located.unwrap_or(unknown)
}

/// Refuses what a parser would recurse too deeply on.
fn bounds(text: &str) -> Result<(), Fault> {
    let fault = |offset, message: String, help: &str| Fault {
        offset: Some(offset),
        message,
        help: Some(help.to_owned()),
    };
    if text.len() > MAX_BYTES {
        let message = format!("the condition is longer than {MAX_BYTES} bytes");
        return Err(fault(0, message, "split the rule"));
    }
    let (mut depth, mut conditionals) = (0_usize, 0_usize);
    let mut quote = None;
    let mut escaped = false;
    for (offset, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth = depth.saturating_add(1),
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, '?') => conditionals = conditionals.saturating_add(1),
            (None, _) => {}
        }
        if depth > MAX_NESTING || conditionals > MAX_NESTING {
            let message = format!("the condition is nested more than {MAX_NESTING} deep");
            return Err(fault(offset, message, "split the rule"));
        }
    }
    Ok(())
}

/// The first error; those after it are mostly its consequences.
fn fault(text: &str, errors: &ParseErrors) -> Fault {
    let Some(error) = errors.errors.first() else {
        return Fault {
            offset: None,
            message: "not a CEL expression".to_owned(),
            help: None,
        };
    };
    let message = error.msg.trim_start_matches("Syntax error: ");
    let mut message = message
        .replace('\'', "`")
        .replace("`<EOF>`", "the end")
        .replace("<EOF>", "the end");
    if let Some(found) = message.strip_prefix("mismatched input ") {
        message = format!("found {}", found.replace(" expecting ", ", expected "));
    }
    Fault {
        offset: offset(text, error.pos),
        message: format!("not a CEL expression: {}", excerpt(&message)),
        help: hint(text).map(str::to_owned),
    }
}

/// The byte at a line and column, both from 1, columns in bytes.
fn offset(text: &str, (line, column): (isize, isize)) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let offset = start.checked_add(column)?;
    text.is_char_boundary(offset).then_some(offset)
}

/// What people write who are used to other languages.
fn hint(text: &str) -> Option<&'static str> {
    let words = || text.split(|c: char| !c.is_alphanumeric() && c != '_');
    if words().any(|word| matches!(word, "and" | "AND")) {
        return Some("write `&&` for and");
    }
    if words().any(|word| matches!(word, "or" | "OR")) {
        return Some("write `||` for or");
    }
    if words().any(|word| matches!(word, "not" | "NOT")) {
        return Some("write `!` for not");
    }
    let compared = text
        .replace("==", "")
        .replace("!=", "")
        .replace("<=", "")
        .replace(">=", "");
    compared.contains('=').then_some("write `==` to compare")
}
