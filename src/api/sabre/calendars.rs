//! Calendars as web apps list them: `GET /calendars/{user}.json`, `GET /calendars/{user}/{id}.json`.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::order;
use crate::api::sabre::items::{Items, answer, link, too_many};
use crate::api::sabre::wrong::Wrong;
use crate::api::sabre::{Ask, rights};
use crate::domain::access::Right;
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::Source;
use crate::domain::dead::Holder;
use crate::domain::query::{Excerpt, Filter};
use crate::domain::refusal::Refusal;
use crate::http::call::{SEGMENT, href};
use crate::http::problem;
use crate::service::collections::View;

/// Which of a home's collections are asked for.
struct Sorts {
    own: bool,
    subscribed: bool,
    delegated: bool,
    /// Those alone that everybody may read.
    public: bool,
}

/// Everything in a home that the caller may read. An empty list is an empty body.
pub async fn list(ask: &Ask, user: &UserName) -> Result<Response, Wrong> {
    let sorts = sorts(ask);
    let with_rights = ask.says("withRights");
    let mut shapes = Vec::new();
    for view in visible(ask, Kind::Calendar, user).await? {
        let wanted = match view.shown.source {
            Source::Own => sorts.own && (!sorts.public || view.source.public.is_some()),
            Source::Delegated(..) => sorts.delegated,
            Source::Subscribed(..) => sorts.subscribed,
        };
        if wanted {
            shapes.push(shape(ask, &view, with_rights).await?);
        }
    }
    if shapes.is_empty() {
        return Ok(problem::empty(StatusCode::OK));
    }
    let body = json!({
        "_links": { "self": { "href": home_link(Kind::Calendar, user) } },
        "_embedded": { "dav:calendar": shapes },
    });
    Ok(answer(StatusCode::OK, &body))
}

/// esn-sabre: without any of the three parameters all but delegated ones.
fn sorts(ask: &Ask) -> Sorts {
    if ask.says("sharedPublic") {
        return Sorts { own: true, subscribed: false, delegated: false, public: true };
    }
    let said = |name: &str| ask.call.parameter(name);
    let (personal, subscribed, delegated) =
        (said("personal"), said("sharedPublicSubscription"), said("sharedDelegationStatus"));
    let any = personal.is_some() || subscribed.is_some() || delegated.is_some();
    Sorts {
        own: personal.map_or(!any, |said| said == "true"),
        subscribed: subscribed.map_or(!any, |said| said == "true"),
        // There is no share that waits for an answer.
        delegated: delegated.is_some_and(|status| status != "noresponse"),
        public: false,
    }
}

/// What stands in somebody's home, as far as the caller may read it: of another's home their own collections alone.
pub async fn readable(ask: &Ask, kind: Kind, user: &UserName) -> Result<Vec<View>, Refusal> {
    let seen = visible(ask, kind, user).await?;
    Ok(seen.into_iter().filter(|view| view.right >= Right::Read).collect())
}

/// As `readable`, and what the caller may only ask for when its owner is busy.
pub async fn visible(ask: &Ask, kind: Kind, user: &UserName) -> Result<Vec<View>, Refusal> {
    let caller = &ask.caller.name;
    let views = ask.house.shown(user, kind).await?;
    if user == caller {
        return Ok(views);
    }
    let mut seen = Vec::new();
    for view in views.into_iter().filter(|view| view.shown.source == Source::Own) {
        match ask.house.glimpse(caller, &view.shown.address).await {
            Ok(view) => seen.push(view),
            Err(Refusal::Forbidden | Refusal::NotFound) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(seen)
}

/// One calendar; with `allEvents=true` everything in it.
pub async fn show(ask: &Ask, at: &Address) -> Result<Response, Wrong> {
    let view = ask.house.view(&ask.caller.name, at).await?;
    let mut body = shape(ask, &view, ask.says("withRights")).await?;
    if ask.says("allEvents") {
        let (filter, excerpt) = (Arc::new(Filter::Everything), Some(Arc::new(Excerpt::default())));
        let mut query = ask.house.query(&ask.caller, at, filter, excerpt, None).await?;
        let mut items = Items::default();
        while let Some(page) = query.next(&ask.house).await? {
            if page.over {
                return Err(too_many());
            }
            items.take(&ask.house, at, page.found).await?;
        }
        body["_embedded"] = json!({ "dav:item": items.list });
    }
    Ok(answer(StatusCode::OK, &body))
}

/// A home's own link.
pub fn home_link(kind: Kind, user: &UserName) -> String {
    format!("/{}/{}.json", kind.root(), percent_encoding::utf8_percent_encode(user.as_str(), SEGMENT))
}

/// One calendar as its reader sees it.
pub async fn shape(ask: &Ask, view: &View, with_rights: bool) -> Result<Value, Refusal> {
    let mut shape = plain(ask, view, with_rights).await?;
    match &view.shown.source {
        Source::Own => {}
        // Its path would tell its name.
        _ if view.right < Right::Read => {}
        Source::Delegated(..) => {
            shape["calendarserver:delegatedsource"] = json!(format!("{}.json", href(&view.source.address, None)));
        }
        Source::Subscribed(..) => {
            let source = View { shown: view.source.clone(), ..view.clone() };
            shape["calendarserver:source"] = plain(ask, &source, true).await?;
        }
    }
    Ok(shape)
}

async fn plain(ask: &Ask, view: &View, with_rights: bool) -> Result<Value, Refusal> {
    let shown = &view.shown;
    let mut shape = json!({ "_links": { "self": { "href": link(&shown.address) } } });
    // Who only learns when its owner is busy sees neither its name nor that it changes.
    if view.right >= Right::Read || shown.address.user() == &ask.caller.name {
        shape["dav:name"] = json!(shown.display_name);
    }
    if view.right < Right::Read {
        return Ok(shape);
    }
    shape["calendarserver:ctag"] = json!(view.source.token.url());
    if !shown.description.is_empty() {
        shape["caldav:description"] = json!(shown.description);
    }
    if !shown.color.is_empty() {
        shape["apple:color"] = json!(shown.color);
    }
    if let Some(order) = order::read(&ask.house.dead_properties(&Holder::Collection(shown.id)).await?) {
        shape["apple:order"] = json!(order);
    }
    if with_rights {
        shape["invite"] = json!(rights::invites(&ask.house, view, &ask.caller.name).await?);
        shape["acl"] = json!(rights::acl(view, &ask.caller.name));
    }
    Ok(shape)
}
