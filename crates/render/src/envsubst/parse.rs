//! Reads a text into plain parts and references.

use super::Error;

/// A part of the text.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Reference(Reference),
}

/// `${name}`, perhaps with an operator and its arguments.
#[derive(Debug)]
pub(super) struct Reference {
    pub name: String,
    /// Empty for a plain reference.
    pub operator: String,
    pub arguments: Vec<Node>,
}

const MAX_DEPTH: usize = 100;

/// Reads a whole text; a NUL character ends it, as in Flux.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, Error> {
    let mut scanner = Scanner { rest: text };
    let mut nodes = Vec::new();
    while !scanner.at_end() {
        if scanner.open_reference() {
            nodes.push(Node::Reference(scanner.reference(0)?));
        } else {
            nodes.push(Node::Text(scanner.text(Escapes::Dollar, |_| true)));
        }
    }
    Ok(nodes)
}

/// Which escapes are taken away in a text.
#[derive(Clone, Copy, PartialEq)]
enum Escapes {
    None,
    /// `$$`.
    Dollar,
    /// `$$`, `\/` and `\\`.
    All,
}

struct Scanner<'t> {
    rest: &'t str,
}

impl Scanner<'_> {
    fn at_end(&self) -> bool {
        self.peek() == '\0'
    }

    fn peek(&self) -> char {
        self.rest.chars().next().unwrap_or('\0')
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn open_reference(&mut self) -> bool {
        self.eat("${")
    }

    fn close(&mut self) -> Result<(), Error> {
        if self.eat("}") { Ok(()) } else { Err(Error::BadSubstitution) }
    }

    /// Takes accepted characters up to the next reference.
    fn text(&mut self, escapes: Escapes, accept: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while !self.at_end() && !self.rest.starts_with("${") {
            let mut chars = self.rest.chars();
            let (c, next) = (self.peek(), chars.nth(1));
            let escaped = match (c, next) {
                ('$', Some('$')) => escapes != Escapes::None,
                ('\\', Some('/' | '\\')) => escapes == Escapes::All,
                _ => false,
            };
            let taken = match next {
                Some(next) if escaped => next,
                _ if accept(c) => c,
                _ => break,
            };
            text.push(taken);
            self.rest = &self.rest[taken.len_utf8() + usize::from(escaped)..];
        }
        text
    }

    fn name(&mut self) -> String {
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name.to_owned()
    }

    /// Reads what follows `${`.
    fn reference(&mut self, depth: usize) -> Result<Reference, Error> {
        if depth >= MAX_DEPTH {
            return Err(Error::TooDeep(MAX_DEPTH));
        }
        if self.eat("#") {
            let name = self.name();
            if name.is_empty() {
                return Err(Error::BadSubstitution);
            }
            self.close()?;
            return Ok(Reference { name, operator: "#".to_owned(), arguments: Vec::new() });
        }
        let name = self.name();
        if name.is_empty() {
            return Err(Error::BadName);
        }
        let (operator, arguments) = match self.peek() {
            ':' if matches!(self.rest.chars().nth(1), Some('=' | '-' | '?' | '+')) => self.default(2, depth)?,
            ':' => self.part(depth)?,
            '=' => self.default(1, depth)?,
            ',' | '^' => (self.operator(|c| matches!(c, ',' | '^')), Vec::new()),
            '/' => self.replacement(depth)?,
            '#' => (self.operator(|c| c == '#'), vec![self.argument(depth, Escapes::None, |c| c != '}')?]),
            '%' => (self.operator(|c| c == '%'), vec![self.argument(depth, Escapes::None, |c| c != '}')?]),
            '}' => (String::new(), Vec::new()),
            _ => return Err(Error::MissingClosingBrace),
        };
        self.close()?;
        Ok(Reference { name, operator, arguments })
    }

    /// Takes an operator of one or two characters.
    fn operator(&mut self, accept: impl Fn(char) -> bool) -> String {
        let operator: String = self.rest.chars().take(2).take_while(|c| accept(*c)).collect();
        self.rest = &self.rest[operator.len()..];
        operator
    }

    /// Reads an argument: a reference or text, which cannot be empty.
    fn argument(&mut self, depth: usize, escapes: Escapes, accept: impl Fn(char) -> bool) -> Result<Node, Error> {
        if self.open_reference() {
            return self.reference(depth + 1).map(Node::Reference);
        }
        let text = self.text(escapes, accept);
        if text.is_empty() { Err(Error::BadArgument) } else { Ok(Node::Text(text)) }
    }

    /// Reads `:-` and its kin with any number of texts and references.
    fn default(&mut self, len: usize, depth: usize) -> Result<(String, Vec<Node>), Error> {
        let (operator, rest) = self.rest.split_at(len);
        let operator = operator.to_owned();
        self.rest = rest;
        let mut arguments = Vec::new();
        while self.peek() != '}' {
            arguments.push(self.argument(depth, Escapes::None, |c| c != '}')?);
        }
        Ok((operator, arguments))
    }

    /// Reads `:from` or `:from:length`.
    fn part(&mut self, depth: usize) -> Result<(String, Vec<Node>), Error> {
        self.eat(":");
        let mut arguments = vec![self.argument(depth, Escapes::None, |c| !matches!(c, ':' | '}'))?];
        if self.peek() == ':' {
            self.rest = self.rest.trim_start_matches(':');
            arguments.push(self.argument(depth, Escapes::None, |c| c != '}')?);
        }
        Ok((":".to_owned(), arguments))
    }

    /// Reads `/pattern/text` with `//` for all, `/#` for the start and `/%` for the end.
    fn replacement(&mut self, depth: usize) -> Result<(String, Vec<Node>), Error> {
        self.eat("/");
        let kind = ['/', '#', '%'].into_iter().find(|kind| self.peek() == *kind);
        let operator: String = std::iter::once('/').chain(kind).collect();
        self.rest = &self.rest[kind.map_or(0, char::len_utf8)..];
        let mut arguments = vec![self.argument(depth, Escapes::All, |c| c != '/')?];
        if self.peek() != '/' {
            return Err(Error::BadSubstitution);
        }
        self.rest = self.rest.trim_start_matches('/');
        if self.peek() != '}' {
            arguments.push(self.argument(depth, Escapes::All, |c| c != '}')?);
        }
        Ok((operator, arguments))
    }
}
