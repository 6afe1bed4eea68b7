//! Talks to Kubernetes API servers: discovery, watches and the effects of decisions.
//!
//! What: [`Cluster`] sends one request for each effect and counts them; [`Watch`] turns a watch into a stream of
//! objects that survives everything an API server does to watches.
//!
//! What not: no cache and no decision; the live index belongs to whoever decides. `kube` gives connections and
//! authentication only: bodies are read straight into compact objects.

mod cluster;
mod discovery;
mod error;
mod pace;
mod requests;
mod watch;

pub use cluster::{Applied, Cluster};
pub use discovery::{Discovery, Resource};
pub use error::Error;
pub use requests::{Counts, Verb};
pub use watch::{Watch, WatchEvent};
