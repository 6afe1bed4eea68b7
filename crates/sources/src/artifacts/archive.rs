//! Gzipped tar archives as trees, entirely in memory.

use std::{io::Read, sync::Arc};

use flate2::read::MultiGzDecoder;
use lockstep_files::{FileTree, Kind};
use tar::EntryType;

use crate::{Error, ErrorKind, Result};

/// Bytes that an archive may unpack to: Helm's limit.
const MOST_BYTES: u64 = 100 << 20;
/// Real charts have hundreds of files.
const MOST_FILES: usize = 50_000;

/// Unpacks an archive; with `strip` the first folder of each path is left out, as Helm does.
pub(crate) fn unpack(bytes: &[u8], strip: bool) -> Result<FileTree> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(not_an_archive("it is not gzipped"));
    }
    // One byte more, to tell the end from the limit.
    let unpacked = MultiGzDecoder::new(bytes).take(MOST_BYTES + 1);
    let mut archive = tar::Archive::new(unpacked);
    let mut files: Vec<(String, Kind, Arc<[u8]>)> = Vec::new();
    let mut size = 0;
    let entries = archive.entries().map_err(|error| not_an_archive(&error.to_string()))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| broken(&error, size))?;
        let raw = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        size += entry.size() + 512;
        if size > MOST_BYTES || files.len() == MOST_FILES {
            return Err(too_large());
        }
        let kind = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous if raw.ends_with('/') => continue,
            EntryType::Regular | EntryType::Continuous => file_kind(entry.header().mode().unwrap_or(0)),
            EntryType::Symlink if !strip => Kind::Link,
            _ => continue,
        };
        let Some(path) = clean(&raw, strip)? else { continue };
        let data = if kind == Kind::Link {
            entry.link_name_bytes().map(|target| target.to_vec()).unwrap_or_default()
        } else {
            let mut data = Vec::new();
            entry.read_to_end(&mut data).map_err(|error| broken(&error, size))?;
            data
        };
        files.push((path, kind, data.into()));
    }
    if files.is_empty() {
        return Err(not_an_archive("there are no files in it"));
    }
    FileTree::from_entries(files).map_err(|error| not_an_archive(&error.to_string()))
}

fn file_kind(mode: u32) -> Kind {
    if mode & 0o111 == 0 { Kind::File } else { Kind::Executable }
}

/// Makes a path from the tree's root; nothing for the root itself.
fn clean(raw: &str, strip: bool) -> Result<Option<String>> {
    let outside = || Error::new(ErrorKind::Escapes, format!("the archive has a path that leads out of it: {raw:?}"));
    if raw.starts_with('/') || raw.contains('\\') {
        return Err(outside());
    }
    let mut names: Vec<&str> = raw.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    if names.contains(&"..") {
        return Err(outside());
    }
    if strip {
        if names.len() < 2 {
            return Err(not_an_archive(&format!("{raw:?} stands outside of the chart's folder")));
        }
        names.remove(0);
    }
    Ok((!names.is_empty()).then(|| names.join("/")))
}

fn not_an_archive(why: &str) -> Error {
    Error::new(ErrorKind::NotAnArtifact, format!("it is not a gzipped tar archive: {why}"))
}

fn too_large() -> Error {
    let message = format!("the archive unpacks to more than {} MiB or {MOST_FILES} files", MOST_BYTES >> 20);
    Error::new(ErrorKind::TooLarge, message)
}

/// An end that comes too early is the limit's, when it was reached.
fn broken(error: &std::io::Error, size: u64) -> Error {
    if size >= MOST_BYTES { too_large() } else { not_an_archive(&error.to_string()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(tar: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(tar).unwrap();
        encoder.finish().unwrap()
    }

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, data) in files {
            let mut header = tar::Header::new_ustar();
            // The builder itself refuses the paths that are tried here.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *data).unwrap();
        }
        packed(&builder.into_inner().unwrap())
    }

    #[test]
    fn an_archive_is_a_tree_with_or_without_its_first_folder() {
        let bytes = archive(&[("app/Chart.yaml", b"name: app\n"), ("app/templates/a.yaml", b"x")]);
        let chart = unpack(&bytes, true).unwrap();
        assert_eq!(chart.reader().read_text("Chart.yaml").unwrap(), "name: app\n");
        let whole = unpack(&archive(&[("./a.yaml", b"x")]), false).unwrap();
        assert_eq!(whole.reader().walk("").unwrap(), ["a.yaml"]);
    }

    #[test]
    fn hostile_archives_are_refused() {
        let kind = |bytes: &[u8], strip| unpack(bytes, strip).unwrap_err().kind();
        for path in ["../x", "app/../../x", "/etc/passwd", "a\\b"] {
            assert_eq!(kind(&archive(&[(path, b"x")]), false), ErrorKind::Escapes, "{path}");
        }
        assert_eq!(kind(b"<html>", true), ErrorKind::NotAnArtifact);
        assert_eq!(kind(&packed(b"no tar"), true), ErrorKind::NotAnArtifact);
        assert_eq!(kind(&archive(&[("Chart.yaml", b"x")]), true), ErrorKind::NotAnArtifact);
        assert_eq!(kind(&archive(&[]), true), ErrorKind::NotAnArtifact);
        let bomb = packed(&vec![0; (MOST_BYTES + 4096) as usize]);
        assert_eq!(kind(&bomb, true), ErrorKind::NotAnArtifact);
        let large = vec![0; 60 << 20];
        assert_eq!(kind(&archive(&[("a/b", &large), ("a/c", &large)]), true), ErrorKind::TooLarge);
    }

    #[test]
    fn a_cut_archive_is_an_error_or_has_all_files() {
        let bytes = archive(&[("app/Chart.yaml", &[b'x'; 2000])]);
        let whole = unpack(&bytes, true).unwrap();
        for end in 0..bytes.len() - 8 {
            // Behind the last file there is nothing to lose.
            assert!(unpack(&bytes[..end], true).map_or(true, |tree| tree == whole), "{end}");
        }
        assert!(unpack(&bytes[..bytes.len() / 2], true).is_err());
    }
}
