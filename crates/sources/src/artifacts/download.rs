//! Requests for things that are not Git's.

use std::io::Read;

use reqwest::{
    StatusCode, Url,
    blocking::{Client, RequestBuilder, Response},
    header,
};

use crate::{
    Result,
    wire::{
        self,
        answers::{broken_off, refused, too_large},
    },
};

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

/// Returns a header's text.
pub(crate) fn text_of(response: &Response, name: header::HeaderName) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}
