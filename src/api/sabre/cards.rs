//! The cards of an address book: `GET /addressbooks/{user}/{id}.json?limit=&offset=&search=&sort=&modifiedBefore=`.

use std::sync::Arc;

use chrono::DateTime;
use http::StatusCode;
use serde_json::json;
use warp::reply::Response;

use crate::api::sabre::Ask;
use crate::api::sabre::items::{Items, answer, link};
use crate::api::sabre::wrong::Wrong;
use crate::domain::address::Address;
use crate::domain::query::Excerpt;

/// Cards of one answer when nobody says, and at most; `_links.next` leads on.
const PAGE_MAX: usize = 1_000;
/// Cards that are looked through to find, sort and skip; a book with more that match is answered 422.
const LOOKED_AT_MAX: usize = 50_000;
/// Cards asked of the service at a time.
const AT_ONCE: usize = 1_000;

pub async fn list(ask: &Ask, at: &Address) -> Result<Response, Wrong> {
    let view = ask.house.view(&ask.caller.name, at).await?;
    let search = ask.call.parameter("search").unwrap_or_default();
    let limit = number(ask, "limit")?.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let offset = number(ask, "offset")?.unwrap_or(0);
    let sort = ask.call.parameter("sort").filter(|sort| !sort.is_empty());
    if sort.as_ref().is_some_and(|sort| sort != "fn") {
        return Err(Wrong::bad("sort is fn, or is left out"));
    }
    let before = number(ask, "modifiedBefore")?;
    // Without an order of its own, and with nothing to look at in every card, no more than the page itself is looked for.
    let enough = match (&sort, before) {
        (None, None) => offset.saturating_add(limit).saturating_add(1),
        _ => usize::MAX,
    };
    let (mut found, mut after): (Vec<(String, Arc<str>)>, Option<Arc<str>>) = (Vec::new(), None);
    while found.len() < enough {
        let page = ask.house.contacts(&ask.caller, at, &search, after.as_deref(), AT_ONCE).await?;
        found.extend(page.list.into_iter().map(|contact| (contact.name, contact.object)));
        if found.len() > LOOKED_AT_MAX {
            return Err(Wrong::TooMany(format!("more than {LOOKED_AT_MAX} cards match: search for more words")));
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if let Some(before) = before {
        let before = i64::try_from(before).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let before = before.ok_or_else(|| Wrong::bad("modifiedBefore is a number of seconds since 1970"))?;
        let names: Vec<String> = found.iter().map(|(_, name)| name.to_string()).collect();
        let records = ask.house.named(&view, &names, None, None).await?.found;
        let mut old = records.iter().map(|one| one.as_ref().is_some_and(|one| one.record.modified < before));
        found.retain(|_| old.next().unwrap_or(false));
    }
    if sort.is_some() {
        found.sort_by_cached_key(|(name, object)| (name.to_lowercase(), object.clone()));
    }
    let more = found.len() > offset.saturating_add(limit);
    let names: Vec<String> = found.into_iter().skip(offset).take(limit).map(|(_, name)| name.to_string()).collect();
    let excerpt = Some(Arc::new(Excerpt::default()));
    let cards = ask.house.named(&view, &names, excerpt, None).await?;
    let mut items = Items::default();
    items.take(&ask.house, at, cards.found.into_iter().flatten().collect()).await?;
    let mut body = json!({
        "_links": { "self": { "href": link(at) } },
        "dav:syncToken": view.source.token.0,
        "_embedded": { "dav:item": items.list },
    });
    if more {
        let encoded =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let mut next = format!("{}?limit={limit}&offset={}", link(at), offset.saturating_add(limit));
        for (name, value) in
            [("search", Some(search)), ("sort", sort), ("modifiedBefore", before.map(|one| one.to_string()))]
        {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                next.push_str(&format!("&{name}={}", encoded(&value)));
            }
        }
        body["_links"]["next"] = json!({ "href": next });
    }
    Ok(answer(StatusCode::OK, &body))
}

fn number(ask: &Ask, name: &str) -> Result<Option<usize>, Wrong> {
    let Some(text) = ask.call.parameter(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let read = text.parse().ok().map(Some);
    read.ok_or_else(|| Wrong::Bad(format!("{name} is a whole number, not {text:?}")))
}
