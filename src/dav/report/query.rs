//! calendar-query and addressbook-query: what matches a filter. RFC 4791 7.8, RFC 6352 8.6.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use warp::reply::Response;

use crate::dav::fault::{Condition, Fault};
use crate::dav::href;
use crate::dav::multistatus::{self, Multistatus};
use crate::dav::path::Place;
use crate::dav::report::ask::Ask;
use crate::dav::report::feed::{self, Feed};
use crate::dav::report::{cards, filters, homes};
use crate::dav::request::Request;
use crate::dav::xml::{Element, Space};
use crate::domain::address::{Address, Kind};
use crate::domain::query::{Filter, Instances};
use crate::domain::refusal::{self, Refusal};
use crate::service::Service;
use crate::service::collections::zone_named;
use crate::service::queries::{Found, Page, Query, zone_defined};

/// Everything that a query is about.
struct Asking {
    house: Arc<Service>,
    ask: Ask,
    caller: crate::domain::principal::Principal,
    filter: Arc<Filter>,
    zone: Option<Tz>,
}

pub async fn calendar(request: &Request, root: &Element) -> Result<Response, Fault> {
    let filter = Filter::Calendar(filters::read(root)?);
    let zone = zone_of(root, request.house.now())?;
    answer(request, asking(request, root, Kind::Calendar, filter, zone).await?, None).await
}

pub async fn cards(request: &Request, root: &Element) -> Result<Response, Fault> {
    let filter = Filter::Card(cards::read(root)?);
    let limit = cards::limit(root)?;
    answer(request, asking(request, root, Kind::AddressBook, filter, None).await?, limit).await
}

async fn asking(
    request: &Request,
    root: &Element,
    kind: Kind,
    filter: Filter,
    zone: Option<Tz>,
) -> Result<Asking, Fault> {
    let (house, caller) = (request.house.clone(), request.caller.clone());
    Ok(Asking { house, ask: Ask::read(request, root, kind).await?, caller, filter: Arc::new(filter), zone })
}

/// The zone that floating times and dates are to stand in: a VTIMEZONE, RFC 4791 9.8, or a name, RFC 7809 5.3.
fn zone_of(root: &Element, now: DateTime<Utc>) -> Result<Option<Tz>, Fault> {
    let (known, name) = match (root.child(&Space::CalDav, "timezone-id"), root.child(&Space::CalDav, "timezone")) {
        (Some(id), _) => (zone_named(id.text.trim()).and_then(|name| name.parse().ok()), id.text.trim()),
        (None, Some(definition)) => {
            let unread = |fault: refusal::Fault| Fault::Condition(Condition::ValidCalendarData, fault.to_string());
            (zone_defined(&definition.text, now).map_err(unread)?, "of that clock")
        }
        (None, None) => return Ok(None),
    };
    match known {
        Some(zone) => Ok(Some(zone)),
        None => Err(Fault::Condition(Condition::ValidTimezone, format!("no zone {name:?}"))),
    }
}

async fn answer(request: &Request, asking: Asking, limit: Option<usize>) -> Result<Response, Fault> {
    let minimal = asking.ask.minimal;
    if let Place::Object(at) = request.place() {
        return object(request, asking, at).await;
    }
    let collections: VecDeque<Address> = homes::collections(request).await?.into();
    let place = request.hrefs().of(request.place());
    let bounded = asking.ask.excerpt.as_ref().is_some_and(|data| matches!(data.instances, Instances::Expanded(_)));
    let mut rows = Rows { asking, collections, open: None, place, left: limit, over: false };
    // Who may not look learns it from the status, so the first is opened before anything is sent.
    rows.open_next().await?;
    if !bounded {
        return feed::answer(Box::new(rows), minimal).await;
    }
    // Instances are bounded, and where there are too many the answer is none.
    let mut written = Multistatus::new(minimal);
    while rows.page(&mut written).await? {}
    if rows.over {
        return Err(too_many());
    }
    let mut response = Response::new(written.finish().into());
    multistatus::dress(&mut response, minimal);
    Ok(response)
}

pub fn too_many() -> Fault {
    Fault::TooMany("there are more instances than one answer may hold: ask about a shorter time".to_owned())
}

async fn object(
    request: &Request,
    asking: Asking,
    at: &crate::domain::address::ObjectAddress,
) -> Result<Response, Fault> {
    let Asking { house, ask, caller, filter, zone } = asking;
    let view = house.view(&caller.name, at.collection()).await?;
    let page = house.query_object(&caller, &view, at.name(), filter, ask.excerpt.clone(), zone).await?;
    if page.over {
        return Err(too_many());
    }
    let mut rows = Multistatus::new(ask.minimal);
    let dead = ask.dead(&view, page.found.iter().map(|found| &*found.record)).await?;
    for Found { record, text } in &page.found {
        ask.object(&mut rows, &request.hrefs().of(request.place()), (&view, record), &dead, text.as_deref());
    }
    let mut response = Response::new(rows.finish().into());
    multistatus::dress(&mut response, ask.minimal);
    Ok(response)
}

/// What is found, collection by collection.
struct Rows {
    asking: Asking,
    collections: VecDeque<Address>,
    open: Option<(Query, String)>,
    /// Where the report was asked for.
    place: String,
    /// Rows that the client still wants.
    left: Option<usize>,
    over: bool,
}

impl Rows {
    /// Opens the next collection; `false` behind the last.
    async fn open_next(&mut self) -> Result<bool, Refusal> {
        let Some(at) = self.collections.pop_front() else { return Ok(false) };
        let Asking { house, ask, caller, filter, zone } = &self.asking;
        let query = house.query(caller, &at, filter.clone(), ask.excerpt.clone(), *zone).await?;
        self.open = Some((query, ask.scene.hrefs.collection(&at)));
        Ok(true)
    }

    async fn more(&mut self, rows: &mut Multistatus) -> Result<bool, Refusal> {
        let Some((query, href)) = &mut self.open else { return self.open_next().await };
        let Some(Page { found, over }) = query.next(&self.asking.house).await? else {
            self.open = None;
            return Ok(!self.collections.is_empty());
        };
        let (own, view, ask) = (href.len(), &query.view, &self.asking.ask);
        let dead = ask.dead(view, found.iter().map(|found| &*found.record)).await?;
        for Found { record, text } in &found {
            if self.left == Some(0) {
                rows.cut(&self.place);
                return Ok(false);
            }
            self.left = self.left.map(|left| left - 1);
            href.truncate(own);
            href::push_segment(href, &record.name);
            ask.object(rows, href, (view, record), &dead, text.as_deref());
        }
        href.truncate(own);
        self.over |= over;
        Ok(!over)
    }
}

impl Feed for Rows {
    fn page<'a>(&'a mut self, rows: &'a mut Multistatus) -> BoxFuture<'a, Result<bool, Refusal>> {
        self.more(rows).boxed()
    }
}
