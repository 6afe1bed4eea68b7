//! Shows a tree as go-yaml v3 prints it: fields in their order, quotes as they were. For error texts, and for the
//! YAML inside a string that a replacement changes.

use crate::{
    error::Error,
    node::{Node, Scalar, Style},
    print,
    scalar::{Rules, Tag, resolve},
};

/// Returns kyaml's error about a node of the wrong kind.
pub(crate) fn wrong_kind(expected: &str, node: &Node) -> Error {
    Error::new(format!(
        "wrong node kind: expected {expected} but got {}: node contents:\n{}",
        node.kind_name(),
        to_text(node)
    ))
}

/// Returns the tree as text.
pub(crate) fn to_text(node: &Node) -> String {
    let mut out = String::new();
    match node {
        Node::Map(entries) if !entries.is_empty() => map(entries, 0, &mut out),
        Node::List(items) if !items.is_empty() => list(items, 0, &mut out),
        other => {
            inline(other, 0, &mut out);
            out.push('\n');
        }
    }
    out
}

fn map(entries: &[(Scalar, Node)], depth: usize, out: &mut String) {
    for (place, (key, value)) in entries.iter().enumerate() {
        if place > 0 {
            print::indent(depth, out);
        }
        scalar(key, depth, true, out);
        out.push(':');
        match value {
            Node::Map(entries) if !entries.is_empty() => {
                out.push('\n');
                print::indent(depth + 1, out);
                map(entries, depth + 1, out);
            }
            Node::List(items) if !items.is_empty() => {
                out.push('\n');
                print::indent(depth, out);
                list(items, depth, out);
            }
            other => {
                if !matches!(other, Node::Scalar(scalar) if scalar.text.is_empty() && scalar.tag == Tag::Null) {
                    out.push(' ');
                }
                inline(other, depth, out);
                out.push('\n');
            }
        }
    }
}

fn list(items: &[Node], depth: usize, out: &mut String) {
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            print::indent(depth, out);
        }
        out.push_str("- ");
        match item {
            Node::Map(entries) if !entries.is_empty() => map(entries, depth + 1, out),
            Node::List(items) if !items.is_empty() => list(items, depth + 1, out),
            other => {
                inline(other, depth, out);
                out.push('\n');
            }
        }
    }
}

fn inline(node: &Node, depth: usize, out: &mut String) {
    match node {
        Node::Map(_) => out.push_str("{}"),
        Node::List(_) => out.push_str("[]"),
        Node::Scalar(value) => scalar(value, depth, false, out),
    }
}

fn scalar(scalar: &Scalar, depth: usize, key: bool, out: &mut String) {
    let text = &*scalar.text;
    let force = scalar.tag == Tag::Str && scalar.style == Style::Plain && resolve(text, Rules::V3) != Tag::Str;
    match scalar.style {
        Style::Double => print::double_quoted(text, out),
        Style::Single if !text.contains('\n') => print::single_quoted(text, out),
        _ if force => print::double_quoted(text, out),
        _ if text.contains('\n') && !key => print::literal_or_quoted(text, depth, out),
        Style::Folded | Style::Literal if !key => print::literal_or_quoted(text, depth, out),
        _ => print::plain_or_quoted(text, out),
    }
}
