//! `lockstep up`: a cluster that follows a folder or repository, in one process.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use lockstep_api::{AppSpec, Destination, FolderSource, GitSource, Source, SyncPolicy};
use lockstep_cluster::Cluster;
use lockstep_operator::{AppView, Handle, Operator, Settings, Told};
use lockstep_sandbox::{Options, Sandbox, Served};

use crate::{
    End, arguments, connect,
    sandbox::{data_file, wait_for_signal, write_kubeconfig},
    table,
};

/// How often the table looks for news; only the eyes of a person wait for it.
const LOOK: Duration = Duration::from_millis(50);
/// How fast simulated pods start.
const KUBELET: Duration = Duration::from_millis(150);

pub(crate) async fn up(arguments: arguments::Up) -> anyhow::Result<End> {
    let started = Instant::now();
    let place = Place::find(&arguments)?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let (cluster, kubeconfig, server, _served) = start_cluster(&arguments, folder.path()).await?;
    connect::install_crds(&cluster).await?;
    eprintln!("lockstep {} · {server}", env!("CARGO_PKG_VERSION"));
    eprintln!("watching {}", place.words());
    let cache = arguments.data.clone().unwrap_or_else(|| folder.path().to_owned()).join("repositories");
    let settings = Settings { cache, namespace: arguments.app_namespace.clone(), ..Settings::default() };
    let operator = Operator::start(cluster.clone(), settings).await?;
    let namespace = arguments.app_namespace.as_deref().unwrap_or("default");
    connect::make_namespace(&cluster, namespace).await?;
    connect::apply_app(&cluster, namespace, &place.name, &place.spec(&arguments)).await?;
    let mut screen = Screen { started, shown: BTreeMap::new(), tried: false, kubeconfig, place: &place };
    let end = screen.follow(&operator, arguments.exit_when_healthy).await;
    operator.stop().await;
    end
}

/// Starts the sandbox, or connects to the cluster that was named. Returns it with its kubeconfig, words about it, and
/// what keeps the server up.
async fn start_cluster(
    arguments: &arguments::Up,
    folder: &Path,
) -> anyhow::Result<(Cluster, PathBuf, String, Option<Served>)> {
    if let Some(file) = &arguments.kubeconfig {
        let cluster = connect::connect_file(Some(file), None).await?;
        return Ok((cluster, file.clone(), format!("cluster of {}", file.display()), None));
    }
    let sandbox = Sandbox::new(Options {
        controllers: true,
        kubelet_delay: KUBELET,
        data: data_file(arguments.data.as_deref())?,
        ..Options::default()
    })?;
    let served = sandbox.serve(SocketAddr::from(([127, 0, 0, 1], arguments.port))).await?;
    let text = sandbox.kubeconfig(served.addr);
    let file = match (&arguments.write_kubeconfig, &arguments.data) {
        (Some(file), _) => file.clone(),
        (None, Some(data)) => data.join("kubeconfig"),
        (None, None) => folder.join("kubeconfig"),
    };
    write_kubeconfig(&file, &text)?;
    let file = std::path::absolute(&file)?;
    let cluster = connect::connect_file(Some(&file), None).await?;
    Ok((cluster, file, format!("sandbox Kubernetes 1.36 on https://{}", served.addr), Some(served)))
}

/// What is watched.
struct Place {
    name: String,
    /// The root of the repository, or its URL.
    root: String,
    /// The folder inside it.
    path: String,
    worktree: bool,
}

impl Place {
    fn find(arguments: &arguments::Up) -> anyhow::Result<Self> {
        let source = &arguments.source;
        if source.contains("://") || (source.contains('@') && source.contains(':')) {
            anyhow::ensure!(!arguments.worktree, "--worktree needs a folder, and {source} is a URL");
            let last = source.trim_end_matches('/').trim_end_matches(".git").rsplit(['/', ':']).next();
            let path = arguments.path.clone();
            return Ok(Self { name: name_of(last.unwrap_or("app")), root: source.clone(), path, worktree: false });
        }
        let folder = std::fs::canonicalize(source).with_context(|| format!("cannot open the folder {source}"))?;
        anyhow::ensure!(folder.is_dir(), "{source} is not a folder");
        let name = name_of(&folder.file_name().unwrap_or_default().to_string_lossy());
        let root = match repository_of(&folder) {
            Some(root) => root,
            None if arguments.worktree => folder.clone(),
            None => anyhow::bail!(
                "{source} is not in a Git repository; commit it to one, or use --worktree to deploy it as it is"
            ),
        };
        let inside = folder.strip_prefix(&root).unwrap_or(Path::new("")).to_string_lossy().into_owned();
        let path = lockstep_files::join(&inside, &arguments.path).context("--path leaves the folder")?;
        Ok(Self { name, root: root.to_string_lossy().into_owned(), path, worktree: arguments.worktree })
    }

    fn words(&self) -> String {
        let path = if self.path.is_empty() { String::new() } else { format!(", folder {}", self.path) };
        let kind = if self.worktree { " (working tree)" } else { "" };
        format!("{}{path}{kind}", lockstep_sources::redact(&self.root))
    }

    fn spec(&self, arguments: &arguments::Up) -> AppSpec {
        let source = if self.worktree {
            let folder = FolderSource { root: self.root.clone(), path: self.path.clone() };
            Source { folder: Some(folder), ..Source::default() }
        } else {
            let git = GitSource {
                url: self.root.clone(),
                reference: arguments.reference.clone(),
                path: self.path.clone(),
                ..GitSource::default()
            };
            Source { git: Some(git), ..Source::default() }
        };
        AppSpec {
            source,
            destination: Destination { namespace: Some(arguments.namespace.clone()) },
            sync: SyncPolicy { create_namespace: true, ..SyncPolicy::default() },
            ..AppSpec::default()
        }
    }
}

/// Returns the root of the repository that a folder is in: a bare one, or the folder above with `.git`.
fn repository_of(folder: &Path) -> Option<PathBuf> {
    let bare = folder.join("HEAD").is_file() && folder.join("objects").is_dir();
    if bare {
        return Some(folder.to_owned());
    }
    folder.ancestors().find(|above| above.join(".git").exists()).map(Path::to_owned)
}

/// Makes a name that Kubernetes takes.
fn name_of(text: &str) -> String {
    let clean: String =
        text.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(50).collect();
    let clean = clean.trim_matches('-');
    if clean.is_empty() { "app".to_owned() } else { clean.to_owned() }
}

/// What a person has been shown.
struct Screen<'a> {
    started: Instant,
    shown: BTreeMap<String, Vec<String>>,
    tried: bool,
    kubeconfig: PathBuf,
    place: &'a Place,
}

impl Screen<'_> {
    /// Shows what happens until a signal comes, or until everything is healthy if that is the end.
    async fn follow(&mut self, operator: &Handle, exit_when_healthy: bool) -> anyhow::Result<End> {
        let mut told = operator.told();
        let signal = wait_for_signal();
        tokio::pin!(signal);
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                result = &mut signal => {
                    result?;
                    eprintln!("\nstopping");
                    return Ok(End::Done);
                }
                Ok(told) = told.recv() => self.tell(&told),
                _ = look.tick() => {
                    let apps = operator.apps().await?;
                    self.show(&apps);
                    let ready = !apps.is_empty() && apps.iter().all(|app| table::is_ready(&app.status));
                    if ready && !self.tried {
                        self.tried = true;
                        if exit_when_healthy {
                            return Ok(End::Done);
                        }
                        self.suggest(&apps);
                    }
                }
            }
        }
    }

    /// Prints a line for each App whose state is another than the one shown.
    fn show(&mut self, apps: &[AppView]) {
        for app in apps {
            let row = row_of(app);
            let key = app.id.to_string();
            // Passing states of a sync are not worth a line: its end is.
            let passing = row[2] == "syncing" && row[4].is_empty() && self.shown.contains_key(&key);
            if passing || self.shown.get(&key) == Some(&row) {
                continue;
            }
            if self.shown.is_empty() {
                println!("\n  {:<18} {:<9} {:<10} {:<14} WHAT", "APP", "REVISION", "SYNC", "HEALTH");
            }
            let seconds = self.started.elapsed().as_secs_f32();
            let what =
                if row[4].is_empty() { format!("{seconds:.1} s") } else { format!("{} · {seconds:.1} s", row[4]) };
            println!("  {:<18} {:<9} {:<10} {:<14} {what}", row[0], row[1], row[2], row[3]);
            self.shown.insert(key, row);
        }
    }

    fn tell(&self, told: &Told) {
        let time = told.time.strftime("%H:%M:%S");
        let bold = std::io::stdout().is_terminal() && told.notice.warning;
        let (on, off) = if bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let message = told.notice.message.replace('\n', "\n                   ");
        println!("{time}  {on}{:<8}{off}  {}  {message}", told.notice.reason.to_lowercase(), told.app.name);
    }

    fn suggest(&self, apps: &[AppView]) {
        let namespace = apps.iter().find_map(|app| app.spec.destination.namespace.clone());
        let namespace = namespace.unwrap_or_else(|| "default".to_owned());
        println!("\ntry:  export KUBECONFIG={}", self.kubeconfig.display());
        println!("      kubectl -n {namespace} get all");
        println!("      kubectl -n {namespace} scale deployment --all --replicas=5   # watch it being healed");
        match self.place.worktree {
            true => {
                println!("      edit a file in {} and save              # watch it being deployed", self.place.root)
            }
            false => {
                println!("      commit a change to {}                   # watch it being deployed", self.place.root)
            }
        }
        println!();
    }
}

/// Returns name, revision, sync, health and what else there is to say.
fn row_of(app: &AppView) -> Vec<String> {
    let status = &app.status;
    let mut what = Vec::new();
    if app.objects > 0 {
        what.push(format!("{} object{}", app.objects, if app.objects == 1 { "" } else { "s" }));
    }
    if !app.spec.depends_on.is_empty() {
        let names: Vec<&str> = app.spec.depends_on.iter().map(|one| one.name.as_str()).collect();
        what.push(format!("after {}", names.join(", ")));
    }
    if !table::is_ready(status) && !status.message.is_empty() {
        what.push(status.message.lines().next().unwrap_or_default().to_owned());
    }
    vec![
        app.id.name.clone(),
        table::short(&status.revision),
        table::phase(status.phase).to_owned(),
        table::health(status.health).to_owned(),
        what.join(" · "),
    ]
}
