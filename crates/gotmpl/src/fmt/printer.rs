//! Prints a value for a verb.

use super::{
    float::float,
    pad::{self, Flags},
};
use crate::{
    stack::deep,
    types::Kind,
    value::{Str, Value},
};

/// Bytes that one call may print: a map that contains itself would print for ever.
const MAX_BYTES: usize = 80 << 20;
/// Nesting that is printed.
const MAX_DEPTH: usize = 2_000;

#[derive(Default)]
pub(super) struct Printer {
    pub(super) buf: Vec<u8>,
    pub(super) flags: Flags,
    pub(super) start_len: usize,
    pub(super) depth: usize,
    /// The maps that are being printed: one that contains itself is cut, where Go would overflow its stack.
    pub(super) open_maps: Vec<usize>,
}

impl Printer {
    pub(super) fn is_full(&self) -> bool {
        self.buf.len() - self.start_len > MAX_BYTES || self.depth > MAX_DEPTH
    }

    fn text(&mut self, text: &str) {
        self.buf.extend_from_slice(text.as_bytes());
    }

    /// Prints an argument of the call.
    pub(super) fn print_arg(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil | Value::Invalid, 'T' | 'v') => pad::pad(&mut self.buf, &self.flags, b"<nil>"),
            (Value::Nil | Value::Invalid, _) => self.bad_verb(value, verb),
            (_, 'T') => pad::string(&mut self.buf, &self.flags, value.type_name().as_bytes()),
            _ => self.print_value(value, verb),
        }
    }

    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.text(&format!("%!{verb}("));
        if value.is_nil() {
            self.text("<nil>");
        } else {
            self.text(&value.type_name());
            self.text("=");
            self.print_value(value, 'v');
        }
        self.text(")");
    }

    fn print_value(&mut self, value: &Value, verb: char) {
        if self.is_full() {
            return;
        }
        match value {
            Value::Invalid | Value::Nil if self.flags.sharp_v => self.text("interface {}(nil)"),
            Value::Invalid | Value::Nil => self.text("<nil>"),
            Value::Bool(b) if matches!(verb, 't' | 'v') => pad::boolean(&mut self.buf, &self.flags, *b),
            Value::Int(n) | Value::Int64(n) => self.integer(value, i128::from(*n), true, verb),
            Value::Int32(n) => self.integer(value, i128::from(*n), true, verb),
            Value::Uint8(n) => self.integer(value, i128::from(*n), false, verb),
            Value::Uint64(n) => self.integer(value, i128::from(*n), false, verb),
            Value::Float(f) => self.float(value, *f, verb),
            Value::Complex(re, im) => self.complex(value, *re, *im, verb),
            Value::Str(text) => self.string(value, text.as_bytes(), verb),
            Value::Bytes(bytes) => self.bytes(value, bytes, verb),
            Value::Duration(d) if !self.stringer(verb, || d.to_string().into()) => {
                self.integer(value, i128::from(d.0), true, verb);
            }
            Value::Duration(_) => {}
            Value::Time(time) if !self.stringer(verb, || time.to_string().into()) => self.bad_verb(value, verb),
            Value::Time(_) => {}
            // `%w` is for errors alone: the methods of a value are asked before its elements are printed.
            Value::List(_) | Value::Map(_) | Value::Native(_) if verb == 'w' => self.bad_verb(value, verb),
            Value::List(_) | Value::Map(_) | Value::Native(_) => {
                self.depth += 1;
                deep(|| self.container(value, verb));
                self.depth -= 1;
            }
            Value::Bool(_) | Value::Func(_) => self.bad_verb(value, verb),
        }
    }

    /// Prints a value that has a `String` method, for the verbs of strings.
    fn stringer(&mut self, verb: char, text: impl FnOnce() -> Str) -> bool {
        if self.flags.sharp_v || !matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') {
            return false;
        }
        let text = Value::Str(text());
        self.print_value(&text, verb);
        true
    }

    fn container(&mut self, value: &Value, verb: char) {
        match value {
            Value::List(list) => {
                self.open(value, list.is_nil(), "[", verb, |p| {
                    for (i, item) in list.items().iter().enumerate() {
                        p.separator(i);
                        p.print_value(item, verb);
                    }
                });
            }
            Value::Map(map) if self.open_maps.contains(&map.address()) => self.text("map[...]"),
            Value::Map(map) => {
                self.open_maps.push(map.address());
                self.open(value, map.is_nil(), "map[", verb, |p| {
                    let mut i = 0;
                    let done = map.each(|key, item| {
                        p.separator(i);
                        i += 1;
                        p.print_value(&Value::Str(key.clone()), verb);
                        p.text(":");
                        p.print_value(item, verb);
                        if p.is_full() { Err(()) } else { Ok(()) }
                    });
                    debug_assert!(done.is_ok() || p.is_full());
                });
                self.open_maps.pop();
            }
            Value::Native(object) => {
                if let Some(text) = object.string()
                    && self.stringer(verb, || text)
                {
                    return;
                }
                self.object(value, object.as_ref(), verb);
            }
            _ => {}
        }
    }

    fn object(&mut self, value: &Value, object: &dyn crate::object::Object, verb: char) {
        match object.entries() {
            Some(entries) => {
                let map = object.kind() == Kind::Map;
                self.open(value, false, if map { "map[" } else { "[" }, verb, |p| {
                    for (i, (key, item)) in entries.iter().enumerate() {
                        p.separator(i);
                        if map {
                            p.print_value(key, verb);
                            p.text(":");
                        }
                        p.print_value(item, verb);
                    }
                });
            }
            None => self.structure(object, verb),
        }
    }

    fn structure(&mut self, object: &dyn crate::object::Object, verb: char) {
        let name = object.type_name();
        if object.kind() == Kind::Pointer {
            if self.depth > 1 {
                return self.pointer(object, verb);
            }
            self.text("&");
        }
        if self.flags.sharp_v {
            self.text(name.trim_start_matches('*'));
        }
        self.text("{");
        for (i, (field, item)) in object.shown().iter().enumerate() {
            self.separator(i);
            if self.flags.plus_v || self.flags.sharp_v {
                self.text(field);
                self.text(":");
            }
            self.print_value(item, verb);
        }
        self.text("}");
    }

    /// Prints a pointer inside of something: an address, which is the same each time here; a verb that is not one of
    /// pointers shows what it points to.
    fn pointer(&mut self, object: &dyn crate::object::Object, verb: char) {
        if matches!(verb, 'v' | 'p' | 'b' | 'o' | 'd' | 'x' | 'X') {
            return self.text("0xc000000000");
        }
        self.text(&format!("%!{verb}({}=", object.type_name()));
        let depth = std::mem::replace(&mut self.depth, 1);
        self.structure(object, 'v');
        self.depth = depth;
        self.text(")");
    }

    fn separator(&mut self, i: usize) {
        if i > 0 {
            self.text(if self.flags.sharp_v { ", " } else { " " });
        }
    }

    /// Prints the brackets of a list or map: with `%#v` its type and braces.
    fn open(&mut self, value: &Value, nil: bool, bracket: &str, _verb: char, inner: impl FnOnce(&mut Self)) {
        if !self.flags.sharp_v {
            self.text(bracket);
            inner(self);
            self.text("]");
            return;
        }
        self.text(&value.type_name());
        if nil {
            self.text("(nil)");
            return;
        }
        self.text("{");
        inner(self);
        self.text("}");
    }

    fn integer(&mut self, value: &Value, n: i128, signed: bool, verb: char) {
        let (buf, flags) = (&mut self.buf, &self.flags);
        match verb {
            'v' if flags.sharp_v && !signed => {
                let flags = Flags { sharp: true, ..*flags };
                pad::integer(buf, &flags, n, 16, verb, false);
            }
            'v' | 'd' => pad::integer(buf, flags, n, 10, verb, false),
            'b' => pad::integer(buf, flags, n, 2, verb, false),
            'o' | 'O' => pad::integer(buf, flags, n, 8, verb, false),
            'x' => pad::integer(buf, flags, n, 16, verb, false),
            'X' => pad::integer(buf, flags, n, 16, verb, true),
            'c' => pad::character(buf, flags, n),
            'q' => pad::quoted_char(buf, flags, n),
            'U' => pad::unicode(buf, flags, n),
            _ => self.bad_verb(value, verb),
        }
    }

    fn float(&mut self, value: &Value, f: f64, verb: char) {
        match verb {
            'v' => float(&mut self.buf, &self.flags, f, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => float(&mut self.buf, &self.flags, f, verb, None),
            'f' | 'e' | 'E' | 'F' => float(&mut self.buf, &self.flags, f, verb, Some(6)),
            _ => self.bad_verb(value, verb),
        }
    }

    fn complex(&mut self, value: &Value, re: f64, im: f64, verb: char) {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return self.bad_verb(value, verb);
        }
        let plus = self.flags.plus;
        self.text("(");
        self.float(value, re, verb);
        self.flags.plus = true;
        self.float(value, im, verb);
        self.text("i)");
        self.flags.plus = plus;
    }

    fn string(&mut self, value: &Value, bytes: &[u8], verb: char) {
        let (buf, flags) = (&mut self.buf, &self.flags);
        match verb {
            'v' if flags.sharp_v => pad::quoted(buf, flags, bytes),
            'v' | 's' => pad::string(buf, flags, bytes),
            'x' => pad::hex(buf, flags, bytes, false),
            'X' => pad::hex(buf, flags, bytes, true),
            'q' => pad::quoted(buf, flags, bytes),
            _ => self.bad_verb(value, verb),
        }
    }

    fn bytes(&mut self, value: &Value, bytes: &[u8], verb: char) {
        match verb {
            'v' | 'd' if self.flags.sharp_v => {
                let items: Vec<String> = bytes.iter().map(|b| format!("{b:#x}")).collect();
                self.text(&format!("[]byte{{{}}}", items.join(", ")));
            }
            'v' | 'd' => {
                self.text("[");
                for (i, byte) in bytes.iter().enumerate() {
                    self.separator(i);
                    pad::integer(&mut self.buf, &self.flags, i128::from(*byte), 10, verb, false);
                }
                self.text("]");
            }
            _ => self.string(value, bytes, verb),
        }
    }
}
