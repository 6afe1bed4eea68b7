//! Repositories, wherever they are: what is asked of their references, objects and history. Everything here blocks.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use lockstep_files::FileTree;

use crate::{
    CacheOptions, CommitId, CommitInfo, Error, ErrorKind, GitSpec, Result, Revision, Snapshot,
    cache::{Generation, Place},
    history,
    local::Local,
    objects::{Objects, files_id},
    refs::{self, Ref, Wanted},
    url::{Location, locate},
    wire::{self, Clients, Limits, Service},
};

/// All repositories that this process has to do with.
pub(crate) struct Repositories {
    options: CacheOptions,
    clients: Clients,
    /// By the place in the cache, or by the folder of a local repository's objects.
    open: Mutex<HashMap<PathBuf, Opened>>,
}

#[derive(Clone)]
enum Opened {
    Copy(Generation),
    Local(Arc<Objects>),
}

/// Depths of history that are tried one after the other before we give up.
const DEPTHS: [u32; 2] = [20, 500];
/// What Git itself asks for when it wants all.
const ALL: u32 = 0x7fff_ffff;

impl Repositories {
    pub(crate) fn new(options: CacheOptions) -> Result<Self> {
        std::fs::create_dir_all(&options.folder).map_err(|error| {
            Error::storage(&format!("the cache folder {} cannot be made", options.folder.display()), error)
        })?;
        let clients = Clients::new(Limits { connect: options.connect_timeout, idle: options.idle_timeout });
        Ok(Self { options, clients, open: Mutex::default() })
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }

    pub(crate) fn resolve(&self, spec: &GitSpec) -> Result<Revision> {
        let location = locate(&spec.url)?;
        let prefixes = match refs::wanted(&spec.reference)? {
            Wanted::Nothing(commit) => return Ok(Revision::commit(commit)),
            Wanted::Prefixes(prefixes) => prefixes,
        };
        let listed = self.list(&location, spec, &prefixes)?;
        let mut revision = match refs::choose(&spec.reference, &listed) {
            Ok(revision) => revision,
            Err(_) if listed.iter().all(|found| found.name != "HEAD") && self.is_empty(&location, spec)? => {
                return Err(refs::empty());
            }
            Err(error) => return Err(error),
        };
        if let Location::Local(folder) = &location {
            // Annotated tags of tags are rare, but a local repository can look at once.
            let objects = self.local_objects(&Local::open(folder)?)?;
            revision.commit = objects.peel(revision.commit.oid())?.try_into()?;
        }
        Ok(revision)
    }

    fn is_empty(&self, location: &Location, spec: &GitSpec) -> Result<bool> {
        Ok(self.list(location, spec, &["refs/".to_owned()])?.is_empty())
    }

    fn list(&self, location: &Location, spec: &GitSpec, prefixes: &[String]) -> Result<Vec<Ref>> {
        match location {
            Location::Local(folder) => Local::open(folder)?.list(prefixes),
            _ => wire::connect(&self.clients, location, &spec.credentials, Service::UploadPack)?.list(prefixes),
        }
    }

    /// Opens a commit's objects, fetching them if needed.
    pub(crate) fn objects(&self, spec: &GitSpec, commit: CommitId) -> Result<Arc<Objects>> {
        let location = locate(&spec.url)?;
        let objects = match &location {
            Location::Local(folder) => self.local_objects(&Local::open(folder)?)?,
            _ => self.copy(&location, spec, commit, 1, |objects| objects.has(&commit.oid()))?,
        };
        if objects.has(&commit.oid()) { Ok(objects) } else { Err(gone(commit)) }
    }

    pub(crate) fn snapshot(&self, spec: &GitSpec, commit: CommitId) -> Result<Snapshot> {
        let objects = self.objects(spec, commit)?;
        let read = objects.commit(commit.oid())?.ok_or_else(|| gone(commit))?;
        Ok(Snapshot { tree: FileTree::new(objects, files_id(&read.tree)), commit: read.info })
    }

    /// Opens a commit's objects together with those of its parents.
    pub(crate) fn with_parents(&self, spec: &GitSpec, commit: CommitId) -> Result<Arc<Objects>> {
        let complete = |objects: &Objects| match objects.commit(commit.oid()) {
            Ok(Some(read)) => read.info.parents.iter().all(|parent| objects.has(&parent.oid())),
            _ => false,
        };
        let objects = self.deep(spec, commit, 2, complete)?;
        if complete(&objects) { Ok(objects) } else { Err(gone(commit)) }
    }

    fn deep(
        &self,
        spec: &GitSpec,
        commit: CommitId,
        depth: u32,
        enough: impl Fn(&Objects) -> bool,
    ) -> Result<Arc<Objects>> {
        match locate(&spec.url)? {
            Location::Local(folder) => self.local_objects(&Local::open(&folder)?),
            location => self.copy(&location, spec, commit, depth, enough),
        }
    }

    pub(crate) fn log(
        &self,
        spec: &GitSpec,
        from: Option<CommitId>,
        to: CommitId,
        limit: usize,
    ) -> Result<Vec<CommitInfo>> {
        let enough = |objects: &Objects| match history::walk(objects, from, to, limit) {
            Ok(walk) => objects.has(&to.oid()) && (!walk.cut || walk.commits.len() >= limit),
            Err(_) => false,
        };
        let depth = u32::try_from(limit).unwrap_or(ALL).max(1);
        let objects = self.deep(spec, to, depth, enough)?;
        if !objects.has(&to.oid()) {
            return Err(gone(to));
        }
        Ok(history::walk(&objects, from, to, limit)?.commits)
    }

    pub(crate) fn descends(&self, spec: &GitSpec, old: CommitId, new: CommitId) -> Result<Option<bool>> {
        let look = |objects: &Objects| {
            history::walk(objects, Some(old), new, 100_000).map(|walk| match (walk.found, walk.cut) {
                (true, _) => Some(true),
                (false, cut) => (!cut).then_some(false),
            })
        };
        for depth in DEPTHS {
            let enough = |objects: &Objects| look(objects).is_ok_and(|known| known.is_some());
            let objects = self.deep(spec, new, depth, enough)?;
            if let Some(known) = look(&objects)? {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    pub(crate) fn local_objects(&self, local: &Local) -> Result<Arc<Objects>> {
        let folder = local.objects_folder();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Opened::Local(objects)) = open.get(&folder) {
            return Ok(objects.clone());
        }
        let objects = local.objects(self.options.object_cache_bytes)?;
        open.insert(folder, Opened::Local(objects.clone()));
        Ok(objects)
    }

    /// Opens the copy of a remote repository, and fetches `commit` and this much of its history unless there is enough.
    fn copy(
        &self,
        location: &Location,
        spec: &GitSpec,
        commit: CommitId,
        depth: u32,
        enough: impl Fn(&Objects) -> bool,
    ) -> Result<Arc<Objects>> {
        let place = Place::of(&self.options.folder, spec)?;
        if let Some(generation) = self.opened(&place)
            && enough(&generation.objects)
        {
            return Ok(generation.objects);
        }
        let _fetching = place.lock_for_fetch()?;
        let newest = place.newest(self.options.object_cache_bytes)?;
        // What is open here already has a warm cache, if it is still the newest.
        let generation = self.opened(&place).filter(|opened| opened.is(&newest)).unwrap_or(newest);
        if enough(&generation.objects) {
            self.keep(&place, &generation);
            return Ok(generation.objects);
        }
        let generation = place.renew(generation, self.options.max_repository_bytes, self.options.object_cache_bytes)?;
        self.fetch(location, spec, &generation, commit, depth)?;
        self.keep(&place, &generation);
        Ok(generation.objects)
    }

    fn opened(&self, place: &Place) -> Option<Generation> {
        match self.open.lock().unwrap_or_else(PoisonError::into_inner).get(place.folder()) {
            Some(Opened::Copy(generation)) => Some(generation.clone()),
            _ => None,
        }
    }

    fn keep(&self, place: &Place, generation: &Generation) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(place.folder().to_owned(), Opened::Copy(generation.clone()));
    }

    fn fetch(
        &self,
        location: &Location,
        spec: &GitSpec,
        generation: &Generation,
        commit: CommitId,
        depth: u32,
    ) -> Result<()> {
        let session = wire::connect(&self.clients, location, &spec.credentials, Service::UploadPack)?;
        let tips: Vec<_> = session.refs().iter().map(|found| found.commit).collect();
        // Version 0 sends only what a branch or tag points at: another commit comes with all the history.
        let (wants, depth) = if tips.is_empty() || tips.contains(&commit.oid()) {
            (vec![commit.oid()], depth)
        } else {
            (unique(tips), ALL)
        };
        let request = generation.request(wants, Some(depth))?;
        let fetched = wire::fetch(session, &request, &mut |pack| generation.take_pack(pack));
        let response =
            fetched.map_err(|error| if error.kind() == ErrorKind::CommitNotFound { gone(commit) } else { error })?;
        generation.remember(&request, &response)?;
        if generation.objects.has(&commit.oid()) { Ok(()) } else { Err(gone(commit)) }
    }
}

fn unique(mut ids: Vec<gix::ObjectId>) -> Vec<gix::ObjectId> {
    ids.sort();
    ids.dedup();
    ids
}

fn gone(commit: CommitId) -> Error {
    Error::new(ErrorKind::CommitNotFound, format!("the commit {commit} is not in the repository"))
        .hint("it was never pushed, or removed by a force push")
}
