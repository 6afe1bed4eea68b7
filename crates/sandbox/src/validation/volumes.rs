//! Volumes of pods.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    claims, env,
    field::{Causes, Field},
    paths,
};

/// The sources of volumes in the order in which the server looks at them.
const SOURCES: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];

/// What must stand in simple sources.
const NEEDED: &[(&str, &[&str])] = &[
    ("gitRepo", &["repository"]),
    ("gcePersistentDisk", &["pdName"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("glusterfs", &["endpoints", "path"]),
    ("persistentVolumeClaim", &["claimName"]),
    ("rbd", &["monitors", "image"]),
    ("cinder", &["volumeID"]),
    ("cephfs", &["monitors"]),
    ("flexVolume", &["driver"]),
    ("vsphereVolume", &["volumePath"]),
    ("azureFile", &["secretName", "shareName"]),
    ("csi", &["driver"]),
];

/// Checks volumes; returns the valid ones by name.
pub(crate) fn check<'a>(list: &Field<'a>, out: &mut Causes) -> BTreeMap<String, Field<'a>> {
    check_fields(list.items(), out)
}

/// Checks volumes that come from elsewhere than a list.
pub(crate) fn check_fields<'a>(volumes: Vec<Field<'a>>, out: &mut Causes) -> BTreeMap<String, Field<'a>> {
    let mut known = BTreeMap::new();
    for volume in volumes {
        let mut found = Vec::new();
        source(&volume, &mut found);
        let name = volume.at("name");
        if name.text().is_empty() {
            found.push(name.required(""));
        } else {
            name.label(&mut found);
        }
        if known.contains_key(name.text()) {
            found.push(name.duplicate());
        }
        if found.is_empty() {
            known.insert(name.text().to_owned(), volume);
        } else {
            out.append(&mut found);
        }
    }
    known
}

fn source(volume: &Field<'_>, out: &mut Causes) {
    let given: Vec<&str> = SOURCES.into_iter().filter(|kind| volume.at(kind).is_set()).collect();
    for (place, kind) in given.iter().enumerate() {
        if place == 0 {
            one(&volume.at(kind), kind, out);
            continue;
        }
        // The server misspells two of its fields.
        let name = match *kind {
            "downwardAPI" => "downwarAPI",
            "cephfs" => "cephFS",
            other => other,
        };
        out.push(volume.at(name).forbidden("may not specify more than 1 volume type"));
    }
    if given.is_empty() {
        out.push(volume.required("must specify a volume type"));
    }
}

fn one(source: &Field<'_>, kind: &str, out: &mut Causes) {
    for (_, keys) in NEEDED.iter().filter(|(known, _)| *known == kind) {
        keys.iter().for_each(|key| source.at(key).needed(out));
    }
    match kind {
        "emptyDir" => {
            let limit = source.at("sizeLimit");
            if limit.text().starts_with('-') {
                out.push(limit.forbidden("SizeLimit field must be a valid resource quantity"));
            }
        }
        "hostPath" => host_path(source, out),
        "secret" => {
            source.at("secretName").needed(out);
            keyed_files(source, out);
        }
        "configMap" => {
            source.at("name").needed(out);
            keyed_files(source, out);
        }
        "nfs" => nfs(source, out),
        "downwardAPI" => {
            paths::mode(&source.at("defaultMode"), out);
            for file in source.at("items").items() {
                downward_file(&file, out);
            }
        }
        "projected" => projected(source, out),
        "csi" => {
            let secret = source.at("nodePublishSecretRef");
            if secret.is_set() {
                secret.at("name").needed(out);
            }
        }
        "ephemeral" => {
            let template = source.at("volumeClaimTemplate");
            if template.is_set() {
                claims::spec(&template.at("spec"), out);
            } else {
                out.push(template.required(""));
            }
        }
        "image" => source.at("pullPolicy").one_of_if_set(&["Always", "IfNotPresent", "Never"], out),
        _ => {}
    }
}

/// Checks a path of the node.
pub(crate) fn host_path(source: &Field<'_>, out: &mut Causes) {
    const KINDS: [&str; 8] =
        ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    let path = source.at("path");
    if path.text().is_empty() {
        out.push(path.required(""));
        return;
    }
    paths::no_steps_back(&path, out);
    source.at("type").one_of_if_set(&KINDS, out);
}

/// Checks a share of NFS.
pub(crate) fn nfs(source: &Field<'_>, out: &mut Causes) {
    source.at("server").needed(out);
    let path = source.at("path");
    path.needed(out);
    if !path.text().starts_with('/') {
        out.push(path.invalid_as(&crate::status::go_quote(path.text()), "must be an absolute path"));
    }
}

fn keyed_files(source: &Field<'_>, out: &mut Causes) {
    paths::mode(&source.at("defaultMode"), out);
    for item in source.at("items").items() {
        paths::key_to_path(&item, out);
    }
}

fn downward_file(file: &Field<'_>, out: &mut Causes) {
    file.at("path").needed(out);
    paths::local(&file.at("path"), out);
    let (field, resource) = (file.at("fieldRef"), file.at("resourceFieldRef"));
    if field.is_set() {
        env::object_field(&field, &env::VOLUME_FIELDS, out);
        if resource.is_set() {
            let text = "fieldRef and resourceFieldRef can not be specified simultaneously";
            out.push(file.invalid_as("\"resource\"", text));
        }
    } else if resource.is_set() {
        env::resource_field(&resource, true, out);
    } else {
        out.push(file.required("one of fieldRef and resourceFieldRef is required"));
    }
    paths::mode(&file.at("mode"), out);
}

fn projected(source: &Field<'_>, out: &mut Causes) {
    const KINDS: [&str; 6] =
        ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate"];
    paths::mode(&source.at("defaultMode"), out);
    let mut taken = BTreeSet::new();
    for item in source.at("sources").items() {
        let given: Vec<&str> = KINDS.into_iter().filter(|kind| item.at(kind).is_set()).collect();
        for kind in &given {
            let part = item.at(kind);
            match *kind {
                "secret" | "configMap" => {
                    part.at("name").needed(out);
                    for file in part.at("items").items() {
                        paths::key_to_path(&file, out);
                        let path = file.at("path").text();
                        if !path.is_empty() && !taken.insert(path) {
                            let name = crate::status::go_quote(part.at("name").text());
                            out.push(source.invalid_as(&name, "conflicting duplicate paths"));
                        }
                    }
                }
                "downwardAPI" => {
                    for file in part.at("items").items() {
                        downward_file(&Field { path: part.path.clone(), ..file.clone() }, out);
                        let path = file.at("path").text();
                        if !path.is_empty() && !taken.insert(path) {
                            let shown = crate::status::go_quote(path);
                            out.push(source.invalid_as(&shown, "conflicting duplicate paths"));
                        }
                    }
                }
                "serviceAccountToken" => token(source, &part, out),
                _ => {}
            }
        }
        if given.len() > 1 {
            out.push(item.forbidden("may not specify more than 1 volume type per source"));
        }
    }
}

fn token(source: &Field<'_>, part: &Field<'_>, out: &mut Causes) {
    let seconds = part.at("expirationSeconds");
    if seconds.int().is_some_and(|seconds| seconds < 600) {
        out.push(seconds.invalid("may not specify a duration less than 10 minutes"));
    }
    if seconds.int().is_some_and(|seconds| seconds > 1 << 32) {
        out.push(seconds.invalid("may not specify a duration larger than 2^32 seconds"));
    }
    let path = part.at("path").named(format!("{}.path", source.path));
    if path.text().is_empty() {
        out.push(path.required(""));
    } else {
        paths::local(&path, out);
    }
}
