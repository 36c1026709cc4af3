//! Who else sees a calendar: `…/shares/{user}`, `…/public`, `/api/subscriptions`.

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use warp::reply::Response;

use crate::api::{House, address, answer, caller_and_json, collections, person};
use crate::domain::access::Right;
use crate::domain::address::{Address, Kind};
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    right: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Public {
    right: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    source: String,
    name: Option<String>,
}

fn granted(text: &str, most: Right) -> Result<Right, Refusal> {
    let right = Right::granted(text).filter(|right| *right <= most);
    right.ok_or_else(|| Fault::whole(format!("no right named {text:?} can be given here")).into())
}

/// 201 with the delegate's own address of it.
pub async fn share<B: Buf>(
    user: String,
    id: String,
    whom: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, share): (_, Share) = caller_and_json(&house, &call, stream).await?;
            let right = granted(&share.right, Right::Administration)?;
            let whom = person(&whom)?;
            let mirror = house.share(&caller, &address(Kind::Calendar, &user, &id)?, &whom, right).await?;
            let body = json!({ "user": whom.as_str(), "right": right.as_str(), "href": mirror.to_string() });
            Ok(problem::json(StatusCode::CREATED, &body))
        }
        .await,
    )
}

pub async fn unshare(user: String, id: String, whom: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            house.unshare(&caller, &address(Kind::Calendar, &user, &id)?, &person(&whom)?).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}

/// `{"right": null}` closes it again, which ends all subscriptions.
pub async fn public<B: Buf>(
    user: String,
    id: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, public): (_, Public) = caller_and_json(&house, &call, stream).await?;
            let right = public.right.as_deref().map(|text| granted(text, Right::ReadWrite)).transpose()?;
            let at = address(Kind::Calendar, &user, &id)?;
            house.set_public(&caller, &at, right).await?;
            Ok(problem::json(StatusCode::OK, &collections::shape(&house, &house.view(&caller.name, &at).await?).await?))
        }
        .await,
    )
}

/// 201 with the subscriber's own address of it.
pub async fn subscribe<B: Buf>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, wanted): (_, Subscription) = caller_and_json(&house, &call, stream).await?;
            let source = Address::parse(&wanted.source)
                .ok_or_else(|| Fault::whole(format!("{:?} is no path of a calendar", wanted.source)))?;
            let at = house.subscribe(&caller, &source, wanted.name).await?;
            collections::made(&house, &house.view(&caller.name, &at).await?).await
        }
        .await,
    )
}
