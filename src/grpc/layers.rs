//! What every method has in common: a deadline, a limit, one span, and an answer even to a panic.
//!
//! tonic reports timeouts as `CANCELLED` and oversize messages as `OUT_OF_RANGE`, and bounds neither the
//! calls in flight nor the time of a call; this layer does, with the details our errors promise.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument, Span};

use super::status::Fault;

/// Watches stay for hours and do next to nothing: they have a limit of their own, so that they take
/// no place from the callers at the window.
const WATCH: &str = "/greenlane.v1.ClaimService/WatchClaims";
/// Methods whose answer may take for ever; keep-alive finds callers who are gone.
const STREAMING: [&str; 6] = [
    WATCH,
    "/greenlane.v1.SettlementService/SubmitSettlements",
    "/greenlane.v1.MemberService/ImportMembers",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// A server with too much to do is still alive, and says so.
const UNLIMITED: &str = "/grpc.health.v1.Health/";
const GRPC_STATUS: &str = "grpc-status";
const GRPC_DETAILS: &str = "grpc-status-details-bin";

/// Puts every call of a server under one limit and each under a deadline.
#[derive(Clone)]
pub(crate) struct CallLayer {
    calls: Places,
    watches: Places,
    timeout_max: Duration,
}

/// So many at once.
#[derive(Clone)]
struct Places {
    free: Arc<Semaphore>,
    max: usize,
}

impl Places {
    fn new(max: usize) -> Places {
        let max = max.min(Semaphore::MAX_PERMITS);
        Places { free: Arc::new(Semaphore::new(max)), max }
    }

    fn is_free(&self) -> bool {
        self.free.available_permits() == self.max
    }
}

impl CallLayer {
    /// At most `in_flight_max` calls and `watches_max` watches at once; an answer that is no stream
    /// takes at most `timeout_max`, less if the caller says so.
    pub(crate) fn new(
        in_flight_max: usize,
        watches_max: usize,
        timeout_max: Duration,
    ) -> CallLayer {
        let (calls, watches) = (Places::new(in_flight_max), Places::new(watches_max));
        CallLayer { calls, watches, timeout_max }
    }

    /// Whether nobody is called any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.calls.is_free() && self.watches.is_free()
    }

    /// How long a call may take until its answer begins.
    fn timeout(&self, path: &str, headers: &HeaderMap) -> Option<Duration> {
        let asked = headers.get("grpc-timeout").and_then(|value| value.to_str().ok());
        let asked = asked.and_then(parse_timeout);
        if STREAMING.contains(&path) {
            return asked;
        }
        Some(asked.map_or(self.timeout_max, |asked| asked.min(self.timeout_max)))
    }
}

/// Reads `grpc-timeout`: at most eight digits and a unit. What is malformed is no wish.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || number.len() > 8 {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = CallService<S>;

    fn layer(&self, inner: S) -> CallService<S> {
        CallService { inner, layer: self.clone() }
    }
}

/// A service under a [`CallLayer`].
#[derive(Clone)]
pub(crate) struct CallService<S> {
    inner: S,
    layer: CallLayer,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for CallService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let path = request.uri().path();
        let span = tracing::info_span!(
            "rpc",
            method = path,
            code = tracing::field::Empty,
            duration_ms = tracing::field::Empty,
        );
        let places = if path == WATCH { &self.layer.watches } else { &self.layer.calls };
        let is_limited = !path.starts_with(UNLIMITED);
        // Who watches the health holds no place, so that it does not hold up the end either.
        let permit = is_limited.then(|| places.free.clone().try_acquire_owned().ok()).flatten();
        let is_refused = permit.is_none() && is_limited;
        let call = Call { span: span.clone(), started: Instant::now(), code: None, permit };
        if is_refused {
            let fault = Fault::too_many_requests(places.max);
            return Box::pin(std::future::ready(Ok(call.refuse(fault))));
        }
        // Counted from here, so that our answer comes before tonic's own, which starts later.
        let timeout = self.layer.timeout(path, request.headers());
        let deadline = timeout.map(|timeout| (call.started + timeout, timeout));
        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        let guarded = async move {
            let outcome = match deadline {
                None => answer.await,
                Some((deadline, timeout)) => {
                    match tokio::time::timeout_at(deadline, answer).await {
                        Ok(outcome) => outcome,
                        Err(_) => return Ok(call.refuse(Fault::deadline_exceeded(timeout))),
                    }
                }
            };
            match outcome {
                Ok(Ok(response)) => Ok(call.watch(response)),
                Ok(Err(never)) => match never {},
                Err(_panic) => Ok(call.refuse(Fault::command_failed())),
            }
        };
        Box::pin(guarded.instrument(span))
    }
}

/// One call from its request to its last byte.
struct Call {
    span: Span,
    started: Instant,
    /// What the caller was told; none until then.
    code: Option<Code>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Call {
    fn refuse(mut self, fault: Fault) -> Response<Body> {
        let status = Status::from(fault);
        self.code = Some(status.code());
        status.into_http()
    }

    /// Gives tonic's own refusals the details ours have, and follows an answer to its end.
    fn watch(mut self, response: Response<Body>) -> Response<Body> {
        let headers = response.headers();
        if let Some(code) = code_of(headers) {
            if !headers.contains_key(GRPC_DETAILS)
                && let Some(fault) = Fault::of_transport(&Status::new(code, ""))
            {
                return self.refuse(fault);
            }
            self.code = Some(code);
            return response;
        }
        response.map(|inner| Body::new(Watched { inner, call: self, is_over: false }))
    }
}

impl Drop for Call {
    /// Told once for every call: also for one whose caller hung up, which is CANCELLED.
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        let duration = self.started.elapsed();
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.span.record("code", tracing::field::debug(code)).record("duration_ms", duration_ms);
        let _entered = self.span.enter();
        if code == Code::Ok {
            tracing::debug!(?code, duration_ms, "answered");
        } else {
            tracing::info!(?code, duration_ms, "refused");
        }
        drop(self.permit.take());
    }
}

fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get(GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// An answer on its way out.
struct Watched {
    inner: Body,
    call: Call,
    is_over: bool,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let _entered = this.call.span.clone().entered();
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| {
            Pin::new(&mut this.inner).poll_frame(context)
        }));
        let polled = polled.unwrap_or_else(|_panic| {
            this.is_over = true;
            let status = Status::from(Fault::command_failed());
            let mut trailers = HeaderMap::new();
            match status.add_header(&mut trailers) {
                Ok(()) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Err(status) => Poll::Ready(Some(Err(status))),
            }
        });
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            this.call.code = code_of(trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;
    use tower::ServiceExt;

    use super::*;

    /// Calls a service that answers as `answer` does, under a limit of one call.
    async fn call<F>(path: &str, timeout: Option<&str>, answer: fn() -> F) -> Status
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let inner = tower::service_fn(move |_: Request<Body>| async move {
            Ok::<_, Infallible>(answer().await)
        });
        let service = CallLayer::new(1, 1, Duration::from_secs(30)).layer(inner);
        let mut request = Request::builder().uri(path);
        if let Some(timeout) = timeout {
            request = request.header("grpc-timeout", timeout);
        }
        let response = service.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        Status::from_header_map(response.headers()).expect("a refusal is all headers")
    }

    fn reason(status: &Status) -> (Code, String) {
        let details = status.get_error_details();
        (status.code(), details.error_info().unwrap().reason.clone())
    }

    async fn never() -> Response<Body> {
        std::future::pending().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_has_a_deadline_of_its_caller_or_of_ours() {
        let status = call("/x", Some("150m"), never).await;
        let expected = "ERROR_REASON_DEADLINE_EXCEEDED".to_owned();
        assert_eq!(reason(&status), (Code::DeadlineExceeded, expected));
        let timeout = |status: &Status| {
            status.get_error_details().error_info().unwrap().metadata["timeout_ms"].clone()
        };
        assert_eq!(timeout(&status), "150");
        assert_eq!(timeout(&call("/x", None, never).await), "30000");
        assert_eq!(timeout(&call("/x", Some("1H"), never).await), "30000");
        assert_eq!(timeout(&call(STREAMING[0], Some("1H"), never).await), "3600000");
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let status = call("/x", None, || async { panic!("a bug") }).await;
        assert_eq!(reason(&status), (Code::Internal, "ERROR_REASON_COMMAND_FAILED".into()));
    }

    #[tokio::test]
    async fn what_tonic_refuses_has_details_too() {
        let oversize = || async { Status::out_of_range("too large").into_http() };
        let status = call("/x", None, oversize).await;
        assert_eq!(
            reason(&status),
            (Code::InvalidArgument, "ERROR_REASON_MESSAGE_TOO_LARGE".into())
        );
        let garbled = || async { Status::internal("buffer underflow").into_http() };
        let status = call("/x", None, garbled).await;
        assert_eq!(
            reason(&status),
            (Code::InvalidArgument, "ERROR_REASON_MESSAGE_UNREADABLE".into())
        );
    }

    #[tokio::test]
    async fn beyond_the_limit_calls_are_refused_and_health_is_not() {
        let inner =
            tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(never().await) });
        let service = CallLayer::new(1, 1, Duration::from_secs(30)).layer(inner);
        let request = |path: &str| Request::builder().uri(path).body(Body::empty()).unwrap();
        let held = service.clone().oneshot(request("/x"));
        let mut held = std::pin::pin!(held);
        assert!(futures::poll!(&mut held).is_pending());
        let refused = service.clone().oneshot(request("/x")).await.unwrap();
        let status = Status::from_header_map(refused.headers()).unwrap();
        assert_eq!(
            reason(&status),
            (Code::ResourceExhausted, "ERROR_REASON_TOO_MANY_REQUESTS".into())
        );
        assert!(status.get_error_details().retry_info().is_some());
        let health = service.clone().oneshot(request("/grpc.health.v1.Health/Check"));
        assert!(futures::poll!(std::pin::pin!(health)).is_pending());
    }

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(parse_timeout("10S"), Some(Duration::from_secs(10)));
        assert_eq!(parse_timeout("99999999H"), Some(Duration::from_hours(99_999_999)));
        assert_eq!(parse_timeout("250u"), Some(Duration::from_micros(250)));
        for text in ["", "S", "1", "1x", "123456789S", "-1S", "1é"] {
            assert_eq!(parse_timeout(text), None, "{text:?}");
        }
    }
}
