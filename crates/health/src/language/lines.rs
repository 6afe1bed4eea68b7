//! Lines by indentation.

use super::parse::SyntaxError;

/// A line and the lines indented below it.
#[derive(Debug)]
pub struct Line<'a> {
    /// The line's number in the rule's text, from 1.
    pub number: usize,
    /// The text, trimmed.
    pub text: &'a str,
    /// What is indented below.
    pub below: Vec<Line<'a>>,
}

/// Deeper than any rule that a person can read; bounds the recursion.
const DEEPEST: usize = 24;

/// Nests the lines of a text; empty lines and lines that begin with `#` are left out.
pub fn nest(text: &str) -> Result<Vec<Line<'_>>, SyntaxError> {
    let flat: Vec<(usize, usize, &str)> = text
        .lines()
        .enumerate()
        .map(|(place, line)| (place + 1, line.len() - line.trim_start().len(), line.trim()))
        .filter(|(_, _, line)| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let mut rest = flat.as_slice();
    let outermost = flat.first().map_or(0, |(_, indent, _)| *indent);
    let lines = take(&mut rest, outermost, 0)?;
    match rest.first() {
        None => Ok(lines),
        Some((number, _, _)) => Err(SyntaxError::new(*number, "the indentation fits no line above")),
    }
}

fn take<'a>(rest: &mut &[(usize, usize, &'a str)], indent: usize, depth: usize) -> Result<Vec<Line<'a>>, SyntaxError> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    while let Some(&(number, at, text)) = rest.first() {
        if at < indent {
            break;
        }
        if at == indent {
            *rest = &rest[1..];
            lines.push(Line { number, text, below: Vec::new() });
            continue;
        }
        if depth > DEEPEST {
            return Err(SyntaxError::new(number, "nested too deep"));
        }
        let Some(parent) = lines.last_mut() else {
            return Err(SyntaxError::new(number, "the indentation fits no line above"));
        };
        parent.below = take(rest, at, depth + 1)?;
    }
    Ok(lines)
}
