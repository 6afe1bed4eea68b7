//! Volume claims, volumes and storage classes.

use lockstep_object::{Map, Value};

use crate::{gofmt, names, quantity::nanos, status::go_quote};

use super::{
    affinity,
    field::{Causes, Field, Subject},
    paths, resources, selector, volumes,
};

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];
/// The sources of persistent volumes in the order in which the server looks at them.
const SOURCES: [&str; 22] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];

fn access_modes(modes: &Field<'_>, out: &mut Causes) {
    for mode in modes.items() {
        if !MODES.contains(&mode.text()) {
            out.push(mode.named(modes.path.clone()).unsupported(&MODES));
        }
    }
    let texts = modes.texts();
    let other = texts.iter().any(|mode| *mode != "ReadWriteOncePod" && MODES.contains(mode));
    if texts.contains(&"ReadWriteOncePod") && other {
        out.push(modes.forbidden("may not use ReadWriteOncePod with other access modes"));
    }
}

/// Checks what a claim asks for.
pub(crate) fn spec(spec: &Field<'_>, out: &mut Causes) {
    let modes = spec.at("accessModes");
    if modes.is_empty() {
        out.push(modes.required("at least 1 access mode is required"));
    }
    selector::check(&spec.at("selector"), out);
    access_modes(&modes, out);
    let resources_field = spec.at("resources");
    let wanted = resources_field.at("requests").at("storage").named(format!("{}[storage]", resources_field.path));
    if !wanted.is_set() {
        out.push(wanted.required(""));
    } else if resources::positive_amount(&wanted, out) {
        resources::amount(&wanted, "storage", out);
    }
    for key in ["storageClassName", "volumeAttributesClassName"] {
        let class = spec.at(key);
        if key == "volumeAttributesClassName" {
            spec.at("volumeMode").one_of_if_set(&VOLUME_MODES, out);
            data_source(spec, out);
        }
        if !class.text().is_empty() {
            class.subdomain(out);
        }
    }
}

fn data_source(spec: &Field<'_>, out: &mut Causes) {
    for key in ["dataSource", "dataSourceRef"] {
        let source = spec.at(key);
        if !source.is_set() {
            continue;
        }
        source.at("name").needed(out);
        source.at("kind").needed(out);
        let (group, kind) = (source.at("apiGroup"), source.at("kind"));
        if group.text().is_empty() && kind.text() != "PersistentVolumeClaim" {
            let text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            out.push(source.invalid_as(&go_quote(kind.text()), text));
        }
        if !group.text().is_empty() {
            group.subdomain(out);
        }
    }
}

/// Checks a PersistentVolumeClaim.
pub(crate) fn claim(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let field = Field::of(new, "spec");
    spec(&field, out);
    let Some(old) = old else { return };
    let before = Field::of(old, "spec");
    let bound = new.str_at(&["status", "phase"]) == "Bound";
    if fixed(&before, &field, bound) != fixed(&before, &before, bound) {
        let form = |spec: &Value| crate::gotypes::internal_form("v1.PersistentVolumeClaimSpec", spec);
        let difference = gofmt::difference(&form(before.value), &form(field.value));
        let text =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        out.push(field.forbidden(&format!("{text}\n{difference}")));
    }
    let amount = |spec: &Field<'_>| nanos(spec.down(&["resources", "requests", "storage"]).text());
    let capacity = nanos(Field::of(old, "status").down(&["capacity", "storage"]).text());
    if amount(&field) < amount(&before) && amount(&field) <= capacity {
        let storage = field.down(&["resources", "requests", "storage"]);
        out.push(storage.forbidden("field can not be less than status.capacity"));
    }
    field.at("volumeMode").named("volumeMode".to_owned()).immutable(&before.at("volumeMode"), out);
}

/// What of a claim may not change; what may is taken from before.
fn fixed(old: &Field<'_>, new: &Field<'_>, bound: bool) -> Map {
    let mut map = new.value.as_map().cloned().unwrap_or_default();
    if old.at("volumeName").text().is_empty() {
        map.remove("volumeName");
    }
    if bound {
        map.remove("resources");
        map.remove("volumeAttributesClassName");
    }
    map
}

/// Checks a PersistentVolume.
pub(crate) fn volume(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    let modes = spec.at("accessModes");
    if modes.is_empty() {
        out.push(modes.required(""));
    }
    access_modes(&modes, out);
    capacity(&spec.at("capacity"), out);
    spec.at("persistentVolumeReclaimPolicy").one_of_if_set(&["Delete", "Recycle", "Retain"], out);
    let required = spec.down(&["nodeAffinity", "required"]);
    if spec.at("nodeAffinity").is_set() {
        if required.is_set() {
            affinity::node_selector(&required, out);
        } else {
            out.push(required.required("must specify required node constraints"));
        }
    }
    source(&spec, out);
    let class = spec.at("storageClassName");
    if !class.text().is_empty() {
        class.subdomain(out);
    }
    spec.at("volumeMode").one_of_if_set(&VOLUME_MODES, out);
    if let Some(old) = old {
        let before = Field::of(old, "spec");
        let changed = SOURCES.iter().any(|kind| before.at(kind).value != spec.at(kind).value);
        if changed {
            let pick = |spec: &Field<'_>| -> Map {
                SOURCES
                    .iter()
                    .map(|kind| (lockstep_object::Key::new(kind), spec.at(kind).value.clone()))
                    .filter(|(_, value)| !value.is_null())
                    .collect()
            };
            let difference = gofmt::difference(&Value::Map(pick(&before)), &Value::Map(pick(&spec)));
            let place = spec.at("persistentvolumesource");
            out.push(
                place.forbidden(&format!("spec.persistentvolumesource is immutable after creation\n{difference}")),
            );
        }
        spec.at("volumeMode").named("volumeMode".to_owned()).immutable(&before.at("volumeMode"), out);
    }
}

fn capacity(capacity: &Field<'_>, out: &mut Causes) {
    if capacity.is_empty() {
        out.push(capacity.required(""));
    }
    let entries = capacity.entries();
    if !entries.iter().any(|(name, _)| *name == "storage") || entries.len() > 1 {
        out.push(capacity.unsupported_as(&gofmt::bad_value(capacity.value), &["storage"]));
    }
    for (_, amount) in &entries {
        resources::positive_amount(amount, out);
    }
}

fn source(spec: &Field<'_>, out: &mut Causes) {
    let given: Vec<&str> = SOURCES.into_iter().filter(|kind| spec.at(kind).is_set()).collect();
    for (place, kind) in given.iter().enumerate() {
        let source = spec.at(kind);
        if place > 0 {
            let name = if *kind == "cephfs" { "cephFS" } else { kind };
            out.push(spec.at(name).forbidden("may not specify more than 1 volume type"));
            continue;
        }
        match *kind {
            "hostPath" => volumes::host_path(&source, out),
            "nfs" => volumes::nfs(&source, out),
            "csi" => {
                source.at("driver").needed(out);
                source.at("volumeHandle").needed(out);
            }
            "local" => {
                let path = source.at("path");
                path.needed(out);
                paths::no_steps_back(&path, out);
                if !spec.at("nodeAffinity").is_set() {
                    out.push(spec.at("nodeAffinity").required("Local volume requires node affinity"));
                }
            }
            _ => {}
        }
    }
    if given.is_empty() {
        out.push(spec.required("must specify a volume type"));
    }
}

/// Checks a StorageClass.
pub(crate) fn class(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    if let Some(old) = old {
        for key in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
            Field::of(new, key).immutable(&Field::of(old, key), out);
        }
        return;
    }
    let provisioner = Field::of(new, "provisioner");
    if provisioner.text().is_empty() {
        out.push(provisioner.required(""));
    } else {
        let lower = provisioner.text().to_lowercase();
        let problems = names::label_key(&lower);
        out.extend(problems.iter().map(|problem| provisioner.invalid_as(&go_quote(&lower), problem)));
    }
    for (key, _) in Field::of(new, "parameters").entries() {
        if key.is_empty() {
            out.push(Field::of(new, "parameters").invalid_as("\"\"", "field can not be empty."));
        }
    }
    Field::of(new, "reclaimPolicy").one_of_if_set(&["Delete", "Retain"], out);
    Field::of(new, "volumeBindingMode").one_of_if_set(&["Immediate", "WaitForFirstConsumer"], out);
}
