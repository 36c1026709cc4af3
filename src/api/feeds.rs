//! Feeds: `/api/feeds`, subscriptions to URLs at `/api/subscriptions`, and `…/birthdays` of an address book.

use bytes::Buf;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, address, answer, caller_and_body, collections, parse_json, signed, signed_with};
use crate::domain::address::{Address, Kind};
use crate::domain::collection::{Kept, Source};
use crate::domain::feed::{Feed, From, Pace, host_of};
use crate::domain::occurrence;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::{Call, decoded};
use crate::http::problem;
use crate::service::feeds::Subscription;

/// A feed as its reader sees it. Of another's, an administrator sees the host and not the path, which is often as good as a password.
pub fn shape(feed: &Feed, reader: &Principal) -> Value {
    let state = &feed.state;
    let at = |at: Option<DateTime<Utc>>| at.as_ref().map(occurrence::instant);
    let own = feed.user == reader.name || !feed.keeps();
    let mut shape = json!({
        "id": feed.id,
        "user": feed.user.as_str(),
        "target": feed.target.to_string(),
        "configured": !feed.keeps(),
        "mode": feed.mode.as_str(),
        "state": if state.running.is_some() { "running" } else { state.word() },
        "lastRun": at(state.ran),
        "lastSuccess": at(state.succeeded),
        "lastFailure": at(state.failed),
        "error": Some(&state.why).filter(|why| !why.is_empty()),
        "failures": state.failures,
        "down": state.down,
        "import": state.import,
        "created": state.counts.created,
        "updated": state.counts.updated,
        "unchanged": state.counts.unchanged,
        "skipped": state.counts.skipped,
        "deleted": state.counts.deleted,
        "failedCount": state.counts.failed,
        "repaired": state.counts.repaired,
        "warnings": state.warnings,
    });
    match &feed.from {
        From::Url(url) if own => shape["url"] = json!(url),
        From::Url(url) => shape["host"] = json!(host_of(url)),
        From::Directory(path) if reader.administrator => shape["directory"] = json!(path),
        From::Directory(_) => {}
        From::Birthdays(book, _) => shape["birthdaysOf"] = json!(book.to_string()),
    }
    match &feed.pace {
        Pace::Cron { schedule, zone } => {
            shape["schedule"] = json!(schedule);
            shape["timezone"] = json!(zone);
        }
        Pace::Every { seconds, .. } => shape["refreshSeconds"] = json!(seconds),
        Pace::Follows => {}
    }
    // What follows its source has no time of its own.
    if feed.pace != Pace::Follows {
        shape["nextRun"] = json!(occurrence::instant(&state.due));
    }
    shape
}

pub async fn list(house: House, call: Call) -> Response {
    signed(house, call, |house, _, caller| async move {
        let feeds = house.list_feeds(&caller).await?;
        Ok(problem::json(StatusCode::OK, &feeds.iter().map(|feed| shape(feed, &caller)).collect()))
    })
    .await
}

pub async fn show(id: String, house: House, call: Call) -> Response {
    signed(house, call, |house, _, caller| async move {
        let id = decoded(&id).ok_or(Refusal::NotFound)?;
        Ok(problem::json(StatusCode::OK, &shape(&house.feed(&caller, &id).await?, &caller)))
    })
    .await
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refresh {
    #[serde(default)]
    force: bool,
}

/// 202: it is looked at in a moment. A body is not needed.
pub async fn refresh<B: Buf>(
    id: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, body) = caller_and_body(&house, &call, stream).await?;
            let wanted: Refresh = if body.is_empty() { Refresh::default() } else { parse_json(&body)? };
            let id = decoded(&id).ok_or(Refusal::NotFound)?;
            let feed = house.refresh_feed(&caller, &id, wanted.force).await?;
            Ok(problem::json(StatusCode::ACCEPTED, &shape(&feed, &caller)))
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscribed {
    source: Option<String>,
    url: Option<String>,
    /// The last part of its path; one is made up where it is not given.
    id: Option<String>,
    name: Option<String>,
    color: Option<String>,
    refresh: Option<String>,
}

/// 201 with the subscriber's own address of it: a calendar of this service, or one that is at a URL.
pub async fn subscribe<B: Buf>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    signed_with(house, call, stream, |house, _, caller, wanted: Subscribed| async move {
        let at = match (wanted.source, wanted.url) {
            (Some(_), None) if wanted.color.is_some() || wanted.refresh.is_some() => {
                return Err(Fault::whole("color and refresh belong to a url").into());
            }
            (Some(source), None) => {
                let source = Address::parse(&source)
                    .ok_or_else(|| Fault::whole(format!("{source:?} is no path of a collection")))?;
                house.subscribe(&caller, &source, wanted.name, wanted.id.as_deref()).await?
            }
            (None, Some(url)) => {
                let refresh = wanted.refresh.map(|text| seconds(&text)).transpose()?;
                let id = wanted.id;
                let wanted = Subscription { url, name: wanted.name, color: wanted.color, refresh };
                house.subscribe_to_url(&caller, id.as_deref(), wanted).await?
            }
            _ => return Err(Fault::whole("give either a source or a url").into()),
        };
        collections::made(&house, &house.view(&caller.name, &at).await?).await
    })
    .await
}

/// A length like `PT1H` or `P1D` in seconds.
fn seconds(text: &str) -> Result<u32, Refusal> {
    let wrong = || Refusal::from(Fault::whole(format!("refresh: {text:?} is no length like PT1H or P1D")));
    Subscription::seconds(text).ok_or_else(wrong)
}

/// What the caller subscribed to, at URLs and in others' homes.
pub async fn subscriptions(house: House, call: Call) -> Response {
    signed(house, call, |house, _, caller| async move {
        let mut list = Vec::new();
        for view in house.shown(&caller.name, Kind::Calendar).await? {
            let subscribed =
                matches!(view.shown.source, Source::Subscribed(..)) || matches!(view.shown.kept, Some(Kept::Feed(_)));
            if !subscribed {
                continue;
            }
            let mut one = collections::shape(&house, &view).await?;
            if let Some(feed) = house.feed_of(&view.shown).await? {
                one["feed"] = shape(&feed, &caller);
            }
            list.push(one);
        }
        Ok(problem::json(StatusCode::OK, &Value::Array(list)))
    })
    .await
}

/// Ends one, by the last part of its path in the caller's home.
pub async fn unsubscribe(id: String, house: House, call: Call) -> Response {
    signed(house, call, |house, _, caller| async move {
        let at = address(Kind::Calendar, caller.name.as_str(), &id)?;
        let shown = house.glimpse(&caller.name, &at).await?.shown;
        if !matches!(shown.source, Source::Subscribed(..)) && !matches!(shown.kept, Some(Kept::Feed(_))) {
            return Err(Refusal::NotFound);
        }
        house.delete_collection(&caller, &at).await?;
        Ok(problem::empty(StatusCode::NO_CONTENT))
    })
    .await
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Birthdays {
    name: Option<String>,
    color: Option<String>,
}

/// 201 with the calendar of an address book's birthdays, in the caller's own home. A body is not needed.
pub async fn show_birthdays<B: Buf>(
    user: String,
    id: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, body) = caller_and_body(&house, &call, stream).await?;
            let wanted: Birthdays = if body.is_empty() { Birthdays::default() } else { parse_json(&body)? };
            let book = address(Kind::AddressBook, &user, &id)?;
            let at = house.show_birthdays(&caller, &book, wanted.name, wanted.color).await?;
            collections::made(&house, &house.view(&caller.name, &at).await?).await
        }
        .await,
    )
}

pub async fn hide_birthdays(user: String, id: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            house.hide_birthdays(&caller, &address(Kind::AddressBook, &user, &id)?).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}
