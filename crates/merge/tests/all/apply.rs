use lockstep_merge::apply::{ApplyError, FieldSet, Identity, Managed, Operation, Times, Typed, Updater};
use lockstep_object::{Value, to_json};
use lockstep_schema::{TypeRef, Types};
use proptest::prelude::*;

use crate::{
    arbitrary::{any_value, schema, typed_object},
    value,
};

struct World {
    types: Types,
    root: TypeRef,
    live: Value,
    managed: Managed,
}

impl World {
    fn new() -> Self {
        let (types, root) = schema();
        Self { types, root, live: Value::Null, managed: Managed::new() }
    }

    fn typed(&self, value: &Value) -> Typed {
        Typed::new(value.clone(), &self.root, &self.types, true).unwrap()
    }

    fn apply(&mut self, manager: &str, config: &Value, force: bool) -> Result<bool, ApplyError> {
        let (live, config) = (self.typed(&self.live), self.typed(config));
        let outcome = Updater::default().apply(&live, &config, "v1", &self.managed, manager, force)?;
        let changed = outcome.object.is_some();
        self.live = outcome.object.unwrap_or_else(|| self.live.clone());
        self.managed = outcome.managers;
        Ok(changed)
    }

    fn update(&mut self, manager: &str, new: &Value) {
        let (live, typed) = (self.typed(&self.live), self.typed(new));
        self.managed = Updater::default().update(&live, &typed, "v1", &self.managed, manager).unwrap();
        self.live = new.clone();
    }

    fn owned(&self, manager: &str) -> String {
        self.managed.get(manager).map(|owned| to_json(&owned.set.to_value())).unwrap_or_default()
    }
}

#[test]
fn what_an_applier_drops_goes_away_unless_another_owns_it() {
    let mut world = World::new();
    world.apply("one", &value(r#"{"labels":{"a":"x","b":"x"},"number":1}"#), false).unwrap();
    world.apply("two", &value(r#"{"labels":{"b":"x"}}"#), false).unwrap();
    world.apply("one", &value(r#"{"number":1}"#), false).unwrap();
    assert_eq!(to_json(&world.live), r#"{"labels":{"b":"x"},"number":1}"#);
    assert_eq!(world.owned("one"), r#"{"f:number":{}}"#);
    assert_eq!(world.owned("two"), r#"{"f:labels":{"f:b":{}}}"#);
}

#[test]
fn a_changed_field_of_another_is_a_conflict_unless_forced() {
    let mut world = World::new();
    world.apply("one", &value(r#"{"items":[{"name":"a","image":"x"}]}"#), false).unwrap();
    let config = value(r#"{"items":[{"name":"a","image":"y"}]}"#);
    let error = world.apply("two", &config, false).unwrap_err();
    assert_eq!(error.to_string(), r#"conflict with "one": .items[name="a"].image"#);
    world.apply("two", &config, true).unwrap();
    assert_eq!(world.owned("one"), r#"{"f:items":{"k:{\"name\":\"a\"}":{".":{},"f:name":{}}}}"#);
    assert_eq!(world.owned("two"), r#"{"f:items":{"k:{\"name\":\"a\"}":{".":{},"f:image":{},"f:name":{}}}}"#);
}

#[test]
fn an_update_takes_what_it_changes() {
    let mut world = World::new();
    world.apply("one", &value(r#"{"number":1,"set":["a"]}"#), false).unwrap();
    world.update("two", &value(r#"{"number":2,"set":["a","b"]}"#));
    assert_eq!(world.owned("one"), r#"{"f:set":{"v:\"a\"":{}}}"#);
    assert_eq!(world.owned("two"), r#"{"f:number":{},"f:set":{"v:\"b\"":{}}}"#);
}

#[test]
fn unknown_fields_and_wrong_types_are_named_with_their_paths() {
    let (types, root) = schema();
    let check = |json: &str, expect: &str| {
        assert_eq!(Typed::new(value(json), &root, &types, false).unwrap_err().to_string(), expect);
    };
    check(r#"{"nope":1}"#, ".nope: field not declared in schema");
    check(r#"{"number":"x"}"#, ".number: expected numeric (int or float), got string");
    check(r#"{"labels":{"a":1}}"#, ".labels.a: expected string, got &value.valueUnstructured{Value:1}");
    check(r#"{"set":["a","a"]}"#, r#".set: duplicate entries for key [="a"]"#);
}

#[test]
fn a_deduced_type_owns_lists_as_a_whole() {
    let types = Types::new([]);
    let typed = |json: &str| Typed::new(value(json), &TypeRef::deduced(), &types, false).unwrap();
    let config = typed(r#"{"a":{"b":[1,2]},"c":"x"}"#);
    assert_eq!(to_json(&config.field_set().unwrap().to_value()), r#"{"f:a":{".":{},"f:b":{}},"f:c":{}}"#);
}

#[test]
fn entries_are_printed_in_the_api_servers_order() {
    let entries = value(
        r#"[{"manager":"z","operation":"Update","apiVersion":"v1","time":"2020-01-02T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:a":{}}},
            {"manager":"k","operation":"Update","apiVersion":"v1","time":"2020-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:b":{}},"subresource":"status"},
            {"manager":"m","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:c":{".":{},"f:d":{}}}}]"#,
    );
    let (managed, times) = Managed::from_entries(&entries).unwrap();
    let printed = managed.to_value(&times);
    let order: Vec<&str> =
        printed.as_list().unwrap().iter().map(|e| e.get("manager").unwrap().as_str().unwrap()).collect();
    assert_eq!(order, ["m", "k", "z"]);
    let identity =
        Identity { manager: "m".into(), operation: Operation::Apply, api_version: "v1".into(), subresource: "".into() };
    assert_eq!(identity.key(), r#"{"manager":"m","operation":"Apply"}"#);
    assert!(managed.get(&identity.key()).unwrap().applied);
    assert!(Managed::from_entries(&value(r#"[{"operation":"Nope"}]"#)).is_err());
    assert_eq!(Managed::new().to_value(&Times::new()), value("[]"));
}

#[test]
fn hostile_depth_is_an_error() {
    let mut deep = value("1");
    for _ in 0..600 {
        deep = Value::Map([("a", deep)].into_iter().collect());
    }
    assert!(Typed::new(deep.clone(), &TypeRef::deduced(), &Types::new([]), false).is_err());
    let mut fields = value("{}");
    for _ in 0..600 {
        fields = Value::Map([("f:a", fields)].into_iter().collect());
    }
    assert!(FieldSet::from_value(&fields).is_err());
}

proptest! {
    #[test]
    fn applying_twice_changes_nothing(before in typed_object(), config in typed_object()) {
        let mut world = World::new();
        world.apply("other", &before, false).unwrap();
        world.apply("me", &config, true).unwrap();
        let (live, managed) = (world.live.clone(), world.managed.clone());
        prop_assert!(!world.apply("me", &config, false).unwrap());
        prop_assert_eq!(&world.live, &live);
        prop_assert_eq!(&world.managed, &managed);
    }

    #[test]
    fn applying_nothing_removes_what_only_we_own(config in typed_object()) {
        let mut world = World::new();
        world.apply("me", &config, false).unwrap();
        world.apply("me", &value("{}"), false).unwrap();
        let left = world.typed(&world.live).field_set().unwrap();
        prop_assert!(left.is_empty() || left.paths().iter().all(|path| path.0.len() == 1), "{}", left);
    }

    #[test]
    fn a_field_set_reads_what_it_printed(object in typed_object(), free in any_value()) {
        let (types, root) = schema();
        for typed in [Typed::new(object, &root, &types, true), Typed::new(free, &TypeRef::deduced(), &types, true)] {
            let set = typed.unwrap().field_set().unwrap();
            prop_assert!(set.is_value(&set.to_value()));
            prop_assert_eq!(FieldSet::from_value(&set.to_value()).unwrap(), set);
        }
    }

    #[test]
    fn a_field_set_is_no_other_sets_value(a in typed_object(), b in typed_object()) {
        let (types, root) = schema();
        let set = |value: Value| Typed::new(value, &root, &types, true).unwrap().field_set().unwrap();
        let (a, b) = (set(a), set(b));
        prop_assert_eq!(a.is_value(&b.to_value()), a == b);
    }

    #[test]
    fn a_merge_without_effect_gives_back_the_same_memory(before in typed_object(), config in typed_object()) {
        let (types, root) = schema();
        let typed = |value: Value| Typed::new(value, &root, &types, false).unwrap();
        let once = typed(before).merge(&typed(config.clone())).unwrap();
        let twice = once.merge(&typed(config)).unwrap();
        let shared = match (once.value(), twice.value()) {
            (Value::Map(once), Value::Map(twice)) => once.shares(twice) || once.is_empty(),
            (once, twice) => once == twice,
        };
        prop_assert!(shared);
    }

    #[test]
    fn sets_obey_the_laws_of_sets(a in typed_object(), b in typed_object()) {
        let (types, root) = schema();
        let set = |value: Value| Typed::new(value, &root, &types, true).unwrap().field_set().unwrap();
        let (a, b) = (set(a), set(b));
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a);
    }

    #[test]
    fn a_comparison_with_itself_is_empty(object in typed_object()) {
        let (types, root) = schema();
        let typed = Typed::new(object, &root, &types, true).unwrap();
        prop_assert!(typed.compare(&typed).unwrap().is_same());
    }

    #[test]
    fn nothing_panics(live in any_value(), config in any_value()) {
        let (types, root) = schema();
        for root in [&root, &TypeRef::deduced()] {
            let typed = |value: &Value, duplicates| Typed::new(value.clone(), root, &types, duplicates);
            let (Ok(live), Ok(config)) = (typed(&live, true), typed(&config, false)) else { continue };
            let outcome = Updater::default().apply(&live, &config, "v1", &Managed::new(), "m", true);
            prop_assert!(outcome.is_ok());
        }
        drop(Managed::from_entries(&live));
        drop(FieldSet::from_value(&config));
    }
}
