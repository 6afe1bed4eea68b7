//! Volumes, claims and what provides them.

use lockstep_object::Value;

use super::{
    Cell::{Age, Count, Flag, Name, Text, TextOr, With},
    Kinds, Row, or, plain,
};
use crate::build::text_at;

/// The annotation that named a class before the field did.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

pub(super) const KINDS: Kinds = &[
    (
        "",
        "persistentvolumes",
        &[
            Name,
            With(|row| or(&row.at("spec.capacity.storage").map(plain).unwrap_or_default(), "0")),
            With(|row| modes(row.list("spec.accessModes")).into()),
            Text("spec.persistentVolumeReclaimPolicy"),
            With(phase),
            With(claim),
            With(class),
            TextOr("spec.volumeAttributesClassName", "<unset>"),
            Text("status.reason"),
            Age,
            TextOr("spec.volumeMode", "<unset>"),
        ],
    ),
    (
        "",
        "persistentvolumeclaims",
        &[
            Name,
            With(phase),
            Text("spec.volumeName"),
            With(|row| if_bound(row, or(&row.at("status.capacity.storage").map(plain).unwrap_or_default(), "0"))),
            With(|row| if_bound(row, modes(row.list("status.accessModes")).into())),
            With(class),
            TextOr("spec.volumeAttributesClassName", "<unset>"),
            Age,
            TextOr("spec.volumeMode", "<unset>"),
        ],
    ),
    (
        "storage.k8s.io",
        "storageclasses",
        &[
            With(class_name),
            Text("provisioner"),
            TextOr("reclaimPolicy", "Delete"),
            TextOr("volumeBindingMode", "Immediate"),
            Flag("allowVolumeExpansion", false),
            Age,
        ],
    ),
    (
        "storage.k8s.io",
        "csidrivers",
        &[
            Name,
            Flag("spec.attachRequired", true),
            Flag("spec.podInfoOnMount", false),
            Flag("spec.storageCapacity", false),
            With(audiences),
            Flag("spec.requiresRepublish", false),
            With(|row| {
                or(&row.list("spec.volumeLifecycleModes").iter().map(plain).collect::<Vec<_>>().join(","), "<none>")
            }),
            Age,
        ],
    ),
    ("storage.k8s.io", "csinodes", &[Name, Count("spec.drivers"), Age]),
    (
        "storage.k8s.io",
        "volumeattachments",
        &[
            Name,
            Text("spec.attacher"),
            Text("spec.source.persistentVolumeName"),
            Text("spec.nodeName"),
            Flag("status.attached", false),
            Age,
        ],
    ),
    ("storage.k8s.io", "volumeattributesclasses", &[Name, Text("driverName"), Age]),
];

/// Shortens access modes; each is shown once, in a fixed order.
fn modes(list: &[Value]) -> String {
    let short =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let present = short.iter().filter(|(mode, _)| list.iter().any(|one| one.as_str() == Some(mode)));
    present.map(|(_, word)| *word).collect::<Vec<_>>().join(",")
}

fn phase(row: &Row<'_>) -> Value {
    if row.is_deleted() { "Terminating".into() } else { row.text("status.phase").into() }
}

fn claim(row: &Row<'_>) -> Value {
    let Some(claim) = row.at("spec.claimRef") else { return "".into() };
    format!("{}/{}", text_at(claim, &["namespace"]), text_at(claim, &["name"])).into()
}

fn class(row: &Row<'_>) -> Value {
    row.annotation(CLASS).unwrap_or_else(|| row.text("spec.storageClassName")).into()
}

fn if_bound(row: &Row<'_>, value: Value) -> Value {
    if row.text("spec.volumeName").is_empty() { "".into() } else { value }
}

fn class_name(row: &Row<'_>) -> Value {
    let keys = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    let default = keys.iter().any(|key| row.annotation(key) == Some("true"));
    format!("{}{}", row.text("metadata.name"), if default { " (default)" } else { "" }).into()
}

fn audiences(row: &Row<'_>) -> Value {
    match row.at("spec.tokenRequests") {
        Some(_) => row.words("spec.tokenRequests", "audience").into(),
        None => "<unset>".into(),
    }
}
