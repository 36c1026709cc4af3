//! Address books as web apps list them: `GET /addressbooks/{user}.json`.

use http::StatusCode;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::sabre::calendars::{home_link, readable};
use crate::api::sabre::items::{answer, link};
use crate::api::sabre::wrong::Wrong;
use crate::api::sabre::{Ask, rights};
use crate::domain::access::Right;
use crate::domain::address::{Kind, UserName};
use crate::domain::collection::Source;
use crate::service::collections::View;

/// Everything in a home that the caller may read, or the sorts that are asked for; `contactsCount=true` counts the cards of each.
pub async fn list(ask: &Ask, user: &UserName) -> Result<Response, Wrong> {
    let (own, subscribed, shared) = (ask.says("personal"), ask.says("subscribed"), ask.says("shared"));
    let (public, count) = (ask.says("public"), ask.says("contactsCount"));
    let all = !own && !subscribed && !shared && !public;
    let mut shapes = Vec::new();
    for view in readable(ask, Kind::AddressBook, user).await? {
        let wanted = match view.shown.source {
            Source::Own => own || (public && view.source.public.is_some()),
            Source::Delegated(..) => shared,
            Source::Subscribed(..) => subscribed,
        };
        if wanted || all {
            shapes.push(shape(ask, &view, count));
        }
    }
    let body = json!({
        "_links": { "self": { "href": home_link(Kind::AddressBook, user) } },
        "_embedded": { "dav:addressbook": shapes },
    });
    Ok(answer(StatusCode::OK, &body))
}

fn shape(ask: &Ask, view: &View, count: bool) -> Value {
    let mut shape = plain(ask, view);
    match view.shown.source {
        Source::Own => {}
        Source::Delegated(..) => shape["openpaas:source"] = json!(link(&view.source.address)),
        Source::Subscribed(..) => {
            let source = View { shown: view.source.clone(), ..view.clone() };
            shape["openpaas:source"] = plain(ask, &source);
        }
    }
    if count {
        shape["numberOfContacts"] = json!(view.source.objects);
    }
    shape
}

fn plain(ask: &Ask, view: &View) -> Value {
    let acl: &[&str] = if view.right >= Right::ReadWrite { &["dav:read", "dav:write"] } else { &["dav:read"] };
    json!({
        "_links": { "self": { "href": link(&view.shown.address) } },
        "dav:name": view.shown.display_name,
        "carddav:description": view.shown.description,
        "dav:acl": acl,
        "dav:share-access": rights::access(view.right),
        "type": "user",
        "state": "",
        "acl": rights::acl(view, &ask.caller.name),
    })
}
