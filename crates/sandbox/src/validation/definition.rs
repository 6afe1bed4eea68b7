//! Custom resource definitions (`apiextensions.k8s.io/v1`).

use lockstep_object::{Map, Value};

use crate::{gofmt::bad_value, names, status::go_quote};

use super::{
    field::{Causes, Field, Subject},
    schema::{self, Rooted},
};

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const APPROVAL: &str = "api-approved.kubernetes.io";

/// Checks a CustomResourceDefinition.
pub(crate) fn check(new: &Subject<'_>, old: Option<&Subject<'_>>, out: &mut Causes) {
    let spec = Field::of(new, "spec");
    let (plural, group) = (spec.at("names").at("plural").text(), spec.at("group").text());
    if old.is_none() && new.name() != format!("{plural}.{group}") {
        out.push(Field::metadata(new, "name").invalid("must be spec.names.plural+\".\"+spec.group"));
    }
    check_spec(&spec, out);
    if let Some(old) = old {
        fixed(old, &spec, out);
    }
    stored(new, &spec, out);
    approval(new, group, out);
    let keeps = spec.at("preserveUnknownFields");
    if keeps.is_true() && old.is_none_or(|old| !Field::of(old, "spec").at("preserveUnknownFields").is_true()) {
        out.push(keeps.invalid(
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        ));
    }
}

fn fixed(old: &Subject<'_>, spec: &Field<'_>, out: &mut Causes) {
    let before = Field::of(old, "spec");
    let established = Field::of(old, "status")
        .at("conditions")
        .items()
        .iter()
        .any(|condition| condition.at("type").text() == "Established" && condition.at("status").text() == "True");
    if established {
        spec.at("scope").immutable(&before.at("scope"), out);
        spec.at("names").at("kind").immutable(&before.at("names").at("kind"), out);
    }
    spec.at("group").immutable(&before.at("group"), out);
    spec.at("names").at("plural").immutable(&before.at("names").at("plural"), out);
}

/// What versions have in common stands at the top in the server's own form; errors name it there.
fn common<'a>(versions: &[Field<'a>], key: &str) -> Option<Field<'a>> {
    let first = versions.first()?.at(key);
    (first.is_set() && versions.iter().all(|version| version.at(key).value == first.value)).then_some(first)
}

fn check_spec(spec: &Field<'_>, out: &mut Causes) {
    let group = spec.at("group");
    if group.text().is_empty() {
        out.push(group.required(""));
    } else {
        joined(&group, &names::subdomain(group.text()), "", out);
        if names::subdomain(group.text()).is_empty() && !group.text().contains('.') {
            out.push(group.invalid("should be a domain with at least one dot"));
        }
    }
    spec.at("scope").one_of(&["Cluster", "Namespaced"], out);
    let list = spec.at("versions");
    let versions = list.items();
    let top_schema = common(&versions, "schema");
    if top_schema.as_ref().is_none_or(|schema| !schema.at("openAPIV3Schema").is_set()) {
        for schema in versions.iter().map(|version| version.at("schema").at("openAPIV3Schema")) {
            if !schema.is_set() {
                out.push(schema.required(""));
            }
        }
    }
    let top = Top {
        schema: top_schema,
        subresources: common(&versions, "subresources"),
        columns: common(&versions, "additionalPrinterColumns"),
    };
    for version in &versions {
        joined(&version.at("name"), &dns_1035(version.at("name").text()), "", out);
        check_version(version, &top, out);
    }
    let shown = shown_versions(&versions, &top);
    let names_of: Vec<&str> = versions.iter().map(|version| version.at("name").text()).collect();
    if names_of.iter().enumerate().any(|(place, name)| names_of[..place].contains(name)) {
        out.push(list.invalid_as(&shown, "must contain unique version names"));
    }
    if versions.iter().filter(|version| version.at("storage").is_true()).count() != 1 {
        out.push(list.invalid_as(&shown, "must have exactly one version marked as storage version"));
    }
    if let Some(first) = versions.first() {
        joined(&first.at("name").named(format!("{}.version", spec.path)), &dns_1035(first.at("name").text()), "", out);
    }
    check_names(&spec.at("names"), out);
    check_top(spec, &versions, &top, out);
    conversion(&spec.at("conversion"), out);
}

struct Top<'a> {
    schema: Option<Field<'a>>,
    subresources: Option<Field<'a>>,
    columns: Option<Field<'a>>,
}

fn check_version(version: &Field<'_>, top: &Top<'_>, out: &mut Causes) {
    let warning = version.at("deprecationWarning");
    if warning.is_set() && !version.at("deprecated").is_true() {
        out.push(warning.invalid("can only be set for deprecated versions"));
    }
    if top.schema.is_none() {
        check_schema(&version.at("schema"), has_status(version), out);
    }
    if top.subresources.is_none() {
        check_scale(&version.at("subresources"), out);
    }
    if top.columns.is_none() {
        check_columns(&version.at("additionalPrinterColumns"), out);
    }
}

fn has_status(version: &Field<'_>) -> bool {
    version.at("subresources").at("status").is_set()
}

fn check_top(spec: &Field<'_>, versions: &[Field<'_>], top: &Top<'_>, out: &mut Causes) {
    if let Some(schema) = &top.schema {
        let place = schema.named(format!("{}.validation", spec.path));
        check_schema(&place, versions.iter().any(has_status), out);
    }
    if let Some(subresources) = &top.subresources {
        check_scale(&subresources.named(format!("{}.subresources", spec.path)), out);
    }
    if let Some(columns) = &top.columns {
        check_columns(&columns.named(format!("{}.additionalPrinterColumns", spec.path)), out);
    }
}

fn check_schema(holder: &Field<'_>, status: bool, out: &mut Causes) {
    let root = holder.at("openAPIV3Schema");
    if !root.is_set() {
        return;
    }
    if root.at("nullable").is_true() {
        out.push(
            Field { path: format!("{}.openAPIV3Schema.nullable", holder.path).into(), ..root.at("nullable") }
                .forbidden("nullable cannot be true at the root"),
        );
    }
    schema::check(&Rooted { field: root, status }, out);
}

/// Several problems of a name stand in one error, with commas.
fn joined(field: &Field<'_>, problems: &[String], before: &str, out: &mut Causes) {
    if !problems.is_empty() {
        out.push(field.invalid_as(&go_quote(field.text()), &format!("{before}{}", problems.join(","))));
    }
}

/// Says what is wrong with a label of RFC 1035.
pub(crate) fn dns_1035(text: &str) -> Vec<String> {
    const TEXT: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push("must be no more than 63 characters".to_owned());
    }
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fine = text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(inner) && !text.ends_with('-');
    if !fine {
        problems.push(TEXT.to_owned());
    }
    problems
}

fn check_names(all: &Field<'_>, out: &mut Causes) {
    const MIXED: &str = "may have mixed case, but should otherwise match: ";
    const PLACES: [(&str, bool); 4] = [("plural", false), ("singular", false), ("kind", true), ("listKind", true)];
    for (key, _) in PLACES {
        all.at(key).needed(out);
    }
    for (key, mixed) in PLACES {
        let name = all.at(key);
        if name.text().is_empty() {
            continue;
        }
        if mixed {
            joined(&name, &dns_1035(&name.text().to_lowercase()), MIXED, out);
        } else {
            joined(&name, &dns_1035(name.text()), "", out);
        }
    }
    for name in all.at("shortNames").items() {
        joined(&name, &dns_1035(name.text()), "", out);
    }
    if !all.at("kind").text().is_empty() && all.at("kind").text() == all.at("listKind").text() {
        out.push(all.at("listKind").invalid("kind and listKind may not be the same"));
    }
    for name in all.at("categories").items() {
        joined(&name, &dns_1035(name.text()), "", out);
    }
}

fn check_columns(columns: &Field<'_>, out: &mut Causes) {
    for column in columns.items() {
        column.at("name").needed(out);
        let (kind, format) = (column.at("type"), column.at("format"));
        let words = format!("must be one of {}", COLUMN_TYPES.join(","));
        if kind.text().is_empty() {
            out.push(kind.required(&words));
        } else if !COLUMN_TYPES.contains(&kind.text()) {
            out.push(kind.invalid(&words));
        }
        if !format.text().is_empty() && !COLUMN_FORMATS.contains(&format.text()) {
            out.push(format.invalid(&format!("must be one of {}", COLUMN_FORMATS.join(","))));
        }
        let path = column.at("jsonPath").named(format!("{}.JSONPath", column.path));
        path.needed(out);
        simple_path(&path, out);
    }
}

/// Checks that a JSON path, if there is one, starts with a dot.
fn simple_path(path: &Field<'_>, out: &mut Causes) -> bool {
    let fine = path.text().is_empty() || path.text().starts_with('.');
    if !fine {
        out.push(path.invalid("must be a simple json path starting with ."));
    }
    fine
}

fn check_scale(subresources: &Field<'_>, out: &mut Causes) {
    let scale = subresources.at("scale");
    if !scale.is_set() {
        return;
    }
    for (key, below) in [("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")] {
        let path = scale.at(key);
        path.needed(out);
        if !path.text().is_empty() && simple_path(&path, out) && !path.text().starts_with(&format!("{below}.")) {
            out.push(path.invalid(&format!("should be a json path under {below}")));
        }
    }
    let path = scale.at("labelSelectorPath");
    let known = [".spec.", ".status."].iter().any(|start| path.text().starts_with(start));
    if !path.text().is_empty() && simple_path(&path, out) && !known {
        out.push(path.invalid("should be a json path under either .spec or .status"));
    }
}

fn conversion(conversion: &Field<'_>, out: &mut Causes) {
    if !conversion.is_set() {
        return;
    }
    let strategy = conversion.at("strategy");
    strategy.one_of(&["None", "Webhook"], out);
    let (client, versions) =
        (conversion.down(&["webhook", "clientConfig"]), conversion.down(&["webhook", "conversionReviewVersions"]));
    let client = client.named(format!("{}.webhookClientConfig", conversion.path));
    let versions = versions.named(format!("{}.conversionReviewVersions", conversion.path));
    if strategy.text() == "Webhook" {
        if client.is_set() {
            super::webhooks::client(&client, out);
        } else {
            out.push(client.required("required when strategy is set to Webhook"));
        }
        versions.needed(out);
    } else {
        if client.is_set() {
            out.push(client.forbidden("should not be set when strategy is not set to Webhook"));
        }
        if !versions.is_empty() {
            out.push(versions.forbidden("should not be set when strategy is not set to Webhook"));
        }
    }
}

/// Shows versions as the server's own structs print as JSON.
fn shown_versions(versions: &[Field<'_>], top: &Top<'_>) -> String {
    let one = |version: &Field<'_>| {
        let truth = |key: &str| Value::from(version.at(key).is_true());
        let part = |key: &str, moved: bool| if moved { Value::Null } else { version.at(key).value.clone() };
        let map = Map::from_iter([
            ("Name", version.at("name").value.clone()),
            ("Served", truth("served")),
            ("Storage", truth("storage")),
            ("Deprecated", truth("deprecated")),
            ("DeprecationWarning", version.at("deprecationWarning").value.clone()),
            ("Schema", part("schema", top.schema.is_some())),
            ("Subresources", part("subresources", top.subresources.is_some())),
            ("AdditionalPrinterColumns", part("additionalPrinterColumns", top.columns.is_some())),
            ("SelectableFields", version.at("selectableFields").value.clone()),
        ]);
        bad_value(&Value::Map(map))
    };
    format!("[{}]", versions.iter().map(one).collect::<Vec<_>>().join(","))
}

/// What was ever stored must stay a version.
fn stored(object: &Subject<'_>, spec: &Field<'_>, out: &mut Causes) {
    let field = Field::of(object, "status").at("storedVersions");
    if field.is_empty() {
        out.push(field.invalid_as("null", "must have at least one stored version"));
        return;
    }
    let mut open: Vec<&str> = field.texts();
    for version in spec.at("versions").items() {
        let name = version.at("name").text();
        match open.iter().position(|stored| *stored == name) {
            Some(place) => {
                open.remove(place);
            }
            None if version.at("storage").is_true() => {
                out.push(field.invalid(&format!("must have the storage version {name}")));
            }
            None => {}
        }
    }
    for item in field.items().iter().filter(|item| open.contains(&item.text())) {
        let name = item.text();
        out.push(item.invalid(&format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
        )));
    }
}

fn approval(object: &Subject<'_>, group: &str, out: &mut Causes) {
    let protected = ["k8s.io", "kubernetes.io"].iter().any(|end| group == *end || group.ends_with(&format!(".{end}")));
    let annotation = Field::metadata(object, "annotations").key(APPROVAL);
    if protected && annotation.text().is_empty() {
        out.push(annotation.required(&format!(
            "protected groups must have approval annotation \"{APPROVAL}\", see https://github.com/kubernetes/enhancements/pull/1111"
        )));
    } else if protected && !annotation.text().starts_with("https://") && !annotation.text().starts_with("unapproved") {
        let text = format!(
            "protected groups must have approval annotation \"{APPROVAL}\" with either a URL or a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111"
        );
        out.push(annotation.invalid(&text));
    }
}
