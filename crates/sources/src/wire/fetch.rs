//! Fetching a pack.

use std::io::{BufRead, BufReader, Read};

use gix::ObjectId;

use crate::{
    Error, ErrorKind, Result,
    wire::{
        AGENT, Session, object_id,
        pkt::{Bands, DELIMITER, FLUSH, Pkt, Pkts, put},
    },
};

/// What is wanted, and what is here already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub wants: Vec<ObjectId>,
    pub haves: Vec<ObjectId>,
    /// The commits whose parents are not here.
    pub shallow: Vec<ObjectId>,
    /// How many commits deep; all if absent.
    pub depth: Option<u32>,
}

/// How the edge of what is here has moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub shallow: Vec<ObjectId>,
    pub unshallow: Vec<ObjectId>,
}

/// Fetches; `take` reads the pack.
pub(crate) fn fetch(
    mut session: Session,
    request: &Request,
    take: &mut dyn FnMut(&mut dyn BufRead) -> Result<()>,
) -> Result<Response> {
    let result = if session.version == 2 {
        fetch_v2(&mut session, request, take)
    } else {
        fetch_v0(&mut session, request, take)
    };
    let response = result.map_err(|error| session.channel.explain(error))?;
    session.channel.close();
    Ok(response)
}

fn put_wanted(out: &mut Vec<u8>, request: &Request) {
    request.shallow.iter().for_each(|id| put(out, &format!("shallow {id}\n")));
    request.depth.iter().for_each(|depth| put(out, &format!("deepen {depth}\n")));
}

fn fetch_v2(
    session: &mut Session,
    request: &Request,
    take: &mut dyn FnMut(&mut dyn BufRead) -> Result<()>,
) -> Result<Response> {
    let mut out = Vec::new();
    put(&mut out, "command=fetch\n");
    put(&mut out, &format!("{AGENT}\n"));
    out.extend_from_slice(DELIMITER);
    ["thin-pack\n", "ofs-delta\n", "no-progress\n"].iter().for_each(|line| put(&mut out, line));
    put_wanted(&mut out, request);
    request.wants.iter().for_each(|id| put(&mut out, &format!("want {id}\n")));
    request.haves.iter().for_each(|id| put(&mut out, &format!("have {id}\n")));
    put(&mut out, "done\n");
    out.extend_from_slice(FLUSH);
    let mut pkts = Pkts::new(session.channel.ask(out)?);
    let mut response = Response::default();
    loop {
        let section = match pkts.next()? {
            Pkt::Data(line) => String::from_utf8_lossy(line).trim_end().to_owned(),
            other => return Err(Error::protocol(format!("the server sent {other:?} where a section belongs"))),
        };
        if section == "packfile" {
            read_pack(&mut pkts, true, take)?;
            return Ok(response);
        }
        while let Pkt::Data(line) = pkts.next()? {
            if section == "shallow-info" {
                note_edge(&mut response, String::from_utf8_lossy(line).trim_end())?;
            }
        }
    }
}

fn fetch_v0(
    session: &mut Session,
    request: &Request,
    take: &mut dyn FnMut(&mut dyn BufRead) -> Result<()>,
) -> Result<Response> {
    let offered = ["side-band-64k", "thin-pack", "ofs-delta", "shallow", "no-progress"];
    let mut capabilities: Vec<&str> = offered.into_iter().filter(|capability| session.can(capability)).collect();
    if (request.depth.is_some() || !request.shallow.is_empty()) && !session.can("shallow") {
        return Err(Error::new(ErrorKind::Unsupported, "the server cannot send a part of the history"));
    }
    capabilities.push(AGENT);
    let banded = session.can("side-band-64k");
    let mut out = Vec::new();
    for (place, id) in request.wants.iter().enumerate() {
        let extra = if place == 0 { format!(" {}", capabilities.join(" ")) } else { String::new() };
        put(&mut out, &format!("want {id}{extra}\n"));
    }
    put_wanted(&mut out, request);
    out.extend_from_slice(FLUSH);
    request.haves.iter().for_each(|id| put(&mut out, &format!("have {id}\n")));
    put(&mut out, "done\n");
    let mut pkts = Pkts::new(session.channel.ask(out)?);
    let mut response = Response::default();
    if request.depth.is_some() {
        while let Pkt::Data(line) = pkts.next()? {
            note_edge(&mut response, String::from_utf8_lossy(line).trim_end())?;
        }
    }
    match pkts.next()?.text() {
        Some(line) if line.starts_with("ACK ") || line == "NAK" => {}
        other => return Err(Error::protocol(format!("the server sent {other:?} where ACK or NAK belongs"))),
    }
    read_pack(&mut pkts, banded, take)?;
    Ok(response)
}

fn note_edge(response: &mut Response, line: &str) -> Result<()> {
    match line.split_once(' ') {
        Some(("shallow", id)) => response.shallow.push(object_id(id)?),
        Some(("unshallow", id)) => response.unshallow.push(object_id(id)?),
        _ => {}
    }
    Ok(())
}

fn read_pack<R: Read>(
    pkts: &mut Pkts<R>,
    banded: bool,
    take: &mut dyn FnMut(&mut dyn BufRead) -> Result<()>,
) -> Result<()> {
    if !banded {
        return take(&mut BufReader::new(RestOf(pkts)));
    }
    let mut bands = Bands::new(pkts);
    take(&mut BufReader::with_capacity(64 * 1024, &mut bands))?;
    // The packet that ends the message must be read, or the connection cannot be used again.
    std::io::copy(&mut bands, &mut std::io::sink()).map_err(crate::wire::pkt::broken)?;
    Ok(())
}

/// The raw bytes behind the packets.
struct RestOf<'a, R>(&'a mut Pkts<R>);

impl<R: Read> Read for RestOf<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.0.raw(out)
    }
}
