//! Runs the engine in a made-up world that one seed decides, and watches its promises.
//!
//! What: [`simulate`] makes up Apps, a Git history, people who change the cluster by hand, and faults of every kind
//! (lost requests and answers, errors, late and broken watches, workloads that fail, an operator that is killed at
//! any time); it runs the engine's own [`lockstep_engine::Fleet`] against the sandbox's server in virtual time.
//! While it runs and long after the last fault it is checked that the promises hold: see [`PROMISES`].
//!
//! What not: no thread, socket, clock or file. The shell of the operator is played in `operator.rs`, as thin as the
//! real one; rendering is replaced by objects that the scene makes up.
//!
//! Why: a deployment goes wrong in orders of events that nobody thinks of. A seed that fails is a test that can be
//! repeated, and its story is written for people.
//!
//! What it found in the engine so far is in the table in `tests/simulation.rs`. What it would find is shown by taking a
//! rule of the engine away and living through the seeds 0 to 399:
//!
//! | the rule | worlds that break | the promise |
//! |---|---|---|
//! | a hook that ran for this sync is not made again | 171 | runs the hook twice for one sync |
//! | a wave waits until the one before is well | 365 | of an earlier wave has not been well |
//! | a sync waits for its dependencies | 127 | begins a sync though its dependency is not ready |
//! | what holds data is not pruned | 27 | deletes a claim, which holds data |
//! | a sync is planned when every apply before has its answer | 0 (4779 does) | of an earlier wave has not been well |
//! | what carries another label is not planned to go | 0 | the run looks again before it deletes, and so does the shell |
#![warn(missing_docs)]

mod cluster;
mod nature;
mod operator;
mod promises;
mod scene;
mod story;
mod world;

use std::fmt;

/// What is watched.
pub const PROMISES: &[&str] = &[
    "long after the last fault the cluster is what Git says, for every App",
    "what is not ours is never touched",
    "no hook is lost, and none runs twice for one sync, also across restarts",
    "no wave begins before the waves before it were well",
    "nothing is pruned without knowing what is wanted, and nothing that is protected",
    "every sync ends, and the App is ready in the end",
    "a sync begins only when its dependencies are ready",
    "when everything is in order, nothing is asked of the cluster",
];

/// How much of the world there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most Apps.
    pub apps: usize,
    /// The most commits after the first.
    pub commits: usize,
    /// What goes wrong.
    pub faults: Faults,
}

/// What goes wrong in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The API server and the source answer with errors.
    pub errors: bool,
    /// Requests and answers are lost.
    pub lost: bool,
    /// Everything takes seconds now and then.
    pub slow: bool,
    /// Watches break, lose their place and repeat themselves.
    pub watches: bool,
    /// The operator is killed and starts again.
    pub restarts: bool,
    /// Somebody changes the cluster by hand.
    pub meddling: bool,
    /// Workloads and hooks fail, are late, or never become well before the faults end.
    pub sickness: bool,
    /// People ask for syncs, suspend and delete Apps.
    pub people: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let faults = Faults {
            errors: true,
            lost: true,
            slow: true,
            watches: true,
            restarts: true,
            meddling: true,
            sickness: true,
            people: true,
        };
        Self { apps: 4, commits: 6, faults }
    }
}

/// A broken promise, and how it came to be.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What is left of the world after everything was taken away that is not needed to fail.
    pub limits: Limits,
    /// What was broken.
    pub broken: String,
    /// What happened, line by line.
    pub story: Vec<String>,
}

/// Lives through the world of a seed.
///
/// # Errors
/// A promise that was broken, in the smallest world in which this seed breaks one.
pub fn simulate(seed: u64) -> Result<(), Box<Failure>> {
    let limits = Limits::default();
    match broken(seed, &limits) {
        None => Ok(()),
        Some(_) => Err(Box::new(tell(seed, shrink(seed, limits)))),
    }
}

fn broken(seed: u64, limits: &Limits) -> Option<String> {
    world::World::new(seed, limits, false).run().err()
}

fn tell(seed: u64, limits: Limits) -> Failure {
    let mut world = world::World::new(seed, &limits, true);
    let broken = world.run().err().unwrap_or_else(|| "the second run was not as the first".to_owned());
    world.tell("BROKEN", || broken.clone());
    Failure { seed, limits, broken, story: world.story.into_lines() }
}

/// Takes away faults, commits and Apps for as long as the seed still fails.
fn shrink(seed: u64, mut limits: Limits) -> Limits {
    let without: [fn(&mut Faults); 8] = [
        |faults| faults.meddling = false,
        |faults| faults.people = false,
        |faults| faults.restarts = false,
        |faults| faults.watches = false,
        |faults| faults.lost = false,
        |faults| faults.errors = false,
        |faults| faults.slow = false,
        |faults| faults.sickness = false,
    ];
    for take in without {
        let mut smaller = limits.clone();
        take(&mut smaller.faults);
        if smaller != limits && broken(seed, &smaller).is_some() {
            limits = smaller;
        }
    }
    for commits in 0..limits.commits {
        let smaller = Limits { commits, ..limits.clone() };
        if broken(seed, &smaller).is_some() {
            limits = smaller;
            break;
        }
    }
    for apps in 1..limits.apps {
        let smaller = Limits { apps, ..limits.clone() };
        if broken(seed, &smaller).is_some() {
            limits = smaller;
            break;
        }
    }
    limits
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.broken)?;
        writeln!(f, "in a world of {:?}", self.limits)?;
        self.story.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
