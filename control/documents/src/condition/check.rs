//! Names, types and forms, and the compiled expression.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr as Ast, LiteralValue, SelectExpr};
use gatehold_engine::{Comprehension, Expr, Literal, Var};
use serde_json::Number;

use super::macros::{self, Macro};
use super::types::{self, Type};
use super::{Fault, Kinds, parse};
use crate::suggest::{excerpt, instead_of, list};

/// How deeply a compiled condition may be nested; less than the push protocol can carry.
const MAX_DEPTH: usize = 32;

/// The compiled condition, or all that is wrong with it.
pub(super) fn check(ast: &IdedExpr, text: &str, kinds: Kinds) -> Result<Expr, Vec<Fault>> {
    let mut checker = Checker {
        kinds,
        bound: Vec::new(),
        depth: 0,
        faults: Vec::new(),
    };
    let compiled = checker.visit(ast);
    if let Some((_, of)) = &compiled
        && !of.fits(&Type::Bool)
    {
        let help = "compare it with something, so that it is true or false";
        checker.fault(
            ast,
            format!("the condition is {}, not a boolean", of.name()),
            help.to_owned(),
        );
    }
    match compiled {
        Some((expr, _)) if checker.faults.is_empty() => Ok(expr),
        _ => Err(located(checker.faults, ast, text)),
    }
}

fn located(faults: Vec<NodeFault>, ast: &IdedExpr, text: &str) -> Vec<Fault> {
    let ids: Vec<u64> = faults.iter().map(|fault| fault.node).collect();
    let offsets = parse::offsets(text, ast, &ids);
    let faults = faults.into_iter().zip(offsets);
    faults
        .map(|(fault, offset)| Fault {
            offset: offset.map(|offset| shifted(text, offset, fault.part)),
            message: fault.message,
            help: fault.help,
        })
        .collect()
}

/// The place of a part of a node. The parser places selections at their dot, and calls at their bracket.
fn shifted(text: &str, offset: usize, part: Part) -> usize {
    match part {
        Part::Whole => offset,
        Part::Field => offset.saturating_add(1),
        Part::Function(length) => {
            let start = offset.checked_sub(length);
            let name = start.and_then(|start| text.get(start..offset));
            match (start, name) {
                (Some(start), Some(name)) if name.chars().all(char::is_alphanumeric) => start,
                _ => offset,
            }
        }
    }
}

/// What of a node is meant.
#[derive(Clone, Copy)]
enum Part {
    Whole,
    Field,
    /// The name of the function, of this length.
    Function(usize),
}

struct NodeFault {
    node: u64,
    part: Part,
    message: String,
    help: Option<String>,
}

pub(super) struct Checker<'a> {
    kinds: Kinds,
    /// Variables of the macros around, the innermost last.
    bound: Vec<(&'a str, Type)>,
    depth: usize,
    faults: Vec<NodeFault>,
}

/// A compiled node with its type. Nothing when it cannot be compiled, which has been reported.
pub(super) type Compiled = Option<(Expr, Type)>;

impl<'a> Checker<'a> {
    pub(super) fn fault(
        &mut self,
        node: &IdedExpr,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.faults.push(NodeFault {
            node: node.id,
            part: match &node.expr {
                Ast::Select(select) if !select.test => Part::Field,
                Ast::Call(call) => Part::Function(call.func_name.len()),
                _ => Part::Whole,
            },
            message: message.into(),
            help: help.into(),
        });
    }

    pub(super) fn visit(&mut self, node: &'a IdedExpr) -> Compiled {
        let (expr, of) = self.visit_root(node)?;
        if let Type::Root(var) = of {
            let fields = list(types::fields(var).iter().copied());
            let message = "the variable can only be used by its fields";
            self.fault(node, message, format!("add one of {fields} after a dot"));
            return None;
        }
        Some((expr, of))
    }

    /// As [`visit`](Self::visit), where a variable with fixed fields may stand alone.
    fn visit_root(&mut self, node: &'a IdedExpr) -> Compiled {
        if self.depth >= MAX_DEPTH {
            let message = format!("the condition is nested more than {MAX_DEPTH} deep");
            // One is enough.
            if self.faults.iter().all(|fault| fault.message != message) {
                self.fault(
                    node,
                    message,
                    "split the rule, or group with `(…)` differently".to_owned(),
                );
            }
            return None;
        }
        self.depth = self.depth.saturating_add(1);
        let compiled = match &node.expr {
            Ast::Literal(literal) => self.literal(node, literal),
            Ast::Ident(name) => self.variable(node, name),
            Ast::Select(select) => self.select(node, select),
            Ast::Call(call) => self.call(node, call),
            Ast::List(items) => {
                self.list(node, &items.elements, !items.optional_indices.is_empty())
            }
            Ast::Map(entries) => self.map(node, entries.entries.iter().map(|entry| &entry.expr)),
            Ast::Comprehension(expanded) => match macros::recognize(expanded) {
                Some(recognized) => self.comprehension(&recognized),
                None => self.unsupported(
                    node,
                    "this macro",
                    "use `all`, `exists`, `exists_one`, `map` or `filter`",
                ),
            },
            Ast::Struct(_) => self.unsupported(
                node,
                "messages",
                "compare fields, or write a map: `{\"a\": 1}`",
            ),
            Ast::Unspecified => self.unsupported(node, "an empty expression", "write a condition"),
        };
        self.depth = self.depth.saturating_sub(1);
        compiled
    }

    pub(super) fn unsupported(&mut self, node: &IdedExpr, what: &str, help: &str) -> Compiled {
        self.fault(
            node,
            format!("{what} cannot be used in conditions"),
            help.to_owned(),
        );
        None
    }

    fn literal(&mut self, node: &IdedExpr, literal: &LiteralValue) -> Compiled {
        let (literal, of) = match literal {
            LiteralValue::Null => (Literal::Null, Type::Null),
            LiteralValue::Boolean(bool) => (Literal::Bool(*bool.inner()), Type::Bool),
            LiteralValue::Int(int) => (Literal::Number(Number::from(*int.inner())), Type::Number),
            LiteralValue::Double(double) => match Number::from_f64(*double.inner()) {
                Some(number) => (Literal::Number(number), Type::Number),
                None => return self.unsupported(node, "infinite numbers", "write a smaller one"),
            },
            LiteralValue::String(text) => (Literal::String(text.inner().to_owned()), Type::Text),
            LiteralValue::UInt(_) => {
                return self.unsupported(node, "unsigned literals", "write the number without `u`");
            }
            LiteralValue::Bytes(_) => {
                return self.unsupported(
                    node,
                    "bytes",
                    "write a string, without `b` before the quote",
                );
            }
        };
        Some((Expr::Literal(literal), of))
    }

    fn variable(&mut self, node: &IdedExpr, name: &str) -> Compiled {
        let mut bound = self.bound.iter().rev().zip(0_u32..);
        if let Some(((_, of), index)) = bound.find(|((bound, _), _)| *bound == name) {
            return Some((Expr::Bound(index), of.clone()));
        }
        let Some(var) = types::variable(name) else {
            let bound = self.bound.iter().map(|(name, _)| *name);
            let known: Vec<_> = types::VARIABLES
                .iter()
                .map(|(name, _)| *name)
                .chain(bound)
                .collect();
            let help = if types::TYPE_NAMES.contains(&name) {
                format!("types can only be compared: `type(args.x) == {name}`")
            } else {
                instead_of(name, &known)
            };
            self.fault(
                node,
                format!("there is no variable `{}`", excerpt(name)),
                help,
            );
            return None;
        };
        let selector = match var {
            Var::Tool if !self.kinds.tools => Some("tools"),
            Var::Resource if !self.kinds.resources => Some("resources"),
            Var::Prompt if !self.kinds.prompts => Some("prompts"),
            _ => None,
        };
        if let Some(selector) = selector {
            let message = format!("`{name}` has no meaning in a rule without `{selector}`");
            self.fault(
                node,
                message,
                format!("add `{selector}` to the rule, or remove it from the condition"),
            );
            return None;
        }
        let of = match var {
            Var::Args => Type::Map,
            var => Type::Root(var),
        };
        Some((Expr::Var(var), of))
    }

    fn select(&mut self, node: &'a IdedExpr, select: &'a SelectExpr) -> Compiled {
        let (operand, of) = self.visit_root(&select.operand)?;
        let field = select.field.clone();
        let selected = match of {
            Type::Any | Type::Map => Type::Any,
            Type::Root(var) => {
                let known = types::fields(var);
                if !known.contains(&field.as_str()) {
                    let message = format!("there is no field `{}`", excerpt(&field));
                    self.fault(node, message, instead_of(&field, known));
                    return None;
                }
                types::field_type(&field)
            }
            other => {
                let message = format!(
                    "{} has no fields, so no `{}`",
                    other.name(),
                    excerpt(&field)
                );
                self.fault(node, message, None);
                return None;
            }
        };
        let operand = Box::new(operand);
        Some(if select.test {
            (Expr::Has(operand, field), Type::Bool)
        } else {
            (Expr::Select(operand, field), selected)
        })
    }

    fn list(&mut self, node: &IdedExpr, items: &'a [IdedExpr], optional: bool) -> Compiled {
        if optional {
            return self.unsupported(node, "optional entries", "remove the `?`");
        }
        let compiled: Vec<_> = items.iter().map(|item| self.visit(item)).collect();
        let compiled: Vec<_> = compiled.into_iter().collect::<Option<_>>()?;
        let (items, types): (Vec<_>, Vec<_>) = compiled.into_iter().unzip();
        let of = types.into_iter().reduce(Type::join).unwrap_or(Type::Any);
        Some((Expr::List(items), Type::List(Box::new(of))))
    }

    fn map(&mut self, node: &IdedExpr, entries: impl Iterator<Item = &'a EntryExpr>) -> Compiled {
        let mut compiled = Vec::new();
        for entry in entries {
            let EntryExpr::MapEntry(entry) = entry else {
                return self.unsupported(node, "messages", "write keys as strings");
            };
            if entry.optional {
                return self.unsupported(&entry.key, "optional entries", "remove the `?`");
            }
            let (key, of) = self.visit(&entry.key)?;
            if !matches!(of, Type::Any | Type::Text | Type::Bool | Type::Number) {
                let message = format!("a key cannot be {}", of.name());
                self.fault(&entry.key, message, "write a string".to_owned());
                return None;
            }
            compiled.push((key, self.visit(&entry.value)?.0));
        }
        Some((Expr::Map(compiled), Type::Map))
    }

    fn comprehension(&mut self, recognized: &Macro<'a>) -> Compiled {
        use gatehold_engine::ComprehensionKind as Kind;
        let (range, of) = self.visit(recognized.range)?;
        let item = match of {
            Type::Any => Type::Any,
            Type::List(item) => *item,
            Type::Map => Type::Text,
            other => {
                let message = format!("{} has no entries to go through", other.name());
                self.fault(
                    recognized.range,
                    message,
                    "use a list, or a map for its keys".to_owned(),
                );
                return None;
            }
        };
        self.bound.push((recognized.variable, item.clone()));
        let predicate = recognized
            .predicate
            .map(|node| self.boolean(node, "the macro's condition"));
        let transform = recognized.transform.map(|node| self.visit(node));
        self.bound.pop();
        let predicate = match predicate {
            Some(None) => return None,
            Some(compiled) => compiled,
            None => None,
        };
        let (transform, of) = match transform {
            Some(None) => return None,
            Some(Some((expr, of))) => (Some(expr), Some(of)),
            None => (None, None),
        };
        let of = match recognized.kind {
            Kind::All | Kind::Exists | Kind::ExistsOne => Type::Bool,
            Kind::Filter => Type::List(Box::new(item)),
            Kind::Map => Type::List(Box::new(of.unwrap_or(Type::Any))),
        };
        let comprehension = Comprehension {
            kind: recognized.kind,
            range,
            predicate,
            transform,
        };
        Some((Expr::Comprehension(Box::new(comprehension)), of))
    }

    /// A node that must be true or false.
    pub(super) fn boolean(&mut self, node: &'a IdedExpr, what: &str) -> Option<Expr> {
        let (expr, of) = self.visit(node)?;
        if of.fits(&Type::Bool) {
            return Some(expr);
        }
        let help = "compare it with something".to_owned();
        self.fault(
            node,
            format!("{what} is {}, not a boolean", of.name()),
            help,
        );
        None
    }
}
