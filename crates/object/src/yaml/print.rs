//! Prints values as yaml.v2's emitter does.

use super::{float, print_scalar, sort::sort_entries};
use crate::{Value, yaml::build::json_number};

/// The column after which a line is folded at the next space.
const WIDTH: usize = 80;
const INDENT: usize = 2;
/// A key that is longer is written with `?`.
const SIMPLE_KEY: usize = 128;

pub(super) fn print(value: &Value) -> String {
    let mut printer = Printer { out: String::new(), column: 0, whitespace: true, indention: true };
    printer.node(value, None, Role::Root);
    printer.write_indent(0);
    printer.out
}

/// Where a node stands; it decides how scalars may be written.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Role {
    Root,
    Item,
    Value,
    /// A key on the line of its value.
    SimpleKey,
    /// A key behind `?`.
    Key,
}

/// The text so far, with the emitter's memory of what stands at its end.
pub(super) struct Printer {
    pub out: String,
    pub column: usize,
    /// Nothing needs a space before it here.
    pub whitespace: bool,
    /// Only indentation and indicators stand on this line.
    pub indention: bool,
}

impl Printer {
    /// Writes a node; `indent` is that of the collection around it, none at the root.
    fn node(&mut self, value: &Value, indent: Option<usize>, role: Role) {
        match value {
            Value::Null => self.plain("null"),
            Value::Bool(true) => self.plain("true"),
            Value::Bool(false) => self.plain("false"),
            Value::Int(number) => self.plain(itoa::Buffer::new().format(*number)),
            Value::UInt(number) => self.plain(itoa::Buffer::new().format(*number)),
            Value::Float(number) => self.float(*number),
            Value::Text(text) => print_scalar::text(self, text, indent, role),
            Value::List(items) if items.is_empty() => self.plain("[]"),
            Value::Map(map) if map.is_empty() => self.plain("{}"),
            Value::List(items) => {
                let level = match indent {
                    None => 0,
                    // A list below its key is not indented.
                    Some(indent) if matches!(role, Role::Value | Role::Key) && !self.indention => indent,
                    Some(indent) => indent + INDENT,
                };
                for item in items {
                    self.write_indent(level);
                    self.indicator("-", true, true);
                    self.node(item, Some(level), Role::Item);
                }
            }
            Value::Map(map) => {
                let level = indent.map_or(0, |indent| indent + INDENT);
                let mut entries: Vec<(&str, &Value)> = map.iter().map(|(key, value)| (key.as_str(), value)).collect();
                sort_entries(&mut entries);
                for (key, value) in entries {
                    self.write_indent(level);
                    self.entry(key, value, level);
                }
            }
        }
    }

    fn entry(&mut self, key: &str, value: &Value, level: usize) {
        if key.len() <= SIMPLE_KEY && !key.contains(print_scalar::is_break) {
            print_scalar::text(self, key, Some(level), Role::SimpleKey);
            self.indicator(":", false, false);
        } else {
            self.indicator("?", true, true);
            print_scalar::text(self, key, Some(level), Role::Key);
            self.write_indent(level);
            self.indicator(":", true, true);
        }
        self.node(value, Some(level), Role::Value);
    }

    fn float(&mut self, number: f64) {
        match json_number(number) {
            Value::Int(number) => self.plain(itoa::Buffer::new().format(number)),
            _ => match whole(number) {
                Some(number) => self.plain(itoa::Buffer::new().format(number)),
                None => self.plain(&float::format_g(number)),
            },
        }
    }

    /// Writes a text that needs neither quotes nor folding.
    fn plain(&mut self, text: &str) {
        self.indicator(text, true, false);
    }

    /// Writes an indicator, after a space if one is needed.
    pub fn indicator(&mut self, text: &str, needs_space: bool, is_indention: bool) {
        if needs_space && !self.whitespace {
            self.put(' ');
        }
        self.out.push_str(text);
        self.column += text.len();
        self.whitespace = false;
        self.indention = self.indention && is_indention;
    }

    pub fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    /// Writes a line break of the scalar.
    pub fn put_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
    }

    /// Goes to a new line unless this one is empty, and indents it.
    pub fn write_indent(&mut self, indent: usize) {
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    /// Folds the line here if it is long enough.
    pub fn is_full(&self) -> bool {
        self.column > WIDTH
    }

    /// Returns the indentation of a scalar's further lines.
    pub fn inner_indent(indent: Option<usize>) -> usize {
        indent.map_or(INDENT, |indent| indent + INDENT)
    }
}

/// Returns a whole number above the signed range that Go would print in full.
fn whole(number: f64) -> Option<u64> {
    if number.fract() != 0.0 || !(0.0..1e21).contains(&number) {
        return None;
    }
    number.to_string().parse().ok()
}
