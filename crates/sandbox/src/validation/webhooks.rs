//! Webhook configurations.

use lockstep_object::Object;

use crate::{names, status::go_quote};

use super::{
    field::{Causes, Field},
    selector,
};

/// Checks a ValidatingWebhookConfiguration or a MutatingWebhookConfiguration.
pub(crate) fn check(new: &Object, _old: Option<&Object>, out: &mut Causes) {
    let mut known: Vec<&str> = Vec::new();
    for hook in Field::of(new, "webhooks").items() {
        check_hook(&hook, out);
        versions(&hook.at("admissionReviewVersions"), out);
        let name = hook.at("name");
        if !name.text().is_empty() {
            if known.contains(&name.text()) {
                out.push(name.duplicate());
            }
            known.push(name.text());
        }
    }
}

fn check_hook(hook: &Field<'_>, out: &mut Causes) {
    let name = hook.at("name");
    if name.text().is_empty() {
        out.push(name.required(""));
    } else {
        name.subdomain(out);
        if names::subdomain(name.text()).is_empty() && name.text().split('.').count() < 3 {
            out.push(name.invalid("should be a domain with at least three segments separated by dots"));
        }
    }
    for rule in hook.at("rules").items() {
        check_rule(&rule, out);
    }
    hook.at("failurePolicy").one_of_if_set(&["Fail", "Ignore"], out);
    hook.at("matchPolicy").one_of_if_set(&["Equivalent", "Exact"], out);
    let effects = hook.at("sideEffects");
    if effects.is_set() {
        effects.one_of_if_set(&["None", "NoneOnDryRun"], out);
    } else {
        out.push(effects.required("must specify one of None, NoneOnDryRun"));
    }
    let timeout = hook.at("timeoutSeconds");
    if timeout.int().is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        out.push(timeout.invalid("the timeout value must be between 1 and 30 seconds"));
    }
    for key in ["namespaceSelector", "objectSelector"] {
        selector::check(&hook.at(key), out);
    }
    hook.at("reinvocationPolicy").one_of_if_set(&["IfNeeded", "Never"], out);
    client(&hook.at("clientConfig"), out);
}

/// Checks how a webhook is reached.
pub(crate) fn client(config: &Field<'_>, out: &mut Causes) {
    let (url, service) = (config.at("url"), config.at("service"));
    if url.is_set() == service.is_set() {
        out.push(config.required("exactly one of url or service is required"));
    } else if url.is_set() {
        check_url(&url, out);
    } else {
        service.at("namespace").named(format!("{}.namespace", service.path)).needed_second(&service.at("name"), out);
        let port = service.at("port");
        if port.is_set() {
            let text = "port is not valid: must be between 1 and 65535, inclusive";
            if !(1..=65_535).contains(&port.number()) {
                out.push(port.invalid(text));
            }
        }
    }
}

impl Field<'_> {
    /// Checks that another field is there, then this one.
    fn needed_second(&self, first: &Field<'_>, out: &mut Causes) {
        for (field, word) in [(first, "service name is required"), (self, "service namespace is required")] {
            if field.text().is_empty() {
                out.push(field.required(word));
            }
        }
    }
}

fn check_url(url: &Field<'_>, out: &mut Causes) {
    const FORM: &str = "; desired format: https://host[/path]";
    let Some((scheme, rest)) = url.text().split_once("://") else {
        out.push(url.required(&format!("url must be a valid URL{FORM}")));
        return;
    };
    if scheme != "https" {
        out.push(url.invalid_as(&go_quote(scheme), &format!("'https' is the only allowed URL scheme{FORM}")));
    }
    let (place, query) = rest.split_once('?').map_or((rest, ""), |(place, query)| (place, query));
    let host = place.split('/').next().unwrap_or_default();
    if host.is_empty() {
        out.push(url.invalid_as("\"\"", &format!("host must be specified{FORM}")));
    }
    if let Some((user, _)) = host.split_once('@') {
        out.push(url.invalid_as(&go_quote(user), "user information is not permitted in the URL"));
    }
    if !query.is_empty() {
        out.push(url.invalid_as(&go_quote(query), "query parameters are not permitted in the URL"));
    }
}

/// Checks the rules by which requests are sent to a webhook or judged by a policy.
pub(crate) fn check_rule(rule: &Field<'_>, out: &mut Causes) {
    const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    let operations = rule.at("operations");
    operations.needed(out);
    alone(&operations, "operations", out);
    for operation in operations.items() {
        if !OPERATIONS.contains(&operation.text()) {
            out.push(operation.unsupported(&OPERATIONS));
        }
    }
    for (key, words) in [("apiGroups", "API groups"), ("apiVersions", "API versions")] {
        rule.at(key).needed(out);
        alone(&rule.at(key), words, out);
    }
    for version in rule.at("apiVersions").items().iter().filter(|version| version.text().is_empty()) {
        out.push(version.required(""));
    }
    resources(&rule.at("resources"), out);
    rule.at("scope").one_of_if_set(&["*", "Cluster", "Namespaced"], out);
}

/// A star stands alone.
fn alone(list: &Field<'_>, words: &str, out: &mut Causes) {
    let texts = list.texts();
    if texts.len() > 1 && texts.contains(&"*") {
        out.push(list.invalid(&format!("if '*' is present, must not specify other {words}")));
    }
}

fn resources(list: &Field<'_>, out: &mut Causes) {
    list.needed(out);
    let texts = list.texts();
    for (place, item) in list.items().iter().enumerate() {
        if item.text().is_empty() {
            out.push(item.required(""));
            continue;
        }
        let Some((resource, sub)) = item.text().split_once('/') else { continue };
        for star in [format!("{resource}/*"), format!("*/{sub}")] {
            if texts[..place].contains(&star.as_str()) {
                out.push(item.invalid(&format!("if '{star}' is present, must not specify {}", item.text())));
            }
        }
    }
    if texts.len() > 1 && texts.contains(&"*/*") {
        out.push(list.invalid("if '*/*' is present, must not specify other resources"));
    }
    // The server remembers only whether the last plain name was a star.
    let last = texts.iter().rfind(|text| !text.contains('/'));
    if texts.contains(&"*") && last.is_some_and(|last| *last != "*") {
        out.push(list.invalid("if '*' is present, must not specify other resources without subresources"));
    }
}

fn versions(list: &Field<'_>, out: &mut Causes) {
    let texts = list.texts();
    if texts.is_empty() {
        out.push(list.required("must specify one of v1, v1beta1"));
        return;
    }
    for (place, version) in list.items().iter().enumerate() {
        if texts[..place].contains(&version.text()) {
            out.push(version.invalid("duplicate version"));
        }
    }
    if !texts.iter().any(|version| ["v1", "v1beta1"].contains(version)) {
        out.push(list.invalid("must include at least one of v1, v1beta1"));
    }
}
