//! The compiled form of a CEL condition.
//!
//! Control parses and checks the text; the filter only ever sees this tree.

use serde_json::Number;

/// One node of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A literal.
    Literal(Literal),
    /// A root variable.
    Var(Var),
    /// The variable of an enclosing comprehension, counted from the innermost (0).
    Bound(u32),
    /// `operand.field`.
    Select(Box<Expr>, String),
    /// `has(operand.field)`.
    Has(Box<Expr>, String),
    /// `operand[index]`.
    Index(Box<Expr>, Box<Expr>),
    /// `!a` or `-a`.
    Unary(UnaryOp, Box<Expr>),
    /// Strict operators: both sides are evaluated.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a && b`, commutative: a false side decides even if the other fails.
    And(Box<Expr>, Box<Expr>),
    /// `a || b`, commutative: a true side decides even if the other fails.
    Or(Box<Expr>, Box<Expr>),
    /// `condition ? then : otherwise`.
    Conditional(Box<Expr>, Box<Expr>, Box<Expr>),
    /// A list literal.
    List(Vec<Expr>),
    /// A map literal.
    Map(Vec<(Expr, Expr)>),
    /// A function; a method's receiver is the first argument.
    Call(Function, Vec<Expr>),
    /// A macro over a list, or over the keys of a map.
    Comprehension(Box<Comprehension>),
}

/// A literal of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// An integer or a double.
    Number(Number),
    /// A string.
    String(String),
}

/// The root variables of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Var {
    /// `args`: arguments of the call; unknown when a list is filtered.
    Args,
    /// `user`: `id`, `roles`, `groups`, `claims`.
    User,
    /// `agent`: `id`.
    Agent,
    /// `tool`: `name`, `risk` (list of classes).
    Tool,
    /// `resource`: `uri`.
    Resource,
    /// `prompt`: `name`.
    Prompt,
    /// `server`: `name`.
    Server,
    /// `findings`: `score`, `flagged`, `features`, `secrets` of the arguments; unknown whenever these are.
    Findings,
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `!`
    Not,
    /// `-`
    Negate,
}

/// Strict operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `in`
    In,
}

/// Functions of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// `size(x)`, `x.size()`
    Size,
    /// `s.startsWith(p)`
    StartsWith,
    /// `s.endsWith(p)`
    EndsWith,
    /// `s.contains(p)`
    Contains,
    /// `s.matches(re)`: a search, not anchored (RE2 syntax, linear time).
    Matches,
    /// `s.lowerAscii()`
    LowerAscii,
    /// `s.upperAscii()`
    UpperAscii,
    /// `s.trim()`
    Trim,
    /// `int(x)`
    Int,
    /// `double(x)`
    Double,
    /// `string(x)`
    String,
    /// `type(x)`, as the type's name in a string.
    Type,
}

/// A macro over a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Comprehension {
    /// Which macro.
    pub kind: ComprehensionKind,
    /// The list, or the map whose keys are visited.
    pub range: Expr,
    /// The predicate of `all`, `exists`, `exists_one` and `filter`; the filter of a three-argument `map`.
    /// Sees the element as `Bound(0)`.
    pub predicate: Option<Expr>,
    /// The transformation of `map`. Sees the element as `Bound(0)`.
    pub transform: Option<Expr>,
}

/// The macros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ComprehensionKind {
    /// `range.all(x, p)`
    All,
    /// `range.exists(x, p)`
    Exists,
    /// `range.exists_one(x, p)`
    ExistsOne,
    /// `range.filter(x, p)`
    Filter,
    /// `range.map(x, t)` and `range.map(x, p, t)`
    Map,
}
