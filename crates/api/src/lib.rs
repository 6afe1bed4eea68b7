//! Lockstep's own resources and the names it puts on other objects.
//!
//! What: the types of `App` and `Project` (group [`GROUP`], version [`VERSION`]) with their custom resource
//! definitions, and every label, annotation, finalizer and field manager as a named constant.
//!
//! What not: no behaviour, no client. These texts are load-bearing: they stand in people's clusters.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod app;
mod crd;
mod kustomize;
mod project;
mod status;

pub use app::{
    App, AppSpec, ChartSource, Deletion, DependencyRef, Destination, DriftMode, FolderSource, GitSource, HelmOptions,
    IgnoreDifference, Metadata, NamedSource, NamespaceMetadata, OciSource, Retry, SecretRef, Source, SyncPolicy,
    ValuesReference,
};
pub use crd::crds;
pub use kustomize::{
    KustomizeImage, KustomizeOptions, KustomizePatch, KustomizeReplicas, KustomizeTarget, LoadRestrictor,
};
pub use project::{AllowedDestination, AllowedKind, HealthRule, Project, ProjectSpec, SyncWindow, WindowKind, matches};
pub use status::{AppHealth, AppStatus, Condition, Drift, HistoryEntry, HookResult, Outcome, Phase};

/// The API group of our resources.
pub const GROUP: &str = "lockstep.dev";
/// The version of our resources.
pub const VERSION: &str = "v1alpha1";
/// The `apiVersion` of our resources.
pub const API_VERSION: &str = "lockstep.dev/v1alpha1";
/// The field manager of every apply.
pub const FIELD_MANAGER: &str = "lockstep";
/// The label on each managed object: which App owns it; see [`owner_label`].
pub const APP_LABEL: &str = "lockstep.dev/app";
/// The finalizer on an App whose objects are deleted with it.
pub const FINALIZER: &str = "lockstep.dev/prune";
/// The annotation with an object's wave, an integer; lower waves are applied and healthy first.
pub const WAVE: &str = "lockstep.dev/wave";
/// The annotation that makes an object a hook: `PreSync`, `Sync`, `PostSync`, `SyncFail`, `PreDelete`, `PostDelete`.
pub const HOOK: &str = "lockstep.dev/hook";
/// The annotation with a hook's delete policies: `BeforeHookCreation`, `HookSucceeded`, `HookFailed`.
pub const HOOK_DELETE_POLICY: &str = "lockstep.dev/hook-delete-policy";
/// The annotation that keeps an object from being pruned: `disabled`.
pub const PRUNE: &str = "lockstep.dev/prune";
/// The annotation on an App that asks for a sync now; its value is any new text.
pub const REFRESH: &str = "lockstep.dev/refresh";
/// The annotation on an App with the objects that the sync asked for is about, as `Deployment/web,apps/StatefulSet/db`.
pub const SYNC_RESOURCES: &str = "lockstep.dev/sync-resources";
/// The annotation on an App that agrees to the pruning that its status asks about.
pub const CONFIRM_PRUNE: &str = "lockstep.dev/confirm-prune";
/// The annotation with options of how an object is synced; the words are Argo CD's: `Prune=false,Replace=true`.
pub const SYNC_OPTIONS: &str = "lockstep.dev/sync-options";
/// The annotation with options of how an object is compared; the words are Argo CD's: `IgnoreExtraneous`.
pub const COMPARE_OPTIONS: &str = "lockstep.dev/compare-options";
/// The annotation that we put on a hook's object: the sync that it ran for.
pub const HOOK_RUN: &str = "lockstep.dev/hook-run";
/// The project of Apps that name none.
pub const DEFAULT_PROJECT: &str = "default";

/// Returns the value of [`APP_LABEL`] for an App: `<namespace>.<name>`, or a prefix and a digest where that
/// exceeds the 63 characters of a label.
pub fn owner_label(namespace: &str, name: &str) -> String {
    let whole = format!("{namespace}.{name}");
    if whole.len() <= 63 {
        return whole;
    }
    // FNV-1a: the texts are ours, only accidents must be told apart.
    let digest = whole
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{}-{digest:016x}", &whole[..46])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_label_fits_and_tells_apps_apart() {
        assert_eq!(owner_label("default", "shop"), "default.shop");
        let long = "n".repeat(200);
        assert_eq!(owner_label("default", &long).len(), 63);
        assert_ne!(owner_label("default", &long), owner_label("default", &format!("{long}x")));
    }

    #[test]
    fn load_bearing_names_do_not_move() {
        let names = [APP_LABEL, FINALIZER, WAVE, HOOK, HOOK_DELETE_POLICY, PRUNE, REFRESH, FIELD_MANAGER, API_VERSION];
        let asked = [SYNC_RESOURCES, CONFIRM_PRUNE, SYNC_OPTIONS, COMPARE_OPTIONS, HOOK_RUN];
        assert_eq!(
            asked.map(|name| name.trim_start_matches("lockstep.dev/")),
            ["sync-resources", "confirm-prune", "sync-options", "compare-options", "hook-run"]
        );
        assert_eq!(
            names,
            [
                "lockstep.dev/app",
                "lockstep.dev/prune",
                "lockstep.dev/wave",
                "lockstep.dev/hook",
                "lockstep.dev/hook-delete-policy",
                "lockstep.dev/prune",
                "lockstep.dev/refresh",
                "lockstep",
                "lockstep.dev/v1alpha1"
            ]
        );
    }
}
