//! Archives that were fetched, kept on disk by their digest, and the trees of those that are open.

use std::{
    collections::HashMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::SystemTime,
};

use lockstep_files::{FileTree, Id, Store};
use sha2::{Digest, Sha256};

use crate::{Error, ErrorKind, Result, artifacts::archive};

/// Bytes on disk after which the oldest archives go.
const MOST_BYTES: u64 = 512 << 20;

/// By digest, and whether the first folder is left out: the store of a tree, and its root.
type Open = HashMap<(String, bool), (Weak<dyn Store>, Id)>;

/// The archives.
pub(crate) struct Blobs {
    folder: PathBuf,
    /// Trees that somebody holds: a thousand apps of one chart share one.
    open: Mutex<Open>,
}

impl Blobs {
    pub(crate) fn new(folder: PathBuf) -> Result<Self> {
        make_folder(&folder)?;
        Ok(Self { folder, open: Mutex::default() })
    }

    /// Returns the tree of the archive with this digest, which `fetch` brings if it is not here. With `strip` the first folder
    /// of each path is left out.
    pub(crate) fn tree(&self, digest: &str, strip: bool, fetch: impl FnOnce() -> Result<Vec<u8>>) -> Result<FileTree> {
        let key = (digest.to_owned(), strip);
        let known = self.lock().get(&key).and_then(|(store, root)| Some((store.upgrade()?, *root)));
        if let Some((store, root)) = known {
            return Ok(FileTree::new(store, root));
        }
        let bytes = self.bytes(digest, fetch)?;
        let tree = archive::unpack(&bytes, strip)?;
        let mut open = self.lock();
        open.retain(|_, (store, _)| store.strong_count() > 0);
        open.insert(key, (Arc::downgrade(tree.store()), tree.id()));
        Ok(tree)
    }

    fn bytes(&self, digest: &str, fetch: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let file = self.folder.join(file_name(digest)?);
        // Who filled the disk's copy may have been broken off; it is believed by its digest alone.
        if let Some(bytes) = fs::read(&file).ok().filter(|bytes| digest_of(bytes) == digest) {
            return Ok(bytes);
        }
        let bytes = fetch()?;
        check_digest(&bytes, digest)?;
        write(&file, &bytes)?;
        self.make_room();
        Ok(bytes)
    }

    /// Removes the oldest archives; one that is needed again is fetched again.
    fn make_room(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let data = entry.metadata().ok()?;
                Some((data.modified().ok()?, data.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut sum: u64 = files.iter().map(|file| file.1).sum();
        for (_, size, path) in files {
            if sum <= MOST_BYTES {
                return;
            }
            match fs::remove_file(&path) {
                Ok(()) => sum -= size,
                Err(error) => tracing::debug!(%error, path = %path.display(), "an old archive could not be removed"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a folder of the cache.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .map_err(|error| Error::storage(&format!("the cache folder {} cannot be made", folder.display()), error))
}

/// Writes a file whole or not at all.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| Error::storage(&format!("{} cannot be written", file.display()), error);
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    temporary.write_all(bytes).map_err(failed)?;
    temporary.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Returns `sha256:…` of some bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Refuses bytes that are not what was promised.
pub(crate) fn check_digest(bytes: &[u8], promised: &str) -> Result<()> {
    let found = digest_of(bytes);
    if found == promised {
        return Ok(());
    }
    let message = format!("the digest is wrong: {promised} was promised, {found} came");
    Err(Error::new(ErrorKind::WrongDigest, message)
        .hint("the archive was changed after its index was written, or on its way"))
}

fn file_name(digest: &str) -> Result<String> {
    let hex =
        digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let bad = || Error::new(ErrorKind::Unsupported, format!("{digest:?} is not a sha256 digest"));
    hex.map(str::to_ascii_lowercase).ok_or_else(bad)
}
