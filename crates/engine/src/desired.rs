//! Rendered objects made ready to be applied.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use lockstep_api::{APP_LABEL, FINALIZER, HOOK, HOOK_DELETE_POLICY};
use lockstep_object::{Diagnostic, Gvk, List, Map, Object, ObjectKey, Place, Text, Value, apply_rank, to_json};

use crate::{AppId, Marks, marks::WAVES};

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They belong to the whole cluster.
    Cluster,
}

/// Tells the scope of kinds: the cluster's discovery.
pub trait Scopes {
    /// Returns the scope of a kind, if the cluster knows it.
    fn scope(&self, gvk: &Gvk) -> Option<Scope>;
}

/// The part of a sync that an object belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncPhase {
    /// Hooks before everything.
    PreSync,
    /// The objects, and hooks among them.
    #[default]
    Sync,
    /// Hooks after everything is healthy.
    PostSync,
}

/// A phase and a wave: everything of one stage is healthy before the next begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stage {
    /// The phase.
    pub phase: SyncPhase,
    /// The wave.
    pub wave: i32,
}

/// The order inside a stage: a class is applied after the one before it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Namespaces and custom resource definitions, which must be established before the rest.
    Definitions,
    /// What workloads need: accounts, secrets, configuration, volumes, permissions.
    Foundations,
    /// Everything else.
    Workloads,
    /// What intercepts requests.
    Interceptors,
}

impl Class {
    /// Returns the class of a kind.
    pub fn of(kind: &str) -> Self {
        let rank = apply_rank(kind);
        match () {
            () if rank <= apply_rank("CustomResourceDefinition") => Self::Definitions,
            () if rank < apply_rank("Service") => Self::Foundations,
            () if rank > apply_rank("") => Self::Interceptors,
            () => Self::Workloads,
        }
    }
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HookPhase {
    /// In a phase of the sync.
    At(SyncPhase),
    /// After a sync failed.
    SyncFail,
    /// Before the App's objects are deleted.
    PreDelete,
    /// After the App's objects were deleted.
    PostDelete,
}

impl HookPhase {
    /// Returns the word of the annotation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::At(SyncPhase::PreSync) => "PreSync",
            Self::At(SyncPhase::Sync) => "Sync",
            Self::At(SyncPhase::PostSync) => "PostSync",
            Self::SyncFail => "SyncFail",
            Self::PreDelete => "PreDelete",
            Self::PostDelete => "PostDelete",
        }
    }
}

/// When a hook's object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeletePolicy {
    /// Before it is made anew.
    pub before_creation: bool,
    /// When it succeeded.
    pub succeeded: bool,
    /// When it failed.
    pub failed: bool,
}

/// What makes an object a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// When it runs.
    pub phases: Vec<HookPhase>,
    /// When it is deleted.
    pub delete: DeletePolicy,
}

/// An object that the cluster shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// What names it.
    pub key: ObjectKey,
    /// The version to apply it in.
    pub version: Text,
    /// Its JSON, with our label.
    pub body: Arc<[u8]>,
    /// The digest of the JSON.
    pub digest: u64,
    /// When it is applied.
    pub stage: Stage,
    /// Its order inside the stage.
    pub class: Class,
    /// Whether it is a hook.
    pub hook: Option<Hook>,
    /// What its annotations ask for.
    pub marks: Marks,
}

/// The objects of a revision, ready to be applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// The objects, in the order of stages and classes.
    pub desired: Vec<Desired>,
    /// The digest of all of them.
    pub digest: u64,
    /// What is wrong with them; errors mean that they must not be applied.
    pub diagnostics: Vec<Diagnostic>,
    /// Kinds that the cluster does not know and no definition among the objects brings.
    pub unknown: Vec<Gvk>,
}

/// Gives an App that names only a path the repository of the App that it comes from: a repository of Apps then needs
/// no URL of its own and works wherever it is. The same holds for the repositories that hold its values.
pub fn inherit_source(object: &mut Object, parent: &lockstep_api::Source) {
    if object.kind() != "App" || object.api_version() != lockstep_api::API_VERSION {
        return;
    }
    if object.at(&["spec", "source"]).is_none() {
        return;
    }
    let source = object.root_mut().map_entry("spec").map_entry("source");
    inherit(source, parent);
    if let Some(Value::List(refs)) = source.get_mut("refs") {
        refs.make_mut().iter_mut().filter_map(Value::as_map_mut).for_each(|one| inherit(one, parent));
    }
}

fn inherit(source: &mut Map, parent: &lockstep_api::Source) {
    let git = source.get("git").cloned();
    let Some(Value::Map(mut git)) = git.filter(|git| git.get("url").is_none()) else { return };
    match parent {
        lockstep_api::Source { git: Some(theirs), .. } => {
            git.insert("url", theirs.url.as_str());
            if let (None, Some(reference)) = (git.get("ref"), &theirs.reference) {
                git.insert("ref", reference.as_str());
            }
            source.insert("git", git);
        }
        lockstep_api::Source { folder: Some(theirs), .. } => {
            let path = git.remove("path").unwrap_or_default();
            let folder: Map = [("root", Value::from(theirs.root.as_str())), ("path", path)].into_iter().collect();
            source.remove("git");
            source.insert("folder", folder);
        }
        lockstep_api::Source { .. } => {}
    }
}

/// Makes rendered objects ready for an App: namespaces, our label, waves and hooks, duplicates found.
pub fn prepare(app: &AppId, objects: &[(Object, Place)], namespace: &str, scopes: &dyn Scopes) -> Prepared {
    let own = scopes_of_definitions(objects);
    let label = app.label();
    let mut prepared = Prepared::default();
    let mut places: HashMap<ObjectKey, &Place> = HashMap::new();
    let mut unknown = BTreeSet::new();
    for (object, place) in objects {
        let gvk = object.gvk();
        let known = scopes.scope(&gvk).or_else(|| own.get(&(gvk.group.to_string(), gvk.kind.to_string())).copied());
        if known.is_none() && unknown.insert(gvk.to_string()) {
            prepared.unknown.push(gvk.clone());
        }
        let desired = match desired(object, known, namespace, &label) {
            Ok(desired) => desired,
            Err(message) => {
                prepared.diagnostics.push(Diagnostic::error(place.clone(), message));
                continue;
            }
        };
        let Some(desired) = desired else { continue };
        if let Some(first) = places.insert(desired.key.clone(), place) {
            let message = format!("{} is defined a second time; the first is at {first}", desired.key);
            prepared.diagnostics.push(Diagnostic::error(place.clone(), message).hint("remove one of the two"));
            continue;
        }
        prepared.desired.push(desired);
    }
    hoist_definitions(&mut prepared.desired, objects);
    prepared.desired.sort_by(|a, b| (a.stage, a.class, &a.key).cmp(&(b.stage, b.class, &b.key)));
    prepared.digest = prepared.desired.iter().fold(FNV, |hash, one| (hash ^ one.digest).wrapping_mul(FNV_PRIME));
    prepared
}

/// Moves namespaces and definitions before the first object that needs them, whatever their own wave.
fn hoist_definitions(desired: &mut [Desired], objects: &[(Object, Place)]) {
    let definitions = objects.iter().filter(|(object, _)| object.kind() == "CustomResourceDefinition");
    let brought: HashMap<&str, (&str, &str)> = definitions
        .map(|(object, _)| {
            (object.name(), (object.str_at(&["spec", "group"]), object.str_at(&["spec", "names", "kind"])))
        })
        .collect();
    let mut by_namespace: HashMap<Text, Stage> = HashMap::new();
    let mut by_kind: HashMap<(Text, Text), Stage> = HashMap::new();
    let earlier = |known: &mut Stage, stage: Stage| *known = stage.min(*known);
    for one in desired.iter() {
        let ObjectKey { group, kind, namespace, .. } = &one.key;
        earlier(by_namespace.entry(namespace.clone()).or_insert(one.stage), one.stage);
        earlier(by_kind.entry((group.clone(), kind.clone())).or_insert(one.stage), one.stage);
    }
    for one in desired.iter_mut().filter(|one| one.hook.is_none()) {
        let first = match one.key.kind.as_str() {
            "Namespace" if one.key.group.is_empty() => by_namespace.get(&one.key.name),
            "CustomResourceDefinition" => brought
                .get(one.key.name.as_str())
                .and_then(|(group, kind)| by_kind.get(&(Text::from(*group), Text::from(*kind)))),
            _ => None,
        };
        one.stage = first.map_or(one.stage, |first| one.stage.min(*first));
    }
}

/// Returns the scopes of kinds that custom resource definitions among the objects bring.
fn scopes_of_definitions(objects: &[(Object, Place)]) -> HashMap<(String, String), Scope> {
    let definitions = objects.iter().filter(|(object, _)| object.kind() == "CustomResourceDefinition");
    definitions
        .map(|(object, _)| {
            let scope = match object.str_at(&["spec", "scope"]) {
                "Cluster" => Scope::Cluster,
                _ => Scope::Namespaced,
            };
            let group = object.str_at(&["spec", "group"]).to_owned();
            ((group, object.str_at(&["spec", "names", "kind"]).to_owned()), scope)
        })
        .collect()
}

/// What a kube-apiserver (1.36, `limit is 3145728`) takes in one request.
const LARGEST_OBJECT: usize = 3 << 20;

/// Makes one object ready; nothing for what asks to be skipped.
fn desired(object: &Object, scope: Option<Scope>, namespace: &str, label: &str) -> Result<Option<Desired>, String> {
    let mut object = object.clone();
    let wave = wave_of(&object)?;
    let hook = match hook_of(&object) {
        HookWord::Skip => return Ok(None),
        HookWord::Hook(hook) => Some(hook),
        HookWord::Plain => None,
    };
    match scope {
        Some(Scope::Namespaced) if object.namespace().is_empty() => object.set_namespace(namespace),
        Some(Scope::Cluster) => {
            object.metadata_mut().remove("namespace");
        }
        _ => {}
    }
    if object.name().is_empty() {
        let prefix = object.str_at(&["metadata", "generateName"]).to_owned();
        if prefix.is_empty() || hook.is_none() {
            return Err(format!("{} has no metadata.name", object.kind()));
        }
        let suffix = digest_of(to_json(&object.to_value()).as_bytes());
        object.metadata_mut().insert("name", format!("{prefix}{:08x}", suffix as u32));
        object.metadata_mut().remove("generateName");
    }
    object.set_label(APP_LABEL, label);
    if object.kind() == "App" && object.gvk().group.as_str() == lockstep_api::GROUP {
        keep_until_pruned(&mut object);
    }
    object.root_mut().remove("status");
    let body: Arc<[u8]> = to_json(&object.to_value()).into_bytes().into();
    if body.len() > LARGEST_OBJECT {
        let megabytes = body.len() as f64 / f64::from(1 << 20);
        return Err(format!(
            "{} {} has {megabytes:.1} MiB, and an API server takes no request over 3 MiB; split it",
            object.kind(),
            object.name()
        ));
    }
    let phase = match &hook {
        Some(hook) => hook.phases.iter().find_map(|phase| match phase {
            HookPhase::At(phase) => Some(*phase),
            _ => None,
        }),
        None => Some(SyncPhase::Sync),
    };
    Ok(Some(Desired {
        key: object.key(),
        version: object.gvk().version,
        digest: digest_of(&body),
        body,
        stage: Stage { phase: phase.unwrap_or_default(), wave },
        class: Class::of(object.kind()),
        hook,
        marks: Marks::of(&object),
    }))
}

/// Gives an App of an App its finalizer from the start, which saves the request that sets it later.
fn keep_until_pruned(app: &mut Object) {
    let finalizers = app.metadata_mut().entry("finalizers", || List::new().into());
    if let Some(list) = finalizers.as_list_mut()
        && !list.iter().any(|one| one.as_str() == Some(FINALIZER))
    {
        list.push(FINALIZER);
    }
}

/// Reads the wave: ours, Argo CD's, or the weight of a Helm hook.
fn wave_of(object: &Object) -> Result<i32, String> {
    for name in WAVES {
        if let Some(text) = object.annotation(name) {
            return text.trim().parse().map_err(|_| format!("the annotation {name} is not an integer: {text:?}"));
        }
    }
    Ok(0)
}

enum HookWord {
    Plain,
    Skip,
    Hook(Hook),
}

/// Reads what makes an object a hook: our annotation or Argo CD's, else Helm's as Argo CD translates them.
fn hook_of(object: &Object) -> HookWord {
    let words = |names: &[&str]| names.iter().find_map(|name| object.annotation(name));
    let list = |text: &str| text.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>();
    let (phases, known): (Vec<HookPhase>, bool) = match words(&[HOOK, "argocd.argoproj.io/hook"]) {
        Some(text) => {
            let words = list(text);
            if words.iter().any(|word| word == "Skip") {
                return HookWord::Skip;
            }
            (words.iter().filter_map(|word| hook_phase(word)).collect(), true)
        }
        None => match object.annotation("helm.sh/hook") {
            Some("crd-install") | None => return HookWord::Plain,
            Some(text) => (list(text).iter().filter_map(|word| helm_phase(word)).collect(), true),
        },
    };
    if phases.is_empty() {
        // Helm's test and rollback hooks have no place in a sync.
        return if known { HookWord::Skip } else { HookWord::Plain };
    }
    let policies = words(&[HOOK_DELETE_POLICY, "argocd.argoproj.io/hook-delete-policy", "helm.sh/hook-delete-policy"]);
    HookWord::Hook(Hook { phases, delete: delete_policy(&policies.map(list).unwrap_or_default()) })
}

fn hook_phase(word: &str) -> Option<HookPhase> {
    Some(match word {
        "PreSync" => HookPhase::At(SyncPhase::PreSync),
        "Sync" => HookPhase::At(SyncPhase::Sync),
        "PostSync" => HookPhase::At(SyncPhase::PostSync),
        "SyncFail" => HookPhase::SyncFail,
        "PreDelete" => HookPhase::PreDelete,
        "PostDelete" => HookPhase::PostDelete,
        _ => return None,
    })
}

fn helm_phase(word: &str) -> Option<HookPhase> {
    Some(match word {
        "pre-install" | "pre-upgrade" => HookPhase::At(SyncPhase::PreSync),
        "post-install" | "post-upgrade" => HookPhase::At(SyncPhase::PostSync),
        "pre-delete" => HookPhase::PreDelete,
        "post-delete" => HookPhase::PostDelete,
        _ => return None,
    })
}

/// Reads delete policies; without any, a hook is deleted before it is made anew (Argo CD 3.6, Helm 4).
fn delete_policy(words: &[String]) -> DeletePolicy {
    let has = |names: [&str; 2]| words.iter().any(|word| names.contains(&word.as_str()));
    let mut policy = DeletePolicy {
        before_creation: has(["BeforeHookCreation", "before-hook-creation"]),
        succeeded: has(["HookSucceeded", "hook-succeeded"]),
        failed: has(["HookFailed", "hook-failed"]),
    };
    policy.before_creation |= !policy.succeeded && !policy.failed;
    policy
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// Digests bytes with FNV-1a: it must be the same in every process and version, and only accidents must be told apart.
pub(crate) fn digest_of(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(FNV, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME));
    hash.max(1)
}

#[cfg(test)]
mod tests {
    use lockstep_object::from_json;

    use super::*;

    struct Known;

    impl Scopes for Known {
        fn scope(&self, gvk: &Gvk) -> Option<Scope> {
            match gvk.kind.as_str() {
                "ConfigMap" | "Job" | "App" => Some(Scope::Namespaced),
                "Namespace" => Some(Scope::Cluster),
                _ => None,
            }
        }
    }

    fn object(json: &str) -> (Object, Place) {
        (from_json(json.as_bytes()).unwrap().try_into().unwrap(), Place::file("x.yaml"))
    }

    fn check(objects: &[&str]) -> Prepared {
        let objects: Vec<_> = objects.iter().map(|json| object(json)).collect();
        prepare(&AppId::new("default", "shop"), &objects, "shop", &Known)
    }

    #[test]
    fn an_app_has_its_finalizer_from_the_start() {
        let app = |metadata: &str| {
            let text = format!(r#"{{"apiVersion":"lockstep.dev/v1alpha1","kind":"App","metadata":{metadata}}}"#);
            let prepared = check(&[text.as_str()]);
            String::from_utf8(prepared.desired[0].body.to_vec()).unwrap()
        };
        let cases = [
            (r#"{"name":"a"}"#, r#""finalizers":["lockstep.dev/prune"]"#),
            (
                r#"{"name":"a","finalizers":["example.com/x"]}"#,
                r#""finalizers":["example.com/x","lockstep.dev/prune"]"#,
            ),
            (r#"{"name":"a","finalizers":["lockstep.dev/prune"]}"#, r#""finalizers":["lockstep.dev/prune"]"#),
        ];
        for (metadata, finalizers) in cases {
            assert!(app(metadata).contains(finalizers), "{metadata}: {}", app(metadata));
        }
    }

    #[test]
    fn objects_get_the_namespace_and_the_label_and_are_ordered() {
        let prepared = check(&[
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b","annotations":{"argocd.argoproj.io/sync-wave":"1"}}}"#,
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"other"}}"#,
            r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","namespace":"x"}}"#,
        ]);
        let keys: Vec<String> = prepared.desired.iter().map(|one| one.key.to_string()).collect();
        assert_eq!(keys, ["Namespace/shop", "other/ConfigMap/a", "shop/ConfigMap/b"]);
        assert!(
            std::str::from_utf8(&prepared.desired[0].body).unwrap().contains(r#""lockstep.dev/app":"default.shop""#)
        );
    }

    #[test]
    fn namespaces_come_before_what_lives_in_them() {
        let prepared = check(&[
            r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","annotations":{"lockstep.dev/wave":"5"}}}"#,
            r#"{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"b","annotations":{"lockstep.dev/hook":"PreSync"}}}"#,
        ]);
        let order: Vec<_> = prepared.desired.iter().map(|one| (one.key.kind.to_string(), one.stage.phase)).collect();
        assert_eq!(order, [("Namespace".to_owned(), SyncPhase::PreSync), ("Job".to_owned(), SyncPhase::PreSync)]);
    }

    #[test]
    fn a_duplicate_names_both_places() {
        let one = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#;
        let prepared = check(&[one, one]);
        assert_eq!(prepared.diagnostics.len(), 1);
        assert!(prepared.diagnostics[0].message.contains("x.yaml"), "{}", prepared.diagnostics[0]);
    }

    #[test]
    fn hooks_of_all_three_dialects_are_understood() {
        let job = |annotation: &str, value: &str| {
            let json = format!(
                r#"{{"apiVersion":"batch/v1","kind":"Job","metadata":{{"generateName":"j-","annotations":{{"{annotation}":"{value}"}}}}}}"#
            );
            check(&[&json]).desired.into_iter().next().map(|one| one.hook.unwrap().phases[0])
        };
        assert_eq!(job("lockstep.dev/hook", "PreSync"), Some(HookPhase::At(SyncPhase::PreSync)));
        assert_eq!(job("argocd.argoproj.io/hook", "PostSync,SyncFail"), Some(HookPhase::At(SyncPhase::PostSync)));
        assert_eq!(job("helm.sh/hook", "post-install,post-upgrade"), Some(HookPhase::At(SyncPhase::PostSync)));
        assert_eq!(job("helm.sh/hook", "test"), None);
        assert_eq!(job("argocd.argoproj.io/hook", "Skip"), None);
    }

    #[test]
    fn a_kind_that_a_definition_brings_is_known() {
        let crd = r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"w"},
            "spec":{"group":"x.io","scope":"Namespaced","names":{"kind":"Widget"}}}"#;
        let widget = r#"{"apiVersion":"x.io/v1","kind":"Widget","metadata":{"name":"a"}}"#;
        let other = r#"{"apiVersion":"y.io/v1","kind":"Other","metadata":{"name":"a"}}"#;
        let prepared = check(&[widget, crd, other]);
        assert_eq!(
            prepared.unknown.iter().map(|gvk| gvk.kind.to_string()).collect::<Vec<_>>(),
            ["CustomResourceDefinition", "Other"]
        );
        assert!(prepared.desired.iter().any(|one| one.key.to_string() == "shop/Widget/a"));
    }
}
