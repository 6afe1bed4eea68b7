//! Get and list.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lockstep_object::{Map, Object, Value, from_json, to_json};

use crate::{
    build::{map, text_at},
    catalog::Resource,
    negotiate::Form,
    options::ListOptions,
    select::Fields,
    server::{Call, Reply, Server},
    status::{Failure, Outcome, go_quote},
    store::{Name, Stored},
    strategy,
};

/// One page of a list.
pub(crate) struct Page {
    pub(crate) items: Vec<Arc<Stored>>,
    pub(crate) version: u64,
    pub(crate) resume: Option<String>,
    pub(crate) remaining: Option<usize>,
}

impl Server {
    pub(crate) fn get(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        if let Some(version) = call.query.get("resourceVersion").filter(|version| !version.is_empty()) {
            let version = parse_version(version).map_err(Failure::plain)?;
            self.check_not_future(version)?;
        }
        let found = self.find(call)?;
        self.reply_object(call, 200, &found.object)
    }

    /// Finds the object that the path names.
    pub(crate) fn find(&self, call: &Call<'_>) -> Outcome<Arc<Stored>> {
        let found = self.store.get(&call.resource.store, call.namespace(), call.name());
        found.cloned().ok_or_else(|| call.not_found())
    }

    /// Answers with an object in the form that the client accepts.
    pub(crate) fn reply_object(&self, call: &Call<'_>, code: u16, object: &Object) -> Outcome<Reply> {
        let value = self.shown(call, object);
        let value = match call.accepted.form {
            Form::Object => value,
            Form::Metadata => crate::table::metadata_of(&value, call.accepted.meta.version()),
            Form::MetadataList => return Err(wrong_form(call, "List", "not a list", "")),
            Form::Table => {
                let version = text_at(&value, &["metadata", "resourceVersion"]).to_owned();
                let metadata = map! { "resourceVersion" => version };
                crate::table::table(&call.resource, std::slice::from_ref(&value), metadata, call.look())?
            }
        };
        Ok(Reply::value(code, call.accepted, &value))
    }

    /// Returns an object in the version that is asked for.
    fn shown(&self, call: &Call<'_>, object: &Object) -> Value {
        crate::versions::show(&call.resource, object)
    }

    pub(crate) fn list(&mut self, call: &mut Call<'_>) -> Outcome<Reply> {
        let options = ListOptions::parse(call.query)?;
        check_fields(&call.resource, &options.fields)?;
        let page = self.page(&call.resource, call.path.namespace.as_deref(), &options)?;
        let mut metadata = Map::new();
        // ComponentStatuses are looked up, not stored.
        if !call.resource.is("", "componentstatuses") {
            metadata.insert("resourceVersion", page.version.to_string());
        }
        if let Some(resume) = page.resume {
            metadata.insert("continue", resume);
        } else if call.resource.is_custom() && call.accepted.form == Form::Object {
            metadata.insert("continue", "");
        }
        if let Some(remaining) = page.remaining {
            metadata.insert("remainingItemCount", remaining);
        }
        match call.accepted.form {
            Form::Object | Form::MetadataList => Ok(crate::listing::reply(call, metadata, page.items)),
            Form::Metadata => Err(wrong_form(call, "", "a list", "List")),
            Form::Table => {
                let items = page.items.iter().map(|stored| crate::versions::show(&call.resource, &stored.object));
                let items: Vec<Value> = items.collect();
                let table = crate::table::table(&call.resource, &items, metadata, call.look())?;
                Ok(Reply::value(200, call.accepted, &table))
            }
        }
    }

    /// Selects one page.
    pub(crate) fn page(&self, resource: &Resource, namespace: Option<&str>, options: &ListOptions) -> Outcome<Page> {
        let resume = options.resume.as_deref().map(|token| Resume::parse(token, options)).transpose()?;
        let asked = match &options.version {
            Some(text) => parse_version(text)
                .map_err(|error| Failure::bad_request(format!("invalid resource version: {error}")))?,
            None => 0,
        };
        self.check_not_future(asked)?;
        let exact =
            options.version_match == "Exact" || (options.limit > 0 && asked > 0 && options.version_match.is_empty());
        let at = match &resume {
            Some(resume) if resume.version > 0 => Some(resume.version),
            None if exact && asked > 0 => Some(asked),
            _ => None,
        };
        let selected = |object: &Object| {
            options.labels.matches(object) && options.fields.matches(|field| strategy::field(resource, object, field))
        };
        let after = resume.as_ref().map(|resume| &resume.after);
        let Some(bucket) = self.store.bucket(&resource.store) else {
            return Ok(Page { items: Vec::new(), version: self.store.version(), resume: None, remaining: None });
        };
        let version = at.unwrap_or(self.store.version());
        let old: Option<BTreeMap<Name, Arc<Stored>>> = match at {
            Some(at) if at < self.store.version() => {
                Some(bucket.snapshot(at).ok_or_else(|| expired(resume.is_some()))?)
            }
            _ => None,
        };
        let found: Vec<Arc<Stored>> = match &old {
            Some(objects) => objects
                .iter()
                .filter(|(name, _)| namespace.is_none_or(|wanted| &*name.namespace == wanted))
                .filter(|(name, _)| after.is_none_or(|after| *name > after))
                .filter(|(_, stored)| selected(&stored.object))
                .map(|(_, stored)| stored.clone())
                .collect(),
            None => {
                let range = bucket.range_after(namespace, after);
                range.filter(|(_, stored)| selected(&stored.object)).map(|(_, stored)| stored.clone()).collect()
            }
        };
        Ok(cut(found, version, options))
    }

    pub(crate) fn check_not_future(&self, version: u64) -> Outcome<()> {
        let current = self.store.version();
        if version <= current {
            return Ok(());
        }
        let message = format!("Timeout: Too large resource version: {version}, current: {current}");
        let cause = map! { "reason" => "ResourceVersionTooLarge", "message" => "Too large resource version" };
        let details = map! { "causes" => vec![Value::Map(cause)], "retryAfterSeconds" => 1 };
        Err(Failure::new(504, "Timeout", message).with_details(details))
    }
}

/// Cuts a page off what was found.
fn cut(mut found: Vec<Arc<Stored>>, version: u64, options: &ListOptions) -> Page {
    if options.limit == 0 || found.len() <= options.limit {
        return Page { items: found, version, resume: None, remaining: None };
    }
    let rest = found.len() - options.limit;
    found.truncate(options.limit);
    let resume = found.last().map(|last| Resume { version, after: Name::of(&last.object) }.print());
    let counted = options.labels.is_empty() && options.fields.is_empty();
    Page { items: found, version, resume, remaining: counted.then_some(rest) }
}

fn expired(paging: bool) -> Failure {
    let text = if paging {
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list."
    } else {
        "The resourceVersion for the provided list is too old."
    };
    Failure::new(410, "Expired", text)
}

/// Reads a resource version; the error is Go's.
pub(crate) fn parse_version(text: &str) -> Result<u64, String> {
    text.parse::<u64>().map_err(|_| {
        let quoted = go_quote(text);
        format!("resourceVersion: Invalid value: {quoted}: strconv.ParseUint: parsing {quoted}: invalid syntax")
    })
}

/// Refuses field selectors that the kind does not know.
pub(crate) fn check_fields(resource: &Resource, fields: &Fields) -> Outcome<()> {
    let known = strategy::selectable_fields(resource);
    for key in fields.keys() {
        if !known.iter().any(|field| field == key) {
            return Err(Failure::bad_request(strategy::unknown_field(resource, key, &known)));
        }
    }
    Ok(())
}

/// Where the next page starts.
struct Resume {
    version: u64,
    after: Name,
}

impl Resume {
    fn print(&self) -> String {
        let value = map! {
            "v" => "meta.k8s.io/v1", "rv" => self.version, "namespace" => &*self.after.namespace, "start" => &*self.after.name,
        };
        URL_SAFE_NO_PAD.encode(to_json(&Value::Map(value)))
    }

    fn parse(token: &str, options: &ListOptions) -> Outcome<Self> {
        if options.version.as_deref().is_some_and(|version| version != "0") {
            return Err(Failure::bad_request("specifying resource version is not allowed when using continue"));
        }
        let invalid =
            |why: String| Failure::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| invalid(illegal_base64(&error)))?;
        let value = from_json(&bytes).map_err(|_| {
            let first = bytes.first().map_or('i', |byte| char::from(*byte));
            invalid(format!("invalid character '{first}' looking for beginning of value"))
        })?;
        let version = value.get("rv").and_then(Value::as_i64).and_then(|rv| u64::try_from(rv).ok());
        let version = version.filter(|_| text_at(&value, &["v"]) == "meta.k8s.io/v1");
        let version = version.ok_or_else(|| invalid("server does not recognize this encoded version".to_owned()))?;
        Ok(Self { version, after: Name::new(text_at(&value, &["namespace"]), text_at(&value, &["start"])) })
    }
}

fn illegal_base64(error: &base64::DecodeError) -> String {
    let place = match error {
        base64::DecodeError::InvalidByte(place, _) | base64::DecodeError::InvalidLastSymbol(place, _) => *place,
        base64::DecodeError::InvalidLength(length) => length.saturating_sub(1),
        base64::DecodeError::InvalidPadding => 0,
    };
    format!("illegal base64 data at input byte {place}")
}
/// Refuses the metadata of a list where there is one object, and the other way round.
fn wrong_form(call: &Call<'_>, asked: &str, is: &str, list: &str) -> Failure {
    let package = match call.resource.group.as_str() {
        "" => "core",
        group => group.split('.').next().unwrap_or_default(),
    };
    let kind = &call.resource.kind;
    let text = format!(
        "you requested PartialObjectMetadata{asked}, but the requested object is {is} (*{package}.{kind}{list})"
    );
    Failure::new(406, "NotAcceptable", text)
}
