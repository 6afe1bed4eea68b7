//! What people want in the made-up world: Apps, and a history of commits.

use std::fmt;

use fastrand::Rng;
use lockstep_api::{AppSpec, DependencyRef, Destination, GitSource, Retry, Source, SyncPolicy};
use lockstep_engine::AppId;
use lockstep_object::{Object, from_json};
use serde_json::{Value, json};

/// The namespace of all objects.
pub(crate) const NAMESPACE: &str = "world";

/// The Apps and the history.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) apps: Vec<(AppId, AppSpec)>,
    /// The first is there from the beginning; the last is one that can be kept.
    pub(crate) commits: Vec<Commit>,
}

/// A commit: the whole tree, one folder an App.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) id: String,
    pub(crate) message: String,
    pub(crate) folders: Vec<Folder>,
}

/// The folder of an App.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Folder {
    pub(crate) files: Vec<File>,
    /// It cannot be rendered.
    pub(crate) broken: bool,
}

/// A file with one object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct File {
    kind: Kind,
    name: String,
    wave: i32,
    value: u32,
    /// The phase and the delete policy of a hook.
    hook: Option<(&'static str, &'static str)>,
    prune: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ConfigMap,
    Secret,
    Service,
    Claim,
    Deployment,
    StatefulSet,
    Job,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Claim => "PersistentVolumeClaim",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::Service => "Service",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::Job => "Job",
        }
    }
}

const HOOKS: [&str; 4] = ["PreSync", "Sync", "PostSync", "SyncFail"];
const POLICIES: [&str; 4] = ["BeforeHookCreation", "HookSucceeded", "BeforeHookCreation,HookSucceeded", ""];

impl Scene {
    /// Makes up Apps and commits, at most as many.
    pub(crate) fn new(rng: &mut Rng, apps: usize, commits: usize) -> Self {
        let apps: Vec<_> = (0..rng.usize(1..=apps.max(1))).map(|place| app(rng, place)).collect();
        let mut serial = 0;
        let folders: Vec<Folder> = apps.iter().map(|_| folder(rng, &mut serial)).collect();
        let mut history = vec![Commit { id: id(0), message: "first".into(), folders }];
        for place in 1..=rng.usize(0..=commits) {
            history.push(next(rng, &history, place, &mut serial));
        }
        let mut last = history.last().cloned().expect("the first is there");
        let sane = |folder: &Folder| !folder.broken && folder.files.iter().any(|file| file.hook.is_none());
        if !last.folders.iter().all(sane) {
            for folder in last.folders.iter_mut().filter(|folder| !sane(folder)) {
                folder.broken = false;
                folder.files.push(file(rng, &mut serial, Kind::ConfigMap));
            }
            last.id = id(history.len());
            last.message = "mend what cannot be applied".into();
            history.push(last);
        }
        Self { apps, commits: history }
    }
}

fn id(place: usize) -> String {
    format!("c{place:039}")
}

fn app(rng: &mut Rng, place: usize) -> (AppId, AppSpec) {
    let mut depends_on = Vec::new();
    if place > 0 && rng.u8(..4) == 0 {
        depends_on.push(DependencyRef { name: name(rng.usize(..place)), ..DependencyRef::default() });
    }
    let git = GitSource { url: "/repository".into(), path: name(place), ..GitSource::default() };
    let sync = SyncPolicy {
        prune: rng.u8(..8) != 0,
        timeout_seconds: rng.u64(60..400),
        retry: Retry { min_seconds: 2, max_seconds: 120 },
        ..SyncPolicy::default()
    };
    let spec = AppSpec {
        source: Source { git: Some(git), ..Source::default() },
        destination: Destination { namespace: Some(NAMESPACE.into()) },
        sync,
        depends_on,
        ..AppSpec::default()
    };
    (AppId::new("apps", &name(place)), spec)
}

fn name(place: usize) -> String {
    format!("app{place}")
}

fn folder(rng: &mut Rng, serial: &mut u32) -> Folder {
    let mut files: Vec<File> = (0..rng.usize(1..5)).map(|_| any_file(rng, serial)).collect();
    for _ in 0..rng.usize(..3) {
        files.push(hook(rng, serial));
    }
    Folder { files, broken: false }
}

fn any_file(rng: &mut Rng, serial: &mut u32) -> File {
    let kind = match rng.u8(..10) {
        0..3 => Kind::ConfigMap,
        3 => Kind::Secret,
        4 => Kind::Service,
        5 => Kind::Claim,
        6 => Kind::StatefulSet,
        _ => Kind::Deployment,
    };
    file(rng, serial, kind)
}

fn file(rng: &mut Rng, serial: &mut u32, kind: Kind) -> File {
    *serial += 1;
    let prune = match rng.u8(..12) {
        0 => Some("disabled"),
        1 => Some("allowed"),
        _ => None,
    };
    File { kind, name: format!("o{serial}"), wave: rng.i32(-1..3), value: 1, hook: None, prune }
}

fn hook(rng: &mut Rng, serial: &mut u32) -> File {
    let hook = (HOOKS[rng.usize(..HOOKS.len())], POLICIES[rng.usize(..POLICIES.len())]);
    File { hook: Some(hook), prune: None, ..file(rng, serial, Kind::Job) }
}

fn next(rng: &mut Rng, history: &[Commit], place: usize, serial: &mut u32) -> Commit {
    let mut commit = history.last().cloned().expect("the first is there");
    let mut words = Vec::new();
    if rng.u8(..8) == 0 {
        let old = rng.usize(..history.len());
        commit.folders = history[old].folders.clone();
        words.push(format!("revert to {old}"));
    } else {
        for _ in 0..rng.usize(1..4) {
            words.push(change(rng, &mut commit.folders, serial));
        }
    }
    Commit { id: id(place), message: words.join(", "), ..commit }
}

/// Changes something in some folder and says what.
fn change(rng: &mut Rng, folders: &mut [Folder], serial: &mut u32) -> String {
    let app = rng.usize(..folders.len());
    let other = rng.usize(..folders.len());
    let folder = &mut folders[app];
    let app_name = name(app);
    let place = (!folder.files.is_empty()).then(|| rng.usize(..folder.files.len()));
    match (rng.u8(..16), place) {
        (0..6, Some(place)) => {
            folder.files[place].value += 1;
            format!("{app_name} changes {}", folder.files[place])
        }
        (6..8, Some(place)) => format!("{app_name} removes {}", folder.files.remove(place)),
        (8, Some(place)) if other != app && folder.files[place].hook.is_none() => {
            let file = folder.files.remove(place);
            let words = format!("{file} moves from {app_name} to {}", name(other));
            folders[other].files.push(file);
            words
        }
        (9, Some(place)) => {
            folder.files[place].wave = rng.i32(-1..3);
            format!("{app_name} moves {} to wave {}", folder.files[place], folder.files[place].wave)
        }
        (10, _) => {
            folder.broken = !folder.broken;
            format!("{app_name} {}", if folder.broken { "breaks" } else { "is mended" })
        }
        (11, _) => {
            folder.files.clear();
            format!("{app_name} is emptied")
        }
        (12, _) => {
            folder.files.push(hook(rng, serial));
            format!("{app_name} adds a hook")
        }
        _ => {
            let file = any_file(rng, serial);
            let words = format!("{app_name} adds {file}");
            folder.files.push(file);
            words
        }
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.name)
    }
}

impl File {
    /// Returns the object.
    pub(crate) fn object(&self) -> Object {
        let (api_version, mut body) = self.body();
        let mut annotations = serde_json::Map::new();
        annotations.insert("lockstep.dev/wave".into(), self.wave.to_string().into());
        if let Some((phase, policy)) = self.hook {
            annotations.insert("lockstep.dev/hook".into(), phase.into());
            if !policy.is_empty() {
                annotations.insert("lockstep.dev/hook-delete-policy".into(), policy.into());
            }
        }
        if let Some(prune) = self.prune {
            annotations.insert("lockstep.dev/prune".into(), prune.into());
        }
        body["apiVersion"] = api_version.into();
        body["kind"] = self.kind.name().into();
        body["metadata"] = json!({"name": self.name, "annotations": annotations});
        let value = from_json(body.to_string().as_bytes()).expect("what json! makes is JSON");
        Object::try_from(value).expect("a map with a kind and a name")
    }

    fn body(&self) -> (&'static str, Value) {
        let value = format!("v{}", self.value);
        // The name of a key changes with the value, so that fields also go.
        let key = format!("key{}", self.value % 3);
        let labels = json!({"app": self.name});
        let pod = |restart: &str| {
            let container = json!({"name": "main", "image": format!("example.com/main:{value}")});
            json!({"metadata": {"labels": labels}, "spec": {"restartPolicy": restart, "containers": [container]}})
        };
        match self.kind {
            Kind::ConfigMap => ("v1", json!({"data": {key: value}})),
            Kind::Secret => {
                let values = ["djA=", "djE=", "djI=", "djM="];
                ("v1", json!({"data": {"key": values[self.value as usize % values.len()]}}))
            }
            Kind::Service => {
                let port = 80 + self.value % 1000;
                ("v1", json!({"spec": {"selector": labels, "ports": [{"name": "http", "port": port}]}}))
            }
            Kind::Claim => {
                let size = json!({"requests": {"storage": "1Gi"}});
                ("v1", json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": size}}))
            }
            Kind::Deployment => (
                "apps/v1",
                json!({"spec": {"replicas": 1 + self.value % 3, "selector": {"matchLabels": labels}, "template": pod("Always")}}),
            ),
            Kind::StatefulSet => (
                "apps/v1",
                json!({"spec": {"replicas": 1, "serviceName": "none", "selector": {"matchLabels": labels}, "template": pod("Always")}}),
            ),
            Kind::Job => ("batch/v1", json!({"spec": {"backoffLimit": 0, "template": pod("Never")}})),
        }
    }
}
