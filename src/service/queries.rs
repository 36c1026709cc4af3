//! Questions about the content of a collection: what matches a filter, and objects by their names. Each with as much of them as is wanted.
//! Who is busy stands in `busy.rs`, plain occurrences in `occurrences.rs`.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::address::Address;
use crate::domain::object::{Component, Record};
use crate::domain::principal::Principal;
use crate::domain::query::{CompFilter, Excerpt, Filter, Instances};
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::excerpt::expand::Room;
use crate::ical::excerpt::{self, Unwritten};
use crate::ical::filter::{calendar, card};
use crate::ical::lines::Limits;
use crate::ical::object;
use crate::ical::recur::budget::Budget;
use crate::ical::zones;
use crate::service::Service;
use crate::service::collections::View;
use crate::service::occurrences::may_stand;
use crate::service::shelf::{Body, Content, Fetched, Held, Walk};

/// An object that was found, and what was wanted of its text.
#[derive(Clone, Debug)]
pub struct Found {
    pub record: Arc<Record>,
    pub text: Option<Bytes>,
}

/// Some of what was found.
#[derive(Debug, Default)]
pub struct Page {
    pub found: Vec<Found>,
    /// The answer would hold more instances than it may: it ends here, and is not whole.
    pub over: bool,
}

/// A question under way: asked page by page, so that no answer has to be held as a whole.
pub struct Query {
    pub view: View,
    walk: Walk,
    task: Task,
}

/// The zone that the VTIMEZONE in a text means, by its name or else by its clock around `now`; `None` where the tz database has no such zone. A
/// text that holds none is refused.
pub fn zone_defined(text: &str, now: DateTime<Utc>) -> Result<Option<Tz>, Fault> {
    let root = object::only(text.trim_start().as_bytes(), "VCALENDAR", &Limits::default())?;
    let definition = root.blocks("VTIMEZONE").next();
    let definition = definition.ok_or_else(|| Fault::whole("the timezone holds no VTIMEZONE"))?;
    Ok(zones::of_definition(definition, now))
}

/// What is done with each object; goes to another thread and comes back.
struct Task {
    filter: Arc<Filter>,
    excerpt: Option<Arc<Excerpt>>,
    zone: Tz,
    room: Room,
    steps: u32,
    steps_each: u32,
}

impl Service {
    /// What of a collection matches a filter. Dates and floating times stand in `zone`, else in the calendar's.
    ///
    /// An object whose recurrence cannot be understood, or costs more than `limits.recurrence_steps`, may be in any range: it is found.
    pub async fn query(
        &self,
        caller: &Principal,
        address: &Address,
        filter: Arc<Filter>,
        excerpt: Option<Arc<Excerpt>>,
        zone: Option<Tz>,
    ) -> Result<Query, Refusal> {
        let view = self.view(&caller.name, address).await?;
        let zone = self.zone_for(&view.source, zone).await?;
        let walk = self.walk(&view.source, None).await?;
        Ok(Query { walk, task: self.task(filter, excerpt, zone), view })
    }

    /// Whether one object matches, and what of it was wanted.
    pub async fn query_object(
        &self,
        caller: &Principal,
        view: &View,
        name: &str,
        filter: Arc<Filter>,
        excerpt: Option<Arc<Excerpt>>,
        zone: Option<Tz>,
    ) -> Result<Page, Refusal> {
        let zone = self.zone_for(&view.source, zone).await?;
        let address = view.shown.address.object(name).ok_or(Refusal::NotFound)?;
        let found = self.object(caller, &address).await?;
        let fetched = Fetched { body: Body::Raw(found.record.body, found.bytes), record: Arc::new(found.record) };
        let mut task = self.task(filter, excerpt, zone);
        self.look(&view.source, vec![fetched], move |objects| task.all(objects)).await
    }

    /// Objects by their names, in the order in which they are named; `None` for those that are not there.
    pub async fn named(
        &self,
        view: &View,
        names: &[String],
        excerpt: Option<Arc<Excerpt>>,
        zone: Option<Tz>,
    ) -> Result<Named, Refusal> {
        let source = &view.source;
        let rows = self.store.objects_named(source.id, names.iter().map(String::as_str)).await?;
        let records: Vec<Option<Arc<Record>>> = rows.into_iter().map(|row| row.map(Arc::new)).collect();
        let bare = |record: Arc<Record>| Found { record, text: None };
        let Some(excerpt) = excerpt else {
            return Ok(Named { found: records.into_iter().map(|record| record.map(bare)).collect(), over: false });
        };
        let fetched = self.fetch_for(view, records.iter().flatten().cloned().collect()).await?;
        let found = if excerpt.is_whole() {
            let whole = |fetched: Fetched| {
                let text = match fetched.body {
                    Body::Held(held) => held.bytes.clone(),
                    Body::Raw(_, bytes) => bytes,
                };
                Found { record: fetched.record, text: Some(text) }
            };
            Page { found: fetched.into_iter().map(whole).collect(), over: false }
        } else {
            let zone = self.zone_for(source, zone).await?;
            let mut task = self.task(Arc::new(Filter::Everything), Some(excerpt), zone);
            self.look(source, fetched, move |objects| task.all(objects)).await?
        };
        let over = found.over;
        // Both are in the same order; one that was deleted meanwhile is missing in what was found.
        let mut found = found.found.into_iter().peekable();
        let place =
            |record: Option<Arc<Record>>| found.next_if(|found| record.is_some_and(|r| r.name == found.record.name));
        Ok(Named { found: records.into_iter().map(place).collect(), over })
    }

    fn task(&self, filter: Arc<Filter>, excerpt: Option<Arc<Excerpt>>, zone: Tz) -> Task {
        let reports = &self.settings.reports;
        Task {
            filter,
            excerpt,
            zone,
            room: Room { instances: reports.instances, bytes: reports.expanded_bytes },
            steps: reports.steps,
            steps_each: self.settings.limits.recurrence_steps,
        }
    }
}

/// Objects that were asked for by name.
#[derive(Debug)]
pub struct Named {
    pub found: Vec<Option<Found>>,
    /// As in [`Page`].
    pub over: bool,
}

impl Query {
    /// What was found next; `None` behind the last.
    pub async fn next(&mut self, service: &Service) -> Result<Option<Page>, Refusal> {
        let filter = self.task.filter.clone();
        while let Some(page) = self.walk.page(service, |record| may_match(&filter, record)).await? {
            // What is asked can be said without the text.
            if self.task.excerpt.is_none() && is_decided(&filter) {
                let found = page.into_iter().map(|record| Found { record, text: None }).collect();
                return Ok(Some(Page { found, over: false }));
            }
            let fetched = service.fetch_for(&self.view, page).await?;
            let mut task = self.task.copy();
            let (task, page) = service
                .look(&self.view.source, fetched, move |objects| {
                    let page = task.all(objects);
                    (task, page)
                })
                .await?;
            self.task = task;
            if page.over || !page.found.is_empty() {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }
}

/// Whether a record alone says that its object matches, given that it may.
fn is_decided(filter: &Filter) -> bool {
    match filter {
        Filter::Everything => true,
        Filter::Calendar(filter) => {
            filter.only().is_some_and(|one| one.is_bare() && Component::from_name(&one.name).is_some())
        }
        Filter::Card(filter) => filter.props.is_empty(),
    }
}

/// Whether an object may match, by its record alone.
fn may_match(filter: &Filter, record: &Record) -> bool {
    let Filter::Calendar(filter) = filter else { return true };
    let Some(one) = filter.only() else { return true };
    let Some(component) = Component::from_name(&one.name) else { return true };
    component == record.component && in_span(one, record)
}

fn in_span(filter: &CompFilter, record: &Record) -> bool {
    let dated = matches!(record.component, Component::Event | Component::Todo | Component::Journal);
    match filter.range() {
        // What has no span may have a fault, or no time.
        Some(range) if dated && record.span.is_some() => {
            let (from, to) = range.ends();
            // A to-do that is due at the very end still counts.
            may_stand(record, from, to)
        }
        _ => true,
    }
}

impl Task {
    fn copy(&self) -> Task {
        Task { filter: self.filter.clone(), excerpt: self.excerpt.clone(), ..*self }
    }

    fn all(&mut self, objects: Vec<(Arc<Record>, Arc<Held>)>) -> Page {
        let mut page = Page::default();
        for (record, held) in objects {
            if !self.matches(&held) {
                continue;
            }
            match self.text(&held) {
                Ok(text) => page.found.push(Found { record, text }),
                Err(Over) => {
                    page.over = true;
                    break;
                }
            }
        }
        page
    }

    fn budget(&self) -> Budget {
        Budget::new(self.steps_each.min(self.steps))
    }

    fn spend(&mut self, budget: &Budget) {
        self.steps = self.steps.saturating_sub(budget.spent());
    }

    fn matches(&mut self, held: &Held) -> bool {
        match (&*self.filter, &held.content) {
            (Filter::Everything, _) => true,
            (Filter::Calendar(filter), Content::Calendar(object)) => {
                let mut budget = self.budget();
                let found = calendar::matches(filter, object, self.zone, &mut budget);
                self.spend(&budget);
                // Nobody shall miss what could not be followed.
                found.unwrap_or(true)
            }
            (Filter::Card(filter), Content::Card(found)) => card::matches(filter, found, &held.bytes),
            (_, Content::Unread) => true,
            (Filter::Calendar(_), Content::Card(_)) | (Filter::Card(_), Content::Calendar(_)) => false,
        }
    }

    fn text(&mut self, held: &Held) -> Result<Option<Bytes>, Over> {
        let Some(excerpt) = self.excerpt.clone() else { return Ok(None) };
        if excerpt.is_whole() {
            return Ok(Some(held.bytes.clone()));
        }
        let text = match &held.content {
            Content::Unread => held.bytes.clone(),
            Content::Card(card) => match &excerpt.pick {
                Some(pick) => Bytes::from(excerpt::card(pick, card.root(), &held.bytes)),
                None => held.bytes.clone(),
            },
            Content::Calendar(object) => {
                let mut budget = self.budget();
                let mut room = self.room;
                let written = excerpt::calendar(&excerpt, object, &held.bytes, self.zone, &mut room, &mut budget);
                self.spend(&budget);
                match written {
                    Ok(text) => {
                        self.room = room;
                        Bytes::from(text)
                    }
                    Err(Unwritten::Over) => return Err(Over),
                    // What cannot be followed is answered as it stands, for whoever can.
                    Err(Unwritten::Costly) => {
                        let as_written = Excerpt { instances: Instances::Written, ..(*excerpt).clone() };
                        let mut budget = self.budget();
                        let text =
                            excerpt::calendar(&as_written, object, &held.bytes, self.zone, &mut room, &mut budget);
                        text.map_or_else(|_| held.bytes.clone(), Bytes::from)
                    }
                }
            }
        };
        Ok(Some(text))
    }
}

/// There is no room for more instances.
struct Over;
