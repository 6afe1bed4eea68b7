//! Commits that we make, and their way into a repository.

use std::{path::Path, process::Command};

use gix::{
    objs::Write as _,
    refs::{
        Target,
        transaction::{Change, LogChange, PreviousValue, RefEdit, RefLog},
    },
};
use lockstep_files::FileTree;

use crate::{
    Author, CommitId, Edit, Error, ErrorKind, GitSpec, Reference, Result,
    edit::{self, Becomes, NewObjects},
    local::Local,
    objects::files_id,
    remote::Repositories,
    url::{Location, locate},
    wire::{self, Service, Update},
};

/// What is pushed.
struct Push<'a> {
    branch: &'a str,
    parent: CommitId,
    commit: CommitId,
    objects: &'a NewObjects,
    author: &'a Author,
}

pub(crate) fn commit(
    repositories: &Repositories,
    spec: &GitSpec,
    parent: CommitId,
    edits: Vec<Edit>,
    message: &str,
    author: &Author,
) -> Result<CommitId> {
    let branch = branch(repositories, spec)?.0;
    let snapshot = repositories.snapshot(spec, parent)?;
    let mut new = NewObjects::default();
    let tree = edit::apply(&snapshot.tree, edits, &mut new)?;
    if tree == snapshot.tree.id() {
        return Err(Error::new(ErrorKind::BadEdit, "the edits change nothing"));
    }
    let commit = edit::commit(tree, parent, message, author, &mut new)?;
    send(repositories, spec, &Push { branch: &branch, parent, commit, objects: &new, author })?;
    Ok(commit)
}

pub(crate) fn revert(
    repositories: &Repositories,
    spec: &GitSpec,
    commit: CommitId,
    author: &Author,
) -> Result<CommitId> {
    let (branch, tip) = branch(repositories, spec)?;
    let snapshot = repositories.snapshot(spec, tip)?;
    let objects = repositories.with_parents(spec, commit)?;
    let missing = || Error::new(ErrorKind::CommitNotFound, format!("the commit {commit} is not in the repository"));
    let reverted = objects.commit(commit.oid())?.ok_or_else(missing)?;
    let before = match reverted.info.parents.first() {
        Some(parent) => Some(files_id(&objects.commit(parent.oid())?.ok_or_else(missing)?.tree)),
        None => None,
    };
    let changed = edit::differences(objects.as_ref(), before, Some(files_id(&reverted.tree)))?;
    let tree = FileTree::new(objects, snapshot.tree.id());
    let mut conflicts = Vec::new();
    let mut changes = Vec::new();
    for change in changed {
        let now = edit::find(&tree, &change.path)?.map(|entry| (entry.kind, entry.id));
        if now == change.left {
            continue;
        }
        if now != change.right {
            conflicts.push(change.path);
            continue;
        }
        changes.push((change.path, change.left.map_or(Becomes::Gone, |(kind, id)| Becomes::Entry(kind, id))));
    }
    if !conflicts.is_empty() {
        conflicts.truncate(5);
        let message = format!("later commits changed the same files: {}", conflicts.join(", "));
        return Err(
            Error::new(ErrorKind::Conflict, message).hint("revert the later commits first, or make the change by hand")
        );
    }
    if changes.is_empty() {
        return Err(Error::new(
            ErrorKind::BadEdit,
            format!("nothing of the commit {} is left to revert", commit.short()),
        ));
    }
    let mut new = NewObjects::default();
    let root = edit::place(&tree, changes, &mut new)?;
    let message = format!("Revert \"{}\"\n\nThis reverts commit {commit}.\n", reverted.info.title());
    let made = edit::commit(root, tip, &message, author, &mut new)?;
    send(repositories, spec, &Push { branch: &branch, parent: tip, commit: made, objects: &new, author })?;
    Ok(made)
}

/// Finds the branch to push to, and its tip.
fn branch(repositories: &Repositories, spec: &GitSpec) -> Result<(String, CommitId)> {
    let no_branch = || {
        Error::new(
            ErrorKind::BadReference,
            format!("commits can be pushed to a branch only, not to {}", spec.reference),
        )
        .hint("name a branch")
    };
    if matches!(spec.reference, Reference::Tag(_) | Reference::Commit(_) | Reference::Semver(_)) {
        return Err(no_branch());
    }
    let revision = repositories.resolve(spec)?;
    let branch = revision.reference.filter(|name| name.starts_with("refs/heads/")).ok_or_else(no_branch)?;
    Ok((branch, revision.commit))
}

fn send(repositories: &Repositories, spec: &GitSpec, push: &Push<'_>) -> Result<()> {
    let location = locate(&spec.url)?;
    if let Location::Local(folder) = &location {
        return send_local(&Local::open(folder)?, push);
    }
    let session = wire::connect(repositories.clients(), &location, &spec.credentials, Service::ReceivePack)?;
    let tip = session.refs().iter().find(|found| found.name == push.branch).map(|found| found.commit);
    if tip != Some(push.parent.oid()) {
        return Err(wire::moved_on());
    }
    let update = Update { reference: push.branch, old: push.parent.oid(), new: push.commit.oid() };
    wire::push(session, &update, &push.objects.pack()?)
}

fn send_local(local: &Local, push: &Push<'_>) -> Result<()> {
    let checked_out = checked_out(local, push.branch)?;
    if let Some(work_folder) = &checked_out {
        refuse_dirty(work_folder)?;
    }
    for (kind, bytes) in push.objects.iter() {
        let written = local.repository().objects.write_buf(kind, bytes);
        written.map_err(|error| Error::storage("the commit cannot be written", error))?;
    }
    match checked_out {
        Some(work_folder) => forward(work_folder, push),
        None => move_branch(local, push),
    }
}

/// Returns the working tree in which the branch is checked out.
fn checked_out<'a>(local: &'a Local, branch: &str) -> Result<Option<&'a Path>> {
    let head = format!("ref: {branch}");
    let has_branch = |folder: &Path| std::fs::read_to_string(folder.join("HEAD")).is_ok_and(|text| text.trim() == head);
    let linked = std::fs::read_dir(local.common_folder().join("worktrees")).into_iter().flatten();
    let elsewhere = linked
        .filter_map(std::result::Result::ok)
        .any(|entry| entry.path() != local.git_folder() && has_branch(&entry.path()));
    if elsewhere || (local.git_folder() != local.common_folder() && has_branch(local.common_folder())) {
        return Err(Error::new(
            ErrorKind::Dirty,
            "the branch is checked out in another working tree of the repository",
        )
        .hint("push to another branch, or use the repository of that working tree"));
    }
    Ok(local.work_folder().filter(|_| has_branch(local.git_folder())))
}

fn git(work_folder: &Path, arguments: &[&str]) -> Result<std::process::Output> {
    let mut command = Command::new("git");
    command
        .args(["-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*"])
        .arg("-C")
        .arg(work_folder)
        .args(arguments);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        command.env_remove(name);
    }
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("LC_ALL", "C");
    command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::new(
            ErrorKind::MissingProgram,
            "the branch is checked out, and the `git` program that would bring the files up to date is not installed",
        )
        .hint("install git, or use a bare repository"),
        _ => Error::storage("`git` could not be started", error),
    })
}

fn refuse_dirty(work_folder: &Path) -> Result<()> {
    let status = git(work_folder, &["status", "--porcelain", "--untracked-files=no"])?;
    if !status.status.success() {
        return Err(Error::storage("`git status` failed", String::from_utf8_lossy(&status.stderr).trim()));
    }
    if status.stdout.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Dirty, "the branch is checked out and has changes that are not committed")
        .hint("commit or stash them first"))
}

/// Moves branch, index and files together. It only goes forward, so a branch that has moved on is refused.
fn forward(work_folder: &Path, push: &Push<'_>) -> Result<()> {
    let merged =
        git(work_folder, &["merge", "--ff-only", "--quiet", "--no-verify-signatures", &push.commit.to_string()])?;
    if merged.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&merged.stderr).trim().to_owned();
    if words.contains("would be overwritten") {
        return Err(Error::new(ErrorKind::Dirty, format!("files in the working tree are in the way: {words}")));
    }
    if words.contains("fast-forward") || words.contains("Diverging") {
        return Err(wire::moved_on());
    }
    Err(Error::storage("`git merge --ff-only` failed", words))
}

fn move_branch(local: &Local, push: &Push<'_>) -> Result<()> {
    let signature = gix::actor::Signature {
        name: push.author.name.as_str().into(),
        email: push.author.email.as_str().into(),
        time: gix::date::Time::new(push.author.time, 0),
    };
    let edit = RefEdit {
        change: Change::Update {
            log: LogChange {
                mode: RefLog::AndReference,
                force_create_reflog: false,
                message: "commit by lockstep".into(),
            },
            expected: PreviousValue::MustExistAndMatch(Target::Object(push.parent.oid())),
            new: Target::Object(push.commit.oid()),
        },
        name: push
            .branch
            .try_into()
            .map_err(|error| Error::new(ErrorKind::BadReference, format!("{}: {error}", push.branch)))?,
        deref: false,
    };
    let mut buffer = gix::date::parse::TimeBuf::default();
    let moved = local.repository().edit_references_as([edit], Some(signature.to_ref(&mut buffer)));
    match moved {
        Ok(_) => Ok(()),
        Err(_) if local.list(&[push.branch.to_owned()])?.first().is_none_or(|tip| tip.commit != push.parent.oid()) => {
            Err(wire::moved_on())
        }
        Err(error) => Err(Error::storage("the branch cannot be moved", error)),
    }
}
