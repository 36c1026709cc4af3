//! COPY and MOVE: where an object or a collection is to go. RFC 4918 9.8 and 9.9. What may stand there is decided by the service.

use http::StatusCode;
use warp::reply::Response;

use crate::dav::fault::{Condition, Fault};
use crate::dav::headers;
use crate::dav::objects;
use crate::dav::path::{Path, Place};
use crate::dav::request::Request;
use crate::domain::address::{Address, Kind, ObjectAddress};
use crate::domain::refusal::Refusal;
use crate::http::problem;
use crate::service::moving::{Transfer, Way};

pub async fn copy(request: &Request) -> Result<Response, Fault> {
    match request.place() {
        Place::Object(from) => object(request, from, Way::Copy).await,
        Place::Collection(at) => {
            request.house.view(&request.caller.name, at).await?;
            Err(Fault::Denied("a whole collection is not copied: make another and copy its objects".to_owned()))
        }
        _ => Err(Fault::NotAllowed("COPY is not supported here".to_owned())),
    }
}

pub async fn relocate(request: &Request) -> Result<Response, Fault> {
    match request.place() {
        Place::Object(from) => object(request, from, Way::Move).await,
        Place::Collection(from) => collection(request, from).await,
        _ => Err(Fault::NotAllowed("MOVE is not supported here".to_owned())),
    }
}

async fn object(request: &Request, from: &ObjectAddress, way: Way) -> Result<Response, Fault> {
    let there = headers::destination(request.headers())?;
    let overwrite = headers::overwrite(request.headers())?;
    let precondition = request.precondition()?;
    let (house, caller) = (&request.house, &request.caller);
    // Who may not see what is to go learns nothing of where it should.
    house.view(&caller.name, from.collection()).await?;
    let to = match &there.place {
        Place::Object(to) => to.clone(),
        Place::Collection(at) => return Err(location(at, there.clone())),
        _ => return Err(Fault::Denied("an object goes into a calendar or an address book".to_owned())),
    };
    if to.collection().kind() != from.collection().kind() {
        let (condition, text) = match to.collection().kind() {
            Kind::Calendar => (Condition::SupportedCalendarData, "a calendar takes no cards"),
            Kind::AddressBook => (Condition::SupportedAddressData, "an address book takes no calendar objects"),
        };
        return Err(Fault::Condition(condition, text.to_owned()));
    }
    let at_destination = |refusal: Refusal| match refusal {
        // RFC 4918 9.8.5: what would hold it is not there.
        Refusal::NotFound => Fault::NoParent,
        refusal => Fault::There(Box::new(refusal.into()), there.clone()),
    };
    house.view(&caller.name, to.collection()).await.map_err(at_destination)?;
    let transfer = Transfer { from: from.clone(), to, way, overwrite };
    let written = match house.transfer(caller, transfer, precondition).await {
        Ok(Some(written)) => written,
        Ok(None) => return Err(Fault::Denied("the Destination is the object itself".to_owned())),
        // These two are about what was asked for; all others about where it should go.
        Err(refusal @ (Refusal::NotFound | Refusal::Precondition)) => return Err(refusal.into()),
        Err(refusal) => return Err(at_destination(refusal)),
    };
    let status = if written.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    Ok(objects::wrote(status, &written))
}

/// An object cannot take the place of a collection.
fn location(at: &Address, there: Path) -> Fault {
    let text = format!("{at} is a collection: the Destination names an object in it");
    Fault::There(Box::new(Fault::Denied(text)), there)
}

/// A collection of one's own gets another name. Nothing else of it changes: not its number, its token, its shares.
async fn collection(request: &Request, from: &Address) -> Result<Response, Fault> {
    let there = headers::destination(request.headers())?;
    // Nothing that stands there is ever replaced by a whole collection, whatever the header allows.
    headers::overwrite(request.headers())?;
    let (house, caller) = (&request.house, &request.caller);
    house.view(&caller.name, from).await?;
    if !request.precondition()?.allows_untagged() {
        return Err(Refusal::Precondition.into());
    }
    let Place::Collection(to) = &there.place else {
        return Err(Fault::Denied("a collection goes to another name in the same home".to_owned()));
    };
    if to.kind() != from.kind() || to.user() != from.user() {
        return Err(Fault::Denied("a collection goes to another name in the same home".to_owned()));
    }
    match house.rename_collection(caller, from, to).await {
        Ok(()) => Ok(problem::empty(StatusCode::CREATED)),
        // RFC 4918 10.6: with Overwrite: F a 412; otherwise it would have to go first, and nobody asked for that by name.
        Err(Refusal::Exists) => Err(Refusal::Precondition.into()),
        Err(Refusal::Unsupported(text)) => Err(Fault::Denied(text)),
        Err(refusal) => Err(refusal.into()),
    }
}
