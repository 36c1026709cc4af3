//! stub
use crate::http::call::Call;
use crate::service::Service;
use bytes::Buf;
use futures_util::Stream;
use std::sync::Arc;
use warp::reply::Response;
pub async fn answer<B: Buf>(
    _house: Arc<Service>,
    _call: Call,
    _body: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    crate::http::problem::empty(http::StatusCode::NOT_IMPLEMENTED)
}
