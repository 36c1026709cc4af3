//! The alarms that lie ahead of one person, for people and programs that want to see them before they ring.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::address::{Address, Kind, UserName};
use crate::domain::alarm::Firing;
use crate::domain::collection::{Collection, Source};
use crate::domain::event::Rang;
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::mask;
use crate::ical::object::CalendarObject;
use crate::service::Service;
use crate::service::answers;
use crate::service::arming::rang;

/// The longest window of one question, in days.
const WINDOW_DAYS_MAX: i64 = 366;
/// Alarms of one answer; a longer one is cut off behind the earliest.
const LISTED_MAX: usize = 1_000;
/// Records that are read at a time.
const PAGE: usize = 500;

impl Service {
    /// The alarms that will ring for a person from now on with `from <= at < to`, earliest first, at most a thousand.
    pub async fn planned_alarms(
        &self,
        user: &UserName,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Rang>, Refusal> {
        if to - from > TimeDelta::days(WINDOW_DAYS_MAX) {
            return Err(Fault::whole(format!("a window has at most {WINDOW_DAYS_MAX} days")).into());
        }
        // What is due at this very instant is ringing, not planned.
        let from = from.max(self.now() + TimeDelta::nanoseconds(1));
        let mut planned = Vec::new();
        if from < to {
            for view in self.list(user, Kind::Calendar).await? {
                if view.shown.source == Source::Own || view.shown.alarms {
                    self.plan_of(&view.source, &view.shown.address, from, to, &mut planned).await?;
                }
            }
        }
        planned.sort_by_key(|alarm| (alarm.at, alarm.id));
        planned.truncate(LISTED_MAX);
        Ok(planned)
    }

    async fn plan_of(
        &self,
        source: &Collection,
        seen_at: &Address,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        planned: &mut Vec<Rang>,
    ) -> Result<(), Refusal> {
        let ringing = self.ringing(source).await?;
        let mut after: Option<String> = None;
        loop {
            let page = self.store.objects(source.id, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.name.to_string());
            // The due row is the next alarm of an object: a later one has none in the window, nor has one without. What is armed has left
            // the queue already.
            let near = page.iter().filter(|object| object.due.is_some_and(|at| at < to) || !object.armed.is_empty());
            for object in near {
                let Some(bytes) = self.store.body(source.id, object.body, object.size).await? else { continue };
                let Ok(parsed) = CalendarObject::read(&bytes, &self.line_limits()) else { continue };
                if seen_at.user() != source.address.user() && mask::hides(&parsed) {
                    continue;
                }
                let Some(place) = seen_at.object(&object.name) else { continue };
                let firings = ringing.between(&parsed, from, to);
                // What was put off in the text stands on the list of what rang, as long as that is kept.
                let known = match firings.iter().any(|firing| firing.repeats) {
                    true => self.store.rung(seen_at.user()).await?,
                    false => Vec::new(),
                };
                let listed =
                    |firing: &&Firing| !firing.repeats || answers::before(&known, &rang(firing, &place)).is_none();
                planned.extend(firings.iter().filter(listed).map(|firing| rang(firing, &place)));
            }
        }
    }
}
