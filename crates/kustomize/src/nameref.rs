//! Lets references follow the names that a build has changed.

use std::collections::HashMap;

use crate::{
    config::{FieldSpec, NameReference},
    context::by_previous_name,
    error::Error,
    fields::{apply_here, set_scalar},
    id::{Gvk, ResId},
    node::{Node, Scalar},
    print,
    resource::Resource,
    scalar::Tag,
};

/// Updates the references of all resources.
pub(crate) fn update(resources: &mut [Resource], references: &[NameReference]) -> Result<(), Error> {
    let ids: Vec<ResId> = resources.iter().map(Resource::id).collect();
    resources.iter().zip(&ids).try_for_each(|(resource, id)| role_namespaces(&resource.node, id).map(drop))?;
    let by_name = by_previous_name(resources);
    if by_name.is_empty() {
        return Ok(());
    }
    let by_kind = by_referrer_kind(references);
    let first_ids: Vec<ResId> = resources.iter().map(Resource::original_id).collect();
    let mut referrals: Vec<(usize, usize)> = Vec::new();
    for place in 0..resources.len() {
        let id = &first_ids[place].gvk;
        let specs = by_kind.get(&*id.kind).into_iter().chain(by_kind.get("")).flatten();
        let mut wanted: Vec<&Rule> = specs.filter(|rule| id.is_selected(&rule.spec.gvk)).collect();
        if wanted.is_empty() {
            continue;
        }
        wanted.sort_by_key(|rule| rule.order);
        let mut node = std::mem::take(&mut resources[place].node);
        // The referrer is looked at while it changes, as a resource among the others.
        let roles = role_namespaces(&node, &ids[place])?;
        let mut outcome = Ok(());
        for rule in wanted {
            let mut finder = Finder {
                resources,
                ids: &ids,
                first_ids: &first_ids,
                by_name: &by_name,
                place,
                rule,
                role: role_reference(&node, rule),
                roles: &roles,
                referrals: &mut referrals,
            };
            outcome = apply_here(&mut node, rule.spec, None, &mut |field| finder.set(field)).map_err(|error| {
                error.wrap(format!("updating name reference in '{}' field of '{}'", rule.spec.path, ids[place]))
            });
            if outcome.is_err() {
                break;
            }
        }
        resources[place].node = node;
        outcome.map_err(|error| with_details(error, resources, place))?;
    }
    for (referral, referrer) in referrals {
        resources[referral].memory.referred_by.push(ids[referrer].clone());
    }
    Ok(())
}

struct Rule<'r> {
    order: usize,
    target: &'r Gvk,
    spec: &'r FieldSpec,
}

fn by_referrer_kind(references: &[NameReference]) -> HashMap<&str, Vec<Rule<'_>>> {
    let mut by_kind: HashMap<&str, Vec<Rule>> = HashMap::new();
    let all = references.iter().flat_map(|reference| reference.referrers.iter().map(move |spec| (reference, spec)));
    for (order, (reference, spec)) in all.enumerate() {
        let rule = Rule { order, target: &reference.target, spec };
        by_kind.entry(&spec.gvk.kind).or_default().push(rule);
    }
    by_kind
}

/// The namespaces of the service accounts that a role binding names: their objects may be referred to as well.
fn role_namespaces(node: &Node, id: &ResId) -> Result<Vec<String>, Error> {
    if &*id.gvk.kind != "RoleBinding" {
        return Ok(Vec::new());
    }
    let mut namespaces = Vec::new();
    for subject in node.get("subjects").map_or(&[][..], Node::items) {
        if let (Some(namespace), Some(kind)) = (subject.get("namespace"), subject.get("kind"))
            && kind.text() == "ServiceAccount"
        {
            match namespace {
                Node::Scalar(scalar) if scalar.settled() == Tag::Str => namespaces.push(scalar.text.to_string()),
                _ => return Err(Error::new(format!("Invalid Input: namespace is blank for resource \"{id}\"\n"))),
            }
        }
    }
    Ok(namespaces)
}

/// The role that a binding names, if this is its rule.
fn role_reference(node: &Node, rule: &Rule) -> Option<Gvk> {
    if !rule.spec.path.ends_with("roleRef/name") {
        return None;
    }
    let role = node.get("roleRef")?;
    Some(Gvk::new(role.get("apiGroup")?.raw_text(), "", role.get("kind")?.raw_text()))
}

struct Finder<'f> {
    resources: &'f [Resource],
    ids: &'f [ResId],
    first_ids: &'f [ResId],
    by_name: &'f HashMap<Box<str>, Vec<usize>>,
    place: usize,
    rule: &'f Rule<'f>,
    role: Option<Gvk>,
    roles: &'f [String],
    referrals: &'f mut Vec<(usize, usize)>,
}

impl Finder<'_> {
    fn set(&mut self, field: &mut Node) -> Result<(), Error> {
        match field {
            field if field.is_null() => Ok(()),
            Node::Scalar(_) => self.set_name(field),
            Node::Map(_) => self.set_map(field),
            Node::List(items) => items.iter_mut().try_for_each(|item| match item {
                item if item.is_null() => Ok(()),
                Node::Scalar(_) => self.set_name(item),
                Node::Map(_) => self.set_map(item),
                Node::List(_) => Err(Error::new("list is expected to be either a string or a map of string")),
            }),
        }
    }

    fn set_name(&mut self, field: &mut Node) -> Result<(), Error> {
        let old = field.raw_text().to_owned();
        let candidates: Vec<usize> = self.candidates(&old, |_| true);
        let Some(found) = self.choose(candidates, false)? else { return Ok(()) };
        let name = self.ids[found].name.to_string();
        self.referrals.push((found, self.place));
        if name == old { Ok(()) } else { set_scalar(field, &name, Tag::Open) }
    }

    fn set_map(&mut self, field: &mut Node) -> Result<(), Error> {
        let Some(name) = field.get("name") else {
            return Err(Error::new("path config error; no 'name' field in node"));
        };
        let old = name.raw_text().to_owned();
        let candidates = match field.get("namespace").map(|namespace| namespace.raw_text().to_owned()) {
            None => self.candidates(&old, |_| true),
            Some(namespace) => {
                let in_first = |place: usize| self.first_ids[place].effective_namespace() == namespace;
                let known = (0..self.resources.len()).any(|place| self.in_reach(place) && in_first(place));
                if known {
                    self.candidates(&old, in_first)
                } else {
                    self.candidates(&old, |place| self.ids[place].effective_namespace() == namespace)
                }
            }
        };
        let Some(found) = self.choose(candidates, true)? else { return Ok(()) };
        let ResId { name, namespace, .. } = self.ids[found].clone();
        self.referrals.push((found, self.place));
        if *name == *old && namespace.is_empty() {
            return Ok(());
        }
        field.set_field("name", Scalar::open(&name));
        if !namespace.is_empty() {
            field.set_field("namespace", Scalar::open(&namespace));
        }
        Ok(())
    }

    /// Tells whether the referrer can refer to a resource at all.
    fn in_reach(&self, place: usize) -> bool {
        let (own, other) = (&self.ids[self.place], &self.ids[place]);
        own.cluster_scoped
            || other.cluster_scoped
            || own.effective_namespace() == other.effective_namespace()
            || self.roles.iter().any(|namespace| *namespace == *self.ids[place].namespace)
    }

    /// Returns the resources in reach that once had this name and kind.
    fn candidates(&self, name: &str, also: impl Fn(usize) -> bool) -> Vec<usize> {
        let own = &self.ids[self.place];
        let fits = |place: usize| {
            let id = &self.ids[place];
            let kind = |selector: &Gvk| self.was_selected(place, selector);
            self.in_reach(place)
                && also(place)
                && kind(self.rule.target)
                && self.role.as_ref().is_none_or(kind)
                && (own.cluster_scoped
                    || id.cluster_scoped
                    || *id.gvk.kind == *"ServiceAccount"
                    || own.effective_namespace() == id.effective_namespace())
        };
        let known = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        known.iter().copied().filter(|place| fits(*place)).collect()
    }

    fn was_selected(&self, place: usize, selector: &Gvk) -> bool {
        let now = &self.ids[place].gvk;
        let resource = &self.resources[place];
        resource.memory.previous.iter().any(|previous| {
            let then = Gvk { kind: previous.kind.clone(), group: now.group.clone(), version: now.version.clone() };
            then.is_selected(selector)
        })
    }

    /// Picks the one that is meant; prefixes and suffixes decide between several.
    fn choose(&self, mut candidates: Vec<usize>, with_namespace: bool) -> Result<Option<usize>, Error> {
        if candidates.len() > 1 {
            let referrer = &self.resources[self.place];
            candidates.retain(|place| self.resources[*place].same_affixes(referrer, true));
            if candidates.len() > 1 {
                candidates.retain(|place| self.resources[*place].same_affixes(referrer, false));
            }
        }
        let Some((&first, rest)) = candidates.split_first() else { return Ok(None) };
        let alike = |place: &usize| {
            let (a, b) = (&self.ids[first], &self.ids[*place]);
            a.name == b.name && (!with_namespace || a.namespace == b.namespace)
        };
        if rest.iter().all(alike) {
            return Ok(Some(first));
        }
        let names: Vec<String> = candidates.iter().map(|place| self.ids[*place].to_string()).collect();
        let places: Vec<String> = candidates.iter().map(usize::to_string).collect();
        Err(Error::new(format!("found multiple possible referrals: {}{DETAILS}{}", names.join(", "), places.join(","))))
    }
}

/// Divides an error from the places of the candidates, which are printed when the referrer is whole again.
const DETAILS: char = '\u{0}';

fn with_details(error: Error, resources: &[Resource], place: usize) -> Error {
    error.reword(|text| {
        let Some((text, places)) = text.split_once(DETAILS) else { return text.to_owned() };
        let shown = |resource: &Resource| print::to_text(&resource.with_internal_annotations());
        let mut out =
            format!("{text}\n\n**** Too many possible referral targets to referrer:\n{}\n", shown(&resources[place]));
        for (number, place) in places.split(',').filter_map(|place| place.parse::<usize>().ok()).enumerate() {
            if let Some(resource) = resources.get(place) {
                out.push_str(&format!("--- possible referral {number}:\n{}\n", shown(resource)));
            }
        }
        out
    })
}
