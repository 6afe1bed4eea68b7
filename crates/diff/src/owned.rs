//! Who owns which field, read from `metadata.managedFields`.

use lockstep_object::{Key, Map, Object, Path, Step, Value};

use crate::{
    fields::{Element, element, follow},
    hash::{self, mix},
    ignore::Ignore,
};

/// The depth at which a walk ends; an API server refuses objects far shallower than this.
const DEEPEST: usize = 128;

/// Who set a field, as the object's managedFields tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Author {
    /// The field manager, as `kubectl-edit`.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// When the manager last changed something, RFC 3339; empty if the server left it off.
    pub time: String,
    /// The subresource that was written, as `scale`; empty for the object itself.
    pub subresource: String,
}

/// Hashes the values of exactly those fields of a live object that `manager` owns.
///
/// The digest changes when one of these fields changes its value, is removed, or is taken over by another
/// manager, and stays when anything else changes. It is the same in every process. `None` if the manager owns
/// nothing; entries about a subresource (`status`, `scale`) do not count.
pub fn owned_digest(live: &Object, manager: &str) -> Option<u64> {
    let entries = managed_fields(live);
    let owned =
        |entry: &&Value| entry.get("manager").and_then(Value::as_str) == Some(manager) && !of_subresource(entry);
    let root = live.to_value();
    let mut digest = None;
    for entry in entries.iter().filter(owned) {
        let Some(set) = entry.get("fieldsV1").and_then(Value::as_map) else { continue };
        let others = others_of(entries, entry);
        let hash = digest_of(set, Some(&root), &others, 0);
        // The order of entries follows their times, so it must not count.
        digest = Some(digest.unwrap_or(0u64).wrapping_add(hash));
    }
    digest
}

/// Lists who owns the field at `path`, the latest first.
///
/// A manager that owns an ancestor as a whole (an atomic list or map) counts as an author of what is inside.
pub fn authors(live: &Object, path: &Path) -> Vec<Author> {
    let mut found: Vec<Author> = managed_fields(live)
        .iter()
        .filter(|entry| {
            entry.get("fieldsV1").and_then(Value::as_map).is_some_and(|set| covers(set, path.steps(), live))
        })
        .map(author_of)
        .collect();
    found.sort_by(|a, b| b.time.cmp(&a.time));
    found
}

/// Names the manager other than `manager` that wrote last to the object itself; it is who most likely removed a field.
pub fn last_foreign_author(live: &Object, manager: &str) -> Option<Author> {
    let foreign = |entry: &&Value| entry.get("manager").and_then(Value::as_str) != Some(manager) && !of_status(entry);
    managed_fields(live).iter().filter(foreign).map(author_of).max_by(|a, b| a.time.cmp(&b.time))
}

/// Names who took fields over from `manager`: who owns a desired field that `manager` owns no more, although it has the
/// desired value. A later change of its value would not change [`owned_digest`]. What the rules leave out does not count.
pub fn taken_over(desired: &Object, live: &Object, manager: &str, ignore: &[Ignore]) -> Option<Author> {
    let (mut wanted, mut scratch) = (desired.root().clone(), live.root().clone());
    ignore.iter().for_each(|rule| rule.apply(&mut wanted, &mut scratch, live));
    let wanted = Value::Map(wanted);
    let ours = sets_of(live, manager);
    let ours: Vec<&Map> = ours.iter().collect();
    let others = managed_fields(live).iter().filter(|entry| text_at(entry, "manager") != manager && !of_status(entry));
    let takes = |entry: &&Value| {
        entry.get("fieldsV1").and_then(Value::as_map).is_some_and(|set| has_more(set, &ours, &wanted, 0))
    };
    others.filter(takes).map(author_of).max_by(|a, b| a.time.cmp(&b.time))
}

/// Tells whether a set has a leaf of the wanted value that none of ours has.
fn has_more(set: &Map, ours: &[&Map], wanted: &Value, depth: usize) -> bool {
    if depth > DEEPEST {
        return false;
    }
    set.iter().any(|(step, below)| {
        let Some(element) = element(step).filter(|element| !matches!(element, Element::Itself)) else { return false };
        let Some(wanted) = follow(wanted, &element) else { return false };
        let mine: Vec<&Map> = ours.iter().filter_map(|set| set.get(step)?.as_map()).collect();
        let as_a_whole = mine.iter().any(|below| below.is_empty());
        match below.as_map().filter(|below| !below.is_empty()) {
            Some(below) => !as_a_whole && has_more(below, &mine, wanted, depth + 1),
            None => mine.is_empty(),
        }
    })
}

/// Returns the sets of fields that `manager` owns, without those of subresources.
pub fn sets_of(live: &Object, manager: &str) -> Vec<Map> {
    let owned =
        managed_fields(live).iter().filter(|entry| text_at(entry, "manager") == manager && !of_subresource(entry));
    owned.filter_map(|entry| entry.get("fieldsV1")?.as_map().cloned()).collect()
}

/// Returns the sets of every manager of these names, subresources included.
pub fn all_sets_of(live: &Object, managers: &[String]) -> Vec<Map> {
    let owned =
        managed_fields(live).iter().filter(|entry| managers.iter().any(|name| name == text_at(entry, "manager")));
    owned.filter_map(|entry| entry.get("fieldsV1")?.as_map().cloned()).collect()
}

fn managed_fields(live: &Object) -> &[Value] {
    live.at(&["metadata", "managedFields"]).and_then(Value::as_list).map_or(&[], |list| list)
}

fn text_at<'v>(entry: &'v Value, key: &str) -> &'v str {
    entry.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn of_subresource(entry: &Value) -> bool {
    !text_at(entry, "subresource").is_empty()
}

fn of_status(entry: &Value) -> bool {
    text_at(entry, "subresource") == "status"
}

fn author_of(entry: &Value) -> Author {
    Author {
        manager: text_at(entry, "manager").to_owned(),
        operation: text_at(entry, "operation").to_owned(),
        time: text_at(entry, "time").to_owned(),
        subresource: text_at(entry, "subresource").to_owned(),
    }
}

fn others_of<'v>(entries: &'v [Value], own: &Value) -> Vec<&'v Map> {
    let others = entries.iter().filter(|entry| !std::ptr::eq(*entry, own));
    others.filter_map(|entry| entry.get("fieldsV1")?.as_map()).collect()
}

/// Hashes what a set covers below a live value.
///
/// A leaf covers its whole value (a scalar, an atomic list or map), unless another manager owns something
/// inside: then the place is not atomic, and only that it is there counts.
fn digest_of(set: &Map, live: Option<&Value>, others: &[&Map], depth: usize) -> u64 {
    let mut digest = mix(11, set.len() as u64);
    if depth > DEEPEST {
        return digest;
    }
    for (step, below) in set.iter() {
        digest = mix(digest, hash::text(step));
        let Some(element) = element(step) else { continue };
        let found = live.and_then(|live| follow(live, &element));
        let below = below.as_map().filter(|below| !below.is_empty());
        let part = match (found, below) {
            (None, _) => mix(12, 0),
            (Some(_), None) if matches!(element, Element::Itself) => mix(13, 0),
            (Some(found), Some(below)) => digest_of(below, Some(found), &below_of(others, step), depth + 1),
            (Some(found), None) if is_collection(found) && !below_of(others, step).is_empty() => {
                mix(14, found.type_name().len() as u64)
            }
            (Some(found), None) => hash::value(found),
        };
        digest = mix(digest, part);
    }
    digest
}

fn is_collection(value: &Value) -> bool {
    matches!(value, Value::Map(_) | Value::List(_))
}

/// Returns the non-empty sets of the other managers one step down.
fn below_of<'m>(others: &[&'m Map], step: &Key) -> Vec<&'m Map> {
    let below = others.iter().filter_map(|set| set.get(step)?.as_map());
    below.filter(|set| !set.is_empty()).collect()
}

/// Tells whether a set has the place of these steps, or an ancestor of it as a whole.
fn covers(set: &Map, steps: &[Step], live: &Object) -> bool {
    let root = live.to_value();
    let mut set = set;
    let mut value = Some(&root);
    for (depth, step) in steps.iter().enumerate() {
        let Some((element, below)) = find_step(set, step, value) else { return false };
        value = value.and_then(|value| follow(value, &element));
        match below.as_map() {
            Some(below) if !below.is_empty() => set = below,
            _ => {
                return depth + 1 == steps.len()
                    || value.is_none_or(|value| !matches!(value, Value::Map(map) if map.is_empty()));
            }
        }
    }
    true
}

fn find_step<'s>(set: &'s Map, step: &Step, live: Option<&Value>) -> Option<(Element<'s>, &'s Value)> {
    set.iter().find_map(|(text, below)| {
        let element = element(text)?;
        let same = match (&element, step) {
            (Element::Field(name), Step::Field(key)) => key == *name,
            (Element::Place(place), Step::Index(index)) => place == index,
            (Element::Keys(_) | Element::Item(_), Step::Index(index)) => {
                let item = live.and_then(Value::as_list).and_then(|list| list.get(*index));
                item.is_some()
                    && live.and_then(|live| follow(live, &element)).zip(item).is_some_and(|(a, b)| std::ptr::eq(a, b))
            }
            (Element::Keys(keys), Step::Item(wanted)) => {
                wanted.iter().all(|(key, text)| keys.get(key).is_none_or(|value| prints_as(value, text)))
                    && wanted.iter().any(|(key, _)| keys.get(key).is_some())
            }
            (Element::Item(value), Step::Item(wanted)) => {
                wanted.iter().any(|(key, text)| key.is_empty() && prints_as(value, text))
            }
            _ => false,
        };
        same.then_some((element, below))
    })
}

fn prints_as(value: &Value, text: &str) -> bool {
    value.as_str().map_or_else(|| lockstep_object::to_json(value) == text, |string| string == text)
}

#[cfg(test)]
mod tests {
    use lockstep_object::from_json;

    use super::*;

    fn deployment(replicas: i64, image: &str, extra: &str) -> Object {
        let json = format!(
            r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"web","resourceVersion":"{replicas}","managedFields":[
            {{"manager":"lockstep","operation":"Apply","time":"2026-01-01T00:00:00Z","fieldsV1":{{"f:spec":{{"f:selector":{{}},"f:replicas":{{}},
              "f:template":{{"f:spec":{{"f:containers":{{"k:{{\"name\":\"web\"}}":{{".":{{}},"f:image":{{}},"f:name":{{}}}}}}}}}}}}}}}},
            {{"manager":"kubectl-scale","operation":"Update","subresource":"scale","time":"2026-01-02T00:00:00Z","fieldsV1":{{"f:spec":{{"f:replicas":{{}}}}}}}},
            {{"manager":"injector","operation":"Update","time":"2026-01-03T00:00:00Z","fieldsV1":{{"f:spec":{{"f:template":{{"f:spec":{{"f:containers":{{"k:{{\"name\":\"proxy\"}}":{{".":{{}},"f:image":{{}}}}}}}}}}}}}}}}
            ]}},"spec":{{"replicas":{replicas},"selector":{{"matchLabels":{{"app":"web"}}}},
            "template":{{"spec":{{"containers":[{extra}{{"name":"web","image":"{image}","imagePullPolicy":"Always"}}]}}}}}}}}"#
        );
        Object::try_from(from_json(json.as_bytes()).unwrap()).unwrap()
    }

    const SIDECAR: &str = r#"{"name":"proxy","image":"proxy:1"},"#;

    #[test]
    fn the_digest_follows_owned_fields_only() {
        let before = owned_digest(&deployment(2, "web:1", ""), "lockstep");
        assert!(before.is_some());
        assert_eq!(
            before,
            owned_digest(&deployment(2, "web:1", SIDECAR), "lockstep"),
            "an injected sidecar is not ours"
        );
        assert_ne!(before, owned_digest(&deployment(5, "web:1", ""), "lockstep"));
        assert_ne!(before, owned_digest(&deployment(2, "web:2", ""), "lockstep"));
        assert_eq!(owned_digest(&deployment(2, "web:1", ""), "nobody"), None);
    }

    #[test]
    fn a_removed_field_changes_the_digest() {
        let live = deployment(2, "web:1", "");
        let mut without = live.clone();
        without.root_mut().map_entry("spec").remove("replicas");
        assert_ne!(owned_digest(&live, "lockstep"), owned_digest(&without, "lockstep"));
    }

    #[test]
    fn a_field_that_only_another_manager_owns_is_taken_over() {
        let live = |ours: &str, theirs: &str| {
            let json = format!(
                r#"{{"metadata":{{"managedFields":[{{"manager":"lockstep","operation":"Apply","fieldsV1":{{"f:spec":{ours}}}}},
                {{"manager":"other","operation":"Apply","fieldsV1":{{"f:spec":{theirs}}}}}]}},
                "spec":{{"replicas":2,"paused":true,"selector":{{"a":"b"}},"list":[{{"name":"x","image":"i"}}]}}}}"#
            );
            Object::try_from(from_json(json.as_bytes()).unwrap()).unwrap()
        };
        let desired = br#"{"spec":{"replicas":2,"selector":{"a":"b"},"list":[{"name":"x","image":"i"}]}}"#;
        let desired = Object::try_from(from_json(desired).unwrap()).unwrap();
        for (ours, theirs, expect) in [
            (r#"{"f:selector":{}}"#, r#"{"f:replicas":{}}"#, true),
            (r#"{"f:replicas":{}}"#, r#"{"f:replicas":{}}"#, false),
            (r#"{"f:replicas":{}}"#, r#"{"f:paused":{}}"#, false),
            (r#"{"f:selector":{}}"#, r#"{"f:selector":{"f:a":{}}}"#, false),
            (
                r#"{"f:list":{"k:{\"name\":\"x\"}":{".":{},"f:name":{}}}}"#,
                r#"{"f:list":{"k:{\"name\":\"x\"}":{"f:image":{}}}}"#,
                true,
            ),
            (
                r#"{"f:list":{"k:{\"name\":\"x\"}":{".":{},"f:image":{}}}}"#,
                r#"{"f:list":{"k:{\"name\":\"y\"}":{"f:image":{}}}}"#,
                false,
            ),
        ] {
            let found = taken_over(&desired, &live(ours, theirs), "lockstep", &[]);
            assert_eq!(found.is_some(), expect, "{ours} {theirs}");
        }
        let rule = Ignore::pointer("/spec/replicas").unwrap();
        assert_eq!(taken_over(&desired, &live("{}", r#"{"f:replicas":{}}"#), "lockstep", &[rule]), None);
    }

    #[test]
    fn a_field_has_its_authors_latest_first() {
        let live = deployment(5, "web:1", SIDECAR);
        let names = |path: &Path| authors(&live, path).into_iter().map(|author| author.manager).collect::<Vec<_>>();
        let spec = Path::root().field("spec");
        assert_eq!(names(&spec.field("replicas")), ["kubectl-scale", "lockstep"]);
        let containers = spec.field("template").field("spec").field("containers");
        let proxy = containers.with(Step::Item(vec![("name".into(), "proxy".to_owned())]));
        assert_eq!(names(&proxy.field("image")), ["injector"]);
        assert_eq!(names(&containers.index(1).field("image")), ["lockstep"]);
        assert_eq!(
            names(&spec.field("selector").field("matchLabels")),
            ["lockstep"],
            "an atomic map is owned as a whole"
        );
        assert_eq!(names(&spec.field("paused")), Vec::<String>::new());
    }
}
