//! When a calendar's owner is busy.

use chrono::{DateTime, Utc};

use crate::domain::address::{Address, Kind};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::freebusy::{self, Period};
use crate::ical::recur::budget::Budget;
use crate::service::Service;
use crate::service::occurrences::may_stand;
use crate::service::scheduling::plan::party_of;
use crate::service::shelf::Content;

/// Periods that are held at a time; then they are merged, and where that does not help, the question is refused.
const PERIODS_MAX: usize = 100_000;

/// A time in which somebody is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// `BUSY`, `BUSY-UNAVAILABLE` or `BUSY-TENTATIVE`.
    pub kind: &'static str,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Service {
    /// As `free_busy`, one by one. Who may ask for this and nothing else may.
    pub async fn busy(
        &self,
        caller: &Principal,
        addresses: &[Address],
        window: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<Stretch>, Refusal> {
        let periods = self.periods(caller, addresses, window).await?;
        let stretch = |one: Period| Stretch { kind: one.kind.as_str(), from: one.from, to: one.to };
        Ok(periods.into_iter().map(stretch).collect())
    }

    /// What the calendars among `addresses` say about a window, merged, as the text of a VCALENDAR.
    ///
    /// An object whose recurrence is too costly to follow makes its whole span tentative.
    pub async fn free_busy(
        &self,
        caller: &Principal,
        addresses: &[Address],
        window: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<String, Refusal> {
        let periods = self.periods(caller, addresses, window).await?;
        Ok(freebusy::written(&periods, window, self.now()))
    }

    async fn periods(
        &self,
        caller: &Principal,
        addresses: &[Address],
        window: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<Period>, Refusal> {
        if window.0 >= window.1 {
            return Err(Fault::whole("the window ends before it begins").into());
        }
        let mut periods = Vec::new();
        for address in addresses.iter().filter(|address| address.kind() == Kind::Calendar) {
            periods = self.busy_in(caller, address, window, periods).await?;
        }
        Ok(freebusy::merged(periods))
    }

    pub(crate) async fn busy_in(
        &self,
        caller: &Principal,
        address: &Address,
        window: (DateTime<Utc>, DateTime<Utc>),
        mut periods: Vec<Period>,
    ) -> Result<Vec<Period>, Refusal> {
        let source = self.glimpse(&caller.name, address).await?.source;
        let owner = self.store.principal(source.address.user()).await?;
        let (zone, me) = (self.zone_of(&source, owner.as_ref()), owner.as_ref().map(party_of));
        let (mut steps, each) = (self.settings.reports.steps, self.settings.limits.recurrence_steps);
        let mut walk = self.walk(&source, None).await?;
        // What has no span says when it is busy itself.
        while let Some(page) =
            walk.page(self, |record| record.span.is_none() || may_stand(record, window.0, window.1)).await?
        {
            let fetched = self.fetch(&source, page).await?;
            let me = me.clone();
            (periods, steps) = self
                .look(&source, fetched, move |objects| {
                    for (record, held) in objects {
                        let Content::Calendar(object) = &held.content else { continue };
                        let mut budget = Budget::new(each.min(steps));
                        let before = periods.len();
                        let gathered = freebusy::gather(object, window, zone, me.as_ref(), &mut budget, &mut periods);
                        steps = steps.saturating_sub(budget.spent());
                        if gathered.is_err() {
                            periods.truncate(before);
                            let span = record.span.map(|span| (span.start, span.end.unwrap_or(window.1)));
                            let (from, to) = span.unwrap_or(window);
                            periods.extend(freebusy::cut(freebusy::Kind::Tentative, from, to, window));
                        }
                    }
                    (freebusy::merged(periods), steps)
                })
                .await?;
            if periods.len() > PERIODS_MAX {
                return Err(Refusal::Full(format!("more than {PERIODS_MAX} periods: ask about a shorter time")));
            }
        }
        Ok(periods)
    }
}
