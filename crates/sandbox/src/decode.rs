//! Decoding of built-in kinds as Go's structs do it: unknown fields fall away and are reported, wrong
//! types are refused in Go's words, empty optional fields vanish, required ones appear.
//!
//! The shapes come from the OpenAPI documents; what these do not say (which optional scalars are
//! pointers, and so keep an explicit zero) stands in [`PLAIN_ZERO`].

use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;
use lockstep_object::{Gvk, Key, Map, Object, Value, from_json};
use lockstep_schema::SchemaSet;

use crate::{
    build::text_at,
    catalog::Resource,
    document::{Document, Duplicate},
    quantity,
    server::Server,
};

/// What is below a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Text,
    Bool,
    Int(u8),
    Float,
    Bytes,
    Quantity,
    Time,
    MicroTime,
    IntOrString,
    Raw,
    Struct(Arc<str>),
    List(Box<Kind>),
    Map(Box<Kind>),
}

/// A field of a struct.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) kind: Kind,
    /// What stands there when the field is missing, if anything does.
    pub(crate) zero: Option<Value>,
    /// An explicit zero vanishes.
    drop_zero: bool,
}

/// A struct.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) fields: HashMap<Key, Field>,
    /// Fields that are never missing.
    always: Vec<Key>,
}

/// The shapes of the built-in kinds, made when they are first needed.
pub(crate) struct Types {
    schema: SchemaSet,
    shapes: RwLock<HashMap<Arc<str>, Arc<Shape>>>,
}

/// Numbers and booleans that are optional and no pointers: an explicit zero is not kept. By struct and field.
const PLAIN_ZERO: &[(&str, &[&str])] = &[
    ("PodSpec", &["hostNetwork", "hostPID", "hostIPC"]),
    ("Container", &["stdin", "stdinOnce", "tty"]),
    ("EphemeralContainer", &["stdin", "stdinOnce", "tty"]),
    ("ContainerPort", &["hostPort"]),
    ("Probe", &["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]),
    ("DeploymentSpec", &["minReadySeconds", "paused"]),
    ("ReplicaSetSpec", &["minReadySeconds"]),
    ("ReplicationControllerSpec", &["minReadySeconds"]),
    ("StatefulSetSpec", &["minReadySeconds"]),
    ("DaemonSetSpec", &["minReadySeconds"]),
    ("ServiceSpec", &["publishNotReadyAddresses", "healthCheckNodePort"]),
    ("ServicePort", &["nodePort"]),
    ("NodeSpec", &["unschedulable"]),
    ("VolumeMount", &["readOnly"]),
    ("ObjectMeta", &["generation"]),
    ("Volume", &[]),
    ("PriorityClass", &["globalDefault"]),
    ("Event", &["count", "deprecatedCount"]),
    ("CustomResourceDefinitionVersion", &["deprecated"]),
    ("CustomResourceColumnDefinition", &["priority"]),
    (
        "JSONSchemaProps",
        &[
            "uniqueItems",
            "exclusiveMaximum",
            "exclusiveMinimum",
            "nullable",
            "x-kubernetes-embedded-resource",
            "x-kubernetes-int-or-string",
        ],
    ),
];

/// Fields that OpenAPI calls optional and Go prints always, with what they are when empty.
const ALWAYS: &[(&str, &[&str])] = &[
    ("Role", &["rules"]),
    ("ClusterRole", &["rules"]),
    ("HorizontalPodAutoscalerStatus", &["currentMetrics", "desiredReplicas"]),
    ("Event", &["eventTime", "firstTimestamp", "lastTimestamp", "reportingComponent", "reportingInstance"]),
    ("TypedLocalObjectReference", &["apiGroup"]),
    ("TypedObjectReference", &["apiGroup"]),
    ("StatefulSetStatus", &["availableReplicas", "replicas"]),
    ("PodDisruptionBudgetStatus", &["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"]),
    ("EndpointSlice", &["endpoints", "ports"]),
    ("PodCondition", &["lastProbeTime", "lastTransitionTime"]),
    ("NodeCondition", &["lastHeartbeatTime", "lastTransitionTime"]),
    ("NamespaceCondition", &["lastTransitionTime"]),
    ("DeploymentCondition", &["lastUpdateTime", "lastTransitionTime"]),
    ("ReplicaSetCondition", &["lastTransitionTime"]),
    ("ReplicationControllerCondition", &["lastTransitionTime"]),
    ("StatefulSetCondition", &["lastTransitionTime"]),
    ("DaemonSetCondition", &["lastTransitionTime"]),
    ("JobCondition", &["lastProbeTime", "lastTransitionTime"]),
    ("PersistentVolumeClaimCondition", &["lastProbeTime", "lastTransitionTime"]),
    ("HorizontalPodAutoscalerCondition", &["lastTransitionTime"]),
    ("CustomResourceDefinitionCondition", &["lastTransitionTime"]),
    ("ContainerStateRunning", &["startedAt"]),
    ("ContainerStateTerminated", &["startedAt", "finishedAt"]),
    ("CustomResourceDefinitionStatus", &["conditions", "acceptedNames"]),
];

/// Strings that are optional pointers: an empty one is kept.
const POINTER_TEXT: &[(&str, &[&str])] = &[
    ("PersistentVolumeClaimSpec", &["storageClassName", "volumeMode", "volumeAttributesClassName"]),
    ("PersistentVolumeSpec", &["volumeMode", "volumeAttributesClassName"]),
    ("PodSpec", &["runtimeClassName", "preemptionPolicy", "hostnameOverride"]),
    ("IngressSpec", &["ingressClassName"]),
    ("ServiceSpec", &["loadBalancerClass"]),
    ("ServicePort", &["appProtocol"]),
    ("EndpointPort", &["appProtocol", "name", "protocol"]),
    ("EndpointAddress", &["nodeName"]),
    ("Endpoint", &["hostname", "nodeName", "zone"]),
    ("SecurityContext", &["procMount"]),
    ("LeaseSpec", &["holderIdentity", "strategy", "preferredHolder"]),
    ("TypedLocalObjectReference", &["apiGroup"]),
    ("TypedObjectReference", &["apiGroup", "namespace"]),
    ("GRPCAction", &["service"]),
    ("JobSpec", &["managedBy", "podReplacementPolicy", "completionMode"]),
    ("CronJobSpec", &["timeZone"]),
    ("WebhookClientConfig", &["url"]),
    ("ServiceReference", &["path"]),
    ("PodFailurePolicyOnExitCodesRequirement", &["containerName"]),
    ("CustomResourceSubresourceScale", &["labelSelectorPath"]),
    ("SELinuxOptions", &[]),
];

impl Types {
    pub(crate) fn new(schema: &SchemaSet) -> Self {
        Self { schema: schema.clone(), shapes: RwLock::default() }
    }

    /// Names the struct of a kind.
    pub(crate) fn root(&self, group: &str, version: &str, kind: &str) -> Option<Arc<str>> {
        self.schema.table()?.root_name(&Gvk::new(group, version, kind))
    }

    pub(crate) fn shape(&self, name: &Arc<str>) -> Option<Arc<Shape>> {
        if let Some(shape) = self.shapes.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Some(shape.clone());
        }
        let table = self.schema.table()?;
        let definition = from_json(table.definition(name)?.as_bytes()).ok()?;
        let shape = Arc::new(self.read_shape(name, &definition));
        self.shapes.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), shape.clone());
        Some(shape)
    }

    fn read_shape(&self, name: &str, definition: &Value) -> Shape {
        let mut shape = Shape::default();
        let struct_name = short_name(name);
        let required = crate::build::list_at(definition, &["required"]);
        let properties = definition.get("properties").and_then(Value::as_map);
        for (key, property) in properties.into_iter().flat_map(Map::iter) {
            let kind = self.kind_of(property);
            let is_required = required.iter().any(|known| known.as_str() == Some(key));
            let listed = |table: &[(&str, &[&str])]| {
                table.iter().any(|(owner, keys)| *owner == struct_name && keys.contains(&key.as_str()))
            };
            let pointer = struct_name.starts_with("Typed") && key == "apiGroup";
            let zero =
                if pointer { Some(Value::Null) } else { zero_of(&kind, property, is_required || listed(ALWAYS)) };
            let drop_zero = match kind {
                Kind::Text => zero.is_none() && !listed(POINTER_TEXT),
                Kind::Bool => listed(PLAIN_ZERO) || (key == "readOnly" && zero.is_none()),
                Kind::Int(_) => listed(PLAIN_ZERO) || (zero.is_none() && plain_status_number(struct_name, key)),
                _ => false,
            };
            if zero.is_some() {
                shape.always.push(key.clone());
            }
            shape.fields.insert(key.clone(), Field { kind, zero, drop_zero });
        }
        shape
    }

    fn kind_of(&self, property: &Value) -> Kind {
        if let Some(reference) = reference_of(property) {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return self.named_kind(name);
        }
        match text_at(property, &["type"]) {
            "string" => match text_at(property, &["format"]) {
                "byte" => Kind::Bytes,
                "int-or-string" => Kind::IntOrString,
                _ => Kind::Text,
            },
            "boolean" => Kind::Bool,
            "integer" if text_at(property, &["format"]) == "int64" => Kind::Int(64),
            "integer" => Kind::Int(32),
            "number" => Kind::Float,
            "array" => Kind::List(Box::new(property.get("items").map_or(Kind::Raw, |items| self.kind_of(items)))),
            "object" => match property.get("additionalProperties") {
                Some(items) => Kind::Map(Box::new(self.kind_of(items))),
                None => Kind::Raw,
            },
            _ => Kind::Raw,
        }
    }

    fn named_kind(&self, name: &str) -> Kind {
        match name {
            "io.k8s.apimachinery.pkg.api.resource.Quantity" => Kind::Quantity,
            "io.k8s.apimachinery.pkg.apis.meta.v1.Time" => Kind::Time,
            "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime" => Kind::MicroTime,
            "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => Kind::IntOrString,
            "io.k8s.apimachinery.pkg.runtime.RawExtension"
            | "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1"
            | "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON"
            | "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray"
            | "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool"
            | "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray" => Kind::Raw,
            _ => Kind::Struct(name.into()),
        }
    }
}

fn reference_of(property: &Value) -> Option<&str> {
    if let Some(reference) = property.get("$ref").and_then(Value::as_str) {
        return Some(reference);
    }
    property.get("allOf").and_then(Value::as_list)?.first()?.get("$ref")?.as_str()
}

/// Says what stands in a field that is missing: required fields have Go's zero, plain structs are empty.
fn zero_of(kind: &Kind, property: &Value, required: bool) -> Option<Value> {
    let default = property.get("default");
    match kind {
        Kind::Struct(_) => match default {
            Some(Value::Map(map)) if map.is_empty() => Some(Value::Map(Map::new())),
            _ => None,
        },
        Kind::Time | Kind::MicroTime => required.then_some(Value::Null),
        Kind::List(_) | Kind::Map(_) | Kind::Raw if required => Some(Value::Null),
        Kind::Text if required => Some("".into()),
        Kind::Bool if required => Some(false.into()),
        Kind::Int(_) | Kind::Float if required => Some(0.into()),
        Kind::Quantity if required => Some("0".into()),
        Kind::IntOrString if required => Some(0.into()),
        _ => None,
    }
}

fn short_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The last part of the package and the name, as Go prints a type: `v1.ObjectMeta`.
fn go_type_name(name: &str) -> String {
    let mut parts = name.rsplit('.');
    let last = parts.next().unwrap_or_default();
    parts.next().map_or_else(|| last.to_owned(), |package| format!("{package}.{last}"))
}

/// Numbers of status structs are plain but for a few.
fn plain_status_number(struct_name: &str, key: &str) -> bool {
    const POINTERS: &[&str] = &[
        "collisionCount",
        "ready",
        "terminating",
        "terminatingReplicas",
        "currentCPUUtilizationPercentage",
        "expectedPods",
        "observedGeneration!",
    ];
    (struct_name.ends_with("Status") && !POINTERS.contains(&key)) || key == "observedGeneration"
}

/// What decoding found: the value, and what strict decoding complains about.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) object: Object,
    pub(crate) complaints: Vec<String>,
}

struct Walk<'a> {
    types: &'a Types,
    duplicates: &'a [Duplicate],
    complaints: Vec<String>,
}

/// A place in the body; it is put into words only when there is something to complain about.
struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    step: Step<'p>,
}

/// The last step to a place.
enum Step<'p> {
    /// The body itself: the name of its struct.
    Root(&'p str),
    /// A field: the name of the struct, and its own.
    Field(&'p str, &'p str),
    Index(usize),
    Key(&'p str),
}

impl<'p> Place<'p> {
    fn root(struct_name: &'p str) -> Self {
        Self { parent: None, step: Step::Root(struct_name) }
    }

    fn field(&'p self, struct_name: &'p str, key: &'p str) -> Self {
        Self { parent: Some(self), step: Step::Field(struct_name, key) }
    }

    fn index(&'p self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    fn key(&'p self, key: &'p str) -> Self {
        Self { parent: Some(self), step: Step::Key(key) }
    }

    /// Prints the path with positions: `spec.containers[0].image`.
    fn path(&self) -> String {
        let before = self.parent.map(Self::path).unwrap_or_default();
        match self.step {
            Step::Root(_) => before,
            Step::Field(_, key) | Step::Key(key) => join(&before, key),
            Step::Index(index) => format!("{before}[{index}]"),
        }
    }

    /// Prints the path as Go's errors have it: names of fields only.
    fn go_path(&self) -> String {
        let before = self.parent.map(Self::go_path).unwrap_or_default();
        match self.step {
            Step::Field(_, key) => join(&before, key),
            _ => before,
        }
    }

    /// Names the struct that the last field is of.
    fn go_struct(&self) -> &'p str {
        match (&self.step, self.parent) {
            (Step::Root(name) | Step::Field(name, _), _) => short_name(name),
            (_, Some(parent)) => parent.go_struct(),
            (_, None) => "",
        }
    }

    fn mismatch(&self, value: &Value, kind: &Kind) -> String {
        let what = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Int(_) | Value::UInt(_) | Value::Float(_) if matches!(kind, Kind::Int(_)) => {
                format!("number {}", lockstep_object::to_json(value))
            }
            Value::Int(_) | Value::UInt(_) | Value::Float(_) => "number".to_owned(),
            Value::Text(_) => "string".to_owned(),
            Value::List(_) => "array".to_owned(),
            Value::Map(_) => "object".to_owned(),
        };
        format!(
            "json: cannot unmarshal {what} into Go struct field {}.{} of type {}",
            self.go_struct(),
            self.go_path(),
            go_kind(kind)
        )
    }
}

fn go_kind(kind: &Kind) -> String {
    match kind {
        Kind::Text => "string".to_owned(),
        Kind::Bool => "bool".to_owned(),
        Kind::Int(bits) => format!("int{bits}"),
        Kind::Float => "float64".to_owned(),
        Kind::Bytes => "[]uint8".to_owned(),
        Kind::Quantity => "resource.Quantity".to_owned(),
        Kind::Time | Kind::MicroTime => "string".to_owned(),
        // Go reads what is no string as a number.
        Kind::IntOrString => "int32".to_owned(),
        Kind::Raw => "interface {}".to_owned(),
        Kind::Struct(name) => go_type_name(name),
        Kind::List(item) => format!("[]{}", go_kind(item)),
        Kind::Map(item) => format!("map[string]{}", go_kind(item)),
    }
}

/// Decodes a body into the struct `root`; the error is Go's text.
pub(crate) fn decode(types: &Types, root: &Arc<str>, document: Document) -> Result<Decoded, String> {
    let mut walk = Walk { types, duplicates: &document.duplicates, complaints: Vec::new() };
    if let Some(error) = &document.yaml_error {
        walk.complaints.push(error.clone());
    }
    let Value::Map(mut map) = document.value else { return Ok(Decoded::default()) };
    walk.fill(root, &mut map, &Place::root(root))?;
    Ok(Decoded { object: Object::new(map), complaints: walk.complaints })
}

/// Brings a value of a kind into the form in which Go would print it again; wrong types are left alone.
pub(crate) fn normalize(types: &Types, root: &Arc<str>, value: Value) -> Result<Decoded, String> {
    decode(types, root, Document { value, ..Document::default() })
}

/// Adds the fields that an empty object of the kind has, as the bookmarks of the real server show.
pub(crate) fn zero_fields(server: &Server, resource: &Resource, object: Object) -> Object {
    let Some(root) = server.types.root(&resource.group, &resource.version, &resource.kind) else { return object };
    normalize(&server.types, &root, object.to_value()).map_or(object, |decoded| decoded.object)
}

/// Turns empty lists of built-in structs into null: storage keeps no difference between an empty list and none.
pub(crate) fn forget_empty_lists(types: &Types, root: &Arc<str>, map: &mut Map) {
    let Some(shape) = types.shape(root) else { return };
    for (key, value) in map.iter_mut() {
        if let Some(field) = shape.fields.get(key) {
            forget_in(types, &field.kind, value);
        }
    }
}

fn forget_in(types: &Types, kind: &Kind, value: &mut Value) {
    match (kind, &mut *value) {
        (Kind::List(_), Value::List(items)) if items.is_empty() => *value = Value::Null,
        (Kind::List(item), Value::List(items)) if matches!(**item, Kind::Struct(_)) => {
            items.make_mut().iter_mut().for_each(|entry| forget_in(types, item, entry));
        }
        (Kind::Struct(name), Value::Map(map)) => forget_empty_lists(types, name, map),
        _ => {}
    }
}

impl Walk<'_> {
    fn fill(&mut self, name: &Arc<str>, map: &mut Map, place: &Place<'_>) -> Result<(), String> {
        let Some(shape) = self.types.shape(name) else { return Ok(()) };
        let mut gone: Vec<Key> = Vec::new();
        for (position, (key, value)) in map.iter_mut().enumerate() {
            self.report_duplicates(place, position);
            let Some(field) = shape.fields.get(key) else {
                self.complaints.push(format!("unknown field {}", crate::status::go_quote(&join(&place.path(), key))));
                gone.push(key.clone());
                continue;
            };
            if value.is_null() {
                gone.push(key.clone());
                continue;
            }
            self.convert(&field.kind, value, &place.field(name, key))?;
            if vanishes(field, value) {
                gone.push(key.clone());
            }
        }
        self.report_duplicates(place, map.len());
        if !gone.is_empty() {
            map.retain(|key, _| !gone.contains(key));
        }
        for key in &shape.always {
            if map.contains_key(key) {
                continue;
            }
            let zero = shape.fields.get(key).and_then(|field| Some((field.kind.clone(), field.zero.clone()?)));
            let Some((kind, mut zero)) = zero else { continue };
            self.convert_zero(&kind, &mut zero, &place.field(name, key))?;
            map.insert(key, zero);
        }
        Ok(())
    }

    /// An empty struct has its own required fields.
    fn convert_zero(&mut self, kind: &Kind, zero: &mut Value, place: &Place<'_>) -> Result<(), String> {
        match (kind, zero) {
            (Kind::Struct(name), Value::Map(map)) => self.fill(&name.clone(), map, place),
            _ => Ok(()),
        }
    }

    fn report_duplicates(&mut self, place: &Place<'_>, after: usize) {
        if self.duplicates.is_empty() {
            return;
        }
        let parent = &place.path();
        let found = self.duplicates.iter().filter(|one| one.parent == *parent && one.after == after);
        for duplicate in found {
            let path = join(parent, &duplicate.key);
            self.complaints.push(format!("duplicate field {}", crate::status::go_quote(&path)));
        }
    }

    fn convert(&mut self, kind: &Kind, value: &mut Value, place: &Place<'_>) -> Result<(), String> {
        match (kind, &mut *value) {
            (Kind::Raw, _) => Ok(()),
            (Kind::Text, Value::Text(_)) | (Kind::Bool, Value::Bool(_)) => Ok(()),
            (Kind::Int(32), Value::Int(number)) if i32::try_from(*number).is_ok() => Ok(()),
            (Kind::Int(64), Value::Int(_)) => Ok(()),
            (Kind::Int(_), Value::Float(number)) if number.fract() == 0.0 && number.abs() < 2e9 => {
                // Go's decoder takes no 1.0 for an integer; the text has it as written.
                Err(place.mismatch(value, kind))
            }
            (Kind::Float, Value::Float(_) | Value::Int(_) | Value::UInt(_)) => Ok(()),
            (Kind::IntOrString, Value::Int(_) | Value::Text(_)) => Ok(()),
            (Kind::Bytes, Value::Text(text)) => check_base64(text),
            (Kind::Quantity, Value::Text(_) | Value::Int(_) | Value::Float(_)) => {
                let text = match &*value {
                    Value::Text(text) => text.to_string(),
                    other => lockstep_object::to_json(other),
                };
                *value = quantity::canonical(&text)?.into();
                Ok(())
            }
            (Kind::Time, Value::Text(text)) => {
                *value = crate::times::seconds(text)?.into();
                Ok(())
            }
            (Kind::MicroTime, Value::Text(text)) => {
                *value = crate::times::micros(text)?.into();
                Ok(())
            }
            (Kind::Struct(name), Value::Map(map)) => self.fill(name, map, place),
            (Kind::List(item), Value::List(items)) => {
                for (index, entry) in items.make_mut().iter_mut().enumerate() {
                    self.convert_item(item, entry, &place.index(index))?;
                }
                Ok(())
            }
            (Kind::Map(item), Value::Map(map)) => {
                for (position, (key, entry)) in map.iter_mut().enumerate() {
                    self.report_duplicates(place, position);
                    self.convert_item(item, entry, &place.key(key))?;
                    if let (Kind::Quantity, Value::Text(text)) = (&**item, &*entry) {
                        *entry = quantity::in_thousandths(text).into();
                    }
                }
                self.report_duplicates(place, map.len());
                Ok(())
            }
            _ => Err(place.mismatch(value, kind)),
        }
    }

    /// Items of lists and maps that are null have Go's zero.
    fn convert_item(&mut self, kind: &Kind, value: &mut Value, place: &Place<'_>) -> Result<(), String> {
        if value.is_null() {
            *value = match kind {
                Kind::Text => "".into(),
                Kind::Bool => false.into(),
                Kind::Int(_) | Kind::Float | Kind::IntOrString => 0.into(),
                Kind::Quantity => "0".into(),
                Kind::Struct(_) => Map::new().into(),
                _ => return Ok(()),
            };
        }
        self.convert(kind, value, place)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn vanishes(field: &Field, value: &Value) -> bool {
    match value {
        Value::Map(map) => map.is_empty() && matches!(field.kind, Kind::Map(_)) && field.zero.is_none(),
        Value::List(list) => list.is_empty() && field.zero.is_none(),
        Value::Null => matches!(field.kind, Kind::List(_)) && field.zero.is_none(),
        Value::Text(text) => {
            text.is_empty() && (field.drop_zero || (field.kind == Kind::Bytes && field.zero.is_none()))
        }
        Value::Bool(false) | Value::Int(0) => field.drop_zero,
        _ => false,
    }
}

fn check_base64(text: &str) -> Result<(), String> {
    use base64::Engine;
    match base64::engine::general_purpose::STANDARD.decode(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            let place = match error {
                base64::DecodeError::InvalidByte(place, _) | base64::DecodeError::InvalidLastSymbol(place, _) => place,
                base64::DecodeError::InvalidLength(length) => length / 4 * 4,
                base64::DecodeError::InvalidPadding => text.trim_end_matches('=').len(),
            };
            Err(format!("illegal base64 data at input byte {place}"))
        }
    }
}
