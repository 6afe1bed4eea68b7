//! Applies a change to the fields that a field specification names.

use crate::{
    config::FieldSpec,
    error::Error,
    id::{ResId, split_api_version},
    node::{Node, Scalar, Shared},
    path::Kind,
    scalar::Tag,
    show,
};

/// What a setter does with a field.
pub(crate) type Setter<'s> = dyn FnMut(&mut Node) -> Result<(), Error> + 's;

/// Applies a setter to the fields of one specification, if it fits the object.
pub(crate) fn apply(node: &mut Node, spec: &FieldSpec, create: Option<Kind>, set: &mut Setter) -> Result<(), Error> {
    if fits(node, spec) { apply_here(node, spec, create, set) } else { Ok(()) }
}

/// Applies a setter to the fields of one specification that is known to fit the object.
pub(crate) fn apply_here(
    node: &mut Node,
    spec: &FieldSpec,
    create: Option<Kind>,
    set: &mut Setter,
) -> Result<(), Error> {
    let create = create.filter(|_| spec.create);
    walk(node, &spec.parts, create, set).map_err(|error| {
        let mut id = ResId::of(node);
        id.cluster_scoped = false;
        error.wrap(format!("considering field '{}' of object {id}", spec.path))
    })
}

/// Applies a setter to the fields of several specifications.
pub(crate) fn apply_all(
    node: &mut Node,
    specs: &[FieldSpec],
    create: Option<Kind>,
    set: &mut Setter,
) -> Result<(), Error> {
    specs.iter().try_for_each(|spec| apply(node, spec, create, set))
}

fn fits(node: &Node, spec: &FieldSpec) -> bool {
    let gvk = &spec.gvk;
    let text = |key: &str| node.get(key).map_or("", Node::raw_text);
    if !gvk.kind.is_empty() && *gvk.kind != *text("kind") {
        return false;
    }
    if gvk.group.is_empty() && gvk.version.is_empty() {
        return true;
    }
    let (group, version) = split_api_version(text("apiVersion"));
    (gvk.group.is_empty() || *gvk.group == *group) && (gvk.version.is_empty() || *gvk.version == *version)
}

fn walk(node: &mut Node, path: &[Box<str>], create: Option<Kind>, set: &mut Setter) -> Result<(), Error> {
    let Some((part, rest)) = path.split_first() else { return set(node) };
    if node.is_null() {
        return Ok(());
    }
    match node {
        Node::List(items) => {
            for item in items {
                walk(item, path, create, set)
                    .map_err(|error| error.wrap(format!("visit traversal on path: [{}]", path.join(" "))))?;
            }
            Ok(())
        }
        Node::Map(entries) => {
            let (name, is_list) = match part.strip_suffix("[]") {
                Some(name) => (name, true),
                None => (&**part, false),
            };
            if name.is_empty() {
                return Err(Error::new("cannot set or create an empty field name"));
            }
            let made = match create {
                None => None,
                Some(_) if is_list => None,
                Some(kind) if rest.is_empty() => Some(kind),
                Some(_) => Some(Kind::Map),
            };
            let at = match (entries.iter().position(|(key, _)| &*key.text == name), made) {
                (Some(at), _) => at,
                (None, None) => return Ok(()),
                (None, Some(kind)) => {
                    entries.push((Scalar::open(name), kind.empty()));
                    entries.len() - 1
                }
            };
            let field = &mut entries[at].1;
            if let (true, Some(kind)) = (field.is_null(), made.or(is_list.then_some(Kind::List))) {
                *field = kind.empty();
            }
            walk(field, rest, create, set)
        }
        Node::Scalar(_) => Err(Error::new("expected sequence or mapping node")),
    }
}

/// Sets a scalar as kyaml's `FieldSetter` does: the style that it had stays.
pub(crate) fn set_scalar(node: &mut Node, text: &str, tag: Tag) -> Result<(), Error> {
    match node {
        Node::Scalar(scalar) => {
            scalar.overwrite(Scalar::new(text, tag, scalar.style));
            Ok(())
        }
        other => Err(show::wrong_kind("ScalarNode", other)),
    }
}

/// Sets an entry of a map to a string; `shared` names the places that this entry is added to.
pub(crate) fn set_entry(node: &mut Node, key: &str, text: &str, shared: Shared) -> Result<(), Error> {
    match node {
        Node::Map(_) => {
            node.set_field(key, Scalar { shared, ..Scalar::string(text) });
            Ok(())
        }
        other if other.is_null() => Ok(()),
        other => Err(show::wrong_kind("MappingNode", other)),
    }
}
