//! Reads a format: flags, widths, argument indexes, verbs.

use super::{pad::Flags, printer::Printer};
use crate::{convert::as_int, value::Value};

/// Go takes no width or precision above a million.
const TOO_LARGE: i64 = 1_000_000;

struct Scan<'a> {
    format: &'a [u8],
    args: &'a [Value],
    at: usize,
    arg: usize,
    reordered: bool,
    good_index: bool,
    after_index: bool,
}

/// Formats into the printer.
pub(super) fn run(printer: &mut Printer, format: &[u8], args: &[Value]) {
    let mut scan = Scan { format, args, at: 0, arg: 0, reordered: false, good_index: true, after_index: false };
    while scan.at < format.len() {
        let literal = format[scan.at..].iter().position(|b| *b == b'%').unwrap_or(format.len() - scan.at);
        printer.buf.extend_from_slice(&format[scan.at..scan.at + literal]);
        scan.at += literal;
        if scan.at >= format.len() || printer.is_full() {
            break;
        }
        scan.at += 1;
        scan.good_index = true;
        scan.after_index = false;
        printer.flags = Flags::default();
        scan.directive(printer);
    }
    if !scan.reordered && scan.arg < args.len() {
        extra(printer, &args[scan.arg..]);
    }
}

fn extra(printer: &mut Printer, args: &[Value]) {
    printer.flags = Flags::default();
    printer.buf.extend_from_slice(b"%!(EXTRA ");
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            printer.buf.extend_from_slice(b", ");
        }
        if arg.is_nil() {
            printer.buf.extend_from_slice(b"<nil>");
        } else {
            printer.buf.extend_from_slice(arg.type_name().as_bytes());
            printer.buf.push(b'=');
            printer.print_arg(arg, 'v');
        }
    }
    printer.buf.push(b')');
}

impl Scan<'_> {
    fn byte(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn directive(&mut self, printer: &mut Printer) {
        self.flags(&mut printer.flags);
        self.index();
        self.width(printer);
        if self.byte() == Some(b'.') {
            self.precision(printer);
        }
        if !self.after_index {
            self.index();
        }
        let Some(verb) = self.verb() else {
            printer.buf.extend_from_slice(b"%!(NOVERB)");
            return;
        };
        let flags = &mut printer.flags;
        if verb == '%' {
            printer.buf.push(b'%');
        } else if !self.good_index {
            printer.buf.extend_from_slice(format!("%!{verb}(BADINDEX)").as_bytes());
        } else if self.arg >= self.args.len() {
            printer.buf.extend_from_slice(format!("%!{verb}(MISSING)").as_bytes());
        } else {
            if matches!(verb, 'v' | 'w') {
                (flags.sharp_v, flags.sharp) = (flags.sharp, false);
                (flags.plus_v, flags.plus) = (flags.plus, false);
            }
            printer.print_arg(&self.args[self.arg], verb);
            self.arg += 1;
        }
    }

    fn flags(&mut self, flags: &mut Flags) {
        while let Some(byte) = self.byte() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    fn verb(&mut self) -> Option<char> {
        let rest = &self.format[self.at..];
        let first = rest.utf8_chunks().next()?;
        let c = first.valid().chars().next().unwrap_or('\u{fffd}');
        self.at += if first.valid().is_empty() { 1 } else { c.len_utf8() };
        Some(c)
    }

    /// Reads `[n]`.
    fn index(&mut self) {
        if self.byte() != Some(b'[') {
            self.after_index = false;
            return;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let Some(close) = rest.iter().position(|b| *b == b']') else {
            self.good_index = false;
            self.at += 1;
            return;
        };
        let number = std::str::from_utf8(&rest[1..close]).ok().and_then(|text| text.parse::<usize>().ok());
        self.at += close + 1;
        match number {
            Some(n) if n >= 1 && n <= self.args.len() => {
                self.arg = n - 1;
                self.after_index = true;
            }
            _ => {
                self.good_index = false;
                self.after_index = number.is_some();
            }
        }
    }

    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        let mut value: i64 = 0;
        while let Some(digit) = self.byte().filter(u8::is_ascii_digit) {
            if value > TOO_LARGE {
                self.at = self.format.len();
                return None;
            }
            value = value * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        (self.at > start).then_some(value as usize)
    }

    /// Takes a `*` width or precision from the arguments.
    fn star(&mut self) -> Option<i64> {
        self.at += 1;
        let value = self.args.get(self.arg)?;
        self.arg += 1;
        as_int(value).filter(|n| n.abs() <= TOO_LARGE)
    }

    fn width(&mut self, printer: &mut Printer) {
        if self.byte() == Some(b'*') {
            match self.star() {
                Some(n) => {
                    printer.flags.width = Some(n.unsigned_abs() as usize);
                    if n < 0 {
                        printer.flags.minus = true;
                        printer.flags.zero = false;
                    }
                }
                None => printer.buf.extend_from_slice(b"%!(BADWIDTH)"),
            }
            self.after_index = false;
            return;
        }
        printer.flags.width = self.number();
        if self.after_index && printer.flags.width.is_some() {
            self.good_index = false;
        }
    }

    fn precision(&mut self, printer: &mut Printer) {
        self.at += 1;
        if self.after_index {
            self.good_index = false;
        }
        self.index();
        if self.byte() == Some(b'*') {
            match self.star() {
                Some(n) if n >= 0 => printer.flags.precision = Some(n as usize),
                _ => printer.buf.extend_from_slice(b"%!(BADPREC)"),
            }
            self.after_index = false;
            return;
        }
        printer.flags.precision = Some(self.number().unwrap_or(0));
    }
}
