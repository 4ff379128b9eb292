//! Three-valued evaluation of conditions: a value, unknown, or an error.
//!
//! Whatever the tree and the arguments, an evaluation ends within its steps: every node costs one, and
//! work on strings, lists and maps costs in proportion to their size.

mod compare;
mod failure;
mod function;
mod macros;
mod number;
mod operator;
mod value;

pub(crate) use failure::{Failure, Stop};
pub(crate) use number::Number;
pub(crate) use operator::operator_name;
pub(crate) use value::{List, Map, Text, Value};

use std::rc::Rc;

use crate::regexes::Regexes;
use crate::scope::Scope;
use crate::{Arguments, Expr, Literal, UnaryOp, Var};

/// Bytes of text that cost one step.
const BYTES_PER_STEP: usize = 64;

/// What came of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome<'a> {
    True,
    False,
    Unknown,
    Failed(Failure<'a>),
}

type Result<'a, T> = std::result::Result<T, Stop<'a>>;

/// Evaluates a condition within `steps`, and says how many it took.
///
/// A condition that runs out of steps while the arguments are unknown is unknown rather than failed:
/// with the arguments known it may take fewer.
pub(crate) fn evaluate<'a>(
    condition: &'a Expr,
    scope: &'a Scope<'a>,
    regexes: &'a Regexes,
    steps: usize,
) -> (Outcome<'a>, usize) {
    let mut evaluation = Evaluation {
        scope,
        regexes,
        left: steps,
        exhausted: false,
        bound: Vec::new(),
    };
    let result = evaluation
        .eval(condition)
        .and_then(|value| value.bool().map_err(Stop::Failed));
    let outcome = match (result, scope.query.arguments) {
        (_, Arguments::Unknown) if evaluation.exhausted => Outcome::Unknown,
        _ if evaluation.exhausted => Outcome::Failed(Failure::TooManySteps),
        (Ok(true), _) => Outcome::True,
        (Ok(false), _) => Outcome::False,
        (Err(Stop::Unknown), _) => Outcome::Unknown,
        (Err(Stop::Failed(failure)), _) => Outcome::Failed(failure),
    };
    (outcome, steps.saturating_sub(evaluation.left))
}

struct Evaluation<'a> {
    scope: &'a Scope<'a>,
    regexes: &'a Regexes,
    left: usize,
    /// Stays set, so that no `||` can absorb it.
    exhausted: bool,
    /// Elements of the macros around the current node, the innermost last.
    bound: Vec<Value<'a>>,
}

impl<'a> Evaluation<'a> {
    fn charge(&mut self, steps: usize) -> Result<'a, ()> {
        match self.left.checked_sub(steps) {
            Some(left) if !self.exhausted => {
                self.left = left;
                Ok(())
            }
            _ => {
                self.left = 0;
                self.exhausted = true;
                Err(Failure::TooManySteps.into())
            }
        }
    }

    fn charge_bytes(&mut self, bytes: usize) -> Result<'a, ()> {
        self.charge(bytes / BYTES_PER_STEP)
    }

    /// The recursion is as deep as the tree, which [`crate::check`] bounds.
    fn eval(&mut self, expr: &'a Expr) -> Result<'a, Value<'a>> {
        self.charge(1)?;
        match expr {
            Expr::Literal(literal) => Ok(literal_value(literal)?),
            Expr::Var(var) => self.var(*var),
            Expr::Bound(index) => self.bound_value(*index),
            Expr::Select(operand, field) => self.select(operand, field),
            Expr::Has(operand, field) => self.has(operand, field),
            Expr::Index(operand, index) => self.index(operand, index),
            Expr::Unary(op, operand) => self.unary(*op, operand),
            Expr::Binary(op, left, right) => self.binary(*op, left, right),
            Expr::And(left, right) => self.logic(left, right, false),
            Expr::Or(left, right) => self.logic(left, right, true),
            Expr::Conditional(condition, then, otherwise) => {
                let holds = self.eval(condition)?.bool()?;
                self.eval(if holds { then } else { otherwise })
            }
            Expr::List(items) => self.list(items),
            Expr::Map(entries) => self.map(entries),
            Expr::Call(function, arguments) => self.call(*function, arguments),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn var(&self, var: Var) -> Result<'a, Value<'a>> {
        match (var, self.scope.query.arguments) {
            (Var::Args, Arguments::Known(arguments)) => Ok(Value::Map(Map::Json(arguments))),
            (Var::Args, Arguments::Later(later)) => {
                let arguments = later.arguments().ok_or(Failure::Unreadable)?;
                Ok(Value::Map(Map::Json(arguments)))
            }
            (Var::Args | Var::Findings, Arguments::Unknown) => Err(Stop::Unknown),
            (Var::Findings, _) => {
                let source = self.scope.query.findings.ok_or(Failure::NoFindings)?;
                let findings = source.findings().ok_or(Failure::NoFindings)?;
                Ok(Value::Map(Map::Findings(findings)))
            }
            (var, _) => Ok(Value::Map(Map::Root(var, self.scope))),
        }
    }

    fn bound_value(&self, index: u32) -> Result<'a, Value<'a>> {
        let value = self.bound.iter().rev().nth(index as usize).cloned();
        Ok(value.ok_or(Failure::Malformed)?)
    }

    fn select(&mut self, operand: &'a Expr, field: &'a str) -> Result<'a, Value<'a>> {
        match self.eval(operand)? {
            Value::Map(map) => Ok(map.field(field)?.ok_or(Failure::NoField(field))?),
            other => Err(other.is_no("map").into()),
        }
    }

    fn has(&mut self, operand: &'a Expr, field: &'a str) -> Result<'a, Value<'a>> {
        match self.eval(operand)? {
            Value::Map(map) => Ok(Value::Bool(map.field(field)?.is_some())),
            other => Err(other.is_no("map").into()),
        }
    }

    fn index(&mut self, operand: &'a Expr, index: &'a Expr) -> Result<'a, Value<'a>> {
        let operand = self.eval(operand)?;
        let index = self.eval(index)?;
        match (operand, index) {
            (Value::List(list), Value::Number(number)) => {
                let item = number
                    .index()
                    .map(|index| list.get(index))
                    .transpose()?
                    .flatten();
                Ok(item.ok_or(Failure::OutOfRange)?)
            }
            (Value::List(_), other) => Err(other.is_no("int").into()),
            (Value::Map(map), key) => Ok(self.entry(&map, &key)?.ok_or(Failure::NoKey)?),
            (other, _) => Err(other.is_no("list or map").into()),
        }
    }

    fn unary(&mut self, op: UnaryOp, operand: &'a Expr) -> Result<'a, Value<'a>> {
        let operand = self.eval(operand)?;
        match (op, operand) {
            (UnaryOp::Not, operand) => Ok(Value::Bool(!operand.bool()?)),
            (UnaryOp::Negate, Value::Number(number)) => Ok(Value::Number(number.negate()?)),
            (UnaryOp::Negate, other) => Err(other.is_no("number").into()),
        }
    }

    /// `&&` (`decisive` is false) and `||` (true): a side that decides does so whatever the other is;
    /// otherwise unknown beats an error, since the unknown side may yet decide.
    fn logic(&mut self, left: &'a Expr, right: &'a Expr, decisive: bool) -> Result<'a, Value<'a>> {
        let left = self.eval(left).and_then(|value| Ok(value.bool()?));
        if left == Ok(decisive) {
            return Ok(Value::Bool(decisive));
        }
        let right = self.eval(right).and_then(|value| Ok(value.bool()?));
        match (left, right) {
            (_, Ok(right)) if right == decisive => Ok(Value::Bool(decisive)),
            (Err(Stop::Unknown), _) | (_, Err(Stop::Unknown)) => Err(Stop::Unknown),
            (Err(failed), _) | (_, Err(failed)) => Err(failed),
            (Ok(_), Ok(_)) => Ok(Value::Bool(!decisive)),
        }
    }

    fn list(&mut self, items: &'a [Expr]) -> Result<'a, Value<'a>> {
        let items: Rc<[_]> = items
            .iter()
            .map(|item| self.eval(item))
            .collect::<Result<'a, _>>()?;
        Ok(Value::List(List::Owned(items)))
    }

    fn map(&mut self, entries: &'a [(Expr, Expr)]) -> Result<'a, Value<'a>> {
        let mut values: Vec<(Value<'a>, Value<'a>)> = Vec::new();
        for (key, value) in entries {
            let key = self.eval(key)?;
            let allowed = match &key {
                Value::Bool(_) | Value::Text(_) => true,
                Value::Number(number) => number.integer().is_some(),
                Value::Null | Value::List(_) | Value::Map(_) => false,
            };
            if !allowed {
                return Err(key.is_no("bool, int or string as a key").into());
            }
            self.charge(values.len())?;
            if values.iter().any(|(other, _)| value::same_key(other, &key)) {
                return Err(Failure::DuplicateKey.into());
            }
            values.push((key, self.eval(value)?));
        }
        Ok(Value::Map(Map::Owned(values.into())))
    }
}

fn literal_value(literal: &Literal) -> std::result::Result<Value<'_>, Failure<'static>> {
    Ok(match literal {
        Literal::Null => Value::Null,
        Literal::Bool(bool) => Value::Bool(*bool),
        Literal::Number(number) => Value::Number(Number::from_json(number)?),
        Literal::String(text) => Value::Text(Text::Borrowed(text)),
    })
}
