//! Jobs and CronJobs.

use lockstep_object::Value;

use super::{
    cron,
    field::{Causes, Field, Subject},
    pod, selector,
};

const COUNTS: [&str; 6] = [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
];
/// The most pods an indexed Job runs at once, and the most of its indexes that may fail.
const INDEXED_LIMIT: i64 = 100_000;

/// The first parts of the names of time zones; the rest is not known here. Short names like `UTC` and `CET` also are zones.
const AREAS: [&str; 20] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Brazil",
    "Canada",
    "Chile",
    "Cuba",
    "Egypt",
    "Etc",
    "Europe",
    "Indian",
    "Israel",
    "Japan",
    "Mexico",
    "Pacific",
    "US",
];

/// Checks a Job.
pub(crate) fn job(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    let field = spec.at("selector");
    let labels = spec.down(&["template", "metadata", "labels"]);
    if !spec.at("manualSelector").is_true() && field.is_set() && !selector::selection(&field).matches(labels.value) {
        out.push(field.invalid("`selector` not auto-generated"));
    }
    job_spec(&spec, out);
    if field.is_set() {
        selector::check(&field, out);
        if !selector::selection(&field).matches(labels.value) {
            out.push(labels.invalid("`selector` does not match template `labels`"));
        }
    } else {
        out.push(field.required(""));
    }
    if let Some(old) = old {
        job_update(&Field::of(old, "spec"), &spec, old, out);
    }
}

/// Checks the status of a Job.
pub(crate) fn job_status(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let status = Field::of(new, "status");
    status.nonnegatives(&["active", "succeeded", "failed"], out);
    let conditions = status.at("conditions");
    let is_true = |kind: &str| {
        let all = conditions.items();
        all.iter().any(|one| one.at("type").text() == kind && one.at("status").text() == "True")
    };
    for (end, cause) in [("Failed", "FailureTarget"), ("Complete", "SuccessCriteriaMet")] {
        if is_true(end) && !is_true(cause) {
            let text = format!("Invalid value: cannot set {end}=True condition without the {cause}=true condition");
            out.push(crate::status::Cause::new("FieldValueInvalid", &*conditions.path, text));
        }
    }
}

fn job_update(old: &Field<'_>, new: &Field<'_>, before: &Subject<'_>, out: &mut Causes) {
    let same = |key: &str, out: &mut Causes| new.at(key).immutable(&old.at(key), out);
    if new.at("completionMode").text() != "Indexed" {
        same("completions", out);
    } else if new.at("completions").value != old.at("completions").value
        && new.at("completions").int() != new.at("parallelism").int()
    {
        out.push(new.at("completions").invalid("can only be modified in tandem with spec.parallelism"));
    }
    same("selector", out);
    let started = before.at(&["status", "startTime"]).is_some();
    let suspended = old.at("suspend").is_true();
    if !(suspended && !started && same_but_directives(old, new)) {
        same("template", out);
    }
    for key in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] {
        same(key, out);
    }
}

/// Tells whether only that differs by which a suspended Job's pods will be scheduled.
fn same_but_directives(old: &Field<'_>, new: &Field<'_>) -> bool {
    let rest = |field: &Field<'_>| {
        let mut template = field.at("template").value.clone();
        let Some(map) = template.as_map_mut() else { return template };
        map.remove("metadata");
        if let Some(spec) = map.get_mut("spec").and_then(Value::as_map_mut) {
            for key in ["affinity", "nodeSelector", "tolerations", "schedulingGates"] {
                spec.remove(key);
            }
        }
        template
    };
    rest(old) == rest(new)
}

fn job_spec(spec: &Field<'_>, out: &mut Causes) {
    spec.nonnegatives(&COUNTS, out);
    let failed = spec.at("maxFailedIndexes");
    failed.nonnegative(out);
    if failed.is_set() && !spec.at("backoffLimitPerIndex").is_set() {
        out.push(spec.at("backoffLimitPerIndex").required("when maxFailedIndexes is specified"));
    }
    let mode = spec.at("completionMode");
    mode.one_of_if_set(&["NonIndexed", "Indexed"], out);
    if mode.text() == "Indexed" {
        indexed(spec, out);
    } else if !mode.is_set() || mode.text() == "NonIndexed" {
        for key in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if spec.at(key).is_set() {
                out.push(spec.at(key).invalid("requires indexed completion mode"));
            }
        }
    }
    if spec.at("successPolicy").is_set() && mode.text() != "Indexed" {
        out.push(spec.at("successPolicy").invalid("requires indexed completion mode"));
    }
    replacement(spec, out);
    pod::template(&spec.at("template"), out);
    restart_policy(spec, out);
}

fn indexed(spec: &Field<'_>, out: &mut Causes) {
    let (completions, parallelism, failed) =
        (spec.at("completions"), spec.at("parallelism"), spec.at("maxFailedIndexes"));
    if !completions.is_set() {
        out.push(completions.required("when completion mode is Indexed"));
    }
    if parallelism.number() > INDEXED_LIMIT {
        let text = format!("must be less than or equal to {INDEXED_LIMIT} when completion mode is Indexed");
        out.push(parallelism.invalid(&text));
    }
    if completions.is_set() && failed.number() > completions.number() {
        out.push(failed.invalid("must be less than or equal to completions"));
    }
    if failed.number() > INDEXED_LIMIT {
        out.push(failed.invalid(&format!("must be less than or equal to {INDEXED_LIMIT}")));
    }
}

fn replacement(spec: &Field<'_>, out: &mut Causes) {
    let policy = spec.at("podReplacementPolicy");
    if spec.at("podFailurePolicy").is_set() {
        policy.one_of_if_set(&["Failed"], out);
    } else {
        policy.one_of_if_set(&["Failed", "TerminatingOrFailed"], out);
    }
}

fn restart_policy(spec: &Field<'_>, out: &mut Causes) {
    let policy = spec.down(&["template", "spec", "restartPolicy"]);
    match policy.text() {
        "" | "Always" => out.push(policy.required("valid values: \"OnFailure\", \"Never\"")),
        "Never" => {}
        "OnFailure" if spec.at("podFailurePolicy").is_set() => {
            out.push(policy.invalid("only \"Never\" is supported when podFailurePolicy is specified"));
        }
        "OnFailure" => {}
        _ => out.push(policy.unsupported(&["OnFailure", "Never"])),
    }
}

/// Checks a CronJob.
pub(crate) fn cron_job(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    let schedule = spec.at("schedule");
    if schedule.text().is_empty() {
        out.push(schedule.required(""));
    } else {
        if let Err(problem) = cron::check(schedule.text()) {
            out.push(schedule.invalid(&problem));
        }
        if schedule.text().contains("TZ") {
            out.push(schedule.invalid("cannot use TZ or CRON_TZ in schedule, use timeZone field instead"));
        }
    }
    spec.at("startingDeadlineSeconds").nonnegative(out);
    zone(&spec.at("timeZone"), out);
    spec.at("concurrencyPolicy").one_of_if_set(&["Allow", "Forbid", "Replace"], out);
    let template = spec.at("jobTemplate").at("spec");
    job_spec(&template, out);
    if template.at("selector").is_set() {
        out.push(template.at("selector").invalid("`selector` will be auto-generated"));
    }
    if template.at("manualSelector").is_true() {
        out.push(template.at("manualSelector").unsupported(&["nil", "false"]));
    }
    spec.nonnegatives(&["successfulJobsHistoryLimit", "failedJobsHistoryLimit"], out);
    if old.is_none() && new.name().len() > 52 {
        out.push(Field::metadata(new, "name").invalid("must be no more than 52 characters"));
    }
}

fn zone(zone: &Field<'_>, out: &mut Causes) {
    if !zone.is_set() {
        return;
    }
    let name = zone.text();
    if name.is_empty() {
        out.push(zone.invalid("timeZone must be nil or non-empty string"));
        return;
    }
    if name.eq_ignore_ascii_case("local") {
        let text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        out.push(zone.invalid(text));
    }
    let fine = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && part != "."
            && part != ".."
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+_./".contains(&b))
    };
    let area = name.split('/').next().unwrap_or(name);
    let known = AREAS.contains(&area) || area.len() == 3 || area.eq_ignore_ascii_case("local");
    if !name.split('/').all(fine) || !known {
        out.push(zone.invalid(&format!("unknown time zone {name}")));
    }
}
