//! Answers to alarms and the text of their event: what people answer here is written into it where they want that, and what came with a
//! text counts here too.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use bytes::Bytes;

use crate::domain::address::UserName;
use crate::domain::alarm::{Rung, State};
use crate::domain::collection::{Collection, CollectionId};
use crate::domain::event::{Event, Rang};
use crate::domain::object::{Armed, Precondition, Tags};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::ical::acknowledge::{self, Answer};
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::kv::Writes;
use crate::service::Service;
use crate::service::objects::Beside;
use crate::service::rung::on_screen;
use crate::store::journal::Pen;
use crate::store::{keys, presence, record, rung};
use crate::system::random;

/// How often an event is read again that changed while an answer was written into it.
const TRIES: usize = 8;

/// What became of an answer: of the alarm, and, where the person wants answers written back, of its event.
#[derive(Clone, Debug)]
pub struct Answered {
    pub rung: Rung,
    pub written: Option<Written>,
}

/// Whether an answer stands in the event, or why not.
pub type Written = Result<(), String>;

/// A row of what rang, and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Turned {
    pub rung: Rung,
    pub after: State,
    /// Whether this very alarm was answered, so that this counts whatever was answered meanwhile.
    pub own: bool,
}

impl Turned {
    pub fn key(&self) -> Bytes {
        keys::rung(&self.rung.user, self.rung.alarm.at, self.rung.alarm.id)
    }
}

/// What one try to write an answer into an event came to.
enum Tried {
    /// It is written, and so is what became of the alarm.
    Done(Rung),
    /// It stands there already.
    Stands,
    Not(String),
    /// Something changed meanwhile.
    Again,
}

/// The last row of the alarm that one repeats, from before it.
pub(crate) fn before<'r>(known: &'r [Rung], alarm: &Rang) -> Option<&'r Rung> {
    let same = |rung: &&Rung| rung.alarm.id == alarm.id && rung.alarm.object == alarm.object;
    known.iter().filter(same).filter(|rung| rung.alarm.at < alarm.at).max_by_key(|rung| rung.alarm.at)
}

/// Writes and tells what becomes of rows of what rang, within the commit that decides it; `rows` are as they are now.
pub(crate) fn turn(
    writes: &mut Writes,
    pen: &mut Pen,
    turned: &[Turned],
    rows: &[Option<Bytes>],
) -> Result<(), Refusal> {
    // That somebody has heard it by now is no answer.
    let open = |state: State| matches!(state, State::Waiting | State::Told);
    for (Turned { rung: was, after, own }, row) in turned.iter().zip(rows) {
        let Some(bytes) = row else { continue };
        let now = record::alarms::rung(bytes)?;
        if *own || now.state == was.state || (open(now.state) && open(was.state)) {
            let rung = Rung { state: *after, ..now };
            rung::write(writes, &rung);
            let Rung { user, alarm, state } = rung;
            // Where they are in a queue, one less waits.
            let (now, stamp) = pen.when();
            presence::remind(writes, now, &user, stamp);
            pen.tell(writes, Event::Answered { user, alarm, state });
        }
    }
    Ok(())
}

impl Service {
    /// Writes an answer into the event of an alarm, and what became of the alarm in the same commit. `None` where this person does not
    /// want that, or where it could not be: then nothing is written at all, and why is told beside it.
    pub(crate) async fn write_back(
        &self,
        caller: &Principal,
        found: &Rung,
        until: Option<DateTime<Utc>>,
    ) -> Result<(Option<Rung>, Option<Written>), Refusal> {
        if !self.store.channels(&caller.name).await?.writes_back {
            return Ok((None, None));
        }
        // TRIGGER knows whole seconds.
        let until = until.map(|until| {
            let whole = until.duration_trunc(TimeDelta::seconds(1)).unwrap_or(until);
            if whole < until { whole + TimeDelta::seconds(1) } else { whole }
        });
        let not = |why: &str| Ok((None, Some(Err(why.to_owned()))));
        for _ in 0..TRIES {
            let view = match self.view(&caller.name, found.alarm.object.collection()).await {
                Ok(view) if view.writes() => view,
                Ok(_) | Err(Refusal::Forbidden) => return not("you have no right to write to this calendar"),
                Err(Refusal::NotFound) => return not("the calendar is gone"),
                Err(refusal) => return Err(refusal),
            };
            match self.try_write_back(caller, &view.source, found, until).await? {
                Tried::Done(rung) => return Ok((Some(rung), Some(Ok(())))),
                Tried::Stands => return Ok((None, Some(Ok(())))),
                Tried::Not(why) => return Ok((None, Some(Err(why)))),
                Tried::Again => {}
            }
        }
        not("the event keeps changing")
    }

    async fn try_write_back(
        &self,
        caller: &Principal,
        source: &Collection,
        found: &Rung,
        until: Option<DateTime<Utc>>,
    ) -> Result<Tried, Refusal> {
        let not = |why: String| Ok(Tried::Not(why));
        let (now, name) = (self.now(), found.alarm.object.name());
        let owner = self.store.principal(source.address.user()).await?;
        let ringing = self.ringing_for(source, owner.as_ref());
        let Some((stands, bytes)) = self.store.object_with_body(source.id, name).await? else {
            return not("the event is gone".to_owned());
        };
        let Ok(before) = CalendarObject::read(&bytes, &self.line_limits()) else {
            return not("the event cannot be read".to_owned());
        };
        // What was put off here rang again at an instant that its text does not know: then its first one leads to it.
        let mut instants: Vec<DateTime<Utc>> = self
            .store
            .rung(&caller.name)
            .await?
            .into_iter()
            .rev()
            .filter(|rung| rung.alarm.id == found.alarm.id && rung.alarm.object == found.alarm.object)
            .map(|rung| rung.alarm.at)
            .collect();
        instants.dedup();
        let uid = random::uuid(self.random()).to_string();
        let mut text = None;
        for at in instants {
            let answer = Answer { id: found.alarm.id, at, now: now.max(found.alarm.at), until, uid: uid.clone() };
            let mut budget = Budget::new(self.settings.limits.recurrence_steps);
            match acknowledge::written(&bytes, &before, &answer, ringing.zone, &mut budget) {
                Ok(Some(written)) => {
                    text = Some(written);
                    break;
                }
                Ok(None) => {}
                Err(exhausted) => return not(exhausted.to_string()),
            }
        }
        let Some(text) = text else { return not("the event has no such alarm any more".to_owned()) };
        if text == bytes {
            return Ok(Tried::Stands);
        }
        let text = Bytes::from(text);
        let prepared = match self.prepare(source, text.clone(), now).await {
            Ok(prepared) => prepared,
            Err(refusal @ (Refusal::Fault { .. } | Refusal::Busy { .. })) => return Err(refusal),
            Err(refusal) => return not(refusal.to_string()),
        };
        let Ok(after) = CalendarObject::read(&text, &self.line_limits()) else {
            return not("the event could not be read with it".to_owned());
        };
        let rings = |at: &DateTime<Utc>| ringing.at(&after, *at).iter().any(|firing| firing.id == found.alarm.id);
        if !until.as_ref().is_none_or(rings) {
            return not("the event would not ring then".to_owned());
        }
        // What others put off here goes on, for they did not change the event.
        let snoozed = self.snoozed(source.id, &stands, &before, &ringing).await?;
        let mine = |(user, id): &(UserName, u64)| *user == caller.name && *id == found.alarm.id;
        let kept: Vec<Armed> = snoozed.into_iter().filter(|(_, whose)| !mine(whose)).map(|(armed, _)| armed).collect();
        let state = until.map_or(State::Acknowledged, State::Snoozed);
        let mut turned = self.answered(source, name, &after, &kept, Some((found, state))).await?;
        turned.push(Turned { rung: found.clone(), after: state, own: true });
        let beside = Beside { turned, kept, stands: Some(stands.clone()), ..Beside::default() };
        let same = Precondition {
            if_match: Some(Tags::These(vec![stands.etag.as_str().to_owned()])),
            ..Precondition::default()
        };
        let zone = owner.and_then(|owner| owner.timezone);
        match self.write_object(&caller.name, name, source, zone, prepared, same, beside).await {
            Ok(Some(_)) => Ok(Tried::Done(Rung { state, ..found.clone() })),
            Ok(None) | Err(Refusal::Precondition) => Ok(Tried::Again),
            Err(refusal @ (Refusal::Fault { .. } | Refusal::Busy { .. })) => Err(refusal),
            Err(refusal) => not(refusal.to_string()),
        }
    }

    /// What a text means for the alarms of its event that rang, for anybody: which it acknowledges, and which were put off in it by the
    /// `answer` that wrote it. Of the person who answered, that very row is left out.
    pub(crate) async fn answered(
        &self,
        source: &Collection,
        name: &str,
        after: &CalendarObject,
        kept: &[Armed],
        answer: Option<(&Rung, State)>,
    ) -> Result<Vec<Turned>, Refusal> {
        let zone = self.ringing(source).await?.zone;
        let mut rows = Vec::new();
        for hearer in self.hearers(source).await? {
            let Some(place) = hearer.object(name) else { continue };
            let rung = self.store.rung(hearer.user()).await?.into_iter();
            rows.extend(rung.filter(|rung| rung.alarm.object == place && on_screen(&rung.alarm)));
        }
        rows.retain(|rung| match rung.state {
            State::Waiting | State::Told => true,
            State::Snoozed(until) => !kept.iter().any(|armed| armed.at == until),
            State::Acknowledged => false,
        });
        let key = |rung: &Rung| (rung.user.clone(), rung.alarm.at, rung.alarm.id);
        rows.retain(|rung| answer.is_none_or(|(own, _)| key(own) != key(rung)));
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let before = self.store.object_with_body(source.id, name).await?;
        let before = before.and_then(|(_, bytes)| CalendarObject::read(&bytes, &self.line_limits()).ok());
        // One question, however many rows.
        let mut budget = Budget::new(self.settings.limits.recurrence_steps);
        let mut meant = |rung: &Rung| -> Result<Option<State>, Exhausted> {
            let alarm = &rung.alarm;
            if let State::Snoozed(until) = rung.state
                && acknowledge::repeats(after, alarm.id, until, zone, &mut budget)?
            {
                return Ok(None);
            }
            let answered = acknowledge::is_acknowledged(before.as_ref(), after, alarm.id, alarm.at, zone, &mut budget)?;
            let same = answer.filter(|(own, _)| own.alarm.id == alarm.id && own.user != rung.user);
            Ok(answered.then(|| same.map_or(State::Acknowledged, |(_, state)| state)))
        };
        let mut turned = Vec::new();
        for rung in rows {
            match meant(&rung) {
                Ok(Some(after)) => turned.push(Turned { rung, after, own: false }),
                Ok(None) => {}
                Err(exhausted) => {
                    tracing::warn!(%name, %exhausted, "what a text acknowledges was not found out to the end");
                    break;
                }
            }
        }
        Ok(turned)
    }

    /// What a person hears of firings that a text may have put off: not what they acknowledged, nor what they put off further; what is
    /// told again tells of the same instance. `firings` come with whether each is such a repetition.
    pub(crate) async fn heard_again(
        &self,
        of: CollectionId,
        armed: &[Armed],
        user: &UserName,
        firings: impl Iterator<Item = (bool, Rang)>,
    ) -> Result<Vec<Rang>, Refusal> {
        let known = self.store.rung(user).await?;
        let mut heard = Vec::new();
        for (repeats, mut alarm) in firings {
            if repeats {
                match before(&known, &alarm) {
                    Some(Rung { state: State::Acknowledged, .. }) => continue,
                    Some(Rung { state: State::Snoozed(until), .. }) if *until > alarm.at => continue,
                    Some(row) => {
                        (alarm.start, alarm.end) = (row.alarm.start, row.alarm.end);
                    }
                    None => {}
                }
                if self.is_armed(of, armed, user, &alarm).await? {
                    continue;
                }
            }
            heard.push(alarm);
        }
        Ok(heard)
    }

    /// Whether this person put this very alarm off until this very instant without the text.
    async fn is_armed(
        &self,
        of: CollectionId,
        armed: &[Armed],
        user: &UserName,
        alarm: &Rang,
    ) -> Result<bool, Refusal> {
        for armed in armed.iter().filter(|armed| armed.at == alarm.at) {
            if let Some((line, _)) = self.store.armed_line(armed, of).await?
                && let Event::Rang { user: other, alarm: rings } = line.event
                && (&other, rings.id) == (user, alarm.id)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes alarms off the screens of those for whom a text answered them. They are answered, whether or not that succeeds.
    pub(crate) async fn clear_turned(&self, turned: &[Turned]) {
        if !turned.is_empty() {
            self.nudge_edge(self.now());
        }
        for Turned { rung, .. } in turned.iter().filter(|turned| !turned.own) {
            if let Err(refusal) = self.clear_screens(rung).await {
                tracing::warn!(user = %rung.user, %refusal, "an answered alarm could not be cleared");
            }
        }
    }
}
