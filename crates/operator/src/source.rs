//! What Apps read: which sources an App has, and what they give together.

use std::sync::Arc;

use lockstep_api::{ChartSource, GitSource, HelmOptions, OciSource, Source, ValuesReference};
use lockstep_engine::{Problem, RevisionInfo};
use lockstep_files::FileTree;

/// What is watched: Apps with an equal key share one task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SourceKey {
    Git {
        url: String,
        reference: String,
        submodules: bool,
        interval: u64,
        namespace: String,
        secret: Option<String>,
    },
    Artifact {
        url: String,
        chart: Option<String>,
        version: String,
        insecure: bool,
        interval: u64,
        namespace: String,
        secret: Option<String>,
    },
    /// A ConfigMap or Secret with values: each key is a file.
    Values {
        kind: ValuesKind,
        namespace: String,
        name: String,
        /// Whether it may be missing.
        optional: bool,
    },
    Folder(String),
    /// The spec names no source, or two.
    Invalid(String),
}

/// The kinds that hold values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ValuesKind {
    ConfigMap,
    Secret,
}

impl ValuesKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// A revision with its files.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) revision: RevisionInfo,
    /// When the revision was made, in seconds since 1970; 0 where the source does not say.
    pub(crate) time: i64,
    pub(crate) tree: FileTree,
}

/// A source of an App, and where its files are found: the first at the root, others beside it by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) beside: String,
    pub(crate) key: SourceKey,
}

/// Returns the sources of an App in this namespace, the one with its objects first.
pub(crate) fn sources_of(source: &Source, namespace: &str) -> Vec<Listed> {
    let mut listed = vec![Listed { beside: String::new(), key: main_source(source, namespace) }];
    for named in &source.refs {
        let key = match (&named.git, &named.oci, &named.folder) {
            (Some(git), None, None) => git_key(git, namespace),
            (None, Some(oci), None) => oci_key(oci, namespace),
            (None, None, Some(folder)) => SourceKey::Folder(folder.root.clone()),
            _ => SourceKey::Invalid(format!("spec.source.refs: {:?} must name either git or oci", named.name)),
        };
        listed.push(Listed { beside: format!("${}", named.name), key });
    }
    let values = source.helm.iter().flat_map(|helm| &helm.values_from);
    for reference in values {
        let one = Listed { beside: values_place(reference), key: values_key(reference, namespace) };
        if !listed.contains(&one) {
            listed.push(one);
        }
    }
    listed
}

/// Names the place of a ConfigMap's or Secret's keys among the files of an App.
fn values_place(reference: &ValuesReference) -> String {
    format!("${}.{}", reference.kind, reference.name)
}

/// Returns the path of a reference's values among the files of an App.
pub(crate) fn values_path(reference: &ValuesReference) -> String {
    format!("{}/{}", values_place(reference), reference.values_key.as_deref().unwrap_or("values.yaml"))
}

/// Returns the path of the source's folder that is rendered.
pub(crate) fn path_of(source: &Source) -> &str {
    match source {
        Source { git: Some(git), .. } => &git.path,
        Source { oci: Some(oci), .. } => &oci.path,
        Source { folder: Some(folder), .. } => &folder.path,
        Source { .. } => "",
    }
}

/// Returns the URLs that an App reads, for the rules of its project.
pub(crate) fn urls_of(source: &Source) -> Vec<String> {
    let git = |git: &GitSource| git.url.clone();
    let own = source.git.as_ref().map(git);
    let chart = source.chart.as_ref().map(|chart| match chart.repo.starts_with("oci://") {
        true => format!("{}/{}", chart.repo.trim_end_matches('/'), chart.name),
        false => chart.repo.clone(),
    });
    let oci = source.oci.as_ref().map(|oci| oci.url.clone());
    let refs = source.refs.iter().flat_map(|named| {
        let oci = named.oci.as_ref().map(|oci| oci.url.clone());
        named.git.as_ref().map(git).into_iter().chain(oci)
    });
    own.into_iter().chain(chart).chain(oci).chain(refs).collect()
}

fn main_source(source: &Source, namespace: &str) -> SourceKey {
    match (&source.git, &source.chart, &source.oci, &source.folder) {
        (Some(git), None, None, None) => git_key(git, namespace),
        (None, Some(chart), None, None) => chart_key(chart, namespace),
        (None, None, Some(oci), None) => oci_key(oci, namespace),
        (None, None, None, Some(folder)) => SourceKey::Folder(folder.root.clone()),
        (None, None, None, None) => {
            SourceKey::Invalid("spec.source names none of git, chart, oci and folder".to_owned())
        }
        _ => SourceKey::Invalid("spec.source names more than one of git, chart, oci and folder; keep one".to_owned()),
    }
}

fn git_key(git: &GitSource, namespace: &str) -> SourceKey {
    SourceKey::Git {
        url: git.url.clone(),
        reference: git.reference.clone().unwrap_or_default(),
        submodules: git.submodules,
        interval: git.interval_seconds.unwrap_or(30).max(1),
        namespace: namespace.to_owned(),
        secret: git.secret_ref.as_ref().map(|secret| secret.name.clone()),
    }
}

fn chart_key(chart: &ChartSource, namespace: &str) -> SourceKey {
    if chart.name.is_empty() {
        return SourceKey::Invalid("spec.source.chart has no name".to_owned());
    }
    SourceKey::Artifact {
        url: chart.repo.clone(),
        chart: Some(chart.name.clone()),
        version: chart.version.clone(),
        insecure: chart.insecure,
        interval: chart.interval_seconds.unwrap_or(300).max(1),
        namespace: namespace.to_owned(),
        secret: chart.secret_ref.as_ref().map(|secret| secret.name.clone()),
    }
}

fn oci_key(oci: &OciSource, namespace: &str) -> SourceKey {
    SourceKey::Artifact {
        url: oci.url.clone(),
        chart: None,
        version: oci.reference.clone().unwrap_or_default(),
        insecure: oci.insecure,
        interval: oci.interval_seconds.unwrap_or(60).max(1),
        namespace: namespace.to_owned(),
        secret: oci.secret_ref.as_ref().map(|secret| secret.name.clone()),
    }
}

fn values_key(reference: &ValuesReference, namespace: &str) -> SourceKey {
    let kind = match reference.kind.as_str() {
        "ConfigMap" => ValuesKind::ConfigMap,
        "Secret" => ValuesKind::Secret,
        other => {
            let message = format!("spec.source.helm.valuesFrom: the kind {other:?} is neither ConfigMap nor Secret");
            return SourceKey::Invalid(message);
        }
    };
    let (namespace, name) = (namespace.to_owned(), reference.name.clone());
    SourceKey::Values { kind, namespace, name, optional: reference.optional }
}

/// Joins what the sources of an App told last; nothing while one of them has told nothing yet.
pub(crate) fn join(
    listed: &[Listed],
    last: impl Fn(&SourceKey) -> Option<Result<Arc<Snapshot>, Problem>>,
) -> Option<Result<Arc<Snapshot>, Problem>> {
    let (first, others) = listed.split_first()?;
    let main = match last(&first.key)? {
        Ok(main) if !others.is_empty() => main,
        answer => return Some(answer),
    };
    let mut joined = Snapshot::clone(&main);
    for other in others {
        match last(&other.key)? {
            Ok(snapshot) => {
                joined.revision.inputs.push_str(&format!("{}={} ", other.beside, snapshot.revision.id));
                joined.time = joined.time.max(snapshot.time);
                joined.tree = joined.tree.with_beside(&other.beside, snapshot.tree.clone());
            }
            Err(problem) => return Some(Err(problem)),
        }
    }
    Some(Ok(Arc::new(joined)))
}

/// Returns the name of an App's release.
pub(crate) fn release_name(helm: Option<&HelmOptions>, app: &str) -> String {
    helm.and_then(|helm| helm.release_name.clone()).unwrap_or_else(|| app.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(yaml: &str) -> Vec<Listed> {
        let value = lockstep_object::yaml::parse(yaml).unwrap();
        let source: Source = serde_json::from_value(serde_json::to_value(&value).unwrap()).unwrap();
        sources_of(&source, "apps")
    }

    #[test]
    fn one_source_has_the_objects_and_others_lie_beside_it() {
        let listed = sources(
            "chart: {repo: https://charts.example.com, name: web, version: 1.x}\nrefs: [{name: here, git: {url: /srv/git}}]\nhelm:\n  valuesFrom: [{kind: Secret, name: s}, {kind: Secret, name: s, valuesKey: b}, {kind: Pod, name: p}]\n",
        );
        let places: Vec<&str> = listed.iter().map(|one| one.beside.as_str()).collect();
        assert_eq!(places, ["", "$here", "$Secret.s", "$Pod.p"]);
        assert!(matches!(&listed[0].key, SourceKey::Artifact { chart: Some(chart), .. } if chart == "web"));
        assert!(matches!(&listed[3].key, SourceKey::Invalid(message) if message.contains("Pod")));
        for wrong in ["{}", "git: {url: a}\noci: {url: b}", "chart: {repo: a}"] {
            assert!(matches!(sources(wrong)[0].key, SourceKey::Invalid(_)), "{wrong}");
        }
    }

    #[test]
    fn what_is_joined_waits_for_all_and_fails_with_any() {
        let snapshot = |id: &str| {
            let revision = RevisionInfo { id: id.to_owned(), ..RevisionInfo::default() };
            let tree = FileTree::from_files([("a", id.as_bytes().to_vec())]).unwrap();
            Arc::new(Snapshot { revision, time: 0, tree })
        };
        let listed = sources("folder: {root: /main}\nrefs: [{name: v, folder: {root: /values}}]");
        let told = |values: Option<Result<Arc<Snapshot>, Problem>>| {
            join(&listed, |key| match key {
                SourceKey::Folder(root) if root == "/main" => Some(Ok(snapshot("1"))),
                _ => values.clone(),
            })
        };
        assert!(told(None).is_none());
        let problem = Problem::new(lockstep_engine::ProblemKind::SourceFailed, "x");
        assert_eq!(told(Some(Err(problem.clone()))).unwrap().unwrap_err(), problem);
        let joined = told(Some(Ok(snapshot("2")))).unwrap().unwrap();
        assert_eq!((joined.revision.id.as_str(), joined.revision.inputs.as_str()), ("1", "$v=2 "));
        assert_eq!(joined.tree.reader().read_text("$v/a").unwrap(), "2");
    }
}
