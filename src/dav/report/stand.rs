//! What stands at a place, as far as properties need it. Writes nothing.

use crate::dav::path::Place;
use crate::dav::request::Request;
use crate::dav::sharing::notifications;
use crate::dav::values::{Deputies, Subject};
use crate::domain::access::Right;
use crate::domain::address::{Kind, UserName};
use crate::domain::invite::{Invite, Mailbox};
use crate::domain::object::Record;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::service::collections::View;

/// A subject that owns what it is about.
pub enum Stand {
    Root,
    Principals,
    Principal,
    Person(Box<Principal>),
    Proxy(Deputies),
    Homes(Kind),
    Home(Kind),
    HomeOf(Kind, UserName),
    Notifications(Box<Mailbox>),
    Notification(Box<Invite>),
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
            Place::Principal(whose) => match house.acting(&caller.name, whose).await? {
                Some(_) => Stand::Person(Box::new(house.person(whose).await?)),
                None => return Err(Refusal::Forbidden),
            },
            Place::Home(kind, whose) => match house.acting(&caller.name, whose).await? {
                Some(_) if *kind == Kind::Calendar => Stand::HomeOf(*kind, whose.clone()),
                _ => return Err(Refusal::Forbidden),
            },
            Place::Proxy(owner, writes) => Stand::Proxy(Stand::deputies(request, owner, *writes).await?),
            Place::Notifications(whose) => {
                Stand::Notifications(Box::new(notifications::mailbox(request, whose).await?))
            }
            Place::Notification(whose, id) => {
                Stand::Notification(Box::new(notifications::invite(request, whose, id).await?))
            }
            Place::Collection(at) => {
                let mut view = house.glimpse(&caller.name, at).await?;
                house.introduce(&mut view).await?;
                Stand::Collection(Box::new(view))
            }
            Place::Object(at) => {
                let view = house.view(&caller.name, at.collection()).await?;
                let found = house.object(caller, at).await?;
                Stand::Object(Box::new((view, found.record)))
            }
        })
    }

    /// Those who act for somebody: the owner sees all of them, each of them themself.
    pub async fn deputies(request: &Request, owner: &UserName, writes: bool) -> Result<Deputies, Refusal> {
        let mine = &request.caller.name;
        let proxies = request.house.proxies(owner).await?;
        let of_it = proxies.into_iter().filter(|proxy| (proxy.right > Right::Read) == writes).map(|proxy| proxy.user);
        let members: Vec<UserName> = of_it.filter(|user| owner == mine || user == mine).collect();
        if owner != mine && members.is_empty() {
            return Err(Refusal::Forbidden);
        }
        Ok(Deputies { owner: owner.clone(), writes, members })
    }

    pub fn subject(&self) -> Subject<'_> {
        match self {
            Stand::Root => Subject::Root,
            Stand::Principals => Subject::Principals,
            Stand::Principal => Subject::Principal,
            Stand::Person(person) => Subject::Person(person),
            Stand::Proxy(deputies) => Subject::Proxy(deputies),
            Stand::HomeOf(kind, owner) => Subject::HomeOf(*kind, owner),
            Stand::Notifications(held) => Subject::Notifications(held),
            Stand::Notification(invite) => Subject::Notification(invite),
            Stand::Homes(kind) => Subject::Homes(*kind),
            Stand::Home(kind) => Subject::Home(*kind),
            Stand::Collection(view) => Subject::Collection(view),
            Stand::Object(both) => Subject::Object(&both.0, &both.1),
        }
    }
}
