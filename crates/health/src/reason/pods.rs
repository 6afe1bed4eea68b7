//! What stops a pod.

use lockstep_object::{Object, Value};

use super::{is_about, latest_warning};
use crate::builtin::conditions;

/// Reasons of a container that waits for nothing bad.
const ORDINARY: [&str; 3] = ["ContainerCreating", "PodInitializing", ""];

/// Says what stops the pods: the worst cause, and how many have the same. `named` says which pod.
pub fn cause(pods: &[&Object], events: &[&Object], named: bool) -> Option<String> {
    let mut causes: Vec<(Cause, &Object)> =
        pods.iter().filter_map(|pod| Some((cause_of(pod, events)?, *pod))).collect();
    // The sort is stable: of equal causes the first pod speaks.
    causes.sort_by_key(|(cause, _)| cause.rank);
    let (worst, pod) = causes.first()?;
    let alike = causes.iter().filter(|(cause, _)| cause.rank == worst.rank && cause.word == worst.word).count() - 1;
    let more = match alike {
        0 => String::new(),
        1 => " (and 1 more pod)".to_owned(),
        alike => format!(" (and {alike} more pods)"),
    };
    let place = if named { format!("pod {} ", pod.name()) } else { String::new() };
    Some(format!("{place}{}{more}", worst.text).trim().to_owned())
}

struct Cause {
    /// 0 is the most telling.
    rank: u8,
    word: String,
    text: String,
}

impl Cause {
    fn new(rank: u8, word: &str, text: String) -> Self {
        Self { rank, word: word.to_owned(), text }
    }
}

fn cause_of(pod: &Object, events: &[&Object]) -> Option<Cause> {
    if pod.str_at(&["status", "phase"]) == "Succeeded" {
        return None;
    }
    let containers = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|key| pod.at(&["status", key]).and_then(Value::as_list).map_or(&[][..], |list| list).iter());
    let stopped = containers.clone().find_map(|container| stopped(container, pod, events));
    if stopped.is_some() {
        return stopped;
    }
    if !pod.str_at(&["status", "reason"]).is_empty() {
        let (word, message) = (pod.str_at(&["status", "reason"]), pod.str_at(&["status", "message"]));
        return Some(Cause::new(1, word, said(word, message)));
    }
    let unscheduled =
        conditions(pod).find(|condition| condition.kind() == "PodScheduled" && condition.status() == "False");
    if let Some(condition) = unscheduled {
        return Some(Cause::new(2, condition.reason(), said(condition.reason(), condition.message())));
    }
    if conditions(pod).any(|condition| condition.kind() == "Ready" && condition.status() == "True") {
        return None;
    }
    if let Some(warning) = latest_warning(pod, events) {
        let word = warning.split(':').next().unwrap_or_default().to_owned();
        return Some(Cause::new(3, &word, warning));
    }
    let unready = containers.filter(|container| container.get("ready").and_then(Value::as_bool) == Some(false));
    let names: Vec<&str> = unready.filter_map(|container| container.get("name")?.as_str()).collect();
    (!names.is_empty()).then(|| Cause::new(4, "NotReady", format!("not ready yet: container {}", names.join(", "))))
}

fn said(word: &str, message: &str) -> String {
    if message.is_empty() { word.to_owned() } else { format!("{word}: {message}") }
}

fn text_at<'v>(value: &'v Value, keys: &[&str]) -> &'v str {
    value.at(keys).and_then(Value::as_str).unwrap_or_default()
}

/// Says why a container does not run.
fn stopped(container: &Value, pod: &Object, events: &[&Object]) -> Option<Cause> {
    let name = text_at(container, &["name"]);
    let reason = text_at(container, &["state", "waiting", "reason"]);
    if !ORDINARY.contains(&reason) {
        let detail = match reason {
            "CrashLoopBackOff" => ending(container, &["lastState", "terminated"]).unwrap_or_default(),
            "ImagePullBackOff" | "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName" => {
                image_trouble(container, pod, events)
            }
            _ => text_at(container, &["state", "waiting", "message"]).to_owned(),
        };
        return Some(Cause::new(0, reason, format!("container {name}: {}", said(reason, &detail))));
    }
    let failed =
        container.at(&["state", "terminated", "exitCode"]).and_then(Value::as_i64).is_some_and(|code| code != 0);
    let ending = failed.then(|| ending(container, &["state", "terminated"])).flatten()?;
    Some(Cause::new(0, "Terminated", format!("container {name}: {ending}")))
}

/// How a container ended: `exit code 1 (Error), 5 restarts: message`.
fn ending(container: &Value, keys: &[&str]) -> Option<String> {
    let ended = container.at(keys)?;
    let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default();
    let mut text = format!("exit code {code}");
    let reason = text_at(ended, &["reason"]);
    if !matches!(reason, "" | "Error" | "Completed") {
        text = format!("{reason} ({text})");
    }
    match container.get("restartCount").and_then(Value::as_i64) {
        Some(1) => text.push_str(", 1 restart"),
        Some(count) if count > 1 => text = format!("{text}, {count} restarts"),
        _ => {}
    }
    let message = text_at(ended, &["message"]).trim();
    let last = message.lines().last().unwrap_or_default();
    Some(if last.is_empty() { text } else { format!("{text}: {last}") })
}

/// Which image cannot be had, and the registry's last word about it.
fn image_trouble(container: &Value, pod: &Object, events: &[&Object]) -> String {
    let image = text_at(container, &["image"]);
    let waiting = text_at(container, &["state", "waiting", "message"]);
    let failures = events.iter().filter(|event| is_about(event, pod) && event.str_at(&["reason"]) == "Failed");
    let told = failures.map(|event| event.str_at(&["message"])).filter(|text| text.contains(image));
    let word = std::iter::once(waiting).chain(told).find_map(last_word).unwrap_or_default();
    if word.is_empty() { image.to_owned() } else { format!("{image}: {word}") }
}

/// The cause at the end of a chain of errors: `rpc error: … : not found`; nothing of a mere back-off.
fn last_word(message: &str) -> Option<&str> {
    let (_, last) = message.trim().rsplit_once(": ")?;
    (!last.is_empty() && !last.starts_with('"')).then_some(last)
}
