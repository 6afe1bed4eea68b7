//! The parsed form of a rule.

use crate::Status;

/// What a rule gives: a status and the message's expression (the default one depends on the place).
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The status.
    pub status: StatusOf,
    /// The message; `None` takes the condition's message inside `conditions`, else nothing.
    pub message: Option<Expr>,
}

/// Where the status comes from.
#[derive(Clone, Debug)]
pub enum StatusOf {
    /// A word of the rule.
    Fixed(Status),
    /// `status EXPR`: the word that the object itself has; an unknown word is no valid verdict.
    Computed(Expr),
}

/// One step of a rule.
#[derive(Clone, Debug)]
pub enum Step {
    /// `Healthy "message"`: ends the rule.
    End(Verdict),
    /// `set Healthy "message"`: the verdict if nothing ends the rule later.
    Set(Verdict),
    /// `say EXPR`: changes the message of the verdict that is set.
    Say(Expr),
    /// `stop`: ends the rule with what is set.
    Stop,
    /// `let name = EXPR`.
    Let(String, Expr),
    /// `if EXPR` with steps, `else` with others.
    If(Expr, Vec<Step>, Vec<Step>),
    /// `each name in EXPR` with steps.
    Each(String, Expr, Vec<Step>),
    /// `conditions` (of `EXPR`): for each condition in order, the first arm that fits.
    Conditions(Expr, Vec<ConditionArm>),
    /// `switch EXPR`: the first arm whose words have the value.
    Switch(Expr, Vec<SwitchArm>),
}

/// `Ready|Available=False/Reason if EXPR: steps`.
#[derive(Clone, Debug)]
pub struct ConditionArm {
    /// The types; empty for any.
    pub types: Vec<String>,
    /// The statuses; empty for any.
    pub statuses: Vec<String>,
    /// The reasons; empty for any.
    pub reasons: Vec<String>,
    /// A further condition; the condition is `c`.
    pub guard: Option<Expr>,
    /// What follows.
    pub steps: Vec<Step>,
}

/// `Running|Ready: steps`.
#[derive(Clone, Debug)]
pub struct SwitchArm {
    /// The values; empty for any (`*`).
    pub values: Vec<String>,
    /// What follows.
    pub steps: Vec<Step>,
}

/// An expression.
#[derive(Clone, Debug)]
pub enum Expr {
    /// `nil`.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text with holes: `"{c.reason}: {c.message}"`.
    Text(Vec<Part>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// A name: a variable, `said` (the message that is set so far), or else a field of the object.
    Name(String),
    /// `EXPR.field`.
    Field(Box<Expr>, String),
    /// `EXPR[EXPR]`: a field, or a position from 0 (negative from the end).
    Index(Box<Expr>, Box<Expr>),
    /// `not EXPR`.
    Not(Box<Expr>),
    /// `-EXPR`.
    Minus(Box<Expr>),
    /// Two operands.
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `name(arguments)`.
    Call(Function, Vec<Expr>),
    /// `name(list, x: EXPR)`: a function over a list.
    Over(ListFunction, Box<Expr>, String, Box<Expr>),
}

/// A part of a text.
#[derive(Clone, Debug)]
pub enum Part {
    /// As it stands.
    Plain(String),
    /// Filled in.
    Hole(Expr),
}

/// An operator of two operands, in Lua's sense of true: all but nothing and `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `or`: the first that is true, else the second; also the default of a missing value.
    Or,
    /// `and`.
    And,
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`; false unless both are numbers or both are texts.
    Less,
    /// `<=`.
    LessEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterEqual,
    /// `in`: the right list has the left value.
    In,
    /// `+`, of numbers.
    Add,
    /// `-`.
    Subtract,
}

/// A function of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `len(x)`: items, entries or bytes; 0 for nothing.
    Len,
    /// `lower(text)`.
    Lower,
    /// `starts(text, prefix)`.
    Starts,
    /// `ends(text, suffix)`.
    Ends,
    /// `contains(text, part)`.
    Contains,
    /// `replace(text, part, by)`.
    Replace,
    /// `short(text, n)`: the first n bytes.
    Short,
    /// `number(x)`: the number that a text has, or nothing.
    Number,
    /// `is_number(x)`.
    IsNumber,
    /// `join(list, separator)`.
    Join,
    /// `sorted(list)`: texts in bytewise order.
    Sorted,
    /// `keys(map)`.
    Keys,
    /// `sum(list)`.
    Sum,
    /// `before(text, separator)` and `after(text, separator)`: the parts around the first separator, or nothing.
    Before,
    /// See [`Function::Before`].
    After,
    /// `condition("Ready")`: the first of the status conditions of this type.
    Condition,
}

/// A function that evaluates its last argument for each item of a list (or value of a map).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFunction {
    /// `any(list, x: EXPR)`.
    Any,
    /// `all(list, x: EXPR)`; true of an empty list.
    All,
    /// `count(list, x: EXPR)`.
    Count,
    /// `first(list, x: EXPR)`: the first item for which it is true.
    First,
    /// `last(list, x: EXPR)`.
    Last,
    /// `filter(list, x: EXPR)`.
    Filter,
    /// `map(list, x: EXPR)`; `position` is the place from 1.
    Map,
    /// `order(list, x: EXPR)`: sorted by it (stable), items without it last.
    Order,
}
