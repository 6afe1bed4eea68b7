//! Objects at random.

use std::sync::Arc;

use lockstep_object::{Key, Map, Value};
use lockstep_schema::{Field, ListType, MapType, PatchRule, Relationship, Scalar, Type, TypeRef, Types};
use proptest::prelude::*;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..4).prop_map(Value::from),
        (-2i32..3).prop_map(|n| Value::Float(f64::from(n) / 2.0)),
        "[a-c$./]{0,2}".prop_map(Value::from),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-d]",
        2 => Just("name".to_owned()),
        1 => Just("$patch".to_owned()),
        1 => Just("$setElementOrder/a".to_owned()),
        1 => Just("$deleteFromPrimitiveList/b".to_owned()),
        1 => Just("$retainKeys".to_owned()),
    ]
}

/// Any value, directives of patches included.
pub fn any_value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 5, |below| {
        prop_oneof![
            prop::collection::vec(below.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), below), 0..5).prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

/// A value without nulls, so that a merge patch can make it.
pub fn without_nulls() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0i64..3).prop_map(Value::from),
        "[a-c]".prop_map(Value::from)
    ];
    let value = scalar.prop_recursive(3, 30, 4, |below| {
        prop_oneof![
            prop::collection::vec(below.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-d]", below), 0..4).prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    });
    prop::collection::vec(("[a-d]", value), 0..4).prop_map(|entries| Value::Map(entries.into_iter().collect()))
}

fn inline(one: Type) -> TypeRef {
    TypeRef::Inline(Arc::new(one))
}

fn of(scalar: Scalar) -> TypeRef {
    inline(Type { scalar: Some(scalar), ..Type::default() })
}

fn field(name: &str, of: TypeRef, patch: PatchRule) -> Field {
    Field { name: name.into(), of, default: None, patch }
}

fn object(fields: Vec<Field>) -> TypeRef {
    inline(Type {
        map: Some(MapType { fields: fields.into(), item: None, relationship: Relationship::Granular }),
        ..Type::default()
    })
}

fn list(item: TypeRef, relationship: Relationship, keys: &[&str]) -> TypeRef {
    let keys = keys.iter().map(|key| Key::from(*key)).collect();
    inline(Type { list: Some(ListType { item, relationship, keys }), ..Type::default() })
}

/// A small schema with one of everything.
pub fn schema() -> (Types, TypeRef) {
    use Relationship::{Atomic, Granular};
    let none = PatchRule::default;
    let merge = || PatchRule { merge: true, ..PatchRule::default() };
    let by_name = PatchRule { merge: true, merge_key: Some("name".into()), ..PatchRule::default() };
    let item = object(vec![
        field("args", list(of(Scalar::String), Atomic, &[]), none()),
        field("image", of(Scalar::String), none()),
        field("name", of(Scalar::String), none()),
    ]);
    let labels = MapType { fields: Arc::default(), item: Some(of(Scalar::String)), relationship: Granular };
    let root = object(vec![
        field("atomic", list(of(Scalar::String), Atomic, &[]), none()),
        field("items", list(item, Granular, &["name"]), by_name),
        field("labels", inline(Type { map: Some(labels), ..Type::default() }), none()),
        field("number", of(Scalar::Numeric), none()),
        field("set", list(of(Scalar::String), Granular, &[]), merge()),
    ]);
    (Types::new([]), root)
}

fn map<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    Value::Map(entries.into_iter().filter_map(|(key, value)| Some((key, value?))).collect::<Map>())
}

fn unique(texts: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    texts.into_iter().filter(|text| seen.insert(text.clone())).collect()
}

fn texts() -> impl Strategy<Value = Value> {
    prop::collection::vec("[a-d]", 1..4)
        .prop_map(|texts| unique(texts).into_iter().map(Value::from).collect::<Vec<_>>().into())
}

/// An object of [`schema`], without empty parts and duplicates.
pub fn typed_object() -> impl Strategy<Value = Value> {
    let option = prop::option::of::<BoxedStrategy<Value>>;
    let item = (option("[x-z]".prop_map(Value::from).boxed()), option(texts().boxed()));
    let items = prop::collection::btree_map("[a-d]", item, 1..4).prop_map(|items| {
        let one =
            |(name, (image, args)): (String, _)| map([("name", Some(name.into())), ("image", image), ("args", args)]);
        Value::from(items.into_iter().map(one).collect::<Vec<_>>())
    });
    let labels = prop::collection::vec(("[a-c]", "[x-z]".prop_map(Value::from)), 1..3)
        .prop_map(|entries| Value::Map(entries.into_iter().collect()));
    let number = (0i64..4).prop_map(Value::from);
    (
        option(texts().boxed()),
        option(items.boxed()),
        option(labels.boxed()),
        option(number.boxed()),
        option(texts().boxed()),
    )
        .prop_map(|(atomic, items, labels, number, set)| {
            map([("atomic", atomic), ("items", items), ("labels", labels), ("number", number), ("set", set)])
        })
}
