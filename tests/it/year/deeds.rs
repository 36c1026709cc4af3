//! What is done to the calendars of the simulated year, and whether it was done when the power went meanwhile.

use bytes::Bytes;
use campanile::domain::address::{Address, ObjectAddress};
use campanile::domain::alarm::State;
use campanile::domain::object::Precondition;
use campanile::domain::refusal::Refusal;
use campanile::service::collections::Face;
use chrono::{DateTime, TimeDelta, Utc};

use crate::year::model::Snooze;
use crate::year::texts::{ZONES, object};
use crate::year::{CALENDARS, OBJECTS_MAX, USERS, Year};

/// What is done to the service, with what it needs to be found out whether it was done when the power went.
#[derive(Debug)]
pub enum Deed {
    Put(ObjectAddress, String, String),
    Delete(ObjectAddress),
    UserZone(usize, &'static str),
    CalendarZone(Address, &'static str),
    Strike,
}

impl Year {
    pub async fn put_new(&mut self, calendar: usize) {
        let uid = format!("o{}", self.made);
        self.made += 1;
        let place = self.calendars[calendar].object(&format!("{uid}.ics")).expect("a name");
        let now = self.now();
        let text = object(&mut self.dice, &uid, now);
        self.act(Deed::Put(place, uid, text)).await;
    }

    async fn perform(&self, deed: &Deed) -> Result<(), Refusal> {
        let any = Precondition::default();
        match deed {
            Deed::Put(place, _, text) => {
                let bytes = Bytes::copy_from_slice(text.as_bytes());
                self.service().put(self.owner(place.collection()), place, bytes, any).await.map(drop)
            }
            Deed::Delete(place) => self.service().delete(self.owner(place.collection()), place, any).await.map(drop),
            Deed::UserZone(user, zone) => {
                self.service().set_timezone(&self.people[*user].name, Some(zone)).await.map(drop)
            }
            Deed::CalendarZone(at, zone) => {
                let face = Face { timezone: Some((*zone).to_owned()), ..Face::default() };
                self.service().dress_collection(self.owner(at), at, face).await
            }
            Deed::Strike => self.service().strike().await,
        }
    }

    /// Whether a deed that the power cut short was done.
    async fn was_done(&self, deed: &Deed) -> bool {
        match deed {
            Deed::Put(place, _, text) => {
                let found = self.service().object(self.owner(place.collection()), place).await;
                found.is_ok_and(|found| found.bytes == text.as_bytes())
            }
            Deed::Delete(place) => self.service().object(self.owner(place.collection()), place).await.is_err(),
            Deed::UserZone(user, zone) => {
                let users = self.service().users().await.expect("the users");
                let found = users.iter().find(|found| found.name == self.people[*user].name);
                found.is_some_and(|found| found.timezone.as_deref() == Some(zone))
            }
            Deed::CalendarZone(at, zone) => {
                let view = self.service().view(at.user(), at).await.expect("the calendar");
                view.source.timezone.as_deref() == Some(zone)
            }
            Deed::Strike => false,
        }
    }

    pub async fn act(&mut self, deed: Deed) {
        let now = self.now();
        let done = match self.perform(&deed).await {
            Ok(()) => true,
            Err(Refusal::Fault { .. }) => {
                self.crash().await;
                self.was_done(&deed).await
            }
            // A text that the service refuses is one that nobody could write.
            Err(refusal) => panic!("seed {}: {deed:?}: {refusal:?}", self.seed),
        };
        if done {
            self.believe(deed, now);
        }
    }

    fn believe(&mut self, deed: Deed, now: DateTime<Utc>) {
        match deed {
            Deed::Put(place, uid, text) => self.model.write(&place, &uid, Some(&text), now),
            Deed::Delete(place) => self.model.write(&place, "", None, now),
            Deed::UserZone(user, zone) => {
                let name = self.people[user].name.to_string();
                self.model.user_zones.insert(name, zone.parse().expect("a zone"));
                self.model.rezone(now);
            }
            Deed::CalendarZone(at, zone) => {
                self.model.calendar_zones.insert(at, zone.parse().expect("a zone"));
                self.model.rezone(now);
            }
            Deed::Strike => {}
        }
    }

    /// A text that stands now, by chance.
    fn any_kept(&mut self) -> Option<(ObjectAddress, String, String)> {
        let standing: Vec<_> = self.model.objects.iter().filter(|kept| kept.text().is_some()).collect();
        if standing.is_empty() {
            return None;
        }
        let kept = standing[self.dice.below(standing.len())];
        Some((kept.place.clone(), kept.uid.clone(), kept.text().unwrap_or_default().to_owned()))
    }

    pub async fn meddle(&mut self) {
        let Some((place, uid, text)) = self.any_kept() else { return };
        match self.dice.below(14) {
            0..3 if self.made < OBJECTS_MAX => {
                let calendar = self.dice.below(CALENDARS);
                self.put_new(calendar).await;
            }
            0..5 => {
                let now = self.now();
                let text = object(&mut self.dice, &uid, now);
                self.act(Deed::Put(place, uid, text)).await;
            }
            5 => {
                // Its words change, its alarms do not: none is lost, none rings twice.
                self.act(Deed::Put(place, uid, text.replace("SUMMARY:", "SUMMARY:Again "))).await;
            }
            6 => self.act(Deed::Delete(place)).await,
            7 => {
                let (user, zone) = (self.dice.below(USERS), self.dice.one_of(&ZONES));
                self.act(Deed::UserZone(user, zone)).await;
            }
            8 => {
                let zone = self.dice.one_of(&ZONES);
                self.act(Deed::CalendarZone(place.collection().clone(), zone)).await;
            }
            9 => {
                let to = &self.calendars[self.dice.below(CALENDARS)];
                if to.user() == place.collection().user() && to != place.collection() {
                    let moved = to.object(place.name()).expect("a name");
                    self.act(Deed::Put(moved, uid, text)).await;
                    self.act(Deed::Delete(place)).await;
                }
            }
            10 => self.answer(true).await,
            11 => self.answer(false).await,
            _ => self.act(Deed::Strike).await,
        }
    }

    /// Puts off one of the alarms that rang and whose object still stands, or acknowledges it. Every other person wants that in the text.
    async fn answer(&mut self, put_off: bool) {
        self.town.fuse.douse();
        let now = self.now();
        let person = self.people[self.dice.below(USERS)].clone();
        let until = now + TimeDelta::minutes(1 + self.dice.below(3_000) as i64);
        let rung = self.service().rung_alarms(&person.name).await.expect("what rang");
        let waits = |state: State| matches!(state, State::Snoozed(until) if until > now);
        let waiting: Vec<u64> = rung.iter().filter(|rung| waits(rung.state)).map(|rung| rung.alarm.id).collect();
        let rung: Vec<_> = rung.into_iter().filter(|rung| !waiting.contains(&rung.alarm.id)).collect();
        if rung.is_empty() {
            return;
        }
        let alarm = &rung[self.dice.below(rung.len())].alarm;
        let answered = match put_off {
            true => self.service().snooze(&person, alarm.id, until).await,
            false => self.service().acknowledge(&person, alarm.id).await,
        };
        match answered {
            Ok(answered) if answered.written == Some(Ok(())) => {
                self.written += 1;
                self.model.ends.insert(alarm.id, alarm.end);
                let found = self.service().object(&person, &alarm.object).await.expect("it is there");
                self.model.rewrite(&alarm.object, std::str::from_utf8(&found.bytes).expect("UTF-8"), now);
            }
            Ok(_) if put_off => {
                let key = (alarm.object.to_string(), until, alarm.id);
                self.model.snoozes.push(Snooze { key, end: alarm.end, cancelled: false });
            }
            _ => {}
        }
    }
}
