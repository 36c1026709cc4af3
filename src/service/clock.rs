//! Turning a manual clock: every instant on the way is served in order, and each is settled before the next.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::alarm::Rung;
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::time::Length;
use crate::service::Service;
use crate::system::clock::Clock;

/// How long one instant may take to reach every socket before the turn goes on and says so.
const PATIENCE: Duration = Duration::from_secs(30);
/// Alarms that the answer lists; beyond them they are only counted.
const LISTED_MAX: usize = 1_000;

/// What a turn of the clock set off.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    pub fired: Vec<Rung>,
    pub count: u64,
    pub settled: bool,
}

impl Service {
    /// Whether the clock can be turned.
    pub fn clock_is_manual(&self) -> bool {
        self.clock.manual().is_some()
    }

    /// The instant that lies an iCalendar duration ahead: `PT15M`, `P1D`. A day is 24 hours here.
    pub fn now_and(&self, duration: &str) -> Result<DateTime<Utc>, Refusal> {
        let wrong = || Refusal::from(Fault::whole(format!("{duration:?} is no duration like PT15M or P1D")));
        let seconds = Length::parse(duration).ok_or_else(wrong)?.about();
        let ahead = TimeDelta::try_seconds(seconds).filter(|ahead| *ahead >= TimeDelta::zero()).ok_or_else(wrong)?;
        self.now().checked_add_signed(ahead).ok_or_else(wrong)
    }

    /// Turns a manual clock to `target`. Forward, everything on the way rings; back, everything is planned anew and nothing rings.
    /// `NotFound` with the machine's clock.
    pub async fn turn_clock(&self, target: DateTime<Utc>) -> Result<Turn, Refusal> {
        let manual = self.clock.manual().ok_or(Refusal::NotFound)?;
        let _turn = self.turning.lock().await;
        let mut turn = Turn { settled: true, ..Turn::default() };
        if target < manual.now() {
            manual.set(target);
            self.turn_back(target).await?;
        }
        while let Some(next) = self.next_instant().await?.filter(|next| *next <= target) {
            let now = next.max(manual.now());
            manual.set(now);
            while !self.arm(now, now).await? {}
            let struck = self.ring().await?;
            turn.count += struck.len() as u64;
            let room = LISTED_MAX.saturating_sub(turn.fired.len());
            turn.fired.extend(struck.iter().take(room).map(|struck| struck.rung.clone()));
            turn.settled &= self.settle(PATIENCE).await?;
            self.note_heard(struck).await?;
        }
        manual.set(target);
        self.sweep().await?;
        turn.settled &= self.settle(PATIENCE).await?;
        Ok(turn)
    }
}
