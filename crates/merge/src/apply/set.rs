//! Sets of fields.

use std::{cmp::Ordering, fmt, sync::Arc};

use lockstep_object::{Key, Map, Value};
use lockstep_schema::{TypeRef, Types};

use super::element::{Element, FieldPath};

/// `fieldsV1` holds something else than a set of fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FieldSetError(pub String);

/// Sets nested deeper are refused; objects of Kubernetes are less than 50 deep.
const DEEPEST: usize = 500;

/// A set of fields: a tree of members and of nodes that have members below them. A node is not a member
/// by itself. Its JSON form is `fieldsV1`. Sets share what they have in common, so a copy is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Sorted.
    members: Vec<Element>,
    /// Sorted by element.
    children: Vec<(Element, Arc<FieldSet>)>,
}

impl FieldSet {
    /// Returns the empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.iter().all(|(_, child)| child.is_empty())
    }

    /// Counts the members.
    pub fn len(&self) -> usize {
        self.members.len() + self.children.iter().map(|(_, child)| child.len()).sum::<usize>()
    }

    /// Adds a path, without its parents. The empty path adds nothing: nobody owns the whole object.
    pub fn insert(&mut self, path: &[Element]) {
        match path {
            [] => {}
            [last] => {
                if let Err(place) = self.members.binary_search(last) {
                    self.members.insert(place, last.clone());
                }
            }
            [first, rest @ ..] => self.descend(first).insert(rest),
        }
    }

    /// Tells whether a path is a member.
    pub fn has(&self, path: &[Element]) -> bool {
        match path {
            [] => false,
            [last] => self.has_member(last),
            [first, rest @ ..] => self.child(first).is_some_and(|child| child.has(rest)),
        }
    }

    /// Lists the members, parents before what is below them in a node's own list.
    pub fn paths(&self) -> Vec<FieldPath> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found);
        found
    }

    /// Returns the members of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut joined = Self::default();
        zip(&self.members, &other.members, |e| e, |mine, others| joined.members.extend(mine.or(others).cloned()));
        zip(
            &self.children,
            &other.children,
            |(element, _)| element,
            |mine, others| {
                joined.children.extend(match (mine, others) {
                    (Some((element, a)), Some((_, b))) if Arc::ptr_eq(a, b) => Some((element.clone(), a.clone())),
                    (Some((element, a)), Some((_, b))) => Some((element.clone(), Arc::new(a.union(b)))),
                    (one, another) => one.or(another).cloned(),
                });
            },
        );
        joined
    }

    /// Returns the members of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        zip(&self.members, &other.members, |e| e, |mine, others| both.members.extend(mine.and(others).cloned()));
        zip(
            &self.children,
            &other.children,
            |(element, _)| element,
            |mine, others| {
                if let (Some((element, a)), Some((_, b))) = (mine, others) {
                    both.push_child(element, a.intersection(b));
                }
            },
        );
        both
    }

    /// Returns the members that the other has not; a member of the other does not remove what is below it.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.without(other, false)
    }

    /// Returns what is neither a member of the other nor below one.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.without(other, true)
    }

    fn without(&self, other: &Self, recursive: bool) -> Self {
        let mut rest = Self::default();
        rest.members.extend(self.members.iter().filter(|element| !other.has_member(element)).cloned());
        for (element, child) in &self.children {
            if recursive && other.has_member(element) {
                continue;
            }
            match other.child(element) {
                Some(others) => rest.push_child(element, child.without(others, recursive)),
                None => rest.children.push((element.clone(), child.clone())),
            }
        }
        rest
    }

    /// Returns the set with those nodes as members that are named fields of the type: owning `a.b` is owning `a` then.
    pub(crate) fn with_named_fields(&self, of: Option<&TypeRef>, types: &Types) -> Self {
        let resolved = of.and_then(|of| types.resolve(of));
        let map = resolved.as_ref().and_then(|found| found.map.as_ref());
        let list = resolved.as_ref().and_then(|found| found.list.as_ref());
        let mut named = Self { members: self.members.clone(), children: Vec::with_capacity(self.children.len()) };
        for (element, child) in &self.children {
            let below = match element {
                Element::Field(name) => {
                    if map.and_then(|map| map.field(name)).is_some() {
                        named.insert(std::slice::from_ref(element));
                    }
                    map.and_then(|map| map.type_of(name))
                }
                Element::Item(_) => list.map(|list| &list.item),
                _ => None,
            };
            named.children.push((element.clone(), Arc::new(child.with_named_fields(below, types))));
        }
        named
    }

    /// Returns the members that have no members below them.
    #[must_use]
    pub fn leaves(&self) -> Self {
        let members = self.members.iter().filter(|element| self.child(element).is_none()).cloned().collect();
        let children = self.children.iter().map(|(element, child)| (element.clone(), Arc::new(child.leaves())));
        let children = children.collect();
        Self { members, children }
    }

    pub(crate) fn has_member(&self, element: &Element) -> bool {
        self.members.binary_search(element).is_ok()
    }

    /// Returns the set below an element.
    pub fn child(&self, element: &Element) -> Option<&Self> {
        let place = self.children.binary_search_by(|(known, _)| known.cmp(element)).ok()?;
        Some(&self.children[place].1)
    }

    pub(crate) fn members(&self) -> &[Element] {
        &self.members
    }

    pub(crate) fn children(&self) -> &[(Element, Arc<Self>)] {
        &self.children
    }

    fn descend(&mut self, element: &Element) -> &mut Self {
        let place = match self.children.binary_search_by(|(known, _)| known.cmp(element)) {
            Ok(place) => place,
            Err(place) => {
                self.children.insert(place, (element.clone(), Arc::default()));
                place
            }
        };
        Arc::make_mut(&mut self.children[place].1)
    }

    /// Adds an element that is greater than all that are here.
    pub(crate) fn push(&mut self, element: Element, is_member: bool, below: Self) {
        if !below.members.is_empty() || !below.children.is_empty() {
            self.children.push((element.clone(), Arc::new(below)));
        }
        if is_member {
            self.members.push(element);
        }
    }

    fn push_child(&mut self, element: &Element, child: Self) {
        if !child.is_empty() {
            self.children.push((element.clone(), Arc::new(child)));
        }
    }

    fn collect(&self, path: &mut Vec<Element>, found: &mut Vec<FieldPath>) {
        for element in &self.members {
            let mut member = path.clone();
            member.push(element.clone());
            found.push(FieldPath(member));
        }
        for (element, child) in &self.children {
            path.push(element.clone());
            child.collect(path, found);
            path.pop();
        }
    }

    /// Returns the form of `fieldsV1`; [`lockstep_object::to_json`] of it is what the API server prints.
    pub fn to_value(&self) -> Value {
        Value::Map(self.to_map(false, &mut String::new()))
    }

    /// `text` is room for the keys.
    fn to_map(&self, is_member: bool, text: &mut String) -> Map {
        let mut entries: Vec<(Key, Value)> = Vec::with_capacity(1 + self.members.len() + self.children.len());
        let empty = || Value::Map(Map::new());
        if is_member && !(self.members.is_empty() && self.children.is_empty()) {
            entries.push((".".into(), empty()));
        }
        zip_mixed(&self.members, &self.children, |member, child| match (member, child) {
            (member, Some((element, child))) => {
                let below = child.to_map(member.is_some(), text);
                entries.push((element.print(text), Value::Map(below)));
            }
            (Some(element), None) => entries.push((element.print(text), empty())),
            (None, None) => {}
        });
        Map::from_unique(entries)
    }

    /// Tells whether [`FieldSet::to_value`] would be this value, in this order, without making it.
    pub fn is_value(&self, value: &Value) -> bool {
        self.is_node(value, false)
    }

    fn is_node(&self, value: &Value, is_member: bool) -> bool {
        let Some(map) = value.as_map() else { return false };
        let mut entries = map.iter();
        if is_member && !(self.members.is_empty() && self.children.is_empty()) {
            let same = entries.next().is_some_and(|(key, below)| key == "." && is_empty_map(below));
            if !same {
                return false;
            }
        }
        let mut same = true;
        zip_mixed(&self.members, &self.children, |member, child| {
            let element = child.map(|(element, _)| element).or(member);
            same = same
                && element.zip(entries.next()).is_some_and(|(element, (key, below))| {
                    element.prints_as(key)
                        && match child {
                            Some((_, child)) => child.is_node(below, member.is_some()),
                            None => is_empty_map(below),
                        }
                });
        });
        same && entries.next().is_none()
    }

    /// Reads the form of `fieldsV1`.
    ///
    /// # Errors
    /// If a key is no path element or a node is not a map.
    pub fn from_value(value: &Value) -> Result<Self, FieldSetError> {
        read(value, 0).map(|(set, _)| set)
    }
}

fn is_empty_map(value: &Value) -> bool {
    value.as_map().is_some_and(Map::is_empty)
}

/// Reads a node. Returns its set, and whether the node itself is a member.
fn read(value: &Value, depth: usize) -> Result<(FieldSet, bool), FieldSetError> {
    let Value::Map(map) = value else {
        return Err(FieldSetError(format!("expected a map of fields, got {}", value.type_name())));
    };
    if depth > DEEPEST {
        return Err(FieldSetError("the fields are nested too deep".into()));
    }
    let mut set = FieldSet::default();
    let mut is_member = map.is_empty();
    for (key, below) in map.iter() {
        if key == "." {
            is_member = true;
            continue;
        }
        let element =
            Element::parse(key).map_err(|problem| FieldSetError(format!("parsing key as path element: {problem}")))?;
        let (child, member) = read(below, depth + 1)?;
        if member {
            set.insert(std::slice::from_ref(&element));
        }
        if !child.members.is_empty() || !child.children.is_empty() {
            *set.descend(&element) = child;
        }
    }
    Ok((set, is_member))
}

/// Walks two sorted lists side by side.
fn zip<T>(a: &[T], b: &[T], key: impl Fn(&T) -> &Element, mut visit: impl FnMut(Option<&T>, Option<&T>)) {
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let order = match (a.get(i), b.get(j)) {
            (Some(a), Some(b)) => key(a).cmp(key(b)),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        visit(a.get(i).filter(|_| order.is_le()), b.get(j).filter(|_| order.is_ge()));
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
    }
}

/// Walks members and children side by side.
fn zip_mixed(
    members: &[Element],
    children: &[(Element, Arc<FieldSet>)],
    mut visit: impl FnMut(Option<&Element>, Option<&(Element, Arc<FieldSet>)>),
) {
    let (mut i, mut j) = (0, 0);
    while i < members.len() || j < children.len() {
        let order = match (members.get(i), children.get(j)) {
            (Some(member), Some((child, _))) => member.cmp(child),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        visit(members.get(i).filter(|_| order.is_le()), children.get(j).filter(|_| order.is_ge()));
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
    }
}

impl<P: AsRef<[Element]>> FromIterator<P> for FieldSet {
    fn from_iter<I: IntoIterator<Item = P>>(paths: I) -> Self {
        let mut set = Self::default();
        for path in paths {
            set.insert(path.as_ref());
        }
        set
    }
}

impl AsRef<[Element]> for FieldPath {
    fn as_ref(&self) -> &[Element] {
        &self.0
    }
}

impl fmt::Display for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.paths().iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}
