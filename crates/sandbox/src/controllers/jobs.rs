//! Jobs and CronJobs.

use lockstep_object::{Map, Object, Value};

use super::{
    controlled, create, create_pod, delete_pod,
    events::{Event, tell},
    is_deleted, owner_reference, pods, write_status,
};
use crate::{
    build::{int_at, list_at, map, text_at},
    moment::Moment,
    server::Server,
};

fn job_condition(old: &Value, kind: &str, reason: &str, message: &str, moment: &Moment) -> Value {
    if let Some(known) = list_at(old, &["conditions"])
        .iter()
        .find(|one| text_at(one, &["type"]) == kind && text_at(one, &["status"]) == "True")
    {
        return known.clone();
    }
    let time = moment.seconds();
    let mut made =
        map! { "type" => kind, "status" => "True", "lastProbeTime" => time.as_str(), "lastTransitionTime" => time };
    if !reason.is_empty() {
        made.insert("reason", reason);
        made.insert("message", message);
    }
    Value::Map(made)
}

fn is_finished(status: &Value) -> bool {
    list_at(status, &["conditions"])
        .iter()
        .any(|one| matches!(text_at(one, &["type"]), "Complete" | "Failed") && text_at(one, &["status"]) == "True")
}

/// Runs the pods of a Job.
pub(super) fn job(server: &mut Server, moment: &mut Moment, object: &Object) {
    let old = object.root().get("status").cloned().unwrap_or_default();
    if is_deleted(object) || is_finished(&old) {
        return;
    }
    let value = object.to_value();
    let suspended = value.at(&["spec", "suspend"]).and_then(Value::as_bool) == Some(true);
    let completions =
        int_at(&value, &["spec", "completions"]).or_else(|| int_at(&value, &["spec", "parallelism"])).unwrap_or(1);
    let parallelism = int_at(&value, &["spec", "parallelism"]).unwrap_or(1);
    let pods = controlled(server, "/pods", object);
    let count = |phase: &[&str]| {
        let found = pods.iter().filter(|pod| !is_deleted(pod) && phase.contains(&pod.str_at(&["status", "phase"])));
        i64::try_from(found.count()).unwrap_or_default()
    };
    let (succeeded, mut active) = (count(&["Succeeded"]), count(&["Pending", "Running"]));
    let ready = i64::try_from(pods.iter().filter(|pod| pods::is_ready(pod)).count()).unwrap_or_default();
    if suspended {
        for pod in pods.iter().filter(|pod| !is_deleted(pod) && pod.str_at(&["status", "phase"]) != "Succeeded") {
            delete_pod(server, moment, object, pod);
        }
        active = 0;
    } else {
        let template = value.at(&["spec", "template"]).cloned().unwrap_or_default();
        let wanted = parallelism.min(completions - succeeded);
        while active < wanted {
            let pod = pods::of_template(&template, object, &format!("{}-", object.name()));
            if create_pod(server, moment, object, pod).is_none() {
                break;
            }
            active += 1;
        }
    }
    let Some(current) = server.store.get("batch/jobs", object.namespace(), object.name()).map(|one| one.object.clone())
    else {
        return;
    };
    if !suspended && succeeded < completions && is_late(server, moment, &value, object) {
        for pod in pods.iter().filter(|pod| !is_deleted(pod)) {
            delete_pod(server, moment, object, pod);
        }
        let text = "Job was active longer than specified deadline";
        tell(server, moment, object, &Event::warning("job-controller", "DeadlineExceeded", text));
        write_status(server, moment, &current, Value::Map(failed_status(&old, moment)));
        return;
    }
    let status = job_status(&old, moment, suspended, succeeded, active, ready, completions);
    if succeeded >= completions && !suspended {
        tell(server, moment, object, &Event::normal("job-controller", "Completed", "Job completed"));
    }
    write_status(server, moment, &current, Value::Map(status));
}

/// Tells whether a Job is active longer than it may be; looks again when its time is over.
fn is_late(server: &mut Server, moment: &Moment, value: &Value, object: &Object) -> bool {
    let Some(seconds) = int_at(value, &["spec", "activeDeadlineSeconds"]) else { return false };
    let started = text_at(value, &["status", "startTime"]).parse::<jiff::Timestamp>();
    let end = started.unwrap_or(moment.now()) + jiff::SignedDuration::from_secs(seconds.clamp(0, 86_400));
    let left = end.duration_since(moment.now());
    if left <= jiff::SignedDuration::ZERO {
        return true;
    }
    super::later(server, moment, left.unsigned_abs(), object, "batch/jobs");
    false
}

/// The status of a Job that ran into its deadline.
fn failed_status(old: &Value, moment: &Moment) -> Map {
    let text = "Job was active longer than specified deadline";
    let condition = |kind: &str| job_condition(old, kind, "DeadlineExceeded", text, moment);
    map! {
        "conditions" => vec![condition("FailureTarget"), condition("Failed")],
        "startTime" => text_at(old, &["startTime"]), "failed" => 1, "terminating" => 0,
        "uncountedTerminatedPods" => Map::new(), "ready" => 0,
    }
}

fn job_status(
    old: &Value,
    moment: &Moment,
    suspended: bool,
    succeeded: i64,
    active: i64,
    ready: i64,
    completions: i64,
) -> Map {
    let done = succeeded >= completions && !suspended;
    let mut status = Map::new();
    let mut conditions: Vec<Value> = Vec::new();
    if suspended {
        conditions.push(job_condition(old, "Suspended", "JobSuspended", "Job suspended", moment));
    }
    if done {
        let text = "Reached expected number of succeeded pods";
        conditions.push(job_condition(old, "SuccessCriteriaMet", "CompletionsReached", text, moment));
        conditions.push(job_condition(old, "Complete", "CompletionsReached", text, moment));
    }
    if !conditions.is_empty() {
        status.insert("conditions", conditions);
    }
    if !suspended {
        let start = text_at(old, &["startTime"]);
        status.insert("startTime", if start.is_empty() { moment.seconds() } else { start.to_owned() });
    }
    if done {
        status.insert("completionTime", moment.seconds());
    }
    for (key, value) in [("active", active), ("succeeded", succeeded)] {
        if value > 0 && !(done && key == "active") {
            status.insert(key, value);
        }
    }
    status.insert("terminating", 0);
    status.insert("uncountedTerminatedPods", Map::new());
    status.insert("ready", ready);
    status
}

/// Starts Jobs when their time has come. Only `* * * * *` and steps of minutes are kept to the minute.
pub(super) fn cron_job(server: &mut Server, moment: &mut Moment, object: &Object) {
    let value = object.to_value();
    if is_deleted(object) || value.at(&["spec", "suspend"]).and_then(Value::as_bool) == Some(true) {
        return;
    }
    let minute = moment.now().as_second() / 60;
    let schedule = text_at(&value, &["spec", "schedule"]).to_owned();
    let due = is_due(&schedule, minute);
    let last = text_at(&value, &["status", "lastScheduleTime"])
        .parse::<jiff::Timestamp>()
        .map(|time| time.as_second() / 60)
        .unwrap_or_default();
    let created = text_at(&value, &["metadata", "creationTimestamp"])
        .parse::<jiff::Timestamp>()
        .map(|time| time.as_second())
        .unwrap_or_default();
    if due && last != minute && minute * 60 > created {
        start_job(server, moment, object, minute);
    }
    let next = std::time::Duration::from_secs(u64::try_from(60 - moment.now().as_second() % 60).unwrap_or(60));
    super::later(server, moment, next, object, "batch/cronjobs");
}

/// Tells whether a schedule names this minute (counted from the epoch, UTC).
fn is_due(schedule: &str, minute: i64) -> bool {
    let Ok(time) = jiff::Timestamp::from_second(minute * 60) else { return false };
    let time = time.to_zoned(jiff::tz::TimeZone::UTC);
    let expanded = match schedule {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        other => other,
    };
    let fields: Vec<&str> = expanded.split_whitespace().collect();
    let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return false };
    let weekday = i64::from(time.weekday().to_sunday_zero_offset());
    let day = |field: &str| field_holds(field, i64::from(time.day()));
    let week = |field: &str| field_holds(field, weekday) || (weekday == 0 && field_holds(field, 7));
    let day_holds = match (*days, *weekdays) {
        ("*", weekdays) => week(weekdays),
        (days, "*") => day(days),
        (days, weekdays) => day(days) || week(weekdays),
    };
    field_holds(minutes, i64::from(time.minute()))
        && field_holds(hours, i64::from(time.hour()))
        && day_holds
        && field_holds(months, i64::from(time.month()))
}

fn field_holds(field: &str, value: i64) -> bool {
    field.split(',').any(|part| {
        let (range, step) =
            part.split_once('/').map_or((part, 1), |(range, step)| (range, step.parse().unwrap_or(1).max(1)));
        let (low, high) = match range.split_once('-') {
            Some((low, high)) => (low.parse().unwrap_or(i64::MAX), high.parse().unwrap_or(i64::MIN)),
            None if range == "*" || range == "?" => (0, i64::MAX),
            None => {
                let low = range.parse().unwrap_or(i64::MAX);
                (low, if part.contains('/') { i64::MAX } else { low })
            }
        };
        value >= low && value <= high && (value - low) % step == 0
    })
}

fn start_job(server: &mut Server, moment: &mut Moment, object: &Object, minute: i64) {
    let value = object.to_value();
    let template = value.at(&["spec", "jobTemplate"]).cloned().unwrap_or_default();
    let mut metadata = map! {
        "name" => format!("{}-{minute}", object.name()), "namespace" => object.namespace(), "ownerReferences" => vec![owner_reference(object)],
    };
    for key in ["labels", "annotations"] {
        if let Some(entry) = template.at(&["metadata", key]) {
            metadata.insert(key, entry.clone());
        }
    }
    let spec = template.get("spec").cloned().unwrap_or_default();
    let job = map! { "apiVersion" => "batch/v1", "kind" => "Job", "metadata" => metadata, "spec" => spec };
    if let Some(job) = create(server, moment, "batch/jobs", Object::new(job)) {
        let message = format!("Created job {}", job.name());
        tell(server, moment, object, &Event::normal("cronjob-controller", "SuccessfulCreate", &message));
    }
    let mut status = value.get("status").and_then(Value::as_map).cloned().unwrap_or_default();
    let time = jiff::Timestamp::from_second(minute * 60).map(crate::moment::time_text).unwrap_or_default();
    status.insert("lastScheduleTime", time);
    write_status(server, moment, object, Value::Map(status));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_name_their_minutes() {
        // 1970-01-01 was a Thursday.
        for (schedule, minute, expect) in [
            ("* * * * *", 7, true),
            ("*/5 * * * *", 10, true),
            ("*/5 * * * *", 11, false),
            ("30 1 * * *", 90, true),
            ("0 0 * * 4", 0, true),
            ("0 0 * * 5", 0, false),
            ("@hourly", 60, true),
            ("1-3 * * * *", 2, true),
            ("nonsense", 0, false),
        ] {
            assert_eq!(is_due(schedule, minute), expect, "{schedule} at {minute}");
        }
    }
}
