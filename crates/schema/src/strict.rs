//! Strict decoding of built-in kinds: which fields does the type not know?

use lockstep_object::{Map, Value};
use lockstep_object::{Path, Step};

use crate::{TypeRef, Types};

/// Values nested deeper are not looked at.
const DEEPEST: usize = 500;

/// Lists the fields that the type does not know, as `unknown field "spec.foo"`, in the order of the value.
pub fn unknown_fields(value: &Value, of: &TypeRef, types: &Types) -> Vec<String> {
    let mut copy = value.clone();
    drop_unknown(&mut copy, of, types).iter().map(|path| format!("unknown field \"{path}\"")).collect()
}

/// Removes the fields that the type does not know (what decoding into Go's structs does); returns their paths.
pub fn drop_unknown(value: &mut Value, of: &TypeRef, types: &Types) -> Vec<String> {
    let mut walk = Walk { types, path: Path::root(), gone: Vec::new() };
    walk.node(value, of);
    walk.gone
}

struct Walk<'a> {
    types: &'a Types,
    path: Path,
    gone: Vec<String>,
}

impl Walk<'_> {
    fn node(&mut self, value: &mut Value, of: &TypeRef) {
        if !matches!(value, Value::Map(_) | Value::List(_)) || self.path.steps().len() > DEEPEST {
            return;
        }
        let Some(resolved) = self.types.resolve(of) else { return };
        match value {
            Value::Map(map) => {
                let Some(form) = &resolved.map else { return };
                self.drop(map, |name| form.type_of(name).is_some());
                for (name, value) in map.iter_mut() {
                    let Some(of) = form.type_of(name) else { continue };
                    self.path.push(Step::Field(name.clone()));
                    self.node(value, of);
                    self.path.pop();
                }
            }
            Value::List(items) => {
                let Some(form) = &resolved.list else { return };
                for (place, item) in items.make_mut().iter_mut().enumerate() {
                    self.path.push(Step::Index(place));
                    self.node(item, &form.item);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    fn drop(&mut self, map: &mut Map, known: impl Fn(&str) -> bool) {
        if map.keys().all(|name| known(name)) {
            return;
        }
        map.retain(|name, _| {
            if !known(name) {
                self.gone.push(self.path.field(name).to_string());
            }
            known(name)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SchemaSet;
    use lockstep_object::{Gvk, from_json};

    #[test]
    fn fields_that_the_type_does_not_know_are_named_with_their_paths() {
        let known = SchemaSet::built_in();
        let root = known.root_type(&Gvk::new("apps", "v1", "Deployment"));
        let object = from_json(
            br#"{"kind":"Deployment","spec":{"foo":1,"template":{"spec":{"containers":[{"name":"a","imag":"x"}]}}}}"#,
        );
        assert_eq!(
            unknown_fields(&object.unwrap(), &root, known.types()),
            [r#"unknown field "spec.foo""#, r#"unknown field "spec.template.spec.containers[0].imag""#]
        );
    }
}
