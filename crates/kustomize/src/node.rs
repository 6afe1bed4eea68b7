//! The tree a build works on: what kustomize keeps as go-yaml nodes, without places and comments.

use std::borrow::Cow;

use crate::scalar::{Rules, Tag, resolve};

/// How a scalar was written; only the difference between plain and the rest has a meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes: the text decides what it is, if there is no tag.
    #[default]
    Plain,
    /// Single quotes.
    Single,
    /// Double quotes.
    Double,
    /// A literal block.
    Literal,
    /// A folded block.
    Folded,
}

/// A scalar, or a key of a map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    /// The text after unquoting.
    pub(crate) text: Box<str>,
    /// What it is.
    pub(crate) tag: Tag,
    /// How it was written.
    pub(crate) style: Style,
    /// Which other scalars of the resource are one with it.
    pub(crate) shared: Shared,
}

/// Names the scalars of a resource that kustomize keeps as one node: the places that a label or annotation was added
/// to. What changes one of them later changes all. It is no part of a value: all compare equal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shared(pub(crate) u32);

impl PartialEq for Shared {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Scalar {
    /// Returns a scalar.
    pub(crate) fn new(text: impl Into<Box<str>>, tag: Tag, style: Style) -> Self {
        Self { text: text.into(), tag, style, shared: Shared::default() }
    }

    /// Returns a plain scalar without a tag.
    pub(crate) fn open(text: &str) -> Self {
        Self::new(text, Tag::Open, Style::Plain)
    }

    /// Returns a string.
    pub(crate) fn string(text: &str) -> Self {
        Self::new(text, Tag::Str, Style::Plain)
    }

    /// Takes the value of another scalar as go-yaml nodes are overwritten: the place stays one with its like.
    pub(crate) fn overwrite(&mut self, value: Scalar) {
        *self = Scalar { shared: self.shared, ..value };
    }

    /// Returns the text of a string once it is printed and read again.
    pub(crate) fn printed(&self) -> Cow<'_, str> {
        if self.style == Style::Folded
            && (self.text.contains("\n ")
                || self.text.contains("\n\t")
                || self.text.ends_with("\n\n")
                || self.text.starts_with([' ', '\t']))
        {
            return Cow::Owned(refold(&self.text));
        }
        Cow::Borrowed(&self.text)
    }

    /// Returns what the scalar is once it is printed and read again.
    pub(crate) fn settled(&self) -> Tag {
        match (self.tag, self.style) {
            (Tag::Open, Style::Plain) => resolve(&self.text, Rules::V3),
            (Tag::Other | Tag::Merge, _) => Tag::Str,
            (tag, Style::Plain) => tag,
            // A quoted scalar is printed with its quotes, whatever it was before.
            (_, _) => Tag::Str,
        }
    }
}

/// Prints a folded block as go-yaml v3 does and reads it again: a break before a line that begins with a blank is
/// doubled on the way, because its emitter looks at the wrong place.
fn refold(text: &str) -> String {
    let first = text.trim_start_matches('\n');
    let doubles = !first.is_empty() && !first.starts_with([' ', '\t']);
    let mut out = String::with_capacity(text.len() + 8);
    let (mut after_blank, mut started) = (true, false);
    let mut rest = text;
    while !rest.is_empty() {
        let breaks = rest.len() - rest.trim_start_matches('\n').len();
        let (group, after) = rest.split_at(breaks);
        let line_end = after.find('\n').unwrap_or(after.len());
        let (line, left) = after.split_at(line_end);
        let before_blank = line.starts_with([' ', '\t']);
        match (started && !after_blank && breaks > 0, doubles) {
            (true, true) if before_blank || line.is_empty() && breaks > 1 => {
                out.push('\n');
                out.push_str(group);
            }
            (true, false) if !before_blank && !line.is_empty() => {
                out.push_str(if breaks == 1 { " " } else { &group[1..] });
            }
            _ => out.push_str(group),
        }
        out.push_str(line);
        (after_blank, started) = (before_blank, true);
        rest = left;
    }
    out
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// A scalar; null is one too.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of its text; a key may stand twice until the tree is printed.
    Map(Vec<(Scalar, Node)>),
}

impl Default for Node {
    fn default() -> Self {
        Self::null()
    }
}

impl Node {
    /// Returns null.
    pub(crate) fn null() -> Self {
        Self::Scalar(Scalar::new("", Tag::Null, Style::Plain))
    }

    /// Returns a string.
    pub(crate) fn string(text: &str) -> Self {
        Self::Scalar(Scalar::string(text))
    }

    /// Returns a plain scalar without a tag.
    pub(crate) fn open(text: &str) -> Self {
        Self::Scalar(Scalar::open(text))
    }

    /// Returns an empty map.
    pub(crate) fn map() -> Self {
        Self::Map(Vec::new())
    }

    /// Tells whether it is null.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(Scalar { tag: Tag::Null, .. }))
    }

    /// Tells whether it is null, an empty map or an empty list.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.tag == Tag::Null,
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
        }
    }

    /// Returns the text of a scalar; empty for anything else and for null.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Scalar(scalar) if scalar.tag != Tag::Null => &scalar.text,
            _ => "",
        }
    }

    /// Returns the raw text of a scalar (`null` included), empty for anything else.
    pub(crate) fn raw_text(&self) -> &str {
        match self {
            Self::Scalar(scalar) => &scalar.text,
            _ => "",
        }
    }

    /// Returns the entries of a map; none for anything else.
    pub(crate) fn entries(&self) -> &[(Scalar, Node)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the items of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Node] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// Returns the value of a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(known, _)| &*known.text == key).map(|(_, value)| value)
    }

    /// Returns the value of a key for writing.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match self {
            Self::Map(entries) => entries.iter_mut().find(|(known, _)| &*known.text == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Follows keys of maps.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Removes a key; returns its value.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Node> {
        let Self::Map(entries) = self else { return None };
        let place = entries.iter().position(|(known, _)| &*known.text == key)?;
        Some(entries.remove(place).1)
    }

    /// Sets a key; a known key keeps its place.
    pub(crate) fn insert(&mut self, key: &str, value: Node) {
        if let Some(known) = self.get_mut(key) {
            *known = value;
        } else if let Self::Map(entries) = self {
            entries.push((Scalar::open(key), value));
        }
    }

    /// Sets a key to a scalar as kyaml's `FieldSetter` does: the style of the former value stays.
    pub(crate) fn set_field(&mut self, key: &str, mut value: Scalar) {
        value.style = match self.get_mut(key) {
            Some(Node::Scalar(known)) => {
                value.style = known.style;
                known.overwrite(value);
                return;
            }
            Some(_) => Style::Plain,
            None if matches!(value.tag, Tag::Open | Tag::Str) && crate::scalar::is_no_string(&value.text) => {
                Style::Double
            }
            None => value.style,
        };
        self.insert(key, Node::Scalar(value));
    }

    /// Returns the value of a key for writing, a map made there if the key is missing or null.
    pub(crate) fn map_at(&mut self, key: &str) -> Option<&mut Node> {
        let Self::Map(entries) = self else { return None };
        let place = match entries.iter().position(|(known, _)| &*known.text == key) {
            Some(place) => place,
            None => {
                entries.push((Scalar::open(key), Node::map()));
                entries.len() - 1
            }
        };
        Some(&mut entries[place].1)
    }

    /// Calls a function with every scalar below that is one with others.
    pub(crate) fn each_shared(&mut self, visit: &mut impl FnMut(&mut Scalar)) {
        match self {
            Self::Scalar(scalar) if scalar.shared.0 != 0 => visit(scalar),
            Self::Scalar(_) => {}
            Self::List(items) => items.iter_mut().for_each(|item| item.each_shared(visit)),
            Self::Map(entries) => entries.iter_mut().for_each(|(_, value)| value.each_shared(visit)),
        }
    }

    /// Returns the number of nodes below, itself included.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Scalar(_) => 1,
            Self::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Self::Map(entries) => 1 + entries.iter().map(|(_, value)| value.size()).sum::<usize>(),
        }
    }

    /// Names the kind as kyaml's errors do.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "ScalarNode",
            Self::List(_) => "SequenceNode",
            Self::Map(_) => "MappingNode",
        }
    }
}
