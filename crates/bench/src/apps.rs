//! N apps of four objects in one repository, a cluster, and an operator that keeps them.

use std::{
    collections::HashMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context;
use lockstep_cluster::{Cluster, Watch, WatchEvent};
use lockstep_object::{Gvk, Object, ObjectKey, Value};
use lockstep_sandbox::{Options, Sandbox, Served};
use serde_json::json;
use tempfile::TempDir;

use crate::{Settings, operator::Running};

/// Everything that a bench runs on.
pub(crate) struct Bench {
    pub(crate) cluster: Cluster,
    pub(crate) folder: TempDir,
    pub(crate) namespace: String,
    kubeconfig: PathBuf,
    _served: Option<Served>,
}

impl Bench {
    /// Makes the repository with N apps and the App of them, and everything else as [`Bench::without_apps`].
    pub(crate) async fn new(settings: &Settings) -> anyhow::Result<Self> {
        let bench = Self::without_apps(settings.kubeconfig.as_ref()).await?;
        for place in 0..settings.apps() {
            write_app(&bench.repository(), place, "one")?;
        }
        let apps: Vec<_> = (0..settings.apps()).map(|place| bench.app(&name(place), &json!({}))).collect();
        write_folder(&bench.repository(), ROOT, &apps)?;
        commit(&bench.repository(), "install")?;
        Ok(bench)
    }

    /// Makes an empty repository, connects to the cluster (or starts a sandbox) and installs the definitions.
    pub(crate) async fn without_apps(kubeconfig: Option<&PathBuf>) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let repository = folder.path().join("repository");
        fs::create_dir_all(&repository)?;
        git(&repository, &["init", "-q", "-b", "main"])?;
        let (file, served) = match kubeconfig {
            Some(file) => (file.clone(), None),
            None => {
                let sandbox =
                    Sandbox::new(Options { controllers: true, kubelet_delay: Duration::ZERO, ..Options::default() })?;
                let served = sandbox.serve(([127, 0, 0, 1], 0).into()).await?;
                let file = folder.path().join("kubeconfig");
                fs::write(&file, sandbox.kubeconfig(served.addr))?;
                (file, Some(served))
            }
        };
        let cluster = Cluster::connect(Some(&file), None).await?;
        cluster.refresh_discovery(0).await?;
        for crd in lockstep_api::crds() {
            let name = crd["metadata"]["name"].as_str().unwrap_or_default();
            let key = ObjectKey::new("apiextensions.k8s.io", "CustomResourceDefinition", "", name);
            cluster.apply(&key, "v1", crd.to_string().as_bytes()).await?;
        }
        let path = format!("/apis/{}/apps?limit=1", lockstep_api::API_VERSION);
        while cluster.get(&path).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let namespace = format!("bench-{}", std::process::id());
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        cluster.create("/api/v1/namespaces", &body).await?;
        Ok(Self { cluster, folder, namespace, kubeconfig: file, _served: served })
    }

    pub(crate) fn repository(&self) -> std::path::PathBuf {
        self.folder.path().join("repository")
    }

    /// Starts an operator that only sees this bench's Apps.
    pub(crate) fn operator(&self) -> anyhow::Result<Running> {
        Running::start(&self.kubeconfig, &self.folder.path().join("cache"), &self.namespace)
    }

    /// Follows this bench's Apps.
    pub(crate) async fn follow(&self) -> anyhow::Result<Follower> {
        let resource = self.cluster.resource(&Gvk::from_api_version(lockstep_api::API_VERSION, "App")).await?;
        let watch = Watch::new(self.cluster.clone(), resource, "");
        Ok(Follower { watch, namespace: self.namespace.clone(), revisions: HashMap::new() })
    }

    /// Makes one App of a folder of its name; `more` is what else its spec says.
    pub(crate) async fn make_app(&self, name: &str, more: &serde_json::Value) -> anyhow::Result<()> {
        self.cluster.create(&self.collection(), &self.app(name, more)).await?;
        Ok(())
    }

    fn collection(&self) -> String {
        format!("/apis/{}/namespaces/{}/apps", lockstep_api::API_VERSION, self.namespace)
    }

    fn app(&self, name: &str, more: &serde_json::Value) -> serde_json::Value {
        let url = self.repository().to_string_lossy().into_owned();
        let mut spec = more.clone();
        spec["source"] = json!({"git": {"url": url, "path": name}});
        spec["destination"] = json!({"namespace": self.namespace});
        json!({
            "apiVersion": lockstep_api::API_VERSION, "kind": "App",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec,
        })
    }

    /// Makes the one App whose folder holds the N Apps: making these is the operator's work and counted.
    pub(crate) async fn make_apps(&self) -> anyhow::Result<()> {
        self.make_app(ROOT, &json!({})).await
    }
}

/// The App of the Apps, and its folder.
const ROOT: &str = "apps";

/// Names an app.
pub(crate) fn name(place: usize) -> String {
    format!("app-{place:04}")
}

/// What the statuses of the Apps say, as any reader of the cluster sees them.
pub(crate) struct Follower {
    watch: Watch,
    namespace: String,
    /// The revision of each App that is Ready.
    revisions: HashMap<String, String>,
}

impl Follower {
    /// Waits until so many Apps are Ready, and so many of them at this revision if one is said.
    pub(crate) async fn until_ready(&mut self, apps: usize, revision: Option<(&str, usize)>) -> anyhow::Result<()> {
        loop {
            let current = |(wanted, count): (&str, usize)| {
                self.revisions.values().filter(|revision| *revision == wanted).count() >= count
            };
            if self.revisions.len() >= apps && revision.is_none_or(current) {
                return Ok(());
            }
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let WatchEvent::Live(app) = self.watch.next().await else { return };
        if app.namespace() != self.namespace || app.name() == ROOT {
            return;
        }
        if is_true(&app, "Ready") {
            let revision = app.str_at(&["status", "revision"]).to_owned();
            self.revisions.insert(app.name().to_owned(), revision);
        } else {
            self.revisions.remove(app.name());
        }
    }
}

/// Tells whether a condition of an object is True.
pub(crate) fn is_true(object: &Object, condition: &str) -> bool {
    let conditions = object.at(&["status", "conditions"]).and_then(Value::as_list);
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    conditions.into_iter().flatten().any(|one| text(one, "type") == condition && text(one, "status") == "True")
}

/// Writes the four objects of an app.
pub(crate) fn write_app(repository: &Path, place: usize, value: &str) -> anyhow::Result<()> {
    write_folder(repository, &name(place), &objects(place, value))
}

/// Writes a folder with these objects in one file.
pub(crate) fn write_folder(repository: &Path, name: &str, objects: &[serde_json::Value]) -> anyhow::Result<()> {
    let folder = repository.join(name);
    fs::create_dir_all(&folder)?;
    let mut text = String::new();
    for object in objects {
        writeln!(text, "---\n{object}").context("a String takes everything")?;
    }
    fs::write(folder.join("app.yaml"), text)?;
    Ok(())
}

/// Returns ServiceAccount, Service, Deployment without replicas, and Ingress.
pub(crate) fn objects(place: usize, value: &str) -> Vec<serde_json::Value> {
    let name = name(place);
    let labels = json!({"app": name});
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "labels": labels}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "example.com/web:1", "env": [{"name": "VALUE", "value": value}],
                    "ports": [{"name": "http", "containerPort": 8080}]}]}}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "labels": labels},
            "spec": {"rules": [{"host": format!("{name}.example.com"), "http": {"paths": [{"path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": name, "port": {"name": "http"}}}}]}}]}}),
    ]
}

/// Commits everything and returns the commit.
pub(crate) fn commit(repository: &Path, message: &str) -> anyhow::Result<String> {
    git(repository, &["add", "-A"])?;
    git(repository, &["commit", "-q", "-m", message])?;
    git(repository, &["rev-parse", "HEAD"])
}

fn git(repository: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .args(["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0"])
        .args(arguments)
        .current_dir(repository)
        .output()
        .context("cannot run git")?;
    anyhow::ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
