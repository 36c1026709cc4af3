//! calendar-multiget and addressbook-multiget: objects by their hrefs. RFC 4791 7.9, RFC 6352 8.7.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use warp::reply::Response;

use crate::dav::fault::Fault;
use crate::dav::multistatus::{self, Multistatus, NOT_FOUND};
use crate::dav::path::{Path, Place};
use crate::dav::report::ask::Ask;
use crate::dav::report::feed::{self, Feed};
use crate::dav::report::query::too_many;
use crate::dav::request::Request;
use crate::dav::xml::{Element, Space};
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::principal::Principal;
use crate::domain::query::Instances;
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::collections::View;
use crate::service::queries::Found;

/// Objects that are read at a time.
const PAGE: usize = 128;

/// An href as the client spelled it, and what it names here.
type Wanted = (String, Option<(Address, String)>);

pub async fn answer(request: &Request, root: &Element) -> Result<Response, Fault> {
    let kind = request.place().kind().unwrap_or(Kind::Calendar);
    let ask = Ask::read(request, root, kind).await?;
    let hrefs = root.children.iter().filter(|child| child.name.is(&Space::Dav, "href"));
    let mut known = HashSet::new();
    let hrefs: Vec<&str> = hrefs.map(|href| href.text.trim()).filter(|href| known.insert(*href)).collect();
    let most = request.house.settings().reports.hrefs;
    if hrefs.is_empty() {
        return Err(Fault::Malformed("a multiget names at least one href".to_owned()));
    }
    if hrefs.len() > most {
        return Err(Fault::TooMany(format!("a multiget names at most {most} hrefs")));
    }
    // Who may not look into the collection learns nothing of what is in it.
    if let Place::Collection(at) = request.place() {
        request.house.view(&request.caller.name, at).await?;
    }
    let place = request.place();
    let wanted: Vec<Wanted> = hrefs
        .into_iter()
        .map(|href| (href.to_owned(), named(href).filter(|(at, name)| below(place, at, name))))
        .collect();
    let minimal = ask.minimal;
    let bounded = ask.excerpt.as_ref().is_some_and(|data| matches!(data.instances, Instances::Expanded(_)));
    let mut rows = Rows {
        house: request.house.clone(),
        caller: request.caller.clone(),
        ask,
        wanted: wanted.into_iter(),
        open: None,
        over: false,
    };
    if !bounded {
        return feed::answer(Box::new(rows), minimal).await;
    }
    let mut written = Multistatus::new(minimal);
    while rows.page(&mut written).await? {}
    if rows.over {
        return Err(too_many());
    }
    let mut response = Response::new(written.finish().into());
    multistatus::dress(&mut response, minimal);
    Ok(response)
}

/// The object that an href names: a path, or a whole URL, whose host is ours since the client says so.
fn named(href: &str) -> Option<(Address, String)> {
    let path = match href.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => href,
    };
    match Path::parse(path).ok()?.place {
        Place::Object(at) => Some((at.collection().clone(), at.name().to_owned())),
        _ => None,
    }
}

/// Whether an object lies at or below the place of the request.
fn below(place: &Place, at: &Address, name: &str) -> bool {
    let home = |kind: &Kind, user: &UserName| at.kind() == *kind && at.user() == user;
    match place {
        Place::Collection(collection) => collection == at,
        Place::Object(object) => object.collection() == at && object.name() == name,
        Place::Home(kind, user) => home(kind, user),
        _ => false,
    }
}

struct Rows {
    house: Arc<Service>,
    caller: Principal,
    ask: Ask,
    wanted: std::vec::IntoIter<Wanted>,
    /// The collection that was looked into last; `None` within where it is not for the caller.
    open: Option<(Address, Option<View>)>,
    over: bool,
}

impl Rows {
    async fn more(&mut self, rows: &mut Multistatus) -> Result<bool, Refusal> {
        let page: Vec<Wanted> = self.wanted.by_ref().take(PAGE).collect();
        let mut rest = page.as_slice();
        while let Some((_, first)) = rest.first() {
            let collection = first.as_ref().map(|(at, _)| at);
            // Those of one collection that stand together are read together.
            let same = |wanted: &&Wanted| wanted.1.as_ref().map(|(at, _)| at) == collection;
            let run = rest.iter().take_while(same).count();
            let (these, others) = rest.split_at(run);
            rest = others;
            self.run(rows, collection, these).await?;
            if self.over {
                return Ok(false);
            }
        }
        Ok(self.wanted.len() > 0)
    }

    async fn run(
        &mut self,
        rows: &mut Multistatus,
        collection: Option<&Address>,
        these: &[Wanted],
    ) -> Result<(), Refusal> {
        let view = match collection {
            Some(at) => self.view(at).await?,
            None => None,
        };
        let Some(view) = view else {
            these.iter().for_each(|(href, _)| rows.status(href, NOT_FOUND, None));
            return Ok(());
        };
        let names: Vec<String> = these.iter().filter_map(|(_, at)| at.as_ref().map(|(_, name)| name.clone())).collect();
        let named = self.house.named(&view, &names, self.ask.excerpt.clone(), None).await?;
        self.over |= named.over;
        let dead = self.ask.dead(&view, named.found.iter().flatten().map(|found| &*found.record)).await?;
        for ((href, _), found) in these.iter().zip(named.found) {
            match found {
                Some(Found { record, text }) => {
                    self.ask.object(rows, href, (&view, &record), &dead, text.as_deref());
                }
                None => rows.status(href, NOT_FOUND, None),
            }
        }
        Ok(())
    }

    /// What the caller sees at an address; `None` where that is nothing.
    async fn view(&mut self, at: &Address) -> Result<Option<View>, Refusal> {
        if let Some((known, view)) = &self.open
            && known == at
        {
            return Ok(view.clone());
        }
        let view = match self.house.view(&self.caller.name, at).await {
            Ok(view) => Some(view),
            Err(Refusal::NotFound | Refusal::Forbidden) => None,
            Err(refusal) => return Err(refusal),
        };
        self.open = Some((at.clone(), view.clone()));
        Ok(view)
    }
}

impl Feed for Rows {
    fn page<'a>(&'a mut self, rows: &'a mut Multistatus) -> BoxFuture<'a, Result<bool, Refusal>> {
        self.more(rows).boxed()
    }
}
