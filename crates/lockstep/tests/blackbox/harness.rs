//! A repository, a running `lockstep up`, and questions to its cluster.
//!
//! By default each test has a sandbox of its own; `LOCKSTEP_TEST_CLUSTER=<kubeconfig>` points all of them at a real
//! API server, where each test keeps to namespaces of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use lockstep_cluster::Cluster;
use lockstep_object::{Object, Value};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// A repository that `git` made.
pub struct Repository {
    pub folder: TempDir,
}

impl Repository {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let repository = Self { folder: TempDir::new().unwrap() };
        repository.git(&["init", "-q", "-b", "main"]);
        repository.commit("first", files);
        repository
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes files without a commit; an empty text deletes.
    pub fn write(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.path().join(path);
            if text.is_empty() {
                fs::remove_file(path).unwrap();
                continue;
            }
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    pub fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        self.write(files);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }
}

/// A running `lockstep up` and its cluster.
pub struct Up {
    child: Child,
    pub cluster: Cluster,
    /// The namespace of the objects.
    pub namespace: String,
    /// The namespace of the Apps.
    pub apps: String,
    log: PathBuf,
    _folder: TempDir,
}

impl Up {
    /// Starts `lockstep up` on a folder with more arguments.
    pub async fn start(test: &str, source: &Path, arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("log");
        let namespace = format!("{test}-objects");
        let apps = format!("{test}-apps");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
        command.arg("up").arg(source).args(arguments).args(["--namespace", &namespace, "--app-namespace", &apps]);
        let kubeconfig = match std::env::var_os("LOCKSTEP_TEST_CLUSTER") {
            Some(file) => {
                command.arg("--kubeconfig").arg(&file);
                PathBuf::from(file)
            }
            None => {
                let file = folder.path().join("kubeconfig");
                command.arg("--write-kubeconfig").arg(&file);
                file
            }
        };
        let file = fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap();
        wait_for_file(&kubeconfig, &log).await;
        let cluster = Cluster::connect(Some(&kubeconfig), None).await.unwrap();
        Self { child, cluster, namespace, apps, log, _folder: folder }
    }

    /// Waits until a condition holds; fails with what was printed.
    pub async fn until<T>(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        until(what, &self.log, async || holds(self).await).await
    }

    pub fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Reads an object of the test's namespace, as `apps/v1/deployments/web`.
    pub async fn object(&self, path: &str) -> Option<Object> {
        let (version, rest) = match path.strip_prefix("v1/") {
            Some(rest) => ("/api/v1".to_owned(), rest),
            None => {
                let mut parts = path.splitn(3, '/');
                let group = format!("/apis/{}/{}", parts.next().unwrap(), parts.next().unwrap());
                (group, parts.next().unwrap())
            }
        };
        match self.cluster.get(&format!("{version}/namespaces/{}/{rest}", self.namespace)).await {
            Ok(object) => Some(object),
            Err(error) if error.is_not_found() => None,
            Err(error) => panic!("{path}: {error}\n{}", self.printed()),
        }
    }

    pub fn object_path(&self, path: &str) -> String {
        format!("/api/v1/namespaces/{}/{path}", self.namespace)
    }

    /// Reads the App.
    pub async fn app(&self, name: &str) -> Option<Object> {
        let path = format!("/apis/lockstep.dev/v1alpha1/namespaces/{}/apps/{name}", self.apps);
        self.cluster.get(&path).await.ok()
    }

    pub fn app_path(&self, name: &str) -> String {
        format!("/apis/lockstep.dev/v1alpha1/namespaces/{}/apps/{name}", self.apps)
    }

    /// Waits until the App is ready at a revision; any if none is said.
    pub async fn until_ready(&self, name: &str, revision: Option<&str>) -> Object {
        self.until(&format!("{name} is ready at {revision:?}"), async |up| {
            let app = up.app(name).await?;
            let current = revision.is_none_or(|revision| app.str_at(&["status", "revision"]) == revision);
            (current && is_ready(&app)).then_some(app)
        })
        .await
    }

    /// Waits until the App's message contains a text.
    pub async fn until_message(&self, name: &str, text: &str) -> Object {
        self.until(&format!("{name} says {text:?}"), async |up| {
            let app = up.app(name).await?;
            app.str_at(&["status", "message"]).contains(text).then_some(app)
        })
        .await
    }

    /// Asks the process to end, as Ctrl-C does, and waits for it.
    pub fn stop(mut self) {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.printed());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may have ended already.
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

/// What nodes do, where there are none: the real API server of the tests has controllers and no kubelet. On the
/// sandbox, which has nodes of its own, it does nothing.
pub struct Nodes(Option<tokio::task::JoinHandle<()>>);

impl Nodes {
    /// Lets the pods of a test run: those of Jobs succeed, the others are ready; one that shall fail stays as it is.
    pub fn pretend(up: &Up) -> Self {
        if std::env::var_os("LOCKSTEP_TEST_CLUSTER").is_none() {
            return Self(None);
        }
        let (cluster, pods) = (up.cluster.clone(), format!("/api/v1/namespaces/{}/pods", up.namespace));
        Self(Some(tokio::spawn(async move {
            loop {
                // The namespace may not be there yet.
                let list = cluster.get(&pods).await.ok();
                let items = list.as_ref().and_then(|list| list.at(&["items"])).and_then(Value::as_list);
                for pod in items.into_iter().flatten() {
                    run_pod(&cluster, &pods, pod).await;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })))
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

async fn run_pod(cluster: &Cluster, pods: &str, pod: &Value) {
    let text = |keys: &[&str]| pod.at(keys).and_then(Value::as_str).unwrap_or_default();
    let shall_fail = pod.at(&["metadata", "annotations", "sandbox.lockstep.dev/fail"]).is_some();
    let name = text(&["metadata", "name"]);
    if pod.at(&["metadata", "deletionTimestamp"]).is_some() {
        return;
    }
    if shall_fail || text(&["status", "phase"]) != "Pending" {
        return;
    }
    let owners = pod.at(&["metadata", "ownerReferences"]).and_then(Value::as_list);
    let of_job = owners.into_iter().flatten().any(|owner| owner.get("kind").and_then(Value::as_str) == Some("Job"));
    let status = match of_job {
        true => serde_json::json!({"phase": "Succeeded"}),
        false => serde_json::json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
    };
    // The pod may be gone by now.
    cluster.merge(&format!("{pods}/{name}/status"), &serde_json::json!({"status": status})).await.ok();
}

/// Waits until a condition holds; fails with what is in the log.
pub async fn until<T>(what: &str, log: &Path, mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = holds().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not after {} s: {what}\n{}", PATIENCE.as_secs(), fs::read_to_string(log).unwrap_or_default());
}

pub async fn wait_for_file(file: &Path, log: &Path) {
    until("the kubeconfig is written", log, async || file.exists().then_some(())).await;
}

pub fn is_ready(app: &Object) -> bool {
    let conditions = app.at(&["status", "conditions"]).and_then(Value::as_list);
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    conditions.into_iter().flatten().any(|one| text(one, "type") == "Ready" && text(one, "status") == "True")
}

/// Returns a ConfigMap's manifest.
pub fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: {value}\n")
}
