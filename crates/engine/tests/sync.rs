//! Whole syncs against a cluster in memory: what an App does, told as a story.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod world;

use lockstep_api::{AppSpec, DriftMode, IgnoreDifference, Outcome, Phase, SyncPolicy, SyncWindow, WindowKind};
use lockstep_health::Status;
use world::{World, annotated, config, hook, in_wave, job};

#[test]
fn waves_and_phases_follow_each_other_when_healthy() {
    let mut world = World::new(AppSpec::default());
    world.commit(&[
        in_wave(config("late"), 2),
        in_wave(config("early"), -1),
        hook(job("before"), "PreSync"),
        hook(job("after"), "PostSync"),
        in_wave(hook(job("between"), "Sync"), 1),
        config("plain"),
    ]);
    world.run();
    assert_eq!(world.applied(), ["before"], "a hook that works holds what comes after it");
    for (healthy, next) in
        [("before", "early"), ("early", "plain"), ("plain", "between"), ("between", "late"), ("late", "after")]
    {
        world.set(healthy, Status::Healthy);
        assert_eq!(world.applied().last().unwrap(), next);
    }
    world.set("after", Status::Healthy);
    assert_eq!(world.status().phase, Phase::Synced);
    let hooks: Vec<String> = world.status().history[0].hooks.iter().map(|hook| hook.phase.clone()).collect();
    assert_eq!(hooks, ["PreSync", "Sync", "PostSync"]);
}

#[test]
fn hooks_run_again_when_the_desired_state_changed_or_a_sync_is_asked_for_and_never_on_a_repair() {
    let mut world = World::new(AppSpec::default()).always_healthy();
    world.commit(&[hook(job("before"), "PreSync"), config("a")]);
    world.run();
    assert_eq!(world.applied(), ["before", "a"]);
    world.change("a");
    assert_eq!(world.applied(), ["a"], "a repair runs no hook");
    world.commit(&[hook(job("before"), "PreSync"), config("a")]);
    world.run();
    assert!(world.applied().is_empty(), "the same objects owe nothing");
    world.commit(&[hook(job("before"), "PreSync"), config("a"), config("b")]);
    world.run();
    assert_eq!(world.applied(), ["before", "b"]);
    world.ask("now");
    assert_eq!(world.applied(), ["before"]);
}

#[test]
fn delete_policies_are_kept() {
    for (policy, healthy, deleted) in [
        ("BeforeHookCreation", true, false),
        ("HookSucceeded", true, true),
        ("HookFailed", true, false),
        ("HookFailed", false, true),
    ] {
        let mut world = World::new(AppSpec::default());
        let before = hook(job("before"), "PreSync");
        world.commit(&[world::annotated(before, "lockstep.dev/hook-delete-policy", policy), config("a")]);
        world.run();
        world.set("before", if healthy { Status::Healthy } else { Status::Degraded });
        if healthy {
            world.set("a", Status::Healthy);
        }
        let gone = world.story().contains(&"delete before".to_owned());
        assert_eq!(gone, deleted, "{policy}, healthy {healthy}");
    }
}

#[test]
fn a_failed_hook_is_explained_runs_what_follows_a_failure_and_is_told() {
    let mut world = World::new(AppSpec::default());
    world.explanation = Some(("Job/before: BackoffLimitExceeded".to_owned(), "boom".to_owned()));
    world.commit(&[hook(job("before"), "PreSync"), config("a"), hook(job("sorry"), "SyncFail")]);
    world.run();
    world.set("before", Status::Degraded);
    assert_eq!(world.applied(), ["before", "sorry"]);
    assert_eq!(world.status().phase, Phase::Syncing, "the hook after the failure is awaited");
    world.set("sorry", Status::Healthy);
    let status = world.status();
    assert_eq!(status.phase, Phase::Failed);
    let entry = &status.history[0];
    assert_eq!(entry.outcome, Outcome::Failed);
    assert!(entry.reason.contains("BackoffLimitExceeded"), "{}", entry.reason);
    assert_eq!(entry.hooks[0].log, "boom");
    assert_eq!(entry.hooks[1].phase, "SyncFail");
    assert_eq!(world.applied(), ["before"], "after two seconds it is tried again as a whole");
}

#[test]
fn a_crash_in_the_middle_goes_on_where_it_was() {
    let mut world = World::new(AppSpec::default());
    world.commit(&[hook(job("before"), "PreSync"), config("a"), hook(job("after"), "PostSync")]);
    world.run();
    world.set("before", Status::Healthy);
    world.set("a", Status::Healthy);
    assert_eq!(world.applied(), ["before", "a", "after"]);
    world.crash();
    world.run();
    assert!(world.applied().iter().all(|name| name == "a"), "no hook runs twice");
    world.set("after", Status::Healthy);
    assert_eq!(world.status().phase, Phase::Synced);
    world.crash();
    world.run();
    assert!(world.applied().is_empty(), "what was recorded is not done again");
}

#[test]
fn a_new_revision_supersedes_a_sync_that_waits() {
    let mut world = World::new(AppSpec::default());
    world.commit(&[config("a"), in_wave(config("b"), 1)]);
    world.run();
    assert_eq!(world.applied(), ["a"]);
    world.commit(&[config("c"), in_wave(config("b"), 1)]);
    world.run();
    assert_eq!(world.applied(), ["c"], "at once, though a never became healthy");
    assert_eq!(world.status().history[0].outcome, Outcome::Superseded);
}

#[test]
fn a_deadline_fails_with_a_reason_and_a_late_recovery_is_taken() {
    let sync = SyncPolicy { timeout_seconds: 60, ..SyncPolicy::default() };
    let mut world = World::new(AppSpec { sync, ..AppSpec::default() });
    world.explanation = Some(("Deployment/a: 0/1 ready: ImagePullBackOff".to_owned(), String::new()));
    world.commit(&[config("a")]);
    world.run();
    world.wait(50);
    assert_eq!(world.status().phase, Phase::Syncing);
    world.wait(10);
    let status = world.status();
    assert_eq!(
        (status.phase, status.message.contains("ImagePullBackOff")),
        (Phase::Failed, true),
        "{}",
        status.message
    );
    world.set("a", Status::Healthy);
    assert_eq!(world.status().phase, Phase::Synced);
}

#[test]
fn ignored_differences_are_no_drift_and_other_modes_are_as_they_say() {
    let ignore = |warn: bool| IgnoreDifference {
        group: "*".to_owned(),
        json_pointers: vec!["/data/key".to_owned()],
        warn,
        ..IgnoreDifference::default()
    };
    let with = |drift: DriftMode, ignore: Vec<IgnoreDifference>| {
        let sync = SyncPolicy { drift, ..SyncPolicy::default() };
        AppSpec { sync, ignore_differences: ignore, ..AppSpec::default() }
    };
    for (spec, repaired, told) in [
        (with(DriftMode::Repair, vec![]), true, "repaired"),
        (with(DriftMode::Warn, vec![]), false, "reported"),
        (with(DriftMode::Ignore, vec![]), false, ""),
        (with(DriftMode::Repair, vec![ignore(false)]), false, ""),
        (with(DriftMode::Repair, vec![ignore(true)]), false, "reported"),
    ] {
        let mut world = World::new(spec.clone()).always_healthy();
        world.commit(&[config("a")]);
        world.run();
        world.applied();
        world.change("a");
        assert_eq!(!world.applied().is_empty(), repaired, "{spec:?}");
        let drift = world.status().drift;
        assert_eq!(drift.first().map(|drift| drift.action.as_str()).unwrap_or_default(), told, "{spec:?}");
        if let Some(drift) = drift.first() {
            assert_eq!(drift.by, "kubectl-edit (Update at 2026-01-01T00:00:00Z)");
            assert_eq!(drift.fields, ["data.key one → theirs"]);
        }
    }
}

#[test]
fn outside_of_a_window_nothing_is_synced_and_the_opening_is_told() {
    // The world begins on 2026-01-01 at midnight.
    let window = SyncWindow {
        kind: WindowKind::Allow,
        schedule: "0 1 * * *".to_owned(),
        duration: "1h".to_owned(),
        ..SyncWindow::default()
    };
    let sync = SyncPolicy { windows: vec![window.clone()], ..SyncPolicy::default() };
    let mut world = World::new(AppSpec { sync, ..AppSpec::default() }).always_healthy();
    world.commit(&[config("a")]);
    world.run();
    let status = world.status();
    assert_eq!(status.phase, Phase::Waiting);
    assert!(status.message.contains("opens 2026-01-01 01:00 UTC"), "{}", status.message);
    assert!(world.applied().is_empty());
    world.wait(3600);
    assert_eq!(world.applied(), ["a"]);
    world.wait(2 * 3600);
    world.change("a");
    assert_eq!(world.applied(), ["a"], "drift is set back all the same");

    let manual = SyncWindow { manual_sync: true, ..window };
    let sync = SyncPolicy { windows: vec![manual], ..SyncPolicy::default() };
    let mut world = World::new(AppSpec { sync, ..AppSpec::default() }).always_healthy();
    world.commit(&[config("a")]);
    world.run();
    world.ask("now");
    assert_eq!(world.applied(), ["a"], "a person may");
}

#[test]
fn a_prune_waits_for_a_persons_word() {
    let sync = SyncPolicy { confirm_prune: true, ..SyncPolicy::default() };
    let mut world = World::new(AppSpec { sync, ..AppSpec::default() }).always_healthy();
    world.commit(&[config("a"), config("b")]);
    world.run();
    world.commit(&[config("a")]);
    world.run();
    assert!(world.exists("b"));
    let asks = world.status().asks;
    assert!(
        world.status().message.contains(&format!("lockstep.dev/confirm-prune={asks}")),
        "{}",
        world.status().message
    );
    world.confirm("another");
    assert!(world.exists("b"));
    world.confirm(&asks);
    assert!(!world.exists("b"));
}

#[test]
fn everything_is_checked_before_anything_is_changed() {
    let sync = SyncPolicy { validate_first: true, ..SyncPolicy::default() };
    let mut world = World::new(AppSpec { sync, ..AppSpec::default() }).always_healthy();
    world.refused = Some("b".to_owned());
    world.commit(&[config("a"), in_wave(config("b"), 1)]);
    world.run();
    assert!(world.applied().is_empty());
    assert!(world.status().message.contains("nothing was changed"), "{}", world.status().message);
    world.refused = None;
    world.wait(10);
    assert_eq!(world.applied(), ["a", "b"]);
}

#[test]
fn an_atomic_app_goes_back_and_holds_until_git_changes() {
    let sync = SyncPolicy { atomic: true, timeout_seconds: 60, ..SyncPolicy::default() };
    let mut world = World::new(AppSpec { sync, ..AppSpec::default() });
    world.commit(&[config("a")]);
    world.run();
    world.set("a", Status::Healthy);
    let good = world.status().revision;
    world.commit(&[config("a"), config("bad")]);
    world.run();
    assert!(world.exists("bad"));
    world.wait(120);
    let status = world.status();
    assert!(!world.exists("bad"), "{}", status.message);
    assert_eq!((status.revision.as_str(), status.phase), (good.as_str(), Phase::Failed));
    assert!(status.message.contains("went back to") && status.message.contains("revert"), "{}", status.message);
    world.crash();
    world.run();
    assert!(!world.exists("bad"), "a restart does not try it again");
    world.commit(&[config("a"), config("mended")]);
    world.run();
    world.set("mended", Status::Healthy);
    assert_eq!((world.status().phase, world.status().held_revision), (Phase::Synced, String::new()));
}

#[test]
fn a_deleted_app_runs_its_hooks_and_goes_in_reverse() {
    let mut world = World::new(AppSpec::default()).always_healthy();
    world.commit(&[
        hook(job("last-words"), "PreDelete"),
        config("a"),
        in_wave(config("b"), 1),
        hook(job("wake"), "PostDelete"),
    ]);
    world.run();
    assert_eq!(world.applied(), ["a", "b"]);
    world.crash();
    world.delete_app();
    assert_eq!(world.story(), ["apply last-words", "delete b", "delete a", "apply wake", "let go"]);
}

#[test]
fn a_deletion_whose_hook_failed_runs_only_that_hook_again() {
    let mut world = World::new(AppSpec::default());
    world.commit(&[
        in_wave(hook(job("first"), "PreDelete"), 0),
        in_wave(hook(job("second"), "PreDelete"), 1),
        config("a"),
    ]);
    world.run();
    world.set("a", Status::Healthy);
    world.delete_app();
    world.set("first", Status::Healthy);
    world.set("second", Status::Degraded);
    world.wait(100);
    assert_eq!(world.story(), ["apply first", "apply second", "delete second", "apply second"]);
    assert!(world.exists("a"), "nothing goes before the hooks succeeded");
    world.set("second", Status::Healthy);
    assert_eq!(world.story()[4..], ["delete a", "let go"]);
}

#[test]
fn an_app_whose_objects_ask_for_it_is_deleted_after_a_persons_word() {
    let mut world = World::new(AppSpec::default()).always_healthy();
    let asks = annotated(config("data"), "argocd.argoproj.io/sync-options", "Delete=confirm");
    world.commit(&[asks, config("a")]);
    world.run();
    world.delete_app();
    let status = world.status();
    assert!(world.story().is_empty(), "{:?}", world.story());
    assert!(
        status.message.contains(&format!(
            "shop/ConfigMap/data; annotate the App with lockstep.dev/confirm-prune={}",
            status.asks
        )),
        "{}",
        status.message
    );
    world.confirm("another word");
    assert!(world.story().is_empty(), "{:?}", world.story());
    world.confirm(&status.asks);
    assert_eq!(world.story(), ["delete a", "delete data", "let go"]);
}

#[test]
fn a_refused_revision_between_two_equal_ones_runs_no_hook_twice() {
    let mut world = World::new(AppSpec::default());
    let all = [hook(job("before"), "PreSync"), config("a")];
    world.commit(&[config("a")]);
    world.run();
    world.set("a", Status::Healthy);
    world.commit(&all);
    world.run();
    world.commit(&[]);
    world.run();
    world.commit(&all);
    world.run();
    world.set("before", Status::Healthy);
    assert_eq!(world.applied(), ["a", "before"]);
}

#[test]
fn a_selective_sync_applies_what_was_chosen_and_runs_no_hook() {
    let sync = SyncPolicy { auto: false, ..SyncPolicy::default() };
    let mut world = World::new(AppSpec { sync, ..AppSpec::default() }).always_healthy();
    world.commit(&[hook(job("before"), "PreSync"), config("a"), config("b")]);
    world.run();
    assert!(world.applied().is_empty());
    world.ask_for("one", "ConfigMap/b");
    assert_eq!(world.applied(), ["b"]);
    world.ask("all");
    assert_eq!(world.applied(), ["before", "a"]);
}

#[test]
fn a_dependency_is_ready_as_its_expression_says() {
    let dependency = |ready: Option<&str>| lockstep_api::DependencyRef {
        name: "database".to_owned(),
        ready: ready.map(str::to_owned),
        ..lockstep_api::DependencyRef::default()
    };
    for (ready, goes, words) in [
        (None, false, "to be ready"),
        (Some("status.health == 'Suspended'"), true, ""),
        (Some("status.health == 'Healthy'"), false, "status.health == 'Healthy'"),
        (Some("status.nothing.at.all"), false, "status.nothing.at.all"),
    ] {
        let mut world =
            World::new(AppSpec { depends_on: vec![dependency(ready)], ..AppSpec::default() }).always_healthy();
        world.commit(&[config("a")]);
        world.run();
        assert_eq!(!world.applied().is_empty(), goes, "{ready:?}");
        assert!(world.status().message.contains(words), "{ready:?}: {}", world.status().message);
    }
}

#[test]
fn a_rule_that_cannot_be_read_stops_the_app_and_says_so() {
    let ignore = IgnoreDifference {
        group: "*".to_owned(),
        jq_path_expressions: vec![".data | keys".to_owned()],
        ..IgnoreDifference::default()
    };
    let mut world = World::new(AppSpec { ignore_differences: vec![ignore], ..AppSpec::default() });
    world.commit(&[config("a")]);
    world.run();
    assert!(world.applied().is_empty());
    assert!(world.status().message.contains("supported are paths"), "{}", world.status().message);
}

#[test]
fn what_drifts_while_a_sync_waits_is_set_back_when_it_ended() {
    let mut world = World::new(AppSpec::default());
    world.commit(&[config("a"), in_wave(config("b"), 1)]);
    world.run();
    world.set("a", Status::Healthy);
    assert_eq!(world.applied(), ["a", "b"]);
    world.change("a");
    assert!(world.applied().is_empty(), "the sync goes first");
    world.set("b", Status::Healthy);
    assert_eq!(world.applied(), ["a"]);
    assert_eq!(world.status().drift[0].manager, "kubectl-edit");
}

#[test]
fn a_prune_whose_objects_are_gone_already_does_not_wait() {
    let mut world = World::new(AppSpec::default()).always_healthy();
    world.commit(&[config("a"), config("b")]);
    world.run();
    world.finalized = Some("b".to_owned());
    world.commit(&[config("a")]);
    world.run();
    assert!(
        world.status().message.contains("still being deleted: shop/ConfigMap/b (its finalizers: example.com/hold)")
    );
    world.wait(400);
    assert_eq!(world.status().history[0].outcome, Outcome::Failed, "waiting has an end");
    world.finalized = None;
    world.remove("b");
    world.wait(60);
    assert_eq!(world.status().phase, Phase::Synced);
}

#[test]
fn what_was_rendered_by_rules_of_before_is_rendered_again() {
    let mut world = World::new(AppSpec::default()).always_healthy();
    world.forbidden_until_rendered = true;
    world.commit(&[config("a")]);
    world.run();
    assert_eq!(world.applied(), ["a"]);
    assert_eq!(world.status().phase, Phase::Synced);
}
