//! Which form of an answer a client accepts.

use crate::status::{Failure, Outcome};

/// The encoding of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// JSON on one line.
    #[default]
    Json,
    /// JSON with indentation (`?pretty`).
    Pretty,
    /// YAML.
    Yaml,
}

/// What an answer is turned into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// The objects themselves.
    #[default]
    Object,
    /// `meta.k8s.io/v1 Table`.
    Table,
    /// `PartialObjectMetadata`.
    Metadata,
    /// `PartialObjectMetadataList`.
    MetadataList,
}

/// A version of `meta.k8s.io`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Meta {
    /// `v1`.
    #[default]
    V1,
    /// `v1beta1`.
    V1Beta1,
}

impl Meta {
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1Beta1 => "v1beta1",
        }
    }
}

/// The accepted form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// The version of `meta.k8s.io` that tables and partial metadata are shown in.
    pub(crate) meta: Meta,
    pub(crate) encoding: Encoding,
    pub(crate) form: Form,
}

impl Accepted {
    pub(crate) fn content_type(self) -> &'static str {
        match self.encoding {
            Encoding::Json | Encoding::Pretty => "application/json",
            Encoding::Yaml => "application/yaml",
        }
    }
}

/// One clause of an `Accept` header.
pub(crate) struct Clause<'a> {
    pub(crate) media: &'a str,
    quality: f32,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Clause<'a> {
    pub(crate) fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// Takes an `Accept` header apart, best first.
pub(crate) fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = accept.split(',').filter(|part| !part.trim().is_empty()).map(clause).collect();
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    clauses
}

fn clause(text: &str) -> Clause<'_> {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let quality = parameters.iter().find(|(key, _)| *key == "q").and_then(|(_, q)| q.parse().ok()).unwrap_or(1.0);
    Clause { media, quality, parameters }
}

const NO_MEDIA: &str = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
const NO_FORM: &str = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// Chooses the form of an answer; `pretty` is the query's wish.
pub(crate) fn accepted(accept: Option<&str>, pretty: bool) -> Outcome<Accepted> {
    let json = if pretty { Encoding::Pretty } else { Encoding::Json };
    let accept = accept.unwrap_or("*/*");
    let mut known_media = false;
    for clause in clauses(if accept.trim().is_empty() { "*/*" } else { accept }) {
        let encoding = match clause.media {
            "*/*" | "application/json" => json,
            "application/yaml" => Encoding::Yaml,
            "application/vnd.kubernetes.protobuf" => {
                known_media = true;
                continue;
            }
            _ => continue,
        };
        known_media = true;
        let form = match clause.parameter("as") {
            None => Some(Form::Object),
            Some("Table") => Some(Form::Table),
            Some("PartialObjectMetadata") => Some(Form::Metadata),
            Some("PartialObjectMetadataList") => Some(Form::MetadataList),
            Some(_) => None,
        };
        let meta = match clause.parameter("v") {
            None | Some("v1") => Some(Meta::V1),
            Some("v1beta1") => Some(Meta::V1Beta1),
            Some(_) => None,
        };
        let group = matches!(clause.parameter("g"), None | Some("meta.k8s.io"));
        match form {
            Some(Form::Object) => return Ok(Accepted { encoding, ..Accepted::default() }),
            Some(form) if group => {
                if let Some(meta) = meta {
                    return Ok(Accepted { encoding, form, meta });
                }
            }
            _ => {}
        }
    }
    Err(if known_media {
        Failure::new(406, "NotAcceptable", NO_FORM)
    } else {
        Failure::new(406, "NotAcceptable", NO_MEDIA).with_details(lockstep_object::Map::new())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_clause_that_we_can_serve_wins() {
        let table = accepted(Some("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"), false).unwrap();
        assert_eq!(table.form, Form::Table);
        let plain = accepted(Some("application/json;as=Table;v=v9;g=meta.k8s.io,application/json"), false).unwrap();
        assert_eq!(plain.form, Form::Object);
        assert_eq!(accepted(Some("text/html, */*;q=0.1"), false).unwrap().encoding, Encoding::Json);
        assert_eq!(accepted(Some("application/*"), false).unwrap_err().code(), 406);
    }
}
