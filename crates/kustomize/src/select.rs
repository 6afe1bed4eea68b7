//! Picks resources: by patterns over their ids, and by label and annotation selectors.

use regex::Regex;

use crate::{
    error::{Error, quote},
    id::{Gvk, ResId},
    kustomization::Selector,
    resource::Resource,
};

/// A pattern over a whole text.
enum Pattern {
    /// A text without special characters.
    Literal(String),
    Regex(Regex),
}

/// A selector with its patterns compiled.
pub(crate) struct Patterns {
    group: Option<Pattern>,
    version: Option<Pattern>,
    kind: Option<Pattern>,
    name: Option<Pattern>,
    namespace: Option<Pattern>,
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
}

impl Patterns {
    /// Compiles a selector; all patterns match whole texts.
    pub(crate) fn new(selector: &Selector) -> Result<Self, Error> {
        Ok(Self {
            group: anchored(&selector.group)?,
            version: anchored(&selector.version)?,
            kind: anchored(&selector.kind)?,
            name: anchored(&selector.name)?,
            namespace: anchored(&selector.namespace)?,
            labels: Vec::new(),
            annotations: Vec::new(),
        })
    }

    /// Also compiles the label and annotation selectors.
    pub(crate) fn with_labels(selector: &Selector) -> Result<Self, Error> {
        let labels = parse(&selector.label_selector)?;
        let annotations = parse(&selector.annotation_selector)?;
        Ok(Self { labels, annotations, ..Self::new(selector)? })
    }

    pub(crate) fn fits_gvk(&self, gvk: &Gvk) -> bool {
        fits(self.group.as_ref(), &gvk.group)
            && fits(self.version.as_ref(), &gvk.version)
            && fits(self.kind.as_ref(), &gvk.kind)
    }

    pub(crate) fn fits_name(&self, name: &str) -> bool {
        fits(self.name.as_ref(), name)
    }

    pub(crate) fn fits_namespace(&self, namespace: &str) -> bool {
        fits(self.namespace.as_ref(), namespace)
    }

    pub(crate) fn fits_id(&self, id: &ResId) -> bool {
        self.fits_gvk(&id.gvk) && self.fits_name(&id.name) && self.fits_namespace(&id.namespace)
    }

    pub(crate) fn fits_labels(&self, resource: &Resource) -> bool {
        let check = |requirements: &[Requirement], field: &str| {
            requirements.is_empty() || {
                let texts = resource.texts(field);
                requirements.iter().all(|requirement| requirement.holds(&texts))
            }
        };
        check(&self.labels, "labels") && check(&self.annotations, "annotations")
    }
}

/// Returns the places of the resources that a selector picks, by their first or their present id.
pub(crate) fn select(resources: &[Resource], selector: &Selector) -> Result<Vec<usize>, Error> {
    let patterns = Patterns::with_labels(selector)?;
    let picked = |resource: &Resource| {
        // Most are of another kind, which costs no copy to see.
        fits(patterns.kind.as_ref(), resource.kind()) && {
            let now = resource.id();
            if !patterns.fits_gvk(&now.gvk) {
                return false;
            }
            let first = resource.original_id();
            (patterns.fits_namespace(first.effective_namespace()) || patterns.fits_namespace(now.effective_namespace()))
                && (patterns.fits_name(&first.name) || patterns.fits_name(&now.name))
                && patterns.fits_labels(resource)
        }
    };
    Ok(resources.iter().enumerate().filter(|(_, resource)| picked(resource)).map(|(place, _)| place).collect())
}

fn fits(pattern: Option<&Pattern>, text: &str) -> bool {
    pattern.is_none_or(|pattern| match pattern {
        Pattern::Literal(literal) => literal == text,
        Pattern::Regex(regex) => regex.is_match(text),
    })
}

fn anchored(pattern: &str) -> Result<Option<Pattern>, Error> {
    if pattern.is_empty() {
        return Ok(None);
    }
    // To compile an expression costs more than all its matches.
    if pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(Some(Pattern::Literal(pattern.to_owned())));
    }
    let regex = Regex::new(&format!("^(?:{pattern})$"));
    regex
        .map(|regex| Some(Pattern::Regex(regex)))
        .map_err(|_| Error::new(format!("error parsing regexp: invalid pattern: `^(?:{pattern})$`")))
}

/// One part of a label selector.
#[derive(Debug, PartialEq)]
pub(crate) struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    In,
    NotIn,
    Exists,
    Missing,
    Greater,
    Less,
}

impl Requirement {
    fn holds(&self, texts: &[(Box<str>, Box<str>)]) -> bool {
        let value = texts.iter().find(|(key, _)| **key == *self.key).map(|(_, value)| &**value);
        let number = |text: &str| text.parse::<i64>().ok();
        let than = self.values.first().and_then(|value| number(value));
        match (self.operator, value) {
            (Operator::In, Some(value)) => self.values.iter().any(|wanted| wanted == value),
            (Operator::NotIn, Some(value)) => !self.values.iter().any(|wanted| wanted == value),
            (Operator::NotIn | Operator::Missing, None) | (Operator::Exists, Some(_)) => true,
            (Operator::Greater, Some(value)) => matches!((number(value), than), (Some(a), Some(b)) if a > b),
            (Operator::Less, Some(value)) => matches!((number(value), than), (Some(a), Some(b)) if a < b),
            _ => false,
        }
    }
}

/// Parses a label selector as Kubernetes' `labels.Parse` does.
pub(crate) fn parse(text: &str) -> Result<Vec<Requirement>, Error> {
    let mut tokens = tokens(text).into_iter().peekable();
    let mut requirements = Vec::new();
    while tokens.peek().is_some() {
        requirements.push(requirement(&mut tokens).map_err(|error| error.wrap("unable to parse requirement"))?);
        match tokens.next().as_deref() {
            None => break,
            Some(",") => match tokens.peek() {
                Some(next) if next != "," => {}
                next => {
                    let found = next.cloned().unwrap_or_default();
                    return Err(Error::new(format!("found '{found}', expected: identifier after ','")));
                }
            },
            Some(other) => return Err(Error::new(format!("found '{other}', expected: ',' or 'end of string'"))),
        }
    }
    Ok(requirements)
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<String>>;

fn requirement(tokens: &mut Tokens) -> Result<Requirement, Error> {
    let first = tokens.next().unwrap_or_default();
    let (key, missing) = if first == "!" { (tokens.next().unwrap_or_default(), true) } else { (first, false) };
    if key.is_empty() || is_symbol(&key) {
        return Err(Error::new(format!("found '{key}', expected: identifier")));
    }
    let make = |operator, values| Requirement { key: key.clone(), operator, values };
    if missing {
        return Ok(make(Operator::Missing, Vec::new()));
    }
    let operator = match tokens.peek().map(String::as_str) {
        None | Some(",") => return Ok(make(Operator::Exists, Vec::new())),
        Some("=" | "==") => Operator::In,
        Some("!=") => Operator::NotIn,
        Some("in") => Operator::In,
        Some("notin") => Operator::NotIn,
        Some(">") => Operator::Greater,
        Some("<") => Operator::Less,
        Some(other) => {
            return Err(Error::new(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")));
        }
    };
    let word = tokens.next().unwrap_or_default();
    if word == "in" || word == "notin" {
        return Ok(make(operator, list(tokens)?));
    }
    let value = match tokens.peek().map(String::as_str) {
        None | Some(",") => String::new(),
        Some(value) if is_symbol(value) => return Err(Error::new(format!("found '{value}', expected: identifier"))),
        Some(_) => tokens.next().unwrap_or_default(),
    };
    if value.len() > 63 || !value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b)) {
        return Err(Error::new(format!("invalid label value: {}", quote(&value))));
    }
    Ok(make(operator, vec![value]))
}

fn list(tokens: &mut Tokens) -> Result<Vec<String>, Error> {
    let opening = tokens.next().unwrap_or_default();
    if opening != "(" {
        return Err(Error::new(format!("found '{opening}' expected: '('")));
    }
    let mut values = Vec::new();
    loop {
        match tokens.next().as_deref() {
            Some(")") => return Ok(values),
            Some(",") => {}
            Some(value) if !is_symbol(value) => values.push(value.to_owned()),
            other => {
                let found = other.unwrap_or_default();
                return Err(Error::new(format!("found '{found}', expected: ',', ')' or identifier")));
            }
        }
    }
}

fn is_symbol(token: &str) -> bool {
    token.starts_with(['!', '=', '<', '>', '(', ')', ','])
}

fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' | ',' => 1,
            '!' | '=' | '<' | '>' => 1 + usize::from(rest[1..].starts_with('=')),
            _ => rest.find([' ', '\t', '\n', '(', ')', ',', '!', '=', '<', '>']).unwrap_or(rest.len()),
        };
        out.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    out
}
