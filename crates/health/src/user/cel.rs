//! Rules in CEL.

use std::{collections::HashMap, sync::Arc};

use cel::{
    Context, Program, Value as CelValue,
    objects::{Key as CelKey, Map as CelMap},
};
use jiff::Timestamp;
use lockstep_object::{Object, Value};

use crate::{Health, Status};

/// The expressions of a rule, each over the object's top-level fields (`status.phase == 'Ready'`) and `self`.
#[derive(Clone, Debug, Default)]
pub struct Expressions {
    /// True while the controller works.
    pub in_progress: Option<String>,
    /// True when it failed.
    pub failed: Option<String>,
    /// True when all is well.
    pub current: String,
    /// The message, whatever the verdict.
    pub message: Option<String>,
}

/// The longest expression; the parser's and evaluator's recursion grows with it.
const LONGEST: usize = 2048;
/// The deepest nesting of brackets.
const DEEPEST: usize = 32;
/// The deepest part of an object that an expression sees.
const DEEPEST_VALUE: usize = 64;

/// Compiled expressions, in the order in which they are asked.
#[derive(Debug)]
pub struct Programs {
    verdicts: Vec<(&'static str, Status, Program)>,
    message: Option<Program>,
    /// Only these fields of the object are converted.
    variables: Vec<String>,
}

impl Programs {
    /// Compiles the expressions; the error names the one that does not parse.
    pub fn compile(expressions: &Expressions) -> Result<Self, String> {
        let asked = [
            ("inProgress", Status::Progressing, expressions.in_progress.as_deref()),
            ("failed", Status::Degraded, expressions.failed.as_deref()),
            ("current", Status::Healthy, Some(expressions.current.as_str())),
        ];
        let mut verdicts = Vec::new();
        for (name, status, text) in asked {
            if let Some(text) = text {
                verdicts.push((name, status, parse(name, text)?));
            }
        }
        let message = expressions.message.as_deref().map(|text| parse("message", text)).transpose()?;
        let programs = verdicts.iter().map(|(_, _, program)| program).chain(&message);
        let mut variables: Vec<String> = programs
            .flat_map(|program| program.references().variables().into_iter().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        variables.sort();
        variables.dedup();
        Ok(Self { verdicts, message, variables })
    }

    /// Judges an object: the first expression that is true decides, as in Flux; none means Progressing.
    pub fn judge(&self, object: &Object, now: Timestamp) -> Result<Health, String> {
        let generation = object.at(&["metadata", "generation"]).and_then(Value::as_i64);
        let observed = object.at(&["status", "observedGeneration"]).and_then(Value::as_i64);
        if let (Some(generation), Some(observed)) = (generation, observed)
            && generation != observed
        {
            let message = format!("the latest spec is not observed yet (generation {generation}, observed {observed})");
            return Ok(Health::new(Status::Progressing, message));
        }
        let context = self.context(object, now);
        for (name, status, program) in &self.verdicts {
            match program.execute(&context) {
                Ok(CelValue::Bool(false)) => {}
                Ok(CelValue::Bool(true)) => return Ok(Health::new(*status, self.message(&context)?)),
                Ok(other) => return Err(format!("`{name}` gives {other:?} instead of true or false")),
                // Without a status there is nothing to ask yet.
                Err(_) if object.root().get("status").is_none() => {
                    return Ok(Health::new(Status::Progressing, "waiting for the status"));
                }
                Err(error) => return Err(format!("`{name}`: {error}")),
            }
        }
        Ok(Health::new(Status::Progressing, self.message(&context)?))
    }

    fn message(&self, context: &Context<'_, '_>) -> Result<String, String> {
        match self.message.as_ref().map(|program| program.execute(context)) {
            None => Ok(String::new()),
            Some(Ok(CelValue::String(text))) => Ok(text.to_string()),
            Some(Ok(other)) => Err(format!("`message` gives {other:?} instead of a text")),
            Some(Err(error)) => Err(format!("`message`: {error}")),
        }
    }

    fn context(&self, object: &Object, now: Timestamp) -> Context<'_, '_> {
        context(&self.variables, object, now)
    }
}

/// A condition over an object, in CEL: `status.health == 'Healthy'`.
#[derive(Debug)]
pub struct Expression {
    text: String,
    program: Program,
    variables: Vec<String>,
}

impl Expression {
    /// Reads a condition.
    ///
    /// # Errors
    /// The text does not parse, or is too long or too deep.
    pub fn read(text: &str) -> Result<Self, String> {
        let program = parse(text, text)?;
        let variables = program.references().variables().into_iter().map(str::to_owned).collect();
        Ok(Self { text: text.to_owned(), program, variables })
    }

    /// Returns the condition as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Tells whether the condition holds.
    ///
    /// # Errors
    /// It gives something else than true or false, or uses a field that is not there.
    pub fn holds(&self, object: &Object, now: Timestamp) -> Result<bool, String> {
        match self.program.execute(&context(&self.variables, object, now)) {
            Ok(CelValue::Bool(truth)) => Ok(truth),
            Ok(other) => Err(format!("it gives {other:?} instead of true or false")),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Gives an expression the object's top-level fields that it asks for.
fn context<'a>(variables: &[String], object: &Object, now: Timestamp) -> Context<'a, 'a> {
    let mut context = Context::default();
    for name in variables {
        let value = match name.as_str() {
            "self" | "object" => Some(convert(&object.to_value(), 0)),
            "now" => Some(CelValue::Int(now.as_second())),
            name => object.root().get(name).map(|value| convert(value, 0)),
        };
        if let Some(value) = value {
            context.add_variable_from_value(name, value);
        }
    }
    context
}

fn parse(name: &str, text: &str) -> Result<Program, String> {
    if text.len() > LONGEST {
        return Err(format!("`{name}` is longer than {LONGEST} bytes"));
    }
    let mut open = 0usize;
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > DEEPEST {
            return Err(format!("`{name}` is nested deeper than {DEEPEST}"));
        }
    }
    Program::compile(text).map_err(|error| format!("`{name}`: {error}"))
}

fn convert(value: &Value, depth: usize) -> CelValue {
    if depth > DEEPEST_VALUE {
        return CelValue::Null;
    }
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(truth) => CelValue::Bool(*truth),
        Value::Int(number) => CelValue::Int(*number),
        Value::UInt(number) => CelValue::UInt(*number),
        Value::Float(number) => CelValue::Float(*number),
        Value::Text(text) => CelValue::String(Arc::new(text.to_string())),
        Value::List(items) => CelValue::List(Arc::new(items.iter().map(|item| convert(item, depth + 1)).collect())),
        Value::Map(map) => {
            let entries =
                map.iter().map(|(key, value)| (CelKey::String(Arc::new(key.to_string())), convert(value, depth + 1)));
            CelValue::Map(CelMap { map: Arc::new(entries.collect::<HashMap<_, _>>()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use lockstep_object::from_json;

    use super::*;

    fn check(expressions: &Expressions, object: &str) -> Result<Health, String> {
        let object = Object::try_from(from_json(object.as_bytes()).unwrap()).unwrap();
        Programs::compile(expressions)?.judge(&object, Timestamp::UNIX_EPOCH)
    }

    fn ready() -> Expressions {
        Expressions {
            in_progress: Some("status.phase == 'Working'".to_owned()),
            failed: Some("status.conditions.exists(c, c.type == 'Failed' && c.status == 'True')".to_owned()),
            current: "status.conditions.filter(c, c.type == 'Ready').all(c, c.status == 'True')".to_owned(),
            message: Some("'phase ' + status.phase".to_owned()),
        }
    }

    #[test]
    fn the_first_expression_that_is_true_decides() {
        let object = |phase: &str, kind: &str, status: &str| {
            format!(r#"{{"status":{{"phase":"{phase}","conditions":[{{"type":"{kind}","status":"{status}"}}]}}}}"#)
        };
        for (object, status, message) in [
            (object("Working", "Failed", "True"), Status::Progressing, "phase Working"),
            (object("Done", "Failed", "True"), Status::Degraded, "phase Done"),
            (object("Done", "Ready", "True"), Status::Healthy, "phase Done"),
            (object("Done", "Ready", "False"), Status::Progressing, "phase Done"),
        ] {
            assert_eq!(check(&ready(), &object), Ok(Health::new(status, message)), "{object}");
        }
    }

    #[test]
    fn a_spec_that_is_not_observed_and_a_missing_status_are_progressing() {
        for object in [r#"{"metadata":{"generation":2},"status":{"observedGeneration":1}}"#, r#"{"spec":{}}"#] {
            assert_eq!(check(&ready(), object).map(|health| health.status), Ok(Status::Progressing), "{object}");
        }
    }

    #[test]
    fn an_expression_that_errs_says_which() {
        let error = check(&ready(), r#"{"status":{"x":1}}"#).unwrap_err();
        assert!(error.starts_with("`inProgress`"), "{error}");
        let broken = |current: &str| Expressions { current: current.to_owned(), ..Expressions::default() };
        assert!(check(&broken("status."), "{}").unwrap_err().starts_with("`current`"));
        assert!(check(&broken("'text'"), r#"{"status":{}}"#).unwrap_err().contains("instead of true or false"));
        assert!(check(&broken(&"(".repeat(1000)), "{}").unwrap_err().contains("nested"));
    }
}
