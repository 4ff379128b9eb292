//! Conditions.
//!
//! Both directions recurse and are bounded by [`MAX_EXPR_DEPTH`].

use gatehold_engine::{Comprehension, ComprehensionKind, Expr, Literal};
use serde_json::Number;

use crate::push::{self, expr::Form, literal};
use crate::{Problem, names};

/// How deep expressions may nest. A level takes two messages on the wire, of which prost decodes 100
/// inside one another, with the server and the rule around them.
pub const MAX_EXPR_DEPTH: u32 = 48;

pub(crate) fn expr_to_wire(expr: &Expr) -> Result<push::Expr, Problem> {
    to_wire(expr, MAX_EXPR_DEPTH)
}

pub(crate) fn expr_from_wire(expr: &push::Expr) -> Result<Expr, Problem> {
    from_wire(expr, MAX_EXPR_DEPTH)
}

fn to_wire(expr: &Expr, depth: u32) -> Result<push::Expr, Problem> {
    let depth = depth.checked_sub(1).ok_or(Problem::TooDeep)?;
    let boxed = |expr: &Expr| to_wire(expr, depth).map(Box::new);
    let select = |operand: &Expr, field: &str| {
        Ok(Box::new(push::Select {
            operand: Some(boxed(operand)?),
            field: field.to_owned(),
        }))
    };
    let call = |name: &str, operands: &[&Expr]| {
        let arguments = operands.iter().map(|operand| to_wire(operand, depth));
        Ok(push::Call {
            name: name.to_owned(),
            arguments: arguments.collect::<Result<_, _>>()?,
        })
    };
    let form = match expr {
        Expr::Literal(literal) => Form::Literal(literal_to_wire(literal)?),
        Expr::Var(var) => Form::Var(names::var_to_wire(*var).into()),
        Expr::Bound(index) => Form::Bound(*index),
        Expr::Select(operand, field) => Form::Select(select(operand, field)?),
        Expr::Has(operand, field) => Form::Has(select(operand, field)?),
        Expr::Index(a, b) => Form::Operator(call(names::INDEX, &[a, b])?),
        Expr::Unary(op, a) => Form::Operator(call(names::unary_name(*op), &[a])?),
        Expr::Binary(op, a, b) => Form::Operator(call(names::binary_name(*op), &[a, b])?),
        Expr::And(a, b) => Form::Operator(call(names::AND, &[a, b])?),
        Expr::Or(a, b) => Form::Operator(call(names::OR, &[a, b])?),
        Expr::Conditional(a, b, c) => Form::Operator(call(names::CONDITIONAL, &[a, b, c])?),
        Expr::List(items) => {
            let items = items.iter().map(|item| to_wire(item, depth));
            Form::List(push::ExprList {
                items: items.collect::<Result<_, _>>()?,
            })
        }
        Expr::Map(entries) => {
            let items = entries.iter().flat_map(|(key, value)| [key, value]);
            let items = items.map(|item| to_wire(item, depth));
            Form::Map(push::ExprList {
                items: items.collect::<Result<_, _>>()?,
            })
        }
        Expr::Call(function, arguments) => {
            let arguments: Vec<&Expr> = arguments.iter().collect();
            Form::Call(call(names::function_name(*function), &arguments)?)
        }
        Expr::Comprehension(comprehension) => {
            let Comprehension {
                kind,
                range,
                predicate,
                transform,
            } = &**comprehension;
            check_parts(*kind, predicate.is_some(), transform.is_some())?;
            Form::Comprehension(Box::new(push::Comprehension {
                kind: names::kind_name(*kind).to_owned(),
                range: Some(boxed(range)?),
                predicate: predicate.as_ref().map(boxed).transpose()?,
                transform: transform.as_ref().map(boxed).transpose()?,
            }))
        }
    };
    Ok(push::Expr { form: Some(form) })
}

fn from_wire(expr: &push::Expr, depth: u32) -> Result<Expr, Problem> {
    let depth = depth.checked_sub(1).ok_or(Problem::TooDeep)?;
    let convert = |expr: &push::Expr| from_wire(expr, depth);
    let part = |expr: &Option<Box<push::Expr>>, of: &'static str| {
        expr.as_deref()
            .ok_or(Problem::MissingPart(of))
            .and_then(convert)
    };
    let list = |items: &[push::Expr]| items.iter().map(convert).collect::<Result<Vec<_>, _>>();
    Ok(
        match expr
            .form
            .as_ref()
            .ok_or(Problem::MissingPart("expression"))?
        {
            Form::Literal(literal) => Expr::Literal(literal_from_wire(literal)?),
            Form::Var(var) => {
                Expr::Var(names::var_from_wire(*var).ok_or(Problem::UnknownVariable(*var))?)
            }
            Form::Bound(index) => Expr::Bound(*index),
            Form::Select(select) => Expr::Select(
                Box::new(part(&select.operand, "select")?),
                select.field.clone(),
            ),
            Form::Has(select) => Expr::Has(
                Box::new(part(&select.operand, "has")?),
                select.field.clone(),
            ),
            Form::Operator(push::Call { name, arguments }) => operator(name, list(arguments)?)?,
            Form::List(push::ExprList { items }) => Expr::List(list(items)?),
            Form::Map(push::ExprList { items }) => {
                let (pairs, []) = items.as_chunks::<2>() else {
                    return Err(Problem::UnevenMap);
                };
                let entries = pairs
                    .iter()
                    .map(|[key, value]| Ok((convert(key)?, convert(value)?)));
                Expr::Map(entries.collect::<Result<_, _>>()?)
            }
            Form::Call(push::Call { name, arguments }) => {
                let function =
                    names::function(name).ok_or_else(|| Problem::UnknownFunction(name.clone()))?;
                Expr::Call(function, list(arguments)?)
            }
            Form::Comprehension(comprehension) => {
                let push::Comprehension {
                    kind,
                    range,
                    predicate,
                    transform,
                } = &**comprehension;
                let kind = names::kind(kind).ok_or_else(|| Problem::UnknownMacro(kind.clone()))?;
                check_parts(kind, predicate.is_some(), transform.is_some())?;
                Expr::Comprehension(Box::new(Comprehension {
                    kind,
                    range: part(range, names::kind_name(kind))?,
                    predicate: predicate.as_deref().map(convert).transpose()?,
                    transform: transform.as_deref().map(convert).transpose()?,
                }))
            }
        },
    )
}

fn operator(name: &str, operands: Vec<Expr>) -> Result<Expr, Problem> {
    let wrong = Problem::Operands {
        operator: name.to_owned(),
        found: operands.len(),
    };
    if let Some(op) = names::unary_op(name) {
        let [a] = boxes(operands).ok_or(wrong)?;
        return Ok(Expr::Unary(op, a));
    }
    if let Some(op) = names::binary_op(name) {
        let [a, b] = boxes(operands).ok_or(wrong)?;
        return Ok(Expr::Binary(op, a, b));
    }
    if name == names::CONDITIONAL {
        let [a, b, c] = boxes(operands).ok_or(wrong)?;
        return Ok(Expr::Conditional(a, b, c));
    }
    let form = match name {
        names::AND => Expr::And,
        names::OR => Expr::Or,
        names::INDEX => Expr::Index,
        _ => return Err(Problem::UnknownOperator(name.to_owned())),
    };
    let [a, b] = boxes(operands).ok_or(wrong)?;
    Ok(form(a, b))
}

fn boxes<const N: usize>(operands: Vec<Expr>) -> Option<[Box<Expr>; N]> {
    <[Expr; N]>::try_from(operands)
        .ok()
        .map(|operands| operands.map(Box::new))
}

/// `map` has a transformation and maybe a filter; the others have a predicate alone.
fn check_parts(kind: ComprehensionKind, predicate: bool, transform: bool) -> Result<(), Problem> {
    let name = names::kind_name(kind);
    match (kind, predicate, transform) {
        (ComprehensionKind::Map, _, true) => Ok(()),
        (ComprehensionKind::Map, _, false) | (_, false, _) => Err(Problem::MissingPart(name)),
        (_, true, true) => Err(Problem::ExtraPart(name)),
        (_, true, false) => Ok(()),
    }
}

fn literal_to_wire(literal: &Literal) -> Result<push::Literal, Problem> {
    let value = match literal {
        Literal::Null => literal::Value::Null(true),
        Literal::Bool(value) => literal::Value::Boolean(*value),
        Literal::String(text) => literal::Value::Text(text.clone()),
        Literal::Number(number) => {
            if let Some(value) = number.as_i64() {
                literal::Value::Integer(value)
            } else if let Some(value) = number.as_u64() {
                literal::Value::Unsigned(value)
            } else {
                literal::Value::Number(number.as_f64().ok_or(Problem::NotFinite)?)
            }
        }
    };
    Ok(push::Literal { value: Some(value) })
}

fn literal_from_wire(literal: &push::Literal) -> Result<Literal, Problem> {
    let value = literal
        .value
        .as_ref()
        .ok_or(Problem::MissingPart("literal"))?;
    Ok(match value {
        literal::Value::Null(_) => Literal::Null,
        literal::Value::Boolean(value) => Literal::Bool(*value),
        literal::Value::Integer(value) => Literal::Number((*value).into()),
        literal::Value::Unsigned(value) => Literal::Number((*value).into()),
        literal::Value::Number(value) => {
            Literal::Number(Number::from_f64(*value).ok_or(Problem::NotFinite)?)
        }
        literal::Value::Text(text) => Literal::String(text.clone()),
    })
}
