//! Conditions: CEL text, checked and compiled to the engine's expressions.
//!
//! The grammar is that of the `cel` crate. What a condition may speak of is fixed by the engine: its
//! variables, its functions, JSON values. Whatever can be told wrong without a request is a problem here,
//! because at run time it could only be an error that denies.

mod call;
mod check;
mod macros;
mod parse;
mod types;

use crate::fields;
use crate::problem::Report;
use crate::yaml::{Kind, Node, place_in};

/// Which selectors the condition's rule has, and so which variables have a meaning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kinds {
    pub(crate) tools: bool,
    pub(crate) resources: bool,
    pub(crate) prompts: bool,
}

/// One thing that is wrong with a condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// Byte of the condition's text.
    pub(crate) offset: Option<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Compiles the condition that is written in this node of `file`.
pub(crate) fn compile(
    node: &Node,
    file: &str,
    kinds: Kinds,
    report: &mut Report,
) -> Option<gatehold_engine::Expr> {
    // Unquoted `true` is a condition too.
    let text = match &node.kind {
        Kind::Scalar(scalar) if !node.is_null() => scalar.text.clone(),
        _ => fields::text(node, "`when`", report)?.value,
    };
    let compiled = match parse::parse(&text) {
        Ok(ast) => check::check(&ast, &text, kinds),
        Err(fault) => Err(vec![fault]),
    };
    let faults = match compiled {
        Ok(expr) => return Some(expr),
        Err(faults) => faults,
    };
    for fault in faults {
        let at = match (&node.kind, fault.offset) {
            (Kind::Scalar(scalar), Some(offset)) => place_in(node, scalar, file, offset),
            _ => node.at,
        };
        report.add(at, format!("`when`: {}", fault.message), fault.help);
    }
    None
}
