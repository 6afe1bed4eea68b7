//! The client side of Git's wire protocol, versions 0 and 2: listing references, fetching a pack, pushing one.
//!
//! One round is enough for us: what we have is told together with `done`, so there is no negotiation.

pub(crate) mod answers;
mod fetch;
mod http;
pub(crate) mod pkt;
mod push;
mod ssh;

use std::{
    collections::{HashMap, HashSet},
    io::Read,
};

use gix::ObjectId;

pub(crate) use fetch::{Request, Response, fetch};
pub(crate) use http::{Clients, Limits, authorization, failure, fetch_file};
pub(crate) use push::{Update, moved_on, push};

use crate::{
    Credentials, Error, ErrorKind, Result,
    refs::Ref,
    url::Location,
    wire::pkt::{DELIMITER, FLUSH, Pkt, Pkts, put},
};

const AGENT: &str = concat!("agent=lockstep/", env!("CARGO_PKG_VERSION"));

/// What the server shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    UploadPack,
    ReceivePack,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

/// A way to talk to a server.
trait Channel {
    /// Opens the conversation and returns what the server says first.
    fn greet(&mut self) -> Result<Box<dyn Read + '_>>;
    /// Sends a request and returns the answer.
    fn ask(&mut self, request: Vec<u8>) -> Result<Box<dyn Read + '_>>;
    /// Says goodbye where that is needed.
    fn close(&mut self) {}
    /// Gives an error a better reason, where the channel knows one.
    fn explain(&mut self, error: Error) -> Error {
        error
    }
}

/// A conversation after the greeting.
pub(crate) struct Session {
    channel: Box<dyn Channel + Send>,
    version: u8,
    capabilities: Vec<String>,
    /// Version 0 lists them at once.
    refs: Vec<Ref>,
}

/// Connects, and reads the server's greeting.
pub(crate) fn connect(
    clients: &Clients,
    location: &Location,
    credentials: &Credentials,
    service: Service,
) -> Result<Session> {
    let mut channel: Box<dyn Channel + Send> = match location {
        Location::Http { url, user, password } => {
            let credentials = Credentials {
                username: credentials.username.clone().or_else(|| user.clone()),
                password: credentials.password.clone().or_else(|| password.clone()),
                ..credentials.clone()
            };
            Box::new(http::HttpChannel::new(clients.client(&credentials)?, url, &credentials, service))
        }
        Location::Ssh { user, host, port, path } => {
            let target = ssh::Target { user: user.as_deref(), host, port: *port, path };
            Box::new(ssh::SshChannel::spawn(&target, credentials, service, clients.limits())?)
        }
        Location::Local(_) => return Err(Error::new(ErrorKind::Unsupported, "a folder is not fetched from")),
    };
    let greeting = channel.greet().and_then(|source| greeting(&mut Pkts::new(source)));
    match greeting {
        Ok((version, capabilities, refs)) => Ok(Session { channel, version, capabilities, refs }),
        Err(error) => Err(channel.explain(error)),
    }
}

type Greeting = (u8, Vec<String>, Vec<Ref>);

fn greeting<R: Read>(pkts: &mut Pkts<R>) -> Result<Greeting> {
    let mut first = pkts.next()?.text().unwrap_or("").to_owned();
    if first.starts_with("# service=") {
        pkts.next()?;
        first = pkts.next()?.text().unwrap_or("").to_owned();
    }
    if first == "version 1" {
        first = pkts.next()?.text().unwrap_or("").to_owned();
    }
    let mut capabilities = Vec::new();
    if first == "version 2" {
        while let Pkt::Data(line) = pkts.next()? {
            capabilities.push(String::from_utf8_lossy(line).trim_end().to_owned());
        }
        return Ok((2, capabilities, Vec::new()));
    }
    let mut listing = Listing::default();
    let (line, extra) = first.split_once('\0').unwrap_or((&first, ""));
    capabilities.extend(extra.split_whitespace().map(str::to_owned));
    listing.add_v0(line)?;
    if !first.is_empty() {
        while let Pkt::Data(line) = pkts.next()? {
            listing.add_v0(String::from_utf8_lossy(line).trim_end())?;
        }
    }
    for capability in &capabilities {
        if let Some((name, target)) = capability.strip_prefix("symref=").and_then(|pair| pair.split_once(':')) {
            listing.targets.insert(name.to_owned(), target.to_owned());
        }
    }
    Ok((0, capabilities, listing.finish()))
}

/// References while they are being read. A tag's commit comes after (version 0) or beside (version 2) the tag.
#[derive(Default)]
struct Listing {
    refs: Vec<Ref>,
    targets: HashMap<String, String>,
}

impl Listing {
    fn add_v0(&mut self, line: &str) -> Result<()> {
        let Some((id, name)) = line.split_once(' ') else { return Ok(()) };
        if matches!(id, "shallow" | "version") || name == "capabilities^{}" {
            return Ok(());
        }
        let commit = object_id(id)?;
        match (name.strip_suffix("^{}"), self.refs.last_mut()) {
            (Some(tag), Some(last)) if last.name == tag => last.commit = commit,
            _ => self.refs.push(Ref { name: name.to_owned(), commit, target: None }),
        }
        Ok(())
    }

    fn add_v2(&mut self, line: &str) -> Result<()> {
        let mut words = line.split(' ');
        let (Some(id), Some(name)) = (words.next(), words.next()) else { return Ok(()) };
        if id == "unborn" {
            return Ok(());
        }
        let mut commit = object_id(id)?;
        for word in words {
            if let Some(peeled) = word.strip_prefix("peeled:") {
                commit = object_id(peeled)?;
            } else if let Some(target) = word.strip_prefix("symref-target:") {
                self.targets.insert(name.to_owned(), target.to_owned());
            }
        }
        self.refs.push(Ref { name: name.to_owned(), commit, target: None });
        Ok(())
    }

    fn finish(mut self) -> Vec<Ref> {
        for found in &mut self.refs {
            found.target = self.targets.get(&found.name).cloned();
        }
        self.refs
    }
}

fn object_id(text: &str) -> Result<ObjectId> {
    match ObjectId::from_hex(text.as_bytes()) {
        Ok(id) => Ok(id),
        Err(_) if text.len() == 64 => {
            Err(Error::new(ErrorKind::Unsupported, "repositories with SHA-256 ids are not supported"))
        }
        Err(_) => Err(Error::protocol(format!("the server sent {text:?} where an object id belongs"))),
    }
}

impl Session {
    /// Lists the references whose names start with one of the prefixes (version 0 servers list all).
    pub(crate) fn list(mut self, prefixes: &[String]) -> Result<Vec<Ref>> {
        if self.version != 2 {
            self.channel.close();
            return Ok(std::mem::take(&mut self.refs));
        }
        let mut request = Vec::new();
        put(&mut request, "command=ls-refs\n");
        put(&mut request, &format!("{AGENT}\n"));
        request.extend_from_slice(DELIMITER);
        put(&mut request, "peel\n");
        put(&mut request, "symrefs\n");
        let unique: HashSet<&String> = prefixes.iter().collect();
        unique.iter().for_each(|prefix| put(&mut request, &format!("ref-prefix {prefix}\n")));
        request.extend_from_slice(FLUSH);
        let read = self.channel.ask(request).and_then(|source| {
            let mut pkts = Pkts::new(source);
            let mut listing = Listing::default();
            while let Pkt::Data(line) = pkts.next()? {
                listing.add_v2(String::from_utf8_lossy(line).trim_end())?;
            }
            Ok(listing.finish())
        });
        let refs = read.map_err(|error| self.channel.explain(error))?;
        self.channel.close();
        Ok(refs)
    }

    /// Returns the references that came with the greeting.
    pub(crate) fn refs(&self) -> &[Ref] {
        &self.refs
    }

    fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|found| {
            found == capability || found.strip_prefix(capability).is_some_and(|rest| rest.starts_with('='))
        })
    }
}
