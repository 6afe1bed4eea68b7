//! Joining the user's values with those of a chart and its subcharts, exactly as Helm 4.3.1 does.
//!
//! The maps alias each other as Go's do; the order of the steps and which maps are shared decide about the result.

use lockstep_gotmpl::{Map, Str, Value};

use crate::{
    dependencies::Node,
    error::{Error, ErrorKind},
    plain::deep_copy_map,
};

pub(crate) const GLOBAL: &str = "global";

/// Whether nulls remove keys (`Coalesce`) or stay (`Merge`, while more joining is to come).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    Remove,
    Keep,
}

/// Joins values with those of a chart and all below it; `values` itself is not changed.
pub(crate) fn coalesce(chart: &Node, values: &Map, nulls: Nulls, warnings: &mut Vec<String>) -> Result<Map, Error> {
    let values = deep_copy_map(values);
    Joining { nulls, warnings }.chart(chart, &values, "")?;
    Ok(values)
}

/// Merges `source` into `target`, which wins; both are changed. As Helm's `CoalesceTables` and `MergeTables`.
pub(crate) fn merge_tables(target: &Map, source: &Map, nulls: Nulls, warnings: &mut Vec<String>) {
    Joining { nulls, warnings }.tables(target, source, "", nulls);
}

struct Joining<'a> {
    nulls: Nulls,
    warnings: &'a mut Vec<String>,
}

impl Joining<'_> {
    fn chart(&mut self, chart: &Node, values: &Map, prefix: &str) -> Result<(), Error> {
        self.own_values(chart, values, prefix);
        let prefix = join(prefix, chart.name());
        for child in chart.dependencies() {
            let inner = match values.get(child.name()) {
                None => {
                    let map = Map::new();
                    values.insert(child.name(), Value::Map(map.clone()));
                    map
                }
                Some(Value::Map(map)) => map,
                Some(other) => {
                    let message = format!("type mismatch on {}: {}", child.name(), as_truth(&other));
                    return Err(Error::new(ErrorKind::Coalesce, message));
                }
            };
            self.globals(&inner, values, &prefix);
            self.chart(child, &inner, &prefix)?;
        }
        Ok(())
    }

    /// Copies the globals of `source` into those of `target`.
    fn globals(&mut self, target: &Map, source: &Map, prefix: &str) {
        let Some(into) = globals_of(target) else {
            return self.warn(format!("warning: skipping globals because destination {GLOBAL} is not a table."));
        };
        let Some(from) = globals_of(source) else {
            return self.warn(format!("warning: skipping globals because source {GLOBAL} is not a table."));
        };
        for (key, value) in from.entries() {
            match (value, into.get(&key)) {
                (Value::Map(table), known) => {
                    let copy: Map = table.entries().into_iter().collect();
                    match known {
                        None => {}
                        Some(Value::Map(known)) => {
                            self.tables(&copy, &known, &join(prefix, &key.to_text()), Nulls::Keep)
                        }
                        Some(_) => {
                            self.warn(format!("Conflict: cannot merge map onto non-map for {key:?}. Skipping."));
                            continue;
                        }
                    }
                    into.insert(key, Value::Map(copy));
                }
                (_, Some(Value::Map(_))) => self.warn(format!("key {key} is table. Skipping")),
                (value, _) => {
                    into.insert(key, value);
                }
            }
        }
        target.insert(GLOBAL, Value::Map(into));
    }

    /// Adds the chart's own values where the given ones say nothing.
    fn own_values(&mut self, chart: &Node, values: &Map, prefix: &str) {
        let prefix = join(prefix, chart.name());
        for (key, default) in chart.default_values().entries() {
            match values.get(&key) {
                Some(Value::Nil) if self.nulls == Nulls::Remove => {
                    values.remove(&key);
                }
                Some(Value::Map(target)) => self.own_table(chart, (&key, &target), &default, &prefix),
                Some(_) => {}
                None if self.nulls == Nulls::Remove && default.is_nil() => {}
                None => {
                    if let (Value::Map(inner), Nulls::Remove) = (&default, self.nulls) {
                        clean_nulls(inner);
                    }
                    values.insert(key, default);
                }
            }
        }
    }

    fn own_table(&mut self, chart: &Node, (key, target): (&Str, &Map), default: &Value, prefix: &str) {
        let path = join(prefix, &key.to_text());
        match default {
            Value::Map(source) => {
                let is_child = chart.dependencies().iter().any(|child| child.name().as_bytes() == key.as_bytes());
                let nulls = if is_child { Nulls::Keep } else { self.nulls };
                if nulls == Nulls::Remove {
                    clean_nulls(source);
                }
                self.tables(target, source, &path, nulls);
            }
            Value::Nil => {}
            _ => self.warn(format!("warning: skipped value for {path}: Not a table.")),
        }
    }

    fn tables(&mut self, target: &Map, source: &Map, prefix: &str, nulls: Nulls) {
        let before: Vec<Str> = non_null_keys(source);
        for (key, value) in target.entries() {
            if value.is_nil() {
                source.insert(key, Value::Nil);
            }
        }
        for (key, value) in source.entries() {
            match (target.get(&key), value) {
                (None, value) => {
                    target.insert(key, value);
                }
                (Some(Value::Nil), _) if nulls == Nulls::Remove && before.binary_search(&key).is_ok() => {
                    target.remove(&key);
                }
                (Some(Value::Map(inner)), Value::Map(value)) => {
                    self.tables(&inner, &value, &join(prefix, &key.to_text()), nulls);
                }
                (Some(_), Value::Map(value)) => {
                    let path = join(prefix, &key.to_text());
                    let shown = lockstep_gotmpl::print::sprint(&[Value::Map(value)]);
                    self.warn(format!("warning: cannot overwrite table with non table for {path} ({shown})"));
                }
                (Some(Value::Map(_)), value) if !value.is_nil() => {
                    let path = join(prefix, &key.to_text());
                    let shown = lockstep_gotmpl::print::sprint(&[value]);
                    self.warn(format!(
                        "warning: destination for {path} is a table. Ignoring non-table value ({shown})"
                    ));
                }
                _ => {}
            }
        }
    }

    fn warn(&mut self, message: String) {
        if !self.warnings.contains(&message) {
            self.warnings.push(message);
        }
    }
}

fn globals_of(values: &Map) -> Option<Map> {
    match values.get(GLOBAL) {
        None => Some(Map::new()),
        Some(Value::Map(map)) => Some(map),
        Some(_) => None,
    }
}

/// Lists the keys whose values are not null, sorted.
fn non_null_keys(map: &Map) -> Vec<Str> {
    map.entries().into_iter().filter(|(_, value)| !value.is_nil()).map(|(key, _)| key).collect()
}

fn clean_nulls(map: &Map) {
    for (key, value) in map.entries() {
        match value {
            Value::Nil => {
                map.remove(&key);
            }
            Value::Map(inner) => clean_nulls(&inner),
            _ => {}
        }
    }
}

pub(crate) fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

/// Prints a value with Go's `%t`.
fn as_truth(value: &Value) -> String {
    lockstep_gotmpl::print::sprintf("%t", std::slice::from_ref(value)).to_string()
}
