//! The custom resource definitions, made from the types.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::{AppSpec, AppStatus, GROUP, ProjectSpec, VERSION};

/// Returns the custom resource definitions of every kind, in apply order.
pub fn crds() -> Vec<Value> {
    let columns = json!([
        {"name": "Revision", "type": "string", "jsonPath": ".status.revision"},
        {"name": "Sync", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Health", "type": "string", "jsonPath": ".status.health"},
        {"name": "Message", "type": "string", "jsonPath": ".status.message"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]);
    let app = Names { kind: "App", plural: "apps", singular: "app", short: &[] };
    let project = Names { kind: "Project", plural: "projects", singular: "project", short: &["proj"] };
    vec![
        crd(&app, &schema::<AppSpec>(), Some(&schema::<AppStatus>()), &columns),
        crd(&project, &schema::<ProjectSpec>(), None, &json!([])),
    ]
}

struct Names {
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short: &'static [&'static str],
}

fn crd(names: &Names, spec: &Value, status: Option<&Value>, columns: &Value) -> Value {
    let mut properties = json!({
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": spec,
    });
    let mut subresources = json!({});
    if let Some(status) = status {
        properties["status"] = status.clone();
        subresources = json!({"status": {}});
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{GROUP}", names.plural)},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": names.kind, "listKind": format!("{}List", names.kind),
                "plural": names.plural, "singular": names.singular, "shortNames": names.short,
                "categories": ["lockstep"],
            },
            "scope": "Namespaced",
            "versions": [{
                "name": VERSION, "served": true, "storage": true,
                "subresources": subresources,
                "additionalPrinterColumns": columns,
                "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": properties}},
            }],
        },
    })
}

/// Returns the structural schema of a type. Defaults are left out: they belong to the reader, and a default
/// written into every object would be drift after an upgrade.
fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut value = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Value::Object(root) = &mut value {
        // Everything is inlined; as a property, the word is a field of ours.
        root.remove("components");
    }
    make_structural(&mut value);
    value
}

fn make_structural(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in ["title", "default", "$schema"] {
                if map.get(key).is_some_and(|value| key == "default" || !value.is_object()) {
                    map.remove(key);
                }
            }
            if map.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                map.insert("format".into(), "int64".into());
            }
            map.values_mut().for_each(make_structural);
        }
        Value::Array(items) => items.iter_mut().for_each(make_structural),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemas_are_structural() {
        for crd in crds() {
            let text = crd.to_string();
            for word in ["$ref", "oneOf", "anyOf", "\"default\":", "\"title\":"] {
                assert!(!text.contains(word), "{word} in {text}");
            }
            assert!(text.contains("\"revision\"") || text.contains("\"sources\""));
        }
    }

    #[test]
    fn every_option_of_a_kustomization_is_in_the_schema() {
        let app = crds().into_iter().find(|crd| crd["spec"]["names"]["kind"] == "App").unwrap();
        let source = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/source/properties";
        let options = &app.pointer(source).unwrap()["kustomize"]["properties"];
        let names: Vec<&String> = options.as_object().unwrap().keys().collect();
        let written = serde_json::to_value(crate::KustomizeOptions::default()).unwrap();
        assert!(written.as_object().unwrap().keys().all(|name| names.contains(&name)), "{names:?}");
        assert!(options["components"]["type"] == "array" && options["labels"]["type"] == "object", "{options}");
    }
}
