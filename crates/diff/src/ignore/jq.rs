//! The part of jq that path expressions need.

use lockstep_object::{Key, Value, from_json};

use super::pick::{Pick, Test};

/// The longest expression that is read; bounds the recursion.
const LONGEST: usize = 4096;
/// The deepest nesting of conditions.
const DEEPEST: usize = 32;

/// Reads an expression: alternatives of steps.
pub fn parse(text: &str) -> Result<Vec<Vec<Pick>>, String> {
    if text.len() > LONGEST {
        return Err("it is too long".to_owned());
    }
    let mut reader = Reader { rest: text.trim_start(), depth: 0 };
    let mut alternatives = vec![reader.pipeline()?];
    while reader.take(",") {
        alternatives.push(reader.pipeline()?);
    }
    if reader.rest.is_empty() { Ok(alternatives) } else { Err(format!("{:?} is not understood", reader.rest)) }
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl Reader<'_> {
    fn take(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(format!("expected {sign:?} before {:?}", self.rest)) }
    }

    /// Takes a word such as `and`, if it is not the beginning of a longer one.
    fn word(&mut self, word: &str) -> bool {
        let ends = self
            .rest
            .strip_prefix(word)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        ends && self.take(word)
    }

    fn pipeline(&mut self) -> Result<Vec<Pick>, String> {
        let mut picks = Vec::new();
        loop {
            if self.word("select") {
                self.expect("(")?;
                picks.push(Pick::Where(self.either()?));
                self.expect(")")?;
            } else if !self.rest.starts_with('.') {
                return Err(format!("{:?} is no path", self.rest));
            }
            self.steps(&mut picks)?;
            if !self.take("|") {
                break;
            }
        }
        if picks.is_empty() { Err("it is the whole object".to_owned()) } else { Ok(picks) }
    }

    fn steps(&mut self, picks: &mut Vec<Pick>) -> Result<(), String> {
        loop {
            if self.rest.starts_with('.') {
                self.rest = &self.rest[1..];
                if self.rest.starts_with('"') {
                    let name = self.string()?;
                    picks.push(Pick::Field(name.into()));
                } else if let Some(name) = self.name() {
                    picks.push(Pick::Field(name));
                }
                // A lone dot is the value itself.
                self.rest = self.rest.trim_start();
            } else if self.take("[") {
                picks.push(self.bracket()?);
            } else if !self.take("?") {
                return Ok(());
            }
        }
    }

    fn bracket(&mut self) -> Result<Pick, String> {
        if self.take("]") {
            return Ok(Pick::All);
        }
        let pick = if self.rest.starts_with('"') {
            Pick::Field(self.string()?.into())
        } else {
            let end = self.rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(self.rest.len());
            let index = self.rest[..end].parse().map_err(|_| format!("{:?} is no place of a list", self.rest))?;
            self.rest = self.rest[end..].trim_start();
            Pick::Index(index)
        };
        self.expect("]")?;
        Ok(pick)
    }

    fn name(&mut self) -> Option<Key> {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        self.rest = &self.rest[end..];
        (!name.is_empty()).then(|| name.into())
    }

    /// Reads a text in quotes.
    fn string(&mut self) -> Result<String, String> {
        match self.literal()? {
            Value::Text(text) => Ok(text.to_string()),
            _ => Err("expected a text in quotes".to_owned()),
        }
    }

    fn literal(&mut self) -> Result<Value, String> {
        let end = if self.rest.starts_with('"') {
            let mut escaped = false;
            let close = self.rest.char_indices().skip(1).find(|(_, c)| {
                let closes = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            });
            close.map(|(place, _)| place + 1).ok_or("a text has no closing quote")?
        } else {
            self.rest.find(|c: char| !c.is_alphanumeric() && !"+-.".contains(c)).unwrap_or(self.rest.len())
        };
        let value = from_json(&self.rest.as_bytes()[..end]).map_err(|_| format!("{:?} is no value", self.rest))?;
        self.rest = self.rest[end..].trim_start();
        Ok(value)
    }

    fn either(&mut self) -> Result<Test, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deep".to_owned());
        }
        let mut test = self.both()?;
        while self.word("or") {
            test = Test::Or(test.into(), self.both()?.into());
        }
        self.depth -= 1;
        Ok(test)
    }

    fn both(&mut self) -> Result<Test, String> {
        let mut test = self.test()?;
        while self.word("and") {
            test = Test::And(test.into(), self.test()?.into());
        }
        Ok(test)
    }

    fn test(&mut self) -> Result<Test, String> {
        let test = if self.take("(") {
            let inner = self.either()?;
            self.expect(")")?;
            inner
        } else {
            self.comparison()?
        };
        if self.rest.starts_with('|') {
            let before = self.rest;
            self.take("|");
            if self.word("not") {
                return Ok(Test::Not(test.into()));
            }
            self.rest = before;
        }
        Ok(test)
    }

    fn comparison(&mut self) -> Result<Test, String> {
        let path = if self.rest.starts_with('.') { self.test_path()? } else { Vec::new() };
        if self.take("==") {
            return Ok(Test::Is(path, self.literal()?));
        }
        if self.take("!=") {
            return Ok(Test::Not(Test::Is(path, self.literal()?).into()));
        }
        let before = self.rest;
        let piped = self.take("|");
        for name in ["startswith", "endswith", "contains", "test", "has"] {
            if self.word(name) {
                self.expect("(")?;
                let argument = self.string()?;
                self.expect(")")?;
                return function(name, path, argument);
            }
        }
        if piped || path.is_empty() {
            self.rest = before;
        }
        if path.is_empty() { Err(format!("{:?} is no condition", self.rest)) } else { Ok(Test::True(path)) }
    }

    fn test_path(&mut self) -> Result<Vec<Key>, String> {
        let mut picks = Vec::new();
        self.steps(&mut picks)?;
        let keys = picks.into_iter().map(|pick| match pick {
            Pick::Field(key) => Ok(key),
            _ => Err("a condition looks at fields only".to_owned()),
        });
        keys.collect()
    }
}

fn function(name: &str, path: Vec<Key>, argument: String) -> Result<Test, String> {
    Ok(match name {
        "startswith" => Test::Starts(path, argument),
        "endswith" => Test::Ends(path, argument),
        "contains" => Test::Contains(path, argument),
        "has" => Test::Has(path, argument),
        _ => Test::Matches(path, regex::Regex::new(&argument).map_err(|error| error.to_string())?),
    })
}
