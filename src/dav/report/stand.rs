//! What stands at a place, as far as properties need it. Writes nothing.

use crate::dav::path::Place;
use crate::dav::request::Request;
use crate::dav::values::Subject;
use crate::domain::address::Kind;
use crate::domain::object::Record;
use crate::domain::refusal::Refusal;
use crate::service::collections::View;

/// A subject that owns what it is about.
pub enum Stand {
    Root,
    Principals,
    Principal,
    Homes(Kind),
    Home(Kind),
    Collection(Box<View>),
    Object(Box<(View, Record)>),
}

impl Stand {
    /// `Forbidden` where it is somebody else's alone.
    pub async fn at(request: &Request, place: &Place) -> Result<Stand, Refusal> {
        let (house, caller) = (&request.house, &request.caller);
        Ok(match place {
            Place::Root => Stand::Root,
            Place::Principals => Stand::Principals,
            Place::Homes(kind) => Stand::Homes(*kind),
            Place::Principal(whose) if whose == &caller.name => Stand::Principal,
            Place::Home(kind, whose) if whose == &caller.name => Stand::Home(*kind),
            Place::Principal(_) | Place::Home(..) => return Err(Refusal::Forbidden),
            Place::Collection(at) => Stand::Collection(Box::new(house.view(&caller.name, at).await?)),
            Place::Object(at) => {
                let view = house.view(&caller.name, at.collection()).await?;
                let found = house.object(caller, at).await?;
                Stand::Object(Box::new((view, found.record)))
            }
        })
    }

    pub fn subject(&self) -> Subject<'_> {
        match self {
            Stand::Root => Subject::Root,
            Stand::Principals => Subject::Principals,
            Stand::Principal => Subject::Principal,
            Stand::Homes(kind) => Subject::Homes(*kind),
            Stand::Home(kind) => Subject::Home(*kind),
            Stand::Collection(view) => Subject::Collection(view),
            Stand::Object(both) => Subject::Object(&both.0, &both.1),
        }
    }
}
