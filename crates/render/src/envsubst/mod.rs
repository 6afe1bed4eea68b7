//! Flux's `postBuild` substitution: `${name}` and bash's operators in the text of a manifest.
//!
//! The rules are those of Flux's library (drone/envsubst), which are not quite bash's: only braces
//! are read (`$name` stays), `$${name}` is an escape, `:+` and `:?` behave like `:-`, `${#name}` counts
//! bytes, and `-`, `+` and `?` without a colon are errors.

mod evaluate;
mod glob;
mod parse;

use std::collections::BTreeMap;

use lockstep_object::{Value, yaml};

/// The variables by name.
pub type Variables = BTreeMap<String, String>;

/// What a variable means that is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is empty.
    #[default]
    Lax,
    /// It is an error, unless the reference has a default.
    Strict,
}

/// Why a text cannot be substituted; the messages are Flux's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What follows the name is neither an operator nor the end.
    #[error("missing closing brace")]
    MissingClosingBrace,
    /// The operator is not written as it must be.
    #[error("bad substitution")]
    BadSubstitution,
    /// There is no name behind `${`.
    #[error("unable to parse variable name")]
    BadName,
    /// An operator lacks its argument.
    #[error("unable to parse substitution within function")]
    BadArgument,
    /// What follows `:` is no default.
    #[error("unable to parse default function")]
    BadDefault,
    /// References stand in each other too deep.
    #[error("substitutions are nested deeper than {0}")]
    TooDeep(usize),
    /// The length of `${name:from:length}` ends before its start; Flux crashes here.
    #[error("the part of {name:?} that is asked for ends before it starts")]
    NegativeLength {
        /// The variable.
        name: String,
    },
    /// A variable is not set, and that is an error.
    #[error("variable not set (strict mode): {0:?}")]
    NotSet(String),
    /// A name that no reference can have.
    #[error("'{0}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'")]
    InvalidName(String),
    /// What comes out is not YAML any more.
    #[error("YAMLToJSON: {0}")]
    NotYaml(String),
}

/// Substitutes every reference in a text.
pub fn substitute(text: &str, variables: &Variables, mode: Mode) -> Result<String, Error> {
    let nodes = parse::parse(text)?;
    evaluate::evaluate(&nodes, variables, mode)
}

/// Substitutes in the YAML of one object and reads the result, so that a value may become a number.
pub fn substitute_document(text: &str, variables: &Variables, mode: Mode) -> Result<Value, Error> {
    check_names(variables)?;
    let text = substitute(text, variables, mode)?;
    yaml::parse(&text).map_err(|diagnostic| Error::NotYaml(diagnostic.message))
}

/// Checks that every variable has a name that Flux takes: ASCII letters, digits and `_`, not a digit first.
pub fn check_names(variables: &Variables) -> Result<(), Error> {
    let valid = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match variables.keys().find(|name| !valid(name)) {
        Some(name) => Err(Error::InvalidName(name.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        [("name", "web"), ("empty", ""), ("path", "a/b/c.tar.gz"), ("uni", "éa")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(substitute(text, &variables(), Mode::Lax).as_deref(), Ok(expected), "{text}");
    }

    #[test]
    fn references_and_escapes_are_told_apart() {
        check("${name} $name $${name} $$ $", "web $name ${name} $ $");
        check("[${unset}]", "[]");
        check("$${name}-${name}", "${name}-web");
    }

    #[test]
    fn defaults_serve_variables_that_are_unset_or_empty() {
        for operator in [":-", ":=", ":?", ":+", "="] {
            check(&format!("${{unset{operator}d}} ${{empty{operator}d}} ${{name{operator}d}}"), "d d web");
        }
        check("${unset:-${empty:-x}y}", "xy");
    }

    #[test]
    fn operators_change_the_value() {
        check("${name^} ${name^^} ${#name} ${name:1} ${name:0:2}", "Web WEB 3 eb we");
        check("${path#*/} ${path##*/} ${path%.*} ${path%%.*}", "b/c.tar.gz c.tar.gz a/b/c.tar a/b/c");
        check(
            r"${path/\//-} ${path//\//-} ${path/#a/x} ${path/%gz/xz}",
            "a-b/c.tar.gz a-b-c.tar.gz x/b/c.tar.gz a/b/c.tar.xz",
        );
        check("${uni^} ${uni%?} ${path#[ab]}", "Éa é /b/c.tar.gz");
    }

    #[test]
    fn what_is_not_written_right_is_an_error() {
        for (text, error) in [
            ("${name", Error::MissingClosingBrace),
            ("${name-d}", Error::MissingClosingBrace),
            ("${}", Error::BadName),
            ("${name^x}", Error::BadSubstitution),
            ("${name:}", Error::BadArgument),
        ] {
            assert_eq!(substitute(text, &variables(), Mode::Lax), Err(error), "{text}");
        }
        let deep = "${a:-".repeat(1000);
        assert!(matches!(substitute(&deep, &variables(), Mode::Lax), Err(Error::TooDeep(_))));
    }

    #[test]
    fn unset_variables_are_errors_in_strict_mode() {
        assert_eq!(substitute("${unset^}", &variables(), Mode::Strict), Err(Error::NotSet("unset".to_owned())));
        assert_eq!(substitute("${unset:-}", &variables(), Mode::Strict), Ok(String::new()));
    }

    #[test]
    fn a_value_becomes_what_yaml_makes_of_it() {
        let mut variables = variables();
        variables.insert("count".to_owned(), "3".to_owned());
        let value = substitute_document("a: ${count}\n", &variables, Mode::Lax).unwrap();
        assert_eq!(value.get("a"), Some(&Value::Int(3)));
        variables.insert("my-var".to_owned(), String::new());
        assert!(matches!(substitute_document("a: 1", &variables, Mode::Lax), Err(Error::InvalidName(_))));
    }
}
