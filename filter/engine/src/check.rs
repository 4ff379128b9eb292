//! What a condition must fulfil before it is evaluated: bounded depth, complete forms, literal patterns.

use crate::regexes::Regexes;
use crate::{
    Comprehension, ComprehensionKind, Expr, Function, Literal, MAX_CONDITION_DEPTH, PolicyError,
};

/// Checks the condition of `rule` and compiles its patterns.
pub(crate) fn check(
    rule: &str,
    condition: &Expr,
    regexes: &mut Regexes,
) -> Result<(), PolicyError> {
    Checker { rule, regexes }.visit(condition, 1, 0)
}

struct Checker<'a> {
    rule: &'a str,
    regexes: &'a mut Regexes,
}

impl Checker<'_> {
    /// `bound` counts the macros around the expression.
    fn visit(&mut self, expr: &Expr, depth: usize, bound: u32) -> Result<(), PolicyError> {
        if depth > MAX_CONDITION_DEPTH {
            return Err(PolicyError::TooDeep {
                rule: self.rule.to_owned(),
            });
        }
        let depth = depth + 1;
        match expr {
            Expr::Literal(_) | Expr::Var(_) => Ok(()),
            Expr::Bound(index) if *index < bound => Ok(()),
            Expr::Bound(_) => Err(PolicyError::UnboundVariable {
                rule: self.rule.to_owned(),
            }),
            Expr::Select(operand, _) | Expr::Has(operand, _) | Expr::Unary(_, operand) => {
                self.visit(operand, depth, bound)
            }
            Expr::Index(left, right)
            | Expr::Binary(_, left, right)
            | Expr::And(left, right)
            | Expr::Or(left, right) => {
                self.visit(left, depth, bound)?;
                self.visit(right, depth, bound)
            }
            Expr::Conditional(condition, then, otherwise) => {
                self.visit(condition, depth, bound)?;
                self.visit(then, depth, bound)?;
                self.visit(otherwise, depth, bound)
            }
            Expr::List(items) => items
                .iter()
                .try_for_each(|item| self.visit(item, depth, bound)),
            Expr::Map(entries) => entries.iter().try_for_each(|(key, value)| {
                self.visit(key, depth, bound)?;
                self.visit(value, depth, bound)
            }),
            Expr::Call(function, arguments) => {
                self.call(*function, arguments)?;
                arguments
                    .iter()
                    .try_for_each(|argument| self.visit(argument, depth, bound))
            }
            Expr::Comprehension(comprehension) => {
                self.comprehension(comprehension)?;
                self.visit(&comprehension.range, depth, bound)?;
                let bound = bound.saturating_add(1);
                let bodies = comprehension
                    .predicate
                    .iter()
                    .chain(&comprehension.transform);
                bodies
                    .into_iter()
                    .try_for_each(|body| self.visit(body, depth, bound))
            }
        }
    }

    fn call(&mut self, function: Function, arguments: &[Expr]) -> Result<(), PolicyError> {
        let expected = arity(function);
        if arguments.len() != expected {
            return Err(PolicyError::Arity {
                rule: self.rule.to_owned(),
                function: name(function),
                expected,
                found: arguments.len(),
            });
        }
        if function != Function::Matches {
            return Ok(());
        }
        let Some(Expr::Literal(Literal::String(pattern))) = arguments.get(1) else {
            return Err(PolicyError::ComputedPattern {
                rule: self.rule.to_owned(),
            });
        };
        self.regexes
            .add(pattern)
            .map_err(|reason| PolicyError::BadPattern {
                rule: self.rule.to_owned(),
                pattern: pattern.clone(),
                reason,
            })
    }

    fn comprehension(&self, comprehension: &Comprehension) -> Result<(), PolicyError> {
        let complete = match comprehension.kind {
            ComprehensionKind::Map => comprehension.transform.is_some(),
            _ => comprehension.predicate.is_some() && comprehension.transform.is_none(),
        };
        if complete {
            Ok(())
        } else {
            Err(PolicyError::IncompleteMacro {
                rule: self.rule.to_owned(),
            })
        }
    }
}

/// How many arguments a function takes, the receiver included.
fn arity(function: Function) -> usize {
    match function {
        Function::StartsWith | Function::EndsWith | Function::Contains | Function::Matches => 2,
        Function::Size
        | Function::LowerAscii
        | Function::UpperAscii
        | Function::Trim
        | Function::Int
        | Function::Double
        | Function::String
        | Function::Type => 1,
    }
}

/// The CEL name of a function.
fn name(function: Function) -> &'static str {
    match function {
        Function::Size => "size",
        Function::StartsWith => "startsWith",
        Function::EndsWith => "endsWith",
        Function::Contains => "contains",
        Function::Matches => "matches",
        Function::LowerAscii => "lowerAscii",
        Function::UpperAscii => "upperAscii",
        Function::Trim => "trim",
        Function::Int => "int",
        Function::Double => "double",
        Function::String => "string",
        Function::Type => "type",
    }
}
