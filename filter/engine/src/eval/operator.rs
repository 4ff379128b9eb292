//! Strict operators: both sides are evaluated first.

use std::rc::Rc;

use super::{Evaluation, Failure, List, Result, Text, Value};
use crate::{BinaryOp, Expr};

impl<'a> Evaluation<'a> {
    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        left: &'a Expr,
        right: &'a Expr,
    ) -> Result<'a, Value<'a>> {
        let left = self.eval(left)?;
        let right = self.eval(right)?;
        match op {
            BinaryOp::Equal => Ok(Value::Bool(self.equal(&left, &right)?)),
            BinaryOp::NotEqual => Ok(Value::Bool(!self.equal(&left, &right)?)),
            BinaryOp::Less => self.ordered(op, &left, &right, std::cmp::Ordering::is_lt),
            BinaryOp::LessOrEqual => self.ordered(op, &left, &right, std::cmp::Ordering::is_le),
            BinaryOp::Greater => self.ordered(op, &left, &right, std::cmp::Ordering::is_gt),
            BinaryOp::GreaterOrEqual => self.ordered(op, &left, &right, std::cmp::Ordering::is_ge),
            BinaryOp::Add => self.add(left, right),
            BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder => {
                compute(op, &left, &right)
            }
            BinaryOp::In => self.member(&left, &right),
        }
    }

    fn ordered(
        &mut self,
        op: BinaryOp,
        left: &Value<'a>,
        right: &Value<'a>,
        holds: impl Fn(std::cmp::Ordering) -> bool,
    ) -> Result<'a, Value<'a>> {
        let order = self
            .order(left, right)?
            .ok_or_else(|| operands(op, left, right))?;
        Ok(Value::Bool(holds(order)))
    }

    fn add(&mut self, left: Value<'a>, right: Value<'a>) -> Result<'a, Value<'a>> {
        match (&left, &right) {
            (Value::Text(left), Value::Text(right)) => {
                self.charge_bytes(left.len().saturating_add(right.len()))?;
                Ok(Value::Text(Text::from([&**left, &**right].concat())))
            }
            (Value::List(left), Value::List(right)) => self.concat(left, right),
            _ => compute(BinaryOp::Add, &left, &right),
        }
    }

    fn concat(&mut self, left: &List<'a>, right: &List<'a>) -> Result<'a, Value<'a>> {
        let length = left.len().saturating_add(right.len());
        self.charge(length)?;
        let mut items = Vec::with_capacity(length);
        for list in [left, right] {
            for index in 0..list.len() {
                items.extend(list.get(index)?);
            }
        }
        Ok(Value::List(List::Owned(Rc::from(items))))
    }

    /// `item in list`, `key in map`.
    fn member(&mut self, item: &Value<'a>, range: &Value<'a>) -> Result<'a, Value<'a>> {
        match range {
            Value::List(list) => {
                for index in 0..list.len() {
                    if let Some(other) = list.get(index)?
                        && self.equal(item, &other)?
                    {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Value::Map(map) => Ok(Value::Bool(self.entry(map, item)?.is_some())),
            other => Err(operands(BinaryOp::In, item, other).into()),
        }
    }
}

fn compute<'a>(op: BinaryOp, left: &Value<'a>, right: &Value<'a>) -> Result<'a, Value<'a>> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Ok(Value::Number(left.compute(op, *right)?)),
        _ => Err(operands(op, left, right).into()),
    }
}

fn operands(op: BinaryOp, left: &Value<'_>, right: &Value<'_>) -> Failure<'static> {
    Failure::Operands {
        operator: operator_name(op),
        left: left.type_name(),
        right: right.type_name(),
    }
}

/// How CEL writes an operator.
pub(crate) fn operator_name(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Equal => "==",
        BinaryOp::NotEqual => "!=",
        BinaryOp::Less => "<",
        BinaryOp::LessOrEqual => "<=",
        BinaryOp::Greater => ">",
        BinaryOp::GreaterOrEqual => ">=",
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Remainder => "%",
        BinaryOp::In => "in",
    }
}
