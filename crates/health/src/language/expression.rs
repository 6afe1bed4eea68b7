//! Parses expressions.

use super::{
    syntax::{Expr, Function, ListFunction, Operator, Part},
    words::{self, Word},
};

/// Deeper than any expression that a person can read; bounds the recursion.
const DEEPEST: usize = 48;

/// Parses a text as one expression.
pub fn parse(text: &str) -> Result<Expr, String> {
    at_depth(text, 0)
}

fn at_depth(text: &str, depth: usize) -> Result<Expr, String> {
    let words = words::split(text)?;
    let mut parser = Parser { words: &words, depth };
    let expr = parser.binary(0)?;
    match parser.words.first() {
        None => Ok(expr),
        Some(word) => Err(format!("{} is too much", show(word))),
    }
}

fn show(word: &Word) -> String {
    match word {
        Word::Name(name) => format!("`{name}`"),
        Word::Number(number) => format!("`{number}`"),
        Word::Text(text) => format!("{text:?}"),
        Word::Sign(sign) => format!("`{sign}`"),
    }
}

struct Parser<'w> {
    words: &'w [Word],
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<&Word> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.words.first(), Some(Word::Sign(known)) if *known == sign);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) {
            return Ok(());
        }
        let found = self.words.first().map_or("the end".to_owned(), show);
        Err(format!("expected `{sign}`, found {found}"))
    }

    fn name(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Word::Name(name)) => Ok(name.clone()),
            _ => Err("expected a name".to_owned()),
        }
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("nested too deep".to_owned());
        }
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// Parses operators that bind at least as strongly as `level`.
    fn binary(&mut self, level: u8) -> Result<Expr, String> {
        let mut left = self.deeper(Self::unary)?;
        while let Some((operator, strength)) = self.words.first().and_then(operator) {
            if strength < level {
                break;
            }
            self.words = &self.words[1..];
            let right = self.deeper(|parser| parser.binary(strength + 1))?;
            left = Expr::Binary(operator, left.into(), right.into());
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, String> {
        if matches!(self.words.first(), Some(Word::Name(name)) if name == "not") {
            self.words = &self.words[1..];
            // `not` binds weaker than a comparison: `not a == b` is `not (a == b)`.
            return Ok(Expr::Not(self.deeper(|parser| parser.binary(3))?.into()));
        }
        if self.take("-") {
            return Ok(Expr::Minus(self.deeper(Self::unary)?.into()));
        }
        let mut expr = self.primary()?;
        loop {
            if self.take(".") {
                expr = Expr::Field(expr.into(), self.name()?);
            } else if self.take("[") {
                let index = self.deeper(|parser| parser.binary(0))?;
                self.expect("]")?;
                expr = Expr::Index(expr.into(), index.into());
            } else {
                return Ok(expr);
            }
        }
    }

    fn primary(&mut self) -> Result<Expr, String> {
        let depth = self.depth;
        match self.next() {
            Some(Word::Number(number)) => Ok(Expr::Number(*number)),
            Some(Word::Text(text)) => template(text, depth),
            Some(Word::Name(name)) => match name.as_str() {
                "nil" => Ok(Expr::Nil),
                "true" => Ok(Expr::Bool(true)),
                "false" => Ok(Expr::Bool(false)),
                _ => {
                    let name = name.clone();
                    if self.take("(") { self.call(&name) } else { Ok(Expr::Name(name)) }
                }
            },
            Some(Word::Sign("(")) => {
                let expr = self.deeper(|parser| parser.binary(0))?;
                self.expect(")")?;
                Ok(expr)
            }
            Some(Word::Sign("[")) => Ok(Expr::List(self.arguments("]")?)),
            Some(word) => Err(format!("{} begins no value", show(word))),
            None => Err("expected a value, found the end".to_owned()),
        }
    }

    fn arguments(&mut self, end: &str) -> Result<Vec<Expr>, String> {
        let mut arguments = Vec::new();
        while !self.take(end) {
            arguments.push(self.deeper(|parser| parser.binary(0))?);
            if !self.take(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(arguments)
    }

    fn call(&mut self, name: &str) -> Result<Expr, String> {
        if let Some(function) = list_function(name) {
            let list = self.deeper(|parser| parser.binary(0))?;
            self.expect(",")?;
            let item = self.name()?;
            self.expect(":")?;
            let body = self.deeper(|parser| parser.binary(0))?;
            self.expect(")")?;
            return Ok(Expr::Over(function, list.into(), item, body.into()));
        }
        let (function, count) = function(name).ok_or_else(|| format!("there is no function `{name}`"))?;
        let arguments = self.arguments(")")?;
        if arguments.len() != count {
            return Err(format!("`{name}` takes {count} values, found {}", arguments.len()));
        }
        Ok(Expr::Call(function, arguments))
    }
}

/// Reads the holes of a text.
fn template(text: &str, depth: usize) -> Result<Expr, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut chars = text.char_indices();
    while let Some((place, c)) = chars.next() {
        if c == '\\' && text[place + 1..].starts_with('{') {
            plain.push('{');
            chars.next();
            continue;
        }
        if c != '{' {
            plain.push(c);
            continue;
        }
        let length = hole_length(&text[place + 1..]).ok_or("a hole has no closing brace")?;
        if depth > DEEPEST {
            return Err("nested too deep".to_owned());
        }
        if !plain.is_empty() {
            parts.push(Part::Plain(std::mem::take(&mut plain)));
        }
        parts.push(Part::Hole(at_depth(&text[place + 1..place + 1 + length], depth + 1)?));
        while chars.next().is_some_and(|(at, _)| at < place + 1 + length) {}
    }
    if !plain.is_empty() {
        parts.push(Part::Plain(plain));
    }
    Ok(Expr::Text(parts))
}

fn hole_length(text: &str) -> Option<usize> {
    let mut open = 0usize;
    for (place, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => return Some(place),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

fn operator(word: &Word) -> Option<(Operator, u8)> {
    Some(match word {
        Word::Name(name) => match name.as_str() {
            "or" => (Operator::Or, 1),
            "and" => (Operator::And, 2),
            "in" => (Operator::In, 3),
            _ => return None,
        },
        Word::Sign(sign) => match *sign {
            "==" => (Operator::Equal, 3),
            "!=" => (Operator::NotEqual, 3),
            "<" => (Operator::Less, 3),
            "<=" => (Operator::LessEqual, 3),
            ">" => (Operator::Greater, 3),
            ">=" => (Operator::GreaterEqual, 3),
            "+" => (Operator::Add, 4),
            "-" => (Operator::Subtract, 4),
            _ => return None,
        },
        _ => return None,
    })
}

fn function(name: &str) -> Option<(Function, usize)> {
    Some(match name {
        "len" => (Function::Len, 1),
        "lower" => (Function::Lower, 1),
        "starts" => (Function::Starts, 2),
        "ends" => (Function::Ends, 2),
        "contains" => (Function::Contains, 2),
        "replace" => (Function::Replace, 3),
        "short" => (Function::Short, 2),
        "number" => (Function::Number, 1),
        "is_number" => (Function::IsNumber, 1),
        "join" => (Function::Join, 2),
        "sorted" => (Function::Sorted, 1),
        "keys" => (Function::Keys, 1),
        "sum" => (Function::Sum, 1),
        "before" => (Function::Before, 2),
        "after" => (Function::After, 2),
        "condition" => (Function::Condition, 1),
        _ => return None,
    })
}

fn list_function(name: &str) -> Option<ListFunction> {
    Some(match name {
        "any" => ListFunction::Any,
        "all" => ListFunction::All,
        "count" => ListFunction::Count,
        "first" => ListFunction::First,
        "last" => ListFunction::Last,
        "filter" => ListFunction::Filter,
        "map" => ListFunction::Map,
        "order" => ListFunction::Order,
        _ => return None,
    })
}
