//! `index.yaml` of a Helm repository: the versions of one chart, without holding the rest.
//!
//! An index has tens of megabytes and hundreds of charts. Block YAML tells by its indentation where a chart's list
//! begins and ends, so the file is read line by line and only that list is parsed. An index that is written otherwise
//! (JSON, anchors) is read whole, up to [`WHOLE`].

use std::io::{BufRead, Read};

use lockstep_object::{Value, yaml};

use crate::{Error, ErrorKind, Result, artifacts::blobs};

/// The largest index in another form than Helm writes that is read.
const WHOLE: u64 = 64 << 20;
/// The longest line; charts carry annotations with whole documents in them.
const LONGEST_LINE: u64 = 4 << 20;

/// One version of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) version: String,
    /// As written: absolute, or from the repository's URL.
    pub(crate) url: String,
    /// `sha256:…`
    pub(crate) digest: Option<String>,
}

/// Returns the versions of a chart in the index's order; nothing if the index does not have the chart. `open` begins
/// at the index's start each time.
pub(crate) fn releases<R: BufRead>(open: impl Fn() -> std::io::Result<R>, chart: &str) -> Result<Option<Vec<Release>>> {
    let failed = |error: std::io::Error| Error::storage("the index cannot be read", error);
    let list = match cut(open().map_err(failed)?, chart).map_err(failed)? {
        Cut::Missing => return Ok(None),
        // What the list alone does not tell (an anchor before it) the whole index does.
        Cut::List(text) => yaml::parse(&text).ok().and_then(|value| value.get("list").cloned()),
        Cut::Unknown => None,
    };
    match list {
        Some(list) => Ok(Some(read(&list))),
        None => whole(open().map_err(failed)?, chart),
    }
}

/// What the lines of an index tell about a chart.
#[derive(Debug, PartialEq, Eq)]
enum Cut {
    /// The chart's list below the key `list`.
    List(String),
    /// The chart is not there.
    Missing,
    /// It is not written as Helm writes it.
    Unknown,
}

fn cut(mut reader: impl BufRead, chart: &str) -> std::io::Result<Cut> {
    let mut line = Vec::new();
    let mut place = Lines::Before;
    let mut found: Option<String> = None;
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if read as u64 == LONGEST_LINE {
            return Ok(Cut::Unknown);
        }
        let Ok(text) = std::str::from_utf8(&line) else { return Ok(Cut::Unknown) };
        let content = text.trim_start_matches(' ');
        let indent = text.len() - content.len();
        let blank = content.trim_end().is_empty();
        match place.take(indent, content, blank) {
            Step::Skip => {}
            Step::Inside => found.iter_mut().for_each(|found| found.push_str(text)),
            Step::Key(key) => {
                if found.is_some() {
                    break;
                }
                found = (key == chart).then(|| "list:\n".to_owned());
            }
            Step::End => break,
            Step::Unknown => return Ok(Cut::Unknown),
        }
    }
    Ok(match (found, place) {
        (Some(text), _) => Cut::List(text),
        (None, Lines::Entries(_)) => Cut::Missing,
        (None, Lines::Before) => Cut::Unknown,
    })
}

/// Where in the index a line stands.
enum Lines {
    /// Before `entries:`.
    Before,
    /// Below it; the indentation of its keys once it is known.
    Entries(Option<usize>),
}

/// What a line is.
enum Step<'a> {
    Skip,
    /// It belongs to the chart whose key came last.
    Inside,
    /// The key of a chart.
    Key(&'a str),
    /// The entries are over.
    End,
    Unknown,
}

impl Lines {
    fn take<'a>(&mut self, indent: usize, content: &'a str, blank: bool) -> Step<'a> {
        let is_comment = content.starts_with('#');
        match self {
            Self::Before => match content.trim_end() {
                "entries:" if indent == 0 => {
                    *self = Self::Entries(None);
                    Step::Skip
                }
                // Documents in another form than Helm writes.
                text if indent == 0 && text.starts_with(['{', '"', '\'', '?', '%', '<', '&', '!', '\t']) => {
                    Step::Unknown
                }
                text if indent == 0 && text.starts_with("entries") => Step::Unknown,
                _ => Step::Skip,
            },
            // A block text may have empty lines and lines that look like comments.
            Self::Entries(_) if blank => Step::Inside,
            Self::Entries(Some(keys)) if is_comment && indent > *keys => Step::Inside,
            Self::Entries(_) if is_comment => Step::Skip,
            Self::Entries(keys) => {
                let keys = *keys.get_or_insert(indent);
                match indent {
                    0 => Step::End,
                    indent if indent < keys => Step::Unknown,
                    indent if indent > keys || content.starts_with("- ") => Step::Inside,
                    _ => key_of(content).map_or(Step::Unknown, Step::Key),
                }
            }
        }
    }
}

/// Reads `name:` with nothing behind it.
fn key_of(content: &str) -> Option<&str> {
    let key = content.trim_end().strip_suffix(':')?;
    let plain =
        |key: &str| !key.is_empty() && !key.contains([' ', '"', '\'', '\t', '#', ':', '\\', '&', '*', '!', '?']);
    let unquoted = ['"', '\''].iter().find_map(|quote| key.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(key);
    plain(unquoted).then_some(unquoted)
}

fn whole(reader: impl BufRead, chart: &str) -> Result<Option<Vec<Release>>> {
    let bad = |why: &str| {
        Error::new(ErrorKind::NotAnArtifact, format!("the index cannot be read: {why}"))
            .hint("is this the URL of a Helm repository? It is the folder of its index.yaml")
    };
    let mut text = String::new();
    let size = reader.take(WHOLE + 1).read_to_string(&mut text).map_err(|error| bad(&error.to_string()))?;
    if size as u64 > WHOLE {
        return Err(Error::new(ErrorKind::TooLarge, format!("an index of this form may have {} MiB", WHOLE >> 20)));
    }
    let value = yaml::parse(&text).map_err(|diagnostic| bad(&diagnostic.message))?;
    let entries = value.get("entries").and_then(Value::as_map).ok_or_else(|| bad("it has no entries"))?;
    Ok(entries.get(chart).map(read))
}

/// Reads a chart's list; versions without a version or an address do not count, as in Helm.
fn read(list: &Value) -> Vec<Release> {
    let one = |item: &Value| {
        // A digest that is no text (only digits, unquoted) must not pass for none.
        let digest = item.get("digest").filter(|digest| !digest.is_null());
        let digest =
            digest.map(|digest| digest.as_str().map_or_else(|| lockstep_object::to_json(digest), str::to_owned));
        let digest = digest.filter(|digest| !digest.is_empty());
        Some(Release {
            version: item.get("version")?.as_str()?.to_owned(),
            url: item.get("urls")?.as_list()?.first()?.as_str()?.to_owned(),
            digest: digest.map(|hex| format!("sha256:{}", hex.trim_start_matches("sha256:").to_ascii_lowercase())),
        })
    };
    list.as_list().into_iter().flat_map(|items| items.iter()).filter_map(one).collect()
}

/// Names an index's file in the cache.
pub(crate) fn file_name(parts: &[&str]) -> String {
    let digest = blobs::digest_of(parts.join("\0").as_bytes());
    digest.trim_start_matches("sha256:")[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "apiVersion: v1\nentries:\n  alpha:\n  - version: 1.0.0\n    urls: [a-1.tgz]\n    description: |\n      entries:\n\n      # no comment\n      beta:\n  # a comment\n  beta:\n    - name: beta\n      version: \"2.0.0\"\n      digest: ABC\n      urls:\n      - https://example.com/b-2.tgz\n    - version: 1.9.0\n      urls: [b-1.9.tgz]\n  gamma:\n  - version: 0.1.0\n    urls: [g.tgz]\ngenerated: \"2026-01-01\"\n";

    fn check(text: &str, chart: &str) -> Result<Option<Vec<Release>>> {
        releases(|| Ok(text.as_bytes()), chart)
    }

    fn versions(text: &str, chart: &str) -> Vec<String> {
        check(text, chart).unwrap().unwrap().into_iter().map(|one| one.version).collect()
    }

    #[test]
    fn only_the_wanted_chart_is_cut_out() {
        assert!(matches!(cut(INDEX.as_bytes(), "beta").unwrap(), Cut::List(text) if !text.contains("alpha")));
        assert_eq!(cut(INDEX.as_bytes(), "delta").unwrap(), Cut::Missing);
        assert_eq!(versions(INDEX, "alpha"), ["1.0.0"]);
        let beta = check(INDEX, "beta").unwrap().unwrap();
        assert_eq!(beta.len(), 2);
        assert_eq!(
            (beta[0].url.as_str(), beta[0].digest.as_deref()),
            ("https://example.com/b-2.tgz", Some("sha256:abc"))
        );
        assert_eq!(versions(INDEX, "gamma"), ["0.1.0"]);
        assert_eq!(check(INDEX, "delta").unwrap(), None);
    }

    /// A text again and again, without ever being there as a whole.
    struct Repeated {
        text: &'static [u8],
        left: u64,
    }

    impl Read for Repeated {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let at = (self.left % self.text.len() as u64) as usize;
            let rest = &self.text[if at == 0 { 0 } else { self.text.len() - at }..];
            let count = rest.len().min(buffer.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
            buffer[..count].copy_from_slice(&rest[..count]);
            self.left -= count as u64;
            Ok(count)
        }
    }

    #[test]
    fn of_tens_of_megabytes_only_the_wanted_list_is_held() {
        const OTHER: &[u8] =
            b"  other:\n  - version: 1.0.0\n    description: one of very many\n    urls: [other-1.0.0.tgz]\n";
        let wanted = "  wanted:\n  - version: 1.2.3\n    urls: [wanted-1.2.3.tgz]\n";
        let left = OTHER.len() as u64 * 500_000;
        assert!(left > 40 << 20);
        let index = b"apiVersion: v1\nentries:\n".chain(Repeated { text: OTHER, left }).chain(wanted.as_bytes());
        let Cut::List(text) = cut(std::io::BufReader::new(index), "wanted").unwrap() else {
            panic!("it is not cut out")
        };
        assert_eq!(text, wanted.replace("  wanted:", "list:"));
    }

    #[test]
    fn the_cut_agrees_with_the_whole() {
        for chart in ["alpha", "beta", "gamma", "delta", "version", "name"] {
            assert_eq!(check(INDEX, chart).unwrap(), whole(INDEX.as_bytes(), chart).unwrap(), "{chart}");
        }
    }

    #[test]
    fn other_forms_are_read_whole() {
        let json = r#"{"apiVersion":"v1","entries":{"a":[{"version":"1.0.0","urls":["a.tgz"]}]}}"#;
        assert_eq!(versions(json, "a"), ["1.0.0"]);
        let anchored = "apiVersion: v1\nx: &u [a.tgz]\nentries:\n  a:\n  - version: 1.0.0\n    urls: *u\n";
        assert_eq!(versions(anchored, "a"), ["1.0.0"]);
        let flow = "entries:\n  a: [{version: 1.0.0, urls: [a.tgz]}]\n";
        assert_eq!(versions(flow, "a"), ["1.0.0"]);
        assert_eq!(check("entries: {}\n", "a").unwrap(), None);
    }

    #[test]
    fn what_is_no_index_is_told() {
        for text in ["", "<html></html>", "a: b\n", "entries: [\n"] {
            let error = check(text, "a").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotAnArtifact, "{text:?}");
        }
    }
}
