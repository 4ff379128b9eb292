//! Equality and order. Both cost steps in proportion to what is compared.

use std::cmp::Ordering;

use super::{Evaluation, Failure, List, Map, Result, Value};

/// How deeply nested values are compared. Parsers of requests stop well before.
const MAX_DEPTH: usize = 128;

impl<'a> Evaluation<'a> {
    /// Deep equality; values of different kinds are different, numbers are compared by value.
    pub(super) fn equal(&mut self, left: &Value<'a>, right: &Value<'a>) -> Result<'a, bool> {
        self.equal_at(left, right, 0)
    }

    fn equal_at(&mut self, left: &Value<'a>, right: &Value<'a>, depth: usize) -> Result<'a, bool> {
        if depth > MAX_DEPTH {
            return Err(Failure::TooDeep.into());
        }
        self.charge(1)?;
        match (left, right) {
            (Value::Null, Value::Null) => Ok(true),
            (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
            (Value::Number(left), Value::Number(right)) => {
                Ok(left.compare(*right) == Some(Ordering::Equal))
            }
            (Value::Text(left), Value::Text(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                self.charge_bytes(left.len())?;
                Ok(**left == **right)
            }
            (Value::List(left), Value::List(right)) => self.equal_lists(left, right, depth + 1),
            (Value::Map(left), Value::Map(right)) => self.equal_maps(left, right, depth + 1),
            _ => Ok(false),
        }
    }

    fn equal_lists(&mut self, left: &List<'a>, right: &List<'a>, depth: usize) -> Result<'a, bool> {
        if left.len() != right.len() {
            return Ok(false);
        }
        for index in 0..left.len() {
            let (Some(left), Some(right)) = (left.get(index)?, right.get(index)?) else {
                return Ok(false);
            };
            if !self.equal_at(&left, &right, depth)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn equal_maps(&mut self, left: &Map<'a>, right: &Map<'a>, depth: usize) -> Result<'a, bool> {
        if left.len() != right.len() {
            return Ok(false);
        }
        for key in self.keys(left)? {
            let (Some(left), Some(right)) = (self.entry(left, &key)?, self.entry(right, &key)?)
            else {
                return Ok(false);
            };
            if !self.equal_at(&left, &right, depth)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The order of two numbers, strings or booleans; nothing for other pairs.
    pub(super) fn order(
        &mut self,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Result<'a, Option<Ordering>> {
        Ok(match (left, right) {
            (Value::Number(left), Value::Number(right)) => left.compare(*right),
            (Value::Text(left), Value::Text(right)) => {
                self.charge_bytes(left.len().min(right.len()))?;
                Some((**left).cmp(&**right))
            }
            (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
            _ => None,
        })
    }

    /// The value under a key. A long key is paid for, since it may be compared with others as long.
    pub(super) fn entry(
        &mut self,
        map: &Map<'a>,
        key: &Value<'a>,
    ) -> Result<'a, Option<Value<'a>>> {
        if let Value::Text(text) = key {
            self.charge_bytes(text.len())?;
        }
        Ok(map.entry(key)?)
    }

    /// The keys of a map, paid for.
    pub(super) fn keys(&mut self, map: &Map<'a>) -> Result<'a, Vec<Value<'a>>> {
        self.charge(map.len())?;
        Ok(map.keys())
    }
}
