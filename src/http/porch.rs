//! Around the routes: what is settled about a request before any route sees it. A proxy's word on who is calling is weighed here, and its
//! header taken out; pages of other origins get their answer on whether they may ask.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;

use http::header::ORIGIN;
use http::{Request, Response, StatusCode};
use hyper::service::Service;

use crate::http::accept::Peer;
use crate::http::cors::Cors;
use crate::http::proxy::Proxies;

/// Routes behind a porch.
#[derive(Clone)]
pub struct Porch<S> {
    inner: S,
    proxies: Arc<Proxies>,
    cors: Arc<Cors>,
}

impl<S> Porch<S> {
    pub fn new(inner: S, proxies: Arc<Proxies>, cors: Arc<Cors>) -> Porch<S> {
        Porch { inner, proxies, cors }
    }
}

impl<S, A, B> Service<Request<A>> for Porch<S>
where
    S: Service<Request<A>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: Default + Send + 'static,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>> + Send>>;

    fn call(&self, mut request: Request<A>) -> Self::Future {
        // Asked by the browser alone, without what would tell who asks.
        if let Some((status, headers)) = self.cors.preflight(request.method(), request.headers()) {
            let mut response = Response::new(B::default());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            return Box::pin(async { Ok(response) });
        }
        let peer = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(at)| at.ip());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let vouch = self.proxies.take(&method, &uri, request.headers_mut(), peer);
        let vouched = vouch.is_some();
        if let Some(vouch) = vouch {
            request.extensions_mut().insert(vouch);
        }
        let (origin, cors) = (request.headers().get(ORIGIN).cloned(), Arc::clone(&self.cors));
        let answering = self.inner.call(request);
        Box::pin(async move {
            let mut response = answering.await?;
            // A socket is nobody's answer to read.
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                cors.dress(origin.as_ref(), vouched, response.headers_mut());
            }
            Ok(response)
        })
    }
}
