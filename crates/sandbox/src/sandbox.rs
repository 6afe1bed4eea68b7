//! The running server: the value of [`crate::server`] behind a lock, with a clock and a seed.

use std::{
    borrow::Cow,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hashbrown::{Equivalent, HashMap};
use jiff::Timestamp;

use crate::{
    access::{Access, User},
    http_service::SandboxService,
    moment::Moment,
    request::Request,
    server::{Server, Settings},
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a simulation wants to happen to a request instead of, or before, its answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The answer comes later.
    Delay(Duration),
    /// The answer is this status code with a `Status` that carries the message.
    Status(u16, String),
    /// The connection breaks: the request is not handled.
    Drop,
    /// The request is handled, but the connection breaks before the answer.
    DropAnswer,
}

/// Decides about a request; `None` lets it pass.
pub type FaultHook = Arc<dyn Fn(&Request) -> Option<Fault> + Send + Sync>;

/// How a server is set up.
#[derive(Clone, Default)]
pub struct Options {
    /// Simulated controllers run: workloads become ready, owners are honoured, namespaces end.
    pub controllers: bool,
    /// As the server of the recordings: no ServiceAccount admission, no accounts in namespaces.
    pub bare: bool,
    /// How long a simulated kubelet takes to make a pod ready.
    pub kubelet_delay: Duration,
    /// The nodes that pretend to run pods; one named `sandbox` if empty. Only with controllers.
    pub nodes: Vec<String>,
    /// Nobody gives pods to nodes or addresses to load balancers, as in a cluster without scheduler and cloud.
    pub no_scheduler: bool,
    /// The file in which the objects are kept; in memory without.
    pub data: Option<PathBuf>,
    /// Objects to begin with, as [`Sandbox::snapshot`] prints them.
    pub snapshot: Option<String>,
    /// The token of the user `admin`; if missing, the one in the file with the objects, or else a drawn one.
    pub admin_token: Option<String>,
    /// The seed of all that is drawn; taken from the system if missing.
    pub seed: Option<u64>,
    /// The clock; the system's if missing.
    pub clock: Option<Clock>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// How often a kind of request came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestCount {
    /// The HTTP method.
    pub method: String,
    /// The verb as RBAC has it, empty for paths that are no resources.
    pub verb: String,
    /// The plural of the resource, with the subresource behind a slash; empty for other paths.
    pub resource: String,
    /// The `User-Agent`.
    pub agent: String,
    /// How often.
    pub count: u64,
}

/// Method, verb, resource and agent of requests that are counted together.
type CountKey = (String, String, String, String);

/// A [`CountKey`] that borrows, to find a count without copies.
#[derive(Hash)]
struct Asked<'a> {
    method: &'a str,
    verb: &'a str,
    resource: &'a str,
    agent: &'a str,
}

impl Asked<'_> {
    fn to_key(&self) -> CountKey {
        (self.method.to_owned(), self.verb.to_owned(), self.resource.to_owned(), self.agent.to_owned())
    }
}

impl Equivalent<CountKey> for Asked<'_> {
    fn equivalent(&self, (method, verb, resource, agent): &CountKey) -> bool {
        self.method == method && self.verb == verb && self.resource == resource && self.agent == agent
    }
}

/// A Kubernetes API server. Clones share it.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    server: Mutex<Server>,
    /// Who is next, among the requests of connections.
    turn: tokio::sync::Mutex<()>,
    seed: AtomicU64,
    clock: Clock,
    admin_token: String,
    faults: RwLock<Option<FaultHook>>,
    counts: Mutex<HashMap<CountKey, u64>>,
    pub(crate) wake: Arc<Signal>,
    pub(crate) tls: crate::tls::Identity,
    keep: Option<crate::keep::Keep>,
}

/// Wakes the controllers.
#[derive(Default)]
pub(crate) struct Signal {
    set: Mutex<bool>,
    changed: std::sync::Condvar,
}

impl Signal {
    pub(crate) fn notify(&self) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    fn wait(&self, pause: Duration) {
        let guard = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(guard, pause, |set| !*set);
        let (mut guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *guard = false;
    }
}

impl Sandbox {
    /// Starts a server.
    ///
    /// # Errors
    /// If the file with the objects cannot be read.
    pub fn new(options: Options) -> Result<Self, StartError> {
        let clock = options.clock.clone().unwrap_or_else(|| Arc::new(system_time));
        let seed = options.seed.unwrap_or_else(system_seed);
        let mut moment = Moment::new(clock(), seed);
        let keep = options.data.as_deref().map(crate::keep::Keep::open).transpose()?;
        let drawn = moment.uid();
        let admin_token = match &options.admin_token {
            Some(token) => token.clone(),
            None => text(kept(keep.as_ref(), "admin-token", || Ok(drawn.into_bytes()))?)?,
        };
        let mut access = Access::default();
        let mut admin = User::new("admin", &["system:masters"]);
        admin.uid = "admin".to_owned();
        access.tokens.insert(admin_token.clone(), admin);
        let authority = kept(keep.as_ref(), "authority", || crate::tls::authority().map(String::into_bytes))?;
        let tls = crate::tls::identity(&text(authority)?)?;
        access.certificate = tls.authority.clone();
        let drawn = (0..4).flat_map(|_| moment.draw().to_le_bytes()).collect();
        access.key = kept(keep.as_ref(), "token-key", || Ok(drawn))?;
        let settings = Settings {
            bare: options.bare,
            controllers: options.controllers,
            kubelet_delay: options.kubelet_delay,
            scheduler: !options.no_scheduler,
            nodes: if options.nodes.is_empty() { vec!["sandbox".to_owned()] } else { options.nodes.clone() },
        };
        let mut server = Server::new(settings, access, options.data.is_some());
        if let Some(keep) = &keep {
            let known = keep.load(&mut server.store)?;
            tracing::debug!(known, "objects were loaded");
            server.rebuild_custom();
        }
        if let Some(snapshot) = &options.snapshot {
            let known = server.load_snapshot(snapshot)?;
            tracing::debug!(known, "objects were loaded from a snapshot");
        }
        server.bootstrap(&mut moment);
        if options.controllers {
            crate::controllers::queue_all(&mut server);
        }
        if let Some(keep) = &keep {
            keep.write(&server.store.take_journal())?;
        }
        let inner = Inner {
            server: Mutex::new(server),
            turn: tokio::sync::Mutex::new(()),
            seed: AtomicU64::new(moment.draw()),
            clock,
            admin_token,
            faults: RwLock::default(),
            counts: Mutex::default(),
            wake: Arc::default(),
            tls,
            keep,
        };
        let sandbox = Self { inner: Arc::new(inner) };
        if options.controllers && options.clock.is_none() {
            sandbox.start_controllers()?;
        }
        Ok(sandbox)
    }

    /// Lets the simulated controllers do what is due now. Returns when they want to be called again.
    ///
    /// Without a clock of its own the server does this itself; with one, whoever moves the clock calls it.
    pub fn step(&self) -> Option<Timestamp> {
        let mut moment = self.moment();
        let mut server = self.lock();
        let next = crate::controllers::step(&mut server, &mut moment);
        if let Err(error) = self.persist(&mut server) {
            tracing::error!(%error, "what the controllers wrote is not kept");
        }
        next
    }

    /// Runs the controllers beside the requests, until the last handle of the server is gone.
    fn start_controllers(&self) -> Result<(), StartError> {
        let weak = Arc::downgrade(&self.inner);
        let signal = self.inner.wake.clone();
        let run = move || {
            loop {
                let Some(inner) = weak.upgrade() else { return };
                let sandbox = Self { inner };
                let next = sandbox.step();
                let now = sandbox.now();
                drop(sandbox);
                // Looks at least once a second whether the server is still wanted.
                let longest = Duration::from_secs(1);
                let pause = next
                    .map_or(longest, |at| Duration::try_from(at.duration_since(now)).unwrap_or_default().min(longest));
                signal.wait(pause);
            }
        };
        let thread = std::thread::Builder::new().name("sandbox-controllers".to_owned()).spawn(run);
        thread.map(|_| ()).map_err(|error| StartError(error.to_string()))
    }

    /// Returns a service that answers as the user `admin` when a request brings no credentials.
    pub fn service(&self) -> SandboxService {
        SandboxService::new(self.clone(), Some(User::new("admin", &["system:masters"])))
    }

    /// Returns a service that answers as this user when a request brings no credentials; none is anonymous.
    pub fn service_as(&self, user: Option<User>) -> SandboxService {
        SandboxService::new(self.clone(), user)
    }

    /// Returns the token of the user `admin`.
    pub fn admin_token(&self) -> &str {
        &self.inner.admin_token
    }

    /// Prints all objects as YAML; a server can be started from it.
    pub fn snapshot(&self) -> String {
        self.lock().snapshot()
    }

    /// Makes a certificate with which a client is this user: the server's own authority signs it.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn client_certificate(&self, user: &User) -> Result<crate::tls::Certificate, StartError> {
        self.inner.tls.client(user)
    }

    /// Returns the certificate authority of the server as PEM.
    pub fn authority(&self) -> &str {
        &self.inner.tls.authority
    }

    /// Sets what decides about faults, or none.
    pub fn set_faults(&self, hook: Option<FaultHook>) {
        *self.inner.faults.write().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    /// Returns how often each kind of request came, by method, verb, resource and agent.
    pub fn requests(&self) -> Vec<RequestCount> {
        let counts = self.inner.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = |((method, verb, resource, agent), count): (&CountKey, &u64)| RequestCount {
            method: method.clone(),
            verb: verb.clone(),
            resource: resource.clone(),
            agent: agent.clone(),
            count: *count,
        };
        let mut entries: Vec<RequestCount> = counts.iter().map(entry).collect();
        entries.sort();
        entries
    }

    /// Forgets the counts.
    pub fn reset_requests(&self) {
        self.inner.counts.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn fault(&self, request: &Request) -> Option<Fault> {
        let hook = self.inner.faults.read().unwrap_or_else(PoisonError::into_inner).clone();
        hook.and_then(|hook| hook(request))
    }

    pub(crate) fn count(&self, request: &Request) {
        let (verb, resource) = match request.target() {
            crate::request::Target::Resource(path) => {
                let verb = crate::server::verb_of(request, path, request.query());
                let resource = match &path.subresource {
                    Some(sub) => Cow::Owned(format!("{}/{sub}", path.resource)),
                    None => Cow::Borrowed(path.resource.as_str()),
                };
                (verb, resource)
            }
            _ => ("", Cow::Borrowed("")),
        };
        let agent = request.header("user-agent").unwrap_or_default();
        let asked = Asked { method: &request.method, verb, resource: &resource, agent };
        let mut counts = self.inner.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // Resources and agents come from outside: what would be kept of them is bounded.
        if let Some(count) = counts.get_mut(&asked) {
            *count += 1;
        } else if counts.len() < 10_000 {
            counts.insert(asked.to_key(), 1);
        }
    }

    /// Writes what changed to the file, if there is one, before anybody hears of it.
    pub(crate) fn persist(&self, server: &mut Server) -> Result<(), StartError> {
        let Some(keep) = &self.inner.keep else { return Ok(()) };
        let writes = server.store.take_journal();
        if writes.is_empty() { Ok(()) } else { keep.write(&writes) }
    }

    /// Waits until no other connection's request is being answered.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.inner.turn.lock().await
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Server> {
        self.inner.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.inner.clock)()
    }

    /// Draws the moment of a request. Its step is not the one that a moment draws with, or two moments would draw alike.
    pub(crate) fn moment(&self) -> Moment {
        let step = self.inner.seed.fetch_add(0xD1B5_4A32_D192_ED03, Ordering::Relaxed);
        Moment::new(self.now(), step)
    }
}

/// Returns a secret that outlives the server if there is a file for it.
fn kept(
    keep: Option<&crate::keep::Keep>,
    name: &str,
    make: impl FnOnce() -> Result<Vec<u8>, StartError>,
) -> Result<Vec<u8>, StartError> {
    match keep {
        Some(keep) => keep.secret(name, make),
        None => make(),
    }
}

fn text(secret: Vec<u8>) -> Result<String, StartError> {
    String::from_utf8(secret).map_err(|error| StartError(format!("a kept secret is no text: {error}")))
}

fn system_time() -> Timestamp {
    Timestamp::now()
}

/// Draws a seed from the randomness that the standard library's hash maps have.
fn system_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one("seed")
}
