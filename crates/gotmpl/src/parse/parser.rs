//! Tokens to tree.

use std::{collections::HashMap, sync::Arc};

use super::{
    constant,
    lex::{Item, Keywords, Kind, Lexer},
    node::{Branch, Command, Expr, ExprKind, Name, Node, Pipe, StrConst, Template, TemplateCall},
};
use crate::{
    error::{Error, ErrorKind, Place},
    fmt::quote,
    functions::Functions,
    stack::deep,
    value::Str,
};

/// Nesting of parentheses and blocks. Go allows 10,000 parentheses; no chart comes near either.
const MAX_DEPTH: usize = 1_000;

/// Parses a text to the templates that it defines; the last is the text's own, named `name`.
pub(crate) fn parse(name: &str, text: &str, functions: &Functions) -> Result<Vec<Arc<Template>>, Error> {
    let keywords =
        Keywords { break_ok: functions.get("break").is_none(), continue_ok: functions.get("continue").is_none() };
    let mut parser = Parser {
        functions,
        file: name.into(),
        source: text.into(),
        lexer: Lexer::new(text, keywords),
        tokens: [Item { kind: Kind::Eof, pos: 0, text: "".into(), line: 0 }, EMPTY, EMPTY],
        peeked: 0,
        names: HashMap::new(),
        vars: vec!["$".into()],
        action_line: 0,
        range_depth: 0,
        depth: 0,
        open: Open::default(),
        defined: Vec::new(),
    };
    parser.name_id("$");
    parser.top()?;
    Ok(parser.defined)
}

const EMPTY: Item<'static> = Item { kind: Kind::Eof, pos: 0, text: std::borrow::Cow::Borrowed(""), line: 0 };

struct Parser<'t, 'f> {
    functions: &'f Functions,
    file: Arc<str>,
    source: Arc<str>,
    lexer: Lexer<'t>,
    tokens: [Item<'t>; 3],
    peeked: usize,
    names: HashMap<Arc<str>, u32>,
    vars: Vec<Arc<str>>,
    action_line: usize,
    range_depth: usize,
    depth: usize,
    open: Open,
    defined: Vec<Arc<Template>>,
}

/// The parts of what is being read, the innermost last: what is complete is taken off into a list of just its size. A chart's
/// templates have many thousands of short lists, and lists that grow by themselves would be most of their memory.
#[derive(Default)]
struct Open {
    nodes: Vec<Node>,
    commands: Vec<Command>,
    arguments: Vec<Expr>,
    fields: Vec<Arc<str>>,
}

/// What ends a list.
enum Close {
    End,
    Else,
}

enum Step {
    Node(Node),
    Close(Close),
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// The state that Go keeps for each defined template, put aside while an inner one is read.
struct Outer {
    vars: Vec<Arc<str>>,
    action_line: usize,
    range_depth: usize,
}

impl<'t> Parser<'t, '_> {
    fn next(&mut self) -> Item<'t> {
        if self.peeked > 0 {
            self.peeked -= 1;
        } else {
            self.tokens[0] = self.lexer.next_item();
        }
        self.tokens[self.peeked].clone()
    }

    fn backup(&mut self) {
        self.peeked += 1;
    }

    fn backup2(&mut self, item: Item<'t>) {
        self.tokens[1] = item;
        self.peeked = 2;
    }

    fn peek(&mut self) -> Kind {
        if self.peeked == 0 {
            self.peeked = 1;
            self.tokens[0] = self.lexer.next_item();
        }
        self.tokens[self.peeked - 1].kind
    }

    fn next_non_space(&mut self) -> Item<'t> {
        loop {
            let item = self.next();
            if item.kind != Kind::Space {
                return item;
            }
        }
    }

    fn peek_non_space(&mut self) -> Item<'t> {
        let item = self.next_non_space();
        self.backup();
        item
    }

    fn fail<T>(&self, message: impl AsRef<str>) -> Result<T> {
        let line = self.tokens[0].line;
        let text = format!("template: {}:{line}: {}", self.file, message.as_ref());
        let place = Place { file: self.file.to_string(), template: self.file.to_string(), line, column: 0 };
        Err(Error::new(ErrorKind::Parse, text, Some(place)))
    }

    fn unexpected<T>(&self, item: &Item<'_>, context: &str) -> Result<T> {
        if item.kind != Kind::Error {
            return self.fail(format!("unexpected {} in {context}", item.describe()));
        }
        let mut extra = String::new();
        if self.action_line != 0 && self.action_line != item.line {
            let action = if item.text.ends_with(" action") { "" } else { " in action" };
            extra = format!("{action} started at {}:{}", self.file, self.action_line);
        }
        self.fail(format!("{}{extra}", item.text))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Item<'t>> {
        let item = self.next_non_space();
        if item.kind == kind { Ok(item) } else { self.unexpected(&item, context) }
    }

    fn name_id(&mut self, name: &str) -> Name {
        let next = self.names.len() as u32;
        if let Some((text, id)) = self.names.get_key_value(name) {
            return Name { id: *id, text: text.clone() };
        }
        let text: Arc<str> = name.into();
        self.names.insert(text.clone(), next);
        Name { id: next, text }
    }

    /// Runs a nested part one level deeper.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return self.fail("max expression depth exceeded");
        }
        self.depth += 1;
        let result = deep(|| part(self));
        self.depth -= 1;
        result
    }

    fn top(&mut self) -> Result<()> {
        let mut root = Vec::new();
        while self.peek() != Kind::Eof {
            if self.peek() == Kind::LeftDelim {
                let delim = self.next();
                if self.next_non_space().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.backup2(delim);
            }
            match self.text_or_action()? {
                Step::Node(node) => root.push(node),
                Step::Close(close) => return self.fail(format!("unexpected {}", close.text())),
            }
        }
        let name = self.file.clone();
        self.define(name, root)
    }

    fn definition(&mut self) -> Result<()> {
        let context = "define clause";
        // Go reads the clause in a fresh parser: no line of an action is known there.
        let outer = self.enter();
        let item = self.next_non_space();
        let name = self.template_name(&item, context)?;
        self.expect(Kind::RightDelim, context)?;
        let list = self.whole_list(context)?;
        self.define(name, list)?;
        self.leave(outer);
        Ok(())
    }

    fn enter(&mut self) -> Outer {
        Outer {
            vars: std::mem::replace(&mut self.vars, vec!["$".into()]),
            action_line: std::mem::take(&mut self.action_line),
            range_depth: std::mem::take(&mut self.range_depth),
        }
    }

    fn leave(&mut self, outer: Outer) {
        self.vars = outer.vars;
        self.action_line = outer.action_line;
        self.range_depth = outer.range_depth;
    }

    fn whole_list(&mut self, context: &str) -> Result<Vec<Node>> {
        match self.item_list()? {
            (list, Close::End) => Ok(list),
            (_, close) => self.fail(format!("unexpected {} in {context}", close.text())),
        }
    }

    /// Adds a template unless it is empty and already there.
    fn define(&mut self, name: Arc<str>, root: Vec<Node>) -> Result<()> {
        let template = Template { name, file: self.file.clone(), text: self.source.clone(), root };
        let own = self.lexer_done(&template.name);
        match self.defined.iter().position(|old| old.name == template.name) {
            Some(at) if self.defined[at].is_empty() => {
                self.defined.remove(at);
                self.defined.push(Arc::new(template));
            }
            Some(at) if template.is_empty() => {
                if own {
                    let old = self.defined.remove(at);
                    self.defined.push(old);
                }
            }
            Some(_) => {
                return self.fail(format!("template: multiple definition of template {}", quote(&template.name)));
            }
            None => self.defined.push(Arc::new(template)),
        }
        Ok(())
    }

    fn lexer_done(&self, name: &str) -> bool {
        *self.file == *name
    }

    fn item_list(&mut self) -> Result<(Vec<Node>, Close)> {
        let start = self.open.nodes.len();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Step::Node(node) => self.open.nodes.push(node),
                Step::Close(close) => return Ok((self.open.nodes.drain(start..).collect(), close)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Step> {
        let item = self.next_non_space();
        match item.kind {
            Kind::Text => Ok(Step::Node(Node::Text(item.pos..item.pos + item.text.len()))),
            Kind::LeftDelim => {
                self.action_line = item.line;
                let step = self.nested(Self::action)?;
                self.action_line = 0;
                Ok(step)
            }
            _ => self.unexpected(&item, "input"),
        }
    }

    fn action(&mut self) -> Result<Step> {
        let item = self.next_non_space();
        Ok(Step::Node(match item.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.loop_control("break", Node::Break)?,
            Kind::Continue => self.loop_control("continue", Node::Continue)?,
            Kind::Else => return self.else_control().map(Step::Close),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Step::Close(Close::End));
            }
            Kind::If => Node::If(self.control("if")?),
            Kind::Range => Node::Range(self.control("range")?),
            Kind::With => Node::With(self.control("with")?),
            Kind::Template => self.template()?,
            _ => {
                self.backup();
                Node::Action(self.pipeline("command", Kind::RightDelim)?)
            }
        }))
    }

    fn loop_control(&mut self, word: &str, node: Node) -> Result<Node> {
        let item = self.next_non_space();
        if item.kind != Kind::RightDelim {
            return self.unexpected(&item, &format!("{{{{{word}}}}}"));
        }
        if self.range_depth == 0 {
            return self.fail(format!("{{{{{word}}}}} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn else_control(&mut self) -> Result<Close> {
        let next = self.peek_non_space();
        if !matches!(next.kind, Kind::If | Kind::With) {
            self.expect(Kind::RightDelim, "else")?;
        }
        Ok(Close::Else)
    }

    fn control(&mut self, context: &str) -> Result<Box<Branch>> {
        let scope = self.vars.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let range = usize::from(context == "range");
        self.range_depth += range;
        let (list, close) = self.item_list()?;
        self.range_depth -= range;
        let else_list = match close {
            Close::End => None,
            Close::Else => Some(self.else_list(context)?),
        };
        self.vars.truncate(scope);
        Ok(Box::new(Branch { pipe, list, else_list }))
    }

    fn else_list(&mut self, context: &str) -> Result<Vec<Node>> {
        match (context, self.peek()) {
            ("if", Kind::If) => {
                self.next();
                Ok(vec![Node::If(self.nested(|p| p.control("if"))?)])
            }
            ("with", Kind::With) => {
                self.next();
                Ok(vec![Node::With(self.nested(|p| p.control("with"))?)])
            }
            _ => match self.item_list()? {
                (list, Close::End) => Ok(list),
                (_, close) => self.fail(format!("expected end; found {}", close.text())),
            },
        }
    }

    fn block(&mut self) -> Result<Node> {
        let context = "block clause";
        let item = self.next_non_space();
        let name = self.template_name(&item, context)?;
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let outer = self.enter();
        let list = self.whole_list(context)?;
        self.define(name.clone(), list)?;
        self.leave(outer);
        Ok(Node::Template(Box::new(TemplateCall { pos: item.pos, name, pipe: Some(pipe) })))
    }

    fn template(&mut self) -> Result<Node> {
        let context = "template clause";
        let item = self.next_non_space();
        let name = self.template_name(&item, context)?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelim {
            self.backup();
            pipe = Some(self.pipeline(context, Kind::RightDelim)?);
        }
        Ok(Node::Template(Box::new(TemplateCall { pos: item.pos, name, pipe })))
    }

    fn template_name(&mut self, item: &Item<'_>, context: &str) -> Result<Arc<str>> {
        if !matches!(item.kind, Kind::String | Kind::RawString) {
            return self.unexpected(item, context);
        }
        match constant::unquote(&item.text) {
            Ok(bytes) => Ok(Str::from(bytes).to_text().into()),
            Err(error) => self.fail(error),
        }
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe> {
        let pos = self.peek_non_space().pos;
        let mut pipe = Pipe { pos, assign: false, decl: Vec::new(), cmds: Vec::new() };
        self.declarations(&mut pipe, context)?;
        let start = self.open.commands.len();
        loop {
            let item = self.next_non_space();
            match item.kind {
                kind if kind == end => {
                    pipe.cmds = self.open.commands.drain(start..).collect();
                    self.check_pipeline(&pipe, context)?;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    let command = self.command()?;
                    self.open.commands.push(command);
                }
                _ => return self.unexpected(&item, context),
            }
        }
    }

    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<()> {
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            self.next();
            self.peek();
            let after = self.tokens[self.peeked - 1].clone();
            let next = self.peek_non_space();
            let comma = next.kind == Kind::Char && next.text == ",";
            if comma || matches!(next.kind, Kind::Assign | Kind::Declare) {
                pipe.assign = next.kind == Kind::Assign;
                self.next_non_space();
                let name = self.name_id(&variable.text);
                self.vars.push(name.text.clone());
                pipe.decl.push(name);
                if !comma {
                    return Ok(());
                }
                if context != "range" || pipe.decl.len() >= 2 {
                    return self.fail(format!("too many declarations in {context}"));
                }
                if !matches!(self.peek_non_space().kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                    return self.fail("range can only initialize variables");
                }
                continue;
            }
            if after.kind == Kind::Space {
                self.tokens[1] = after;
                self.tokens[2] = variable;
                self.peeked = 3;
            } else {
                self.backup2(variable);
            }
            return Ok(());
        }
    }

    fn check_pipeline(&self, pipe: &Pipe, context: &str) -> Result<()> {
        if pipe.cmds.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (i, command) in pipe.cmds.iter().enumerate().skip(1) {
            if command.args[0].is_constant() {
                return self.fail(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command> {
        let pos = self.peek_non_space().pos;
        let start = self.open.arguments.len();
        loop {
            self.peek_non_space();
            let operand = self.operand()?;
            self.open.arguments.extend(operand);
            let item = self.next();
            match item.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.backup(),
                Kind::Pipe => {}
                _ => return self.unexpected(&item, "operand"),
            }
            break;
        }
        let args: Vec<Expr> = self.open.arguments.drain(start..).collect();
        if args.is_empty() {
            return self.fail("empty command");
        }
        Ok(Command { pos, args })
    }

    fn operand(&mut self) -> Result<Option<Expr>> {
        let Some(node) = self.term()? else {
            return Ok(None);
        };
        if self.peek() != Kind::Field {
            return Ok(Some(node));
        }
        let pos = self.tokens[self.peeked - 1].pos;
        if let ExprKind::Field(first) | ExprKind::Variable(_, first) = &node.kind {
            self.open.fields.extend(first.iter().cloned());
        }
        while self.peek() == Kind::Field {
            let field = self.next().text[1..].into();
            self.open.fields.push(field);
        }
        let path = self.open.fields.drain(..).collect();
        let kind = match node.kind {
            ExprKind::Field(_) => ExprKind::Field(path),
            ExprKind::Variable(name, _) => ExprKind::Variable(name, path),
            _ if node.is_constant() => {
                return self.fail(format!("unexpected . after term {}", quote(&node.to_string())));
            }
            _ => ExprKind::Chain(Box::new(node), path),
        };
        Ok(Some(Expr { pos, kind }))
    }

    fn term(&mut self) -> Result<Option<Expr>> {
        let item = self.next_non_space();
        let kind = match item.kind {
            Kind::Identifier => match self.functions.get(&item.text) {
                Some(function) => ExprKind::Function((*item.text).into(), function.clone()),
                None => return self.fail(format!("function {} not defined", quote(&item.text))),
            },
            Kind::Dot => ExprKind::Dot,
            Kind::Nil => ExprKind::Nil,
            Kind::Variable => self.variable(&item.text)?,
            Kind::Field => ExprKind::Field(Box::new([item.text[1..].into()])),
            Kind::Bool => ExprKind::Bool(item.text == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => match constant::number(&item.text, item.kind) {
                Ok(number) => ExprKind::Number(Box::new(number)),
                Err(error) => return self.fail(error),
            },
            Kind::LeftParen => {
                let pipe = self.nested(|p| p.pipeline("parenthesized pipeline", Kind::RightParen))?;
                // The position is that of the first operand, as in Go.
                return Ok(Some(Expr { pos: pipe.pos, kind: ExprKind::Pipe(Box::new(pipe)) }));
            }
            Kind::String | Kind::RawString => match constant::unquote(&item.text) {
                Ok(bytes) => ExprKind::Str(Box::new(StrConst { quoted: (*item.text).into(), text: bytes.into() })),
                Err(error) => return self.fail(error),
            },
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(Expr { pos: item.pos, kind }))
    }

    fn variable(&mut self, text: &str) -> Result<ExprKind> {
        if !self.vars.iter().any(|name| **name == *text) {
            return self.fail(format!("undefined variable {}", quote(text)));
        }
        Ok(ExprKind::Variable(self.name_id(text), Box::new([])))
    }
}

impl Close {
    fn text(&self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

impl Expr {
    fn is_constant(&self) -> bool {
        matches!(self.kind, ExprKind::Bool(_) | ExprKind::Dot | ExprKind::Nil | ExprKind::Number(_) | ExprKind::Str(_))
    }
}
