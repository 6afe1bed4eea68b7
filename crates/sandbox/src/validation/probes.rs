//! Probes and lifecycle hooks of containers.

use super::field::{Causes, Field};

const HEADER_TEXT: &str = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
const HANDLERS: [&str; 5] = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];

/// Checks the probes of a container.
pub(crate) fn check(container: &Field<'_>, grace: Option<i64>, out: &mut Causes) {
    let once = |probe: &Field<'_>, out: &mut Causes| {
        let threshold = probe.at("successThreshold");
        if probe.is_set() && threshold.int().is_some_and(|times| times != 1) {
            out.push(threshold.invalid("must be 1"));
        }
    };
    let liveness = container.at("livenessProbe");
    probe(&liveness, grace, out);
    once(&liveness, out);
    let readiness = container.at("readinessProbe");
    probe(&readiness, grace, out);
    let seconds = readiness.at("terminationGracePeriodSeconds");
    if seconds.is_set() {
        out.push(seconds.invalid("must not be set for readinessProbes"));
    }
    let startup = container.at("startupProbe");
    probe(&startup, grace, out);
    once(&startup, out);
}

/// Checks what happens after the start and before the end of a container.
pub(crate) fn lifecycle(container: &Field<'_>, grace: Option<i64>, out: &mut Causes) {
    for hook in ["postStart", "preStop"] {
        let hook = container.at("lifecycle").at(hook);
        if hook.is_set() {
            handler(&hook, grace, out);
        }
    }
}

fn probe(probe: &Field<'_>, grace: Option<i64>, out: &mut Causes) {
    if !probe.is_set() {
        return;
    }
    handler(probe, grace, out);
    let counts = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
    probe.nonnegatives(&counts, out);
    let seconds = probe.at("terminationGracePeriodSeconds");
    if seconds.int().is_some_and(|seconds| seconds <= 0) {
        out.push(seconds.invalid("must be greater than 0"));
    }
}

fn handler(probe: &Field<'_>, grace: Option<i64>, out: &mut Causes) {
    let given: Vec<&str> = HANDLERS.into_iter().filter(|kind| probe.at(kind).is_set()).collect();
    for (place, kind) in given.iter().enumerate() {
        let action = probe.at(kind);
        if place > 0 {
            out.push(action.forbidden("may not specify more than 1 handler type"));
            continue;
        }
        match *kind {
            "exec" => action.at("command").needed(out),
            "httpGet" => http_get(&action, out),
            "sleep" => sleep(&action, grace, out),
            _ => action.at("port").port_or_name(out),
        }
    }
    if given.is_empty() {
        out.push(probe.required("must specify a handler type"));
    }
}

fn http_get(action: &Field<'_>, out: &mut Causes) {
    action.at("port").port_or_name(out);
    action.at("scheme").one_of_if_set(&["HTTP", "HTTPS"], out);
    let headers = action.at("httpHeaders");
    for header in headers.items() {
        let name = header.at("name").text();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            out.push(headers.invalid_as(&crate::status::go_quote(name), HEADER_TEXT));
        }
    }
}

fn sleep(action: &Field<'_>, grace: Option<i64>, out: &mut Causes) {
    let seconds = action.at("seconds").number();
    if let Some(grace) = grace
        && !(0..=grace).contains(&seconds)
    {
        let text = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        out.push(action.invalid_as(&seconds.to_string(), &text));
    }
}
