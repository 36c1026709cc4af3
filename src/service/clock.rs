//! Turning a manual clock: every instant on the way is served in order, and each is settled before the next.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use crate::domain::alarm::Rung;
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::time::Length;
use crate::service::Service;
use crate::system::clock::Clock;
use crate::system::pace;

/// The last year that RFC 3339 can write: beyond it an answer could not say what time it is.
const YEAR_MAX: i32 = 9_999;
/// What each further instant waits once one has waited in vain: enough for sockets that do read, and a long turn still comes to its end.
const GRACE: Duration = Duration::from_millis(50);
/// Alarms that the answer lists; beyond them they are only counted.
const LISTED_MAX: usize = 1_000;

/// How a clock is to be turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    To(DateTime<Utc>),
    /// From wherever it stands when its turn comes: two that ask for a minute each make two minutes.
    Ahead(TimeDelta),
}

/// What a turn of the clock set off.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// Where it left the clock.
    pub now: DateTime<Utc>,
    pub fired: Vec<Rung>,
    pub count: u64,
    pub settled: bool,
}

impl Aim {
    /// As far ahead as an iCalendar duration says: `PT15M`, `P1D`. A day is 24 hours here.
    pub fn ahead(duration: &str) -> Result<Aim, Refusal> {
        let wrong = || Refusal::from(Fault::whole(format!("{duration:?} is no duration ahead like PT15M or P1D")));
        let seconds = Length::parse(duration).ok_or_else(wrong)?.about();
        TimeDelta::try_seconds(seconds).filter(|ahead| *ahead >= TimeDelta::zero()).map(Aim::Ahead).ok_or_else(wrong)
    }
}

/// The clock is on its way: what is to happen once a turn, and not at every instant that the turn stops at, waits for its end.
struct Passing<'s>(&'s Service);

impl Passing<'_> {
    fn begin(service: &Service) -> Passing<'_> {
        service.passing.store(true, Ordering::Release);
        Passing(service)
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.passing.store(false, Ordering::Release);
        self.0.nudges.feeds.notify_one();
    }
}

impl Service {
    /// Whether the clock can be turned.
    pub fn clock_is_manual(&self) -> bool {
        self.clock.manual().is_some()
    }

    /// Turns a manual clock, after whoever turns it now. Forward, everything on the way rings; back, everything is planned anew and nothing
    /// rings. `NotFound` with the machine's clock, `Invalid` where no such time can be written.
    pub async fn turn_clock(&self, aim: Aim) -> Result<Turn, Refusal> {
        let manual = self.clock.manual().ok_or(Refusal::NotFound)?;
        let _turn = self.turning.lock().await;
        let target = match aim {
            Aim::To(target) => Some(target),
            Aim::Ahead(time) => manual.now().checked_add_signed(time),
        };
        let target = target.filter(|target| (0..=YEAR_MAX).contains(&target.year()));
        let target = target.ok_or_else(|| Fault::whole(format!("the clock goes to the year {YEAR_MAX}")))?;
        let mut turn = Turn { now: target, settled: true, ..Turn::default() };
        let mut patience = Duration::from_secs(self.settings.clock.patience_seconds);
        if target < manual.now() {
            manual.set(target);
            self.turn_back(target).await?;
        }
        let passing = Passing::begin(self);
        while let Some(next) = self.next_instant().await?.filter(|next| *next <= target) {
            let now = next.max(manual.now());
            manual.set(now);
            while !self.arm(now, now).await? {}
            let struck = self.ring().await?;
            self.serve_presence(now).await?;
            turn.count += struck.len() as u64;
            let room = LISTED_MAX.saturating_sub(turn.fired.len());
            turn.fired.extend(struck.iter().take(room).map(|struck| struck.rung.clone()));
            // Both at once: a receiver that does not answer holds up no socket.
            let landing = self.post.landing();
            let (settled, attempted) =
                futures_util::future::join(self.settle(patience), pace::within(patience, landing.landed())).await;
            if !settled? || attempted.is_none() {
                turn.settled = false;
                patience = patience.min(GRACE);
            }
            self.note_heard(struck).await?;
        }
        manual.set(target);
        drop(passing);
        while self.announce().await? {}
        turn.settled &= self.settle(patience).await?;
        self.sweep().await?;
        match pace::within(patience, self.feeds_rest(target)).await {
            Some(rested) => rested?,
            None => turn.settled = false,
        }
        turn.settled &= self.settle(patience).await?;
        Ok(turn)
    }
}
