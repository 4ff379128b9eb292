//! Recognizing macros in the loops that the parser expands them to.
//!
//! The accumulator's name cannot be written in CEL, so no other expression has these forms.

use cel::IdedExpr;
use cel::common::ast::{ComprehensionExpr, Expr, LiteralValue, operators};
use gatehold_engine::ComprehensionKind;

/// A macro as it was written.
pub(super) struct Macro<'a> {
    pub(super) kind: ComprehensionKind,
    pub(super) variable: &'a str,
    pub(super) range: &'a IdedExpr,
    pub(super) predicate: Option<&'a IdedExpr>,
    pub(super) transform: Option<&'a IdedExpr>,
}

/// The macro that was expanded to this loop.
pub(super) fn recognize(expanded: &ComprehensionExpr) -> Option<Macro<'_>> {
    if expanded.iter_var2.is_some() {
        return None;
    }
    let (kind, predicate, transform) = match &expanded.accu_init.expr {
        Expr::Literal(LiteralValue::Boolean(_)) => quantifier(expanded)?,
        Expr::Literal(LiteralValue::Int(_)) => {
            let [predicate, _, _] = arguments(&expanded.loop_step, operators::CONDITIONAL)? else {
                return None;
            };
            (ComprehensionKind::ExistsOne, Some(predicate), None)
        }
        Expr::List(_) => collector(expanded)?,
        _ => return None,
    };
    Some(Macro {
        kind,
        variable: &expanded.iter_var,
        range: &expanded.iter_range,
        predicate,
        transform,
    })
}

type Parts<'a> = (
    ComprehensionKind,
    Option<&'a IdedExpr>,
    Option<&'a IdedExpr>,
);

/// `@result && p` or `@result || p`.
fn quantifier(expanded: &ComprehensionExpr) -> Option<Parts<'_>> {
    let forms = [
        (operators::LOGICAL_AND, ComprehensionKind::All),
        (operators::LOGICAL_OR, ComprehensionKind::Exists),
    ];
    forms.into_iter().find_map(
        |(operator, kind)| match arguments(&expanded.loop_step, operator)? {
            [_, predicate] => Some((kind, Some(predicate), None)),
            _ => None,
        },
    )
}

/// `@result + [t]`, or `p ? @result + [t] : @result`.
fn collector(expanded: &ComprehensionExpr) -> Option<Parts<'_>> {
    let (predicate, sum) = match arguments(&expanded.loop_step, operators::CONDITIONAL) {
        Some([predicate, sum, _]) => (Some(predicate), sum),
        Some(_) => return None,
        None => (None, &expanded.loop_step),
    };
    let Some([_, added]) = arguments(sum, operators::ADD) else {
        return None;
    };
    let Expr::List(added) = &added.expr else {
        return None;
    };
    let [transform] = added.elements.as_slice() else {
        return None;
    };
    // `map(x, p, x)` is `filter(x, p)`.
    let same = matches!(&transform.expr, Expr::Ident(name) if *name == expanded.iter_var);
    if same && predicate.is_some() {
        return Some((ComprehensionKind::Filter, predicate, None));
    }
    Some((ComprehensionKind::Map, predicate, Some(transform)))
}

fn arguments<'a>(expr: &'a IdedExpr, operator: &str) -> Option<&'a [IdedExpr]> {
    match &expr.expr {
        Expr::Call(call) if call.func_name == operator => Some(call.args.as_slice()),
        _ => None,
    }
}
