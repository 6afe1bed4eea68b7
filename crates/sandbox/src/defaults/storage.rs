//! Volumes, their claims and drivers.

use lockstep_object::{Map, Value};

use super::{each, inside, put};

pub(super) fn volume(volume: &mut Map) {
    for (key, mode) in [
        ("secret", "defaultMode"),
        ("configMap", "defaultMode"),
        ("downwardAPI", "defaultMode"),
        ("projected", "defaultMode"),
    ] {
        inside(volume, key, |source| put(source, mode, 420));
    }
    inside(volume, "downwardAPI", |source| {
        each(source, "items", |item| inside(item, "fieldRef", |field| put(field, "apiVersion", "v1")))
    });
    inside(volume, "projected", |source| {
        each(source, "sources", |one| {
            inside(one, "downwardAPI", |api| {
                each(api, "items", |item| inside(item, "fieldRef", |field| put(field, "apiVersion", "v1")))
            });
            inside(one, "serviceAccountToken", |token| put(token, "expirationSeconds", 3600));
        });
    });
    inside(volume, "hostPath", |source| put(source, "type", ""));
    inside(volume, "iscsi", |source| put(source, "iscsiInterface", "default"));
    inside(volume, "rbd", |source| {
        put(source, "pool", "rbd");
        put(source, "user", "admin");
        put(source, "keyring", "/etc/ceph/keyring");
    });
    inside(volume, "azureDisk", |source| {
        put(source, "cachingMode", "ReadWrite");
        put(source, "kind", "Shared");
        put(source, "fsType", "ext4");
        put(source, "readOnly", false);
    });
    inside(volume, "scaleIO", |source| {
        put(source, "storageMode", "ThinProvisioned");
        put(source, "fsType", "xfs");
    });
    inside(volume, "ephemeral", |source| {
        inside(source, "volumeClaimTemplate", |claim| {
            let spec = claim.map_entry("spec");
            put(spec, "volumeMode", "Filesystem");
        })
    });
    let named = volume.keys().any(|key| key != "name");
    if !named {
        volume.insert("emptyDir", Map::new());
    }
}

pub(super) fn claim(root: &mut Map) {
    put(root.map_entry("status"), "phase", "Pending");
    let spec = root.map_entry("spec");
    put(spec, "volumeMode", "Filesystem");
    data_source(spec);
}

/// The two references of a claim to its data are one.
fn data_source(spec: &mut Map) {
    let named = |map: &Map, key: &str| map.get(key).filter(|source| source.as_map().is_some()).cloned();
    if let (Some(mut source), None) = (named(spec, "dataSource"), named(spec, "dataSourceRef")) {
        if let Some(source) = source.as_map_mut() {
            source.entry("apiGroup", || Value::Null);
        }
        spec.insert("dataSource", source.clone());
        spec.insert("dataSourceRef", source);
    }
}

pub(super) fn volume_defaults(root: &mut Map) {
    put(root.map_entry("status"), "phase", "Pending");
    let spec = root.map_entry("spec");
    put(spec, "persistentVolumeReclaimPolicy", "Retain");
    put(spec, "volumeMode", "Filesystem");
    inside(spec, "hostPath", |source| put(source, "type", ""));
    inside(spec, "iscsi", |source| put(source, "iscsiInterface", "default"));
    inside(spec, "rbd", |source| {
        put(source, "pool", "rbd");
        put(source, "user", "admin");
        put(source, "keyring", "/etc/ceph/keyring");
    });
    inside(spec, "azureDisk", |source| {
        put(source, "cachingMode", "ReadWrite");
        put(source, "kind", "Shared");
        put(source, "fsType", "ext4");
        put(source, "readOnly", false);
    });
    inside(spec, "scaleIO", |source| {
        put(source, "storageMode", "ThinProvisioned");
        put(source, "fsType", "xfs");
    });
}

pub(super) fn csi_driver(spec: &mut Map) {
    put(spec, "attachRequired", true);
    put(spec, "podInfoOnMount", false);
    put(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    put(spec, "storageCapacity", false);
    put(spec, "volumeLifecycleModes", crate::build::texts(["Persistent"]));
    put(spec, "requiresRepublish", false);
    put(spec, "seLinuxMount", false);
}
