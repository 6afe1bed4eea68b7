//! Git's packet lines: four hexadecimal digits of length, then the bytes.

use std::io::{self, Read};

use crate::{Error, ErrorKind, Result};

/// A packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pkt<'a> {
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: the end of a section, protocol 2.
    Delimiter,
    /// `0002`: the end of a response, protocol 2 over HTTP.
    End,
    /// Bytes, a final newline included.
    Data(&'a [u8]),
}

impl<'a> Pkt<'a> {
    /// Returns a data packet's text without the newline.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match self {
            Pkt::Data(bytes) => std::str::from_utf8(bytes).ok().map(|text| text.trim_end_matches('\n')),
            _ => None,
        }
    }
}

/// Reads packets.
pub(crate) struct Pkts<R> {
    source: R,
    buffer: Vec<u8>,
}

impl<R: Read> Pkts<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new() }
    }

    /// Reads the next packet. A packet that starts with `ERR ` is the server's refusal.
    pub(crate) fn next(&mut self) -> Result<Pkt<'_>> {
        let mut digits = [0; 4];
        self.source.read_exact(&mut digits).map_err(broken)?;
        let length = std::str::from_utf8(&digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        match length {
            Some(0) => return Ok(Pkt::Flush),
            Some(1) => return Ok(Pkt::Delimiter),
            Some(2) => return Ok(Pkt::End),
            Some(length) if length >= 4 => self.buffer.resize(length - 4, 0),
            _ => return Err(not_git(&digits)),
        }
        self.source.read_exact(&mut self.buffer).map_err(broken)?;
        if let Some(text) = self.buffer.strip_prefix(b"ERR ") {
            return Err(refusal(&String::from_utf8_lossy(text)));
        }
        Ok(Pkt::Data(&self.buffer))
    }

    /// Reads the bytes behind the packets read so far.
    pub(crate) fn raw(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.source.read(out)
    }
}

fn not_git(digits: &[u8]) -> Error {
    Error::protocol(format!("the server does not speak Git's protocol (it said {:?})", String::from_utf8_lossy(digits)))
        .hint("is the URL that of a repository, not of its web page?")
}

/// Turns the server's own words into an error.
pub(crate) fn refusal(text: &str) -> Error {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let kind = if lower.contains("not our ref") || lower.contains("no such remote ref") {
        ErrorKind::CommitNotFound
    } else if lower.contains("not found") || lower.contains("does not exist") || lower.contains("no such") {
        ErrorKind::NotARepository
    } else if lower.contains("denied") || lower.contains("not authorized") || lower.contains("permission") {
        ErrorKind::Forbidden
    } else {
        ErrorKind::Server
    };
    Error::new(kind, format!("the server refused: {text}"))
}

/// Turns a failed read into an error: silence, or a broken connection.
pub(crate) fn broken(error: io::Error) -> Error {
    let timed_out = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<reqwest::Error>())
        .is_some_and(reqwest::Error::is_timeout);
    if timed_out || error.kind() == io::ErrorKind::TimedOut {
        return Error::new(ErrorKind::Timeout, "the server was silent for too long");
    }
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        return inner.clone();
    }
    Error::new(ErrorKind::Unreachable, format!("the connection broke: {error}"))
}

/// Appends a packet.
pub(crate) fn put(out: &mut Vec<u8>, line: &str) {
    put_bytes(out, line.as_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(format!("{:04x}", bytes.len() + 4).as_bytes());
    out.extend_from_slice(bytes);
}

pub(crate) const FLUSH: &[u8] = b"0000";
pub(crate) const DELIMITER: &[u8] = b"0001";

/// The bytes of band 1, of packets that carry several bands. Band 2 (words for people) is kept, the last 4 KiB of it; band 3 is an error.
pub(crate) struct Bands<'a, R> {
    pkts: &'a mut Pkts<R>,
    ready: Vec<u8>,
    at: usize,
    done: bool,
    /// What the server said to people.
    pub words: String,
}

impl<'a, R: Read> Bands<'a, R> {
    pub(crate) fn new(pkts: &'a mut Pkts<R>) -> Self {
        Self { pkts, ready: Vec::new(), at: 0, done: false, words: String::new() }
    }

    fn refill(&mut self) -> Result<()> {
        self.ready.clear();
        self.at = 0;
        while self.ready.is_empty() && !self.done {
            match self.pkts.next()? {
                Pkt::Data([1, data @ ..]) => self.ready.extend_from_slice(data),
                Pkt::Data([2, data @ ..]) => {
                    self.words.push_str(&String::from_utf8_lossy(data));
                    if self.words.len() > 4096 {
                        self.words.clear();
                    }
                }
                Pkt::Data([3, data @ ..]) => return Err(refusal(&String::from_utf8_lossy(data))),
                Pkt::Data(_) => {}
                Pkt::Flush | Pkt::End | Pkt::Delimiter => self.done = true,
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Bands<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.ready.len() {
            self.refill().map_err(io::Error::other)?;
        }
        let count = out.len().min(self.ready.len() - self.at);
        out[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_back_as_written() {
        let mut bytes = Vec::new();
        put(&mut bytes, "want x\n");
        bytes.extend_from_slice(DELIMITER);
        bytes.extend_from_slice(FLUSH);
        let mut pkts = Pkts::new(&bytes[..]);
        assert_eq!(pkts.next().unwrap().text(), Some("want x"));
        assert_eq!(pkts.next().unwrap(), Pkt::Delimiter);
        assert_eq!(pkts.next().unwrap(), Pkt::Flush);
        assert_eq!(pkts.next().unwrap_err().kind(), ErrorKind::Unreachable);
    }

    #[test]
    fn a_web_page_is_told_from_a_server() {
        let error = Pkts::new(&b"<!DOCTYPE html>"[..]).next().map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
    }

    #[test]
    fn bands_are_parted_and_an_error_band_ends_the_reading() {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, b"\x01PA");
        put_bytes(&mut bytes, b"\x02counting\n");
        put_bytes(&mut bytes, b"\x01CK");
        put_bytes(&mut bytes, b"\x03out of space");
        let mut pkts = Pkts::new(&bytes[..]);
        let mut bands = Bands::new(&mut pkts);
        let mut read = [0; 4];
        bands.read_exact(&mut read).unwrap();
        assert_eq!((&read, bands.words.as_str()), (b"PACK", "counting\n"));
        assert!(broken(bands.read_exact(&mut read).unwrap_err()).message().contains("out of space"));
    }
}
