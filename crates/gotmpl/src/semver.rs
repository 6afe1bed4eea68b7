//! Versions and constraints as Masterminds/semver 3.5 reads them.

use std::{any::Any, cmp::Ordering, sync::LazyLock};

use regex::Regex;

use crate::{
    context::Context,
    error::FuncError,
    fmt::quote,
    functions::Signature,
    object::Object,
    types::{Kind, Type},
    value::{Str, Value},
};

const MAX_VERSION: usize = 256;
const MAX_CONSTRAINT: usize = 512;
const MAX_GROUPS: usize = 32;

const PRE: &str = r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?";
const META: &str = r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?";
const OPS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";

static LOOSE: LazyLock<Regex> = LazyLock::new(|| compile(&format!(r"^v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?{PRE}{META}$")));
static ONE: LazyLock<Regex> = LazyLock::new(|| compile(&format!(r"^\s*({OPS})\s*({})\s*$", wild())));
static RANGE: LazyLock<Regex> = LazyLock::new(|| compile(&format!(r"\s*({0})\s+-\s+({0})\s*", wild())));
static FIND: LazyLock<Regex> = LazyLock::new(|| compile(&format!(r"({OPS})\s*({})", wild())));
static VALID: LazyLock<Regex> =
    LazyLock::new(|| compile(&format!(r"^(\s*({OPS})\s*({0})\s*)((?:\s+|,\s*)({OPS})\s*({0})\s*)*$", wild())));

fn wild() -> String {
    format!(r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?{PRE}{META}")
}

fn compile(pattern: &str) -> Regex {
    Regex::new(&pattern.replace(r"\s", r"[\t\n\f\r ]")).expect("the pattern is a constant that the tests compile")
}

/// A version: `v1.2.3-pre+meta`, where minor and patch may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Major, minor, patch.
    pub numbers: [u64; 3],
    /// The prerelease, without its dash.
    pub pre: String,
    /// The metadata, without its plus.
    pub metadata: String,
    /// The text that was parsed.
    pub original: String,
}

impl Version {
    /// Parses as `semver.NewVersion` does.
    ///
    /// # Errors
    /// The library's texts, e.g. `invalid semantic version`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_VERSION {
            return Err(format!("version string is too long (max {MAX_VERSION} bytes)"));
        }
        let parts = LOOSE.captures(text).ok_or("invalid semantic version")?;
        let part = |i: usize| parts.get(i).map_or("", |m| m.as_str());
        let mut numbers = [0; 3];
        for (i, number) in numbers.iter_mut().enumerate() {
            let digits = part(i + 1).trim_start_matches('.');
            if !digits.is_empty() {
                *number = digits.parse().map_err(|_| {
                    format!(
                        "error parsing version segment: strconv.ParseUint: parsing {}: value out of range",
                        quote(digits)
                    )
                })?;
            }
        }
        let numeric_zero = |id: &str| id.len() > 1 && id.starts_with('0') && id.bytes().all(|b| b.is_ascii_digit());
        if part(5).split('.').any(numeric_zero) {
            return Err("version segment starts with 0".to_owned());
        }
        Ok(Self { numbers, pre: part(5).to_owned(), metadata: part(8).to_owned(), original: text.to_owned() })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if self.metadata.is_empty() { Ok(()) } else { write!(f, "+{}", self.metadata) }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.compare(other))
    }
}

impl Version {
    /// Orders by precedence: metadata and spelling do not count.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_pre(&self.pre, &other.pre),
        })
    }
}

fn compare_pre(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) => (x.unwrap_or(""), y.unwrap_or("")),
        };
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            _ if x == y => continue,
            _ if x.is_empty() => Ordering::Less,
            _ if y.is_empty() => Ordering::Greater,
            (Ok(x), Ok(y)) => x.cmp(&y),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => x.cmp(y),
        };
        return order;
    }
}

/// Constraints: groups that are alternatives, of which every member must hold.
#[derive(Clone, Debug)]
pub struct Constraints {
    groups: Vec<Vec<Constraint>>,
}

#[derive(Clone, Debug)]
struct Constraint {
    op: String,
    version: Version,
    /// The first wildcard: 0 none, 1 major, 2 minor, 3 patch.
    wild: u8,
}

impl Constraints {
    /// Parses as `semver.NewConstraint` does.
    ///
    /// # Errors
    /// The library's texts, e.g. `improper constraint: "x"`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_CONSTRAINT {
            return Err(format!("constraint string is too long (max {MAX_CONSTRAINT} bytes)"));
        }
        let mut rewritten = text.to_owned();
        for range in RANGE.captures_iter(text) {
            let part = |i: usize| range.get(i).map_or("", |m| m.as_str());
            rewritten = rewritten.replacen(part(0), &format!(">= {}, <= {} ", part(1), part(11)), 1);
        }
        let alternatives: Vec<&str> = rewritten.split("||").collect();
        if alternatives.len() > MAX_GROUPS {
            return Err(format!("too many constraint groups (max {MAX_GROUPS})"));
        }
        let groups = alternatives.into_iter().map(group).collect::<Result<_, _>>()?;
        Ok(Self { groups })
    }

    /// Tells whether a version satisfies the constraints. A prerelease does only where its group names one.
    pub fn check(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            let with_pre = group.iter().any(|c| !c.version.pre.is_empty());
            (version.pre.is_empty() || with_pre) && group.iter().all(|c| c.holds(version))
        })
    }
}

fn group(text: &str) -> Result<Vec<Constraint>, String> {
    if !VALID.is_match(text) {
        return Err(format!("improper constraint: {}", quote(text)));
    }
    FIND.find_iter(text).map(|found| constraint(found.as_str())).collect()
}

fn constraint(text: &str) -> Result<Constraint, String> {
    let parts = ONE.captures(text).ok_or_else(|| format!("improper constraint: {}", quote(text)))?;
    let part = |i: usize| parts.get(i).map_or("", |m| m.as_str());
    let is_wild = |i: usize| matches!(part(i).trim_start_matches('.'), "" | "x" | "X" | "*");
    let (version, wild) = if is_wild(3) {
        (format!("0.0.0{}", part(6)), 1)
    } else if is_wild(4) {
        (format!("{}.0.0{}", part(3), part(6)), 2)
    } else if is_wild(5) {
        (format!("{}{}.0{}", part(3), part(4), part(6)), 3)
    } else {
        (part(2).to_owned(), 0)
    };
    let version = Version::parse(&version).map_err(|_| "constraint parser error")?;
    Ok(Constraint { op: part(1).to_owned(), version, wild })
}

impl Constraint {
    fn holds(&self, v: &Version) -> bool {
        let c = &self.version;
        let order = v.compare(c);
        match self.op.as_str() {
            "!=" => self.not_equal(v),
            ">" => match self.wild {
                2 => v.numbers[0] > c.numbers[0],
                3 => v.numbers[..2] > c.numbers[..2],
                _ => order.is_gt(),
            },
            "<" => order.is_lt(),
            ">=" | "=>" => order.is_ge(),
            "<=" | "=<" => match self.wild {
                0 => order.is_le(),
                2 => v.numbers[0] <= c.numbers[0],
                _ => v.numbers[0] < c.numbers[0] || v.numbers[0] == c.numbers[0] && v.numbers[1] <= c.numbers[1],
            },
            "~" | "~>" => self.tilde(v),
            "^" => self.caret(v),
            _ if self.wild > 0 => self.tilde(v),
            _ => order.is_eq(),
        }
    }

    fn not_equal(&self, v: &Version) -> bool {
        let c = &self.version;
        if self.wild > 0 && c.numbers[0] != v.numbers[0] {
            return true;
        }
        match self.wild {
            2 => false,
            1 | 3 if c.numbers[1] != v.numbers[1] => true,
            3 if !v.pre.is_empty() || !c.pre.is_empty() => compare_pre(&v.pre, &c.pre).is_ne(),
            3 => false,
            1 if c.numbers[2] != v.numbers[2] => true,
            _ => v.compare(c).is_ne(),
        }
    }

    fn tilde(&self, v: &Version) -> bool {
        let c = &self.version;
        if v.compare(c).is_lt() {
            return false;
        }
        if c.numbers == [0; 3] && self.wild != 2 && self.wild != 3 {
            return true;
        }
        v.numbers[0] == c.numbers[0] && (v.numbers[1] == c.numbers[1] || self.wild == 2)
    }

    fn caret(&self, v: &Version) -> bool {
        let c = &self.version;
        if v.compare(c).is_lt() {
            return false;
        }
        if c.numbers[0] > 0 || self.wild == 2 {
            return v.numbers[0] == c.numbers[0];
        }
        if v.numbers[0] > 0 {
            return false;
        }
        if c.numbers[1] > 0 || self.wild == 3 {
            return v.numbers[1] == c.numbers[1];
        }
        v.numbers[1] == 0 && v.numbers[2] == c.numbers[2]
    }
}

/// `*semver.Version` as templates see it.
pub(crate) struct VersionObject {
    version: Version,
    none: Signature,
    other: Signature,
}

const TYPE_NAME: &str = "*semver.Version";

impl VersionObject {
    pub(crate) fn new(version: Version) -> Self {
        Self { version, none: Signature::new(&[]), other: Signature::new(&[Type::Named(TYPE_NAME)]) }
    }

    fn bumped(&self, i: usize) -> Value {
        let mut next = self.version.clone();
        // Go keeps the number when it only drops a prerelease.
        if i < 2 || next.pre.is_empty() {
            next.numbers[i] = next.numbers[i].saturating_add(1);
        }
        next.numbers[i + 1..].fill(0);
        (next.pre, next.metadata) = (String::new(), String::new());
        let v = if next.original.starts_with('v') { "v" } else { "" };
        next.original = format!("{v}{next}");
        Value::native(Self::new(next))
    }
}

impl Object for VersionObject {
    fn type_name(&self) -> &str {
        TYPE_NAME
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn shown(&self) -> Vec<(&'static str, Value)> {
        let Version { numbers, pre, metadata, original } = &self.version;
        let text = |text: &str| Value::from(text);
        vec![
            ("major", Value::Uint64(numbers[0])),
            ("minor", Value::Uint64(numbers[1])),
            ("patch", Value::Uint64(numbers[2])),
            ("pre", text(pre)),
            ("metadata", text(metadata)),
            ("original", text(original)),
        ]
    }

    fn string(&self) -> Option<Str> {
        Some(self.version.to_string().into())
    }

    fn marshal(&self) -> Option<Value> {
        Some(self.version.to_string().into())
    }

    fn method(&self, name: &str) -> Option<&Signature> {
        match name {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "Original" | "String" | "IncMajor"
            | "IncMinor" | "IncPatch" => Some(&self.none),
            "Compare" | "LessThan" | "LessThanEqual" | "GreaterThan" | "GreaterThanEqual" | "Equal" => {
                Some(&self.other)
            }
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value], _context: &mut Context) -> Result<Value, FuncError> {
        let v = &self.version;
        let other = match args.first() {
            Some(Value::Native(object)) => {
                object.as_any().downcast_ref::<Self>().map(|other| v.compare(&other.version))
            }
            _ => None,
        };
        let order = other.unwrap_or(Ordering::Equal);
        Ok(match name {
            "Major" => Value::Uint64(v.numbers[0]),
            "Minor" => Value::Uint64(v.numbers[1]),
            "Patch" => Value::Uint64(v.numbers[2]),
            "Prerelease" => v.pre.as_str().into(),
            "Metadata" => v.metadata.as_str().into(),
            "Original" => v.original.as_str().into(),
            "IncMajor" => self.bumped(0),
            "IncMinor" => self.bumped(1),
            "IncPatch" => self.bumped(2),
            "Compare" => Value::Int(order as i64),
            "LessThan" => Value::Bool(order.is_lt()),
            "LessThanEqual" => Value::Bool(order.is_le()),
            "GreaterThan" => Value::Bool(order.is_gt()),
            "GreaterThanEqual" => Value::Bool(order.is_ge()),
            "Equal" => Value::Bool(order.is_eq()),
            _ => v.to_string().into(),
        })
    }
}
