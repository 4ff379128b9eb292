//! Operators and functions.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr as Ast, operators};
use gatehold_engine::{BinaryOp, Expr, Function, Literal, UnaryOp};

use super::check::{Checker, Compiled};
use super::types::{TYPE_NAMES, Type};
use crate::suggest::{excerpt, instead_of};

/// Largest compiled pattern, in bytes; what the engine accepts.
const MAX_PATTERN: usize = 64 * 1024;

/// How a function may be written.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    /// `f(x)`
    Global,
    /// `x.f()`
    Method,
    Both,
}

const FUNCTIONS: [(&str, Function, Style, usize); 12] = [
    ("size", Function::Size, Style::Both, 1),
    ("startsWith", Function::StartsWith, Style::Method, 2),
    ("endsWith", Function::EndsWith, Style::Method, 2),
    ("contains", Function::Contains, Style::Method, 2),
    ("matches", Function::Matches, Style::Both, 2),
    ("lowerAscii", Function::LowerAscii, Style::Method, 1),
    ("upperAscii", Function::UpperAscii, Style::Method, 1),
    ("trim", Function::Trim, Style::Method, 1),
    ("int", Function::Int, Style::Global, 1),
    ("double", Function::Double, Style::Global, 1),
    ("string", Function::String, Style::Global, 1),
    ("type", Function::Type, Style::Global, 1),
];

const MACROS: [&str; 6] = ["all", "exists", "exists_one", "map", "filter", "has"];

impl<'a> Checker<'a> {
    pub(super) fn call(&mut self, node: &'a IdedExpr, call: &'a CallExpr) -> Compiled {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, [left, right]) => self.logic(left, right, Expr::And, "&&"),
            (operators::LOGICAL_OR, [left, right]) => self.logic(left, right, Expr::Or, "||"),
            (operators::CONDITIONAL, [condition, then, otherwise]) => {
                let condition = self.boolean(condition, "what stands before `?`");
                let (then, otherwise) = (self.visit(then), self.visit(otherwise));
                let ((then, left), (otherwise, right)) = (then?, otherwise?);
                let parts = (Box::new(condition?), Box::new(then), Box::new(otherwise));
                Some((
                    Expr::Conditional(parts.0, parts.1, parts.2),
                    left.join(right),
                ))
            }
            (operators::LOGICAL_NOT, [operand]) => {
                let operand = self.boolean(operand, "what stands after `!`")?;
                Some((Expr::Unary(UnaryOp::Not, Box::new(operand)), Type::Bool))
            }
            (operators::NEGATE, [operand]) => {
                let (operand, of) = self.visit(operand)?;
                if !of.fits(&Type::Number) {
                    self.fault(node, format!("{} cannot be negated", of.name()), None);
                    return None;
                }
                Some((
                    Expr::Unary(UnaryOp::Negate, Box::new(operand)),
                    Type::Number,
                ))
            }
            (operators::INDEX, [operand, index]) => self.index(node, operand, index),
            (name, [left, right]) if binary(name).is_some() => {
                let (op, written) = binary(name)?;
                self.binary(node, op, written, left, right)
            }
            _ => self.function(node, call),
        }
    }

    fn logic(
        &mut self,
        left: &'a IdedExpr,
        right: &'a IdedExpr,
        form: fn(Box<Expr>, Box<Expr>) -> Expr,
        operator: &str,
    ) -> Compiled {
        let left = self.boolean(left, &format!("what stands before `{operator}`"));
        let right = self.boolean(right, &format!("what stands after `{operator}`"));
        Some((form(Box::new(left?), Box::new(right?)), Type::Bool))
    }

    fn index(&mut self, node: &IdedExpr, operand: &'a IdedExpr, index: &'a IdedExpr) -> Compiled {
        let (operand, index) = (self.visit(operand), self.visit(index));
        let ((operand, of), (index, by)) = (operand?, index?);
        let (item, expected) = match of {
            Type::Any => (Type::Any, Type::Any),
            Type::Map => (Type::Any, Type::Text),
            Type::List(item) => (*item, Type::Number),
            other => {
                self.fault(node, format!("{} has no entries", other.name()), None);
                return None;
            }
        };
        if !by.fits(&expected) {
            let message = format!("the index is {}, expected {}", by.name(), expected.name());
            self.fault(node, message, None);
            return None;
        }
        Some((Expr::Index(Box::new(operand), Box::new(index)), item))
    }

    fn binary(
        &mut self,
        node: &IdedExpr,
        op: BinaryOp,
        written: &str,
        left: &'a IdedExpr,
        right: &'a IdedExpr,
    ) -> Compiled {
        let comparison = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual);
        let (left, right) = if comparison && is_type(left) {
            (self.visit(left), self.type_or_visit(right))
        } else if comparison && is_type(right) {
            (self.type_or_visit(left), self.visit(right))
        } else {
            (self.visit(left), self.visit(right))
        };
        let ((left, of_left), (right, of_right)) = (left?, right?);
        let Some(of) = result(op, &of_left, &of_right) else {
            let (left, right) = (of_left.name(), of_right.name());
            let message = if comparison {
                format!("`{written}` compares {left} with {right}, which are never equal")
            } else {
                format!("`{written}` does not take {left} and {right}")
            };
            let help = match (&of_left, &of_right) {
                (Type::Text, Type::Number) | (Type::Number, Type::Text) => {
                    Some("convert one side with `int()`, `double()` or `string()`".to_owned())
                }
                _ => None,
            };
            self.fault(node, message, help);
            return None;
        };
        Some((Expr::Binary(op, Box::new(left), Box::new(right)), of))
    }

    /// The name of a type beside `type(x) ==`, as a string; any other expression as it is.
    fn type_or_visit(&mut self, node: &'a IdedExpr) -> Compiled {
        match &node.expr {
            Ast::Ident(name) if TYPE_NAMES.contains(&name.as_str()) => {
                Some((Expr::Literal(Literal::String(name.clone())), Type::Text))
            }
            _ => self.visit(node),
        }
    }

    fn function(&mut self, node: &'a IdedExpr, call: &'a CallExpr) -> Compiled {
        let name = call.func_name.as_str();
        let Some((_, function, style, arity)) = FUNCTIONS.iter().find(|known| known.0 == name)
        else {
            self.unknown_function(node, name);
            return None;
        };
        let wrong_style = match call.target {
            Some(_) => *style == Style::Global,
            None => *style == Style::Method,
        };
        if wrong_style {
            let form = match style {
                Style::Global => format!("{name}(x)"),
                Style::Method | Style::Both if *arity == 1 => format!("x.{name}()"),
                Style::Method | Style::Both => format!("x.{name}(y)"),
            };
            self.fault(
                node,
                format!("`{name}` is not called like this"),
                format!("write `{form}`"),
            );
            return None;
        }
        let arguments: Vec<_> = call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect();
        if arguments.len() != *arity {
            let receiver = usize::from(call.target.is_some());
            let message = format!(
                "`{name}` takes {}, found {}",
                count(arity.saturating_sub(receiver)),
                call.args.len()
            );
            self.fault(node, message, None);
            return None;
        }
        let compiled: Vec<_> = arguments.iter().map(|node| self.visit(node)).collect();
        let compiled: Vec<_> = compiled.into_iter().collect::<Option<_>>()?;
        for ((_, of), node) in compiled.iter().zip(&arguments) {
            if !takes(*function, of) {
                self.fault(node, format!("`{name}` does not take {}", of.name()), None);
                return None;
            }
        }
        let arguments_of: Vec<Expr> = compiled.into_iter().map(|(expr, _)| expr).collect();
        if *function == Function::Matches {
            let pattern = arguments.last().copied().unwrap_or(node);
            self.pattern(pattern, arguments_of.last())?;
        }
        Some((Expr::Call(*function, arguments_of), returns(*function)))
    }

    fn pattern(&mut self, node: &IdedExpr, pattern: Option<&Expr>) -> Option<()> {
        let Some(Expr::Literal(Literal::String(pattern))) = pattern else {
            let help =
                "write the pattern as a string; or use `contains`, `startsWith` or `endsWith`";
            self.fault(
                node,
                "the pattern of `matches` is computed",
                help.to_owned(),
            );
            return None;
        };
        let regex = regex_lite::RegexBuilder::new(pattern)
            .size_limit(MAX_PATTERN)
            .build();
        let Err(error) = regex else {
            return Some(());
        };
        let message = format!("the pattern of `matches` is no regular expression: {error}");
        let help =
            "use the syntax of RE2, without look-around, back-references and Unicode classes";
        self.fault(node, message, help.to_owned());
        None
    }

    fn unknown_function(&mut self, node: &IdedExpr, name: &str) {
        if MACROS.contains(&name) {
            let help = match name {
                "has" => "write `has(args.field)`",
                "map" => "write `list.map(x, …)`",
                _ => {
                    "write it after a list, with a variable and a condition: `args.to.all(x, x != \"\")`"
                }
            };
            self.fault(
                node,
                format!("`{name}` is not called like this"),
                help.to_owned(),
            );
            return;
        }
        let known: Vec<_> = FUNCTIONS
            .iter()
            .map(|known| known.0)
            .chain(MACROS)
            .collect();
        let help = instead_of(name, &known);
        self.fault(
            node,
            format!("there is no function `{}`", excerpt(name)),
            help,
        );
    }
}

fn count(arguments: usize) -> String {
    match arguments {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        more => format!("{more} arguments"),
    }
}

fn is_type(node: &IdedExpr) -> bool {
    matches!(&node.expr, Ast::Call(call) if call.func_name == "type" && call.target.is_none())
}

/// The operator with this name in the syntax tree, and how it is written.
fn binary(name: &str) -> Option<(BinaryOp, &'static str)> {
    Some(match name {
        operators::EQUALS => (BinaryOp::Equal, "=="),
        operators::NOT_EQUALS => (BinaryOp::NotEqual, "!="),
        operators::LESS => (BinaryOp::Less, "<"),
        operators::LESS_EQUALS => (BinaryOp::LessOrEqual, "<="),
        operators::GREATER => (BinaryOp::Greater, ">"),
        operators::GREATER_EQUALS => (BinaryOp::GreaterOrEqual, ">="),
        operators::ADD => (BinaryOp::Add, "+"),
        operators::SUBSTRACT => (BinaryOp::Subtract, "-"),
        operators::MULTIPLY => (BinaryOp::Multiply, "*"),
        operators::DIVIDE => (BinaryOp::Divide, "/"),
        operators::MODULO => (BinaryOp::Remainder, "%"),
        operators::IN => (BinaryOp::In, "in"),
        _ => return None,
    })
}

/// The type of an operation; nothing when it can never have a value, or never be true.
fn result(op: BinaryOp, left: &Type, right: &Type) -> Option<Type> {
    let numbers =
        || (left.fits(&Type::Number) && right.fits(&Type::Number)).then_some(Type::Number);
    match op {
        BinaryOp::Equal | BinaryOp::NotEqual => left.fits(right).then_some(Type::Bool),
        BinaryOp::Less | BinaryOp::LessOrEqual | BinaryOp::Greater | BinaryOp::GreaterOrEqual => {
            let ordered =
                |of: &Type| matches!(of, Type::Any | Type::Bool | Type::Number | Type::Text);
            (left.fits(right) && ordered(left) && ordered(right)).then_some(Type::Bool)
        }
        BinaryOp::Add => match (left, right) {
            (Type::Text, Type::Any | Type::Text) | (Type::Any, Type::Text) => Some(Type::Text),
            (Type::List(_), Type::List(_)) => Some(left.clone().join(right.clone())),
            (Type::List(_), Type::Any) | (Type::Any, Type::List(_)) => {
                Some(Type::List(Box::new(Type::Any)))
            }
            (Type::Any, Type::Any) => Some(Type::Any),
            _ => numbers(),
        },
        BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder => {
            numbers()
        }
        BinaryOp::In => {
            let possible = match right {
                Type::Any => true,
                Type::Map => left.fits(&Type::Text),
                Type::List(item) => left.fits(item),
                _ => false,
            };
            possible.then_some(Type::Bool)
        }
    }
}

/// Whether a function takes a value of this type, as the receiver or an argument.
fn takes(function: Function, of: &Type) -> bool {
    match function {
        Function::Size => matches!(of, Type::Any | Type::Text | Type::List(_) | Type::Map),
        Function::Int | Function::Double => matches!(of, Type::Any | Type::Number | Type::Text),
        Function::String => matches!(of, Type::Any | Type::Bool | Type::Number | Type::Text),
        Function::Type => true,
        _ => of.fits(&Type::Text),
    }
}

fn returns(function: Function) -> Type {
    match function {
        Function::Size | Function::Int | Function::Double => Type::Number,
        Function::StartsWith | Function::EndsWith | Function::Contains | Function::Matches => {
            Type::Bool
        }
        Function::LowerAscii
        | Function::UpperAscii
        | Function::Trim
        | Function::String
        | Function::Type => Type::Text,
    }
}
