//! Who changed what.

use jiff::{SignedDuration, Timestamp};
use lockstep_api::FIELD_MANAGER;
use lockstep_diff::last_foreign_author;
use lockstep_object::{Object, Path, Step, Value, from_json};

/// Who changed what of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attribution {
    /// The field manager, empty if nobody could be named.
    pub manager: String,
    /// The changes, as `spec.replicas 2 → 5`; values of Secrets are masked.
    pub fields: Vec<String>,
}

/// More changes than these are counted, not listed.
const LISTED: usize = 5;

/// Tells who changed what: which fields of the body that we applied the live object has otherwise, and the last other author.
pub fn attribute(body: &[u8], live: &Object) -> Attribution {
    let manager = last_foreign_author(live, FIELD_MANAGER).map(|author| author.manager).unwrap_or_default();
    let Ok(desired) = from_json(body) else { return Attribution { manager, fields: Vec::new() } };
    let mut differ = Differences { secret: live.kind() == "Secret", fields: Vec::new(), more: 0 };
    differ.walk(&mut Path::root(), &desired, Some(&live.to_value()));
    if differ.more > 0 {
        differ.fields.push(format!("and {} more", differ.more));
    }
    Attribution { manager, fields: differ.fields }
}

struct Differences {
    secret: bool,
    fields: Vec<String>,
    more: usize,
}

impl Differences {
    fn walk(&mut self, path: &mut Path, desired: &Value, live: Option<&Value>) {
        match (desired, live) {
            (Value::Map(desired), Some(Value::Map(live))) => {
                for (key, value) in desired.iter() {
                    path.push(Step::Field(key.clone()));
                    self.walk(path, value, live.get(key));
                    path.pop();
                }
            }
            (Value::List(desired), Some(Value::List(live))) => {
                for (place, value) in desired.iter().enumerate() {
                    let found = match value.get("name") {
                        Some(name) => live.iter().find(|item| item.get("name") == Some(name)),
                        None => live.get(place),
                    };
                    path.push(match value.get("name").and_then(Value::as_str) {
                        Some(name) => Step::Item(vec![("name".into(), name.to_owned())]),
                        None => Step::Index(place),
                    });
                    self.walk(path, value, found);
                    path.pop();
                }
            }
            (desired, live) if same(desired, live) => {}
            (desired, live) => self.tell(path, desired, live),
        }
    }

    fn tell(&mut self, path: &Path, desired: &Value, live: Option<&Value>) {
        if self.fields.len() == LISTED {
            self.more += 1;
            return;
        }
        let masked = self.secret && !path.to_string().starts_with("metadata.");
        let text = match live {
            None => format!("{path} removed"),
            Some(_) if masked => format!("{path} ••• (changed)"),
            Some(live) => format!("{path} {} → {}", short(desired), short(live)),
        };
        self.fields.push(text);
    }
}

/// Tells whether the server stored what we sent: equal, nothing sent and nothing there, or an equal quantity.
fn same(desired: &Value, live: Option<&Value>) -> bool {
    let Some(live) = live else { return matches!(desired, Value::Null) };
    let quantity = |value: &Value| match value {
        Value::Text(text) => text.parse::<lockstep_object::Quantity>().ok(),
        Value::Int(number) => number.to_string().parse().ok(),
        _ => None,
    };
    desired == live || quantity(desired).is_some_and(|one| Some(one) == quantity(live))
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Text(text) => text.to_string(),
        Value::Map(map) => format!("{{{} fields}}", map.len()),
        Value::List(list) => format!("[{} items]", list.len()),
        other => lockstep_object::to_json(other),
    };
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("...".chars()).collect() }
}

/// Repairs of one object: the same object set back again and again means that somebody else wants it otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Repairs {
    recent: Vec<Timestamp>,
    pauses: u32,
}

/// As many repairs within a minute are a fight.
const FIGHT: usize = 5;

impl Repairs {
    /// Returns when the object may be repaired: now, or after a pause that doubles from 5 seconds to 5 minutes.
    pub(crate) fn next(&mut self, now: Timestamp) -> Timestamp {
        let minute_ago = now - SignedDuration::from_secs(60);
        let quiet = self.recent.last().is_none_or(|last| *last < now - SignedDuration::from_secs(600));
        if quiet {
            self.pauses = 0;
        }
        self.recent.retain(|time| *time > minute_ago);
        if self.recent.len() < FIGHT && self.pauses == 0 {
            return now;
        }
        let pause = SignedDuration::from_secs((5 << self.pauses.min(6)).min(300));
        match self.recent.last() {
            Some(last) => (*last + pause).max(now),
            None => now,
        }
    }

    /// Records a repair.
    pub(crate) fn record(&mut self, now: Timestamp) {
        if self.recent.len() >= FIGHT || self.pauses > 0 {
            self.pauses = (self.pauses + 1).min(16);
        }
        self.recent.push(now);
    }

    /// Tells whether somebody else wants the object otherwise.
    pub(crate) fn is_fight(&self) -> bool {
        self.pauses > 0 || self.recent.len() >= FIGHT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_with_its_author() {
        let live = br#"{"kind":"Deployment","metadata":{"name":"web","managedFields":[
            {"manager":"lockstep","operation":"Apply","fieldsV1":{}},
            {"manager":"kubectl-scale","operation":"Update","time":"2026-01-01T00:00:00Z","fieldsV1":{"f:spec":{"f:replicas":{}}}}]},
            "spec":{"replicas":5,"containers":[{"name":"side"},{"name":"web","image":"b"}]}}"#;
        let live = Object::try_from(from_json(live).unwrap()).unwrap();
        let body = br#"{"kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":2,"containers":[{"name":"web","image":"a"}]}}"#;
        let told = attribute(body, &live);
        assert_eq!(told.manager, "kubectl-scale");
        assert_eq!(told.fields, ["spec.replicas 2 → 5", "spec.containers[web].image a → b"]);
    }

    #[test]
    fn a_secret_is_never_told() {
        let object = |data: &str| format!(r#"{{"kind":"Secret","metadata":{{"name":"s"}},"data":{{"k":"{data}"}}}}"#);
        let live = Object::try_from(from_json(object("aGFja2Vk").as_bytes()).unwrap()).unwrap();
        assert_eq!(attribute(object("c2VjcmV0").as_bytes(), &live).fields, ["data.k ••• (changed)"]);
    }

    #[test]
    fn a_fight_backs_off_and_peace_forgets() {
        let mut repairs = Repairs::default();
        let start = Timestamp::UNIX_EPOCH;
        for second in 0..5 {
            let now = start + SignedDuration::from_secs(second);
            assert_eq!(repairs.next(now), now);
            repairs.record(now);
        }
        let now = start + SignedDuration::from_secs(5);
        assert!(repairs.is_fight());
        assert_eq!(repairs.next(now), start + SignedDuration::from_secs(9));
        let later = start + SignedDuration::from_secs(2000);
        assert_eq!(repairs.next(later), later);
    }
}
