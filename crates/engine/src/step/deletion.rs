//! The deletion of an App: its hooks, its objects in reverse, and then it lets go.

use std::sync::Arc;

use lockstep_api::Deletion;
use lockstep_object::{Gvk, ObjectKey, Text};

use super::Step;
use crate::{
    Effect, HookPhase, Live, Prepared, Problem, Ticket,
    event::Rejected,
    plan::{in_order_of_deletion, question, word_for},
    run::{Purpose, Run},
    state::{Activity, Deleting},
};

impl Step<'_, '_> {
    /// Goes on deleting; tells whether to look again.
    pub(super) fn go_on_deleting(&mut self) -> bool {
        if !matches!(self.state.activity, Activity::Deleting(_)) {
            self.state.activity = Activity::Deleting(Deleting::Begin);
            self.state.problem = None;
            self.state.retry_at = None;
        }
        if !self.state.finalizer || !self.state.in_flight.is_empty() {
            return false;
        }
        match &self.state.activity {
            Activity::Deleting(Deleting::Begin) => self.begin_deleting(),
            Activity::Deleting(Deleting::Running(_)) => self.advance(),
            Activity::Deleting(Deleting::Asking(_)) => {
                let answered = self.is_agreed() || self.state.spec.sync.deletion == Deletion::Orphan;
                if answered {
                    self.state.activity = Activity::Deleting(Deleting::Begin);
                }
                answered
            }
            // The finalizer is still there: its removal did not reach the cluster.
            Activity::Deleting(Deleting::Done) => {
                self.let_go();
                false
            }
            _ => false,
        }
    }

    fn begin_deleting(&mut self) -> bool {
        if self.state.retry_at.is_some_and(|at| at > self.context.now) {
            return false;
        }
        if self.state.spec.sync.deletion == Deletion::Orphan {
            self.let_go();
            return false;
        }
        let ticket = self.state.ticket + 1;
        if self.state.deletion_hooks && self.state.rendered.is_none() {
            let Some(revision) = self.state.target.clone() else {
                self.tell_soon();
                return false;
            };
            self.state.ticket = ticket;
            self.state.activity = Activity::Deleting(Deleting::Rendering(ticket, revision.clone()));
            self.effects.push(Effect::Render { ticket, revision });
            return false;
        }
        // After a restart nothing is known to be there until it was looked at.
        self.state.ticket = ticket;
        self.state.activity = Activity::Deleting(Deleting::Looking(ticket));
        self.effects.push(Effect::Look { ticket, kinds: self.kinds_to_delete() });
        false
    }

    pub(super) fn rendered_for_deletion(&mut self, ticket: Ticket, result: Result<Arc<Prepared>, Rejected>) {
        let revision = match &self.state.activity {
            Activity::Deleting(Deleting::Rendering(awaited, revision)) if *awaited == ticket => revision.clone(),
            _ => return,
        };
        self.state.activity = Activity::Deleting(Deleting::Begin);
        match result {
            Ok(prepared) => self.state.set_prepared(prepared, revision),
            Err(rejected) => {
                let words: Vec<String> = rejected.diagnostics.iter().map(ToString::to_string).collect();
                let message = format!(
                    "the hooks of the deletion cannot be rendered; mend the source, or set sync.deletion to Orphan to keep \
                     the objects: {}",
                    words.join("\n")
                );
                self.fail(&revision, self.context.now, 0, Vec::new(), Problem::new(rejected.kind, message));
            }
        }
    }

    pub(super) fn looked(&mut self, ticket: Ticket) {
        if !matches!(self.state.activity, Activity::Deleting(Deleting::Looking(awaited)) if awaited == ticket) {
            return;
        }
        let left = self.left_to_delete();
        if let Some(question) = self.question_before_deletion(&left) {
            self.notify(true, "DeletionAsks", question.clone());
            self.state.activity = Activity::Deleting(Deleting::Asking(question));
            self.tell_now = true;
            return;
        }
        let (before, after) = (self.hooks_at(HookPhase::PreDelete), self.hooks_at(HookPhase::PostDelete));
        let objects = in_order_of_deletion(left, self.context.live);
        let revision = self.state.synced.clone().unwrap_or_default();
        let start = self.start(Purpose::Deletion, revision, self.state.synced_digest, true, false);
        let run = Run::deletion(start, &before, objects, &after);
        self.state.activity = Activity::Deleting(Deleting::Running(Box::new(run)));
    }

    /// Some objects go only after a person agreed to exactly these.
    fn question_before_deletion(&mut self, objects: &[(ObjectKey, Text)]) -> Option<String> {
        let asks = |key: &ObjectKey| self.context.live.get(key).is_some_and(|live| live.marks.confirm_delete);
        let asked: Vec<_> = objects.iter().filter(|(key, _)| asks(key)).cloned().collect();
        self.state.asks = if asked.is_empty() { String::new() } else { word_for(&asked) };
        let question = || question("the App is being deleted and its objects are kept", &asked, &self.state.asks);
        (!asked.is_empty() && !self.is_agreed()).then(question)
    }

    /// Nothing of the App is left: it may go.
    pub(super) fn let_go(&mut self) {
        self.state.finalizer = false;
        self.state.activity = Activity::Deleting(Deleting::Done);
        self.effects.push(Effect::RemoveFinalizer);
    }

    fn kinds_to_delete(&self) -> Vec<Gvk> {
        let owned = self.state.inventory.iter().map(|(key, record)| (key, &record.version));
        let wanted = self.state.prepared.desired.iter().map(|one| (&one.key, &one.version));
        let mut kinds: Vec<Gvk> = Vec::new();
        for (key, version) in owned.chain(wanted) {
            if !kinds.iter().any(|known| known.kind == key.kind && known.group == key.group) {
                kinds.push(Gvk { group: key.group.clone(), version: version.clone(), kind: key.kind.clone() });
            }
        }
        kinds
    }

    /// Returns the objects that are there, carry our label and do not ask to be kept; what hooks left, too.
    fn left_to_delete(&self) -> Vec<(ObjectKey, Text)> {
        let label = self.state.label.as_str();
        let of_deletion = |key: &ObjectKey| {
            let hook = self.state.desired(key).and_then(|one| one.hook.as_ref());
            hook.is_some_and(|hook| {
                hook.phases.iter().any(|phase| matches!(phase, HookPhase::PreDelete | HookPhase::PostDelete))
            })
        };
        let goes = |key: &ObjectKey, live: &Live| {
            let ours = self.state.inventory.get(key).is_some() || (live.owned != 0 && !live.marks.extraneous);
            ours && !live.marks.keep_on_delete && !of_deletion(key)
        };
        let version = |key: &ObjectKey| {
            let record = self.state.inventory.get(key).map(|record| record.version.clone());
            let wanted = || self.state.desired(key).map(|one| one.version.clone());
            record.or_else(wanted).unwrap_or_else(|| Text::from("v1"))
        };
        let there = self.context.live.of_app(label).filter_map(|key| Some((key, self.context.live.get(key)?)));
        let mut found: Vec<(ObjectKey, Text)> =
            there.filter(|(key, live)| goes(key, live)).map(|(key, _)| (key.clone(), version(key))).collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }
}
