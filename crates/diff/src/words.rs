//! Changes in words: for a terminal, and for a pull request.

use std::fmt::Write;

use lockstep_object::{Object, ObjectKey, Value, to_json};
use similar::{ChangeTag, TextDiff};

use crate::{compare::Change, mask::MASK};

/// A value longer than this is cut; the whole is in the JSON form.
const LONGEST: usize = 160;
/// How many equal lines stand around a changed one.
const CONTEXT: usize = 2;

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is new.
    Added,
    /// It goes.
    Removed,
    /// It changes.
    Changed,
}

/// The changes of one object.
#[derive(Clone, Debug)]
pub struct ObjectDiff {
    /// The app.
    pub app: String,
    /// The object.
    pub key: ObjectKey,
    /// What happens to it.
    pub what: What,
    /// Its changes; of a changed object only.
    pub changes: Vec<Change>,
    /// A remark, as `would be pruned`.
    pub note: String,
}

impl ObjectDiff {
    /// Returns the diff of an object from its live and its desired form; `None` if nothing changes.
    pub fn of(
        app: &str,
        desired: Option<&Object>,
        live: Option<&Object>,
        options: &crate::Options<'_>,
    ) -> Option<Self> {
        let (what, changes) = match (desired, live) {
            (Some(desired), Some(live)) => (What::Changed, crate::compare(desired, live, options)),
            (Some(_), None) => (What::Added, Vec::new()),
            (None, Some(_)) => (What::Removed, Vec::new()),
            (None, None) => return None,
        };
        if what == What::Changed && changes.is_empty() {
            return None;
        }
        let key = desired.or(live)?.key();
        Some(Self { app: app.to_owned(), key, what, changes, note: String::new() })
    }
}

/// Words one change in one line, without its value's line breaks: `spec.replicas 2 → 5`.
pub fn line_of(change: &Change) -> String {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) if is_masked(before) && is_masked(after) => {
            format!("{} {MASK} (changed)", change.path)
        }
        (Some(before), Some(after)) => format!("{} {} → {}", change.path, brief(before), brief(after)),
        (None, Some(after)) => format!("{} set to {}", change.path, brief(after)),
        (Some(before), None) => format!("{} removed (was {})", change.path, brief(before)),
        (None, None) => change.path.to_string(),
    }
}

/// Words the diffs for a terminal, objects grouped by app.
pub fn text(diffs: &[ObjectDiff]) -> String {
    let mut words = String::new();
    for group in by_app(diffs) {
        let (app, changed, others) = split(group);
        for diff in changed {
            let place = in_namespace(&diff.key);
            line(&mut words, format_args!("{app} · {}/{}{place}", diff.key.kind, diff.key.name));
            diff.changes.iter().for_each(|change| change_text(&mut words, "  ", change));
        }
        if !others.is_empty() {
            line(&mut words, format_args!("{app} · {}", counted(&others)));
            for diff in others {
                let sign = if diff.what == What::Added { '+' } else { '-' };
                let note = if diff.note.is_empty() { String::new() } else { format!("      ({})", diff.note) };
                line(&mut words, format_args!("  {sign} {}/{}{note}", diff.key.kind, diff.key.name));
            }
        }
    }
    words
}

/// Words the diffs as a pull request's comment.
pub fn markdown(diffs: &[ObjectDiff]) -> String {
    let mut words = String::new();
    for group in by_app(diffs) {
        let (app, changed, others) = split(group);
        line(&mut words, format_args!("### {app}\n"));
        for diff in &changed {
            let place = in_namespace(&diff.key);
            line(
                &mut words,
                format_args!("<details open><summary><b>{}/{}</b>{place}</summary>\n", diff.key.kind, diff.key.name),
            );
            let mut body = String::new();
            diff.changes.iter().for_each(|change| change_patch(&mut body, change));
            let fence = fence_for(&body);
            line(&mut words, format_args!("{fence}diff\n{body}{fence}\n</details>\n"));
        }
        for diff in &others {
            let word = if diff.what == What::Added { "added" } else { "deleted" };
            let note = if diff.note.is_empty() { String::new() } else { format!(" ({})", diff.note) };
            line(
                &mut words,
                format_args!("- {word}: `{}/{}`{}{note}", diff.key.kind, diff.key.name, in_namespace(&diff.key)),
            );
        }
        if !others.is_empty() {
            words.push('\n');
        }
    }
    words
}

/// Writes a line; writing to a text cannot fail.
fn line(words: &mut String, arguments: std::fmt::Arguments<'_>) {
    words.write_fmt(arguments).expect("a text takes what is written");
    words.push('\n');
}

fn by_app(diffs: &[ObjectDiff]) -> impl Iterator<Item = &[ObjectDiff]> {
    diffs.chunk_by(|a, b| a.app == b.app)
}

fn split(group: &[ObjectDiff]) -> (&str, Vec<&ObjectDiff>, Vec<&ObjectDiff>) {
    let app = group.first().map_or("", |diff| diff.app.as_str());
    let (changed, others) = group.iter().partition(|diff| diff.what == What::Changed);
    (app, changed, others)
}

fn counted(others: &[&ObjectDiff]) -> String {
    let count = |what: What| others.iter().filter(|diff| diff.what == what).count();
    let objects = |count: usize| if count == 1 { "object" } else { "objects" };
    match (count(What::Added), count(What::Removed)) {
        (added, 0) => format!("{added} {} added", objects(added)),
        (0, removed) => format!("{removed} {} deleted", objects(removed)),
        (added, removed) => format!("{added} {} added, {removed} deleted", objects(added)),
    }
}

fn in_namespace(key: &ObjectKey) -> String {
    if key.namespace.is_empty() { String::new() } else { format!(" (namespace {})", key.namespace) }
}

fn is_masked(value: &Value) -> bool {
    value.as_str() == Some(MASK)
}

/// Prints a value in one line, cut if it is long.
fn brief(value: &Value) -> String {
    let text = match value {
        Value::Text(text) if !text.is_empty() && !text.contains('\n') => text.to_string(),
        other => to_json(other),
    };
    if text.len() <= LONGEST {
        return text;
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}… ({} bytes)", &text[..end], text.len())
}

/// Tells whether both values are texts that are better compared line by line.
fn long_texts(change: &Change) -> Option<(&str, &str)> {
    let before = change.before.as_ref()?.as_str()?;
    let after = change.after.as_ref()?.as_str()?;
    (before.contains('\n') || after.contains('\n')).then_some((before, after))
}

fn change_text(words: &mut String, indent: &str, change: &Change) {
    if let Some((before, after)) = long_texts(change) {
        line(words, format_args!("{indent}{}:", change.path));
        lines_of(words, &format!("{indent}  "), before, after);
        return;
    }
    match (&change.before, &change.after) {
        (Some(before), Some(after)) if is_masked(before) && is_masked(after) => {
            line(words, format_args!("{indent}{}: {MASK} (changed)", change.path));
        }
        (Some(before), Some(after)) => {
            line(words, format_args!("{indent}{}: {} → {}", change.path, brief(before), brief(after)));
        }
        (None, Some(after)) => line(words, format_args!("{indent}+ {}: {}", change.path, brief(after))),
        (Some(before), None) => line(words, format_args!("{indent}- {}: {}", change.path, brief(before))),
        (None, None) => {}
    }
}

fn change_patch(words: &mut String, change: &Change) {
    if let Some((before, after)) = long_texts(change) {
        line(words, format_args!("  {}:", change.path));
        lines_of(words, "", before, after);
        return;
    }
    if let (Some(before), Some(after)) = (&change.before, &change.after)
        && is_masked(before)
        && is_masked(after)
    {
        line(words, format_args!("! {}: {MASK} (changed)", change.path));
        return;
    }
    for (sign, value) in [('-', &change.before), ('+', &change.after)] {
        if let Some(value) = value {
            line(words, format_args!("{sign} {}: {}", change.path, brief(value)));
        }
    }
}

/// Writes the lines that differ, with a few around them.
fn lines_of(words: &mut String, indent: &str, before: &str, after: &str) {
    let diff = TextDiff::from_lines(before, after);
    for (place, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if place > 0 {
            line(words, format_args!("{indent}  …"));
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            line(words, format_args!("{indent}{sign} {}", change.value().trim_end_matches('\n')));
        }
    }
}

/// A fence longer than any run of backticks inside.
fn fence_for(body: &str) -> String {
    let longest = body.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}
