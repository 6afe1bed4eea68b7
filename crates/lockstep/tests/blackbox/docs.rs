//! The documentation says what works: its YAML parses, and every App and Project in it has only fields that exist.

use std::path::Path;

use lockstep_object::{Object, Value, yaml};

fn snippets(text: &str) -> impl Iterator<Item = &str> {
    text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap())
}

/// Names the fields that the schema does not know.
fn unknown(schema: &serde_json::Value, value: &serde_json::Value, path: &str, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, field) in fields {
                let place = format!("{path}.{name}");
                match (&schema["properties"][name], &schema["additionalProperties"]) {
                    (known @ serde_json::Value::Object(_), _) => unknown(known, field, &place, found),
                    (_, serde_json::Value::Object(_)) => {}
                    _ => found.push(place),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| unknown(&schema["items"], item, path, found)),
        _ => {}
    }
}

#[test]
fn every_snippet_parses_and_has_only_fields_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let crds = lockstep_api::crds();
    let mut seen = 0;
    for file in ["sync.md"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        for snippet in snippets(&text) {
            let object = Object::try_from(yaml::parse(snippet).unwrap_or_else(|e| panic!("{file}: {e}\n{snippet}")));
            let object = object.unwrap_or_else(|error| panic!("{file}: {error}\n{snippet}"));
            let crd = crds.iter().find(|crd| crd["spec"]["names"]["kind"] == *object.kind());
            if let Some(crd) = crd {
                let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
                let spec = serde_json::to_value(object.at(&["spec"]).unwrap_or(&Value::Null)).unwrap();
                let mut found = Vec::new();
                unknown(schema, &spec, "spec", &mut found);
                assert!(found.is_empty(), "{file}: {found:?} in\n{snippet}");
                let readable = match object.kind() {
                    "App" => serde_json::from_value::<lockstep_api::AppSpec>(spec).is_ok(),
                    _ => serde_json::from_value::<lockstep_api::ProjectSpec>(spec).is_ok(),
                };
                assert!(readable, "{snippet}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen} snippets were found");
}
