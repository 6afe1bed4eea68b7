//! Shell patterns at the start of a text: `*`, `?`, `[a-z]`, `[^a-z]` and `\` before a character.

enum Step {
    /// Any number of characters, slashes too.
    Many,
    Any,
    One(char),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Which of the matching starts of a text is meant.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Reach {
    Shortest,
    Longest,
}

/// Returns how many bytes at the start of a text the pattern matches; at least one, none if it does not match.
///
/// Go looks at starts that end inside a character too; each byte of such a piece counts as one character.
pub(super) fn match_start(pattern: &str, text: &str, reach: Reach) -> Option<usize> {
    let steps = steps(pattern)?;
    let mut states = vec![false; steps.len() + 1];
    states[0] = true;
    skip_many(&steps, &mut states);
    let mut found = None;
    for (at, c) in text.char_indices() {
        let mut broken = states.clone();
        for bytes in 1..c.len_utf8() {
            broken = advance(&steps, &broken, '\u{fffd}');
            if broken[steps.len()] {
                found = Some(at + bytes);
            }
            if found.is_some() && reach == Reach::Shortest {
                return found;
            }
        }
        states = advance(&steps, &states, c);
        if states[steps.len()] {
            found = Some(at + c.len_utf8());
        }
        if found.is_some() && reach == Reach::Shortest {
            return found;
        }
    }
    found
}

/// Returns the states after one more character; a state is the number of steps that are done.
fn advance(steps: &[Step], states: &[bool], c: char) -> Vec<bool> {
    let mut next = vec![false; states.len()];
    for (place, step) in steps.iter().enumerate().filter(|(place, _)| states[*place]) {
        match step {
            Step::Many => next[place] = true,
            step => next[place + 1] |= step.takes(c),
        }
    }
    skip_many(steps, &mut next);
    next
}

fn skip_many(steps: &[Step], states: &mut [bool]) {
    for (place, step) in steps.iter().enumerate() {
        if states[place] && matches!(step, Step::Many) {
            states[place + 1] = true;
        }
    }
}

impl Step {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Many | Self::Any => true,
            Self::One(wanted) => *wanted == c,
            Self::Class { negated, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated,
        }
    }
}

/// Reads a pattern; none if it is malformed.
fn steps(pattern: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        steps.push(match c {
            '*' => Step::Many,
            '?' => Step::Any,
            '\\' => Step::One(chars.next()?),
            '[' => class(&mut chars)?,
            c => Step::One(c),
        });
    }
    Some(steps)
}

fn class(chars: &mut std::str::Chars) -> Option<Step> {
    let negated = chars.as_str().starts_with('^');
    if negated {
        chars.next();
    }
    let mut ranges = Vec::new();
    loop {
        let low = match chars.next()? {
            ']' if !ranges.is_empty() => return Some(Step::Class { negated, ranges }),
            ']' | '-' => return None,
            '\\' => chars.next()?,
            c => c,
        };
        let mut high = low;
        if chars.as_str().starts_with('-') {
            chars.next();
            high = match chars.next()? {
                ']' | '-' => return None,
                '\\' => chars.next()?,
                c => c,
            };
        }
        ranges.push((low, high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_starts_of_texts() {
        for (pattern, text, shortest, longest) in [
            ("*", "abc", Some(1), Some(3)),
            ("a*", "abc", Some(1), Some(3)),
            ("*/", "a/b/c", Some(2), Some(4)),
            ("[a-c]?", "abc", Some(2), Some(2)),
            ("[^a]", "abc", None, None),
            ("[", "[", None, None),
            (r"\*", "*", Some(1), Some(1)),
            ("", "abc", None, None),
        ] {
            assert_eq!(match_start(pattern, text, Reach::Shortest), shortest, "{pattern}");
            assert_eq!(match_start(pattern, text, Reach::Longest), longest, "{pattern}");
        }
    }
}
