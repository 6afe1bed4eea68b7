//! The columns of built-in kinds.
//!
//! Names, types and cells follow the server's printers; a description is left empty where the server
//! repeats the field's documentation.

use jiff::Timestamp;
use lockstep_object::{Map, Value};

use crate::{
    build::{int_at, list_at, text_at},
    catalog::Resource,
    columns::{Column, Source, age_column, name_column},
    moment::{age, human},
    subresources::selector_text,
};

type Cell = fn(&Value, Timestamp) -> Value;

fn column(name: &str, kind: &str, priority: i64, cell: Cell) -> Column {
    Column::new(name, kind, priority, "", Source::With(cell))
}

/// Returns the columns of a kind that has its own.
pub(crate) fn of(resource: &Resource) -> Option<Vec<Column>> {
    let middle: Vec<Column> = match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => pods(),
        ("", "configmaps") => {
            vec![column("Data", "string", 0, |item, _| (size(item, "data") + size(item, "binaryData")).into())]
        }
        ("", "secrets") => vec![
            column("Type", "string", 0, |item, _| text_at(item, &["type"]).into()),
            column("Data", "string", 0, |item, _| size(item, "data").into()),
        ],
        ("", "namespaces") => vec![column("Status", "string", 0, |item, _| text_at(item, &["status", "phase"]).into())],
        ("", "serviceaccounts") => {
            vec![column("Secrets", "string", 0, |item, _| list_at(item, &["secrets"]).len().into())]
        }
        ("", "services") => services(),
        ("", "nodes") => nodes(),
        ("", "persistentvolumeclaims") => claims(),
        ("apps", "deployments") => deployments(),
        ("apps", "replicasets") => replica_sets(),
        ("apps", "statefulsets") => stateful_sets(),
        ("apps", "daemonsets") => daemon_sets(),
        ("batch", "jobs") => jobs(),
        ("batch", "cronjobs") => cron_jobs(),
        ("networking.k8s.io", "ingresses") => ingresses(),
        ("", "events") => return Some(events()),
        _ => return None,
    };
    // Age stands behind the columns that everybody sees and before those of `-o wide`.
    let (shown, wide): (Vec<Column>, Vec<Column>) = middle.into_iter().partition(|column| column.priority == 0);
    let mut columns = vec![name_column()];
    columns.extend(shown);
    columns.push(age_column());
    columns.extend(wide);
    Some(columns)
}

fn size(item: &Value, key: &str) -> i64 {
    let entries = item.get(key).and_then(Value::as_map).map_or(0, Map::len);
    i64::try_from(entries).unwrap_or_default()
}

fn or_none(text: String) -> Value {
    if text.is_empty() { "<none>".into() } else { text.into() }
}

fn containers(item: &Value, keys: &[&str], field: &str) -> Value {
    let words: Vec<&str> = list_at(item, keys).iter().map(|container| text_at(container, &[field])).collect();
    words.join(",").into()
}

fn status(item: &Value, key: &str) -> Value {
    int_at(item, &["status", key]).unwrap_or_default().into()
}

fn ready_of(item: &Value, wanted: i64) -> Value {
    format!("{}/{wanted}", int_at(item, &["status", "readyReplicas"]).unwrap_or_default()).into()
}

fn template_columns() -> Vec<Column> {
    vec![
        column("Containers", "string", 1, |item, _| {
            containers(item, &["spec", "template", "spec", "containers"], "name")
        }),
        column("Images", "string", 1, |item, _| containers(item, &["spec", "template", "spec", "containers"], "image")),
    ]
}

fn selector_column() -> Column {
    column("Selector", "string", 1, |item, _| or_none(selector_text(item.at(&["spec", "selector"]))))
}

fn deployments() -> Vec<Column> {
    let mut columns = vec![
        column("Ready", "string", 0, |item, _| ready_of(item, int_at(item, &["spec", "replicas"]).unwrap_or_default())),
        column("Up-to-date", "string", 0, |item, _| status(item, "updatedReplicas")),
        column("Available", "string", 0, |item, _| status(item, "availableReplicas")),
    ];
    columns.extend(template_columns());
    columns.push(selector_column());
    columns
}

fn replica_sets() -> Vec<Column> {
    let mut columns = vec![
        column("Desired", "integer", 0, |item, _| int_at(item, &["spec", "replicas"]).unwrap_or_default().into()),
        column("Current", "integer", 0, |item, _| status(item, "replicas")),
        column("Ready", "integer", 0, |item, _| status(item, "readyReplicas")),
    ];
    columns.extend(template_columns());
    columns.push(selector_column());
    columns
}

fn stateful_sets() -> Vec<Column> {
    let mut columns = vec![column("Ready", "string", 0, |item, _| {
        ready_of(item, int_at(item, &["spec", "replicas"]).unwrap_or_default())
    })];
    columns.extend(template_columns());
    columns
}

fn daemon_sets() -> Vec<Column> {
    let mut columns = vec![
        column("Desired", "integer", 0, |item, _| status(item, "desiredNumberScheduled")),
        column("Current", "integer", 0, |item, _| status(item, "currentNumberScheduled")),
        column("Ready", "integer", 0, |item, _| status(item, "numberReady")),
        column("Up-to-date", "integer", 0, |item, _| status(item, "updatedNumberScheduled")),
        column("Available", "integer", 0, |item, _| status(item, "numberAvailable")),
        column("Node Selector", "string", 0, |item, _| {
            or_none(selector_text(item.at(&["spec", "template", "spec", "nodeSelector"])))
        }),
    ];
    columns.extend(template_columns());
    columns.push(selector_column());
    columns
}

fn jobs() -> Vec<Column> {
    let mut columns = vec![
        column("Status", "string", 0, |item, _| {
            let holds = |kind: &str| {
                list_at(item, &["status", "conditions"])
                    .iter()
                    .any(|one| text_at(one, &["type"]) == kind && text_at(one, &["status"]) == "True")
            };
            let known = ["Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"];
            if item.at(&["metadata", "deletionTimestamp"]).is_some() {
                return "Terminating".into();
            }
            known.iter().find(|kind| holds(kind)).copied().unwrap_or("Running").into()
        }),
        column("Completions", "string", 0, |item, _| {
            let done = int_at(item, &["status", "succeeded"]).unwrap_or_default();
            match int_at(item, &["spec", "completions"]) {
                Some(wanted) => format!("{done}/{wanted}").into(),
                None => format!("{done}/1").into(),
            }
        }),
        column("Duration", "string", 0, |item, now| {
            let start = text_at(item, &["status", "startTime"]).parse::<Timestamp>();
            let end = text_at(item, &["status", "completionTime"]).parse::<Timestamp>().unwrap_or(now);
            start.map_or_else(|_| "".into(), |start| human(end.as_second() - start.as_second()).into())
        }),
    ];
    columns.extend(template_columns());
    columns.push(selector_column());
    columns
}

fn cron_jobs() -> Vec<Column> {
    vec![
        column("Schedule", "string", 0, |item, _| text_at(item, &["spec", "schedule"]).into()),
        column("Timezone", "string", 0, |item, _| or_none(text_at(item, &["spec", "timeZone"]).to_owned())),
        column("Suspend", "boolean", 0, |item, _| match item.at(&["spec", "suspend"]).and_then(Value::as_bool) {
            Some(true) => "True".into(),
            Some(false) => "False".into(),
            None => "<unset>".into(),
        }),
        column("Active", "integer", 0, |item, _| list_at(item, &["status", "active"]).len().into()),
        column("Last Schedule", "string", 0, |item, now| match text_at(item, &["status", "lastScheduleTime"]) {
            "" => "<none>".into(),
            time => age(time, now).into(),
        }),
    ]
}

fn pods() -> Vec<Column> {
    vec![
        column("Ready", "string", 0, |item, _| {
            let ready = list_at(item, &["status", "containerStatuses"])
                .iter()
                .filter(|one| one.get("ready").and_then(Value::as_bool) == Some(true))
                .count();
            format!("{ready}/{}", list_at(item, &["spec", "containers"]).len()).into()
        }),
        column("Status", "string", 0, |item, _| pod_status(item)),
        column("Restarts", "string", 0, |item, _| {
            let restarts =
                list_at(item, &["status", "containerStatuses"]).iter().filter_map(|one| int_at(one, &["restartCount"]));
            restarts.sum::<i64>().to_string().into()
        }),
        column("IP", "string", 1, |item, _| or_none(text_at(item, &["status", "podIP"]).to_owned())),
        column("Node", "string", 1, |item, _| or_none(text_at(item, &["spec", "nodeName"]).to_owned())),
        column("Nominated Node", "string", 1, |item, _| {
            or_none(text_at(item, &["status", "nominatedNodeName"]).to_owned())
        }),
        column("Readiness Gates", "string", 1, |_, _| "<none>".into()),
    ]
}

fn pod_status(item: &Value) -> Value {
    let mut reason = text_at(item, &["status", "phase"]).to_owned();
    for container in list_at(item, &["status", "containerStatuses"]) {
        for state in ["waiting", "terminated"] {
            let found = text_at(container, &["state", state, "reason"]);
            if !found.is_empty() {
                reason = found.to_owned();
            }
        }
    }
    if item.at(&["metadata", "deletionTimestamp"]).is_some() {
        reason = "Terminating".to_owned();
    }
    reason.into()
}

fn services() -> Vec<Column> {
    vec![
        column("Type", "string", 0, |item, _| text_at(item, &["spec", "type"]).into()),
        column("Cluster-IP", "string", 0, |item, _| or_none(text_at(item, &["spec", "clusterIP"]).to_owned())),
        column("External-IP", "string", 0, |item, _| {
            let addresses: Vec<&str> = list_at(item, &["status", "loadBalancer", "ingress"])
                .iter()
                .map(|one| {
                    Some(text_at(one, &["ip"])).filter(|ip| !ip.is_empty()).unwrap_or(text_at(one, &["hostname"]))
                })
                .collect();
            match (text_at(item, &["spec", "type"]), addresses.is_empty()) {
                ("ExternalName", _) => text_at(item, &["spec", "externalName"]).into(),
                ("LoadBalancer", true) => "<pending>".into(),
                ("LoadBalancer", false) => addresses.join(",").into(),
                _ => "<none>".into(),
            }
        }),
        column("Port(s)", "string", 0, |item, _| {
            let ports: Vec<String> = list_at(item, &["spec", "ports"])
                .iter()
                .map(|port| {
                    let (number, protocol) =
                        (int_at(port, &["port"]).unwrap_or_default(), text_at(port, &["protocol"]));
                    match int_at(port, &["nodePort"]).filter(|node| *node > 0) {
                        Some(node) => format!("{number}:{node}/{protocol}"),
                        None => format!("{number}/{protocol}"),
                    }
                })
                .collect();
            or_none(ports.join(","))
        }),
        column("Selector", "string", 1, |item, _| or_none(selector_text(item.at(&["spec", "selector"])))),
    ]
}

fn nodes() -> Vec<Column> {
    vec![
        column("Status", "string", 0, |item, _| {
            let ready = list_at(item, &["status", "conditions"])
                .iter()
                .any(|one| text_at(one, &["type"]) == "Ready" && text_at(one, &["status"]) == "True");
            if ready { "Ready".into() } else { "NotReady".into() }
        }),
        column("Roles", "string", 0, |_, _| "<none>".into()),
        column("Version", "string", 0, |item, _| text_at(item, &["status", "nodeInfo", "kubeletVersion"]).into()),
    ]
}

fn claims() -> Vec<Column> {
    vec![
        column("Status", "string", 0, |item, _| text_at(item, &["status", "phase"]).into()),
        column("Volume", "string", 0, |item, _| text_at(item, &["spec", "volumeName"]).into()),
        column("Capacity", "string", 0, |item, _| text_at(item, &["status", "capacity", "storage"]).into()),
        column("Access Modes", "string", 0, |item, _| {
            let short = |mode: &Value| match mode.as_str() {
                Some("ReadWriteOnce") => "RWO",
                Some("ReadOnlyMany") => "ROX",
                Some("ReadWriteMany") => "RWX",
                _ => "RWOP",
            };
            list_at(item, &["status", "accessModes"]).iter().map(short).collect::<Vec<_>>().join(",").into()
        }),
        column("StorageClass", "string", 0, |item, _| text_at(item, &["spec", "storageClassName"]).into()),
        column("VolumeAttributesClass", "string", 0, |_, _| "<unset>".into()),
        column("VolumeMode", "string", 1, |item, _| text_at(item, &["spec", "volumeMode"]).into()),
    ]
}

fn ingresses() -> Vec<Column> {
    vec![
        column("Class", "string", 0, |item, _| or_none(text_at(item, &["spec", "ingressClassName"]).to_owned())),
        column("Hosts", "string", 0, |item, _| {
            let hosts: Vec<&str> = list_at(item, &["spec", "rules"])
                .iter()
                .map(|rule| text_at(rule, &["host"]))
                .filter(|host| !host.is_empty())
                .collect();
            if hosts.is_empty() { "*".into() } else { hosts.join(",").into() }
        }),
        column("Address", "string", 0, |item, _| {
            let found: Vec<&str> =
                list_at(item, &["status", "loadBalancer", "ingress"]).iter().map(|one| text_at(one, &["ip"])).collect();
            found.join(",").into()
        }),
        column("Ports", "string", 0, |item, _| {
            if list_at(item, &["spec", "tls"]).is_empty() { "80".into() } else { "80, 443".into() }
        }),
    ]
}

fn events() -> Vec<Column> {
    let seen = |item: &Value, now: Timestamp| match text_at(item, &["lastTimestamp"]) {
        "" => age(text_at(item, &["metadata", "creationTimestamp"]), now).into(),
        time => age(time, now).into(),
    };
    vec![
        column("Last Seen", "string", 0, seen),
        column("Type", "string", 0, |item, _| text_at(item, &["type"]).into()),
        column("Reason", "string", 0, |item, _| text_at(item, &["reason"]).into()),
        column("Object", "string", 0, |item, _| {
            let kind = text_at(item, &["involvedObject", "kind"]).to_lowercase();
            format!("{kind}/{}", text_at(item, &["involvedObject", "name"])).into()
        }),
        column("Message", "string", 0, |item, _| text_at(item, &["message"]).trim().into()),
        Column { priority: 1, ..name_column() },
    ]
}
