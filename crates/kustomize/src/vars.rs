//! The field `vars`: `$(NAME)` in known fields becomes a value of another resource.

use std::collections::BTreeMap;

use crate::{
    config::FieldSpec,
    error::Error,
    fields::apply,
    id::{Gvk, ResId},
    kustomization::Var,
    node::{Node, Scalar, Style},
    path::{lookup, split_smart},
    resource::Resource,
    scalar::{Number, Tag, number},
};

/// The variables of a build, by name.
pub(crate) type Vars = BTreeMap<String, Var>;

impl Var {
    fn gvk(&self) -> Gvk {
        let object = &self.object;
        match object.api_version.split('/').collect::<Vec<_>>()[..] {
            [""] => Gvk::new(&object.group, &object.version, &object.kind),
            [version] => Gvk::new(&object.group, version, &object.kind),
            [group, version] => Gvk::new(group, version, &object.kind),
            _ => Gvk::new(&object.group, &object.version, &object.kind),
        }
    }

    fn shown(&self, defaulted: bool, raw: bool) -> String {
        let path = if defaulted && self.field.field_path.is_empty() { "metadata.name" } else { &self.field.field_path };
        let object = &self.object;
        let gvk = if raw { Gvk::new(&object.group, &object.version, &object.kind) } else { self.gvk() };
        format!("{{{} {gvk} {{{path}}}}}", self.name)
    }
}

/// Shows the entries of `vars` as kustomize does in errors.
pub(crate) fn shown(vars: &[Var]) -> String {
    let parts: Vec<String> = vars.iter().map(|var| var.shown(false, true)).collect();
    format!("[{}]", parts.join(" "))
}

/// Adds the variables of a kustomization and marks the resources that they read.
pub(crate) fn declare(vars: &mut Vars, resources: &mut [Resource], declared: &[Var]) -> Result<(), Error> {
    for var in declared {
        let gvk = var.gvk();
        let cluster_scoped = gvk.is_cluster_scoped();
        let wanted = ResId {
            gvk,
            name: var.object.name.as_str().into(),
            namespace: var.object.namespace.as_str().into(),
            cluster_scoped,
        };
        let exact = !wanted.namespace.is_empty() || cluster_scoped;
        let fits = |id: &ResId| if exact { id.same(&wanted) } else { id.same_but_namespace(&wanted) };
        let found: Vec<usize> = resources
            .iter()
            .enumerate()
            .filter(|(_, resource)| fits(&resource.id()) || resource.previous_ids().iter().any(fits))
            .map(|(place, _)| place)
            .collect();
        match found[..] {
            [] => {}
            [place] => resources[place].memory.vars.push(var.name.clone()),
            _ => {
                return Err(Error::new(format!(
                    "found {} resId matches for var {} (unable to disambiguate)",
                    found.len(),
                    var.shown(false, false)
                )));
            }
        }
    }
    declared.iter().try_for_each(|var| add(vars, var))
}

fn add(vars: &mut Vars, var: &Var) -> Result<(), Error> {
    if vars.insert(var.name.clone(), var.clone()).is_some() {
        return Err(Error::new(format!("var '{}' already encountered", var.name)));
    }
    Ok(())
}

/// Adds the variables of another part of the build.
pub(crate) fn merge(into: &mut Vars, from: &Vars) -> Result<(), Error> {
    from.values().try_for_each(|var| add(into, var))
}

/// Replaces the variables.
pub(crate) fn resolve(resources: &mut [Resource], vars: &Vars, specs: &[FieldSpec]) -> Result<(), Error> {
    if vars.is_empty() {
        return Ok(());
    }
    let mut values = BTreeMap::new();
    for (name, var) in vars {
        values.insert(name.as_str(), value(resources, var)?);
    }
    for resource in resources {
        for spec in specs {
            apply(&mut resource.node, spec, None, &mut |field| set(field, &values))?;
        }
    }
    Ok(())
}

fn value(resources: &[Resource], var: &Var) -> Result<Option<Scalar>, Error> {
    let Some(resource) = resources.iter().find(|resource| resource.memory.vars.contains(&var.name)) else {
        return Err(Error::new(format!(
            "var '{}' cannot be mapped to a field in the set of known resources",
            var.shown(true, false)
        )));
    };
    let path = if var.field.field_path.is_empty() { "metadata.name" } else { &var.field.field_path };
    let missing = || {
        Error::new(format!("field specified in var '{}' not found in corresponding resource", var.shown(true, false)))
    };
    let mut parts: Vec<Box<str>> = Vec::new();
    for part in split_smart(path) {
        // `ports[0]` is the field and the place in its list.
        match part.strip_suffix(']').and_then(|open| open.rsplit_once('[')) {
            Some((field, place)) if !place.is_empty() && place.bytes().all(|b| b.is_ascii_digit()) => {
                if !field.is_empty() {
                    parts.push(field.into());
                }
                parts.push(place.into());
            }
            _ => parts.push(part),
        }
    }
    match lookup(&resource.node, &parts) {
        Ok(Some(Node::Scalar(scalar))) => Ok(Some(settled(scalar))),
        Ok(Some(_)) => Ok(None),
        _ => Err(missing()),
    }
}

/// The value as Go has it after parsing: integers in base ten, the rest as text.
fn settled(scalar: &Scalar) -> Scalar {
    let tag = match scalar.tag {
        Tag::Int | Tag::Float | Tag::Bool => scalar.tag,
        _ => Tag::Str,
    };
    let text = match (tag, number(&scalar.text)) {
        (Tag::Int, Some(Number::Int(value))) => value.to_string().into(),
        (Tag::Bool, _) => crate::read::bool_value(&scalar.text).to_string().into(),
        _ => scalar.text.clone(),
    };
    Scalar::new(text, tag, Style::Plain)
}

type Values<'v> = BTreeMap<&'v str, Option<Scalar>>;

fn set(field: &mut Node, values: &Values) -> Result<(), Error> {
    match field {
        field if field.is_null() => Ok(()),
        Node::Scalar(scalar) => {
            if is_text(scalar) {
                *scalar = replaced(scalar, values);
            }
            Ok(())
        }
        Node::Map(entries) => {
            for (key, value) in entries {
                if !is_text(key) {
                    let (text, tag) = (&key.text, key.tag.name());
                    return Err(Error::new(format!("invalid map key: value='{text}', tag='{tag}'")));
                }
                if let Node::Scalar(scalar) = value
                    && is_text(scalar)
                {
                    *scalar = replaced(scalar, values);
                }
            }
            Ok(())
        }
        Node::List(items) => items.iter_mut().try_for_each(|item| match item {
            Node::Scalar(scalar) if is_text(scalar) => {
                *scalar = replaced(scalar, values);
                Ok(())
            }
            _ => Err(Error::new("invalid value type expect a string")),
        }),
    }
}

fn is_text(scalar: &Scalar) -> bool {
    matches!(scalar.tag, Tag::Str | Tag::Open)
}

fn replaced(scalar: &Scalar, values: &Values) -> Scalar {
    let text = &scalar.text;
    if let Some(name) = text.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'))
        && !name.contains(')')
        && let Some(Some(value)) = values.get(name)
    {
        return value.clone();
    }
    let style = if text.contains('\n') { Style::Literal } else { Style::Plain };
    Scalar::new(expand(text, values), Tag::Str, style)
}

/// Replaces `$(NAME)`; `$$` is a dollar sign, and names that nobody knows stay.
fn expand(text: &str, values: &Values) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if after.is_empty() {
            out.push('$');
            rest = after;
        } else if let Some(left) = after.strip_prefix('$') {
            out.push('$');
            rest = left;
        } else if let Some((name, left)) = after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match values.get(name) {
                Some(Some(value)) => out.push_str(&value.text),
                _ => {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
            }
            rest = left;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}
