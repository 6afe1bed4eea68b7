//! Expressions in CEL: compiling them with the server's errors, and the values they see.

use std::{collections::HashMap, sync::Arc};

use cel::{
    Context, Env, Program, Value as CelValue, extensions,
    objects::{Key as CelKey, Map as CelMap, OptionalValue},
};
use lockstep_object::Value;

/// The longest expression; the parser's and evaluator's recursion grows with it.
const LONGEST: usize = 8 * 1024;
/// The deepest nesting of brackets.
const DEEPEST: usize = 48;
/// The deepest part of an object that an expression sees.
const DEEPEST_VALUE: usize = 128;

/// What expressions may use: the standard library and what Kubernetes adds to it.
#[derive(Clone)]
pub(crate) struct Language(Arc<Env>);

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Language")
    }
}

impl Language {
    /// Sets up the language.
    pub(crate) fn new() -> Self {
        let mut env = Env::stdlib();
        let libraries = [extensions::strings, extensions::lists, extensions::math, extensions::encoders];
        for library in libraries {
            if let Err(error) = library(&mut env) {
                tracing::debug!(?error, "a library of expressions is not there");
            }
        }
        Self(Arc::new(env))
    }

    /// Compiles an expression.
    ///
    /// # Errors
    /// `compilation failed: …` as the server words it.
    pub(crate) fn compile(&self, text: &str) -> Result<Program, String> {
        if text.len() > LONGEST {
            return Err(format!("compilation failed: the expression is longer than {LONGEST} bytes"));
        }
        let mut open = 0_usize;
        for c in text.chars() {
            match c {
                '(' | '[' | '{' => open += 1,
                ')' | ']' | '}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > DEEPEST {
                return Err(format!("compilation failed: the expression is nested deeper than {DEEPEST}"));
            }
        }
        self.0.compile(text).map_err(|errors| {
            let shown: Vec<String> = errors.errors.iter().map(|error| show(text, error.pos, &error.msg)).collect();
            format!("compilation failed: {}", shown.join("\n"))
        })
    }

    /// Evaluates a program with these variables.
    ///
    /// # Errors
    /// The evaluator's words, in lower case as the server has them.
    pub(crate) fn run(&self, program: &Program, variables: &[(&str, CelValue)]) -> Result<CelValue, String> {
        let mut context = Context::with_env(self.0.clone());
        for (name, value) in variables {
            context.add_variable_from_value(*name, value.clone());
        }
        program.execute(&context).map_err(|error| {
            let text = error.to_string();
            let mut chars = text.chars();
            chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
        })
    }

    /// Evaluates a program that gives a text.
    pub(crate) fn text(&self, program: &Program, variables: &[(&str, CelValue)]) -> Option<String> {
        match self.run(program, variables) {
            Ok(CelValue::String(text)) => Some(text.trim().to_owned()).filter(|t| !t.is_empty() && !t.contains('\n')),
            _ => None,
        }
    }
}

/// Shows an error with the line it is in, as cel-go does.
fn show(text: &str, (line, column): (isize, isize), message: &str) -> String {
    let place = usize::try_from(line).unwrap_or(1).max(1);
    let source = text.lines().nth(place - 1).unwrap_or_default();
    let dots = ".".repeat(usize::try_from(column).unwrap_or(1).saturating_sub(1));
    let message = message.trim_start_matches("Syntax error: ");
    format!("ERROR: <input>:{line}:{column}: Syntax error: {message}\n | {source}\n | {dots}^")
}

/// Converts a value as it is.
pub(crate) fn convert(value: &Value) -> CelValue {
    convert_by(value, None, 0)
}

/// Converts a value by its schema: names that CEL cannot have are escaped, and what the schema does not name is hidden.
pub(crate) fn convert_typed(value: &Value, schema: &Value) -> CelValue {
    convert_by(value, Some(schema), 0)
}

/// An optional value.
pub(crate) fn optional(value: Option<CelValue>) -> CelValue {
    CelValue::Opaque(Arc::new(value.map_or_else(OptionalValue::none, OptionalValue::of)))
}

fn convert_by(value: &Value, schema: Option<&Value>, depth: usize) -> CelValue {
    if depth > DEEPEST_VALUE {
        return CelValue::Null;
    }
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(truth) => CelValue::Bool(*truth),
        Value::Int(number) => {
            let float = schema.and_then(|of| of.get("type")).and_then(Value::as_str) == Some("number");
            if float { CelValue::Float(*number as f64) } else { CelValue::Int(*number) }
        }
        Value::UInt(number) => CelValue::UInt(*number),
        Value::Float(number) => CelValue::Float(*number),
        Value::Text(text) => CelValue::String(Arc::new(text.to_string())),
        Value::List(items) => {
            let of = schema.and_then(|schema| schema.get("items"));
            CelValue::List(Arc::new(items.iter().map(|item| convert_by(item, of, depth + 1)).collect()))
        }
        Value::Map(map) => {
            let entries = map.iter().filter_map(|(key, value)| {
                let (name, of) = match schema {
                    None => (key.to_string(), None),
                    Some(schema) => field(schema, key)?,
                };
                Some((CelKey::String(Arc::new(name)), convert_by(value, of, depth + 1)))
            });
            CelValue::Map(CelMap { map: Arc::new(entries.collect::<HashMap<_, _>>()) })
        }
    }
}

/// Finds the schema of a field and the name by which expressions know it.
fn field<'s>(schema: &'s Value, key: &str) -> Option<(String, Option<&'s Value>)> {
    if let Some(of) = schema.get("properties").and_then(|properties| properties.get(key)) {
        return Some((escape(key), Some(of)));
    }
    match schema.get("additionalProperties") {
        Some(of @ Value::Map(_)) => Some((key.to_owned(), Some(of))),
        Some(Value::Bool(true)) => Some((key.to_owned(), None)),
        _ => None,
    }
}

/// Escapes the name of a property as Kubernetes does for CEL.
fn escape(name: &str) -> String {
    const RESERVED: [&str; 19] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
    ];
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    let escaped = name.replace("__", "__underscores__").replace('.', "__dot__");
    escaped.replace('-', "__dash__").replace('/', "__slash__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_show_the_place_as_the_server_does() {
        let error = Language::new().compile("self ==").err().unwrap_or_default();
        assert!(
            error.starts_with("compilation failed: ERROR: <input>:1:8: Syntax error: mismatched input '<EOF>'"),
            "{error}"
        );
        assert!(error.ends_with("\n | self ==\n | .......^"), "{error}");
    }

    #[test]
    fn names_that_expressions_cannot_have_are_escaped() {
        for (name, expect) in [("a-b", "a__dash__b"), ("in", "__in__"), ("a.b", "a__dot__b"), ("plain", "plain")] {
            assert_eq!(escape(name), expect);
        }
    }
}
