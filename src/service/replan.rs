//! Planning again what was planned before: after a zone changed, and after the clock was turned back.

use chrono::{DateTime, Utc};

use crate::domain::address::{Kind, UserName};
use crate::domain::collection::{Collection, Source};
use crate::domain::object::Record;
use crate::domain::refusal::Refusal;
use crate::ical::object::CalendarObject;
use crate::service::Service;
use crate::service::alarms::Ringing;
use crate::service::objects::seen_object;
use crate::store::{due, journal, keys, objects};

/// Objects that are planned at a time: enough to share syncs, few enough to leave room for others.
const PAGE: usize = 256;

impl Service {
    /// Plans every alarm of everybody anew, from the present on.
    pub(crate) async fn replan_all(&self) -> Result<(), Refusal> {
        for principal in self.store.principals().await? {
            self.replan_home(&principal.name).await?;
        }
        Ok(())
    }

    /// Plans the alarms of one person's own calendars anew.
    pub(crate) async fn replan_home(&self, user: &UserName) -> Result<(), Refusal> {
        for collection in self.store.home(Kind::Calendar, user).await? {
            if collection.source == Source::Own {
                self.replan_collection(&collection).await?;
            }
        }
        Ok(())
    }

    /// Plans the alarms of one calendar anew. What is armed is planned again too.
    pub(crate) async fn replan_collection(&self, collection: &Collection) -> Result<(), Refusal> {
        let ringing = self.ringing(collection).await?;
        let now = self.now();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.objects(collection.id, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.to_string());
            let planning = page.iter().map(|record| self.replan_object(collection, record, &ringing, now));
            for outcome in futures_util::future::join_all(planning).await {
                outcome?;
            }
        }
        self.nudges.due.notify_one();
        Ok(())
    }

    async fn replan_object(
        &self,
        collection: &Collection,
        record: &Record,
        ringing: &Ringing,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        // A write that comes between plans for itself.
        let Some(bytes) = self.store.body(collection.id, record.body, record.size).await? else { return Ok(()) };
        let Ok(object) = CalendarObject::read(&bytes, &self.line_limits()) else { return Ok(()) };
        let next = ringing.next_after(&object, now);
        if next == record.due && record.armed.is_empty() {
            return Ok(());
        }
        let (id, etag) = (collection.id, record.etag.clone());
        self.commit(vec![keys::object(id, &record.name)], move |seen, _| {
            let Some(mut object) = seen_object(seen.first())?.filter(|object| object.etag == etag) else {
                return Ok((Vec::new(), ()));
            };
            let mut writes = Vec::new();
            if let Some(at) = object.due.take() {
                due::remove(&mut writes, at, id, &object.name);
            }
            for armed in std::mem::take(&mut object.armed) {
                journal::disarm(&mut writes, id, &armed);
            }
            object.due = next;
            if let Some(at) = next {
                due::write(&mut writes, at, id, &object.name);
            }
            objects::write_record(&mut writes, id, &object);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }
}
