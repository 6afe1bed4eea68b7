//! Requests for things that are not Git's.

use std::io::Read;

use reqwest::{
    StatusCode, Url,
    blocking::{Client, RequestBuilder, Response},
    header,
};

use crate::{Error, ErrorKind, Result, wire};

/// Sends a request under our name; what is no answer at all is an error.
pub(crate) fn send(request: RequestBuilder) -> Result<Response> {
    let request = request.header(header::USER_AGENT, concat!("lockstep/", env!("CARGO_PKG_VERSION")));
    request.send().map_err(|error| wire::failure(&error))
}

/// Asks for a file with credentials; the answer is a success or 304.
pub(crate) fn get(
    client: &Client,
    url: &Url,
    authorization: Option<&str>,
    more: &[(header::HeaderName, &str)],
) -> Result<Response> {
    let mut request = client.get(url.clone());
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    for (name, value) in more {
        request = request.header(name, *value);
    }
    let response = send(request)?;
    match response.status() {
        status if status.is_success() || status == StatusCode::NOT_MODIFIED => Ok(response),
        status => Err(refused(status, authorization.is_some())),
    }
}

/// Reads a body of at most `limit` bytes.
pub(crate) fn read(response: Response, limit: u64) -> Result<Vec<u8>> {
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::new();
    response.take(limit + 1).read_to_end(&mut bytes).map_err(broken_off)?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

pub(crate) fn too_large(limit: u64) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the server sends more than {} MiB", limit >> 20))
}

pub(crate) fn broken_off(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unreachable, format!("the connection broke off: {error}"))
}

/// Returns a header's text.
pub(crate) fn text_of(response: &Response, name: header::HeaderName) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// Words what a server refuses.
pub(crate) fn refused(status: StatusCode, with_credentials: bool) -> Error {
    let number = status.as_u16();
    match status {
        StatusCode::UNAUTHORIZED if with_credentials => {
            Error::new(ErrorKind::Unauthenticated, "the server does not accept the credentials (401)")
                .hint("check user and password or token; it may have expired")
        }
        StatusCode::UNAUTHORIZED => {
            Error::new(ErrorKind::Unauthenticated, "the server wants credentials and none are given (401)")
                .hint("name a Secret with them, or label one for this URL")
        }
        StatusCode::FORBIDDEN => {
            Error::new(ErrorKind::Forbidden, "the server forbids it (403)").hint("the credentials may not read this")
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Error::new(ErrorKind::NotFound, format!("there is nothing ({number})"))
                .hint("check the URL and the name; some servers say this, too, when the credentials may not see it")
        }
        StatusCode::TOO_MANY_REQUESTS => Error::new(ErrorKind::Server, "the server is asked too often (429)"),
        status if status.is_redirection() => {
            Error::new(ErrorKind::Server, format!("the server redirects where we do not follow ({number})"))
        }
        status => {
            let reason = status.canonical_reason().unwrap_or("");
            Error::new(ErrorKind::Server, format!("the server failed ({number} {reason})"))
        }
    }
}
