//! How the items of lists are matched.

use lockstep_object::{Key, Map, Path, Step, Value, to_json};

/// What a list is, in the words of structured merges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// One value: nobody else may add an item.
    Atomic,
    /// Its order says nothing and items are unique.
    Set,
    /// Items are matched by these keys.
    Map(Vec<Key>),
}

/// The lists of Kubernetes' own kinds that have keys, by the list's name.
const KEYED: &[(&str, &[&str])] = &[
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("volumes", &["name"]),
    ("env", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("volumeDevices", &["devicePath"]),
    ("conditions", &["type"]),
    ("ownerReferences", &["uid"]),
    ("hostAliases", &["ip"]),
    ("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    ("webhooks", &["name"]),
    ("secrets", &["name"]),
    ("resourceClaims", &["name"]),
    ("schedulingGates", &["name"]),
    ("validations", &["name"]),
    ("matchConditions", &["name"]),
];

/// Lists of texts whose order says nothing.
const SETS: [&str; 17] = [
    "finalizers",
    "verbs",
    "apiGroups",
    "resources",
    "resourceNames",
    "nonResourceURLs",
    "add",
    "drop",
    "policyTypes",
    "accessModes",
    "operations",
    "apiVersions",
    "values",
    "mountOptions",
    "shortNames",
    "categories",
    "loadBalancerSourceRanges",
];

/// Sets to which others add their own items.
const SHARED_SETS: [&str; 1] = ["finalizers"];

fn name_of(path: &Path) -> &str {
    match path.steps().last() {
        Some(Step::Field(key)) => key,
        _ => "",
    }
}

/// Tells whether others add items to the set at this path.
pub fn is_shared(path: &Path) -> bool {
    SHARED_SETS.contains(&name_of(path))
}

/// Guesses what a list is when no schema says so.
pub fn guess(path: &Path, after: &[Value], before: &[Value]) -> ListKind {
    let name = name_of(path);
    let mut items = after.iter().chain(before);
    if items.clone().all(|item| item.as_str().is_some()) {
        return if SETS.contains(&name) { ListKind::Set } else { ListKind::Atomic };
    }
    if !items.clone().all(|item| item.as_map().is_some()) {
        return ListKind::Atomic;
    }
    let keys: Option<Vec<Key>> = match name {
        "ports" => ports(&mut items),
        name => KEYED
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, keys)| keys.iter().map(|key| (*key).into()).collect()),
    };
    let keys = keys.or_else(|| items.all(|item| item.get("name").is_some()).then(|| vec!["name".into()]));
    match keys {
        Some(keys) if unique(&keys, after) && unique(&keys, before) => ListKind::Map(keys),
        _ => ListKind::Atomic,
    }
}

/// The ports of containers and of services have different keys.
fn ports<'v>(items: &mut (impl Iterator<Item = &'v Value> + Clone)) -> Option<Vec<Key>> {
    let has = |key: &str| items.clone().all(|item| item.get(key).is_some());
    if has("containerPort") {
        return Some(vec!["containerPort".into(), "protocol".into()]);
    }
    has("port").then(|| vec!["port".into(), "protocol".into()])
}

fn unique(keys: &[Key], items: &[Value]) -> bool {
    let found: Vec<Vec<String>> = items.iter().map(|item| identity(keys, item)).collect();
    found.iter().enumerate().all(|(place, item)| !found[..place].contains(item))
}

/// The values of an item's keys; a missing protocol is the one that the server fills in.
fn identity(keys: &[Key], item: &Value) -> Vec<String> {
    keys.iter().map(|key| shown(key, item)).collect()
}

fn shown(key: &Key, item: &Value) -> String {
    match item.get(key) {
        Some(Value::Text(text)) => text.to_string(),
        Some(value) => to_json(value),
        None if key == "protocol" => "TCP".to_owned(),
        None => String::new(),
    }
}

/// Names an item in a path; the default protocol is not said.
pub fn step_of(keys: &[Key], item: &Value) -> Step {
    let said = |key: &&Key| keys.len() == 1 || !(*key == "protocol" && shown(key, item) == "TCP");
    Step::Item(keys.iter().filter(said).map(|key| (key.clone(), shown(key, item))).collect())
}

/// Returns what the owned sets have below an item.
pub fn below_item(owned: &[Map], keys: &[Key], item: &Value) -> Vec<Map> {
    let wanted = identity(keys, item);
    let fits = |name: &str| {
        let Some(crate::fields::Element::Keys(found)) = crate::fields::element(name) else { return false };
        identity(keys, &found) == wanted
    };
    let entries = owned.iter().flat_map(Map::iter).filter(|(name, _)| name.starts_with("k:") && fits(name));
    entries.filter_map(|(_, below)| below.as_map().cloned()).collect()
}

/// The items of two lists, matched by their keys.
pub struct Pairing<'v> {
    /// Each desired item and the live one with its keys.
    pub wanted: Vec<(&'v Value, Option<&'v Value>)>,
    /// Live items that nobody desires.
    pub others: Vec<&'v Value>,
}

impl<'v> Pairing<'v> {
    /// Matches the items of two lists.
    pub fn new(keys: &[Key], after: &'v [Value], before: &'v [Value]) -> Self {
        let known: std::collections::HashMap<Vec<String>, &'v Value> =
            before.iter().map(|item| (identity(keys, item), item)).collect();
        let wanted: Vec<_> = after.iter().map(|item| (item, known.get(&identity(keys, item)).copied())).collect();
        let taken: std::collections::HashSet<*const Value> =
            wanted.iter().filter_map(|(_, found)| found.map(std::ptr::from_ref)).collect();
        let others = before.iter().filter(|item| !taken.contains(&std::ptr::from_ref(*item))).collect();
        Self { wanted, others }
    }
}
