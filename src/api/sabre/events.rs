//! What a calendar holds in a stretch of time, each instance by itself and in UTC: `{"match":{"start","end"}}`.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::sabre::items::{Items, answer, link, listed, too_many, values};
use crate::api::sabre::wrong::Wrong;
use crate::api::sabre::{Ask, calendars, place, window};
use crate::domain::address::{Address, Kind, ObjectAddress};
use crate::domain::query::{CompFilter, CompTest, Excerpt, Filter, Instances, Range};
use crate::http::call::href;

/// Calendars that one question across calendars names at most.
const CALENDARS_MAX: usize = 100;

/// 200 with the items, and `sync-token` among what is embedded.
pub async fn matching(ask: &Ask, at: &Address, body: &Value) -> Result<Response, Wrong> {
    let range = window::matched(body)?;
    let view = ask.house.view(&ask.caller.name, at).await?;
    let items = found(ask, at, range).await?;
    let mut body = listed(&link(at), items.list);
    body["_embedded"]["sync-token"] = json!(view.source.token.url());
    Ok(answer(StatusCode::OK, &body))
}

async fn found(ask: &Ask, at: &Address, range: Range) -> Result<Items, Wrong> {
    let mut items = Items::default();
    gather(ask, at, range, &mut items).await?;
    Ok(items)
}

async fn gather(ask: &Ask, at: &Address, range: Range, items: &mut Items) -> Result<(), Wrong> {
    let mut query =
        ask.house.query(&ask.caller, at, Arc::new(events(range)), Some(Arc::new(expanded(range))), None).await?;
    while let Some(page) = query.next(&ask.house).await? {
        if page.over {
            return Err(too_many());
        }
        items.take(&ask.house, at, page.found).await?;
    }
    Ok(())
}

/// One event: 200 with its instances, of which there may be none.
pub async fn one(ask: &Ask, at: &ObjectAddress, body: &Value) -> Result<Response, Wrong> {
    let range = window::matched(body)?;
    let view = ask.house.view(&ask.caller.name, at.collection()).await?;
    let (filter, excerpt) = (Arc::new(Filter::Everything), Some(Arc::new(expanded(range))));
    let page = ask.house.query_object(&ask.caller, &view, at.name(), filter, excerpt, None).await?;
    if page.over {
        return Err(too_many());
    }
    let found = page.found.into_iter().next().ok_or(crate::domain::refusal::Refusal::NotFound)?;
    let text: Bytes = found.text.unwrap_or_default();
    let data = values(&ask.house, at.collection().kind(), vec![text]).await?.pop().flatten();
    let body = json!({
        "_links": { "self": { "href": href(at.collection(), Some(at.name())) } },
        "data": data,
        "etag": found.record.etag.as_str(),
    });
    Ok(answer(StatusCode::OK, &body))
}

/// `POST /query.json {"scope":{"calendars":[…]},"match"}`: each calendar with its items.
pub async fn across(ask: &Ask) -> Result<Response, Wrong> {
    let body = ask.object()?;
    let named = body.get("scope").and_then(|scope| scope.get("calendars")).and_then(Value::as_array);
    let named = named.ok_or_else(|| Wrong::bad("scope.calendars is missing: a list of paths"))?;
    if named.len() > CALENDARS_MAX {
        return Err(Wrong::TooMany(format!("a question names at most {CALENDARS_MAX} calendars")));
    }
    let range = window::matched(&body)?;
    let mut shapes = Vec::new();
    // What all of them hold counts together.
    let mut items = Items::default();
    for path in named {
        let at = path.as_str().and_then(place::collection).filter(|at| at.kind() == Kind::Calendar);
        let at = at.ok_or_else(|| Wrong::Bad(format!("{path} is no path of a calendar")))?;
        let view = ask.house.view(&ask.caller.name, &at).await?;
        let mut shape = calendars::shape(ask, &view, false).await?;
        gather(ask, &at, range, &mut items).await?;
        shape["_embedded"] = json!({ "dav:item": std::mem::take(&mut items.list) });
        shapes.push(shape);
    }
    let body = json!({
        "_links": { "self": { "href": "/query.json" } },
        "_embedded": { "dav:calendar": shapes },
    });
    Ok(answer(StatusCode::OK, &body))
}

fn events(range: Range) -> Filter {
    let present = |range, comps| CompTest::Present { range, props: Vec::new(), comps };
    let event = CompFilter { name: "VEVENT".to_owned(), test: present(Some(range), Vec::new()) };
    Filter::Calendar(CompFilter { name: "VCALENDAR".to_owned(), test: present(None, vec![event]) })
}

fn expanded(range: Range) -> Excerpt {
    Excerpt { instances: Instances::Expanded(range), ..Excerpt::default() }
}
