//! Copies of remote repositories on disk.
//!
//! One folder a repository and identity; in it one folder a generation (`1`, `2`, …) with Git objects, the edge of
//! the known history and what was fetched last. A generation that grew too large is followed by an empty one and
//! removed when nobody reads from it any more. File locks keep several processes apart:
//! `state` while the generations are looked at, `fetch` while one is filled, `in-use` in a generation while it is read.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{BufRead, Write},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use gix::ObjectId;
use sha2::{Digest, Sha256};

use crate::{
    Error, GitSpec, Result,
    objects::Objects,
    wire::{Request, Response},
};

/// Packs after which a generation is too old: each fetch adds one, and looking in many is slow.
const MOST_PACKS: usize = 100;
/// How many commits we tell a server that we have.
const MOST_HAVES: usize = 16;

/// The place of one repository.
pub(crate) struct Place {
    folder: PathBuf,
}

/// An open generation.
#[derive(Clone)]
pub(crate) struct Generation {
    folder: PathBuf,
    pub objects: Arc<Objects>,
}

impl Place {
    /// The place for this repository as seen with these credentials: who may read one thing may not read all of another's copy.
    pub(crate) fn of(cache: &Path, spec: &GitSpec) -> Result<Self> {
        let mut hash = Sha256::new();
        let credentials = &spec.credentials;
        let parts = [
            Some(&spec.url),
            credentials.username.as_ref(),
            credentials.password.as_ref(),
            credentials.bearer.as_ref(),
            credentials.identity.as_ref(),
        ];
        for part in parts {
            hash.update([u8::from(part.is_some())]);
            hash.update(part.map_or("", String::as_str).as_bytes());
            hash.update([0]);
        }
        let name: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let folder = cache.join(name);
        fs::create_dir_all(&folder).map_err(storage)?;
        Ok(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn lock(&self, name: &str) -> Result<File> {
        let file = open_lock(&self.folder.join(name)).map_err(storage)?;
        file.lock().map_err(storage)?;
        Ok(file)
    }

    /// Waits until no other process or thread fetches into this place.
    pub(crate) fn lock_for_fetch(&self) -> Result<File> {
        self.lock("fetch")
    }

    fn numbers(&self) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(storage)? {
            numbers.extend(entry.map_err(storage)?.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Opens the newest generation; makes the first.
    pub(crate) fn newest(&self, cache_bytes: usize) -> Result<Generation> {
        let _state = self.lock("state")?;
        let newest = self.numbers()?.pop().unwrap_or(1);
        self.open(newest, cache_bytes)
    }

    fn open(&self, number: u64, cache_bytes: usize) -> Result<Generation> {
        let folder = self.folder.join(number.to_string());
        fs::create_dir_all(folder.join("objects/pack")).map_err(storage)?;
        let in_use = open_lock(&folder.join("in-use")).map_err(storage)?;
        in_use.lock_shared().map_err(storage)?;
        Ok(Generation { objects: Objects::open(&folder.join("objects"), cache_bytes, Some(in_use))?, folder })
    }

    /// Starts a new generation if this one is too large, and removes those that nobody reads.
    pub(crate) fn renew(&self, current: Generation, max_bytes: u64, cache_bytes: usize) -> Result<Generation> {
        let (packs, bytes) = current.size()?;
        // A single pack that is too large would be as large again.
        let renewed = if packs > MOST_PACKS || (packs > 1 && bytes > max_bytes) {
            let _state = self.lock("state")?;
            let next = self.numbers()?.pop().unwrap_or(0) + 1;
            self.open(next, cache_bytes)?
        } else {
            current
        };
        self.clean(&renewed.folder)?;
        Ok(renewed)
    }

    fn clean(&self, keep: &Path) -> Result<()> {
        let _state = self.lock("state")?;
        for number in self.numbers()? {
            let folder = self.folder.join(number.to_string());
            if folder == keep {
                continue;
            }
            let lock = open_lock(&folder.join("in-use")).map_err(storage)?;
            if lock.try_lock().is_ok() {
                fs::remove_dir_all(&folder).map_err(storage)?;
            }
        }
        Ok(())
    }
}

fn open_lock(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

fn storage(error: impl std::fmt::Display) -> Error {
    Error::storage("the cache of Git repositories cannot be used", error)
}

impl Generation {
    /// Tells whether it is the same folder.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.folder == other.folder
    }

    fn size(&self) -> Result<(usize, u64)> {
        let (mut packs, mut bytes) = (0, 0);
        for entry in fs::read_dir(self.folder.join("objects/pack")).map_err(storage)? {
            let entry = entry.map_err(storage)?;
            packs += usize::from(entry.path().extension().is_some_and(|extension| extension == "pack"));
            // A temporary file may vanish while we look.
            bytes += entry.metadata().map_or(0, |metadata| metadata.len());
        }
        Ok((packs, bytes))
    }

    fn ids(&self, file: &str) -> Result<Vec<ObjectId>> {
        match fs::read_to_string(self.folder.join(file)) {
            Ok(text) => Ok(text.lines().filter_map(|line| ObjectId::from_hex(line.as_bytes()).ok()).collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(storage(error)),
        }
    }

    fn write_ids(&self, file: &str, ids: impl IntoIterator<Item = ObjectId>) -> Result<()> {
        let text: String = ids.into_iter().map(|id| format!("{id}\n")).collect();
        let mut temporary = tempfile::NamedTempFile::new_in(&self.folder).map_err(storage)?;
        temporary.write_all(text.as_bytes()).map_err(storage)?;
        temporary.persist(self.folder.join(file)).map_err(storage)?;
        Ok(())
    }

    /// What to ask a server for.
    pub(crate) fn request(&self, wants: Vec<ObjectId>, depth: Option<u32>) -> Result<Request> {
        let haves = self.ids("fetched")?.into_iter().filter(|id| self.objects.has(id)).collect();
        Ok(Request { wants, haves, shallow: self.ids("shallow")?, depth })
    }

    /// Stores a pack while it arrives, and indexes it.
    pub(crate) fn take_pack(&self, pack: &mut dyn BufRead) -> Result<()> {
        let options = gix_pack::bundle::write::Options { thread_limit: Some(2), ..Default::default() };
        let stored = self.objects.with(|handle| {
            gix_pack::Bundle::write_to_directory(
                pack,
                Some(&self.folder.join("objects/pack")),
                &mut gix::progress::Discard,
                &AtomicBool::new(false),
                Some(handle.clone()),
                gix::hash::Kind::Sha1,
                options,
            )
        });
        let stored = stored.map_err(|error| pack_error(&error))?;
        // We keep all packs of a generation, so the mark that keeps one is not needed.
        stored.keep_path.map_or(Ok(()), fs::remove_file).map_err(storage)
    }

    /// Remembers where the known history ends, and what is here.
    pub(crate) fn remember(&self, request: &Request, response: &Response) -> Result<()> {
        let mut edge: BTreeSet<ObjectId> = self.ids("shallow")?.into_iter().collect();
        edge.extend(&response.shallow);
        edge.retain(|id| !response.unshallow.contains(id));
        self.write_ids("shallow", edge)?;
        let mut fetched = request.wants.clone();
        fetched.extend(self.ids("fetched")?.into_iter().filter(|id| !request.wants.contains(id)));
        fetched.truncate(MOST_HAVES);
        self.write_ids("fetched", fetched)
    }
}

/// A broken connection shows as a pack that cannot be stored; the reason is deeper down.
fn pack_error(error: &(dyn std::error::Error + 'static)) -> Error {
    let mut source = Some(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            let inner = io.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
            return inner.cloned().unwrap_or_else(|| match io.kind() {
                std::io::ErrorKind::StorageFull => storage(io),
                _ => Error::new(
                    crate::ErrorKind::Unreachable,
                    format!("the connection broke while objects were received: {io}"),
                ),
            });
        }
        source = cause.source();
    }
    Error::protocol(format!("the objects that the server sent cannot be stored: {error}"))
}
