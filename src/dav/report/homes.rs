//! The collections that a report at a place looks into. Asks nothing of them.

use crate::dav::fault::Fault;
use crate::dav::path::Place;
use crate::dav::request::Request;
use crate::domain::address::Address;
use crate::domain::refusal::Refusal;

/// A collection alone, or all of a home. Whether the caller may look into them is asked of each.
pub async fn collections(request: &Request) -> Result<Vec<Address>, Fault> {
    match request.place() {
        Place::Collection(at) => Ok(vec![at.clone()]),
        Place::Object(at) => Ok(vec![at.collection().clone()]),
        Place::Home(kind, user) if user == &request.caller.name => {
            let views = request.house.list(user, *kind).await?;
            Ok(views.into_iter().map(|view| view.shown.address).collect())
        }
        _ => Err(Refusal::Forbidden.into()),
    }
}
