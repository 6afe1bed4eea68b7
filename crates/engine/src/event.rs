//! What comes in and what goes out.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use lockstep_api::{AppSpec, AppStatus, NamespaceMetadata, SyncWindow};
use lockstep_diff::Ignore;
use lockstep_object::{Diagnostic, Gvk, Object, ObjectKey, Text};

use crate::{Live, Prepared};

/// What names an App.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl AppId {
    /// Returns the id of these parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// Returns the value of the label on its objects.
    pub fn label(&self) -> String {
        lockstep_api::owner_label(&self.namespace, &self.name)
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Numbers the requests of one App, so that an answer that came too late is known as such.
pub type Ticket = u64;

/// A revision of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevisionInfo {
    /// The commit, the version of a chart, or the digest of a folder.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// The first line of its message.
    pub message: String,
    /// What else the objects depend on, such as the versions of values from elsewhere; empty if there is nothing.
    pub inputs: String,
}

/// Why something did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind, which decides what happens next.
    pub kind: ProblemKind,
    /// What to tell a person.
    pub message: String,
}

impl Problem {
    /// Returns a problem of these parts.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The kinds of problems; each is a reason in the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The source cannot be fetched; the last good state is kept.
    SourceFailed,
    /// The files are wrong; only a commit helps.
    RenderFailed,
    /// The rules of the project forbid it.
    Forbidden,
    /// The plan would do harm and was refused.
    Refused,
    /// Another App has an object.
    Claimed,
    /// The kind is not known to the cluster; applied as soon as its definition is there.
    UnknownKind,
    /// The namespace is missing.
    NamespaceMissing,
    /// The API server refused the object.
    Rejected,
    /// The API server cannot be reached, or cannot answer now.
    Unreachable,
    /// Objects did not become healthy in time.
    Unhealthy,
    /// Deleting takes too long.
    PruneFailed,
    /// A hook failed.
    HookFailed,
    /// The App's own rules cannot be read.
    SpecInvalid,
    /// A sync failed and the App went back to the revision before.
    RolledBack,
}

impl ProblemKind {
    /// Returns the reason for conditions.
    pub fn reason(self) -> &'static str {
        match self {
            Self::SourceFailed => "SourceFailed",
            Self::RenderFailed => "RenderFailed",
            Self::Forbidden => "Forbidden",
            Self::Refused => "Refused",
            Self::Claimed => "Claimed",
            Self::UnknownKind => "UnknownKind",
            Self::NamespaceMissing => "NamespaceMissing",
            Self::Rejected => "Rejected",
            Self::Unreachable => "ClusterUnreachable",
            Self::Unhealthy => "Unhealthy",
            Self::PruneFailed => "PruneFailed",
            Self::HookFailed => "HookFailed",
            Self::SpecInvalid => "SpecInvalid",
            Self::RolledBack => "RolledBack",
        }
    }

    /// Tells whether nothing but a person's change can help.
    pub fn needs_a_person(self) -> bool {
        matches!(
            self,
            Self::RenderFailed | Self::Forbidden | Self::Refused | Self::Claimed | Self::SpecInvalid | Self::RolledBack
        )
    }
}

/// The App as it stands in the cluster.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What is wanted.
    pub spec: Arc<AppSpec>,
    /// The generation of the spec.
    pub generation: i64,
    /// The annotation that asks for a sync.
    pub refresh: String,
    /// The annotation with the objects that the sync asked for is about; empty for all.
    pub resources: String,
    /// The annotation that agrees to a prune.
    pub confirm: String,
    /// Whether its deletion was asked for.
    pub deleting: bool,
    /// Whether it has our finalizer.
    pub finalizer: bool,
    /// The windows of its project.
    pub windows: Arc<[SyncWindow]>,
    /// What of its rules the shell cannot read.
    pub problems: Vec<String>,
}

/// How an object is applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApplyOptions {
    /// A missing namespace is made, with these labels and annotations.
    pub create_namespace: Option<Arc<NamespaceMetadata>>,
    /// It is put in place of the live object as a whole.
    pub replace: bool,
    /// Where a field cannot be changed it is deleted and made anew.
    pub recreate: bool,
    /// An earlier request to make this hook had no answer: what that may have left is deleted first, unless it carries
    /// this mark ([`lockstep_api::HOOK_RUN`]).
    pub afresh: Option<Text>,
    /// What a live object keeps, whatever is desired.
    pub respect: Respect,
}

/// Rules of what a live object keeps. Two are equal if they are the same rules.
#[derive(Clone, Debug, Default)]
pub struct Respect(pub Arc<[Ignore]>);

impl PartialEq for Respect {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.is_empty() && other.0.is_empty()
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The App is as told: at the start, and whenever it was changed.
    Spec(Box<Wanted>),
    /// The source has this revision, or cannot be asked.
    Resolved(Result<RevisionInfo, Problem>),
    /// The objects of a revision, and whose they are already.
    Rendered {
        /// The request's ticket.
        ticket: Ticket,
        /// The objects, or what is wrong with the files.
        result: Result<Arc<Prepared>, Rejected>,
        /// Objects that another App owns.
        conflicts: Vec<(ObjectKey, String)>,
    },
    /// An apply was answered. The new facts are in the index.
    Applied {
        /// The object.
        key: ObjectKey,
        /// The version it was applied in.
        version: Text,
        /// The digest of what was applied.
        digest: u64,
        /// The facts as stored, or why not.
        result: Result<Live, Problem>,
        /// Whether the stored object differs from the one before.
        changed: bool,
    },
    /// A check was answered.
    Validated {
        /// The object.
        key: ObjectKey,
        /// Whether the server would take it.
        result: Result<(), Problem>,
    },
    /// What there is to say about an object that is not well.
    Explained {
        /// The object.
        key: ObjectKey,
        /// Why it is not well, in a sentence with its pod's reason and its last events.
        reason: Option<String>,
        /// The end of its pods' logs.
        log: Option<String>,
    },
    /// What is there of the kinds that were asked about has reached the index.
    Looked {
        /// The request's ticket.
        ticket: Ticket,
    },
    /// A delete was answered; that the object is gone comes as [`Event::Live`].
    Deleted {
        /// The object.
        key: ObjectKey,
        /// Whether it was accepted; an object that is not there counts.
        result: Result<(), Problem>,
    },
    /// An object changed or went. The new facts are in the index.
    Live {
        /// The object.
        key: ObjectKey,
        /// The whole object, to tell who changed what; nothing when it went.
        object: Option<Arc<Object>>,
    },
    /// The cluster has the status that was written last.
    Recorded,
    /// Something this App may wait for has changed: a dependency, a Project, the time.
    Wake,
    /// The rules of projects are others than before.
    RulesChanged,
    /// Objects that other Apps had claimed are free.
    ClaimsChanged,
    /// The cluster knows other kinds than before.
    KindsChanged,
}

/// Why files gave no objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The problem's kind: the files, the project's rules, the cluster.
    pub kind: ProblemKind,
    /// What is wrong, with places.
    pub diagnostics: Vec<Diagnostic>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Render this revision and answer with [`Event::Rendered`].
    Render {
        /// The request's ticket.
        ticket: Ticket,
        /// The revision.
        revision: RevisionInfo,
    },
    /// Apply the object and answer with [`Event::Applied`].
    Apply {
        /// The object.
        key: ObjectKey,
        /// Its version.
        version: Text,
        /// Its JSON.
        body: Arc<[u8]>,
        /// The digest of the JSON's value.
        digest: u64,
        /// How.
        options: Arc<ApplyOptions>,
    },
    /// Have the server check the object without storing it, and answer with [`Event::Validated`].
    Validate {
        /// The object.
        key: ObjectKey,
        /// Its version.
        version: Text,
        /// Its JSON.
        body: Arc<[u8]>,
        /// How it will be applied.
        options: Arc<ApplyOptions>,
    },
    /// Find out why an object is not well and answer with [`Event::Explained`].
    Explain {
        /// The object.
        key: ObjectKey,
        /// Its version.
        version: Text,
        /// Whether the logs of its pods are wanted: a hook failed.
        log: bool,
    },
    /// See to it that these kinds are watched and answer with [`Event::Looked`].
    Look {
        /// The request's ticket.
        ticket: Ticket,
        /// The kinds.
        kinds: Vec<Gvk>,
    },
    /// Delete the object, if it is still the one that was seen, and answer with [`Event::Deleted`]. One that changed
    /// since is looked at again: it is deleted if it still has this uid and the App's label.
    Delete {
        /// The object.
        key: ObjectKey,
        /// Its version.
        version: Text,
        /// The id that must match.
        uid: Text,
        /// The server's version in which it was seen.
        seen: u64,
    },
    /// Write the status.
    Status(Box<AppStatus>),
    /// Come back with [`Event::Wake`] at this time; only the earliest wish counts.
    WakeAt(Timestamp),
    /// Put our finalizer on the App.
    AddFinalizer,
    /// Take our finalizer from the App; nothing of it is left.
    RemoveFinalizer,
    /// Tell people.
    Notify(Notice),
}

/// Something that people want to know: a Kubernetes event and a line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether something is wrong.
    pub warning: bool,
    /// Why, in one word.
    pub reason: &'static str,
    /// What, in a sentence.
    pub message: String,
}
