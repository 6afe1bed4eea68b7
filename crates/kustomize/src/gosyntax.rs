//! What Go says about trees that it cannot print: keys that are no strings, numbers without a value, doubled keys.

use crate::{
    error::{Error, quote},
    node::{Node, Scalar},
    print::binary,
    read::bool_value,
    scalar::{Number, Tag, Timestamp, go_float_g, number},
    show,
};

/// Checks that a tree can be printed, with kustomize's error if it cannot.
pub(crate) fn check_printable(node: &Node) -> Result<(), Error> {
    match unprintable(node, true) {
        None => Ok(()),
        Some(Flaw::Twice) => {
            let doubled = doubled_keys(node);
            Err(Error::new(format!("map[string]interface {{}}(nil): yaml: unmarshal errors:\n{}", doubled.join("\n"))))
        }
        Some(Flaw::Tag(text, is, tag)) => {
            Err(Error::new(format!("map[string]interface {{}}(nil): yaml: cannot decode {is} `{text}` as a {tag}")))
        }
        Some(Flaw::Keys) => {
            let what = "json: unsupported type: map[interface {}]interface {}";
            Err(Error::new(format!("{}: {what}", syntax(node, true))))
        }
        Some(Flaw::Number(value)) => {
            Err(Error::new(format!("{}: json: unsupported value: {value}", syntax(node, true))))
        }
    }
}

enum Flaw {
    Twice,
    Tag(String, &'static str, &'static str),
    Keys,
    Number(String),
}

fn unprintable(node: &Node, top: bool) -> Option<Flaw> {
    match node {
        Node::Scalar(scalar) => scalar_flaw(scalar),
        Node::List(items) => items.iter().find_map(|item| unprintable(item, false)),
        Node::Map(entries) => {
            if has_doubles(entries) {
                return Some(Flaw::Twice);
            }
            let deeper = entries.iter().filter_map(|(_, value)| unprintable(value, false));
            let own = (!top && !entries.iter().all(|(key, _)| is_text(key))).then_some(Flaw::Keys);
            // What cannot be read comes before what cannot be written.
            let mut flaws: Vec<Flaw> = deeper.chain(own).collect();
            let first = flaws.iter().position(|flaw| matches!(flaw, Flaw::Twice | Flaw::Tag(..))).unwrap_or(0);
            if flaws.is_empty() { None } else { Some(flaws.swap_remove(first)) }
        }
    }
}

fn has_doubles(entries: &[(Scalar, Node)]) -> bool {
    if entries.len() < 24 {
        return entries
            .iter()
            .enumerate()
            .any(|(at, (key, _))| entries[..at].iter().any(|(known, _)| known.text == key.text));
    }
    let mut known = std::collections::HashSet::with_capacity(entries.len());
    entries.iter().any(|(key, _)| !known.insert(&*key.text))
}

fn is_text(key: &Scalar) -> bool {
    matches!(key.settled(), Tag::Str | Tag::Merge)
}

fn scalar_flaw(scalar: &Scalar) -> Option<Flaw> {
    let tag = scalar.settled();
    if !matches!(tag, Tag::Int | Tag::Float | Tag::Bool | Tag::Time) {
        return None;
    }
    let is = crate::scalar::resolve(&scalar.text, crate::scalar::Rules::V3);
    if is != tag && !(is == Tag::Int && tag == Tag::Float) {
        return Some(Flaw::Tag(scalar.text.to_string(), is.name(), tag.name()));
    }
    match (tag, number(&scalar.text)) {
        (Tag::Float, Some(Number::Float(value))) if !value.is_finite() => Some(Flaw::Number(go_float_g(value))),
        _ => None,
    }
}

/// Names each doubled key with the lines of both in the printed tree.
fn doubled_keys(node: &Node) -> Vec<String> {
    let mut found = Vec::new();
    let mut line = 1;
    doubles_below(node, &mut line, &mut found);
    found
}

fn doubles_below(node: &Node, line: &mut usize, found: &mut Vec<String>) {
    match node {
        Node::Map(entries) => {
            let mut known: Vec<(&str, usize)> = Vec::new();
            for (key, value) in entries {
                if let Some((_, first)) = known.iter().find(|(text, _)| *text == &*key.text) {
                    let text = quote(&key.text);
                    found.push(format!("  line {line}: mapping key {text} already defined at line {first}"));
                } else {
                    known.push((&key.text, *line));
                }
                if !matches!(value, Node::Scalar(_)) && !value.is_empty() {
                    *line += 1;
                }
                doubles_below(value, line, found);
            }
        }
        Node::List(items) => items.iter().for_each(|item| doubles_below(item, line, found)),
        Node::Scalar(_) => *line += show::to_text(node).matches('\n').count().max(1),
    }
    if node.is_empty() && !matches!(node, Node::Scalar(_)) {
        *line += 1;
    }
}

/// Prints a tree as Go's `%#v` prints the value that it decodes to.
pub(crate) fn syntax(node: &Node, top: bool) -> String {
    match node {
        Node::Scalar(scalar) => scalar_syntax(scalar),
        Node::List(items) => {
            let items: Vec<String> = items.iter().map(|item| syntax(item, false)).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Node::Map(entries) => {
            let texts = top || entries.iter().all(|(key, _)| is_text(key));
            let mut sorted: Vec<&(Scalar, Node)> = entries.iter().collect();
            // Go prints numbers before booleans' strings only by type; strings come first in mixed maps.
            sorted.sort_by(|(a, _), (b, _)| is_text(b).cmp(&is_text(a)).then_with(|| a.text.cmp(&b.text)));
            let parts: Vec<String> = sorted
                .into_iter()
                .map(|(key, value)| {
                    let key = if texts || is_text(key) { quote(&key.text) } else { scalar_syntax(key) };
                    format!("{key}:{}", syntax(value, false))
                })
                .collect();
            let key = if texts { "string" } else { "interface {}" };
            format!("map[{key}]interface {{}}{{{}}}", parts.join(", "))
        }
    }
}

fn scalar_syntax(scalar: &Scalar) -> String {
    match scalar.settled() {
        Tag::Null => "interface {}(nil)".to_owned(),
        Tag::Bool => bool_value(&scalar.text).to_string(),
        Tag::Int | Tag::Float => match number(&scalar.text) {
            Some(Number::Int(value)) => value.to_string(),
            Some(Number::UInt(value)) => format!("0x{value:x}"),
            Some(Number::Float(value)) => go_float_g(value),
            None => scalar.text.to_string(),
        },
        Tag::Time => Timestamp::parse(&scalar.text).map_or_else(|| quote(&scalar.text), Timestamp::to_go),
        Tag::Binary => quote(&binary(&scalar.text)),
        _ => quote(&scalar.text),
    }
}
