//! What an HTTP server's answer is called when it is none that helps.

use reqwest::StatusCode;

use crate::{Error, ErrorKind};

/// More than is taken of one answer.
pub(crate) fn too_large(limit: u64) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the server sends more than {} MiB", limit >> 20))
}

/// The connection ended in the middle of an answer.
pub(crate) fn broken_off(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unreachable, format!("the connection broke off: {error}"))
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
