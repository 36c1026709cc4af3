//! When others are busy, for whoever plans with them: each person's own calendars, availability included, times and nothing else. RFC 6638 5, RFC 5546 3.3.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::address::{Kind, UserName};
use crate::domain::collection::Source;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::scheduling::Rule;
use crate::ical::freebusy::{self, Period};
use crate::ical::itip::party;
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::time;
use crate::service::Service;
use crate::service::scheduling::plan::party_of;

/// People that one question may be about; of more none is answered.
const ASKED_MAX: usize = 100;

/// What was found out about one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusyAnswer {
    /// As the question spells it.
    pub recipient: String,
    /// RFC 5546 3.6.
    pub status: &'static str,
    /// A VFREEBUSY REPLY.
    pub text: Option<String>,
}

const FOUND: &str = "2.0;Success";
const UNKNOWN: &str = "3.7;Invalid calendar user";

impl Service {
    /// Answers a VFREEBUSY REQUEST, attendee by attendee. Refuses one that is somebody else's.
    pub async fn ask_free_busy(&self, caller: &Principal, text: &Bytes) -> Result<Vec<BusyAnswer>, Refusal> {
        let message = CalendarObject::read(text, &self.line_limits())?;
        let odd = |why: &str| Refusal::Unschedulable { rule: Rule::Message, why: Fault::whole(why) };
        let mut blocks = message.components();
        let (Some(block), None) = (blocks.next(), blocks.next()) else {
            return Err(odd("a question about free and busy time is one VFREEBUSY"));
        };
        if block.name != "VFREEBUSY" || !message.method().is_some_and(|method| method.eq_ignore_ascii_case("REQUEST")) {
            return Err(odd("only a VFREEBUSY with METHOD:REQUEST is answered here"));
        }
        let at = |name: &str| {
            let property = block.property(name)?;
            let time = time::time(property, property.value.trim(), message.zones()).ok()?;
            Some(time.instant(Tz::UTC))
        };
        let (Some(from), Some(to)) = (at("DTSTART"), at("DTEND")) else {
            return Err(odd("DTSTART or DTEND is missing"));
        };
        if from >= to {
            return Err(odd("the time that is asked about ends before it begins"));
        }
        let organizer = block.property("ORGANIZER").ok_or_else(|| odd("ORGANIZER is missing"))?;
        if !party_of(caller).is(organizer) {
            let why = Fault::at(organizer.line, "the ORGANIZER must be the owner of this outbox");
            return Err(Refusal::Unschedulable { rule: Rule::Asker, why });
        }
        let asked: Vec<&Property> = block.properties("ATTENDEE").collect();
        if asked.is_empty() || asked.len() > ASKED_MAX {
            return Err(odd(&format!("a question is about 1 to {ASKED_MAX} people")));
        }
        let addresses: Vec<String> = asked.iter().map(|property| party::address(property)).collect();
        let residents = self.residents(&addresses).await?;
        let mut answers = Vec::new();
        for (property, resident) in asked.into_iter().zip(residents) {
            let recipient = property.value.trim().to_owned();
            let Some(resident) = resident else {
                answers.push(BusyAnswer { recipient, status: UNKNOWN, text: None });
                continue;
            };
            let busy = self.busy_of(&resident, (from, to)).await?;
            let mut about = vec![party::with(organizer, &[]), party::with(property, &[])];
            about.extend(block.property("UID").map(|uid| party::with(uid, &[])));
            let text = freebusy::replied(&busy, (from, to), self.now(), &about);
            answers.push(BusyAnswer { recipient, status: FOUND, text: Some(text) });
        }
        Ok(answers)
    }

    /// When somebody is busy or unavailable, by their own calendars that are not transparent.
    async fn busy_of(&self, user: &UserName, window: (DateTime<Utc>, DateTime<Utc>)) -> Result<Vec<Period>, Refusal> {
        let Some(person) = self.store.principal(user).await? else { return Ok(Vec::new()) };
        let mut periods = Vec::new();
        for calendar in self.store.home(Kind::Calendar, user).await? {
            if calendar.source == Source::Own && !calendar.transparent {
                periods = self.busy_in(&person, &calendar.address, window, periods).await?;
            }
        }
        Ok(freebusy::merged(periods))
    }
}
