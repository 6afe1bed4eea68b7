//! Drift: what others changed of what we left in order.

use std::sync::Arc;

use jiff::Timestamp;
use lockstep_api::{Drift, DriftMode};
use lockstep_object::{Object, ObjectKey};

use super::Step;
use crate::{
    Attribution, attribute,
    facts::time_text,
    plan::is_as_we_left_it,
    state::{Activity, Applying},
    windows::closed,
};

/// What is done about a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Report,
    Repair(Timestamp),
    /// Not before this time, for somebody sets it again and again.
    BackOff(Timestamp),
    /// Not before a window opens.
    Hold(Option<Timestamp>),
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Report => "reported",
            Self::Repair(_) => "repaired",
            Self::BackOff(_) => "backing off",
            Self::Hold(_) => "waits for the window",
        }
    }
}

impl Step<'_, '_> {
    pub(super) fn live(&mut self, key: &ObjectKey, object: Option<Arc<Object>>) {
        let label = Some(self.state.label.as_str());
        if self.context.live.get(key).is_none_or(|live| live.app.as_deref() != label) {
            let wanted = self.state.by_key.contains_key(key);
            if !wanted || self.state.deleting {
                self.state.inventory.remove(key);
            }
            // What was handed over while its deletion was under way never goes.
            if let Some(run) = self.run() {
                run.leave(key);
            }
        }
        if !self.is_drift(key) {
            self.state.missed.remove(key);
        } else if self.is_quiet() {
            self.drift(key, object.as_deref());
        } else {
            self.state.missed.insert(key.clone(), object);
        }
    }

    /// Looks at an object whose answer came: it may have been changed again, or deleted, while that was under way.
    pub(super) fn look_after_answer(&mut self, key: &ObjectKey) {
        if !self.is_drift(key) {
            return;
        }
        if self.is_quiet() {
            self.drift(key, None);
        } else {
            self.state.missed.insert(key.clone(), None);
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.state.activity, Activity::Idle | Activity::Waiting(_))
    }

    /// Looks at what drifted while a sync was under way.
    pub(super) fn catch_up(&mut self) {
        for (key, object) in std::mem::take(&mut self.state.missed) {
            if self.is_drift(&key) {
                self.drift(&key, object.as_deref());
            }
        }
    }

    /// Tells whether an object that we left in order is no longer so, and nobody is at it.
    fn is_drift(&self, key: &ObjectKey) -> bool {
        let state = &self.state;
        if state.deleting || state.in_flight.contains_key(key) {
            return false;
        }
        if state.spec.sync.drift_mode() == DriftMode::Ignore
            || self.context.live.get(key).is_some_and(|one| one.deleting)
        {
            return false;
        }
        let (Some(one), Some(record)) = (state.desired(key), state.inventory.get(key)) else { return false };
        let known = one.hook.is_none() && record.desired == one.digest;
        known && !is_as_we_left_it(one, &state.inventory, self.context.live)
    }

    /// The digests say that something of ours is otherwise; whether that is a difference the comparison decides.
    fn drift(&mut self, key: &ObjectKey, object: Option<&Object>) {
        let Some(one) = self.state.desired(key) else { return };
        let ignored = self.state.rules.ignored(key);
        let told = match object {
            // Nobody showed it; applying it again does no harm if it is in order.
            None if self.context.live.get(key).is_some() => {
                Attribution { fields: vec!["changed while it was being applied".to_owned()], ..Attribution::default() }
            }
            None => Attribution::deleted(),
            Some(object) => {
                let told = attribute(&one.body, object, &ignored.silent);
                if told.fields.is_empty() {
                    return self.accept(key);
                }
                told
            }
        };
        // What is to be told and not set back is a difference only without its rules.
        let only_warned = object.is_some_and(|object| {
            !ignored.respect.0.is_empty() && attribute(&one.body, object, &ignored.respect.0).fields.is_empty()
        });
        let action = if only_warned { Action::Report } else { self.action(key) };
        let waits = self.state.repair_at.contains_key(key);
        match action {
            Action::Repair(at) | Action::BackOff(at) => {
                self.state.repair_at.insert(key.clone(), at);
            }
            Action::Hold(Some(until)) => {
                self.state.repair_at.insert(key.clone(), until);
            }
            // After a suspension it is set back: nobody said that it may stay.
            Action::Report if self.state.spec.suspend => {}
            Action::Report => self.accept(key),
            Action::Hold(None) => {}
        }
        let name = key.to_string();
        let last = self.state.drift.iter().find(|last| last.object == name);
        let known = action == Action::Report && last.is_some_and(|last| last.fields == told.fields);
        if !waits && !known {
            self.tell_drift(key, told, action);
        }
    }

    /// Nothing of it is to be set back: the object is in order as it is.
    fn accept(&mut self, key: &ObjectKey) {
        let Some(owned) = self.context.live.get(key).map(|live| live.owned) else { return };
        if let Some(mut record) = self.state.inventory.get(key).cloned() {
            record.owned = owned;
            self.state.inventory.insert(key.clone(), record);
        }
    }

    fn action(&mut self, key: &ObjectKey) -> Action {
        let now = self.context.now;
        let spec = &self.state.spec;
        if spec.suspend || spec.sync.drift_mode() != DriftMode::Repair {
            return Action::Report;
        }
        if let Some(closed) = closed(&self.state.rules.windows, now).filter(|closed| closed.hold_repairs) {
            return Action::Hold(closed.until);
        }
        let at = self.state.repairs.entry(key.clone()).or_default().next(now);
        if at > now { Action::BackOff(at) } else { Action::Repair(at) }
    }

    fn tell_drift(&mut self, key: &ObjectKey, told: Attribution, action: Action) {
        let fight = self.state.repairs.get(key).is_some_and(crate::drift::Repairs::is_fight);
        let by = if told.by.is_empty() { String::new() } else { format!(" by {}", told.by) };
        let mut words = format!("{key}: {}{by}; {}", told.fields.join(", "), action.as_str());
        if fight {
            words.push_str("; it is changed again and again, which looks like a second controller");
        }
        self.notify(true, "Drift", words);
        self.state.remember_drift(Drift {
            object: key.to_string(),
            fields: told.fields,
            manager: told.manager,
            by: told.by,
            time: time_text(self.context.now),
            action: action.as_str().to_owned(),
        });
        self.tell_soon();
    }

    /// Sets back what is due, if it still is as it should not be.
    pub(super) fn repair_due(&mut self) {
        if !self.is_quiet() {
            // A sync goes first; its last step comes here again.
            return;
        }
        let now = self.context.now;
        let due: Vec<ObjectKey> =
            self.state.repair_at.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.state.repair_at.remove(&key);
            let repairs = !self.state.spec.suspend && self.state.spec.sync.drift_mode() == DriftMode::Repair;
            if !repairs || !self.is_drift(&key) {
                continue;
            }
            self.state.repairs.entry(key.clone()).or_default().record(now);
            let Some(one) = self.state.desired(&key).cloned() else { continue };
            self.apply(&Arc::new(one), Applying::Repair(now));
        }
        if let Some(next) = self.state.repair_at.values().min().copied() {
            self.wake_at(next);
        }
    }

    pub(super) fn finish_repair(&mut self, key: &ObjectKey, millis: i128) {
        self.notify(false, "DriftRepaired", format!("{key}: set back after {millis} ms"));
    }
}
