//! Regular expressions and versions.

use std::rc::Rc;

use super::{Result, add, args};
use crate::{
    context::Context,
    functions::Functions,
    regexp::{self, Regexp},
    semver::{Constraints, Version, VersionObject},
    types::Type,
    value::{List, Str, Value},
};

const S: Type = Type::Str;
const I: Type = Type::Int;
/// Compiled patterns that one context keeps.
const KEPT: usize = 1_000;

pub(super) fn register(f: &mut Functions) {
    add(f, &["regexMatch"], &[S, S], |c, a| {
        Ok(Value::Bool(pattern(c, a, "").is_ok_and(|p| p.is_match(&args::text(a, 1)))))
    });
    add(f, &["mustRegexMatch"], &[S, S], |c, a| Ok(Value::Bool(pattern(c, a, "")?.is_match(&args::text(a, 1)))));
    for (prefix, must) in [("r", false), ("mustR", true)] {
        let named = |name: &str| format!("{prefix}{name}");
        f.add(&named("egexFind"), sig(&[S, S]), move |c, a| {
            let found = pattern(c, a, panics(must, a))?.find(&args::text(a, 1));
            Ok(Value::Str(found.unwrap_or_default()))
        });
        f.add(&named("egexFindAll"), sig(&[S, S, I]), move |c, a| {
            let found = pattern(c, a, panics(must, a))?.find_all(&args::text(a, 1), args::int(a, 2));
            Ok(strings((!found.is_empty()).then_some(found)))
        });
        f.add(&named("egexReplaceAll"), sig(&[S, S, S]), move |c, a| replace(c, a, must, false));
        f.add(&named("egexReplaceAllLiteral"), sig(&[S, S, S]), move |c, a| replace(c, a, must, true));
        f.add(&named("egexSplit"), sig(&[S, S, I]), move |c, a| {
            let parts = pattern(c, a, panics(must, a))?.split(&args::text(a, 1), args::int(a, 2));
            Ok(strings(parts))
        });
    }
    add(f, &["regexQuoteMeta"], &[S], |_, a| Ok(Value::Str(regexp::quote_meta(&args::text(a, 0)))));
    add(f, &["semver"], &[S], |_, a| {
        Ok(Value::native(VersionObject::new(Version::parse(&args::text(a, 0).to_text())?)))
    });
    add(f, &["semverCompare"], &[S, S], |c, a| {
        let constraints = constraints(c, &args::text(a, 0))?;
        Ok(Value::Bool(constraints.check(&Version::parse(&args::text(a, 1).to_text())?)))
    });
}

fn sig(params: &[Type]) -> crate::functions::Signature {
    crate::functions::Signature::new(params)
}

fn strings(parts: Option<Vec<Str>>) -> Value {
    parts.map_or_else(|| Value::List(List::nil(Type::Str)), Value::strings)
}

/// What stands before the error of a pattern: the functions without `must` panic in `regexp.MustCompile`.
fn panics(must: bool, a: &[Value]) -> String {
    if must { String::new() } else { format!("regexp: Compile({}): ", quoted(&args::text(a, 0).to_text())) }
}

/// Go quotes a pattern in backquotes when it can.
fn quoted(text: &str) -> String {
    let raw = !text.chars().any(|c| c == '`' || c == '\u{feff}' || (c.is_ascii_control() && c != '\t'));
    if raw { format!("`{text}`") } else { crate::fmt::quote(text) }
}

/// Compiles the pattern in the first argument, once in a context.
fn pattern(context: &mut Context, a: &[Value], before: impl AsRef<str>) -> Result<Rc<Regexp>> {
    let (source, text) = (args::text(a, 0), args::text(a, 1));
    context.charge(text.len() as u64 / 16 + 1)?;
    if let Some(found) = context.regexes.get(&source) {
        return Ok(found.clone());
    }
    context.charge(source.len() as u64 * 16)?;
    if source.as_str().is_none() {
        return Err(format!("{}error parsing regexp: invalid UTF-8: `{source}`", before.as_ref()).into());
    }
    let compiled = Rc::new(regexp::compile(&source.to_text()).map_err(|error| format!("{}{error}", before.as_ref()))?);
    if context.regexes.len() >= KEPT {
        context.regexes.clear();
    }
    context.regexes.insert(source, compiled.clone());
    Ok(compiled)
}

/// Reads a constraint, once in a context: charts ask the same of the cluster's version in template after template.
fn constraints(context: &mut Context, text: &Str) -> Result<Rc<Constraints>> {
    if let Some(found) = context.constraints.get(text) {
        return Ok(found.clone());
    }
    let parsed = Rc::new(Constraints::parse(&text.to_text())?);
    if context.constraints.len() >= KEPT {
        context.constraints.clear();
    }
    context.constraints.insert(text.clone(), parsed.clone());
    Ok(parsed)
}

fn replace(context: &mut Context, a: &[Value], must: bool, literal: bool) -> Result {
    let pattern = pattern(context, a, panics(must, a))?;
    let max = context.limits.string;
    match pattern.replace_all(&args::text(a, 1), &args::text(a, 2), literal, max) {
        Some(text) => {
            context.charge_bytes(text.len())?;
            Ok(Value::Str(text))
        }
        None => Err(crate::error::FuncError::limit(format!("the replaced text is over the limit of {max} bytes"))),
    }
}
