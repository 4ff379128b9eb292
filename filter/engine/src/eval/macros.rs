//! Macros over lists, and over the keys of maps.

use super::{Evaluation, Failure, List, Result, Stop, Value};
use crate::{Comprehension, ComprehensionKind, Expr};

impl<'a> Evaluation<'a> {
    pub(super) fn comprehension(&mut self, macro_: &'a Comprehension) -> Result<'a, Value<'a>> {
        let items = match self.eval(&macro_.range)? {
            Value::List(list) => list,
            Value::Map(map) => List::Owned(self.keys(&map)?.into()),
            other => return Err(other.is_no("list or map").into()),
        };
        let predicate = macro_.predicate.as_ref();
        match macro_.kind {
            ComprehensionKind::All => self.quantify(&items, predicate, false),
            ComprehensionKind::Exists => self.quantify(&items, predicate, true),
            ComprehensionKind::ExistsOne => self.exists_one(&items, predicate),
            ComprehensionKind::Filter => self.collect(&items, predicate, None),
            ComprehensionKind::Map => {
                let transform = macro_.transform.as_ref().ok_or(Failure::Malformed)?;
                self.collect(&items, predicate, Some(transform))
            }
        }
    }

    /// `all` (`decisive` is false) and `exists` (true), like a row of `&&` or `||`.
    fn quantify(
        &mut self,
        items: &List<'a>,
        predicate: Option<&'a Expr>,
        decisive: bool,
    ) -> Result<'a, Value<'a>> {
        let mut stop = None;
        for index in 0..items.len() {
            match self.holds(items, index, predicate) {
                Ok(holds) if holds == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(Stop::Unknown) => stop = Some(Stop::Unknown),
                Err(failed) if self.exhausted => return Err(failed),
                Err(failed) => stop = stop.or(Some(failed)),
            }
        }
        stop.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn exists_one(
        &mut self,
        items: &List<'a>,
        predicate: Option<&'a Expr>,
    ) -> Result<'a, Value<'a>> {
        let mut count = 0_usize;
        for index in 0..items.len() {
            count = count.saturating_add(usize::from(self.holds(items, index, predicate)?));
        }
        Ok(Value::Bool(count == 1))
    }

    /// `filter` and `map`.
    fn collect(
        &mut self,
        items: &List<'a>,
        predicate: Option<&'a Expr>,
        transform: Option<&'a Expr>,
    ) -> Result<'a, Value<'a>> {
        let mut collected = Vec::new();
        for index in 0..items.len() {
            if predicate.is_some() && !self.holds(items, index, predicate)? {
                continue;
            }
            collected.push(match transform {
                Some(transform) => self.with_item(items, index, transform)?,
                None => items.get(index)?.ok_or(Failure::Malformed)?,
            });
        }
        Ok(Value::List(List::Owned(collected.into())))
    }

    fn holds(
        &mut self,
        items: &List<'a>,
        index: usize,
        predicate: Option<&'a Expr>,
    ) -> Result<'a, bool> {
        let predicate = predicate.ok_or(Failure::Malformed)?;
        Ok(self.with_item(items, index, predicate)?.bool()?)
    }

    fn with_item(
        &mut self,
        items: &List<'a>,
        index: usize,
        body: &'a Expr,
    ) -> Result<'a, Value<'a>> {
        let item = items.get(index)?.ok_or(Failure::Malformed)?;
        self.bound.push(item);
        let value = self.eval(body);
        self.bound.pop();
        value
    }
}
