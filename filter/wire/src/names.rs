//! The names by which expressions are known on the wire. One table each, read in both directions.

use gatehold_engine::{BinaryOp, ComprehensionKind, Function, UnaryOp, Var};

use crate::push;

/// Names of operators that are not in a table because their form in the engine is their own.
pub(crate) const AND: &str = "&&";
pub(crate) const OR: &str = "||";
pub(crate) const CONDITIONAL: &str = "?:";
pub(crate) const INDEX: &str = "[]";

pub(crate) fn unary_name(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Not => "!",
        UnaryOp::Negate => "-_",
    }
}

pub(crate) fn unary_op(name: &str) -> Option<UnaryOp> {
    by_name(&[UnaryOp::Not, UnaryOp::Negate], unary_name, name)
}

pub(crate) fn binary_name(op: BinaryOp) -> &'static str {
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

pub(crate) const BINARY_OPS: [BinaryOp; 12] = [
    BinaryOp::Equal,
    BinaryOp::NotEqual,
    BinaryOp::Less,
    BinaryOp::LessOrEqual,
    BinaryOp::Greater,
    BinaryOp::GreaterOrEqual,
    BinaryOp::Add,
    BinaryOp::Subtract,
    BinaryOp::Multiply,
    BinaryOp::Divide,
    BinaryOp::Remainder,
    BinaryOp::In,
];

pub(crate) fn binary_op(name: &str) -> Option<BinaryOp> {
    by_name(&BINARY_OPS, binary_name, name)
}

pub(crate) fn function_name(function: Function) -> &'static str {
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

pub(crate) const FUNCTIONS: [Function; 12] = [
    Function::Size,
    Function::StartsWith,
    Function::EndsWith,
    Function::Contains,
    Function::Matches,
    Function::LowerAscii,
    Function::UpperAscii,
    Function::Trim,
    Function::Int,
    Function::Double,
    Function::String,
    Function::Type,
];

pub(crate) fn function(name: &str) -> Option<Function> {
    by_name(&FUNCTIONS, function_name, name)
}

pub(crate) fn kind_name(kind: ComprehensionKind) -> &'static str {
    match kind {
        ComprehensionKind::All => "all",
        ComprehensionKind::Exists => "exists",
        ComprehensionKind::ExistsOne => "exists_one",
        ComprehensionKind::Filter => "filter",
        ComprehensionKind::Map => "map",
    }
}

pub(crate) const KINDS: [ComprehensionKind; 5] = [
    ComprehensionKind::All,
    ComprehensionKind::Exists,
    ComprehensionKind::ExistsOne,
    ComprehensionKind::Filter,
    ComprehensionKind::Map,
];

pub(crate) fn kind(name: &str) -> Option<ComprehensionKind> {
    by_name(&KINDS, kind_name, name)
}

pub(crate) fn var_to_wire(var: Var) -> push::Var {
    match var {
        Var::Args => push::Var::Args,
        Var::User => push::Var::User,
        Var::Agent => push::Var::Agent,
        Var::Tool => push::Var::Tool,
        Var::Resource => push::Var::Resource,
        Var::Prompt => push::Var::Prompt,
        Var::Server => push::Var::Server,
        Var::Findings => push::Var::Findings,
    }
}

pub(crate) fn var_from_wire(var: i32) -> Option<Var> {
    match push::Var::try_from(var).ok()? {
        push::Var::Unspecified => None,
        push::Var::Args => Some(Var::Args),
        push::Var::User => Some(Var::User),
        push::Var::Agent => Some(Var::Agent),
        push::Var::Tool => Some(Var::Tool),
        push::Var::Resource => Some(Var::Resource),
        push::Var::Prompt => Some(Var::Prompt),
        push::Var::Server => Some(Var::Server),
        push::Var::Findings => Some(Var::Findings),
    }
}

fn by_name<T: Copy>(all: &[T], name_of: fn(T) -> &'static str, name: &str) -> Option<T> {
    all.iter().copied().find(|&item| name_of(item) == name)
}
