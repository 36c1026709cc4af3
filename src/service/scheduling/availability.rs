//! When somebody can be asked at all: RFC 7953. The VAVAILABILITY objects in their own calendars say it, to presence, to whoever asks when they are
//! busy, and as the property of their inbox, which shows and sets these objects. Nothing else is kept.

use bytes::Bytes;

use crate::domain::address::{Kind, ObjectAddress, UserName};
use crate::domain::object::{Component, Precondition};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::edit::Edit;
use crate::ical::object::CalendarObject;
use crate::service::Service;
use crate::service::scheduling::plan::is_own;

/// Objects that the property shows; who has more sees the first by calendar and name.
const SHOWN: usize = 16;

impl Service {
    /// What somebody's objects say, as one text; `None` where there are none. Of several, each is a component of it.
    pub async fn availability(&self, user: &UserName) -> Result<Option<Bytes>, Refusal> {
        let mut shown: Option<Bytes> = None;
        for (_, text) in self.availabilities(user).await? {
            shown = Some(match shown {
                None => text,
                Some(before) => self.joined(&before, &text)?,
            });
        }
        Ok(shown)
    }

    /// Makes a text of one VAVAILABILITY all that says when the caller can be asked; without one, nothing says it. It becomes an object of the
    /// calendar that takes their invitations, or stays where one of its UID stands; other such objects of theirs go. Refuses what is no such
    /// text, and what no calendar takes.
    pub async fn set_availability(&self, caller: &Principal, text: Option<Bytes>) -> Result<(), Refusal> {
        let stands = self.availabilities(&caller.name).await?;
        let mut kept = None;
        if let Some(text) = text {
            let limits = self.line_limits();
            let object = CalendarObject::read(&text, &limits)?;
            object.storable().map_err(Refusal::Unstorable)?;
            if object.component() != Some(Component::Availability) || object.components().count() != 1 {
                return Err(Fault::whole("it holds a VCALENDAR with one VAVAILABILITY").into());
            }
            let uid = object.uid();
            let same = stands
                .iter()
                .find(|(_, text)| CalendarObject::read(text, &limits).is_ok_and(|stands| stands.uid() == uid));
            let at = match same {
                Some((at, _)) => at.clone(),
                None => {
                    let calendar = self.intake_of(&caller.name, Component::Availability.as_str()).await?;
                    calendar.address.object(&self.fresh_name()).ok_or(Refusal::NotFound)?
                }
            };
            self.put(caller, &at, text, Precondition::default()).await?;
            kept = Some(at);
        }
        for (at, _) in stands.into_iter().filter(|(at, _)| Some(at) != kept.as_ref()) {
            match self.delete(caller, &at, Precondition::default()).await {
                Ok(_) | Err(Refusal::NotFound) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }

    async fn availabilities(&self, user: &UserName) -> Result<Vec<(ObjectAddress, Bytes)>, Refusal> {
        let mut found = Vec::new();
        for calendar in self.store.home(Kind::Calendar, user).await?.into_iter().filter(is_own) {
            let mut walk = self.walk(&calendar, None).await?;
            while let Some(page) = walk.page(self, |record| record.component == Component::Availability).await? {
                for record in page {
                    let at = calendar.address.object(&record.name);
                    let text = self.store.body(calendar.id, record.body, record.size).await?;
                    found.extend(at.zip(text).filter(|_| found.len() < SHOWN));
                }
            }
        }
        Ok(found)
    }

    /// One text with the components of another behind its own, and the zones that it has not.
    fn joined(&self, text: &[u8], other: &[u8]) -> Result<Bytes, Refusal> {
        let (one, two) =
            (CalendarObject::read(text, &self.line_limits())?, CalendarObject::read(other, &self.line_limits())?);
        let (mut edit, from) = (Edit::of(text), Edit::of(other));
        let end = one.root().blocks.last().map_or(text.len(), |last| last.span.end);
        let known: Vec<&str> = one.timezones().filter_map(|zone| zone.value("TZID")).collect();
        for block in &two.root().blocks {
            let twice = block.name == "VTIMEZONE" && block.value("TZID").is_some_and(|name| known.contains(&name));
            if !twice {
                edit.insert(end, from.raw(&block.span).to_vec());
            }
        }
        Ok(Bytes::from(edit.done()))
    }
}
