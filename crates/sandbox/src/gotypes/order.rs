//! Objects as Go prints its structs: for texts of errors that show one.

use lockstep_object::{Map, Value};

use super::{Shape, TYPES};

/// Brings the fields of an object into the order in which its Go struct is printed as JSON. What is no struct, as a
/// custom resource, is in the order of its keys.
pub(crate) fn in_go_order(api_version: &str, kind: &str, value: &mut Value) {
    match TYPES.of_kind(api_version, kind) {
        Some(place) => order(&Shape::Struct(place), value),
        None => sort(value),
    }
}

/// Sorts the keys of all maps.
pub(crate) fn sort(value: &mut Value) {
    match value {
        Value::Map(map) => {
            map.sort_keys();
            map.iter_mut().for_each(|(_, value)| sort(value));
        }
        Value::List(list) => list.make_mut().iter_mut().for_each(sort),
        _ => {}
    }
}

fn order(shape: &Shape, value: &mut Value) {
    match (shape, value) {
        (Shape::Pointer(inner), value) => order(inner, value),
        (Shape::List(inner), Value::List(items)) => items.make_mut().iter_mut().for_each(|item| order(inner, item)),
        (Shape::Map(inner), Value::Map(map)) => {
            map.sort_keys();
            map.iter_mut().for_each(|(_, value)| order(inner, value));
        }
        (Shape::Struct(place), Value::Map(map)) => {
            let mut ordered = Map::new();
            take_fields(*place, map, &mut ordered);
            // What the struct does not know is printed by nobody; it stays so that nothing is lost.
            map.sort_keys();
            for (key, value) in map.iter() {
                ordered.insert(key.clone(), value.clone());
            }
            *map = ordered;
        }
        (_, value) => sort(value),
    }
}

fn take_fields(place: usize, from: &mut Map, to: &mut Map) {
    for field in TYPES.structure(place).into_iter().flat_map(|known| &known.fields) {
        match &field.shape {
            Shape::Struct(inner) if field.inline => take_fields(*inner, from, to),
            shape => {
                if let Some(mut value) = from.remove(field.json) {
                    order(shape, &mut value);
                    to.insert(field.json, value);
                }
            }
        }
    }
}

/// Prints a struct of `core` as the server's own type of it, which is not that of the API: all fields are there, under
/// their Go names. `name` is the API's type, as `v1.PodSpec`.
pub(crate) fn internal_form(name: &str, value: &Value) -> Value {
    let Some(place) = TYPES.named(name) else { return value.clone() };
    internal_struct(place, Some(value))
}

/// The fields of an API's PodSpec that are no fields of the server's own: they are part of its security context.
const SECURITY: [&str; 5] = ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"];

fn internal_struct(place: usize, value: Option<&Value>) -> Value {
    let mut map = Map::new();
    let known = TYPES.structure(place);
    let pod = known.is_some_and(|known| known.name == "v1.PodSpec");
    for field in known.into_iter().flat_map(|known| &known.fields) {
        if pod && (SECURITY.contains(&field.json) || field.json == "serviceAccount") {
            continue;
        }
        let own = if field.inline { value } else { value.and_then(|value| value.get(field.json)) };
        match internal(&field.shape, own) {
            Value::Map(inner) if field.inline => inner.iter().for_each(|(key, value)| {
                map.insert(key.clone(), value.clone());
            }),
            made if pod && field.json == "securityContext" => {
                map.insert(field.go, with_security(value, made));
            }
            made => {
                map.insert(field.go, made);
            }
        }
    }
    Value::Map(map)
}

/// Puts what a pod shares with its host before the rest of its security context.
fn with_security(pod: Option<&Value>, context: Value) -> Value {
    let Value::Map(context) = context else { return context };
    let asked = |key: &str| pod.and_then(|pod| pod.get(key)).cloned();
    let mut map = Map::new();
    for (go, key) in [("HostNetwork", "hostNetwork"), ("HostPID", "hostPID"), ("HostIPC", "hostIPC")] {
        map.insert(go, asked(key).unwrap_or(Value::Bool(false)));
    }
    for (go, key) in [("ShareProcessNamespace", "shareProcessNamespace"), ("HostUsers", "hostUsers")] {
        map.insert(go, asked(key).unwrap_or(Value::Null));
    }
    for (key, value) in context.iter() {
        map.insert(key.clone(), value.clone());
    }
    Value::Map(map)
}

fn internal(shape: &Shape, value: Option<&Value>) -> Value {
    let value = value.filter(|value| !value.is_null());
    match (shape, value) {
        (Shape::Pointer(inner), Some(_)) => internal(inner, value),
        // Types of all groups are the same inside the server.
        (Shape::Struct(place), Some(own)) if is_shared(*place) => {
            let mut own = own.clone();
            order(shape, &mut own);
            own
        }
        (Shape::Struct(place), value) => internal_struct(*place, value),
        (Shape::List(inner), Some(Value::List(items))) => {
            Value::List(items.iter().map(|item| internal(inner, Some(item))).collect())
        }
        (Shape::Map(inner), Some(Value::Map(entries))) => {
            let mut map: Map = entries.iter().map(|(key, value)| (key.clone(), internal(inner, Some(value)))).collect();
            map.sort_keys();
            Value::Map(map)
        }
        (Shape::Text, None) => "".into(),
        (Shape::Bool, None) => Value::Bool(false),
        (Shape::Int | Shape::Float, None) => 0.into(),
        (_, Some(value)) => value.clone(),
        (_, None) => Value::Null,
    }
}

/// Tells whether a struct is one of `meta/v1`, which keeps its names in JSON.
fn is_shared(place: usize) -> bool {
    let name = TYPES.structure(place).map(|known| known.name).unwrap_or_default();
    matches!(name, "v1.LabelSelector" | "v1.LabelSelectorRequirement" | "v1.ObjectMeta" | "v1.OwnerReference")
}

#[cfg(test)]
mod tests {
    use lockstep_object::{from_json, to_json};

    use super::*;

    #[test]
    fn an_object_is_ordered_as_its_struct() {
        let mut value = from_json(br#"{"spec":{"b":1,"replicas":1},"metadata":{"uid":"u","labels":{"b":"","a":""},"name":"n"},"apiVersion":"apps/v1","kind":"Deployment"}"#).unwrap();
        in_go_order("apps/v1", "Deployment", &mut value);
        let expect = r#"{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"n","uid":"u","labels":{"a":"","b":""}},"spec":{"replicas":1,"b":1}}"#;
        assert_eq!(to_json(&value), expect);
    }

    #[test]
    fn what_a_pod_shares_with_its_host_is_in_its_security_context() {
        let spec =
            from_json(br#"{"hostPID":true,"securityContext":{"runAsUser":1},"containers":[{"name":"c"}]}"#).unwrap();
        let made = internal_form("v1.PodSpec", &spec);
        assert!(made.get("HostPID").is_none());
        assert_eq!(made.at(&["SecurityContext", "HostPID"]), Some(&Value::Bool(true)));
        assert_eq!(made.at(&["SecurityContext", "RunAsUser"]).and_then(Value::as_i64), Some(1));
    }
}
