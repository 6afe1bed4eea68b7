//! HTTP over the server: a `tower::Service` without a socket.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::OnceLock,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request as HttpRequest, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{
    access::User,
    listing::Pieces,
    request::Request,
    sandbox::{Fault, Sandbox},
    server::{BODY_LIMIT, Reply, ReplyBody},
    status::Failure,
    watching::{Next, Watch},
};

const PROTOBUF: &[u8] = b"application/vnd.kubernetes.protobuf";

/// An error of the service: a body that broke off, or a fault that a simulation wanted.
pub type ServiceError = Box<dyn std::error::Error + Send + Sync>;

/// The server as a service. It can be given to `kube::Client::new`.
#[derive(Clone)]
pub struct SandboxService {
    sandbox: Sandbox,
    user: Option<User>,
}

impl SandboxService {
    pub(crate) fn new(sandbox: Sandbox, user: Option<User>) -> Self {
        Self { sandbox, user }
    }

    async fn answer<B>(self, request: HttpRequest<B>) -> Result<Response<SandboxBody>, ServiceError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<ServiceError>,
    {
        let request = match self.read(request).await? {
            Ok(request) => request,
            Err(failure) => return Ok(respond(&self.sandbox, Reply::failure(&failure))),
        };
        self.sandbox.count(&request);
        let mut drop_answer = false;
        match self.sandbox.fault(&request) {
            None => {}
            Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
            Some(Fault::Drop) => return Err("the connection was dropped by a fault".into()),
            Some(Fault::DropAnswer) => drop_answer = true,
            Some(Fault::Status(code, message)) => {
                let failure = Failure::new(code, crate::status::reason_of(code), message);
                return Ok(respond(&self.sandbox, Reply::failure(&failure)));
            }
        }
        // Whoever waits for the store lets its thread do other things meanwhile.
        let turn = self.sandbox.turn().await;
        let reply = self.sandbox.handle(&request);
        drop(turn);
        if drop_answer {
            return Err("the answer was dropped by a fault".into());
        }
        Ok(respond(&self.sandbox, reply))
    }

    /// Reads a request in full; the inner error is an answer.
    async fn read<B>(&self, request: HttpRequest<B>) -> Result<Result<Request, Failure>, ServiceError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<ServiceError>,
    {
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => return Ok(Err(too_large())),
            Err(error) => return Err(error),
        };
        let (body, headers) = match as_json(&parts.method, body, parts.headers) {
            Ok(read) => read,
            Err(failure) => return Ok(Err(failure)),
        };
        Ok(Ok(Request {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers,
            body,
            certificate: self.user.clone(),
            parsed: OnceLock::new(),
        }))
    }
}

/// Turns a body in protobuf into JSON; other bodies, and those of patches, stay as they are.
fn as_json(
    method: &http::Method,
    body: Bytes,
    mut headers: http::HeaderMap,
) -> Result<(Bytes, http::HeaderMap), Failure> {
    let protobuf = headers.get("content-type").is_some_and(|value| value.as_bytes().starts_with(PROTOBUF));
    if !protobuf || body.is_empty() || method == http::Method::PATCH {
        return Ok((body, headers));
    }
    let json = crate::gotypes::to_json_body(&body).map_err(Failure::bad_request)?;
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    Ok((json.into(), headers))
}

fn too_large() -> Failure {
    Failure::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {BODY_LIMIT}"))
}

impl Sandbox {
    /// Answers a request that is read in full.
    pub(crate) fn handle(&self, request: &Request) -> Reply {
        let mut moment = self.moment();
        let mut server = self.lock();
        let reply = server.handle(request, &mut moment);
        let kept = self.persist(&mut server);
        let dirty = server.store.is_dirty();
        drop(server);
        if dirty {
            self.inner.wake.notify();
        }
        match kept {
            Ok(()) => reply,
            Err(error) => Reply::failure(&Failure::internal(error.to_string())),
        }
    }
}

fn respond(sandbox: &Sandbox, reply: Reply) -> Response<SandboxBody> {
    let body = match reply.body {
        ReplyBody::Bytes(bytes) => SandboxBody(State::Full(Some(bytes))),
        ReplyBody::List(pieces) => SandboxBody(State::List(pieces)),
        ReplyBody::Watch(watch) => SandboxBody(State::Stream(Box::pin(next_lines(sandbox.clone(), watch)))),
    };
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(reply.code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !reply.content_type.is_empty() {
        headers.insert("content-type", HeaderValue::from_static(reply.content_type));
    }
    headers.insert("cache-control", HeaderValue::from_static("no-cache, private"));
    for (name, value) in &reply.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(*name, value);
        }
    }
    for warning in &reply.warnings {
        let escaped: String = warning
            .chars()
            .filter(|c| !c.is_control())
            .flat_map(|c| (matches!(c, '"' | '\\')).then_some('\\').into_iter().chain(std::iter::once(c)))
            .collect();
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{escaped}\"")) {
            headers.append("warning", value);
        }
    }
    response
}

/// The body of an answer: all at once, a list piece by piece, or the lines of a watch.
pub struct SandboxBody(State);

type Step = Pin<Box<dyn Future<Output = (Box<Watch>, Sandbox, Option<Bytes>)> + Send>>;

enum State {
    Full(Option<Bytes>),
    List(Pieces),
    Stream(Step),
    Done,
}

/// Waits for the next lines of a watch.
async fn next_lines(sandbox: Sandbox, mut watch: Box<Watch>) -> (Box<Watch>, Sandbox, Option<Bytes>) {
    let mut changed = sandbox.lock().store.bucket(watch.store()).map(crate::store::Bucket::subscribe);
    loop {
        if let Some(changed) = &mut changed {
            changed.borrow_and_update();
        }
        let now = sandbox.now();
        let next = {
            let server = sandbox.lock();
            watch.next(&server, now)
        };
        match next {
            Next::Lines(lines) => return (watch, sandbox, Some(lines)),
            Next::Again => {
                // Others have their turn.
                tokio::task::yield_now().await;
                continue;
            }
            Next::End => return (watch, sandbox, None),
            Next::Wait => {}
        }
        let pause = watch.wake().duration_since(now);
        let pause = std::time::Duration::try_from(pause).unwrap_or_default();
        match &mut changed {
            Some(receiver) => {
                let gone = tokio::select! {
                    result = receiver.changed() => result.is_err(),
                    () = tokio::time::sleep(pause) => false,
                };
                if gone {
                    changed = None;
                }
            }
            None => tokio::time::sleep(pause.min(std::time::Duration::from_secs(1))).await,
        }
    }
}

impl Body for SandboxBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            State::Full(bytes) => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                self.0 = State::Done;
                Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            State::List(pieces) => {
                let piece = pieces.next();
                if piece.is_none() {
                    self.0 = State::Done;
                }
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
            State::Done => Poll::Ready(None),
            State::Stream(step) => match step.as_mut().poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready((watch, sandbox, Some(lines))) => {
                    self.0 = State::Stream(Box::pin(next_lines(sandbox, watch)));
                    Poll::Ready(Some(Ok(Frame::data(lines))))
                }
                Poll::Ready((_, _, None)) => {
                    self.0 = State::Done;
                    Poll::Ready(None)
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, State::Done)
            || matches!(&self.0, State::Full(bytes) if bytes.as_ref().is_none_or(Bytes::is_empty))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.0 {
            State::Full(Some(bytes)) => http_body::SizeHint::with_exact(bytes.len() as u64),
            State::Full(None) | State::Done => http_body::SizeHint::with_exact(0),
            State::List(_) | State::Stream(_) => http_body::SizeHint::default(),
        }
    }
}

impl<B> tower::Service<HttpRequest<B>> for SandboxService
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<ServiceError>,
{
    type Response = Response<SandboxBody>;
    type Error = ServiceError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ServiceError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}
