//! How a text is written: plain if it stays a text, else quoted, or as a block of lines.

use super::{
    print::{Printer, Role},
    resolve::{Resolved, resolve_plain},
};

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// Writes a text in the style that yaml.v2 would choose.
pub(super) fn text(printer: &mut Printer, text: &str, indent: Option<usize>, role: Role) {
    let folds = role != Role::SimpleKey;
    let inner = Printer::inner_indent(indent);
    match style(text, role) {
        Style::Plain => plain(printer, text, inner, folds),
        Style::Single => single(printer, text, inner, folds),
        Style::Double => double(printer, text, inner, folds),
        Style::Literal => literal(printer, text, inner),
    }
}

fn style(text: &str, role: Role) -> Style {
    let facts = Facts::of(text);
    let key = role == Role::SimpleKey;
    if text.contains('\n') {
        return if key || !facts.block { Style::Double } else { Style::Literal };
    }
    if !matches!(resolve_plain(text, true), Resolved::Text(_)) || is_base_60(text) {
        return Style::Double;
    }
    if facts.plain && !(key && text.contains(is_break)) {
        Style::Plain
    } else if facts.single {
        Style::Single
    } else {
        Style::Double
    }
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// yaml.v2 knows no characters beyond the basic plane; it escapes them.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

/// Tells whether YAML 1.1 would read `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`, a number to the base 60.
fn is_base_60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let mut rest: Vec<&str> = parts.collect();
    let Some(last) = rest.last_mut() else { return false };
    if let Some((whole, fraction)) = last.split_once('.') {
        if !fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
            return false;
        }
        *last = whole;
    }
    first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
        && rest.iter().all(|part| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']))
}

/// In which styles a text can be written.
struct Facts {
    plain: bool,
    single: bool,
    block: bool,
}

impl Facts {
    fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self { plain: true, single: true, block: false };
        }
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut special, mut breaks, mut break_space, mut space_break) = (false, false, false, false);
        let mut before: Option<char> = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let blank_follows = chars.peek().is_none_or(|c| matches!(c, ' ' | '\t'));
            let blank_before = before.is_none_or(|c| matches!(c, ' ' | '\t') || is_break(c));
            indicators |= match c {
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
                    before.is_none()
                }
                '?' | '-' => before.is_none() && blank_follows,
                ':' => blank_follows,
                '#' => blank_before,
                _ => false,
            };
            special |= !is_printable(c);
            breaks |= is_break(c);
            break_space |= c == ' ' && before.is_some_and(is_break);
            space_break |= is_break(c) && before == Some(' ');
            before = Some(c);
        }
        let open_start = text.starts_with(|c| c == ' ' || is_break(c));
        let trailing_space = text.ends_with(' ');
        let bad = space_break || special;
        Self {
            plain: !(open_start || trailing_space || breaks || bad || indicators),
            single: !(break_space || bad),
            block: !(trailing_space || bad),
        }
    }
}

fn plain(printer: &mut Printer, text: &str, indent: usize, folds: bool) {
    printer.indicator("", true, false);
    lines(printer, text, indent, folds, false);
    printer.indention = false;
}

fn single(printer: &mut Printer, text: &str, indent: usize, folds: bool) {
    printer.indicator("'", true, false);
    lines(printer, text, indent, folds, true);
    printer.indicator("'", false, false);
}

/// Writes the characters of a plain or single-quoted text and folds long lines at single spaces.
fn lines(printer: &mut Printer, text: &str, indent: usize, folds: bool, quoted: bool) {
    let (mut spaces, mut breaks) = (false, false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == ' ' {
            let inside = !quoted || (at > 0 && at < text.len() - 1);
            let space_follows = chars.peek().is_some_and(|(_, c)| *c == ' ');
            if folds && !spaces && printer.is_full() && inside && !space_follows {
                printer.write_indent(indent);
            } else {
                printer.put(c);
            }
            spaces = true;
        } else if is_break(c) {
            printer.put_break(c);
            printer.indention = true;
            breaks = true;
        } else {
            if breaks {
                printer.write_indent(indent);
            }
            if quoted && c == '\'' {
                printer.put('\'');
            }
            printer.put(c);
            printer.indention = false;
            spaces = false;
            breaks = false;
        }
    }
}

fn double(printer: &mut Printer, text: &str, indent: usize, folds: bool) {
    printer.indicator("\"", true, false);
    // yaml.v2 looks for a byte order mark at the start of the text when it means the character.
    let escapes_all = text.starts_with('\u{feff}');
    let mut spaces = false;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if escapes_all || !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
            escape(printer, c);
            spaces = false;
        } else if c == ' ' {
            if folds && !spaces && printer.is_full() && at > 0 && at < text.len() - 1 {
                printer.write_indent(indent);
                if chars.peek().is_some_and(|(_, c)| *c == ' ') {
                    printer.put('\\');
                }
            } else {
                printer.put(c);
            }
            spaces = true;
        } else {
            printer.put(c);
            spaces = false;
        }
    }
    printer.indicator("\"", false, false);
}

fn escape(printer: &mut Printer, c: char) {
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
        '"' | '\\' => c,
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            let code = u32::from(c);
            let escaped = match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
            printer.out.push_str(&escaped);
            printer.column += escaped.len();
            return;
        }
    };
    printer.put('\\');
    printer.put(short);
}

fn literal(printer: &mut Printer, text: &str, indent: usize) {
    printer.indicator("|", true, false);
    if text.starts_with(|c| c == ' ' || is_break(c)) {
        printer.indicator("2", false, false);
    }
    let mut end = text.chars().rev();
    match (end.next().is_some_and(is_break), end.next().is_none_or(is_break)) {
        (false, _) => printer.indicator("-", false, false),
        (true, true) => printer.indicator("+", false, false),
        (true, false) => {}
    }
    printer.put_break('\n');
    printer.indention = true;
    printer.whitespace = true;
    let mut breaks = true;
    for c in text.chars() {
        if is_break(c) {
            printer.put_break(c);
            printer.indention = true;
            breaks = true;
        } else {
            if breaks {
                printer.write_indent(indent);
            }
            printer.put(c);
            printer.indention = false;
            breaks = false;
        }
    }
}
