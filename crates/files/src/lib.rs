//! An immutable tree of files with Git digests per folder, ignore rules and a record of what was read.
