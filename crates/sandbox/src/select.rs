//! Label and field selectors, with the parse errors of apimachinery.

use lockstep_object::{Map, Object, Value};

/// A label selector as it stands in a query; all requirements must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels(Vec<Requirement>);

#[derive(Clone, Debug)]
struct Requirement {
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
    Above,
    Below,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Sign(sign) => sign,
            Self::End => "",
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    place: usize,
}

impl Labels {
    /// Reads a selector; the error is the message of the server's 400.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text), place: 0 };
        parser.requirements().map(Self).map_err(|error| format!("unable to parse requirement: {error}"))
    }

    /// Reads the selector of an object (`matchLabels`, `matchExpressions`); nothing selects nothing.
    pub(crate) fn of_selector(selector: &Value) -> Option<Self> {
        let mut requirements = Vec::new();
        for (key, value) in selector.get("matchLabels").and_then(Value::as_map).into_iter().flat_map(Map::iter) {
            requirements.push(Requirement::equal(key, value.as_str().unwrap_or_default()));
        }
        for expression in crate::build::list_at(selector, &["matchExpressions"]) {
            let operator = match crate::build::text_at(expression, &["operator"]) {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::Missing,
                _ => return None,
            };
            let values = crate::build::list_at(expression, &["values"]);
            requirements.push(Requirement {
                key: crate::build::text_at(expression, &["key"]).to_owned(),
                operator,
                values: values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            });
        }
        Some(Self(requirements))
    }

    /// Selects exactly these labels, as a Service's selector does.
    pub(crate) fn of_map(labels: &Map) -> Self {
        Self(labels.iter().map(|(key, value)| Requirement::equal(key, value.as_str().unwrap_or_default())).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether an object is selected.
    pub(crate) fn matches(&self, object: &Object) -> bool {
        self.matches_labels(object.at(&["metadata", "labels"]).and_then(Value::as_map))
    }

    pub(crate) fn matches_labels(&self, labels: Option<&Map>) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.and_then(|labels| labels.get(&requirement.key)).and_then(Value::as_str);
            requirement.holds(value)
        })
    }
}

impl Requirement {
    fn equal(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), operator: Operator::In, values: vec![value.to_owned()] }
    }

    fn holds(&self, value: Option<&str>) -> bool {
        let known = |value: &str| self.values.iter().any(|wanted| wanted == value);
        let number = |text: &str| text.parse::<i64>().ok();
        let compare = |value: &str| Some((number(value)?, number(self.values.first()?)?));
        match self.operator {
            Operator::In => value.is_some_and(known),
            Operator::NotIn => !value.is_some_and(known),
            Operator::Exists => value.is_some(),
            Operator::Missing => value.is_none(),
            Operator::Above => value.and_then(compare).is_some_and(|(have, bound)| have > bound),
            Operator::Below => value.and_then(compare).is_some_and(|(have, bound)| have < bound),
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SIGNS: [&str; 10] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<", ""];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let sign = SIGNS.iter().find(|sign| !sign.is_empty() && rest.starts_with(**sign));
        if let Some(sign) = sign {
            tokens.push(Token::Sign(sign));
            rest = rest[sign.len()..].trim_start();
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=!(),><".contains(c)).unwrap_or(rest.len());
        tokens.push(Token::Word(rest[..end].to_owned()));
        rest = rest[end..].trim_start();
    }
    tokens.push(Token::End);
    tokens
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.place.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.place += 1;
        token
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        if *self.peek() == Token::End {
            return Ok(requirements);
        }
        loop {
            match self.peek() {
                Token::Word(_) | Token::Sign("!") => requirements.push(self.requirement()?),
                other => return Err(format!("found '{}', expected: !, identifier, or 'end of string'", other.text())),
            }
            match self.next() {
                Token::End => return Ok(requirements),
                Token::Sign(",") => match self.peek() {
                    Token::Word(_) | Token::Sign("!") => {}
                    other => return Err(format!("found '{}', expected: identifier after ','", other.text())),
                },
                other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.text())),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let missing = *self.peek() == Token::Sign("!");
        if missing {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        check_key(&key)?;
        if missing {
            return Ok(Requirement { key, operator: Operator::Missing, values: Vec::new() });
        }
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return Ok(Requirement { key, operator: Operator::Exists, values: Vec::new() });
        }
        let operator = self.next();
        let (operator, values) = match operator.text() {
            "=" | "==" => (Operator::In, vec![self.exact()?]),
            "!=" => (Operator::NotIn, vec![self.exact()?]),
            "in" => (Operator::In, self.set()?),
            "notin" => (Operator::NotIn, self.set()?),
            ">" => (Operator::Above, vec![self.bound()?]),
            "<" => (Operator::Below, vec![self.bound()?]),
            other => return Err(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")),
        };
        for value in &values {
            check_value(&key, value)?;
        }
        Ok(Requirement { key, operator, values })
    }

    fn exact(&mut self) -> Result<String, String> {
        match self.peek() {
            Token::End | Token::Sign(",") => Ok(String::new()),
            Token::Word(_) => Ok(self.next().text().to_owned()),
            other => Err(format!("found '{}', expected: identifier", other.text())),
        }
    }

    fn bound(&mut self) -> Result<String, String> {
        let value = self.exact()?;
        if value.parse::<i64>().is_err() {
            let quoted = crate::status::go_quote(&value);
            return Err(format!(
                "values[0]: Invalid value: {quoted}: for 'Gt', 'Lt' operators, the value must be an integer"
            ));
        }
        Ok(value)
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        match self.next() {
            Token::Sign("(") => {}
            other => return Err(format!("found '{}' expected: '('", other.text())),
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                Token::Word(word) => values.push(word),
                Token::Sign(",") if values.is_empty() => values.push(String::new()),
                Token::Sign(")") if values.is_empty() => return Ok(vec![String::new()]),
                other => return Err(format!("found '{}', expected: ',', ')' or identifier", other.text())),
            }
            match self.next() {
                Token::Sign(")") => break,
                Token::Sign(",") => {
                    if *self.peek() == Token::Sign(")") {
                        self.next();
                        values.push(String::new());
                        break;
                    }
                }
                other => return Err(format!("found '{}', expected: ',' or ')'", other.text())),
            }
        }
        values.sort();
        values.dedup();
        Ok(values)
    }
}

fn check_key(key: &str) -> Result<(), String> {
    let problems = crate::names::label_key(key);
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("key: Invalid value: {}: {}", crate::status::go_quote(key), problems.join("; ")))
}

fn check_value(key: &str, value: &str) -> Result<(), String> {
    let problems = crate::names::label_value(value);
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("values[0][{key}]: Invalid value: {}: {}", crate::status::go_quote(value), problems.join("; ")))
}

/// A field selector: `metadata.name=x,spec.nodeName!=y`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, bool, String)>);

impl Fields {
    /// Reads a selector; the error is the message of the server's 400.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for term in split_terms(text) {
            if term.is_empty() {
                continue;
            }
            let invalid = || format!("invalid selector: '{text}'; can't understand '{term}'");
            let at = term.find(['=', '!']).ok_or_else(invalid)?;
            let (key, rest) = term.split_at(at);
            let (equal, value) = ["==", "!=", "="]
                .iter()
                .find_map(|sign| rest.strip_prefix(sign).map(|value| (*sign != "!=", value)))
                .ok_or_else(invalid)?;
            terms.push((key.to_owned(), equal, unescape(value)));
        }
        Ok(Self(terms))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, ..)| key.as_str())
    }

    /// Tells whether an object is selected; `field` reads one of its fields.
    pub(crate) fn matches(&self, field: impl Fn(&str) -> String) -> bool {
        self.0.iter().all(|(key, equal, value)| (field(key) == *value) == *equal)
    }
}

fn split_terms(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut escaped) = (Vec::new(), 0, false);
    for (place, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut escaped = false;
    for c in value.chars() {
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::map;

    fn check(selector: &str, labels: &[(&str, &str)], expect: bool) {
        let labels: Map = labels.iter().map(|(key, value)| (*key, *value)).collect();
        let object = Object::new(map! { "metadata" => map! { "labels" => labels } });
        assert_eq!(Labels::parse(selector).unwrap().matches(&object), expect, "{selector}");
    }

    #[test]
    fn label_selectors_select_as_the_server_does() {
        check("a=1,b", &[("a", "1"), ("b", "")], true);
        check("a in (1,2),!c", &[("a", "2")], true);
        check("a notin (1,2)", &[], true);
        check("a!=1", &[], true);
        check("n>3", &[("n", "4")], true);
        check("n<3", &[("n", "x")], false);
        check("", &[], true);
    }

    #[test]
    fn bad_selectors_are_told_in_the_servers_words() {
        for (selector, error) in [
            ("a b", "found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("a===b", "found '=', expected: identifier"),
            ("a in b", "found 'b' expected: '('"),
            ("!", "found '', expected: identifier"),
        ] {
            assert_eq!(Labels::parse(selector).unwrap_err(), format!("unable to parse requirement: {error}"));
        }
        assert_eq!(Fields::parse("nope").unwrap_err(), "invalid selector: 'nope'; can't understand 'nope'");
    }
}
