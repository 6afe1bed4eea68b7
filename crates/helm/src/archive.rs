//! Chart archives: gzip and tar with Helm's limits, entirely in memory.

use std::io::Read;

use crate::error::{Error, ErrorKind};

/// Bytes that one archive, and all archives inside it, may unpack to: Helm's `MaxDecompressedChartSize`.
pub(crate) const MAX_UNPACKED: u64 = 100 * 1024 * 1024;
/// Long names and pax records above this are hostile.
const MAX_RECORD: u64 = 1024 * 1024;
const BLOCK: usize = 512;

/// A file of a chart: its path from the chart's folder, and its content without a byte order mark.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) data: std::sync::Arc<[u8]>,
}

impl File {
    pub(crate) fn new(name: impl Into<String>, data: &[u8]) -> Self {
        Self { name: name.into(), data: data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data).into() }
    }

    /// Gives the content as text; bytes that are not UTF-8 become U+FFFD.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.data)
    }
}

/// Unpacks an archive; takes what it unpacks to from `budget`.
pub(crate) fn unpack(bytes: &[u8], budget: &mut u64) -> Result<Vec<File>, Error> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(chart_error("gzip: invalid header"));
    }
    let mut reader = Tar { input: flate2::read::MultiGzDecoder::new(bytes), long_name: None, size: None };
    let mut files = Vec::new();
    while let Some(header) = reader.next()? {
        let size = header.size;
        if header.is_folder || !header.is_entry {
            reader.skip(size)?;
            continue;
        }
        let name = clean_name(&header.name)?;
        if size >= *budget {
            return Err(too_large());
        }
        let data = reader.data(size)?;
        *budget -= size;
        files.push(File::new(name, &data));
    }
    if files.is_empty() {
        return Err(chart_error("no files in chart archive"));
    }
    Ok(files)
}

fn chart_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Chart, message)
}

pub(crate) fn too_large() -> Error {
    let message = format!("decompressed chart is larger than the maximum size {MAX_UNPACKED}");
    Error::new(ErrorKind::Limit, message)
}

/// Takes the first folder off a name and refuses what would leave the chart.
fn clean_name(full: &str) -> Result<String, Error> {
    let delimiter = if full.contains('\\') { '\\' } else { '/' };
    let (first, rest) = full.split_once(delimiter).unwrap_or((full, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return Err(chart_error("chart illegally contains absolute paths"));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let name = parts.join("/");
    if name.is_empty() {
        let quoted = crate::metadata::quote(full);
        return Err(chart_error(format!("chart illegally contains content outside the base directory: {quoted}")));
    }
    if name.starts_with("..") {
        return Err(chart_error("chart illegally references parent directory"));
    }
    if matches!(name.as_bytes(), [letter, b':', b'/', ..] if letter.is_ascii_alphabetic()) {
        return Err(chart_error("chart contains illegally named files"));
    }
    if first == "Chart.yaml" {
        return Err(chart_error("chart yaml not in base directory"));
    }
    Ok(name)
}

struct Header {
    name: String,
    size: u64,
    is_folder: bool,
    /// False for records that only describe others.
    is_entry: bool,
}

struct Tar<R> {
    input: R,
    long_name: Option<String>,
    size: Option<u64>,
}

impl<R: Read> Tar<R> {
    fn next(&mut self) -> Result<Option<Header>, Error> {
        loop {
            let mut block = [0u8; BLOCK];
            if !self.fill(&mut block)? || block.iter().all(|b| *b == 0) {
                return Ok(None);
            }
            check_sum(&block)?;
            let size = number(&block[124..136])?;
            match block[156] {
                b'L' => self.long_name = Some(text(&self.record(size)?)),
                b'x' => {
                    let record = self.record(size)?;
                    self.pax(&record);
                }
                b'K' => self.skip(size)?,
                kind => return Ok(Some(self.header(&block, kind, size))),
            }
        }
    }

    fn header(&mut self, block: &[u8; BLOCK], kind: u8, size: u64) -> Header {
        let short = text(&block[..100]);
        let prefix =
            if &block[257..262] == b"ustar" && block[262] == 0 { text(&block[345..500]) } else { String::new() };
        let plain = if prefix.is_empty() { short } else { format!("{prefix}/{short}") };
        let name = self.long_name.take().unwrap_or(plain);
        let size = self.size.take().unwrap_or(size);
        let is_folder = kind == b'5' || (kind != b'0' && name.ends_with('/')) || name.ends_with('/');
        // Links and devices carry no data, whatever their size field says.
        let size = if matches!(kind, b'1'..=b'6') { 0 } else { size };
        Header { name, size, is_folder, is_entry: kind != b'g' }
    }

    /// Reads the records `LENGTH KEY=VALUE\n` of a pax header.
    fn pax(&mut self, mut data: &[u8]) {
        while let Some(space) = data.iter().position(|b| *b == b' ') {
            let length = std::str::from_utf8(&data[..space]).ok().and_then(|digits| digits.parse::<usize>().ok());
            let Some(record) = length.filter(|n| *n > space + 1).and_then(|n| data.get(space + 1..n)) else { return };
            data = &data[space + 1 + record.len()..];
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            if let Some(path) = record.strip_prefix(b"path=") {
                self.long_name = Some(String::from_utf8_lossy(path).into_owned());
            } else if let Some(size) = record.strip_prefix(b"size=") {
                self.size = std::str::from_utf8(size).ok().and_then(|digits| digits.parse().ok());
            }
        }
    }

    fn record(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        if size > MAX_RECORD {
            return Err(too_large());
        }
        self.data(size)
    }

    fn data(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        // What a header claims is only believed up to a size.
        let mut data = Vec::with_capacity(size.min(MAX_RECORD) as usize);
        self.input.by_ref().take(size).read_to_end(&mut data).map_err(broken)?;
        if (data.len() as u64) < size {
            return Err(chart_error("unexpected EOF"));
        }
        self.skip_padding(size)?;
        Ok(data)
    }

    fn skip(&mut self, size: u64) -> Result<(), Error> {
        if size > MAX_UNPACKED {
            return Err(too_large());
        }
        std::io::copy(&mut self.input.by_ref().take(size), &mut std::io::sink()).map_err(broken)?;
        self.skip_padding(size)
    }

    fn skip_padding(&mut self, size: u64) -> Result<(), Error> {
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        std::io::copy(&mut self.input.by_ref().take(padding), &mut std::io::sink()).map_err(broken)?;
        Ok(())
    }

    /// Fills a block; false at the end of the input.
    fn fill(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, Error> {
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(chart_error("unexpected EOF")),
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(true)
    }
}

fn broken(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => chart_error("unexpected EOF"),
        std::io::ErrorKind::InvalidInput => chart_error("gzip: invalid header"),
        _ => chart_error(format!("flate: corrupt input: {error}")),
    }
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// Reads an octal number, or a binary one that begins with the highest bit.
fn number(field: &[u8]) -> Result<u64, Error> {
    let bad = || chart_error("archive/tar: invalid tar header");
    if field[0] & 0x80 != 0 {
        let mut bytes = field.iter().map(|b| u64::from(*b));
        let first = bytes.next().unwrap_or(0) & 0x7f;
        return bytes.try_fold(first, |n, b| n.checked_mul(256)?.checked_add(b)).ok_or_else(bad);
    }
    let digits = text(field);
    let digits = digits.trim();
    if digits.is_empty() { Ok(0) } else { u64::from_str_radix(digits, 8).map_err(|_| bad()) }
}

fn check_sum(block: &[u8; BLOCK]) -> Result<(), Error> {
    let expected = number(&block[148..156])?;
    let blank = |(at, byte): (usize, &u8)| if (148..156).contains(&at) { b' ' } else { *byte };
    let sum: u64 = block.iter().enumerate().map(|b| u64::from(blank(b))).sum();
    if sum == expected { Ok(()) } else { Err(chart_error("archive/tar: invalid tar header")) }
}
