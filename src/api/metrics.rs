//! `GET /metrics`: what was measured, in the text that Prometheus reads. Served on a listener of its own, without signing in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use tokio::sync::Mutex;
use warp::reply::Response;

use crate::api::House;
use crate::http::problem;
use crate::system::pace;

/// The text exposition format of Prometheus.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// What costs a walk over the store is taken no more often than this, however often it is asked for,
const REST: Duration = Duration::from_secs(15);
/// and takes no more than this part of the time.
const REST_FACTOR: u32 = 50;

/// What a scrape shows, and when its slow numbers may be taken again.
pub struct Board {
    house: House,
    rest_until: Mutex<Option<Instant>>,
}

impl Board {
    pub fn new(house: House) -> Arc<Board> {
        Arc::new(Board { house, rest_until: Mutex::new(None) })
    }

    /// Walks the store where the last walk is long enough ago. Others who ask meanwhile wait for it rather than walk too.
    async fn refresh(&self) {
        let mut rest_until = self.rest_until.lock().await;
        let began = pace::now();
        if rest_until.is_some_and(|until| began < until) {
            return;
        }
        // Where the store cannot tell, the last numbers stand; it has said why in the log.
        if let Ok(stock) = self.house.stock().await {
            self.house.meter().stock(stock);
        }
        if let Ok(ages) = self.house.feed_ages().await {
            self.house.meter().upstream(&ages);
        }
        *rest_until = Some(pace::now() + REST.max(began.elapsed() * REST_FACTOR));
    }
}

pub async fn show(board: Arc<Board>) -> Response {
    board.refresh().await;
    let mut response = Response::new(board.house.meter().text().into());
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

/// Nothing else is served there.
pub async fn nothing_else() -> Response {
    problem::empty(StatusCode::NOT_FOUND)
}
