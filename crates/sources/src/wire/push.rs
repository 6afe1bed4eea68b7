//! Pushing a pack.

use std::io::Read;

use gix::ObjectId;

use crate::{
    Error, ErrorKind, Result,
    wire::{
        AGENT, Session,
        pkt::{Bands, FLUSH, Pkt, Pkts, put},
    },
};

/// A reference that shall move.
#[derive(Clone, Debug)]
pub(crate) struct Update<'a> {
    pub reference: &'a str,
    pub old: ObjectId,
    pub new: ObjectId,
}

/// Pushes. The server moves the reference only if it still has the old value.
pub(crate) fn push(mut session: Session, update: &Update<'_>, pack: &[u8]) -> Result<()> {
    let mut capabilities = vec!["report-status"];
    let banded = session.can("side-band-64k");
    capabilities.extend(banded.then_some("side-band-64k"));
    capabilities.push(AGENT);
    let mut out = Vec::with_capacity(pack.len() + 512);
    put(&mut out, &format!("{} {} {}\0 {}\n", update.old, update.new, update.reference, capabilities.join(" ")));
    out.extend_from_slice(FLUSH);
    out.extend_from_slice(pack);
    let result = session.channel.ask(out).and_then(|source| {
        let mut pkts = Pkts::new(source);
        if banded {
            let mut bands = Bands::new(&mut pkts);
            let result = report(&mut Pkts::new(&mut bands), update.reference);
            let words = std::mem::take(&mut bands.words);
            return result.map_err(|error| with_words(error, &words));
        }
        report(&mut pkts, update.reference)
    });
    result.map_err(|error| session.channel.explain(error))
}

fn report<R: Read>(pkts: &mut Pkts<R>, reference: &str) -> Result<()> {
    let mut accepted = false;
    while let Pkt::Data(line) = pkts.next()? {
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        match line.split_once(' ') {
            Some(("unpack", "ok")) => {}
            Some(("unpack", why)) => {
                return Err(Error::new(ErrorKind::Rejected, format!("the server could not store the commit: {why}")));
            }
            Some(("ok", name)) if name == reference => accepted = true,
            Some(("ng", rest)) => return Err(refused(rest.split_once(' ').map_or(rest, |(_, why)| why))),
            _ => {}
        }
    }
    if accepted { Ok(()) } else { Err(Error::protocol("the server did not say whether it took the commit")) }
}

fn refused(why: &str) -> Error {
    let moved = [
        "fetch first",
        "non-fast-forward",
        "failed to update ref",
        "failed to lock",
        "cannot lock ref",
        "stale",
        "already exists",
        "reference already",
    ];
    if moved.iter().any(|word| why.contains(word)) {
        return moved_on();
    }
    Error::new(ErrorKind::Rejected, format!("the server refused the commit: {why}")).hint("is the branch protected?")
}

/// The error for a branch that somebody else moved.
pub(crate) fn moved_on() -> Error {
    Error::new(ErrorKind::Conflict, "the branch has moved on, nothing was pushed")
        .hint("look at the new commit and try again")
}

fn with_words(error: Error, words: &str) -> Error {
    let words = words.trim();
    if words.is_empty() || error.kind() == ErrorKind::Conflict {
        error
    } else {
        error.hint(format!("the server says: {words}"))
    }
}
