//! Strategic merge as kyaml's `merge2` does it: patched and added list elements go first, nulls and directives delete.

use crate::{
    error::Error,
    node::{Node, Scalar},
    scalar::Tag,
    schema::{MergeSchema, Shape},
    show,
};

/// Merges a patch into a tree; nothing is left if the patch deletes it.
pub(crate) fn merge(tree: Node, patch: Node, schema: &MergeSchema) -> Result<Option<Node>, Error> {
    if patch.get(DIRECTIVE).is_some_and(|directive| directive.raw_text() == "replace") {
        // kyaml returns the patch then, but nobody takes it over.
        return Ok(Some(tree));
    }
    Walker { schema }.walk(Some(tree), Some(patch), None)
}

struct Walker<'s> {
    schema: &'s MergeSchema,
}

#[derive(Clone, Copy, PartialEq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

const DIRECTIVE: &str = "$patch";

impl Walker<'_> {
    fn walk(&self, dest: Option<Node>, patch: Option<Node>, shape: Option<&Shape>) -> Result<Option<Node>, Error> {
        let found;
        let shape = match shape {
            Some(shape) => Some(shape),
            None => {
                found = [&dest, &patch].into_iter().flatten().find_map(|node| self.shape_of(node));
                found.as_ref()
            }
        };
        let leading = [&dest, &patch].into_iter().flatten().find(|node| !node.is_null());
        match leading {
            None => Ok(empty(dest, patch)),
            Some(Node::Map(_)) => {
                check_kind(&[&dest, &patch], "MappingNode")?;
                self.map(dest, patch, shape)
            }
            Some(Node::List(_)) => {
                check_kind(&[&dest, &patch], "SequenceNode")?;
                match shape {
                    Some(Shape::List(Some(keys), element)) => self.keyed_list(dest, patch, keys, Some(element)),
                    _ => Ok(patch.or(dest)),
                }
            }
            Some(Node::Scalar(_)) => {
                check_kind(&[&dest, &patch], "ScalarNode")?;
                Ok(patch.or(dest))
            }
        }
    }

    fn shape_of(&self, node: &Node) -> Option<Shape> {
        let text = |key: &str| node.get(key).map_or("", Node::text);
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if api_version.is_empty() || kind.is_empty() { None } else { self.schema.kind(api_version, kind) }
    }

    fn map(&self, dest: Option<Node>, patch: Option<Node>, shape: Option<&Shape>) -> Result<Option<Node>, Error> {
        let Some(mut patch) = patch else {
            return match dest {
                Some(dest) => self.settle(dest, shape).map(Some),
                None => Ok(None),
            };
        };
        let Some(dest) = dest.filter(|dest| !dest.is_null()) else {
            if matches!(map_directive(&mut patch), Ok(Directive::Delete)) {
                return Ok(None);
            }
            return self.added_fields(patch, shape).map(Some);
        };
        if patch.is_null() {
            return Ok(None);
        }
        match map_directive(&mut patch)? {
            Directive::Delete => Ok(None),
            Directive::Replace => self.added_fields(patch, shape).map(Some),
            Directive::Merge => self.fields(dest, patch, shape).map(Some),
        }
    }

    fn fields(&self, dest: Node, patch: Node, shape: Option<&Shape>) -> Result<Node, Error> {
        let (Node::Map(entries), Node::Map(mut changes)) = (dest, patch) else { return Ok(Node::map()) };
        let mut merged = Vec::with_capacity(entries.len() + changes.len());
        for (key, value) in entries {
            let inner = shape.map(|shape| self.schema.field(shape, &key.text));
            let change = changes.iter().position(|(known, _)| known.text == key.text).map(|at| changes.remove(at).1);
            let former = if let Node::Scalar(scalar) = &value { Some((scalar.style, scalar.shared)) } else { None };
            let kept_null = change.is_none() && value.is_null();
            let Some(mut value) = self.walk(Some(value), change, inner)? else { continue };
            if value.is_null() && !kept_null {
                continue;
            }
            // The field keeps the style that it had, so a quoted number stays a string.
            if let (Node::Scalar(scalar), Some((style, shared))) = (&mut value, former) {
                (scalar.style, scalar.shared) = (style, shared);
            }
            merged.push((key, value));
        }
        for (key, change) in changes {
            let inner = shape.map(|shape| self.schema.field(shape, &key.text));
            if let Some(value) = self.walk(None, Some(change), inner)?.filter(|value| !value.is_null()) {
                merged.push((key, value));
            }
        }
        Ok(Node::Map(merged))
    }

    /// What a merge does to a part that a patch adds. kyaml puts the patch's own node in the place of the missing one
    /// and goes on with both sides being that node: nulls go, directives are followed, keyed lists lose their doubles.
    fn added(&self, mut node: Node, shape: Option<&Shape>) -> Result<Option<Node>, Error> {
        let found;
        let shape = match shape {
            Some(shape) => Some(shape),
            None => {
                found = self.shape_of(&node);
                found.as_ref()
            }
        };
        match (&node, shape) {
            (Node::Map(_), _) => match map_directive(&mut node)? {
                Directive::Delete => Ok(None),
                Directive::Merge | Directive::Replace => self.added_fields(node, shape).map(Some),
            },
            (Node::List(_), Some(Shape::List(Some(keys), element))) => match list_directive(&mut node)? {
                Directive::Delete => Ok(None),
                Directive::Merge | Directive::Replace => self.added_items(node, keys, Some(element)),
            },
            _ => Ok(Some(node)),
        }
    }

    fn added_fields(&self, node: Node, shape: Option<&Shape>) -> Result<Node, Error> {
        let Node::Map(entries) = node else { return Ok(node) };
        let mut added = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let inner = shape.map(|shape| self.schema.field(shape, &key.text));
            if let Some(value) = self.added(value, inner)?.filter(|value| !value.is_null()) {
                added.push((key, value));
            }
        }
        Ok(Node::Map(added))
    }

    fn added_items(&self, list: Node, keys: &[Box<str>], element: Option<&Shape>) -> Result<Option<Node>, Error> {
        self.combine(into_items(Some(list)), None, keys, element)
    }

    /// What a merge does to a part that the patch leaves alone: nulls without a text go, keyed lists lose their doubles.
    fn settle(&self, node: Node, shape: Option<&Shape>) -> Result<Node, Error> {
        let Node::Map(entries) = node else { return Ok(node) };
        let mut settled = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let inner = shape.map(|shape| self.schema.field(shape, &key.text));
            let keep_null = value.is_null() && !value.raw_text().is_empty();
            if let Some(value) = self.walk(Some(value), None, inner)?
                && (keep_null || !value.is_null())
            {
                settled.push((key, value));
            }
        }
        Ok(Node::Map(settled))
    }

    fn keyed_list(
        &self,
        dest: Option<Node>,
        patch: Option<Node>,
        keys: &[Box<str>],
        element: Option<&Shape>,
    ) -> Result<Option<Node>, Error> {
        let dest = dest.filter(|dest| !dest.is_null());
        if dest.is_some() && patch.as_ref().is_some_and(Node::is_null) {
            return Ok(None);
        }
        let Some(mut patch) = patch.filter(|patch| !patch.is_null()) else {
            return self.combine(into_items(dest), Some(Vec::new()), keys, element);
        };
        let Some(dest) = dest else { return self.added_items(patch, keys, element) };
        match list_directive(&mut patch)? {
            Directive::Delete => Ok(None),
            Directive::Replace => self.added_items(patch, keys, element),
            Directive::Merge => self.combine(into_items(Some(dest)), Some(into_items(Some(patch))), keys, element),
        }
    }

    /// Combines the elements of two lists by their keys; without a patch, of a list that the patch added.
    fn combine(
        &self,
        mut dest: Vec<Node>,
        patch: Option<Vec<Node>>,
        keys: &[Box<str>],
        element: Option<&Shape>,
    ) -> Result<Option<Node>, Error> {
        let primitive = [Box::<str>::default()];
        let keys = if keys.is_empty() { &primitive[..] } else { keys };
        let mut wanted = values_of(&dest, patch.as_deref().unwrap_or_default(), keys);
        if keys.len() > 1 {
            unite(&mut wanted);
        }
        if wanted.is_empty() {
            return Ok(Some(Node::List(dest)));
        }
        let mut items: Vec<Node> = Vec::new();
        let mut used_keys: Vec<Box<str>> = Vec::new();
        for values in &wanted {
            let (keys, values) = valid_keys(&wanted, values, keys);
            let (search_keys, search_values) = valid_keys(std::slice::from_ref(&values), &values, &keys);
            let in_dest = find(&dest, &search_keys, &search_values);
            let mut replaced = false;
            let here = in_dest.map(|at| dest[at].clone());
            let combined = match &patch {
                None => here.map_or(Ok(None), |here| self.added(here, element))?,
                Some(patch) => {
                    let change = find(patch, &search_keys, &search_values).map(|at| patch[at].clone());
                    // kyaml puts the old element back over one that the patch replaces.
                    let directive = change.as_ref().and_then(|change| change.get(DIRECTIVE));
                    replaced = directive.is_some_and(|directive| directive.text() == "replace");
                    self.walk(here, change, element)?
                }
            };
            match combined.filter(|value| !is_void(value)) {
                None => set_element(&mut dest, None, &keys, &values),
                Some(mut value) => {
                    complete(&mut value, &keys, &values);
                    if let (Some(at), false) = (in_dest, replaced) {
                        dest[at] = value.clone();
                    }
                    set_element(&mut items, Some(value), &keys, &values);
                }
            }
            used_keys = keys;
        }
        append(&mut items, dest, &used_keys);
        Ok(Some(Node::List(items)))
    }
}

fn into_items(node: Option<Node>) -> Vec<Node> {
    match node {
        Some(Node::List(items)) => items,
        _ => Vec::new(),
    }
}

/// What is left where both sides are null or missing: a null that was written as a word stays.
fn empty(dest: Option<Node>, patch: Option<Node>) -> Option<Node> {
    match (dest, patch) {
        (Some(dest), None) if !dest.raw_text().is_empty() => Some(dest),
        (_, patch) => patch,
    }
}

fn is_void(node: &Node) -> bool {
    node.is_null() || matches!(node, Node::Map(entries) if entries.is_empty())
}

fn check_kind(nodes: &[&Option<Node>], expected: &str) -> Result<(), Error> {
    for node in nodes.iter().copied().flatten() {
        if !node.is_null() && node.kind_name() != expected {
            return Err(show::wrong_kind(expected, node));
        }
    }
    Ok(())
}

fn directive_of(text: &str) -> Result<Directive, Error> {
    match text {
        "delete" => Ok(Directive::Delete),
        "replace" => Ok(Directive::Replace),
        "merge" => Ok(Directive::Merge),
        other => Err(Error::new(format!("unknown patch strategy '{other}'"))),
    }
}

/// Takes `$patch` out of a map.
fn map_directive(patch: &mut Node) -> Result<Directive, Error> {
    let Some(value) = patch.get(DIRECTIVE) else { return Ok(Directive::Merge) };
    let directive = directive_of(value.raw_text())?;
    patch.remove(DIRECTIVE);
    Ok(directive)
}

/// Takes the elements that are only a `$patch` out of a list.
fn list_directive(patch: &mut Node) -> Result<Directive, Error> {
    let Node::List(items) = patch else { return Ok(Directive::Merge) };
    let Some(first) = items.iter().find(|item| item.get(DIRECTIVE).is_some()) else { return Ok(Directive::Merge) };
    if first.entries().len() > 1 {
        return Ok(Directive::Merge);
    }
    let value = first.get(DIRECTIVE).map_or("", Node::raw_text).to_owned();
    let directive = directive_of(&value)?;
    set_element(items, None, &[DIRECTIVE.into()], &[value.into()]);
    Ok(directive)
}

/// The key values of the elements of both lists, those of the patch first, each once.
fn values_of(dest: &[Node], patch: &[Node], keys: &[Box<str>]) -> Vec<Vec<Box<str>>> {
    let mut values: Vec<Vec<Box<str>>> = Vec::new();
    let part = |item: &Node, key: &str| -> Box<str> {
        if key.is_empty() {
            return item.raw_text().into();
        }
        item.get(key).filter(|value| !value.is_empty()).map_or("", Node::raw_text).into()
    };
    for item in patch.iter().chain(dest) {
        let of_item: Vec<Box<str>> = keys.iter().map(|key| part(item, key)).collect();
        if !values.contains(&of_item) {
            values.push(of_item);
        }
    }
    values
}

/// Lets values that differ only where one is missing be the same.
fn unite(values: &mut [Vec<Box<str>>]) {
    for i in 0..values.len() {
        let one = values[i].clone();
        for j in 0..values.len() {
            if let Some(united) = united(&one, &values[j]) {
                values[i].clone_from(&united);
                values[j] = united;
            }
        }
    }
}

fn united(a: &[Box<str>], b: &[Box<str>]) -> Option<Vec<Box<str>>> {
    let mut common = false;
    let mut out = Vec::with_capacity(a.len());
    for (a, b) in a.iter().zip(b) {
        if a == b {
            common = true;
        } else if !a.is_empty() && !b.is_empty() {
            return None;
        }
        out.push(if a.is_empty() { b.clone() } else { a.clone() });
    }
    common.then_some(out)
}

/// Leaves out the keys that no element has.
fn valid_keys(all: &[Vec<Box<str>>], values: &[Box<str>], keys: &[Box<str>]) -> (Vec<Box<str>>, Vec<Box<str>>) {
    let used = |at: usize| all.iter().any(|values| values.get(at).is_some_and(|value| !value.is_empty()));
    let places: Vec<usize> = (0..keys.len()).filter(|at| used(*at)).collect();
    if places.is_empty() {
        return (keys.to_vec(), values.to_vec());
    }
    let kept_values = values.iter().enumerate().filter(|(at, value)| !value.is_empty() || places.contains(at));
    (places.iter().map(|at| keys[*at].clone()).collect(), kept_values.map(|(_, value)| value.clone()).collect())
}

fn find(items: &[Node], keys: &[Box<str>], values: &[Box<str>]) -> Option<usize> {
    if keys.first().is_none_or(|key| key.is_empty()) {
        let wanted = values.first().map_or("", |value| value);
        return items.iter().position(|item| item.raw_text() == wanted);
    }
    let fits = |item: &Node| {
        matches!(item, Node::Map(_))
            && keys
                .iter()
                .zip(values)
                .all(|(key, value)| item.get(key).is_some_and(|found| found.raw_text() == &**value))
    };
    items.iter().position(fits)
}

/// Adds the keys by which an element was found, if it lacks them.
fn complete(value: &mut Node, keys: &[Box<str>], values: &[Box<str>]) {
    for (key, text) in keys.iter().zip(values) {
        if key.is_empty() {
            if let Node::Scalar(scalar) = value {
                *scalar = Scalar::new(text.clone(), Tag::Open, scalar.style);
            }
        } else if value.get(key).is_none() && !text.is_empty() {
            value.set_field(key, Scalar::open(text));
        }
    }
}

/// Puts an element in the place of those with the same keys, or at the end; without an element they are removed.
fn set_element(items: &mut Vec<Node>, element: Option<Node>, keys: &[Box<str>], values: &[Box<str>]) {
    let by_key =
        keys.first().is_some_and(|key| !key.is_empty()) && values.first().is_some_and(|value| !value.is_empty());
    let mut found_any = false;
    let mut kept = Vec::with_capacity(items.len() + 1);
    for item in std::mem::take(items) {
        if is_void(&item) {
            continue;
        }
        if by_key && !matches!(item, Node::Map(_)) {
            kept.push(item);
            continue;
        }
        // Values may be fewer than keys: the missing ones count as found if the first one was.
        let found = !values.is_empty()
            && keys.iter().zip(values).all(|(key, value)| match &item {
                Node::Scalar(scalar) if key.is_empty() => scalar.text == *value,
                item => item.get(key).is_some_and(|found| value.is_empty() || found.raw_text() == &**value),
            });
        if !found {
            if !values.is_empty() {
                kept.push(item);
            }
            continue;
        }
        found_any = true;
        if let Some(element) = &element {
            kept.push(element.clone());
        }
    }
    *items = kept;
    if let (Some(element), false) = (element, found_any) {
        items.push(element);
    }
}

/// Puts the elements of a list behind those that are there, each in the place of one with the same keys.
fn append(items: &mut Vec<Node>, list: Vec<Node>, keys: &[Box<str>]) {
    for item in list {
        if keys.first().is_some_and(|key| key.is_empty()) {
            let value = [item.raw_text().into()];
            set_element(items, Some(item), keys, &value);
            continue;
        }
        let mut values: Vec<Box<str>> = Vec::new();
        for key in keys {
            match item.get(key) {
                Some(value) => values.push(value.raw_text().into()),
                None => items.push(item.clone()),
            }
        }
        if keys.len() > 1 {
            set_element(items, None, keys, &values);
        }
        set_element(items, Some(item), keys, &values);
    }
}
