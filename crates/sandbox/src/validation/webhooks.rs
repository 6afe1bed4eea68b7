//! Webhook configurations and admission policies.

use crate::{expressions::Language, names, status::go_quote};

use super::{
    field::{Causes, Field, Subject},
    selector,
};

/// Checks a ValidatingWebhookConfiguration or a MutatingWebhookConfiguration.
pub(crate) fn check(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
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
    if !effects.text().is_empty() {
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
        for (key, words) in [("name", "service name is required"), ("namespace", "service namespace is required")] {
            if service.at(key).text().is_empty() {
                out.push(service.at(key).required(words));
            }
        }
        let port = service.at("port");
        if port.is_set() {
            let text = "port is not valid: must be between 1 and 65535, inclusive";
            if !(1..=65_535).contains(&port.number()) {
                out.push(port.invalid(text));
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

/// Checks a ValidatingAdmissionPolicy.
pub(crate) fn policy(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    const REASONS: [&str; 4] = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
    let spec = Field::of(new, "spec");
    spec.at("failurePolicy").one_of_if_set(&["Fail", "Ignore"], out);
    let constraints = spec.at("matchConstraints");
    if constraints.is_set() {
        matching(&constraints, true, out);
    } else {
        out.push(constraints.required(""));
    }
    let language = Language::new();
    let compiles = |text: &Field<'_>, out: &mut Causes| {
        if text.text().trim().is_empty() {
            out.push(text.required(&format!("{} is not specified", text.path.rsplit('.').next().unwrap_or_default())));
        } else if let Err(problem) = language.compile(text.text()) {
            out.push(text.invalid(&problem));
        }
    };
    for variable in spec.at("variables").items() {
        variable.at("name").needed(out);
        compiles(&variable.at("expression"), out);
    }
    let (validations, audits) = (spec.at("validations"), spec.at("auditAnnotations"));
    if validations.is_empty() && audits.is_empty() {
        out.push(validations.required("validations or auditAnnotations must contain at least one item"));
        out.push(audits.required("validations or auditAnnotations must contain at least one item"));
    }
    for validation in validations.items() {
        compiles(&validation.at("expression"), out);
        if !validation.at("messageExpression").text().is_empty() {
            compiles(&validation.at("messageExpression"), out);
        }
        validation.at("reason").one_of_if_set(&REASONS, out);
    }
    for condition in spec.at("matchConditions").items() {
        condition.at("name").needed(out);
        compiles(&condition.at("expression"), out);
    }
}

/// Checks a ValidatingAdmissionPolicyBinding.
pub(crate) fn binding(new: &Subject<'_>, _old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    let name = spec.at("policyName");
    if name.text().is_empty() {
        out.push(name.required(""));
    } else {
        name.subdomain(out);
    }
    if spec.at("matchResources").is_set() {
        matching(&spec.at("matchResources"), false, out);
    }
    let actions = spec.at("validationActions");
    if actions.is_empty() {
        out.push(actions.required(""));
    }
    for action in actions.items() {
        action.one_of_if_set(&["Audit", "Deny", "Warn"], out);
    }
    if ["Deny", "Warn"].iter().all(|action| actions.texts().contains(action)) {
        out.push(actions.invalid("must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)"));
    }
}

fn matching(constraints: &Field<'_>, needed: bool, out: &mut Causes) {
    constraints.at("matchPolicy").one_of_if_set(&["Equivalent", "Exact"], out);
    for key in ["namespaceSelector", "objectSelector"] {
        selector::check(&constraints.at(key), out);
    }
    let rules = constraints.at("resourceRules");
    if needed && rules.is_empty() {
        out.push(rules.required(""));
    }
    for rule in rules.items().iter().chain(&constraints.at("excludeResourceRules").items()) {
        check_rule(rule, out);
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
