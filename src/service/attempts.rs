//! Attempts of deliveries: a letter is opened, its outcome recorded, and what follows decided: nothing more, another attempt, or giving up.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::bus::Flight;
use crate::domain::alarm::State;
use crate::domain::channel::Channel;
use crate::domain::delivery::{Delivery, Errand, Failure, Retry};
use crate::domain::notification::{self, ConversationId, MessageId};
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::ledger::{Ledger, Wanted};
use crate::service::post::Letter;
use crate::service::settings::Sinks;
use crate::store::{deliveries, keys, record};
use crate::system::{pace, random};

/// How long an attempt waits that could not be recorded, because the store was busy or failed.
const UNRECORDED: Duration = Duration::from_secs(1);

/// All that a sink needs for one attempt.
pub struct Parcel {
    pub delivery: Delivery,
    pub place: Place,
    /// The zone in which the recipient reads times.
    pub zone: Tz,
    /// Calendar time of this attempt.
    pub now: DateTime<Utc>,
}

/// Where it goes.
pub enum Place {
    Mail { address: String },
    Webhook { url: String, secret: String },
    Ntfy { url: String, token: Option<String> },
}

/// What became of a letter when it was opened.
pub enum Opened {
    Parcel(Box<Parcel>),
    /// Nobody needs it any more.
    Idle,
    /// It cannot be attempted.
    Hopeless(Failure),
}

impl Service {
    /// Takes in what a former run did not deliver. Retries begin anew, for pace does not outlive a process.
    pub async fn start_post(&self) -> Result<(), Refusal> {
        let waiting = self.store.deliveries(None).await?;
        let flight = |one: &Delivery| if one.attempts == 0 { self.post.flight() } else { Flight::unwatched() };
        self.post.take_in(waiting.iter().map(|one| Letter::of(one, flight(one))), pace::now());
        Ok(())
    }

    /// When to look for letters again, if no nudge comes before.
    pub fn next_letter(&self) -> Option<Instant> {
        self.post.next()
    }

    /// The letters that may go now.
    pub fn letters(&self) -> Vec<Letter> {
        self.post.give_out(pace::now())
    }

    /// Reads what a letter stands for, and where it goes by what the person has chosen up to now.
    pub async fn open_letter(&self, letter: &Letter) -> Result<Opened, Refusal> {
        let Some(delivery) = self.store.delivery(&letter.user, letter.id).await? else { return Ok(Opened::Idle) };
        let Some(person) = self.store.principal(&letter.user).await? else { return Ok(Opened::Idle) };
        let missing = |what: &str| Ok(Opened::Hopeless(Failure::lasting(format!("no {what} is set"))));
        let place = match letter.channel {
            Channel::Mail => {
                if let Err(refusal) = self.mails.admit(letter.user.as_str()) {
                    return Ok(Opened::Hopeless(Failure::passing(refusal.to_string())));
                }
                Place::Mail { address: delivery.recipient.clone() }
            }
            Channel::Webhook => match self.store.channels(&letter.user).await?.webhook {
                Some(webhook) if webhook.stopped.is_none() => {
                    Place::Webhook { url: webhook.url, secret: webhook.secret }
                }
                Some(_) => return Ok(Opened::Hopeless(Failure::lasting("the webhook is stopped"))),
                None => return missing("webhook"),
            },
            Channel::Ntfy => match self.store.channels(&letter.user).await?.ntfy {
                Some(ntfy) => Place::Ntfy { url: ntfy.url, token: ntfy.token },
                None => return missing("ntfy topic"),
            },
        };
        if letter.channel == Channel::Ntfy && delivery.errand == Errand::Ring && self.is_answered(&delivery).await? {
            return Ok(Opened::Idle);
        }
        let zone = person.timezone.and_then(|zone| zone.parse().ok()).unwrap_or(self.settings.default_zone);
        Ok(Opened::Parcel(Box::new(Parcel { delivery, place, zone, now: self.now() })))
    }

    /// Whether an alarm was acknowledged or put off before it could be shown.
    async fn is_answered(&self, delivery: &Delivery) -> Result<bool, Refusal> {
        let row = self.store.get(keys::rung(&delivery.user, delivery.alarm.at, delivery.alarm.id)).await?;
        let state = row.map(|bytes| record::alarms::rung(&bytes)).transpose()?.map(|rung| rung.state);
        Ok(matches!(state, Some(State::Acknowledged | State::Snoozed(_))))
    }

    /// Records how an attempt went, and what follows: nothing more, another one, or the list of those given up.
    pub async fn note_attempt(&self, letter: Letter, opened: Option<&Parcel>, outcome: Result<(), Failure>) {
        match self.record_attempt(&letter, opened, outcome).await {
            Ok(Some(rest)) => self.post.put_off(letter, pace::now() + rest),
            Ok(None) => self.post.done(letter),
            Err(refusal) => {
                tracing::error!(id = %letter.id, %refusal, "an attempt could not be recorded");
                self.post.unrecorded(letter, pace::now() + UNRECORDED);
            }
        }
        self.nudges.deliveries.notify_one();
    }

    /// A letter whose delivery could not even be read is tried again.
    pub fn keep_letter(&self, letter: Letter, refusal: &Refusal) {
        tracing::error!(id = %letter.id, %refusal, "a delivery could not be opened");
        self.post.unrecorded(letter, pace::now() + UNRECORDED);
        self.nudges.deliveries.notify_one();
    }

    /// The message that a delivery carries, and the rows that changing it needs.
    async fn message_in(&self, delivery: &Delivery) -> Result<(Wanted, Option<(ConversationId, MessageId)>), Refusal> {
        let alarm = &delivery.alarm;
        let mut wanted = Wanted::default();
        let place = self.place_of(alarm.object.collection(), alarm.object.name()).await?;
        let said = place.map(|place| (place.conversation, MessageId::of_alarm(place.conversation, alarm.id)));
        if let Some((of, id)) = said {
            wanted.message(&delivery.user, of, id);
        }
        Ok((wanted, said))
    }

    /// Answers how long to wait for another attempt, if there is to be one.
    async fn record_attempt(
        &self,
        letter: &Letter,
        opened: Option<&Parcel>,
        outcome: Result<(), Failure>,
    ) -> Result<Option<Duration>, Refusal> {
        if let (Err(Failure { retry: Retry::Stopped, .. }), Some(Place::Webhook { url, .. })) =
            (&outcome, opened.map(|parcel| &parcel.place))
        {
            self.stop_webhook(&letter.user, url, self.now()).await?;
        }
        let (wanted, said) = match opened.filter(|_| outcome.is_err()) {
            Some(parcel) if parcel.delivery.errand == Errand::Ring => self.message_in(&parcel.delivery).await?,
            _ => (Wanted::default(), None),
        };
        let mut reads = vec![keys::delivery(&letter.user, letter.id)];
        reads.extend(wanted.reads());
        let (user, now) = (letter.user.clone(), self.now());
        let sinks = self.settings.sinks.clone();
        let roll = u16::from_be_bytes(random::bytes(self.random()));
        let (_, rest) = self
            .commit(reads, move |seen, stamp| {
                let Some(Some(row)) = seen.first() else { return Ok((Vec::new(), None)) };
                let mut delivery = record::alarms::delivery(row)?;
                let mut writes = Vec::new();
                let Err(failure) = &outcome else {
                    deliveries::remove(&mut writes, &delivery);
                    return Ok((writes, None));
                };
                delivery.attempts += 1;
                delivery.why.clone_from(&failure.why);
                let rest = rest_after(&sinks, delivery.attempts, failure, roll);
                match rest {
                    Some(_) => deliveries::write(&mut writes, &delivery),
                    None => {
                        deliveries::bury(&mut writes, &delivery);
                        let mut ledger = Ledger::open(&wanted, seen.get(1..).unwrap_or_default(), now)?;
                        if let Some((of, id)) = said {
                            ledger.turn(
                                (&user, of, id),
                                notification::State::Pending,
                                notification::State::Failed,
                                true,
                            );
                        }
                        ledger.close(&mut writes, stamp.0);
                    }
                }
                Ok((writes, rest))
            })
            .await?;
        Ok(rest)
    }
}

/// How long to wait before the next attempt: twice as long after each, by a quarter more or less so that many do not come back at once, and
/// at least as long as the receiver asked for; never longer than the cap. `None` where it is given up.
fn rest_after(sinks: &Sinks, attempts: u32, failure: &Failure, roll: u16) -> Option<Duration> {
    let cap = Duration::from_secs(sinks.back_off_max_seconds);
    let asked = match failure.retry {
        Retry::Never | Retry::Stopped => return None,
        Retry::After(asked) => asked,
        Retry::Later => Duration::ZERO,
    };
    if attempts >= sinks.attempts {
        return None;
    }
    let doubled =
        sinks.back_off_seconds.saturating_mul(1u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX));
    let doubled = Duration::from_secs(doubled.min(sinks.back_off_max_seconds));
    let jitter = 0.75 + f64::from(roll) / f64::from(u16::MAX) / 2.0;
    Some(doubled.mul_f64(jitter).max(asked).min(cap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_the_cap_and_end() {
        let sinks = Sinks { attempts: 20, back_off_seconds: 4, back_off_max_seconds: 60, ..Sinks::default() };
        let later = || Failure::passing("x");
        let after = |seconds| Failure { retry: Retry::After(Duration::from_secs(seconds)), why: String::new() };
        let (low, high) = (0, u16::MAX);
        let rows = [
            (1, later(), low, Some(3_000)),
            (1, later(), high, Some(5_000)),
            (2, later(), low, Some(6_000)),
            (4, later(), low, Some(24_000)),
            (6, later(), low, Some(45_000)),
            (6, later(), high, Some(60_000)),
            (19, later(), high, Some(60_000)),
            (20, later(), low, None),
            (1, after(10), low, Some(10_000)),
            (1, after(1), low, Some(3_000)),
            (1, after(86_400), low, Some(60_000)),
            (1, Failure::lasting("x"), low, None),
            (1, Failure { retry: Retry::Stopped, why: String::new() }, low, None),
        ];
        for (attempts, failure, roll, want) in rows {
            let rest = rest_after(&sinks, attempts, &failure, roll).map(|rest| rest.as_millis());
            assert_eq!(rest, want, "{attempts} {failure:?} {roll}");
        }
        let eager = Sinks { back_off_seconds: 0, ..sinks };
        assert_eq!(rest_after(&eager, 1, &later(), high), Some(Duration::ZERO));
    }
}
