//! The collections that a report at a place looks into. Asks nothing of them.

use crate::dav::fault::Fault;
use crate::dav::path::Place;
use crate::dav::request::Request;
use crate::domain::access::Right;
use crate::domain::address::Address;
use crate::domain::refusal::Refusal;

/// A collection alone, or all of a home. Whether the caller may look into them is asked of each.
pub async fn collections(request: &Request) -> Result<Vec<Address>, Fault> {
    match request.place() {
        Place::Collection(at) => Ok(vec![at.clone()]),
        Place::Object(at) => Ok(vec![at.collection().clone()]),
        Place::Home(kind, user) => {
            let mut views = request.house.home_of(&request.caller.name, user, *kind).await?;
            views.retain(|view| view.right >= Right::Read);
            Ok(views.into_iter().map(|view| view.shown.address).collect())
        }
        _ => Err(Refusal::Forbidden.into()),
    }
}
