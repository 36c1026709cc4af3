//! The notification collection: what somebody was told of sharing, as resources that are read, followed and thrown away.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, StatusCode};
use warp::reply::Response;

use crate::dav::fault::Fault;
use crate::dav::href::{self, Hrefs};
use crate::dav::multistatus::{self, Multistatus, NOT_FOUND};
use crate::dav::objects;
use crate::dav::props::Property;
use crate::dav::report::ask::Ask;
use crate::dav::request::Request;
use crate::dav::sharing::values;
use crate::dav::values::Subject;
use crate::dav::writer::Xml;
use crate::dav::xml::{Element, Space};
use crate::domain::access::Right;
use crate::domain::address::{Kind, UserName};
use crate::domain::invite::{Invite, Mailbox, State};
use crate::domain::refusal::Refusal;
use crate::domain::sync::{Position, Token};
use crate::http::problem;

/// The caller's own; `Forbidden` for anybody else's, whether there is one or not.
pub async fn mailbox(request: &Request, whose: &UserName) -> Result<Mailbox, Refusal> {
    if *whose != request.caller.name {
        return Err(Refusal::Forbidden);
    }
    request.house.invites_for(whose).await
}

pub async fn invite(request: &Request, whose: &UserName, id: &str) -> Result<Invite, Refusal> {
    let held = mailbox(request, whose).await?;
    held.invites.into_iter().find(|one| one.id == id).ok_or(Refusal::NotFound)
}

pub fn etag(invite: &Invite) -> String {
    format!("\"{:x}\"", invite.stamp)
}

pub async fn get(request: &Request, whose: &UserName, id: &str, head: bool) -> Result<Response, Fault> {
    let invite = invite(request, whose, id).await?;
    let text = text(request, &invite).await?;
    let mut response = if head { problem::empty(StatusCode::OK) } else { Response::new(text.into()) };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    if let Ok(etag) = HeaderValue::from_str(&etag(&invite)) {
        response.headers_mut().insert(ETAG, etag);
    }
    objects::disarm(response.headers_mut());
    Ok(response)
}

pub async fn delete(request: &Request, whose: &UserName, id: &str) -> Result<Response, Fault> {
    invite(request, whose, id).await?;
    if !request.precondition()?.allows_untagged() {
        return Err(Refusal::Precondition.into());
    }
    request.house.drop_invite(&request.caller, id).await?;
    Ok(problem::empty(StatusCode::NO_CONTENT))
}

/// What a collection's rows and its token are: RFC 6578. There are few of them, so a list is never cut.
pub async fn changes(request: &Request, root: &Element, whose: &UserName) -> Result<Response, Fault> {
    let ask = Ask::read(request, root, Kind::Calendar).await?;
    let held = mailbox(request, whose).await?;
    let token = root.child(&Space::Dav, "sync-token").map(|token| token.text.trim()).unwrap_or_default();
    let since = match token {
        "" => 0,
        token => match Position::parse(token) {
            Some(Position::At(Token(since))) => since,
            _ => return Err(Refusal::StaleToken.into()),
        },
    };
    let (came, gone) = held.since(since).ok_or(Refusal::StaleToken)?;
    let mut rows = Multistatus::new(ask.minimal);
    for one in came {
        let href = at(request.hrefs(), whose, &one.id);
        ask.row(&mut rows, &href, Subject::Notification(one)).await?;
    }
    for id in gone {
        rows.status(&at(request.hrefs(), whose, id), NOT_FOUND, None);
    }
    rows.token(&Token(held.token).url());
    let mut response = Response::new(rows.finish().into());
    multistatus::dress(&mut response, ask.minimal);
    Ok(response)
}

pub fn at(hrefs: Hrefs, whose: &UserName, id: &str) -> String {
    let mut at = hrefs.notifications(whose);
    href::push_segment(&mut at, id);
    at
}

/// Writes a property of one of them; `false` where it has none.
pub fn write(xml: &mut Xml, property: Property, invite: &Invite) -> bool {
    let tag = property.tag();
    match property {
        Property::Etag => xml.text(tag, &etag(invite)),
        Property::ContentType => xml.text(tag, "application/xml; charset=utf-8"),
        Property::LastModified => xml.text(tag, &invite.at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        Property::DisplayName => xml.text(tag, &invite.name),
        Property::NotificationType => {
            xml.open(tag);
            xml.empty(element(invite));
            xml.close(tag);
        }
        _ => return false,
    }
    true
}

fn element(invite: &Invite) -> &'static str {
    if invite.reply { "CS:invite-reply" } else { "CS:invite-notification" }
}

/// The resource itself.
async fn text(request: &Request, invite: &Invite) -> Result<Bytes, Refusal> {
    let (hrefs, element) = (request.hrefs(), element(invite));
    let other = request.house.person(&invite.other).await.ok();
    let name = other.as_ref().map_or(invite.other.as_str(), |other| other.display_name.as_str());
    let mut xml = Xml::document("CS:notification");
    xml.text("CS:dtstamp", &stamp(invite.at));
    xml.open(element);
    xml.text("CS:uid", invite.id.trim_end_matches(".xml"));
    // Of an invitation whom it is for, of an answer who gave it.
    match other.as_ref().filter(|_| invite.reply) {
        Some(other) => {
            xml.text("D:href", &format!("mailto:{}", other.email));
            xml.text("CS:common-name", name);
        }
        None => xml.text("D:href", &format!("mailto:{}", request.caller.email)),
    }
    xml.empty(match invite.state {
        State::Accepted => "CS:invite-accepted",
        State::Declined => "CS:invite-declined",
        State::Deleted => "CS:invite-deleted",
    });
    if !invite.reply {
        values::access(&mut xml, if invite.state == State::Deleted { Right::None } else { invite.right });
    }
    xml.href_in("CS:hosturl", &hrefs.collection(&invite.about));
    if !invite.reply {
        values::organizer(&mut xml, &invite.other, name, hrefs);
    }
    xml.text("CS:summary", &invite.name);
    xml.close(element);
    xml.close("CS:notification");
    Ok(xml.take())
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}
