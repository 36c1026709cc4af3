//! What `--demo` puts into an empty store: three people, an administrator, a team calendar with alarms, a public calendar.

use bytes::Bytes;
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc};

use crate::domain::access::Right;
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::object::Precondition;
use crate::domain::organisation::Id;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::draft::{Draft, Start};
use crate::service::Service;
use crate::service::collections::Face;
use crate::service::groups::Wish;
use crate::service::organisations::Entry;
use crate::service::principals::Newcomer;
use crate::store::keys;

const PEOPLE: [(&str, &str); 3] = [("alice", "Alice Archer"), ("bob", "Bob Baker"), ("carol", "Carol Cooper")];
const ADMINISTRATOR: &str = "admin";
const MAIL_DOMAIN: &str = "campanile.example";

impl Service {
    /// Fills an empty store; one that it filled before stays as it is; any other is refused.
    pub async fn fill_demo(&self) -> Result<(), Refusal> {
        if self.store.get(keys::demo()).await?.is_some() {
            return Ok(());
        }
        if !self.store.principals().await?.is_empty() {
            return Err(Fault::whole("this store holds users of its own; use another with --data").into());
        }
        let mut people = Vec::new();
        for (name, display_name) in PEOPLE {
            people.push(self.add_user(newcomer(name, display_name, false)).await?);
        }
        self.add_user(newcomer(ADMINISTRATOR, "Administrator", true)).await?;
        self.fill_organisation().await?;
        if let Some(alice) = people.first() {
            self.fill_team(alice).await?;
            self.fill_holidays(alice).await?;
        }
        self.commit(Vec::new(), |_, _| Ok((vec![(keys::demo(), Some(Bytes::new()))], ()))).await?;
        Ok(())
    }

    /// The organisation `demo` with the three people and the group `team`, each with the number that the console and examples name.
    async fn fill_organisation(&self) -> Result<(), Refusal> {
        let id = |name: &str| Id::new(name).ok_or(Refusal::NotFound);
        let demo = self.make_organisation(&id("demo")?, Some(1), Some("Demo".to_owned())).await?;
        for (number, (name, _)) in (1..).zip(PEOPLE) {
            let entry = Entry { number: Some(number), extension: Some(format!("100{number}")), ..Entry::default() };
            self.put_member(&demo.id, &id(name)?, entry).await?;
        }
        let members = PEOPLE.map(|(name, _)| name.to_owned()).to_vec();
        let wish = Wish { name: Some("Team".to_owned()), number: Some(1), members: Some(members), ..Wish::default() };
        self.put_group(&demo.id, &id("team")?, wish).await.map(drop)
    }

    /// A team calendar that bob writes in and carol reads, with alarms that ring a day from now at the earliest.
    async fn fill_team(&self, alice: &Principal) -> Result<(), Refusal> {
        let team = self.demo_calendar(alice, "team", "Team", "#2E7D32FF").await?;
        for (name, right) in [("bob", Right::ReadWrite), ("carol", Right::Read)] {
            let whom = UserName::new(name).ok_or(Refusal::NotFound)?;
            self.share(alice, &team, &whom, right).await?;
        }
        // Whole hours, two days ahead: with the longest lead below, the first alarm is more than 24 hours away.
        let base = self.now().with_minute(0).and_then(|at| at.with_second(0)).and_then(|at| at.with_nanosecond(0));
        let base = base.unwrap_or(self.now()) + TimeDelta::days(2);
        let drafts = [
            Draft { rule: Some("FREQ=DAILY;COUNT=10".to_owned()), ..meeting("standup", "Stand-up", base, 15, 5) },
            meeting("review", "Sprint review", base + TimeDelta::hours(5), 60, 15),
            meeting("retro", "Retrospective", base + TimeDelta::days(1), 60, 30),
        ];
        self.put_drafts(alice, &team, &drafts).await
    }

    async fn fill_holidays(&self, alice: &Principal) -> Result<(), Refusal> {
        let holidays = self.demo_calendar(alice, "holidays", "Holidays", "#1565C0FF").await?;
        let year = self.now().year() + 1;
        let day = |month, day| NaiveDate::from_ymd_opt(year, month, day).ok_or(Refusal::NotFound);
        let drafts =
            [holiday("new-year", "New Year's Day", day(1, 1)?), holiday("labour-day", "Labour Day", day(5, 1)?)];
        self.put_drafts(alice, &holidays, &drafts).await?;
        self.set_public(alice, &holidays, Some(Right::Read)).await
    }

    async fn demo_calendar(&self, owner: &Principal, id: &str, name: &str, color: &str) -> Result<Address, Refusal> {
        let at = Address::new(Kind::Calendar, owner.name.as_str(), id).ok_or(Refusal::NotFound)?;
        let face = Face { display_name: Some(name.to_owned()), color: Some(color.to_owned()), ..Face::default() };
        self.make_collection(owner, &at, Vec::new(), face).await?;
        Ok(at)
    }

    async fn put_drafts(&self, owner: &Principal, at: &Address, drafts: &[Draft]) -> Result<(), Refusal> {
        for draft in drafts {
            let place = at.object(&format!("{}.ics", draft.uid)).ok_or(Refusal::NotFound)?;
            let bytes = Bytes::from(draft.written(self.now()));
            self.put(owner, &place, bytes, Precondition::default()).await?;
        }
        Ok(())
    }
}

fn newcomer(name: &str, display_name: &str, administrator: bool) -> Newcomer {
    Newcomer {
        name: name.to_owned(),
        email: format!("{name}@{MAIL_DOMAIN}"),
        display_name: display_name.to_owned(),
        password: name.to_owned(),
        timezone: None,
        administrator,
    }
}

fn meeting(uid: &str, summary: &str, start: DateTime<Utc>, minutes: i64, alarm: i64) -> Draft {
    Draft {
        uid: uid.to_owned(),
        summary: summary.to_owned(),
        start: Start::Utc(start),
        duration: TimeDelta::minutes(minutes),
        rule: None,
        alarm_minutes: Some(alarm),
    }
}

fn holiday(uid: &str, summary: &str, day: NaiveDate) -> Draft {
    Draft {
        uid: uid.to_owned(),
        summary: summary.to_owned(),
        start: Start::Date(day),
        duration: TimeDelta::days(1),
        rule: Some("FREQ=YEARLY".to_owned()),
        alarm_minutes: None,
    }
}
