//! The functions of the rules.

use std::{borrow::Cow, cmp::Ordering};

use lockstep_object::{Object, Value};

use super::{
    item::Item,
    syntax::{Function, ListFunction},
};

/// Calls a function; the parser has counted the arguments.
pub fn call<'a>(function: Function, arguments: &[Item<'a>], object: &'a Object) -> Item<'a> {
    let argument = |place: usize| arguments.get(place).unwrap_or(&Item::Nil);
    let text = |place: usize| argument(place).as_text().unwrap_or_default();
    match function {
        Function::Len => Item::Number(argument(0).len() as f64),
        Function::Lower => text(0).to_lowercase().into(),
        Function::Starts => Item::Bool(text(0).starts_with(text(1))),
        Function::Ends => Item::Bool(text(0).ends_with(text(1))),
        Function::Contains => Item::Bool(text(0).contains(text(1))),
        Function::Replace => text(0).replace(text(1), text(2)).into(),
        Function::Short => short(text(0), argument(1)).to_owned().into(),
        Function::Number => number(argument(0)),
        Function::IsNumber => Item::Bool(argument(0).as_number().is_some()),
        Function::Join => join(&argument(0).items(), text(1)).into(),
        Function::Sorted => sorted(argument(0)),
        Function::Keys => keys(argument(0)),
        Function::Sum => Item::Number(argument(0).items().iter().filter_map(Item::as_number).sum()),
        Function::Before => text(0).split_once(text(1)).map_or(Item::Nil, |(before, _)| before.to_owned().into()),
        Function::After => text(0).split_once(text(1)).map_or(Item::Nil, |(_, after)| after.to_owned().into()),
        Function::Condition => condition(object, text(0)),
    }
}

/// Reduces a list by what the last argument gave for each item.
pub fn over<'a>(function: ListFunction, items: Vec<Item<'a>>, results: Vec<Item<'a>>) -> Item<'a> {
    match function {
        ListFunction::Any => Item::Bool(results.iter().any(Item::is_true)),
        ListFunction::All => Item::Bool(results.iter().all(Item::is_true)),
        ListFunction::Count => Item::Number(results.iter().filter(|result| result.is_true()).count() as f64),
        ListFunction::First => kept(items, results).next().unwrap_or(Item::Nil),
        ListFunction::Last => kept(items, results).last().unwrap_or(Item::Nil),
        ListFunction::Filter => Item::List(kept(items, results).collect()),
        ListFunction::Map => Item::List(results),
        ListFunction::Order => {
            let mut pairs: Vec<(Item<'a>, Item<'a>)> = results.into_iter().zip(items).collect();
            pairs.sort_by(|(a, _), (b, _)| order(a, b));
            Item::List(pairs.into_iter().map(|(_, item)| item).collect())
        }
    }
}

/// Compares two numbers or two texts; anything else fails.
pub fn compare<'a>(left: &Item<'_>, right: &Item<'_>, wanted: impl Fn(Ordering) -> bool) -> Item<'a> {
    let ordering = match (left, right) {
        (Item::Number(a), Item::Number(b)) => a.partial_cmp(b),
        (Item::Text(a), Item::Text(b)) => Some(a.cmp(b)),
        _ => None,
    };
    Item::Bool(ordering.is_some_and(wanted))
}

/// Works on two numbers; nothing if one is none.
pub fn arithmetic<'a>(left: &Item<'_>, right: &Item<'_>, work: impl Fn(f64, f64) -> f64) -> Item<'a> {
    match (left.as_number(), right.as_number()) {
        (Some(a), Some(b)) => Item::Number(work(a, b)),
        _ => Item::Nil,
    }
}

fn kept<'a>(items: Vec<Item<'a>>, results: Vec<Item<'a>>) -> impl Iterator<Item = Item<'a>> {
    items.into_iter().zip(results).filter(|(_, result)| result.is_true()).map(|(item, _)| item)
}

/// Orders texts and numbers; what has neither comes last.
fn order(a: &Item<'_>, b: &Item<'_>) -> Ordering {
    match (a, b) {
        (Item::Text(a), Item::Text(b)) => a.cmp(b),
        (Item::Number(a), Item::Number(b)) => a.total_cmp(b),
        (Item::Nil, Item::Nil) => Ordering::Equal,
        (Item::Nil, _) => Ordering::Greater,
        (_, Item::Nil) => Ordering::Less,
        _ => Ordering::Equal,
    }
}

fn short<'t>(text: &'t str, length: &Item<'_>) -> &'t str {
    let length = length.as_number().unwrap_or_default().max(0.0) as usize;
    let end = (0..=length.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

fn number<'a>(of: &Item<'a>) -> Item<'a> {
    match of {
        Item::Number(number) => Item::Number(*number),
        // Words as `inf` are numbers to Rust only.
        Item::Text(text) if !text.contains(|c: char| c.is_alphabetic() && c != 'e' && c != 'E') => {
            text.trim().parse().map_or(Item::Nil, Item::Number)
        }
        _ => Item::Nil,
    }
}

fn join(items: &[Item<'_>], separator: &str) -> String {
    let mut text = String::new();
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            text.push_str(separator);
        }
        item.print(&mut text);
    }
    text
}

fn sorted<'a>(of: &Item<'a>) -> Item<'a> {
    let mut items = of.items();
    items.sort_by(order);
    Item::List(items)
}

fn keys<'a>(of: &Item<'a>) -> Item<'a> {
    match of {
        Item::Node(Value::Map(map)) => {
            Item::List(map.keys().map(|key| Item::Text(Cow::Borrowed(key.as_str()))).collect())
        }
        _ => Item::List(Vec::new()),
    }
}

fn condition<'a>(object: &'a Object, kind: &str) -> Item<'a> {
    let conditions = object.at(&["status", "conditions"]).and_then(Value::as_list);
    let found =
        conditions.and_then(|list| list.iter().find(|item| item.get("type").and_then(Value::as_str) == Some(kind)));
    found.into()
}
