//! The occurrences of a collection in a window, as web pages want them. What DAV wants of it stands in `queries.rs`.

use std::collections::BinaryHeap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::address::Address;
use crate::domain::collection::Collection;
use crate::domain::object::{Component, Etag, Record};
use crate::domain::occurrence::Occurrence;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::block::Block;
use crate::ical::freebusy::is_away;
use crate::ical::itip;
use crate::ical::itip::attendee::partstat;
use crate::ical::itip::party::Party;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::Budget;
use crate::ical::recur::window;
use crate::ical::text;
use crate::service::Service;
use crate::service::scheduling::plan::party_of;
use crate::service::shelf::Content;

/// How far a span may be off, in hours: it was taken in the zone of its calendar as it was then, and clocks are up to 26 hours apart.
const ZONES_APART_HOURS: i64 = 27;

/// An occurrence with what a calendar view shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// The object's name in its collection.
    pub name: Arc<str>,
    pub etag: Etag,
    pub component: Component,
    pub occurrence: Occurrence,
    pub location: String,
    pub description: String,
    /// Upper case; empty where none is given.
    pub status: String,
    /// TRANSP:TRANSPARENT: it takes no time.
    pub transparent: bool,
    /// The calendar's owner is asked to it and does not come.
    pub declined: bool,
}

/// What a window holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happenings {
    /// By start, then by name.
    pub list: Vec<Happening>,
    /// Where there was more than one answer may hold: the start of the first that was left out. Nothing that begins before is missing.
    pub until: Option<DateTime<Utc>>,
    /// Objects whose recurrence was too costly to follow, the first few by name. Nothing of them is in the list.
    pub costly: Vec<Arc<str>>,
    /// The zone that floating times and dates were taken in.
    pub zone: Tz,
}

/// Costly objects that an answer names.
const COSTLY_MAX: usize = 100;

impl Service {
    /// Everything in a calendar that overlaps `from <= t < to`, overrides applied, cancelled instances included. Dates and floating times
    /// stand in `zone`, else in the calendar's.
    ///
    /// Bounds: `reports.instances` and `reports.expanded_bytes` cut the list, which then says where; `reports.steps` makes what comes after
    /// costly.
    pub async fn occurrences(
        &self,
        caller: &Principal,
        address: &Address,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        zone: Option<Tz>,
    ) -> Result<Happenings, Refusal> {
        if from > to {
            return Err(Fault::whole("the window ends before it begins").into());
        }
        let view = self.view(&caller.name, address).await?;
        let owner = self.store.principal(view.source.address.user()).await?;
        let zone = zone.unwrap_or_else(|| self.zone_of(&view.source, owner.as_ref()));
        let reports = &self.settings.reports;
        let mut gathered = Gathered {
            window: (from, to),
            zone,
            owner: owner.as_ref().map(party_of),
            earliest: BinaryHeap::new(),
            bytes: 0,
            room: (reports.instances, reports.expanded_bytes),
            until: None,
            costly: Vec::new(),
            steps: reports.steps,
            steps_each: self.settings.limits.recurrence_steps,
        };
        let mut walk = self.walk(&view.source, None).await?;
        while let Some(page) = walk.page(self, |record| may_stand(record, from, to)).await? {
            let fetched = self.fetch_for(&view, page).await?;
            gathered = self
                .look(&view.source, fetched, move |objects| {
                    for (record, held) in objects {
                        if let Content::Calendar(object) = &held.content {
                            gathered.take(&record, object);
                        }
                    }
                    gathered
                })
                .await?;
        }
        Ok(gathered.done())
    }

    /// The zone that a question is answered in: the one it names, else the calendar's.
    pub(crate) async fn zone_for(&self, source: &Collection, named: Option<Tz>) -> Result<Tz, Refusal> {
        match named {
            Some(zone) => Ok(zone),
            None => {
                let owner = self.store.principal(source.address.user()).await?;
                Ok(self.zone_of(source, owner.as_ref()))
            }
        }
    }
}

/// Whether an event, to-do or journal may stand in a window, by its span alone. Where there is no span, nothing of it stands anywhere.
pub(crate) fn may_stand(record: &Record, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
    let apart = TimeDelta::hours(ZONES_APART_HOURS);
    let Some(span) = record.span else { return false };
    let begins = span.start.checked_sub_signed(apart).is_none_or(|start| start < to);
    let ends = span.end.and_then(|end| end.checked_add_signed(apart)).is_none_or(|end| end >= from);
    begins && ends
}

/// The earliest occurrences, as many as an answer may hold.
struct Gathered {
    window: (DateTime<Utc>, DateTime<Utc>),
    zone: Tz,
    /// Whose calendar it is.
    owner: Option<Party>,
    /// The latest on top, so that it is the first to give way.
    earliest: BinaryHeap<Late>,
    bytes: usize,
    room: (usize, usize),
    until: Option<DateTime<Utc>>,
    costly: Vec<Arc<str>>,
    steps: u32,
    steps_each: u32,
}

/// Ordered by start, then by name, then by what it stands for.
struct Late(Happening);

impl Late {
    fn key(&self) -> impl Ord + '_ {
        let occurrence = &self.0.occurrence;
        (occurrence.start_at, &self.0.name, occurrence.recurrence_id)
    }
}

impl PartialEq for Late {
    fn eq(&self, other: &Late) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Late {}

impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Late) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Late {
    fn cmp(&self, other: &Late) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Gathered {
    fn take(&mut self, record: &Record, object: &CalendarObject) {
        let mut budget = Budget::new(self.steps_each.min(self.steps));
        let mut found = Vec::new();
        // What begins behind the first that was left out would be left out too.
        let (from, to) = (self.window.0, self.until.unwrap_or(self.window.1));
        let outcome =
            window::each_overlapping(object, (from, to), self.zone, &mut budget, |series, instance, budget| {
                let block = object.root().blocks.get(instance.part.block);
                let happening = happening(record, window::occurrence(series, instance), block, self.owner.as_ref());
                // Long texts in many instances are work too.
                budget.spend(text::copy_cost(size(&happening)))?;
                found.push(happening);
                Ok(())
            });
        self.steps = self.steps.saturating_sub(budget.spent());
        if outcome.is_err() {
            if self.costly.len() < COSTLY_MAX {
                self.costly.push(record.name.clone());
            }
            return;
        }
        for happening in found {
            self.bytes += size(&happening);
            self.earliest.push(Late(happening));
            while self.earliest.len() > self.room.0 || self.bytes > self.room.1 {
                let Some(Late(last)) = self.earliest.pop() else { break };
                self.bytes -= size(&last);
                let start = last.occurrence.start_at;
                self.until = Some(self.until.map_or(start, |until| until.min(start)));
            }
        }
    }

    fn done(self) -> Happenings {
        let mut list: Vec<Happening> = self.earliest.into_sorted_vec().into_iter().map(|Late(found)| found).collect();
        // Of those that begin together some may be in and some out: then none is.
        if let Some(until) = self.until {
            list.retain(|happening| happening.occurrence.start_at < until);
        }
        Happenings { list, until: self.until, costly: self.costly, zone: self.zone }
    }
}

/// Bytes of an answer that it takes, about.
fn size(happening: &Happening) -> usize {
    let texts = [&happening.occurrence.uid, &happening.occurrence.summary, &happening.location, &happening.description];
    200 + texts.iter().map(|text| text.len()).sum::<usize>()
}

fn happening(record: &Record, occurrence: Occurrence, block: Option<&Block>, owner: Option<&Party>) -> Happening {
    let asked = block.zip(owner).and_then(|(block, owner)| itip::attendee(block, owner));
    let words = |name: &str| block.and_then(|block| block.property(name)).map(|found| text::unescaped(&found.value));
    Happening {
        name: record.name.clone(),
        etag: record.etag.clone(),
        component: record.component,
        occurrence,
        location: words("LOCATION").unwrap_or_default(),
        description: words("DESCRIPTION").unwrap_or_default(),
        status: block.and_then(|block| block.value("STATUS")).unwrap_or_default().to_ascii_uppercase(),
        transparent: block.is_some_and(|block| block.is("TRANSP", "TRANSPARENT")),
        declined: asked.is_some_and(|asked| is_away(&partstat(asked))),
    }
}
