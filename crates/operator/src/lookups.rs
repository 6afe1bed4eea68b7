//! `lookup` of charts: rendering is pure, so the questions of one rendering are collected, asked, and answered in the next.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use lockstep_api::ProjectSpec;
use lockstep_cluster::Cluster;
use lockstep_engine::Scope;
use lockstep_object::{Gvk, Value};
use lockstep_render::Lookup;

/// What a template asks for; with an empty name for a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
}

/// An object, nothing, or a text that fails the template.
pub(crate) type Answer = Result<Option<Value>, String>;

/// The answers that a rendering had.
pub(crate) type Answers = BTreeMap<Question, Answer>;

/// Answers what is known and notes what is not.
#[derive(Debug, Default)]
pub(crate) struct Notebook {
    answers: Answers,
    open: Mutex<Vec<Question>>,
}

impl Notebook {
    pub(crate) fn new(answers: Answers) -> Arc<Self> {
        Arc::new(Self { answers, open: Mutex::default() })
    }

    pub(crate) fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Returns the questions without an answer.
    pub(crate) fn open(&self) -> Vec<Question> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Lookup for Notebook {
    fn lookup(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Answer {
        let question = Question {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        if let Some(answer) = self.answers.get(&question) {
            return answer.clone();
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.contains(&question) {
            open.push(question);
        }
        Ok(None)
    }
}

/// Asks the cluster. What the project's rules do not allow is refused: a chart must not read what its App may not touch.
pub(crate) async fn ask<'a>(
    questions: impl IntoIterator<Item = &'a Question>,
    cluster: &Cluster,
    rules: &ProjectSpec,
) -> Answers {
    let mut answers = Answers::new();
    for question in questions {
        answers.insert(question.clone(), ask_one(question, cluster, rules).await);
    }
    answers
}

async fn ask_one(question: &Question, cluster: &Cluster, rules: &ProjectSpec) -> Answer {
    let Question { api_version, kind, namespace, name } = question;
    let gvk = Gvk::from_api_version(api_version, kind);
    let resource = cluster.resource(&gvk).await.map_err(|error| format!("lookup of {api_version} {kind}: {error}"))?;
    let everywhere = namespace.is_empty() && resource.scope == Scope::Namespaced;
    let place = if resource.scope == Scope::Cluster { "" } else { namespace.as_str() };
    let place_allowed = if everywhere { rules.allows_everywhere() } else { rules.allows_namespace(place) };
    if !place_allowed || !rules.allows_kind(&gvk.group, &gvk.kind) {
        return Err(format!("lookup of {kind} {namespace}/{name}: the project does not allow it"));
    }
    let path = match name.as_str() {
        "" => resource.collection(namespace),
        name => resource.path(namespace, name),
    };
    match cluster.get(&path).await {
        Ok(object) => Ok(Some(object.to_value())),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(format!("lookup of {kind} {namespace}/{name}: {error}")),
    }
}
