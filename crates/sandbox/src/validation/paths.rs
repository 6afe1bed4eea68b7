//! Paths in files of volumes.

use super::field::{Causes, Field};

const MODE_TEXT: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// Tells whether a path goes up.
pub(crate) fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

/// Checks that a path does not go up.
pub(crate) fn no_steps_back(path: &Field<'_>, out: &mut Causes) {
    if climbs(path.text()) {
        out.push(path.invalid("must not contain '..'"));
    }
}

/// Checks that a path is relative and does not go up.
pub(crate) fn descending(path: &Field<'_>, out: &mut Causes) {
    if path.text().starts_with('/') {
        out.push(path.invalid("must be a relative path"));
    }
    no_steps_back(path, out);
}

/// Checks that a path is relative, does not go up, and does not start with two dots.
pub(crate) fn local(path: &Field<'_>, out: &mut Causes) {
    descending(path, out);
    if path.text().starts_with("..") && !path.text().starts_with("../") {
        out.push(path.invalid("must not start with '..'"));
    }
}

/// Checks the mode of a file.
pub(crate) fn mode(mode: &Field<'_>, out: &mut Causes) {
    if mode.int().is_some_and(|bits| !(0..=0o777).contains(&bits)) {
        out.push(mode.invalid(MODE_TEXT));
    }
}

/// Checks the files that keys of a ConfigMap or Secret become.
pub(crate) fn key_to_path(item: &Field<'_>, out: &mut Causes) {
    item.at("key").needed(out);
    item.at("path").needed(out);
    local(&item.at("path"), out);
    mode(&item.at("mode"), out);
}
