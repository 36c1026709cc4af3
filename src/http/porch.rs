//! Around the routes: what is settled about a request before any route sees it. A proxy's word on who is calling is weighed here, and its
//! header taken out.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::{Request, Response};
use hyper::service::Service;

use crate::http::accept::Peer;
use crate::http::proxy::Proxies;

/// Routes behind a porch.
#[derive(Clone)]
pub struct Porch<S> {
    inner: S,
    proxies: Arc<Proxies>,
}

impl<S> Porch<S> {
    pub fn new(inner: S, proxies: Arc<Proxies>) -> Porch<S> {
        Porch { inner, proxies }
    }
}

impl<S, A, B> Service<Request<A>> for Porch<S>
where
    S: Service<Request<A>, Response = Response<B>, Error = Infallible>,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = S::Future;

    fn call(&self, mut request: Request<A>) -> Self::Future {
        let peer = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(at)| at.ip());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        if let Some(vouch) = self.proxies.take(&method, &uri, request.headers_mut(), peer) {
            request.extensions_mut().insert(vouch);
        }
        self.inner.call(request)
    }
}
