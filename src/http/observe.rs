//! Around every HTTP request: the number under which the logs speak of it, and what it cost. Logs a route's template and never a path, a
//! query, a header or a body, because those hold tickets, tokens, passwords and people's appointments.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{HeaderValue, Request, Response};
use hyper::service::Service;
use tracing::Instrument;

use crate::http::route;
use crate::system::meter::{Answered, Meter};
use crate::system::pace;

/// Where an answer names the number of its request, so that a client can quote it.
pub const REQUEST_ID: &str = "x-request-id";

/// A service whose requests are numbered and measured.
#[derive(Clone)]
pub struct Observed<S> {
    inner: S,
    meter: Arc<dyn Meter>,
    numbers: Arc<Numbers>,
}

/// Numbers that no other request of this process has, behind one that hardly any other process has.
struct Numbers {
    process: u32,
    next: AtomicU32,
}

impl<S> Observed<S> {
    /// `process` is random, so that two runs do not share their numbers.
    pub fn new(inner: S, meter: Arc<dyn Meter>, process: u32) -> Observed<S> {
        Observed { inner, meter, numbers: Arc::new(Numbers { process, next: AtomicU32::new(0) }) }
    }
}

impl<S, A, B> Service<Request<A>> for Observed<S>
where
    S: Service<Request<A>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>> + Send>>;

    fn call(&self, request: Request<A>) -> Self::Future {
        let route = route::template(request.uri().path());
        let method = route::method(request.method().as_str());
        let number = self.numbers.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:08x}{number:08x}", self.numbers.process);
        let span = tracing::info_span!("request", %id);
        let meter = Arc::clone(&self.meter);
        let began = pace::now();
        let answering = self.inner.call(request);
        let observed = async move {
            let mut response = answering.await?;
            let (status, time) = (response.status(), began.elapsed());
            meter.answered(Answered { route, method, status: status.as_u16(), time });
            let (code, ms) = (status.as_u16(), time.as_millis());
            if status.is_server_error() {
                tracing::warn!(route, method, status = code, ms, "answered");
            } else {
                tracing::debug!(route, method, status = code, ms, "answered");
            }
            if let Ok(id) = HeaderValue::try_from(id) {
                response.headers_mut().insert(REQUEST_ID, id);
            }
            Ok(response)
        };
        Box::pin(observed.instrument(span))
    }
}
