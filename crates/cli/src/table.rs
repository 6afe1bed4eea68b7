//! Tables and words for people.

use jiff::Timestamp;
use lockstep_api::{AppHealth, AppStatus, Phase};

/// Prints rows in columns as wide as their widest cell; the last column is not padded.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let mut line = String::new();
        for (place, cell) in cells.iter().enumerate() {
            line.push_str(cell);
            if place + 1 < cells.len() {
                let pad = widths.get(place).copied().unwrap_or_default().saturating_sub(cell.chars().count());
                line.push_str(&" ".repeat(pad + 2));
            }
        }
        line.trim_end().to_owned()
    };
    let mut lines = vec![line(header.to_vec())];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

/// Returns a revision for people: a version without its digest, or the beginning of a commit.
pub(crate) fn short(revision: &str) -> String {
    let version = revision.split_once('@').map(|(version, _)| version);
    version.or(revision.get(..7)).unwrap_or(revision).to_owned()
}

/// Words the health with a mark that needs no colour.
pub(crate) fn health(health: AppHealth) -> &'static str {
    match health {
        AppHealth::Healthy => "● healthy",
        AppHealth::Suspended => "‖ suspended",
        AppHealth::Progressing => "◐ progressing",
        AppHealth::Missing => "○ missing",
        AppHealth::Degraded => "✖ degraded",
        AppHealth::Unknown => "– unknown",
    }
}

/// Words the phase.
pub(crate) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "pending",
        Phase::Waiting => "waiting",
        Phase::Syncing => "syncing",
        Phase::Synced => "synced",
        Phase::Failed => "failed",
        Phase::Suspended => "suspended",
        Phase::Deleting => "deleting",
    }
}

/// Tells whether an App is synced and healthy.
pub(crate) fn is_ready(status: &AppStatus) -> bool {
    status.conditions.iter().any(|condition| condition.kind == "Ready" && condition.status == "True")
}

/// Returns how long ago a time was, for people.
pub(crate) fn ago(time: &str) -> String {
    let Ok(time) = time.parse::<Timestamp>() else { return time.to_owned() };
    match Timestamp::now().duration_since(time).as_secs() {
        seconds @ ..60 => format!("{} s ago", seconds.max(0)),
        seconds @ 60..3600 => format!("{} min ago", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}
