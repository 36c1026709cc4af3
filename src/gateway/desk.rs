//! The service as dialects ask it. Decides nothing.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::domain::address::{Address, UserName};
use crate::domain::bearer::Bearing;
use crate::domain::collection::CollectionId;
use crate::domain::device::Purpose;
use crate::domain::event::Rang;
use crate::domain::notification::{ConversationId, MessageId};
use crate::domain::refusal::Refusal;
use crate::gateway::dialect::{Desk, Directory, Readable, Visitor};
use crate::gateway::hub::Comings;
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
            Ok(Visitor { user: signed_in.allowed(Purpose::Push)?.name, device })
        })
    }

    fn taken<'a>(
        &'a self,
        user: &'a UserName,
        messages: Vec<(ConversationId, MessageId)>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { self.service.note_taken(user, &messages).await })
    }

    fn channel<'a>(&'a self, user: &'a UserName, address: &'a Address) -> BoxFuture<'a, Result<String, Refusal>> {
        Box::pin(async move { Ok(self.service.view(user, address).await?.shown.display_name) })
    }

    fn unread<'a>(
        &'a self,
        caller: &'a UserName,
        organisation: &'a str,
        user: &'a str,
    ) -> BoxFuture<'a, Result<(UserName, u64), Refusal>> {
        Box::pin(self.service.unread_of(caller, organisation, user))
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
