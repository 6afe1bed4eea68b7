//! `values.schema.json`: JSON Schema drafts 4 to 2020-12, with the texts of santhosh-tekuri/jsonschema v6.

mod check;
mod failure;
mod numbers;
mod schemas;

use std::sync::{Arc, OnceLock};

use lockstep_gotmpl::{self as gotmpl, Map};
use lockstep_object as object;

use crate::{
    dependencies::Node,
    error::{Error, ErrorKind},
};
use check::Checker;
use schemas::Schemas;

/// Steps of one validation; a schema of a real chart needs some thousands.
const MAX_STEPS: u64 = 2_000_000;

/// The text of a schema, and the document once somebody wants it: all releases of a chart share it.
#[derive(Debug)]
pub(crate) struct SchemaFile {
    pub(crate) text: Arc<[u8]>,
    document: OnceLock<Result<object::Value, String>>,
}

impl SchemaFile {
    pub(crate) fn new(text: Arc<[u8]>) -> Self {
        Self { text, document: OnceLock::new() }
    }

    fn document(&self) -> Result<&object::Value, &String> {
        let read = || object::from_json(&self.text).map_err(|error| error.to_string());
        self.document.get_or_init(read).as_ref()
    }
}

/// Checks the values of a chart and of all below it.
pub(crate) fn validate_chart(chart: &Node, values: &Map) -> Result<(), Error> {
    let mut text = String::new();
    collect(chart, values, &mut text)?;
    if text.is_empty() {
        return Ok(());
    }
    let words = "values don't meet the specifications of the schema(s) in the following chart(s):\n";
    Err(Error::new(ErrorKind::Schema, format!("{words}{text}")))
}

fn collect(chart: &Node, values: &Map, text: &mut String) -> Result<(), Error> {
    if let Some(schema) = &chart.parts.schema {
        let values = to_object(&gotmpl::Value::Map(values.clone()));
        if let Err(message) = validate(schema.document(), &values)? {
            text.push_str(&format!("{}:\n{message}", chart.name()));
        }
    }
    for child in chart.dependencies() {
        match values.get(child.name()) {
            None | Some(gotmpl::Value::Nil) => {}
            Some(gotmpl::Value::Map(values)) => collect(child, &values, text)?,
            Some(other) => text.push_str(&format!(
                "{}:\ninvalid type for values: expected object (map), got {}\n",
                child.name(),
                other.type_name()
            )),
        }
    }
    Ok(())
}

/// Checks one document; the inner error is the text of what is wrong with it or with the schema.
fn validate(schema: Result<&object::Value, &String>, values: &object::Value) -> Result<Result<(), String>, Error> {
    let schemas = match schema.map_err(Clone::clone).and_then(Schemas::new) {
        Ok(schemas) => schemas,
        Err(message) => return Ok(Err(message)),
    };
    let mut checker = Checker::new(&schemas, MAX_STEPS);
    let result = checker.check_root(values);
    if checker.is_exhausted() {
        return Err(Error::new(ErrorKind::Limit, "values.schema.json takes too much work to check"));
    }
    Ok(result.map_err(|failures| failure::display(&failures)))
}

/// Makes a plain value that keeps floats apart from integers, as Go's validator sees them.
pub(crate) fn to_object(value: &gotmpl::Value) -> object::Value {
    match value {
        gotmpl::Value::Bool(truth) => object::Value::Bool(*truth),
        gotmpl::Value::Int(number) | gotmpl::Value::Int64(number) => object::Value::Int(*number),
        gotmpl::Value::Float(number) => object::Value::Float(*number),
        gotmpl::Value::Str(text) => object::Value::from(&*text.to_text()),
        gotmpl::Value::List(list) => list.items().iter().map(to_object).collect::<Vec<_>>().into(),
        gotmpl::Value::Map(map) => {
            let entries = map.entries();
            let entries = entries.iter().map(|(key, value)| (object::Key::new(&key.to_text()), to_object(value)));
            object::Value::Map(entries.collect())
        }
        _ => object::Value::Null,
    }
}
