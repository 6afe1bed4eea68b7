//! Parses rules.

use std::str::FromStr;

use super::{
    expression,
    lines::{Line, nest},
    syntax::{ConditionArm, Expr, StatusOf, Step, SwitchArm, Verdict},
};
use crate::Status;

/// A rule: its steps.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) steps: Vec<Step>,
}

/// What is wrong with a rule's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct SyntaxError {
    /// The line in the rule's text, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl SyntaxError {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// Splits a file into its rules without parsing them: the kinds that each is about, and its text.
pub fn kinds_of(file: &str) -> Vec<(Vec<&str>, &str)> {
    let starts: Vec<usize> = std::iter::once(0)
        .chain(file.match_indices('\n').map(|(place, _)| place + 1))
        .filter(|start| file[*start..].starts_with("kind "))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([file.len()]);
    let rules = starts.iter().zip(ends).map(|(start, end)| &file[*start..end]);
    rules
        .map(|text| {
            let (head, body) = text.split_once('\n').unwrap_or((text, ""));
            (head.split_whitespace().skip(1).collect(), body)
        })
        .collect()
}

/// Parses the text below a rule's `kind` line.
pub fn parse_rule(text: &str) -> Result<Rule, SyntaxError> {
    let indented = nest(text)?;
    Ok(Rule { steps: steps(&indented)? })
}

fn steps(lines: &[Line<'_>]) -> Result<Vec<Step>, SyntaxError> {
    let mut parsed: Vec<Step> = Vec::with_capacity(lines.len());
    for line in lines {
        if let Some(rest) = line.text.strip_prefix("else") {
            let Some(Step::If(_, _, otherwise)) = parsed.last_mut() else {
                return Err(SyntaxError::new(line.number, "`else` follows no `if`"));
            };
            add_else(otherwise, rest.trim(), line)?;
            continue;
        }
        parsed.push(step(line.text, line)?);
    }
    Ok(parsed)
}

/// Reads `else: STEP`, `else if EXPR: STEP` or a block, and puts it at the end of a chain of alternatives.
fn add_else(otherwise: &mut Vec<Step>, rest: &str, line: &Line<'_>) -> Result<(), SyntaxError> {
    let steps = match rest.strip_prefix(':') {
        Some(text) => block(text.trim(), line)?,
        None if rest.is_empty() => steps(&line.below)?,
        None => vec![step(rest, line)?],
    };
    append(otherwise, steps);
    Ok(())
}

fn append(otherwise: &mut Vec<Step>, steps: Vec<Step>) {
    if matches!(otherwise.as_slice(), [Step::If(..)]) {
        if let Some(Step::If(_, _, next)) = otherwise.first_mut() {
            append(next, steps);
        }
    } else {
        *otherwise = steps;
    }
}

/// Parses a step that stands in one line, or a line's block.
fn block(text: &str, line: &Line<'_>) -> Result<Vec<Step>, SyntaxError> {
    if text.is_empty() { steps(&line.below) } else { Ok(vec![step(text, line)?]) }
}

fn step(text: &str, line: &Line<'_>) -> Result<Step, SyntaxError> {
    let (word, rest) = text.split_once(' ').map_or((text, ""), |(word, rest)| (word, rest.trim()));
    let expr = |text: &str| expression::parse(text).map_err(|message| SyntaxError::new(line.number, message));
    match word {
        "stop" => Ok(Step::Stop),
        "say" => Ok(Step::Say(expr(rest)?)),
        "set" => Ok(Step::Set(verdict(rest, line)?)),
        "let" => {
            let (name, value) =
                rest.split_once('=').ok_or_else(|| SyntaxError::new(line.number, "expected `let name = value`"))?;
            Ok(Step::Let(name.trim().to_owned(), expr(value)?))
        }
        "if" => {
            let (condition, then) = split_colon(rest).unwrap_or((rest, ""));
            Ok(Step::If(expr(condition)?, block(then.trim(), line)?, Vec::new()))
        }
        "each" => {
            let (name, list) =
                rest.split_once(" in ").ok_or_else(|| SyntaxError::new(line.number, "expected `each name in list`"))?;
            Ok(Step::Each(name.trim().to_owned(), expr(list)?, steps(&line.below)?))
        }
        "conditions" => {
            let list = if rest.is_empty() { "status.conditions" } else { rest };
            Ok(Step::Conditions(expr(list)?, line.below.iter().map(condition_arm).collect::<Result<_, _>>()?))
        }
        "switch" => Ok(Step::Switch(expr(rest)?, line.below.iter().map(switch_arm).collect::<Result<_, _>>()?)),
        _ => Ok(Step::End(verdict(text, line)?)),
    }
}

fn verdict(text: &str, line: &Line<'_>) -> Result<Verdict, SyntaxError> {
    let expr = |text: &str| -> Result<Expr, SyntaxError> {
        expression::parse(text).map_err(|message| SyntaxError::new(line.number, message))
    };
    let (word, rest) = text.split_once(' ').map_or((text, ""), |(word, rest)| (word, rest.trim()));
    if word == "status" {
        let (status, message) = rest.split_once(" saying ").map_or((rest, ""), |(status, message)| (status, message));
        let message = if message.is_empty() { None } else { Some(expr(message)?) };
        return Ok(Verdict { status: StatusOf::Computed(expr(status)?), message });
    }
    let status =
        Status::from_str(word).map_err(|_| SyntaxError::new(line.number, format!("`{word}` begins no step")))?;
    let message = if rest.is_empty() { None } else { Some(expr(rest)?) };
    Ok(Verdict { status: StatusOf::Fixed(status), message })
}

fn condition_arm(line: &Line<'_>) -> Result<ConditionArm, SyntaxError> {
    let (head, body) = arm(line)?;
    let (pattern, guard) = head.split_once(" if ").map_or((head, None), |(pattern, guard)| (pattern, Some(guard)));
    let (types, rest) = pattern.split_once('=').unwrap_or((pattern, "*"));
    let (statuses, reasons) = rest.split_once('/').unwrap_or((rest, "*"));
    let guard = guard.map(expression::parse).transpose().map_err(|message| SyntaxError::new(line.number, message))?;
    Ok(ConditionArm {
        types: alternatives(types),
        statuses: alternatives(statuses),
        reasons: alternatives(reasons),
        guard,
        steps: block(body, line)?,
    })
}

fn switch_arm(line: &Line<'_>) -> Result<SwitchArm, SyntaxError> {
    let (head, body) = arm(line)?;
    Ok(SwitchArm { values: alternatives(head), steps: block(body, line)? })
}

fn arm<'l>(line: &Line<'l>) -> Result<(&'l str, &'l str), SyntaxError> {
    match split_colon(line.text) {
        Some((head, body)) => Ok((head.trim(), body.trim())),
        None if !line.below.is_empty() => Ok((line.text, "")),
        None => Err(SyntaxError::new(line.number, "expected `what fits: steps`")),
    }
}

/// Reads `a|b c|d`; `*` is any. A word may stand in quotes, which is how the empty one is written.
fn alternatives(text: &str) -> Vec<String> {
    match text.trim() {
        "*" => Vec::new(),
        text => text.split('|').map(|word| word.trim().trim_matches('"').to_owned()).collect(),
    }
}

/// Splits at the first colon outside of quotes and brackets.
fn split_colon(text: &str) -> Option<(&str, &str)> {
    let mut open = 0usize;
    let mut quoted = false;
    for (place, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => open += 1,
            ')' | ']' if !quoted => open = open.saturating_sub(1),
            ':' if !quoted && open == 0 => return Some((&text[..place], &text[place + 1..])),
            _ => {}
        }
    }
    None
}
