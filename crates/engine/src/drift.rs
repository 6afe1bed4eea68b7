//! Who changed what.

use jiff::{SignedDuration, Timestamp};
use lockstep_api::FIELD_MANAGER;
use lockstep_diff::{Author, Ignore, foreign_changes, line_of, taken_over};
use lockstep_object::{Object, from_json};

/// Who changed what of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attribution {
    /// The field manager, empty if nobody could be named.
    pub manager: String,
    /// Who, how and when: `kubectl-edit (Update at 2026-01-01T10:00:00Z)`; empty if nobody could be named.
    pub by: String,
    /// The changes, as `spec.replicas 2 → 5`; values of Secrets are masked. Empty if there are none.
    pub fields: Vec<String>,
}

/// More changes than these are counted, not listed.
const LISTED: usize = 5;

impl Attribution {
    /// Returns what there is to say about an object that was deleted: nothing tells by whom.
    pub(crate) fn deleted() -> Self {
        Self { fields: vec!["deleted".to_owned()], ..Self::default() }
    }
}

/// Tells who changed what: the fields of the body that we applied which the live object has otherwise, but for those
/// that the rules leave out. Several authors are all named. If there are none, the fields may have been taken over as
/// they are; then this is told.
pub fn attribute(body: &[u8], live: &Object, ignore: &[Ignore]) -> Attribution {
    let Some(desired) = from_json(body).ok().and_then(|value| Object::try_from(value).ok()) else {
        return Attribution::default();
    };
    let changes = foreign_changes(&desired, live, FIELD_MANAGER, ignore);
    if changes.is_empty()
        && let Some(author) = taken_over(&desired, live, FIELD_MANAGER, ignore)
    {
        let fields = vec!["fields of ours taken over as they are".to_owned()];
        return Attribution { by: words_of(&author), manager: author.manager, fields };
    }
    let mut fields: Vec<String> = changes.iter().take(LISTED).map(|one| line_of(&one.change)).collect();
    if changes.len() > fields.len() {
        fields.push(format!("and {} more", changes.len() - fields.len()));
    }
    let mut authors: Vec<&Author> = changes.iter().filter_map(|one| one.author.as_ref()).collect();
    authors.dedup();
    let manager = authors.first().map(|author| author.manager.clone()).unwrap_or_default();
    let mut by: Vec<String> = authors.into_iter().map(words_of).collect();
    by.dedup();
    Attribution { manager, by: by.join(", "), fields }
}

fn words_of(author: &Author) -> String {
    let how = match author.subresource.as_str() {
        "" => author.operation.clone(),
        subresource => format!("{} of {subresource}", author.operation),
    };
    match author.time.as_str() {
        "" => format!("{} ({how})", author.manager),
        time => format!("{} ({how} at {time})", author.manager),
    }
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

    fn object(json: &str) -> Object {
        Object::try_from(from_json(json.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_change_is_told_with_its_author() {
        let live = object(
            r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","managedFields":[
            {"manager":"lockstep","operation":"Apply","fieldsV1":{}},
            {"manager":"kubectl-scale","operation":"Update","time":"2026-01-01T00:00:00Z","fieldsV1":{"f:spec":{"f:replicas":{}}}}]},
            "spec":{"replicas":5,"template":{"spec":{"containers":[{"name":"side"},{"name":"web","image":"a"}]}}}}"#,
        );
        let body = br#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},
            "spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"web","image":"a"}]}}}}"#;
        let told = attribute(body, &live, &[]);
        assert_eq!(told.fields, ["spec.replicas 2 → 5"]);
        assert_eq!(told.by, "kubectl-scale (Update at 2026-01-01T00:00:00Z)");
        let ignored = attribute(body, &live, &[Ignore::pointer("/spec/replicas").unwrap()]);
        assert_eq!(ignored, Attribution::default());
    }

    #[test]
    fn a_secret_is_never_told() {
        let secret = |data: &str| {
            format!(r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"s"}},"data":{{"k":"{data}"}}}}"#)
        };
        let told = attribute(secret("c2VjcmV0").as_bytes(), &object(&secret("aGFja2Vk")), &[]);
        assert_eq!(told.fields.len(), 1);
        assert!(!told.fields[0].contains("aGFja2Vk") && !told.fields[0].contains("c2VjcmV0"), "{:?}", told.fields);
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
