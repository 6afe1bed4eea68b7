//! A plain folder as a source: scanned into a tree in memory, and watched.

use std::{
    collections::HashMap,
    fs::{self, Metadata},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use lockstep_files::{Entry, FileTree, Id, Kind, Store, StoreError};
use notify::{RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::{
    Error, ErrorKind, Result,
    edit::{self, Folders},
    watch::watcher_of,
};

/// What of a folder is read.
#[derive(Clone, Debug)]
pub struct WorktreeOptions {
    /// More files are an error.
    pub max_files: usize,
    /// More bytes in all are an error.
    pub max_bytes: u64,
    /// How long the folder must be quiet before a change is told; a change is told after ten times this at the latest.
    pub quiet: Duration,
    /// What is left out besides what `.gitignore` says, in its syntax.
    pub ignore: Vec<String>,
}

impl Default for WorktreeOptions {
    /// Half a million files, 1 GiB, 20 ms; editors' and file managers' own files are left out.
    fn default() -> Self {
        let ignore =
            [".git", "node_modules/", "*.swp", "*.swx", "*~", ".#*", "#*#", "4913", ".DS_Store", ".idea/", ".vscode/"];
        Self {
            max_files: 500_000,
            max_bytes: 1 << 30,
            quiet: Duration::from_millis(20),
            ignore: ignore.map(str::to_owned).to_vec(),
        }
    }
}

/// A folder that is scanned into a tree and watched.
///
/// # Guarantees
/// A tree holds the bytes that were read, so it does not change under its readers. A scan that fails leaves the last tree.
pub struct Worktree {
    scanner: Arc<Scanner>,
    known: Known,
    tree: FileTree,
    changed: Arc<Notify>,
    /// Something happened that no scan has seen yet.
    pending: bool,
    /// Ends the watch when dropped.
    _events: notify::RecommendedWatcher,
}

struct Scanner {
    folder: PathBuf,
    options: WorktreeOptions,
    defaults: Gitignore,
    /// Whether `.gitignore` files count: only in a Git repository, as Git has it.
    in_repository: bool,
}

/// How a file looked when it was read: who looks the same need not be read again.
#[derive(Clone, PartialEq)]
struct Stamp {
    modified: Option<SystemTime>,
    changed: (i64, i64),
    inode: u64,
    size: u64,
}

struct Seen {
    stamp: Stamp,
    entry: (Kind, Id),
    bytes: Arc<[u8]>,
}

type Known = Arc<HashMap<String, Seen>>;

/// The objects of one scan.
#[derive(Default)]
struct Scanned {
    folders: Folders,
    files: HashMap<Id, Arc<[u8]>>,
}

impl Store for Scanned {
    fn tree(&self, id: &Id) -> std::result::Result<Arc<[Entry]>, StoreError> {
        self.folders.get(id).cloned().ok_or_else(|| StoreError(format!("the folder {id} is missing")))
    }

    fn blob(&self, id: &Id) -> std::result::Result<Arc<[u8]>, StoreError> {
        self.files.get(id).cloned().ok_or_else(|| StoreError(format!("the file {id} is missing")))
    }
}

/// A file that was written so shortly before it was read may be written again without looking different.
const RACY: Duration = Duration::from_millis(50);

impl Worktree {
    /// Scans the folder and starts to watch it.
    pub async fn open(folder: impl Into<PathBuf>, options: WorktreeOptions) -> Result<Self> {
        let folder = folder.into();
        let opened = tokio::task::spawn_blocking(move || Self::open_now(&folder, options)).await;
        opened.unwrap_or_else(|error| Err(Error::storage("the scan was broken off", error)))
    }

    fn open_now(folder: &Path, options: WorktreeOptions) -> Result<Self> {
        let name = folder.display().to_string();
        let folder =
            fs::canonicalize(folder).map_err(|error| Error::storage("the folder cannot be read", error).at(&name))?;
        let in_repository = folder.ancestors().any(|above| above.join(".git").exists());
        let scanner = Scanner {
            defaults: crate::ignore::rules(options.ignore.iter().map(String::as_str))?,
            in_repository,
            options,
            folder,
        };
        let changed = Arc::new(Notify::new());
        // Watched first, so that nothing happens between the scan and the watch.
        let events = scanner.listen(changed.clone())?;
        let (tree, known) = scanner.scan(&Known::default()).map_err(|error| error.at(&name))?;
        Ok(Self { scanner: Arc::new(scanner), known, tree, changed, pending: false, _events: events })
    }

    /// Returns the files as of the last scan.
    pub fn tree(&self) -> FileTree {
        self.tree.clone()
    }

    /// Waits until the files differ from the last scan and returns them. An error (a link out of the folder, too
    /// large) is returned as it is found; the last tree stays, and the next change is looked at again. Cancel safe.
    pub async fn changed(&mut self) -> Result<FileTree> {
        loop {
            if !self.pending {
                self.changed.notified().await;
                self.pending = true;
            }
            self.settle().await;
            let (scanner, known) = (self.scanner.clone(), self.known.clone());
            let scanned = tokio::task::spawn_blocking(move || scanner.scan(&known)).await;
            self.pending = false;
            let scanned = scanned.unwrap_or_else(|error| Err(Error::storage("the scan was broken off", error)));
            let (tree, known) = scanned.map_err(|error| error.at(&self.scanner.folder.display().to_string()))?;
            self.known = known;
            if tree != self.tree {
                self.tree = tree.clone();
                return Ok(tree);
            }
        }
    }

    /// Waits for quiet: editors and builds write in bursts.
    async fn settle(&self) {
        let quiet = self.scanner.options.quiet;
        let latest = tokio::time::Instant::now() + quiet * 10;
        while tokio::time::Instant::now() < latest {
            if tokio::time::timeout(quiet, self.changed.notified()).await.is_err() {
                return;
            }
        }
    }
}

impl Scanner {
    fn listen(&self, changed: Arc<Notify>) -> Result<notify::RecommendedWatcher> {
        let failed = |error: notify::Error| {
            Error::storage("the folder cannot be watched", error)
                .hint("very large folders need a higher fs.inotify.max_user_watches")
        };
        let (folder, defaults) = (self.folder.clone(), self.defaults.clone());
        let matters = move |path: &Path| {
            path.strip_prefix(&folder).is_ok_and(|path| !defaults.matched_path_or_any_parents(path, false).is_ignore())
        };
        let mut watcher = watcher_of(changed, matters).map_err(failed)?;
        watcher.watch(&self.folder, RecursiveMode::Recursive).map_err(failed)?;
        Ok(watcher)
    }

    fn scan(&self, known: &Known) -> Result<(FileTree, Known)> {
        let mut scan = Scan {
            scanner: self,
            known,
            seen: HashMap::new(),
            objects: Scanned::default(),
            bytes: 0,
            rules: Vec::new(),
        };
        let now = SystemTime::now();
        let root = scan.folder(&self.folder, "", 0)?;
        let root = root.unwrap_or_else(|| scan.keep_folder(Vec::new()));
        let seen = scan.seen.into_iter().filter(|(_, seen)| !seen.stamp.is_racy(now)).collect();
        Ok((FileTree::new(Arc::new(scan.objects), root), Arc::new(seen)))
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            size: metadata.len(),
        }
    }

    fn is_racy(&self, now: SystemTime) -> bool {
        self.modified.is_none_or(|modified| modified + RACY > now)
    }
}

struct Scan<'a> {
    scanner: &'a Scanner,
    known: &'a Known,
    seen: HashMap<String, Seen>,
    objects: Scanned,
    bytes: u64,
    /// The `.gitignore` files from the root down to where we are.
    rules: Vec<Gitignore>,
}

impl Scan<'_> {
    /// Reads a folder; `None` when there is no file in it, for Git has no empty folders.
    fn folder(&mut self, folder: &Path, path: &str, depth: usize) -> Result<Option<Id>> {
        if depth > 200 {
            return Err(Error::new(ErrorKind::TooLarge, format!("{path}: folders are nested too deeply")));
        }
        let unreadable = |error: std::io::Error| Error::storage(&format!("the folder {path:?} cannot be read"), error);
        let listed = match fs::read_dir(folder) {
            // It went while we looked; the event about that is on its way.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && depth > 0 => return Ok(None),
            listed => listed.map_err(unreadable)?,
        };
        let pushed = self.push_rules(folder)?;
        let mut entries = Vec::new();
        for entry in listed {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let message = format!("{}: the name is not UTF-8", entry.path().display());
                return Err(Error::new(ErrorKind::Unsupported, message));
            };
            let inner = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            let found = self.entry(&entry.path(), inner, depth)?;
            entries.extend(found.map(|(kind, id)| Entry { name: name.into(), kind, id }));
        }
        if pushed {
            self.rules.pop();
        }
        Ok((!entries.is_empty()).then(|| self.keep_folder(entries)))
    }

    fn keep_folder(&mut self, mut entries: Vec<Entry>) -> Id {
        entries.sort_by(Entry::git_order);
        let id = Id::of("tree", &edit::encode(&entries));
        self.objects.folders.insert(id, entries.into());
        id
    }

    /// Reads the folder's `.gitignore`, if it counts.
    fn push_rules(&mut self, folder: &Path) -> Result<bool> {
        let file = folder.join(".gitignore");
        if !self.scanner.in_repository || !file.is_file() {
            return Ok(false);
        }
        let mut builder = GitignoreBuilder::new(folder);
        if let Some(error) = builder.add(&file) {
            // Git leaves out the lines that it cannot read, too.
            tracing::debug!(%error, file = %file.display(), "a line of the ignore rules is left out");
        }
        let unreadable = |error| Error::storage(&format!("{} cannot be read", file.display()), error);
        self.rules.push(builder.build().map_err(unreadable)?);
        Ok(true)
    }

    fn entry(&mut self, file: &Path, path: String, depth: usize) -> Result<Option<(Kind, Id)>> {
        let metadata = match fs::symlink_metadata(file) {
            Ok(metadata) => metadata,
            // It went while we looked; the event about that is on its way.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::storage(&format!("{path} cannot be read"), error)),
        };
        if self.is_ignored(file, &path, metadata.is_dir()) {
            return Ok(None);
        }
        if metadata.is_dir() {
            return Ok(self.folder(file, &path, depth + 1)?.map(|id| (Kind::Folder, id)));
        }
        // Sockets, pipes and devices are no files.
        if !metadata.is_file() && !metadata.is_symlink() {
            return Ok(None);
        }
        self.bytes += metadata.len();
        let limits = &self.scanner.options;
        if self.seen.len() >= limits.max_files || self.bytes > limits.max_bytes {
            let message =
                format!("the folder has more than {} files or {} MiB", limits.max_files, limits.max_bytes >> 20);
            return Err(Error::new(ErrorKind::TooLarge, message)
                .hint("choose a smaller folder, or leave parts out by .gitignore"));
        }
        let Some(seen) = self.look(file, &path, &metadata)? else { return Ok(None) };
        let entry = seen.entry;
        self.objects.files.insert(entry.1, seen.bytes.clone());
        self.seen.insert(path, seen);
        Ok(Some(entry))
    }

    /// Reads a file or link, unless it looks as it did; `None` when it went meanwhile.
    fn look(&self, file: &Path, path: &str, metadata: &Metadata) -> Result<Option<Seen>> {
        let stamp = Stamp::of(metadata);
        let kind = match metadata.is_symlink() {
            true => Kind::Link,
            false if metadata.permissions().mode() & 0o100 != 0 => Kind::Executable,
            false => Kind::File,
        };
        if let Some(known) = self.known.get(path).filter(|known| known.stamp == stamp && known.entry.0 == kind) {
            return Ok(Some(Seen { stamp, entry: known.entry, bytes: known.bytes.clone() }));
        }
        match read(file, path, kind) {
            Ok(bytes) => Ok(Some(Seen { stamp, entry: (kind, Id::of("blob", &bytes)), bytes })),
            Err(_) if fs::symlink_metadata(file).is_err() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn is_ignored(&self, file: &Path, path: &str, is_folder: bool) -> bool {
        let by_rules =
            self.rules.iter().rev().map(|rules| rules.matched(file, is_folder)).find(|found| !found.is_none());
        by_rules.is_some_and(|found| found.is_ignore()) || self.scanner.defaults.matched(path, is_folder).is_ignore()
    }
}

fn read(file: &Path, path: &str, kind: Kind) -> Result<Arc<[u8]>> {
    let unreadable = |error: std::io::Error| Error::storage(&format!("{path} cannot be read"), error);
    if kind != Kind::Link {
        return fs::read(file).map(Into::into).map_err(unreadable);
    }
    let target = fs::read_link(file).map_err(unreadable)?;
    if leaves(path, &target) {
        let message = format!("the symbolic link {path} points to {}, which is outside the folder", target.display());
        return Err(Error::new(ErrorKind::Escapes, message).hint("copy what it points to into the folder"));
    }
    let target = target
        .to_str()
        .ok_or_else(|| Error::new(ErrorKind::Unsupported, format!("{path}: the target is not UTF-8")))?;
    Ok(target.as_bytes().into())
}

/// Tells whether a link at this path leaves the folder.
fn leaves(path: &str, target: &Path) -> bool {
    let mut depth = path.matches('/').count();
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_in_thought_only() {
        for (path, target, expect) in [
            ("a", "b", false),
            ("a/b", "../c", false),
            ("a/b", "../../c", true),
            ("a", "..", true),
            ("a", "/etc", true),
            ("a", "b/../../c", true),
        ] {
            assert_eq!(leaves(path, Path::new(target)), expect, "{path} -> {target}");
        }
    }
}
