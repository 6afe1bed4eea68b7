//! ValidatingAdmissionPolicies: requests are judged by the policies that a binding puts in force.

use cel::Value as CelValue;
use lockstep_object::{Map, Object, Value};

use crate::{
    build::{list_at, map, text_at},
    catalog::Resource,
    expressions::{Language, convert},
    select::Labels,
    server::Server,
    status::{Failure, Outcome},
    writing::Write,
};

const POLICIES: &str = "admissionregistration.k8s.io/validatingadmissionpolicies";
const BINDINGS: &str = "admissionregistration.k8s.io/validatingadmissionpolicybindings";
const GROUP: &str = "admissionregistration.k8s.io";

/// What is judged.
struct Request<'a> {
    resource: &'a Resource,
    operation: &'static str,
    subresource: &'a str,
    namespace: &'a str,
    new: &'a Object,
    old: Option<&'a Object>,
    dry_run: bool,
}

/// How a request failed a policy: the message and the reason of the status.
struct Denial {
    message: String,
    reason: String,
}

impl Server {
    /// Lets the policies judge a write; adds their warnings.
    pub(crate) fn judge(&self, write: &mut Write<'_>, old: Option<&Object>, new: &Object) -> Outcome<()> {
        if write.resource.group == GROUP {
            return Ok(());
        }
        let resource = write.resource.clone();
        let (namespace, subresource) = (write.namespace.clone(), write.subresource.clone().unwrap_or_default());
        let request = Request {
            resource: &resource,
            operation: if old.is_some() { "UPDATE" } else { "CREATE" },
            subresource: &subresource,
            namespace: &namespace,
            new,
            old,
            dry_run: write.options.dry_run,
        };
        let bindings = self.store.bucket(BINDINGS).into_iter().flat_map(|bucket| bucket.range(None));
        let bindings: Vec<Value> = bindings.map(|(_, stored)| stored.object.to_value()).collect();
        for binding in &bindings {
            let name = text_at(binding, &["spec", "policyName"]);
            let Some(policy) = self.store.get(POLICIES, "", name) else { continue };
            let policy = policy.object.to_value();
            let matches = |constraints: Option<&Value>| constraints.is_none_or(|one| self.applies(one, &request));
            if !matches(policy.at(&["spec", "matchConstraints"])) || !matches(binding.at(&["spec", "matchResources"])) {
                continue;
            }
            for denial in self.denials(&policy, &request) {
                answer(binding, name, &request, &denial, &mut write.warnings)?;
            }
        }
        Ok(())
    }

    /// Tells whether constraints speak of a request.
    fn applies(&self, constraints: &Value, request: &Request<'_>) -> bool {
        let labels_match = |key: &str, labels: Option<&Map>| {
            let selector = constraints.get(key).filter(|selector| !selector.is_null());
            selector.and_then(Labels::of_selector).is_none_or(|selector| selector.matches_labels(labels))
        };
        let namespace = self.store.get("/namespaces", "", request.namespace).map(|stored| &stored.object);
        let of = |object: &Object| object.at(&["metadata", "labels"]).and_then(Value::as_map).cloned();
        let in_namespace =
            !request.resource.namespaced || labels_match("namespaceSelector", namespace.and_then(of).as_ref());
        let by_object = labels_match("objectSelector", of(request.new).as_ref())
            || request.old.is_some_and(|old| labels_match("objectSelector", of(old).as_ref()));
        let rules = list_at(constraints, &["resourceRules"]);
        let named = rules.is_empty() || rules.iter().any(|rule| rule_applies(rule, request));
        let excluded = list_at(constraints, &["excludeResourceRules"]).iter().any(|rule| rule_applies(rule, request));
        in_namespace && by_object && named && !excluded
    }

    /// Evaluates a policy.
    fn denials(&self, policy: &Value, request: &Request<'_>) -> Vec<Denial> {
        let language = Language::new();
        let ignores = text_at(policy, &["spec", "failurePolicy"]) == "Ignore";
        let namespace = self.store.get("/namespaces", "", request.namespace);
        let namespace = namespace.map(|stored| convert(&stored.object.to_value())).unwrap_or(CelValue::Null);
        let mut variables = vec![
            ("object", convert(&request.new.to_value())),
            ("oldObject", request.old.map(|old| convert(&old.to_value())).unwrap_or(CelValue::Null)),
            ("request", convert(&describe(request))),
            ("params", CelValue::Null),
            ("namespaceObject", namespace),
        ];
        let run = |text: &str, variables: &[(&str, CelValue)]| {
            language.compile(text).and_then(|program| language.run(&program, variables))
        };
        for condition in list_at(policy, &["spec", "matchConditions"]) {
            match run(text_at(condition, &["expression"]), &variables) {
                Ok(CelValue::Bool(true)) => {}
                Err(_) if !ignores => {}
                _ => return Vec::new(),
            }
        }
        let mut own = std::collections::HashMap::new();
        for variable in list_at(policy, &["spec", "variables"]) {
            if let Ok(value) = run(text_at(variable, &["expression"]), &variables) {
                let key = cel::objects::Key::String(std::sync::Arc::new(text_at(variable, &["name"]).to_owned()));
                own.insert(key, value);
            }
            variables.retain(|(name, _)| *name != "variables");
            let map = cel::objects::Map { map: std::sync::Arc::new(own.clone()) };
            variables.push(("variables", CelValue::Map(map)));
        }
        let mut denials = Vec::new();
        for validation in list_at(policy, &["spec", "validations"]) {
            let expression = text_at(validation, &["expression"]);
            let message = match run(expression, &variables) {
                Ok(CelValue::Bool(true)) => continue,
                Ok(_) => made_message(&language, validation, &variables),
                Err(_) if ignores => continue,
                Err(error) => format!("expression '{expression}' resulted in error: {error}"),
            };
            let reason = text_at(validation, &["reason"]);
            let reason = if reason.is_empty() { "Invalid" } else { reason }.to_owned();
            denials.push(Denial { message, reason });
        }
        denials
    }
}

fn made_message(language: &Language, validation: &Value, variables: &[(&str, CelValue)]) -> String {
    let made = text_at(validation, &["messageExpression"]);
    let made = if made.is_empty() { None } else { language.compile(made).ok() };
    if let Some(text) = made.and_then(|program| language.text(&program, variables)) {
        return text;
    }
    match text_at(validation, &["message"]) {
        "" => format!("failed expression: {}", text_at(validation, &["expression"]).trim()),
        message => message.to_owned(),
    }
}

fn rule_applies(rule: &Value, request: &Request<'_>) -> bool {
    let has = |key: &str, wanted: &str| {
        list_at(rule, &[key]).iter().filter_map(Value::as_str).any(|known| known == "*" || known == wanted)
    };
    let resources = list_at(rule, &["resources"]);
    let resource = resources.iter().filter_map(Value::as_str).any(|pattern| {
        let (name, sub) = pattern.split_once('/').unwrap_or((pattern, ""));
        (name == "*" || name == request.resource.plural) && (sub == "*" || sub == request.subresource)
    });
    let names = list_at(rule, &["resourceNames"]);
    let scope = match text_at(rule, &["scope"]) {
        "Cluster" => !request.resource.namespaced,
        "Namespaced" => request.resource.namespaced,
        _ => true,
    };
    has("operations", request.operation)
        && has("apiGroups", &request.resource.group)
        && has("apiVersions", &request.resource.version)
        && resource
        && scope
        && (names.is_empty() || names.iter().any(|name| name.as_str() == Some(request.new.name())))
}

/// The request as expressions see it.
fn describe(request: &Request<'_>) -> Value {
    let resource = request.resource;
    let kind = map! {
        "group" => resource.group.as_str(), "version" => resource.version.as_str(), "kind" => resource.kind.as_str(),
    };
    let plural = map! {
        "group" => resource.group.as_str(), "version" => resource.version.as_str(),
        "resource" => resource.plural.as_str(),
    };
    Value::Map(map! {
        "kind" => kind, "resource" => plural, "subResource" => request.subresource, "name" => request.new.name(),
        "namespace" => request.namespace, "operation" => request.operation, "dryRun" => request.dry_run,
        "userInfo" => map! { "username" => "" },
    })
}

/// Does what the binding says with a denial: refuses, warns or stays silent.
fn answer(
    binding: &Value,
    policy: &str,
    request: &Request<'_>,
    denial: &Denial,
    warnings: &mut Vec<String>,
) -> Outcome<()> {
    let actions = list_at(binding, &["spec", "validationActions"]);
    let does = |action: &str| actions.iter().any(|one| one.as_str() == Some(action));
    let name = text_at(binding, &["metadata", "name"]);
    if does("Warn") {
        let text = format!(
            "Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{name}': {}",
            denial.message
        );
        warnings.push(text);
    }
    if !does("Deny") {
        return Ok(());
    }
    let text = format!("ValidatingAdmissionPolicy '{policy}' with binding '{name}' denied request: {}", denial.message);
    let resource = request.resource;
    let forbidden = Failure::forbidden(&resource.group, &resource.plural, request.new.name(), &text);
    let (code, reason) = match denial.reason.as_str() {
        "Unauthorized" => (401, "Unauthorized"),
        "Forbidden" => (403, "Forbidden"),
        "RequestEntityTooLarge" => (413, "RequestEntityTooLarge"),
        _ => (422, "Invalid"),
    };
    let mut details = forbidden.details();
    details.insert("causes", vec![Value::Map(map! { "message" => text.as_str() })]);
    Err(Failure::new(code, reason, forbidden.message()).with_details(details))
}
