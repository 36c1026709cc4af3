//! The service as dialects ask it. Decides nothing.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::domain::address::{Address, UserName};
use crate::domain::bearer::{Bearing, Hold};
use crate::domain::collection::CollectionId;
use crate::domain::device::Purpose;
use crate::domain::event::Rang;
use crate::domain::notification::{ConversationId, MessageId};
use crate::domain::refusal::Refusal;
use crate::gateway::dialect::{Desk, Directory, Readable, Visitor};
use crate::gateway::hub::Comings;
use crate::gateway::sight::{Seen, Sight, Target, Unseen};
use crate::service::Service;
use crate::service::login::Credentials;

pub struct ServiceDesk {
    service: Arc<Service>,
}

impl ServiceDesk {
    pub fn new(service: Arc<Service>) -> ServiceDesk {
        ServiceDesk { service }
    }
}

impl Comings for ServiceDesk {
    fn came(&self, user: &UserName) {
        self.service.attend(user, true);
    }

    fn left(&self, user: &UserName) {
        self.service.attend(user, false);
    }
}

impl Desk for ServiceDesk {
    fn resolve<'a>(&'a self, user: &'a UserName, address: &'a Address) -> BoxFuture<'a, Result<Readable, Refusal>> {
        Box::pin(async move {
            let view = self.service.view(user, address).await?;
            Ok(Readable { collection: view.source.id, token: view.source.token })
        })
    }

    fn waiting<'a>(&'a self, user: &'a UserName) -> BoxFuture<'a, Result<Vec<Rang>, Refusal>> {
        Box::pin(self.service.waiting_alarms(user))
    }

    fn bear<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Bearing, Refusal>> {
        Box::pin(self.service.bear(token))
    }

    fn see<'a>(&'a self, user: &'a UserName) -> BoxFuture<'a, Result<Vec<(CollectionId, Address)>, Refusal>> {
        Box::pin(self.service.sources(user))
    }

    fn sign_in<'a>(&'a self, credentials: &'a Credentials, from: IpAddr) -> BoxFuture<'a, Result<Visitor, Refusal>> {
        Box::pin(async move {
            let signed_in = self.service.sign_in(credentials, from).await?;
            let device = signed_in.device.as_ref().map(|device| Arc::from(device.id.as_str()));
            let hold = signed_in.hold.clone();
            Ok(Visitor { user: signed_in.allowed(Purpose::Push)?.name, device, hold })
        })
    }

    fn holds<'a>(&'a self, hold: &'a Hold) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(self.service.holds(hold))
    }

    fn taken<'a>(
        &'a self,
        user: &'a UserName,
        messages: Vec<(ConversationId, MessageId)>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { self.service.note_taken(user, &messages).await })
    }

    fn channel<'a>(&'a self, user: &'a UserName, address: &'a Address) -> BoxFuture<'a, Result<String, Refusal>> {
        Box::pin(async move {
            let view = self.service.view(user, address).await?;
            // Of what a feed fills that fails again and again, listeners are told as of what is gone.
            if view.source.down { Err(Refusal::NotFound) } else { Ok(view.shown.display_name) }
        })
    }

    fn unread<'a>(
        &'a self,
        caller: &'a UserName,
        organisation: &'a str,
        user: &'a str,
    ) -> BoxFuture<'a, Result<(UserName, u64), Refusal>> {
        Box::pin(self.service.unread_of(caller, organisation, user))
    }

    fn look<'a>(&'a self, user: &'a UserName, sight: &'a Sight) -> BoxFuture<'a, Result<Seen, Unseen>> {
        Box::pin(async move {
            let house = &self.service;
            let unseen = |missing: Unseen| {
                move |refusal| match refusal {
                    Refusal::NotFound => missing,
                    Refusal::Forbidden => Unseen::Denied,
                    other => Unseen::Trouble(other),
                }
            };
            let viewer = house.person(user).await.map_err(Unseen::Trouble)?;
            let organisation = house.organisation(&sight.organisation).await.map_err(unseen(Unseen::Organisation))?.id;
            // Who is of another organisation learns nothing of who and what is in this one.
            house.check_insider(&viewer, &organisation).await.map_err(unseen(Unseen::Denied))?;
            match &sight.target {
                Target::Person(name) => {
                    let member = house.member(&organisation, name).await.map_err(unseen(Unseen::Target))?;
                    Ok(Seen::Person(house.portrait(&member).await.map_err(unseen(Unseen::Target))?))
                }
                Target::Group(name) => {
                    let group = house.group(&organisation, name).await.map_err(unseen(Unseen::Target))?;
                    house.check_watcher(&viewer, &group).await.map_err(unseen(Unseen::Denied))?;
                    Ok(Seen::Group(house.group_portrait(&group).await.map_err(unseen(Unseen::Target))?))
                }
            }
        })
    }

    fn told<'a>(&'a self, user: &'a UserName, alarms: Vec<(DateTime<Utc>, u64)>) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(self.service.note_told(user, alarms))
    }
}

impl Directory for ServiceDesk {
    fn origin(&self) -> Uuid {
        self.service.directory().origin()
    }

    fn person(&self, user: &UserName) -> Uuid {
        self.service.directory().person(user)
    }

    fn tenant(&self, user: &UserName) -> Uuid {
        self.service.directory().tenant(user)
    }
}
