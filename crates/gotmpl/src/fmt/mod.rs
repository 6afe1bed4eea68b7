//! Go's `fmt` for values: `Sprint`, `Sprintf`, `Sprintln` with all verbs and flags of Go 1.26.

mod float;
mod pad;
mod printer;
mod scan;

use crate::value::{Str, Value};

pub(crate) use float::format_float;
use printer::Printer;

/// Formats as `fmt.Sprintf`: wrong verbs print as `%!d(string=x)`, missing arguments as `%!d(MISSING)`.
pub fn sprintf(format: &str, args: &[Value]) -> Str {
    sprintf_bytes(format.as_bytes(), args)
}

/// Formats as `fmt.Sprintf` with a format that need not be UTF-8.
pub(crate) fn sprintf_bytes(format: &[u8], args: &[Value]) -> Str {
    let mut printer = Printer::default();
    scan::run(&mut printer, format, args);
    printer.buf.into()
}

/// Formats as `fmt.Sprint`: a space between two operands when neither is a string.
pub fn sprint(args: &[Value]) -> Str {
    let mut printer = Printer::default();
    let mut after_string = false;
    for (i, arg) in args.iter().enumerate() {
        let string = matches!(arg, Value::Str(_));
        if i > 0 && !string && !after_string {
            printer.buf.push(b' ');
        }
        printer.print_arg(arg, 'v');
        after_string = string;
    }
    printer.buf.into()
}

/// Formats as `fmt.Sprintln`: spaces between all operands and a newline.
pub fn sprintln(args: &[Value]) -> Str {
    let mut printer = Printer::default();
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            printer.buf.push(b' ');
        }
        printer.print_arg(arg, 'v');
    }
    printer.buf.push(b'\n');
    printer.buf.into()
}

/// Prints one value as `%v` at the end of a buffer.
pub(crate) fn print_to(out: &mut Vec<u8>, value: &Value) {
    let mut printer = Printer { buf: std::mem::take(out), ..Printer::default() };
    printer.start_len = printer.buf.len();
    printer.print_arg(value, 'v');
    *out = printer.buf;
}

/// Prints one value as an action does: a pointer as what it points to.
pub(crate) fn print_pointee_to(out: &mut Vec<u8>, value: &Value) {
    let start = out.len();
    print_to(out, value);
    if matches!(value, Value::Native(object) if object.kind() == crate::types::Kind::Pointer)
        && out.get(start) == Some(&b'&')
    {
        out.remove(start);
    }
}

/// Quotes as `strconv.Quote`.
pub fn quote(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    quote_with(&mut out, text.as_bytes(), b'"', false);
    String::from_utf8_lossy(&out).into_owned()
}

/// Quotes bytes as `strconv.AppendQuote`, or with `ascii` as `AppendQuoteToASCII`.
pub(crate) fn quote_with(out: &mut Vec<u8>, bytes: &[u8], mark: u8, ascii: bool) {
    out.push(mark);
    // Most texts need no escape from the first byte to the last.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != mark && *byte != b'\\';
    let plain = bytes.iter().position(|byte| !is_plain(byte)).unwrap_or(bytes.len());
    out.extend_from_slice(&bytes[..plain]);
    for chunk in bytes[plain..].utf8_chunks() {
        chunk.valid().chars().for_each(|c| quote_char(out, c, mark, ascii));
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
    out.push(mark);
}

fn quote_char(out: &mut Vec<u8>, c: char, mark: u8, ascii: bool) {
    let escaped = match c {
        '\\' => Some('\\'),
        c if c == char::from(mark) => Some(c),
        '\u{7}' => Some('a'),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\u{b}' => Some('v'),
        _ => None,
    };
    let code = u32::from(c);
    let text = match escaped {
        Some(c) => format!("\\{c}"),
        None if is_print(c) && (c.is_ascii() || !ascii) => c.to_string(),
        None if code < 0x20 || code == 0x7f => format!("\\x{code:02x}"),
        None if code < 0x1_0000 => format!("\\u{code:04x}"),
        None => format!("\\U{code:08x}"),
    };
    out.extend_from_slice(text.as_bytes());
}

/// Tells whether Go prints a character as it is (`unicode.IsPrint`).
pub(crate) fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // Rust escapes what Unicode does not call printable; a combining mark only at a string's start.
    let text: String = ['a', c].iter().collect();
    !format!("{text:?}").contains('\\')
}
