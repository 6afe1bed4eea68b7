//! Repositories that are folders of this machine: read where they are.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use gix::bstr::ByteSlice;

use crate::{Error, ErrorKind, Result, objects::Objects, refs::Ref};

/// A local repository.
pub(crate) struct Local {
    repository: gix::Repository,
}

impl Local {
    /// Opens a repository, bare or not. The user's and the system's Git configuration do not count.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        if !folder.exists() {
            return Err(Error::new(ErrorKind::NotARepository, "there is no such folder"));
        }
        let options = gix::open::Options::isolated().with(gix::sec::Trust::Full);
        let repository = options.open(folder).map_err(|error| not_a_repository(folder, &error))?.to_thread_local();
        if repository.object_hash() != gix::hash::Kind::Sha1 {
            return Err(Error::new(ErrorKind::Unsupported, "repositories with SHA-256 ids are not supported"));
        }
        Ok(Self { repository })
    }

    /// Opens its objects.
    pub(crate) fn objects(&self, cache_bytes: usize) -> Result<Arc<Objects>> {
        Objects::open(&self.objects_folder(), cache_bytes, None)
    }

    pub(crate) fn objects_folder(&self) -> PathBuf {
        self.repository.common_dir().join("objects")
    }

    /// The folder of the references, shared by linked working trees.
    pub(crate) fn common_folder(&self) -> &Path {
        self.repository.common_dir()
    }

    /// The folder of `HEAD`.
    pub(crate) fn git_folder(&self) -> &Path {
        self.repository.git_dir()
    }

    /// The folder of the files, unless bare.
    pub(crate) fn work_folder(&self) -> Option<&Path> {
        self.repository.workdir()
    }

    pub(crate) fn repository(&self) -> &gix::Repository {
        &self.repository
    }

    /// Lists the references whose names start with one of the prefixes.
    pub(crate) fn list(&self, prefixes: &[String]) -> Result<Vec<Ref>> {
        let mut refs = Vec::new();
        for prefix in prefixes {
            if prefix == "HEAD" {
                refs.extend(self.head()?);
                continue;
            }
            let names = if prefix.ends_with('/') { self.names_below(prefix)? } else { vec![prefix.clone()] };
            for name in names {
                refs.extend(self.find(&name)?);
            }
        }
        Ok(refs)
    }

    fn names_below(&self, prefix: &str) -> Result<Vec<String>> {
        let failed = |error: &dyn std::fmt::Display| Error::storage("the references cannot be listed", error);
        let platform = self.repository.references().map_err(|error| failed(&error))?;
        let found = platform.prefixed(prefix.as_bytes().as_bstr()).map_err(|error| failed(&error))?;
        // A reference that cannot be read (a broken file) is none.
        Ok(found.filter_map(std::result::Result::ok).map(|found| found.name().as_bstr().to_string()).collect())
    }

    fn find(&self, name: &str) -> Result<Option<Ref>> {
        // A name that Git would refuse is a name that is not there.
        let Ok(Some(mut found)) = self.repository.try_find_reference(name) else { return Ok(None) };
        if found.name().as_bstr() != name {
            return Ok(None);
        }
        let id = found.peel_to_id().map_err(|error| Error::storage("the reference cannot be read", error))?;
        Ok(Some(Ref { name: name.to_owned(), commit: id.detach(), target: None }))
    }

    fn head(&self) -> Result<Option<Ref>> {
        let head = self.repository.head().map_err(|error| Error::storage("HEAD cannot be read", error))?;
        let target = head.referent_name().map(|name| name.as_bstr().to_string());
        let found = match (&target, head.id()) {
            (Some(branch), _) => self.find(branch)?.map(|found| found.commit),
            (None, Some(id)) => Some(id.detach()),
            (None, None) => None,
        };
        Ok(found.map(|commit| Ref { name: "HEAD".into(), commit, target }))
    }
}

fn not_a_repository(folder: &Path, error: &dyn std::fmt::Display) -> Error {
    let above = folder.ancestors().skip(1).find(|above| above.join(".git").exists());
    let error_text = error.to_string();
    let made = Error::new(ErrorKind::NotARepository, "the folder is not a Git repository");
    match above {
        Some(above) if !folder.join(".git").exists() => {
            made.hint(format!("the repository starts at {}", above.display()))
        }
        _ if folder.join(".git").exists() || folder.join("HEAD").exists() => {
            made.hint(format!("it looks like one, but: {error_text}"))
        }
        _ => made.hint("run `git init` and commit, or take the working tree as it is"),
    }
}
