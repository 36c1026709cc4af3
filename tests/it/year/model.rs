//! What must ring in the simulated year: expanded from the texts alone, over the windows in which each of them stood.

use std::collections::BTreeMap;

use campanile::domain::address::{Address, ObjectAddress};
use campanile::domain::event::Rang;
use campanile::ical::alarms::{Policy, firings};
use campanile::ical::lines::Limits;
use campanile::ical::object::CalendarObject;
use campanile::ical::recur::budget::Budget;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// How long after its instant a missed alarm is worth ringing; a day, so that all-day events are not all there is to ring late.
pub const LATE_SECONDS: i64 = 7_200;
const STEPS: u32 = 50_000;

/// One ringing: the object, the instant, the alarm. Whatever rings twice with the same key is a double.
pub type Key = (String, DateTime<Utc>, u64);

pub fn key(alarm: &Rang) -> Key {
    (alarm.object.to_string(), alarm.at, alarm.id)
}

/// A text and the time in which it stood: it rings from behind `from` up to and with `until`.
pub struct Version {
    pub text: String,
    pub from: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
}

pub struct Kept {
    pub place: ObjectAddress,
    pub uid: String,
    versions: Vec<(Version, Tz)>,
}

impl Kept {
    pub fn text(&self) -> Option<&str> {
        self.versions.last().filter(|(version, _)| version.until.is_none()).map(|(version, _)| version.text.as_str())
    }
}

/// An alarm that was put off, and when that was taken back.
pub struct Snooze {
    pub key: Key,
    pub end: DateTime<Utc>,
    pub cancelled: bool,
}

/// From the last instant that was served whole, to the one at which the service stood again; and what was heard in between.
pub struct Downtime {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub heard: Vec<Key>,
}

#[derive(Default)]
pub struct Model {
    pub objects: Vec<Kept>,
    pub user_zones: BTreeMap<String, Tz>,
    pub calendar_zones: BTreeMap<Address, Tz>,
    pub snoozes: Vec<Snooze>,
    /// When the instances end whose alarms were put off in a text: what rings again tells of the same instance.
    pub ends: BTreeMap<u64, DateTime<Utc>>,
    pub downtimes: Vec<Downtime>,
}

/// How often an alarm may be heard.
#[derive(Debug, PartialEq, Eq)]
pub struct Times {
    pub least: usize,
    pub most: usize,
}

impl Model {
    pub fn zone(&self, at: &Address) -> Tz {
        let own = self.calendar_zones.get(at).or_else(|| self.user_zones.get(at.user().as_str()));
        own.copied().unwrap_or(Tz::UTC)
    }

    /// `text` stands at `place` from `now` on; `None` takes it away.
    pub fn write(&mut self, place: &ObjectAddress, uid: &str, text: Option<&str>, now: DateTime<Utc>) {
        let zone = self.zone(place.collection());
        let at = self.objects.iter().position(|kept| kept.place == *place).unwrap_or_else(|| {
            self.objects.push(Kept { place: place.clone(), uid: uid.to_owned(), versions: Vec::new() });
            self.objects.len() - 1
        });
        let kept = &mut self.objects[at];
        if let Some((last, _)) = kept.versions.last_mut().filter(|(last, _)| last.until.is_none()) {
            last.until = Some(now);
        }
        if let Some(text) = text {
            kept.versions.push((Version { text: text.to_owned(), from: now, until: None }, zone));
        }
        for snooze in &mut self.snoozes {
            snooze.cancelled |= snooze.key.0 == place.to_string() && snooze.key.1 > now;
        }
    }

    /// An answer was written into what stands at `place`: whatever was put off without the text stays put off.
    pub fn rewrite(&mut self, place: &ObjectAddress, text: &str, now: DateTime<Utc>) {
        let zone = self.zone(place.collection());
        let kept = self.objects.iter_mut().find(|kept| kept.place == *place).expect("it stands");
        if let Some((last, _)) = kept.versions.last_mut().filter(|(last, _)| last.until.is_none()) {
            last.until = Some(now);
            kept.versions.push((Version { text: text.to_owned(), from: now, until: None }, zone));
        }
    }

    /// Zones changed: every text in a calendar of another zone rings by it from `now` on.
    pub fn rezone(&mut self, now: DateTime<Utc>) {
        for at in 0..self.objects.len() {
            let zone = self.zone(self.objects[at].place.collection());
            let kept = &mut self.objects[at];
            let Some((last, before)) = kept.versions.last_mut().filter(|(last, _)| last.until.is_none()) else {
                continue;
            };
            if *before != zone {
                last.until = Some(now);
                let text = last.text.clone();
                kept.versions.push((Version { text, from: now, until: None }, zone));
            }
        }
    }

    /// Every alarm up to `now`, and how often it may be heard.
    pub fn expected(&self, now: DateTime<Utc>, email: impl Fn(&str) -> String) -> BTreeMap<Key, Times> {
        let mut all = BTreeMap::new();
        for kept in &self.objects {
            let policy = Policy { require_accepted: false, user_email: email(kept.place.collection().user().as_str()) };
            for (version, zone) in &kept.versions {
                let object =
                    CalendarObject::read(version.text.as_bytes(), &Limits::default()).expect("a readable text");
                let (from, to) = (just_behind(version.from), just_behind(version.until.unwrap_or(now)));
                let rung = firings(&object, from, to, *zone, &policy, &mut Budget::new(STEPS)).expect("a cheap rule");
                for firing in rung {
                    let key = (kept.place.to_string(), firing.at, firing.id);
                    let end = self.ends.get(&firing.id).copied().filter(|_| firing.repeats).unwrap_or(firing.end_at);
                    all.insert(key.clone(), self.times(&key, end));
                }
            }
        }
        for snooze in self.snoozes.iter().filter(|snooze| !snooze.cancelled && snooze.key.1 <= now) {
            all.insert(snooze.key.clone(), self.times(&snooze.key, snooze.end));
        }
        all
    }

    /// What is known about an alarm, for whoever has to find out why it is wrong.
    pub fn story(&self, key: &Key) -> String {
        let kept = self.objects.iter().filter(|kept| kept.place.to_string() == key.0);
        let texts = kept
            .flat_map(|kept| &kept.versions)
            .map(|(version, zone)| format!("{} to {:?} in {zone}:\n{}", version.from, version.until, version.text));
        let snoozes = self.snoozes.iter().filter(|snooze| snooze.key.0 == key.0);
        let snoozes = snoozes.map(|snooze| format!("put off to {:?}, cancelled: {}", snooze.key, snooze.cancelled));
        let downs = self.downtimes.iter().map(|down| format!("down from {} to {}", down.from, down.to));
        texts.chain(snoozes).chain(downs).collect::<Vec<_>>().join("\n")
    }

    /// Once; an alarm that was heard while the service was cut off may be heard again after the start, and one that was missed too long
    /// is dropped.
    fn times(&self, key: &Key, end: DateTime<Utc>) -> Times {
        let mut heard = 0;
        for down in self.downtimes.iter().filter(|down| down.from < key.1 && key.1 <= down.to) {
            heard += down.heard.iter().filter(|other| *other == key).count();
            if end.max(key.1 + TimeDelta::seconds(LATE_SECONDS)) < down.to {
                return Times { least: heard.min(1), most: heard };
            }
        }
        Times { least: 1, most: heard + 1 }
    }
}

fn just_behind(at: DateTime<Utc>) -> DateTime<Utc> {
    at + TimeDelta::nanoseconds(1)
}
