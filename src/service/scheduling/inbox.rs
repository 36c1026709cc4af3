//! Messages in somebody's inbox: laid down in the commit that brings them, the oldest going where there are too many. Reads no message.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::address::{Address, UserName};
use crate::domain::collection::Collection;
use crate::domain::object::{BodyId, Component, Record, Stands};
use crate::domain::refusal::Refusal;
use crate::domain::sync::{Change, Token};
use crate::ical::lines::Limits;
use crate::ical::object::CalendarObject;
use crate::kv::{Stamp, Writes};
use crate::service::Service;
use crate::service::collections::standing;
use crate::service::objects::{etag, seen_object};
use crate::store::{changes, collections, keys, objects};
use crate::system::random;

/// Messages that an inbox holds; at the bound the oldest goes for each that comes. RFC 6638 4.1 leaves that to the server.
pub const MESSAGES_MAX: u64 = 200;

/// A message on its way into an inbox.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    inbox: Collection,
    oldest: Option<Record>,
    bytes: Bytes,
    uid: String,
    component: Component,
}

impl Posted {
    /// The rows that the commit rests on, in the order in which [`Posted::lay`] wants them.
    pub fn reads(&self) -> Vec<Bytes> {
        let oldest = self.oldest.iter().map(|oldest| keys::object(self.inbox.id, &oldest.name));
        std::iter::once(keys::collection(&self.inbox.address)).chain(oldest).collect()
    }

    /// Writes it. No wire shows inboxes, so nobody is told.
    pub fn lay(
        &self,
        writes: &mut Writes,
        rows: &[Option<Bytes>],
        now: DateTime<Utc>,
        stamp: Stamp,
    ) -> Result<(), Refusal> {
        let mut head = standing(rows.first(), self.inbox.id)?;
        let id = head.id;
        if head.objects >= MESSAGES_MAX
            && let Some(oldest) = seen_object(rows.get(1))?
        {
            objects::remove(writes, id, &oldest);
            changes::write(writes, id, stamp.0, 0, Change::Removed, &oldest.name);
            head.objects -= 1;
            head.bytes = head.bytes.saturating_sub(oldest.size);
        }
        // Names sort by age.
        let name: Arc<str> = Arc::from(format!("{:016x}.ics", stamp.0));
        let record = Record {
            name: name.clone(),
            uid: self.uid.clone(),
            component: self.component,
            etag: etag(&self.bytes),
            size: self.bytes.len() as u64,
            span: None,
            modified: now,
            body: BodyId { stamp: stamp.0, part: 0 },
            due: None,
            armed: Vec::new(),
            created: now,
            schedule_tag: None,
            dead: 0,
            // Nobody but its owner sees an inbox.
            private: Some(false),
            stands: Stands::default(),
        };
        objects::write(writes, id, &record, &self.bytes);
        changes::write(writes, id, stamp.0, 1, Change::Written, &name);
        head.objects += 1;
        head.bytes += record.size;
        head.token = Token(stamp.0);
        collections::write(writes, &head);
        Ok(())
    }
}

impl Service {
    /// A message, and what stands in its inbox now.
    pub(crate) async fn posted(&self, user: &UserName, message: Vec<u8>) -> Result<Posted, Refusal> {
        let inbox = self.mailbox(&Address::inbox(user)).await?;
        let oldest = match inbox.objects >= MESSAGES_MAX {
            true => self.store.objects(inbox.id, None, 1).await?.pop(),
            false => None,
        };
        let object = CalendarObject::read(&message, &Limits { object_bytes: usize::MAX, ..self.line_limits() })?;
        let (uid, component) = (object.uid().unwrap_or_default(), object.component().unwrap_or(Component::Event));
        Ok(Posted { inbox, oldest, bytes: Bytes::from(message), uid, component })
    }

    /// A name that no object has.
    pub(crate) fn fresh_name(&self) -> String {
        format!("{}.ics", random::uuid(self.random()))
    }
}
