//! Prints a tree as `sigs.k8s.io/yaml` prints JSON (go-yaml v2's emitter): keys sorted, two spaces, lists not
//! indented, no folding, strings quoted only where YAML 1.1 needs it.

use std::{cmp::Ordering, fmt::Write as _};

use crate::{
    node::{Node, Scalar},
    read::bool_value,
    scalar::{Number, Rules, Tag, Timestamp, go_float_g, is_base_60, number, resolve},
};

/// Appends the tree of an object.
pub(crate) fn object(node: &Node, out: &mut String) {
    match node {
        Node::Map(entries) if !entries.is_empty() => map(entries, 0, out),
        Node::List(items) if !items.is_empty() => list(items, 0, out),
        other => {
            inline(other, 0, out);
            out.push('\n');
        }
    }
}

/// Returns the tree as text.
pub(crate) fn to_text(node: &Node) -> String {
    let mut out = String::new();
    object(node, &mut out);
    out
}

pub(crate) fn indent(depth: usize, out: &mut String) {
    const SPACES: &str = "                                                                ";
    let mut left = depth * 2;
    while left > 0 {
        let part = left.min(SPACES.len());
        out.push_str(&SPACES[..part]);
        left -= part;
    }
}

fn map(entries: &[(Scalar, Node)], depth: usize, out: &mut String) {
    let mut first = true;
    let mut entry = |(key, value): &(Scalar, Node), out: &mut String| {
        if !std::mem::take(&mut first) {
            indent(depth, out);
        }
        map_entry(key, value, depth, out);
    };
    if entries.is_sorted_by(|(a, _), (b, _)| compare(&a.text, &b.text) == Ordering::Less) {
        entries.iter().for_each(|item| entry(item, out));
        return;
    }
    let mut sorted: Vec<&(Scalar, Node)> = entries.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| compare(&a.text, &b.text));
    sorted.into_iter().for_each(|item| entry(item, out));
}

fn map_entry(key: &Scalar, value: &Node, depth: usize, out: &mut String) {
    // A longer key is no simple key to go-yaml.
    let complex = key.text.len() > 128;
    if complex {
        out.push_str("? ");
    }
    string(&key.text, depth, true, out);
    if complex {
        out.push('\n');
        indent(depth, out);
    }
    out.push(':');
    match value {
        Node::Map(entries) if !entries.is_empty() => {
            if complex {
                out.push(' ');
            } else {
                out.push('\n');
                indent(depth + 1, out);
            }
            map(entries, depth + 1, out);
        }
        Node::List(items) if !items.is_empty() => {
            out.push('\n');
            indent(depth, out);
            list(items, depth, out);
        }
        other => {
            out.push(' ');
            inline(other, depth, out);
            out.push('\n');
        }
    }
}

fn list(items: &[Node], depth: usize, out: &mut String) {
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            indent(depth, out);
        }
        out.push_str("- ");
        match item {
            Node::Map(entries) if !entries.is_empty() => map(entries, depth + 1, out),
            Node::List(items) if !items.is_empty() => list(items, depth + 1, out),
            other => {
                inline(other, depth, out);
                out.push('\n');
            }
        }
    }
}

fn inline(node: &Node, depth: usize, out: &mut String) {
    match node {
        Node::Map(_) => out.push_str("{}"),
        Node::List(_) => out.push_str("[]"),
        Node::Scalar(scalar) => value(scalar, depth, out),
    }
}

fn value(scalar: &Scalar, depth: usize, out: &mut String) {
    match scalar.settled() {
        Tag::Null => out.push_str("null"),
        Tag::Bool => out.push_str(if bool_value(&scalar.text) { "true" } else { "false" }),
        Tag::Int | Tag::Float => print_number(&scalar.text, out),
        Tag::Time => match Timestamp::parse(&scalar.text) {
            Some(time) => string(&time.to_json(), depth, false, out),
            None => string(&scalar.text, depth, false, out),
        },
        Tag::Binary => string(&binary(&scalar.text), depth, false, out),
        _ => string(&scalar.printed(), depth, false, out),
    }
}

/// Decodes `!!binary`; bytes that are no text stay as they were written.
pub(crate) fn binary(text: &str) -> String {
    use base64::Engine as _;
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let decoded = base64::engine::general_purpose::STANDARD.decode(packed).ok();
    decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| text.to_owned())
}

fn print_number(text: &str, out: &mut String) {
    match number(text) {
        Some(Number::Int(value)) => {
            let _infallible = write!(out, "{value}");
        }
        Some(Number::UInt(value)) => {
            let _infallible = write!(out, "{value}");
        }
        // A whole number below 1e21 has lost its fraction on the way through JSON.
        Some(Number::Float(value)) if value.fract() == 0.0 && value.abs() < 1e21 => print_whole(value, out),
        Some(Number::Float(value)) => out.push_str(&go_float_g(value)),
        None => out.push_str(text),
    }
}

fn print_whole(value: f64, out: &mut String) {
    if value == 0.0 && value.is_sign_negative() {
        out.push('0');
    } else if (-9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0).contains(&value) {
        let _infallible = write!(out, "{value:.0}");
    } else {
        out.push_str(&go_float_g(value));
    }
}

/// Appends a string as go-yaml v2 writes it at this depth.
fn string(text: &str, depth: usize, key: bool, out: &mut String) {
    if is_simple(text) && (key || !may_fold(text, out)) {
        out.push_str(text);
        return;
    }
    let traits = Traits::of(text);
    if text.contains('\n') {
        if !key && traits.block_allowed {
            literal(text, depth, out);
        } else {
            folded_double(text, if key { None } else { Some(depth + 1) }, out);
        }
        return;
    }
    let fold = if key { None } else { Some(depth + 1) };
    if resolve(text, Rules::V2) != Tag::Str || is_base_60(text) {
        folded_double(text, fold, out);
    } else if traits.plain_allowed && !text.is_empty() {
        folded_plain(text, fold, out);
    } else if traits.single_allowed {
        folded_single(text, fold, out);
    } else {
        folded_double(text, fold, out);
    }
}

/// Lines are folded at the first space beyond this column.
const WIDTH: usize = 80;

/// Returns the column of the end of the text.
fn column(out: &str) -> usize {
    let line = &out[out.rfind('\n').map_or(0, |at| at + 1)..];
    if line.is_ascii() { line.len() } else { line.chars().count() }
}

/// Tells whether a text that begins here may have to be folded.
fn may_fold(text: &str, out: &str) -> bool {
    text.contains(' ') && column(out) + text.len() > WIDTH
}

fn break_line(depth: usize, out: &mut String) -> usize {
    out.push('\n');
    indent(depth, out);
    depth * 2
}

fn folded_plain(text: &str, fold: Option<usize>, out: &mut String) {
    let Some(depth) = fold.filter(|_| may_fold(text, out)) else { return out.push_str(text) };
    let mut at = column(out);
    let mut spaces = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == ' ' && !spaces && at > WIDTH && chars.peek() != Some(&' ') {
            at = break_line(depth, out);
        } else {
            out.push(c);
            at += 1;
        }
        spaces = c == ' ';
    }
}

fn folded_single(text: &str, fold: Option<usize>, out: &mut String) {
    let Some(depth) = fold.filter(|_| may_fold(text, out)) else { return single_quoted(text, out) };
    out.push('\'');
    let mut at = column(out);
    let (mut spaces, mut first) = (false, true);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let inside = !first && chars.peek().is_some();
        if c == ' ' && !spaces && at > WIDTH && inside && chars.peek() != Some(&' ') {
            at = break_line(depth, out);
        } else {
            if c == '\'' {
                out.push('\'');
                at += 1;
            }
            out.push(c);
            at += 1;
        }
        (spaces, first) = (c == ' ', false);
    }
    out.push('\'');
}

fn folded_double(text: &str, fold: Option<usize>, out: &mut String) {
    let Some(depth) = fold.filter(|_| may_fold(text, out)) else { return double_quoted(text, out) };
    out.push('"');
    let mut at = column(out);
    let (mut spaces, mut first) = (false, true);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let inside = !first && chars.peek().is_some();
        if c == ' ' && !spaces && at > WIDTH && inside {
            at = break_line(depth, out);
            if chars.peek() == Some(&' ') {
                out.push('\\');
                at += 1;
            }
        } else {
            let before = out.len();
            escaped(c, out);
            at += if c.is_ascii() || !is_printable(c) { out.len() - before } else { 1 };
        }
        (spaces, first) = (c == ' ', false);
    }
    out.push('"');
}

/// Tells whether a text of several lines is printed as a literal block.
pub(crate) fn is_block(text: &str) -> bool {
    text.contains('\n') && Traits::of(&text.replace('\t', " x")).block_allowed
}

/// Appends a text as a literal block, or in quotes if a block cannot hold it.
pub(crate) fn literal_or_quoted(text: &str, depth: usize, out: &mut String) {
    if Traits::of(text).block_allowed { literal(text, depth, out) } else { double_quoted(text, out) }
}

/// Appends a text without quotes if that is possible.
pub(crate) fn plain_or_quoted(text: &str, out: &mut String) {
    let traits = Traits::of(text);
    if traits.plain_allowed {
        out.push_str(text);
    } else if traits.single_allowed {
        single_quoted(text, out);
    } else {
        double_quoted(text, out);
    }
}

/// Tells whether the text is surely printed as it is: a letter that starts no boolean or null, then harmless characters.
fn is_simple(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'a'..=b'z' | b'A'..=b'Z' | b'/' | b'_' | b'$') => {}
        _ => return false,
    }
    if bytes.len() <= 5 && resolve(text, Rules::V2) != Tag::Str {
        return false;
    }
    let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b'=' | b'+' | b'$');
    bytes.iter().enumerate().all(|(place, &b)| {
        harmless(b)
            || match b {
                b':' => bytes.get(place + 1).is_some_and(|&next| harmless(next)),
                b' ' => bytes.get(place + 1).is_some_and(|&next| harmless(next)),
                _ => false,
            }
    })
}

struct Traits {
    plain_allowed: bool,
    single_allowed: bool,
    block_allowed: bool,
}

impl Traits {
    /// What libyaml's emitter finds out about a scalar in block context.
    fn of(text: &str) -> Self {
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut breaks, mut special) = (false, false);
        let (mut leading, mut trailing_space, mut trailing_break) = (false, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let (mut after_space, mut after_break) = (false, false);
        let mut preceded_by_blank = true;
        let mut chars = text.chars().peekable();
        let mut first = true;
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            let followed_by_blank = next.is_none_or(|next| matches!(next, ' ' | '\t'));
            indicators |= if first {
                starts_indicator(c, followed_by_blank)
            } else {
                c == ':' && followed_by_blank || c == '#' && preceded_by_blank
            };
            special |= !is_printable(c);
            if c == ' ' {
                leading |= first;
                trailing_space |= next.is_none();
                break_space |= after_break;
                (after_space, after_break) = (true, false);
            } else if is_break(c) {
                breaks = true;
                leading |= first;
                trailing_break |= next.is_none();
                space_break |= after_space;
                (after_space, after_break) = (false, true);
            } else {
                (after_space, after_break) = (false, false);
            }
            preceded_by_blank = matches!(c, ' ' | '\t' | '\0') || is_break(c);
            first = false;
        }
        let edge = leading || trailing_space || trailing_break;
        Self {
            plain_allowed: !(edge || break_space || space_break || special || breaks || indicators),
            single_allowed: !(break_space || space_break || special),
            block_allowed: !(trailing_space || space_break || special || text.is_empty()),
        }
    }
}

fn starts_indicator(c: char, followed_by_blank: bool) -> bool {
    match c {
        '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => true,
        '?' | ':' | '-' => followed_by_blank,
        _ => false,
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(c: char) -> bool {
    match c {
        '\n' | ' '..='~' => true,
        '\u{feff}' => false,
        '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' => true,
        _ => false,
    }
}

fn literal(text: &str, depth: usize, out: &mut String) {
    out.push('|');
    if text.starts_with([' ', '\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        out.push('2');
    }
    let mut ends = text.chars().rev();
    match (ends.next(), ends.next()) {
        (Some(last), _) if !is_break(last) => out.push('-'),
        (Some(_), None) => out.push('+'),
        (Some(_), Some(before)) if is_break(before) => out.push('+'),
        _ => {}
    }
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(depth + 1, out);
            out.push_str(line);
        }
    }
}

pub(crate) fn single_quoted(text: &str, out: &mut String) {
    out.push('\'');
    for (place, part) in text.split('\'').enumerate() {
        if place > 0 {
            out.push_str("''");
        }
        out.push_str(part);
    }
    out.push('\'');
}

pub(crate) fn double_quoted(text: &str, out: &mut String) {
    out.push('"');
    text.chars().for_each(|c| escaped(c, out));
    out.push('"');
}

/// Appends a character as it stands between double quotes.
fn escaped(c: char, out: &mut String) {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c if is_printable(c) => return out.push(c),
        c => {
            let code = c as u32;
            let _infallible = match code {
                0..=0xff => write!(out, "\\x{code:02X}"),
                0x100..=0xffff => write!(out, "\\u{code:04X}"),
                _ => write!(out, "\\U{code:08X}"),
            };
            return;
        }
    };
    out.push('\\');
    out.push(short);
}

/// Compares keys as go-yaml v2 sorts them: letters after everything else, runs of digits by their number.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        return compare_at(
            a.as_bytes(),
            b.as_bytes(),
            |b| b.is_ascii_alphabetic(),
            |b| b.is_ascii_digit(),
            |b| u32::from(*b),
        );
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    compare_at(&a, &b, |c| c.is_alphabetic(), |c| c.is_ascii_digit(), |c| u32::from(*c))
}

fn compare_at<T: PartialEq>(
    a: &[T],
    b: &[T],
    letter: impl Fn(&T) -> bool,
    digit: impl Fn(&T) -> bool,
    code: impl Fn(&T) -> u32,
) -> Ordering {
    let Some(at) = a.iter().zip(b).position(|(a, b)| a != b) else { return a.len().cmp(&b.len()) };
    let (one, other) = (&a[at], &b[at]);
    match (letter(one), letter(other)) {
        (true, true) => return code(one).cmp(&code(other)),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let zero = u32::from(b'0');
    // A zero inside a number counts as a digit of it.
    let inside = (code(one) == zero || code(other) == zero)
        && a[..at].iter().rev().take_while(|c| digit(c)).any(|c| code(c) != zero);
    let read = |text: &[T]| {
        let digits = text[at..].iter().take_while(|c| digit(c));
        digits.fold((i64::from(inside), 0_usize), |(value, length), c| {
            (value.wrapping_mul(10).wrapping_add(i64::from(code(c)) - i64::from(zero)), length + 1)
        })
    };
    let ((one_value, one_length), (other_value, other_length)) = (read(a), read(b));
    one_value.cmp(&other_value).then(one_length.cmp(&other_length)).then(code(one).cmp(&code(other)))
}
