//! The same as `conversations.rs`, under the names and with the bodies of Airy's API: POST with JSON.

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use warp::reply::Response;

use crate::api::conversations::{Page, channel_list, list_page, message_page, number, shown};
use crate::api::{House, answer, caller_and_body, parse_json};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::call::Call;
use crate::http::problem;

/// What such a body can say. Clients send more than that; `filters` is the one thing that would change the answer.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    conversation_id: Option<String>,
    cursor: Option<String>,
    page_size: Option<usize>,
    filters: Option<String>,
}

impl Asked {
    fn page(&self) -> Result<Page, Refusal> {
        if self.filters.as_ref().is_some_and(|filters| !filters.is_empty()) {
            return Err(Fault::whole("conversations cannot be filtered here").into());
        }
        Page::read(self.cursor.as_deref(), self.page_size)
    }

    fn conversation(&self) -> Result<&str, Refusal> {
        self.conversation_id.as_deref().ok_or_else(|| Fault::whole("conversation_id is missing").into())
    }
}

/// Who calls, and what they ask; no body asks for nothing in particular.
async fn asked<B: Buf>(
    house: &House,
    call: &Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<(Principal, Asked), Refusal> {
    let (caller, body) = caller_and_body(house, call, stream).await?;
    let asked = if body.is_empty() { Asked::default() } else { parse_json(&body)? };
    Ok((caller, asked))
}

pub async fn conversations<B: Buf>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, asked) = asked(&house, &call, stream).await?;
            Ok(problem::json(StatusCode::OK, &list_page(&house, &caller, asked.page()?).await?))
        }
        .await,
    )
}

pub async fn conversation<B: Buf>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, asked) = asked(&house, &call, stream).await?;
            let (found, _) = house.conversation(&caller, number(asked.conversation()?)?).await?;
            Ok(problem::json(StatusCode::OK, &shown(&house, &caller, found).await?))
        }
        .await,
    )
}

pub async fn mark_read<B: Buf>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, asked) = asked(&house, &call, stream).await?;
            house.mark_read(&caller, number(asked.conversation()?)?).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}

pub async fn messages<B: Buf>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, asked) = asked(&house, &call, stream).await?;
            let shown = message_page(&house, &caller, number(asked.conversation()?)?, asked.page()?).await?;
            Ok(problem::json(StatusCode::OK, &shown))
        }
        .await,
    )
}

pub async fn channels<B: Buf>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, _) = asked(&house, &call, stream).await?;
            Ok(problem::json(StatusCode::OK, &channel_list(&house, &caller).await?))
        }
        .await,
    )
}
