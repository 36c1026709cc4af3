//! PROPFIND: from a place to its rows, page by page where there are many. Writes no values itself.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use warp::Reply;
use warp::reply::Response;

use crate::dav::dead;
use crate::dav::fault::{Condition, Fault};
use crate::dav::headers::{self, Depth};
use crate::dav::href::{self, Hrefs};
use crate::dav::multistatus::{self, Multistatus};
use crate::dav::path::Place;
use crate::dav::props::Property;
use crate::dav::question::{self, Question};
use crate::dav::report::stand::Stand;
use crate::dav::report::sync;
use crate::dav::request::Request;
use crate::dav::sharing::notifications;
use crate::dav::values::{Intake, Scene, Subject};
use crate::domain::access::Right;
use crate::domain::address::{Address, Kind, ObjectAddress};
use crate::domain::collection::Source;
use crate::domain::object::Record;
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::collections::View;

/// Objects that are read and written at a time; a collection with more is answered in chunks, so that its size bounds no memory.
const PAGE: usize = 500;

/// Rows that one answer of infinite depth may have above collections; a larger home is refused with `propfind-finite-depth`.
const INFINITE_MAX: u64 = 1_000;

pub async fn answer(request: &Request) -> Result<Response, Fault> {
    let depth = headers::depth(request.headers())?;
    let root = question::body(request.headers(), &request.body, false)?;
    let intake = match request.place() {
        Place::Collection(at) if at.is_inbox() => Intake::of(&request.house, &request.caller.name).await?,
        _ => Intake::default(),
    };
    let ask = Ask {
        question: question::question(root.as_ref())?,
        scene: Scene { intake, ..Scene::of(request).await? },
        minimal: headers::minimal(request.headers()),
        house: request.house.clone(),
    };
    match request.place() {
        // Below an object there is nothing, and below a collection nothing but its objects.
        Place::Object(at) => object(request, ask, at).await,
        Place::Collection(at) => collection(request, ask, at, depth != Depth::Zero).await,
        Place::Proxy(..) | Place::Notifications(_) | Place::Notification(..) => beside(request, ask, depth).await,
        place => tree(request, ask, place, depth).await,
    }
}

/// What is asked, and who asks.
struct Ask {
    question: Question,
    scene: Scene,
    minimal: bool,
    house: Arc<Service>,
}

impl Ask {
    fn hrefs(&self) -> Hrefs {
        self.scene.hrefs
    }

    /// The row of anything that is not one of many.
    async fn row(&self, rows: &mut Multistatus, href: &str, subject: Subject<'_>) -> Result<(), Refusal> {
        let dead = dead::of(&self.house, &self.scene.caller.name, &self.question, subject).await?;
        let mut introduced = None;
        if let Subject::Collection(view) = subject
            && (self.question.names(Property::Invite) || self.question.names(Property::DavInvite))
        {
            let mut view = view.clone();
            self.house.introduce(&mut view).await?;
            introduced = Some(view);
        }
        let subject = introduced.as_ref().map_or(subject, Subject::Collection);
        rows.row_with(href, &self.question, &self.scene, subject, &dead, None);
        Ok(())
    }

    /// The rows of a page of a collection's objects.
    async fn objects(&self, rows: &mut Multistatus, base: &str, view: &View, page: &[Record]) -> Result<(), Refusal> {
        let dead = match self.question.wants_dead() {
            true => self.house.dead_properties_of(&view.source, page).await?,
            false => BTreeMap::new(),
        };
        let mut href = base.to_owned();
        for record in page {
            href.truncate(base.len());
            href::push_segment(&mut href, &record.name);
            let dead = dead.get(&record.name).map(Vec::as_slice).unwrap_or_default();
            rows.row_with(&href, &self.question, &self.scene, Subject::Object(view, record), dead, None);
        }
        Ok(())
    }

    fn whole(&self, rows: Multistatus) -> Response {
        let mut response = Response::new(rows.finish().into());
        multistatus::dress(&mut response, self.minimal);
        response
    }
}

/// Everything above collections. Of the homes and principals only the caller's own are shown, and those of others refused whether they
/// exist or not.
async fn tree(request: &Request, mut ask: Ask, place: &Place, depth: Depth) -> Result<Response, Fault> {
    let user = ask.scene.caller.name.clone();
    if let Place::Principal(whose) | Place::Home(_, whose) = place
        && *whose != user
    {
        return anothers(request, ask, place, depth).await;
    }
    let (below, deep) = (depth != Depth::Zero, depth == Depth::Infinity);
    if deep {
        check_size(&ask, place).await?;
    }
    let mut rows = Multistatus::new(ask.minimal);
    let kinds = match place {
        Place::Root => &[Kind::Calendar, Kind::AddressBook][..],
        Place::Homes(kind) | Place::Home(kind, _) => &[*kind],
        _ => &[],
    };
    if ask.question.names(Property::SyncToken) {
        for kind in kinds {
            ask.scene.home_tokens[*kind as usize] = Some(sync::home_token(&ask.house.list(&user, *kind).await?));
        }
    }
    if ask.question.names(Property::QuotaUsed) {
        for kind in kinds {
            let own = ask.house.list(&user, *kind).await?.into_iter().filter(|view| view.shown.source == Source::Own);
            ask.scene.home_bytes[*kind as usize] = Some(own.map(|view| view.source.bytes).sum());
        }
    }
    match place {
        Place::Root => row(&ask, &mut rows, Subject::Root, place).await?,
        Place::Principals => row(&ask, &mut rows, Subject::Principals, place).await?,
        Place::Principal(_) => row(&ask, &mut rows, Subject::Principal, place).await?,
        Place::Homes(kind) => row(&ask, &mut rows, Subject::Homes(*kind), place).await?,
        Place::Home(kind, _) => row(&ask, &mut rows, Subject::Home(*kind), place).await?,
        Place::Collection(_) | Place::Object(_) | Place::Proxy(..) => return Err(Refusal::NotFound.into()),
        Place::Notifications(_) | Place::Notification(..) => return Err(Refusal::NotFound.into()),
    }
    if below && matches!(place, Place::Root) {
        row(&ask, &mut rows, Subject::Principals, &Place::Principals).await?;
    }
    if (below && matches!(place, Place::Principals)) || (deep && matches!(place, Place::Root)) {
        row(&ask, &mut rows, Subject::Principal, &Place::Principal(user.clone())).await?;
    }
    for kind in kinds {
        if below && matches!(place, Place::Root) {
            row(&ask, &mut rows, Subject::Homes(*kind), &Place::Homes(*kind)).await?;
        }
        if (below && matches!(place, Place::Homes(_))) || (deep && matches!(place, Place::Root)) {
            row(&ask, &mut rows, Subject::Home(*kind), &Place::Home(*kind, user.clone())).await?;
        }
        if deep || (below && matches!(place, Place::Home(..))) {
            home(&ask, &mut rows, *kind, deep).await?;
        }
    }
    Ok(ask.whole(rows))
}

/// The principal and the home of somebody for whom the caller acts.
async fn anothers(request: &Request, ask: Ask, place: &Place, depth: Depth) -> Result<Response, Fault> {
    let stand = Stand::at(request, place).await?;
    let mut rows = Multistatus::new(ask.minimal);
    row(&ask, &mut rows, stand.subject(), place).await?;
    if let (Place::Home(kind, owner), true) = (place, depth != Depth::Zero) {
        if depth == Depth::Infinity {
            let text = "the depth must be given as 0 or 1".to_owned();
            return Err(Fault::Condition(Condition::PropfindFiniteDepth, text));
        }
        for view in ask.house.home_of(&ask.scene.caller.name, owner, *kind).await? {
            let href = ask.hrefs().collection(&view.shown.address);
            ask.row(&mut rows, &href, Subject::Collection(&view)).await?;
        }
    }
    Ok(ask.whole(rows))
}

/// What stands beside the homes: those who act for somebody, and what somebody was told of sharing.
async fn beside(request: &Request, ask: Ask, depth: Depth) -> Result<Response, Fault> {
    let stand = Stand::at(request, request.place()).await?;
    let mut rows = Multistatus::new(ask.minimal);
    row(&ask, &mut rows, stand.subject(), request.place()).await?;
    if let (Stand::Notifications(held), true) = (&stand, depth != Depth::Zero) {
        for invite in &held.invites {
            let href = notifications::at(ask.hrefs(), &ask.scene.caller.name, &invite.id);
            ask.row(&mut rows, &href, Subject::Notification(invite)).await?;
        }
    }
    Ok(ask.whole(rows))
}

async fn row(ask: &Ask, rows: &mut Multistatus, subject: Subject<'_>, place: &Place) -> Result<(), Refusal> {
    ask.row(rows, &ask.hrefs().of(place), subject).await
}

/// The collections of a home, and what is in them.
async fn home(ask: &Ask, rows: &mut Multistatus, kind: Kind, deep: bool) -> Result<(), Refusal> {
    let user = &ask.scene.caller.name;
    // RFC 6638 2.1 and 2.2. What lies in the inbox is asked for there.
    for mailbox in [Address::inbox(user), Address::outbox(user)].iter().filter(|_| kind == Kind::Calendar) {
        let view = ask.house.view(user, mailbox).await?;
        ask.row(rows, &ask.hrefs().collection(mailbox), Subject::Collection(&view)).await?;
    }
    for view in ask.house.shown(user, kind).await? {
        let href = ask.hrefs().collection(&view.shown.address);
        ask.row(rows, &href, Subject::Collection(&view)).await?;
        if deep && view.right >= Right::Read {
            // `check_size` bounds what there is; who writes meanwhile does not make it more than twice that.
            let page = ask.house.objects(&view.source, None, 2 * INFINITE_MAX as usize).await?;
            ask.objects(rows, &href, &view, &page).await?;
        }
    }
    Ok(())
}

/// RFC 4918 9.1: nobody has to answer infinity, and a missing header means that.
async fn check_size(ask: &Ask, place: &Place) -> Result<(), Fault> {
    let kinds = match place {
        Place::Root => &[Kind::Calendar, Kind::AddressBook][..],
        Place::Homes(kind) | Place::Home(kind, _) => &[*kind],
        _ => &[],
    };
    let mut rows: u64 = 0;
    for kind in kinds {
        let views = ask.house.list(&ask.scene.caller.name, *kind).await?;
        rows += views.iter().map(|view| 1 + view.source.objects).sum::<u64>();
    }
    if rows > INFINITE_MAX {
        let text = format!("there are more than {INFINITE_MAX} rows: the depth must be given as 0 or 1");
        return Err(Fault::Condition(Condition::PropfindFiniteDepth, text));
    }
    Ok(())
}

async fn object(request: &Request, ask: Ask, at: &ObjectAddress) -> Result<Response, Fault> {
    let view = request.house.view(&request.caller.name, at.collection()).await?;
    let found = request.house.object(&request.caller, at).await?;
    let mut rows = Multistatus::new(ask.minimal);
    ask.row(&mut rows, &ask.hrefs().of(request.place()), Subject::Object(&view, &found.record)).await?;
    Ok(ask.whole(rows))
}

async fn collection(request: &Request, ask: Ask, at: &Address, below: bool) -> Result<Response, Fault> {
    let view = request.house.glimpse(&request.caller.name, at).await?;
    let mut rows = Multistatus::new(ask.minimal);
    let href = ask.hrefs().collection(at);
    ask.row(&mut rows, &href, Subject::Collection(&view)).await?;
    if !below || view.right < Right::Read {
        return Ok(ask.whole(rows));
    }
    // The token was read before the objects: what changes meanwhile is told again to whoever asks for the changes since.
    let mut listing = Listing { ask, view, href, rows, after: None };
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
    ask: Ask,
    view: View,
    href: String,
    rows: Multistatus,
    after: Option<Arc<str>>,
}

impl Listing {
    /// Writes one page; whether another may follow.
    async fn page(&mut self) -> Result<bool, Refusal> {
        let page = self.ask.house.objects(&self.view.source, self.after.as_deref(), PAGE).await?;
        self.ask.objects(&mut self.rows, &self.href, &self.view, &page).await?;
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
