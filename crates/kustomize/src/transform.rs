//! The transformations that set fields: names, namespaces, labels, annotations, images and replicas.

use std::collections::{BTreeMap, HashMap};

use crate::{
    config::FieldSpec,
    error::{Error, quote},
    fields::{apply, apply_all, set_entry, set_scalar},
    id::{Gvk, ORDER_FIRST, ORDER_LAST, ResId, rank, sort_text},
    json,
    kustomization::{Replica, SortOptions},
    node::{Node, Scalar},
    path::{Kind, lookup_create},
    resource::Resource,
    scalar::Tag,
    show,
};

/// Which end of a name grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Affix {
    Prefix,
    Suffix,
}

/// Adds a prefix or suffix to names; kinds whose names mean something elsewhere are left alone.
pub(crate) fn affix(resources: &mut [Resource], text: &str, which: Affix, specs: &[FieldSpec]) -> Result<(), Error> {
    for resource in resources {
        let id = resource.original_id();
        let kept = ["CustomResourceDefinition", "Namespace"].contains(&&*id.gvk.kind)
            || *id.gvk.group == *"apiregistration.k8s.io" && *id.gvk.kind == *"APIService";
        if kept {
            continue;
        }
        for spec in specs.iter().filter(|spec| id.gvk.is_selected(&spec.gvk)) {
            if &*spec.path == "metadata/name" && !text.is_empty() {
                match which {
                    Affix::Prefix => resource.memory.prefixes.push(text.into()),
                    Affix::Suffix => resource.memory.suffixes.push(text.into()),
                }
                resource.store_previous_id();
            }
            apply(&mut resource.node, spec, Some(Kind::Scalar), &mut |field| {
                let grown = match which {
                    Affix::Prefix => format!("{text}{}", field.raw_text()),
                    Affix::Suffix => format!("{}{text}", field.raw_text()),
                };
                set_scalar(field, &grown, Tag::Open)
            })?;
        }
    }
    Ok(())
}

/// Which subjects of role bindings get the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Subjects {
    #[default]
    DefaultOnly,
    All,
    None,
}

impl Subjects {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "" | "defaultOnly" => Ok(Self::DefaultOnly),
            "allServiceAccounts" => Ok(Self::All),
            "none" => Ok(Self::None),
            other => Err(Error::new(format!(
                "invalid value {} for setRoleBindingSubjects: must be one of \"defaultOnly\", \"none\" or \
                 \"allServiceAccounts\"",
                quote(other)
            ))),
        }
    }
}

/// How a namespace is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespaceOptions {
    pub(crate) namespace: String,
    pub(crate) unset_only: bool,
    pub(crate) subjects: Subjects,
}

/// Sets the namespace of all resources that can have one; two may not become the same.
pub(crate) fn namespace(
    resources: &mut [Resource],
    options: &NamespaceOptions,
    specs: &[FieldSpec],
) -> Result<(), Error> {
    if options.namespace.is_empty() {
        return Ok(());
    }
    let key = |resource: &Resource| {
        let id = resource.id();
        let namespace = id.effective_namespace().to_owned();
        (id.gvk, id.name, namespace)
    };
    let mut counts: HashMap<(Gvk, Box<str>, String), usize> = HashMap::new();
    for resource in resources.iter() {
        *counts.entry(key(resource)).or_default() += 1;
    }
    for place in 0..resources.len() {
        let resource = &mut resources[place];
        if resource.node.is_empty() || resource.memory.from_chart {
            continue;
        }
        let before = key(resource);
        resource.store_previous_id();
        set_namespace(&mut resource.node, options, specs)?;
        let after = key(resource);
        if before != after {
            if let Some(count) = counts.get_mut(&before) {
                *count -= 1;
            }
            *counts.entry(after.clone()).or_default() += 1;
        }
        if counts.get(&after) != Some(&1) {
            let alike = resources.iter().filter(|resource| key(resource) == after);
            let shown: Vec<String> =
                alike.map(|resource| json::to_text(&resource.with_internal_annotations())).collect();
            return Err(Error::new(format!("namespace transformation produces ID conflict: [{}]", shown.join(" "))));
        }
    }
    Ok(())
}

/// Sets the namespace of one object.
pub(crate) fn set_namespace(node: &mut Node, options: &NamespaceOptions, specs: &[FieldSpec]) -> Result<(), Error> {
    let gvk = Gvk::of(node);
    let api_version = node.get("apiVersion").map_or("", Node::raw_text).to_owned();
    let mut set = |field: &mut Node| {
        if options.unset_only && !field.text().is_empty() {
            Ok(())
        } else {
            set_scalar(field, &options.namespace, Tag::Str)
        }
    };
    if !gvk.is_cluster_scoped() {
        let spec = FieldSpec::new(Gvk::default(), "metadata/namespace", true);
        apply(node, &spec, Some(Kind::Scalar), &mut set)?;
    }
    let binding = matches!(&*gvk.kind, "RoleBinding" | "ClusterRoleBinding");
    if binding && options.subjects != Subjects::None {
        subjects(node, options.subjects, &mut set)
            .map_err(|error| error.wrap("setting namespace on (cluster)role binding subjects"))?;
    }
    let wanted: Vec<FieldSpec> = specs
        .iter()
        .filter(|spec| &*spec.path != "metadata/namespace")
        .filter(|spec| &*spec.path != "metadata/name" || api_version == "v1")
        .filter(|spec| {
            let of_binding = matches!(&*spec.gvk.kind, "RoleBinding" | "ClusterRoleBinding");
            !(binding && of_binding && &*spec.path == "subjects/namespace")
        })
        .cloned()
        .collect();
    apply_all(node, &wanted, Some(Kind::Scalar), &mut set).map_err(|error| {
        if error.message().contains("expected ScalarNode") {
            error.wrap("namespace field specs must target scalar nodes")
        } else {
            error.wrap("namespace transformation failed")
        }
    })
}

fn subjects(
    node: &mut Node,
    which: Subjects,
    set: &mut dyn FnMut(&mut Node) -> Result<(), Error>,
) -> Result<(), Error> {
    match node.get_mut("subjects") {
        Some(Node::List(subjects)) => {
            let (key, value) = if which == Subjects::All { ("kind", "ServiceAccount") } else { ("name", "default") };
            for subject in
                subjects.iter_mut().filter(|subject| subject.get(key).is_some_and(|found| found.text() == value))
            {
                if let Some(field) = lookup_create(subject, &["namespace"], Kind::Scalar)? {
                    set(field)?;
                }
            }
            Ok(())
        }
        Some(other) if !other.is_null() => Err(show::wrong_kind("SequenceNode", other)),
        _ => Ok(()),
    }
}

/// Sets labels or annotations.
pub(crate) fn entries(
    resources: &mut [Resource],
    texts: &BTreeMap<String, String>,
    specs: &[FieldSpec],
) -> Result<(), Error> {
    if texts.is_empty() {
        return Ok(());
    }
    for resource in resources {
        for (key, value) in texts {
            let shared = resource.new_shared(value);
            apply_all(&mut resource.node, specs, Some(Kind::Map), &mut |field| set_entry(field, key, value, shared))?;
        }
        resource.unite_shared();
    }
    Ok(())
}

/// Sets the number of replicas of the resources of a name.
pub(crate) fn replicas(resources: &mut [Resource], rule: &Replica, specs: &[FieldSpec]) -> Result<(), Error> {
    let mut found = false;
    let name = rule.name.as_str();
    let once = |resource: &Resource| resource.memory.previous.iter().any(|previous| *previous.name == *name);
    let mut known: Vec<&mut Resource> =
        resources.iter_mut().filter(|resource| resource.name() == name || once(resource)).collect();
    for spec in specs {
        let named = |id: &ResId| *id.name == *name && id.gvk.is_selected(&spec.gvk);
        for resource in &mut known {
            if !named(&resource.id()) && !resource.previous_ids().iter().any(named) {
                continue;
            }
            found = true;
            let count = rule.count.to_string();
            apply(&mut resource.node, spec, Some(Kind::Scalar), &mut |field| set_scalar(field, &count, Tag::Int))?;
        }
    }
    if found {
        return Ok(());
    }
    let kinds: Vec<String> = specs.iter().map(|spec| spec.gvk.to_string()).collect();
    Err(Error::new(format!(
        "resource with name {} does not match a config with the following GVK [{}]",
        rule.name,
        kinds.join(" ")
    )))
}

/// Sets a field to a value, or a part of a path in it: the plugin `ValueAddTransformer`.
pub(crate) fn add_value(node: &mut Node, value: &str, path: &str, position: i64) -> Result<(), Error> {
    let parts = crate::path::split(path, '/');
    let parts: Vec<&str> = parts.iter().map(|part| &**part).collect();
    let Some(field) = lookup_create(node, &parts, Kind::Scalar)? else { return Ok(()) };
    let Node::Scalar(scalar) = &*field else { return Err(show::wrong_kind("ScalarNode", field)) };
    let text = match usize::try_from(position) {
        Ok(position) if position > 0 => insert_part(&scalar.text, position - 1, value),
        _ => value.to_owned(),
    };
    let style = scalar.style;
    *field = Node::Scalar(Scalar::new(text, Tag::Open, style));
    Ok(())
}

fn insert_part(path: &str, position: usize, part: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(position.min(parts.len()), part);
    format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
}

/// Adds the hash of their content to the names of generated resources.
pub(crate) fn hashes(resources: &mut [Resource]) -> Result<(), Error> {
    for resource in resources.iter_mut().filter(|resource| resource.memory.needs_hash) {
        let name = format!("{}-{}", resource.name(), crate::generate::hash(&resource.node)?);
        resource.store_previous_id();
        resource.set_name(&name);
    }
    Ok(())
}

/// Sorts resources as the field `sortOptions` asks; without it, in the order of the command line's `legacy`.
pub(crate) fn sort(resources: &mut Vec<Resource>, options: Option<&SortOptions>) -> Result<(), Error> {
    let legacy = options.is_none_or(|options| options.order == "legacy");
    if let Some(options) = options {
        if options.order != "fifo" && !legacy {
            return Err(Error::new("the field 'sortOptions.order' must be one of [fifo, legacy]"));
        }
        if !legacy && options.legacy.is_some() {
            return Err(Error::new(
                "the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not 'legacy'",
            ));
        }
    }
    if !legacy {
        return Ok(());
    }
    let own = options.and_then(|options| options.legacy.as_ref());
    let place = |kind: &str| match own {
        Some(own) => rank(kind, &own.first, &own.last),
        None => rank(kind, ORDER_FIRST, ORDER_LAST),
    };
    let or = |text: &'static str, part: &str| if part.is_empty() { text.to_owned() } else { part.to_owned() };
    let key = |resource: &Resource| {
        let id = resource.id();
        let name = format!("{}|{}|{}", id.gvk, or("~X", &id.namespace), or("~N", &id.name));
        (place(&id.gvk.kind), sort_text(&id.gvk), id.gvk, name)
    };
    let mut keyed: Vec<_> = std::mem::take(resources).into_iter().map(|resource| (key(&resource), resource)).collect();
    keyed.sort_by(|((a_place, a_text, a, a_name), _), ((b_place, b_text, b, b_name), _)| {
        if a == b {
            return a_name.cmp(b_name);
        }
        // Namespaces of the core group go before those of other groups.
        let namespaces =
            *a.kind == *"Namespace" && *b.kind == *"Namespace" && (a.group.is_empty() || b.group.is_empty());
        a_place.cmp(b_place).then_with(|| if namespaces { b_text.cmp(a_text) } else { a_text.cmp(b_text) })
    });
    *resources = keyed.into_iter().map(|(_, resource)| resource).collect();
    Ok(())
}
