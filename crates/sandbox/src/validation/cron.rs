//! The schedules of CronJobs, with the errors of the parser that Kubernetes uses (robfig/cron v3).

use crate::status::go_quote;

/// The fields of a schedule: their bounds and the names that may stand for numbers.
const FIELDS: [(u32, u32, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    (0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];
const WORDS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Checks a schedule.
///
/// # Errors
/// What the parser says of it.
pub(crate) fn check(schedule: &str) -> Result<(), String> {
    let mut rest = schedule;
    if rest.starts_with("TZ=") || rest.starts_with("CRON_TZ=") {
        rest = rest.split_once(' ').map_or("", |(_, rest)| rest).trim();
    }
    if let Some(duration) = rest.strip_prefix("@every ") {
        let fine = duration.ends_with(['s', 'm', 'h']) && duration.starts_with(|c: char| c.is_ascii_digit());
        let problem = format!("failed to parse duration {rest}: time: invalid duration {}", go_quote(duration));
        return if fine { Ok(()) } else { Err(problem) };
    }
    if rest.starts_with('@') {
        return if WORDS.contains(&rest) { Ok(()) } else { Err(format!("unrecognized descriptor: {rest}")) };
    }
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let list = format!("[{}]", fields.join(" "));
        return Err(format!("expected exactly 5 fields, found {}: {list}", fields.len()));
    }
    fields.iter().zip(FIELDS).try_for_each(|(field, bounds)| check_field(field, bounds))
}

fn check_field(field: &str, bounds: (u32, u32, &[&str])) -> Result<(), String> {
    field.split(',').filter(|part| !part.is_empty()).try_for_each(|part| check_range(part, bounds))
}

fn check_range(text: &str, (least, most, names): (u32, u32, &[&str])) -> Result<(), String> {
    let parts: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let number = |word: &str| {
        let lower = word.to_lowercase();
        match names.iter().position(|name| !name.is_empty() && *name == lower) {
            Some(number) => Ok(u32::try_from(number).unwrap_or_default()),
            None => parse_number(word),
        }
    };
    let (start, mut end) = match ends.as_slice() {
        ["*" | "?"] => (least, most),
        [one] => number(one).map(|one| (one, one))?,
        [first, last] => (number(first)?, number(last)?),
        _ => return Err(format!("too many hyphens: {text}")),
    };
    match parts.as_slice() {
        [_] => {}
        [_, step] => {
            if parse_number(step)? == 0 {
                return Err(format!("step of range should be a positive number: {text}"));
            }
            // "N/step" means "N-max/step".
            if ends.len() == 1 {
                end = most;
            }
        }
        _ => return Err(format!("too many slashes: {text}")),
    }
    if start < least {
        return Err(format!("beginning of range ({start}) below minimum ({least}): {text}"));
    }
    if end > most {
        return Err(format!("end of range ({end}) above maximum ({most}): {text}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    Ok(())
}

fn parse_number(word: &str) -> Result<u32, String> {
    match word.parse::<i64>() {
        Ok(number) if number < 0 => Err(format!("negative number ({number}) not allowed: {word}")),
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        Err(_) => {
            Err(format!("failed to parse int from {word}: strconv.Atoi: parsing {}: invalid syntax", go_quote(word)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_as_the_server_reads_them() {
        for (schedule, expect) in [
            ("*/5 * * * *", ""),
            ("0 0 1 jan mon-fri", ""),
            ("@hourly", ""),
            ("@every 5m", ""),
            ("61 * * * *", "end of range (61) above maximum (59): 61"),
            ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
            ("@nope", "unrecognized descriptor: @nope"),
            ("a * * * *", "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
        ] {
            assert_eq!(check(schedule).err().unwrap_or_default(), expect, "{schedule}");
        }
    }
}
