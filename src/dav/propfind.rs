//! PROPFIND: from a place to its rows, page by page where there are many. Writes no values itself.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use warp::Reply;
use warp::reply::Response;

use crate::dav::dispatch::Request;
use crate::dav::fault::{Condition, Fault};
use crate::dav::headers::{self, Depth};
use crate::dav::href::{self, Hrefs};
use crate::dav::multistatus::{self, Multistatus};
use crate::dav::path::Place;
use crate::dav::question::{self, Question};
use crate::dav::values::{Scene, Subject};
use crate::domain::address::{Address, Kind, ObjectAddress};
use crate::domain::object::Record;
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::collections::View;

/// Objects that are read and written at a time; a collection with more is answered in chunks, so that its size bounds no memory.
const PAGE: usize = 500;

pub async fn answer(request: &Request) -> Result<Response, Fault> {
    let depth = depth(request)?;
    let root = question::body(request.headers(), &request.body, false)?;
    let ask = Ask {
        question: question::question(root.as_ref())?,
        scene: Scene {
            caller: request.caller.clone(),
            hrefs: request.hrefs(),
            object_max: request.house.settings().limits.object_bytes,
        },
        minimal: headers::minimal(request.headers()),
    };
    let below = depth == Depth::One;
    match request.place() {
        Place::Collection(at) => collection(request, ask, at, below).await,
        Place::Object(at) => object(request, ask, at).await,
        place => tree(request, ask, place, below).await,
    }
}

/// How deep to go. RFC 4918 9.1: nobody has to answer infinity, and a missing header means that.
fn depth(request: &Request) -> Result<Depth, Fault> {
    match headers::depth(request.headers())? {
        // An object has nothing below it.
        Depth::Infinity if matches!(request.place(), Place::Object(_)) => Ok(Depth::Zero),
        Depth::Infinity => {
            let text = "the depth must be given as 0 or 1: everything below is not listed at once";
            Err(Fault::Condition(Condition::PropfindFiniteDepth, text.to_owned()))
        }
        depth => Ok(depth),
    }
}

/// What is asked, and who asks.
struct Ask {
    question: Question,
    scene: Scene,
    minimal: bool,
}

impl Ask {
    fn hrefs(&self) -> Hrefs {
        self.scene.hrefs
    }

    fn row(&self, rows: &mut Multistatus, href: &str, subject: Subject<'_>) {
        rows.row(href, &self.question, &self.scene, subject);
    }

    fn whole(&self, rows: Multistatus) -> Response {
        let mut response = Response::new(rows.finish().into());
        multistatus::dress(&mut response, self.minimal);
        response
    }
}

/// Everything above collections. Of the homes and principals only the caller's own are shown, and those of others refused whether they
/// exist or not.
async fn tree(request: &Request, ask: Ask, place: &Place, below: bool) -> Result<Response, Fault> {
    let (user, hrefs) = (&request.caller.name, ask.hrefs());
    let mut rows = Multistatus::new(ask.minimal);
    let mut row = |subject: Subject<'_>, place: &Place| ask.row(&mut rows, &hrefs.of(place), subject);
    let (principal, home) = (|| Place::Principal(user.clone()), |kind| Place::Home(kind, user.clone()));
    match place {
        Place::Root => {
            row(Subject::Root, place);
            if below {
                row(Subject::Principals, &Place::Principals);
                row(Subject::Homes(Kind::Calendar), &Place::Homes(Kind::Calendar));
                row(Subject::Homes(Kind::AddressBook), &Place::Homes(Kind::AddressBook));
            }
        }
        Place::Principals => {
            row(Subject::Principals, place);
            if below {
                row(Subject::Principal, &principal());
            }
        }
        Place::Principal(whose) if whose == user => row(Subject::Principal, place),
        Place::Homes(kind) => {
            row(Subject::Homes(*kind), place);
            if below {
                row(Subject::Home(*kind), &home(*kind));
            }
        }
        Place::Home(kind, whose) if whose == user => {
            row(Subject::Home(*kind), place);
            if below {
                for view in request.house.list(user, *kind).await? {
                    row(Subject::Collection(&view), &Place::Collection(view.shown.address.clone()));
                }
            }
        }
        Place::Principal(_) | Place::Home(..) | Place::Collection(_) | Place::Object(_) => {
            return Err(Refusal::Forbidden.into());
        }
    }
    Ok(ask.whole(rows))
}

async fn object(request: &Request, ask: Ask, at: &ObjectAddress) -> Result<Response, Fault> {
    let view = request.house.view(&request.caller.name, at.collection()).await?;
    let found = request.house.object(&request.caller, at).await?;
    let mut rows = Multistatus::new(ask.minimal);
    ask.row(&mut rows, &ask.hrefs().of(request.place()), Subject::Object(&view, &found.record));
    Ok(ask.whole(rows))
}

async fn collection(request: &Request, ask: Ask, at: &Address, below: bool) -> Result<Response, Fault> {
    let view = request.house.view(&request.caller.name, at).await?;
    let mut rows = Multistatus::new(ask.minimal);
    let href = ask.hrefs().collection(at);
    ask.row(&mut rows, &href, Subject::Collection(&view));
    if !below {
        return Ok(ask.whole(rows));
    }
    // The token was read before the objects: what changes meanwhile is told again to whoever asks for the changes since.
    let mut listing = Listing { house: request.house.clone(), ask, view, href, rows, after: None };
    // The first page decides the status; a small collection ends with it, and then the answer has a length.
    if !listing.page().await? {
        let Listing { ask, rows, .. } = listing;
        return Ok(ask.whole(rows));
    }
    let minimal = listing.ask.minimal;
    let mut response = warp::reply::stream(chunks(listing)).into_response();
    multistatus::dress(&mut response, minimal);
    Ok(response)
}

/// The rows of a collection's objects, as far as they are written.
struct Listing {
    house: Arc<Service>,
    ask: Ask,
    view: View,
    href: String,
    rows: Multistatus,
    after: Option<Arc<str>>,
}

impl Listing {
    /// Writes one page; whether another may follow.
    async fn page(&mut self) -> Result<bool, Refusal> {
        let page = self.house.objects(&self.view.source, self.after.as_deref(), PAGE).await?;
        let mut href = self.href.clone();
        for record in &page {
            href.truncate(self.href.len());
            href::push_segment(&mut href, &record.name);
            self.ask.row(&mut self.rows, &href, Subject::Object(&self.view, record));
        }
        self.after = page.last().map(|record: &Record| record.name.clone());
        Ok(page.len() == PAGE)
    }
}

/// Pages as they are asked for: one at a time, so that a slow reader holds no more than that.
fn chunks(listing: Listing) -> Shared {
    let pages = stream::unfold(Some(listing), |listing| async {
        let mut listing = listing?;
        let ready = listing.rows.take();
        if !ready.is_empty() {
            return Some((Ok(ready), Some(listing)));
        }
        match listing.page().await {
            Ok(true) => Some((Ok(listing.rows.take()), Some(listing))),
            Ok(false) => Some((Ok(listing.rows.finish()), None)),
            // The status is sent already: the connection breaks off, and the client knows that the list is not whole.
            Err(refusal) => Some((Err(refusal), None)),
        }
    });
    Shared(Mutex::new(pages.boxed()))
}

/// A stream that may be shared between threads because it is only ever reached through `&mut`: warp wants its bodies `Sync`.
struct Shared(Mutex<BoxStream<'static, Result<Bytes, Refusal>>>);

impl Stream for Shared {
    type Item = Result<Bytes, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    }
}
