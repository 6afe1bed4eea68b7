//! An API server, a line to it that can be cut, and `lockstep run` behind that line.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use lockstep_cluster::Cluster;
use lockstep_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{until, wait_for_file};

/// An API server: a sandbox of the test's own, or the real one that `LOCKSTEP_TEST_CLUSTER` names.
pub struct Server {
    /// As the administrator.
    pub cluster: Cluster,
    pub kubeconfig: PathBuf,
    /// The namespace of this test's Apps and objects.
    pub namespace: String,
    pub folder: TempDir,
    sandbox: Option<Child>,
}

impl Server {
    pub async fn start(test: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let (kubeconfig, sandbox) = match std::env::var_os("LOCKSTEP_TEST_CLUSTER") {
            Some(file) => (PathBuf::from(file), None),
            None => {
                let (file, log) = (folder.path().join("admin"), folder.path().join("sandbox.log"));
                let child = lockstep(&log).arg("sandbox").arg("--write-kubeconfig").arg(&file).spawn().unwrap();
                wait_for_file(&file, &log).await;
                (file, Some(child))
            }
        };
        let cluster = Cluster::connect(Some(&kubeconfig), None).await.unwrap();
        cluster.refresh_discovery(0).await.unwrap();
        let server = Self { cluster, kubeconfig, namespace: format!("{test}-run"), folder, sandbox };
        server.make_namespace(&server.namespace).await;
        server
    }

    pub async fn make_namespace(&self, name: &str) {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.cluster.create("/api/v1/namespaces", &body).await.unwrap();
    }

    /// Applies an object that says all about itself.
    pub async fn apply(&self, object: Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let gvk = Gvk::from_api_version(&text("/apiVersion"), &text("/kind"));
        let key = ObjectKey::new(&gvk.group, &gvk.kind, &text("/metadata/namespace"), &text("/metadata/name"));
        self.cluster.apply(&key, &gvk.version, object.to_string().as_bytes()).await.unwrap();
    }

    /// Makes an App of a Git repository that deploys to the test's namespace.
    pub async fn make_app(&self, name: &str, git: Value) {
        let spec = json!({"source": {"git": git}, "destination": {"namespace": self.namespace}});
        self.make_app_of(name, spec).await;
    }

    pub async fn make_app_of(&self, name: &str, spec: Value) {
        let metadata = json!({"name": name, "namespace": self.namespace});
        self.apply(json!({"apiVersion": "lockstep.dev/v1alpha1", "kind": "App", "metadata": metadata, "spec": spec}))
            .await;
    }

    pub async fn get(&self, path: &str) -> Option<Object> {
        match self.cluster.get(path).await {
            Ok(object) => Some(object),
            Err(error) if error.is_not_found() => None,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    pub async fn app(&self, name: &str) -> Option<Object> {
        self.get(&format!("/apis/lockstep.dev/v1alpha1/namespaces/{}/apps/{name}", self.namespace)).await
    }

    pub async fn config_map(&self, name: &str) -> Option<Object> {
        self.get(&format!("/api/v1/namespaces/{}/configmaps/{name}", self.namespace)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        kill(self.sandbox.as_mut());
    }
}

/// A line to a server that hands through bytes, until it is cut.
pub struct Line {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
}

impl Line {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Self { address: listener.local_addr().unwrap(), cut: Arc::default(), refused: Arc::default() };
        let (cut, refused) = (Arc::clone(&line.cut), Arc::clone(&line.refused));
        tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            let mut look = tokio::time::interval(std::time::Duration::from_millis(10));
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok(_) if cut.load(Ordering::SeqCst) => drop(refused.fetch_add(1, Ordering::SeqCst)),
                        Ok((stream, _)) => drop(open.spawn(hand_through(stream, target))),
                        Err(_) => return,
                    },
                    _ = look.tick() => if cut.load(Ordering::SeqCst) { open.abort_all() },
                }
            }
        });
        line
    }

    pub fn cut(&self) {
        self.refused.store(0, Ordering::SeqCst);
        self.cut.store(true, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }

    /// Returns how many connections were refused since it was cut.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }
}

async fn hand_through(mut stream: TcpStream, target: SocketAddr) {
    if let Ok(mut other) = TcpStream::connect(target).await {
        // Whichever side ends first ends both.
        tokio::io::copy_bidirectional(&mut stream, &mut other).await.ok();
    }
}

/// A running `lockstep run`.
pub struct Run {
    pub line: Line,
    pub http: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Run {
    /// Starts the operator for the test's namespace, with the administrator's token or another one.
    pub async fn start(server: &Server, token: Option<&str>, arguments: &[&str]) -> Self {
        let text = fs::read_to_string(&server.kubeconfig).unwrap();
        let authority = field(&text, "server").split("://").nth(1).unwrap().trim_end_matches('/').to_owned();
        let line = Line::to(authority.parse().unwrap()).await;
        let mut text = text.replace(&authority, &line.address.to_string());
        if let Some(token) = token {
            let known = field(&text, "token").to_owned();
            text = text.replace(&known, token);
        }
        let (kubeconfig, log) = (server.folder.path().join("operator"), server.folder.path().join("run.log"));
        fs::write(&kubeconfig, text).unwrap();
        let http = free_address();
        let mut command = lockstep(&log);
        command.arg("run").arg("--kubeconfig").arg(&kubeconfig).args(["--namespace", &server.namespace]);
        command.arg("--cache").arg(server.folder.path().join("cache")).args(["--listen", &http.to_string()]);
        // Who may do little does not install definitions.
        command.args(token.is_none().then_some("--install-crds")).args(arguments);
        let child = command.spawn().unwrap();
        let run = Self { line, http, child, log };
        run.until("the definitions are served", async || {
            server.cluster.get("/apis/lockstep.dev/v1alpha1/apps?limit=1").await.ok().map(drop)
        })
        .await;
        server.cluster.refresh_discovery(server.cluster.discovered()).await.unwrap();
        run
    }

    pub async fn until<T>(&self, what: &str, holds: impl AsyncFnMut() -> Option<T>) -> T {
        until(what, &self.log, holds).await
    }

    pub async fn until_ready(&self, server: &Server, name: &str, revision: &str) -> Object {
        self.until(&format!("{name} is ready at {revision}"), async || {
            let app = server.app(name).await?;
            (app.str_at(&["status", "revision"]) == revision && crate::harness::is_ready(&app)).then_some(app)
        })
        .await
    }

    pub async fn until_message(&self, server: &Server, name: &str, text: &str) -> Object {
        self.until(&format!("{name} says {text:?}"), async || {
            let app = server.app(name).await?;
            app.str_at(&["status", "message"]).contains(text).then_some(app)
        })
        .await
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        kill(Some(&mut self.child));
    }
}

fn kill(child: Option<&mut Child>) {
    if let Some(child) = child
        && child.kill().is_ok()
    {
        child.wait().ok();
    }
}

/// The program, with everything that it says in a file.
pub fn lockstep(log: &Path) -> Command {
    let file = fs::File::create(log).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
    command
}

/// An address that nobody listens on.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Finds a field of a kubeconfig, in YAML of either style.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let rest = text.split(&format!("{name}:")).nth(1).unwrap().trim_start();
    rest.split([',', '}', '\n', ' ']).next().unwrap().trim_matches('"')
}
