//! What a live object keeps although it is desired otherwise.

use lockstep_object::{Object, Step, Value, to_json};

use crate::{
    compare::{Change, Mode, Options, compare},
    ignore::Ignore,
    owned::authors,
};

/// Returns the desired object with what the rules leave out as the live object has it.
///
/// A field that another manager owns is left out: applying the rest does not touch it. One that only `manager`
/// owns is sent as it is, for leaving it out would remove it (which is how `replicas` becomes 1 when a
/// HorizontalPodAutoscaler has not written yet).
pub fn respected(desired: &Object, live: &Object, manager: &str, ignore: &[Ignore]) -> Object {
    if ignore.is_empty() {
        return desired.clone();
    }
    let mut after = desired.root().clone();
    let mut before = live.root().clone();
    for rule in ignore {
        rule.apply(&mut after, &mut before, live);
    }
    let stripped = Object::new(after);
    let removals = |ignore: &[Ignore]| -> Vec<Change> {
        let options = Options { mode: Mode::Desired, ignore, manager: Some(manager), lists: None };
        compare(&stripped, live, &options).into_iter().filter(|change| change.after.is_none()).collect()
    };
    let wanted = removals(ignore);
    let mut result = stripped.to_value();
    for change in removals(&[]) {
        let really_removed = wanted.iter().any(|other| other.path == change.path);
        let owners = authors(live, &change.path);
        let ours_alone = owners.iter().all(|author| author.manager == manager);
        if let (false, true, Some(value)) = (really_removed, ours_alone, change.path.find(&live.to_value())) {
            put(&mut result, change.path.steps(), value.clone());
        }
    }
    Object::try_from(result).unwrap_or(stripped)
}

/// Puts a value at a place; a list item that is not there is added with its keys.
fn put(into: &mut Value, steps: &[Step], value: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *into = value;
        return;
    };
    match step {
        Step::Field(name) => {
            if !matches!(into, Value::Map(_)) {
                *into = Value::Map(lockstep_object::Map::new());
            }
            if let Value::Map(map) = into {
                put(map.entry(name.clone(), || Value::Null), rest, value);
            }
        }
        Step::Item(keys) => {
            if !matches!(into, Value::List(_)) {
                *into = Value::from(Vec::<Value>::new());
            }
            let Value::List(list) = into else { return };
            let is_it =
                |item: &Value| keys.iter().all(|(key, wanted)| item.get(key).is_some_and(|found| same(found, wanted)));
            let place = list.iter().position(is_it).unwrap_or_else(|| {
                let item = keys.iter().map(|(key, wanted)| (key.clone(), Value::from(wanted.as_str())));
                list.push(Value::Map(item.collect()));
                list.len() - 1
            });
            put(&mut list.make_mut()[place], rest, value);
        }
        Step::Index(place) => {
            if let Value::List(list) = into
                && *place < list.len()
            {
                put(&mut list.make_mut()[*place], rest, value);
            }
        }
    }
}

fn same(found: &Value, wanted: &str) -> bool {
    found.as_str().map_or_else(|| to_json(found) == wanted, |text| text == wanted)
}

#[cfg(test)]
mod tests {
    use lockstep_object::from_json;

    use super::*;

    fn object(json: &str) -> Object {
        Object::try_from(from_json(json.as_bytes()).unwrap()).unwrap()
    }

    fn live(replicas_of: &str) -> Object {
        object(&format!(
            r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"web","managedFields":[
            {{"manager":"lockstep","operation":"Apply","fieldsV1":{{"f:spec":{{"f:paused":{{}}{}}}}}}},
            {{"manager":"hpa","operation":"Update","fieldsV1":{{{}}}}}]}},"spec":{{"replicas":5,"paused":false}}}}"#,
            if replicas_of == "lockstep" { r#","f:replicas":{}"# } else { "" },
            if replicas_of == "hpa" { r#""f:spec":{"f:replicas":{}}"# } else { "" },
        ))
    }

    #[test]
    fn what_is_ignored_stays_as_it_is_whoever_owns_it() {
        let desired = object(
            r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":2,"paused":true}}"#,
        );
        let rules = [Ignore::pointer("/spec/replicas").unwrap()];
        let sent = |owner: &str| to_json(respected(&desired, &live(owner), "lockstep", &rules).at(&["spec"]).unwrap());
        assert_eq!(sent("hpa"), r#"{"paused":true}"#);
        assert_eq!(sent("lockstep"), r#"{"paused":true,"replicas":5}"#);
        let all = to_json(respected(&desired, &live("hpa"), "lockstep", &[]).at(&["spec"]).unwrap());
        assert_eq!(all, r#"{"replicas":2,"paused":true}"#);
    }
}
