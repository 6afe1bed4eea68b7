//! Strings: trimming, cutting, joining, quoting, padding.

use super::{Result, add, add_variadic, args};
use crate::{
    context::Context,
    convert::{strslice, strval},
    error::FuncError,
    fmt,
    functions::Functions,
    types::Type,
    value::{List, Map, Str, Value},
};

const S: Type = Type::Str;
const I: Type = Type::Int;
const A: Type = Type::Any;

pub(super) fn register(f: &mut Functions) {
    add(f, &["hello"], &[], |_, _| Ok("Hello!".into()));
    add(f, &["abbrev"], &[I, S], |_, a| Ok(abbrev(&args::text(a, 1), args::int(a, 0), 0)));
    add(f, &["abbrevboth"], &[I, I, S], |_, a| Ok(abbrev_both(args::int(a, 0), args::int(a, 1), &args::text(a, 2))));
    add(f, &["trunc"], &[I, S], |_, a| Ok(trunc(args::int(a, 0), &args::text(a, 1))));
    add(f, &["trim"], &[S], |_, a| Ok(map_text(a, 0, |s| s.trim_matches(is_space).to_owned())));
    add(f, &["substr"], &[I, I, S], |_, a| substr(args::int(a, 0), args::int(a, 1), &args::text(a, 2)));
    add(f, &["repeat"], &[I, S], |c, a| repeat(c, args::int(a, 0), &args::text(a, 1)));
    add(f, &["trimall", "trimAll"], &[S, S], |_, a| {
        let cut = args::text(a, 0).to_text().into_owned();
        Ok(map_text(a, 1, |s| s.trim_matches(|c| cut.contains(c)).to_owned()))
    });
    add(f, &["trimSuffix"], &[S, S], |_, a| {
        let (cut, text) = (args::text(a, 0), args::text(a, 1));
        Ok(text
            .as_bytes()
            .strip_suffix(cut.as_bytes())
            .map_or(Value::Str(text.clone()), |rest| Value::Str(rest.into())))
    });
    add(f, &["trimPrefix"], &[S, S], |_, a| {
        let (cut, text) = (args::text(a, 0), args::text(a, 1));
        Ok(text
            .as_bytes()
            .strip_prefix(cut.as_bytes())
            .map_or(Value::Str(text.clone()), |rest| Value::Str(rest.into())))
    });
    add(f, &["nospace"], &[S], |_, a| Ok(Value::Str(nospace(&args::text(a, 0)))));
    add(f, &["contains"], &[S, S], |_, a| {
        Ok(Value::Bool(find(args::text(a, 1).as_bytes(), args::text(a, 0).as_bytes()).is_some()))
    });
    add(f, &["hasPrefix"], &[S, S], |_, a| {
        Ok(Value::Bool(args::text(a, 1).as_bytes().starts_with(args::text(a, 0).as_bytes())))
    });
    add(f, &["hasSuffix"], &[S, S], |_, a| {
        Ok(Value::Bool(args::text(a, 1).as_bytes().ends_with(args::text(a, 0).as_bytes())))
    });
    add(f, &["indent"], &[I, S], |c, a| indent(c, args::int(a, 0), &args::text(a, 1), ""));
    add(f, &["nindent"], &[I, S], |c, a| indent(c, args::int(a, 0), &args::text(a, 1), "\n"));
    add(f, &["replace"], &[S, S, S], replace);
    add(f, &["plural"], &[S, S, I], |_, a| Ok(args::value(a, usize::from(args::int(a, 2) != 1))));
    add(f, &["toString"], &[A], |c, a| {
        let text = strval(&a[0]);
        c.charge_bytes(text.len())?;
        Ok(Value::Str(text))
    });
    add(f, &["toStrings"], &[A], |_, a| Ok(Value::strings(strslice(&a[0]))));
    add(f, &["join"], &[S, A], |c, a| {
        let parts = strslice(&a[1]);
        join(c, args::text(a, 0).as_bytes(), &parts)
    });
    add(f, &["splitList"], &[S, S], |c, a| split_list(c, &args::text(a, 0), &args::text(a, 1)));
    add(f, &["split"], &[S, S], |c, a| split_map(c, &args::text(a, 0), -1, &args::text(a, 1)));
    add(f, &["splitn"], &[S, I, S], |c, a| split_map(c, &args::text(a, 0), args::int(a, 1), &args::text(a, 2)));
    add(f, &["wrap"], &[I, S], |c, a| wrap(c, &args::text(a, 1), args::int(a, 0), b"\n", false));
    add(f, &["wrapWith"], &[I, S, S], |c, a| {
        let separator = args::text(a, 1);
        let separator = if separator.is_empty() { b"\n" } else { separator.as_bytes() };
        wrap(c, &args::text(a, 2), args::int(a, 0), separator, true)
    });
    add_variadic(f, &["quote"], &[], A, quote);
    add_variadic(f, &["squote"], &[], A, squote);
    add_variadic(f, &["cat"], &[], A, cat);
    for (name, code) in RANDOM {
        add(f, &[name], &[I], code);
    }
    add(f, &["shuffle"], &[S], shuffle);
}

type Code = fn(&mut Context, &[Value]) -> Result;
const RANDOM: [(&str, Code); 4] = [
    ("randAlphaNum", |c, a| random_text(c, "randAlphaNum", ALPHANUMERIC, args::int(a, 0))),
    ("randAlpha", |c, a| random_text(c, "randAlpha", &ALPHANUMERIC[..52], args::int(a, 0))),
    ("randNumeric", |c, a| random_text(c, "randNumeric", &ALPHANUMERIC[52..], args::int(a, 0))),
    ("randAscii", |c, a| random_text(c, "randAscii", PRINTABLE, args::int(a, 0))),
];
const ALPHANUMERIC: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const PRINTABLE: &[u8] =
    b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

fn random_text(context: &mut Context, name: &str, alphabet: &[u8], count: i64) -> Result {
    context.warn(name);
    let count = usize::try_from(count).unwrap_or(0);
    context.charge_bytes(count)?;
    let text: Vec<u8> = (0..count).map(|_| alphabet[(context.random() % alphabet.len() as u64) as usize]).collect();
    Ok(Value::Str(text.into()))
}

fn shuffle(context: &mut Context, a: &[Value]) -> Result {
    context.warn("shuffle");
    let mut chars: Vec<char> = args::text(a, 0).to_text().chars().collect();
    for i in (1..chars.len()).rev() {
        let j = (context.random() % (i as u64 + 1)) as usize;
        chars.swap(i, j);
    }
    Ok(chars.into_iter().collect::<String>().into())
}

/// Tells whether Go's `unicode.IsSpace` holds.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace()
}

pub(super) fn map_text(a: &[Value], i: usize, change: impl FnOnce(&str) -> String) -> Value {
    change(&args::text(a, i).to_text()).into()
}

/// Finds a byte string in another.
pub(super) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    if let (Ok(text), Ok(part)) = (std::str::from_utf8(text), std::str::from_utf8(part)) {
        return text.find(part);
    }
    text.windows(part.len()).position(|window| window == part)
}

/// goutils' `Abbreviate`, by bytes.
fn abbrev(text: &Str, width: i64, offset: i64) -> Value {
    let bytes = text.as_bytes();
    let len = bytes.len() as i64;
    if width < 4 || len <= width {
        return Value::Str(text.clone());
    }
    Value::Str(abbreviate(bytes, offset, width).into())
}

fn abbreviate(bytes: &[u8], offset: i64, width: i64) -> Vec<u8> {
    let len = bytes.len() as i64;
    if bytes.is_empty() || width < 4 {
        return Vec::new();
    }
    if len <= width {
        return bytes.to_vec();
    }
    let mut offset = offset.min(len);
    if len - offset < width - 3 {
        offset = len - (width - 3);
    }
    let part = |from: i64, to: i64| &bytes[from.clamp(0, len) as usize..to.clamp(0, len) as usize];
    if offset <= 4 {
        return [part(0, width - 3), b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + width - 3 < len {
        return [b"...".as_slice(), &abbreviate(part(offset, len), 0, width - 3)].concat();
    }
    [b"...".as_slice(), part(len - (width - 3), len)].concat()
}

fn abbrev_both(left: i64, right: i64, text: &Str) -> Value {
    if right < 4 || left > 0 && right < 7 {
        return Value::Str(text.clone());
    }
    Value::Str(abbreviate(text.as_bytes(), left, right).into())
}

/// Cuts by bytes; a negative count keeps the end.
fn trunc(count: i64, text: &Str) -> Value {
    let len = text.len() as i64;
    let range = match count {
        c if c < 0 && len.saturating_add(c) > 0 => (len + c) as usize..text.len(),
        c if (0..len).contains(&c) => 0..c as usize,
        _ => return Value::Str(text.clone()),
    };
    Value::Str(text.as_bytes()[range].into())
}

fn substr(start: i64, end: i64, text: &Str) -> Result {
    let len = text.len() as i64;
    let out = |shown: String| Err(FuncError::from(format!("runtime error: slice bounds out of range [{shown}]")));
    let (from, to) = match (start, end) {
        (..0, end) if end < 0 => return out(format!(":{end}")),
        (..0, end) if end > len => {
            return Err(format!("runtime error: slice bounds out of range [:{end}] with length {len}").into());
        }
        (..0, end) => (0, end),
        (start, end) if end < 0 || end > len => {
            if start > len {
                return out(format!("{start}:{len}"));
            }
            (start, len)
        }
        (start, end) if start > end => return out(format!("{start}:{end}")),
        (start, end) => (start, end),
    };
    Ok(Value::Str(text.as_bytes()[from as usize..to as usize].into()))
}

fn repeat(context: &mut Context, count: i64, text: &Str) -> Result {
    let count = usize::try_from(count).map_err(|_| "strings: negative Repeat count")?;
    context.charge_bytes(text.len().saturating_mul(count))?;
    Ok(Value::Str(text.as_bytes().repeat(count).into()))
}

/// goutils' `DeleteWhiteSpace` reads bytes as Latin-1 and writes them as runes when it deletes anything.
fn nospace(text: &Str) -> Str {
    let space = |b: &u8| matches!(b, b'\t'..=b'\r' | b' ' | 0x85 | 0xa0);
    if !text.as_bytes().iter().any(space) {
        return text.clone();
    }
    text.as_bytes().iter().filter(|b| !space(b)).map(|b| char::from(*b)).collect::<String>().into()
}

fn indent(context: &mut Context, spaces: i64, text: &Str, before: &str) -> Result {
    let spaces = usize::try_from(spaces).map_err(|_| "strings: negative Repeat count")?;
    let lines = 1 + text.as_bytes().iter().filter(|b| **b == b'\n').count();
    let size = lines.saturating_mul(spaces).saturating_add(text.len());
    context.charge_bytes(size)?;
    let mut out = Vec::with_capacity(size + 1);
    out.extend_from_slice(before.as_bytes());
    for (i, line) in text.as_bytes().split(|b| *b == b'\n').enumerate() {
        if i > 0 {
            out.push(b'\n');
        }
        out.resize(out.len() + spaces, b' ');
        out.extend_from_slice(line);
    }
    Ok(Value::Str(out.into()))
}

fn replace(context: &mut Context, a: &[Value]) -> Result {
    let (old, new, text) = (args::text(a, 0), args::text(a, 1), args::text(a, 2));
    let count = if old.is_empty() { text.len() + 1 } else { count_of(text.as_bytes(), old.as_bytes()) };
    context.charge_bytes(text.len() + count.saturating_mul(new.len()))?;
    if let (Some(old), Some(new), Some(text)) = (old.as_str(), new.as_str(), text.as_str()) {
        return Ok(text.replace(old, new).into());
    }
    let parts = split_bytes(text.as_bytes(), old.as_bytes(), -1);
    Ok(Value::Str(parts.join(new.as_bytes()).into()))
}

fn count_of(text: &[u8], part: &[u8]) -> usize {
    split_bytes(text, part, -1).len()
}

pub(super) fn join(context: &mut Context, separator: &[u8], parts: &[Str]) -> Result {
    let size: usize = parts.iter().map(|part| part.len() + separator.len()).sum();
    context.charge_bytes(size)?;
    let mut out = Vec::with_capacity(size);
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.extend_from_slice(separator);
        }
        out.extend_from_slice(part.as_bytes());
    }
    Ok(Value::Str(out.into()))
}

/// Splits as `strings.SplitN`: an empty separator splits into characters, a negative count is no limit.
fn split_bytes<'t>(text: &'t [u8], separator: &[u8], limit: i64) -> Vec<&'t [u8]> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut rest = text;
    if limit == 0 {
        return parts;
    }
    if separator.is_empty() {
        while !rest.is_empty() && parts.len() + 1 < limit {
            let first = rest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
            let (head, tail) = rest.split_at(first.map_or(1, char::len_utf8));
            parts.push(head);
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        return parts;
    }
    while parts.len() + 1 < limit {
        let Some(at) = find(rest, separator) else { break };
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}

fn split_list(context: &mut Context, separator: &Str, text: &Str) -> Result {
    let parts = split_bytes(text.as_bytes(), separator.as_bytes(), -1);
    context.charge(parts.len() as u64)?;
    Ok(Value::strings(parts))
}

fn split_map(context: &mut Context, separator: &Str, limit: i64, text: &Str) -> Result {
    let parts = split_bytes(text.as_bytes(), separator.as_bytes(), limit);
    context.charge(parts.len() as u64)?;
    let map = Map::typed(Type::Str, None);
    for (i, part) in parts.into_iter().enumerate() {
        map.insert(format!("_{i}"), Value::Str(part.into()));
    }
    Ok(Value::Map(map))
}

fn quote(context: &mut Context, a: &[Value]) -> Result {
    let parts: Vec<Str> = a
        .iter()
        .filter(|arg| !arg.is_nil())
        .map(|arg| {
            let text = strval(arg);
            let mut out = Vec::with_capacity(text.len() + 2);
            fmt::quote_with(&mut out, text.as_bytes(), b'"', false);
            out.into()
        })
        .collect();
    join(context, b" ", &parts)
}

fn squote(context: &mut Context, a: &[Value]) -> Result {
    let parts: Vec<Str> =
        a.iter().filter(|arg| !arg.is_nil()).map(|arg| fmt::sprintf("'%v'", std::slice::from_ref(arg))).collect();
    join(context, b" ", &parts)
}

fn cat(context: &mut Context, a: &[Value]) -> Result {
    let parts: Vec<Str> =
        a.iter().filter(|arg| !arg.is_nil()).map(|arg| fmt::sprint(std::slice::from_ref(arg))).collect();
    join(context, b" ", &parts)
}

/// goutils' `WrapCustom`, by bytes.
fn wrap(context: &mut Context, text: &Str, width: i64, newline: &[u8], long_words: bool) -> Result {
    let text = text.as_bytes();
    let width = usize::try_from(width).unwrap_or(1).max(1);
    context.charge_bytes(text.len() + (text.len() / width + 1).saturating_mul(newline.len()))?;
    let mut out = Vec::with_capacity(text.len());
    let mut offset = 0;
    while text.len().saturating_sub(offset) > width {
        if text[offset] == b' ' {
            offset += 1;
            continue;
        }
        let window = &text[offset..offset + width + 1];
        let (end, next) = match window.iter().rposition(|b| *b == b' ') {
            Some(space) => (offset + space, offset + space + 1),
            None if long_words => (offset + width, offset + width),
            None => match text[offset + width..].iter().position(|b| *b == b' ') {
                Some(space) => (offset + width + space, offset + width + space + 1),
                None => {
                    out.extend_from_slice(&text[offset..]);
                    offset = text.len();
                    continue;
                }
            },
        };
        out.extend_from_slice(&text[offset..end]);
        out.extend_from_slice(newline);
        offset = next;
    }
    out.extend_from_slice(&text[offset..]);
    Ok(Value::Str(out.into()))
}

/// Makes a `[]interface{}` that may be nil.
pub(super) fn any_list(items: Option<Vec<Value>>) -> Value {
    Value::List(items.map_or_else(|| List::nil(Type::Any), |items| List::new(Type::Any, items)))
}
