//! Alarms after they rang: who still has to hear them, who acknowledged them, which ring again later.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::address::UserName;
use crate::domain::alarm::{Action, Rung, State};
use crate::domain::event::{Event, Rang};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::service::answers::Answered;
use crate::service::belfry::Bell;
use crate::service::ledger::{Ledger, Said, Wanted};
use crate::service::objects::seen_object;
use crate::store::journal::{self, Pen};
use crate::store::{keys, objects, presence, record, rung};

/// The longest that an alarm can be put off, in days.
const SNOOZE_DAYS_MAX: i64 = 366;

impl Service {
    /// The alarms that rang for a person while nobody heard them and that are still worth telling, earliest first.
    pub async fn waiting_alarms(&self, user: &UserName) -> Result<Vec<Rang>, Refusal> {
        let now = self.now();
        let waiting = self.store.rung(user).await?.into_iter();
        let waiting =
            waiting.filter(|rung| rung.state == State::Waiting && self.worth(rung.alarm.at, rung.alarm.end, now));
        Ok(waiting.map(|rung| rung.alarm).collect())
    }

    /// Whether an alarm is still worth ringing: until its event ends, or for a while after its instant.
    pub(crate) fn worth(&self, at: DateTime<Utc>, end: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        end.max(at + TimeDelta::seconds(self.settings.alarms.late_seconds)) >= now
    }

    /// These alarms have been heard.
    pub async fn note_told(&self, user: &UserName, alarms: Vec<(DateTime<Utc>, u64)>) -> Result<(), Refusal> {
        self.change_state(alarms.iter().map(|(at, id)| (user.clone(), *at, *id)).collect(), |state| match state {
            State::Waiting => State::Told,
            other => other,
        })
        .await
    }

    pub(crate) async fn change_state(
        &self,
        alarms: Vec<(UserName, DateTime<Utc>, u64)>,
        change: impl Fn(State) -> State + Send + Sync + 'static,
    ) -> Result<(), Refusal> {
        let rows = alarms.iter().map(|(user, at, id)| keys::rung(user, *at, *id)).collect();
        let (rings, now) = (self.settings.presence.ringing_on_alarm, self.now());
        self.commit(rows, move |seen, stamp| {
            let mut writes = Vec::new();
            let mut pen = Pen::new(now, stamp.0);
            for row in seen.iter().flatten() {
                let mut found = record::alarms::rung(row)?;
                let after = change(found.state);
                if after != found.state {
                    found.state = after;
                    rung::write(&mut writes, &found);
                    if rings || after == State::Acknowledged {
                        presence::remind(&mut writes, now, &found.user, stamp.0);
                    }
                    if after == State::Acknowledged {
                        let Rung { user, alarm, state } = found;
                        pen.tell(&mut writes, Event::Answered { user, alarm, state });
                    }
                }
            }
            Ok((writes, ()))
        })
        .await?;
        self.nudge_edge(now);
        Ok(())
    }

    /// The alarms that rang for a person, as long as they are kept; earliest first.
    pub async fn rung_alarms(&self, user: &UserName) -> Result<Vec<Rung>, Refusal> {
        let mut rung = self.store.rung(user).await?;
        rung.retain(|rung| on_screen(&rung.alarm));
        Ok(rung)
    }

    /// Nobody of this person needs to hear it any more, on any device.
    pub async fn acknowledge(&self, caller: &Principal, id: u64) -> Result<Answered, Refusal> {
        let found = self.find_rung(caller, id).await?;
        let (done, written) = self.write_back(caller, &found, None).await?;
        let rung = match done {
            Some(rung) => rung,
            None => self.note_acknowledged(found).await?,
        };
        self.clear_screens(&rung).await?;
        Ok(Answered { rung: Rung { state: State::Acknowledged, ..rung }, written })
    }

    /// Acknowledges an alarm for one person, without a word in its event.
    async fn note_acknowledged(&self, found: Rung) -> Result<Rung, Refusal> {
        if let State::Snoozed(until) = found.state {
            self.cancel_snooze(&found, until).await?;
        }
        let (wanted, at) = self.message_of(&found).await?;
        let mut reads = vec![keys::rung(&found.user, found.alarm.at, found.alarm.id)];
        reads.extend(wanted.reads());
        let now = self.now();
        let (_, rung) = self
            .commit(reads, move |seen, stamp| {
                let Some(Some(bytes)) = seen.first() else { return Err(Refusal::NotFound) };
                let before = record::alarms::rung(bytes)?;
                let news = before.state != State::Acknowledged;
                let rung = Rung { state: State::Acknowledged, ..before };
                let mut writes = Vec::new();
                rung::write(&mut writes, &rung);
                if news {
                    presence::remind(&mut writes, now, &rung.user, stamp.0);
                    let Rung { user, alarm, state } = rung.clone();
                    Pen::new(now, stamp.0).tell(&mut writes, Event::Answered { user, alarm, state });
                }
                let mut ledger = Ledger::open(&wanted, seen.get(1..).unwrap_or_default(), now)?;
                ledger.deal_with(at.as_ref());
                ledger.close(&mut writes, stamp.0);
                Ok((writes, rung))
            })
            .await?;
        self.nudge_edge(now);
        Ok(rung)
    }

    /// Where the message of an alarm stands, and the rows that changing it needs; none where its event is gone.
    async fn message_of(&self, rung: &Rung) -> Result<(Wanted, Option<Said>), Refusal> {
        let mut wanted = Wanted::default();
        let place = self.place_of(rung.alarm.object.collection(), rung.alarm.object.name()).await?;
        let at = place.map(|place| Said::of_alarm(rung, &place.uid));
        at.iter().for_each(|said| said.want(&mut wanted));
        Ok((wanted, at))
    }

    /// It rings again at `until`, on every device.
    pub async fn snooze(&self, caller: &Principal, id: u64, until: DateTime<Utc>) -> Result<Answered, Refusal> {
        let now = self.now();
        if until <= now || until - now > TimeDelta::days(SNOOZE_DAYS_MAX) {
            return Err(Fault::whole(format!("until must lie ahead, by at most {SNOOZE_DAYS_MAX} days")).into());
        }
        let found = self.find_rung(caller, id).await?;
        let (done, written) = self.write_back(caller, &found, Some(until)).await?;
        let rung = match done {
            Some(rung) => rung,
            None => self.put_off(caller, found, until, now).await?,
        };
        self.clear_screens(&rung).await?;
        Ok(Answered { rung, written })
    }

    /// Arms an alarm again for one person, without a word in its event.
    async fn put_off(
        &self,
        caller: &Principal,
        found: Rung,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Rung, Refusal> {
        if let State::Snoozed(until) = found.state {
            self.cancel_snooze(&found, until).await?;
        }
        let view = self.view(&caller.name, found.alarm.object.collection()).await?;
        let of = view.source.id;
        let row = keys::rung(&found.user, found.alarm.at, found.alarm.id);
        let place = keys::object(of, found.alarm.object.name());
        let again = Rang { at: until, ..found.alarm.clone() };
        let user = found.user.clone();
        let (wanted, at) = self.message_of(&found).await?;
        let mut reads = vec![row, place];
        reads.extend(wanted.reads());
        let (_, (rung, bell)) = self
            .commit(reads, move |seen, stamp| {
                let Some(Some(bytes)) = seen.first() else { return Err(Refusal::NotFound) };
                let mut rung = record::alarms::rung(bytes)?;
                let mut object = seen_object(seen.get(1))?.ok_or(Refusal::NotFound)?;
                let mut writes = Vec::new();
                let event = Event::Rang { user: user.clone(), alarm: again.clone() };
                let mut pen = Pen::new(now, stamp.0);
                let armed = pen.arm(&mut writes, of, until, event);
                // A write to the event takes what is armed away, the snooze among it.
                object.armed.push(armed);
                objects::write_record(&mut writes, of, &object);
                rung.state = State::Snoozed(until);
                rung::write(&mut writes, &rung);
                presence::remind(&mut writes, now, &user, stamp.0);
                pen.tell(
                    &mut writes,
                    Event::Answered { user: user.clone(), alarm: rung.alarm.clone(), state: rung.state },
                );
                // It is dealt with until it rings again.
                let mut ledger = Ledger::open(&wanted, seen.get(2..).unwrap_or_default(), now)?;
                ledger.deal_with(at.as_ref());
                ledger.close(&mut writes, stamp.0);
                let bell = Bell { armed, of, user: user.clone(), alarm: again.clone() };
                Ok((writes, (rung, bell)))
            })
            .await?;
        self.hang_up(bell);
        self.nudge_edge(now);
        Ok(rung)
    }

    async fn find_rung(&self, caller: &Principal, id: u64) -> Result<Rung, Refusal> {
        let rung = self.rung_alarms(&caller.name).await?.into_iter().rev().find(|rung| rung.alarm.id == id);
        rung.ok_or(Refusal::NotFound)
    }

    async fn cancel_snooze(&self, rung: &Rung, until: DateTime<Utc>) -> Result<(), Refusal> {
        let Ok(view) = self.view(&rung.user, rung.alarm.object.collection()).await else { return Ok(()) };
        let of = view.source.id;
        let Some(object) = self.store.object(of, rung.alarm.object.name()).await? else { return Ok(()) };
        for armed in object.armed.into_iter().filter(|armed| armed.at == until) {
            let line = self.store.armed_line(&armed, of).await?;
            let mine = line.is_some_and(|(line, _)| match line.event {
                Event::Rang { user, alarm } => user == rung.user && alarm.id == rung.alarm.id,
                _ => false,
            });
            if mine {
                self.commit(Vec::new(), move |_, _| {
                    let mut writes = Vec::new();
                    journal::disarm(&mut writes, of, &armed);
                    Ok((writes, ()))
                })
                .await?;
            }
        }
        Ok(())
    }
}

/// Whether an alarm rings on a screen, and so waits for somebody who looks at one.
pub(crate) fn on_screen(alarm: &Rang) -> bool {
    alarm.action != Action::Email
}
