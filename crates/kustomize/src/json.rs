//! Prints a tree as Go's `encoding/json` does, for hashes and error texts.

use std::fmt::Write as _;

use crate::{
    node::{Node, Scalar},
    print::binary,
    read::bool_value,
    scalar::{Number, Tag, Timestamp, go_float_json, number},
};

/// Returns the tree as JSON: keys sorted, HTML's characters escaped.
pub(crate) fn to_text(node: &Node) -> String {
    let mut out = String::new();
    write(node, &mut out);
    out
}

fn write(node: &Node, out: &mut String) {
    match node {
        Node::Scalar(scalar) => write_scalar(scalar, out),
        Node::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Node::Map(entries) => {
            let mut sorted: Vec<&(Scalar, Node)> = entries.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.text.cmp(&b.text));
            out.push('{');
            for (place, (key, value)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                string(&key.text, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn write_scalar(scalar: &Scalar, out: &mut String) {
    match scalar.settled() {
        Tag::Null => out.push_str("null"),
        Tag::Bool => out.push_str(if bool_value(&scalar.text) { "true" } else { "false" }),
        Tag::Int | Tag::Float => {
            let _infallible = match number(&scalar.text) {
                Some(Number::Int(value)) => write!(out, "{value}"),
                Some(Number::UInt(value)) => write!(out, "{value}"),
                Some(Number::Float(value)) => write!(out, "{}", go_float_json(value)),
                None => write!(out, "{}", scalar.text),
            };
        }
        Tag::Time => match Timestamp::parse(&scalar.text) {
            Some(time) => string(&time.to_json(), out),
            None => string(&scalar.text, out),
        },
        Tag::Binary => string(&binary(&scalar.text), out),
        _ => string(&scalar.printed(), out),
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _infallible = write!(out, "\\u{:04x}", c as u32);
            }
            c if (c as u32) < 0x20 => {
                let _infallible = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
