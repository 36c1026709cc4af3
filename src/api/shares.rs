//! Who else sees a collection: `…/shares`, `…/public`; and what others share with the caller, `/api/shares`. Subscriptions stand in `feeds.rs`.

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, address, answer, caller_and_json, collections, person, signed, signed_with};
use crate::domain::access::Right;
use crate::domain::address::{Address, Kind};
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;
use crate::service::invites::Given;

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
struct Members {
    users: Vec<String>,
}

fn granted(text: &str, most: Right) -> Result<Right, Refusal> {
    let right = Right::granted(text).filter(|right| *right <= most);
    right.ok_or_else(|| Fault::whole(format!("no right named {text:?} can be given here")).into())
}

/// Whom it is shared with, for those who administer it.
pub async fn list(kind: Kind, user: String, id: String, house: House, call: Call) -> Response {
    signed(house, call, |house, _, caller| async move {
        let mut view = house.view(&caller.name, &address(kind, &user, &id)?).await?;
        if view.right < Right::Administration {
            return Err(Refusal::Forbidden);
        }
        house.introduce(&mut view).await?;
        let shares = view.company.iter().flat_map(|company| &company.sharees).map(|one| {
            json!({
                "user": one.name.as_str(),
                "displayName": one.display_name,
                "email": one.email,
                "right": one.right.as_str(),
                "hidden": one.hidden,
            })
        });
        Ok(problem::json(StatusCode::OK, &Value::Array(shares.collect())))
    })
    .await
}

/// What others share with the caller, hidden or not.
pub async fn given(house: House, call: Call) -> Response {
    signed(house, call, |house, _, caller| async move {
        let given = house.shared_with(&caller.name).await?;
        Ok(problem::json(StatusCode::OK, &Value::Array(given.iter().map(shape).collect())))
    })
    .await
}

fn shape(given: &Given) -> Value {
    json!({
        "source": given.source.address.to_string(),
        "owner": given.source.address.user().as_str(),
        "right": given.right.as_str(),
        "href": given.mirror.to_string(),
        "hidden": given.hidden,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    source: String,
    accept: bool,
}

/// Shows what is shared with the caller in their home, or hides it. 200 with how it stands.
pub async fn reply<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    signed_with(house, call, stream, |house, _, caller, wanted: Answer| async move {
        let at = Address::parse(&wanted.source)
            .ok_or_else(|| Fault::whole(format!("{:?} is no path of a collection", wanted.source)))?;
        let mirror = house.answer_share(&caller, &at, wanted.accept).await?;
        let given = house.shared_with(&caller.name).await?;
        let given = given.iter().find(|given| given.mirror == mirror).ok_or(Refusal::NotFound)?;
        Ok(problem::json(StatusCode::OK, &shape(given)))
    })
    .await
}

/// Who acts for the caller, and for whom the caller acts, each with the right.
pub async fn proxies(house: House, call: Call) -> Response {
    signed(house, call, |house, _, caller| async move {
        let one = |user: &str, right: Right| json!({ "user": user, "right": right.as_str() });
        let mine = house.proxies(&caller.name).await?;
        let others = house.acts_for(&caller.name).await?;
        let body = json!({
            "actForMe": mine.iter().map(|proxy| one(proxy.user.as_str(), proxy.right)).collect::<Vec<_>>(),
            "iActFor": others.iter().map(|(owner, right)| one(owner.as_str(), *right)).collect::<Vec<_>>(),
        });
        Ok(problem::json(StatusCode::OK, &body))
    })
    .await
}

/// Sets all who act for the caller with one right, `read` or `read-write`; whoever had another has this one then.
pub async fn set_proxies<B: Buf>(
    right: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    signed_with(house, call, stream, |house, _, caller, wanted: Members| async move {
        let right = granted(&right, Right::ReadWrite)?;
        if right < Right::Read {
            return Err(Fault::whole("who acts for somebody reads at least").into());
        }
        let users = wanted.users.iter().map(|user| person(user)).collect::<Result<Vec<_>, _>>()?;
        house.set_proxies(&caller, right, &users).await?;
        Ok(problem::empty(StatusCode::NO_CONTENT))
    })
    .await
}

/// 201 with the delegate's own address of it.
pub async fn share<B: Buf>(
    kind: Kind,
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
            let mirror = house.share(&caller, &address(kind, &user, &id)?, &whom, right).await?;
            let body = json!({ "user": whom.as_str(), "right": right.as_str(), "href": mirror.to_string() });
            Ok(problem::json(StatusCode::CREATED, &body))
        }
        .await,
    )
}

pub async fn unshare(kind: Kind, user: String, id: String, whom: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            house.unshare(&caller, &address(kind, &user, &id)?, &person(&whom)?).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}

/// `{"right": null}` closes it again, which ends all subscriptions.
pub async fn public<B: Buf>(
    kind: Kind,
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
            let at = address(kind, &user, &id)?;
            house.set_public(&caller, &at, right).await?;
            Ok(problem::json(StatusCode::OK, &collections::shape(&house, &house.view(&caller.name, &at).await?).await?))
        }
        .await,
    )
}
