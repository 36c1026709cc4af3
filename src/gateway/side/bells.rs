//! Whether one socket hears alarms, and which it heard while it was catching up with those that had waited. Pure.

use chrono::{DateTime, Utc};

use crate::domain::alarm::Action;
use crate::domain::event::Rang;

#[derive(Debug, Default)]
pub struct Bells {
    enabled: bool,
    /// What rang as news while the waiting ones were looked up: those are among them, and are told once. As short as a look-up takes.
    meanwhile: Option<Vec<(DateTime<Utc>, u64)>>,
}

impl Bells {
    /// Whether that switched them on, so that what waited is to be looked up.
    pub fn switch(&mut self, enabled: bool) -> bool {
        let newly = enabled && !self.enabled;
        self.enabled = enabled;
        if newly {
            self.meanwhile = Some(Vec::new());
        }
        newly
    }

    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Whether news of an alarm is to be told. AUDIO is heard here too, as this wire has no other way to ring; EMAIL goes by mail.
    pub fn rings(&mut self, alarm: &Rang) -> bool {
        let rings = self.enabled && alarm.action != Action::Email;
        if let Some(meanwhile) = self.meanwhile.as_mut().filter(|_| rings) {
            meanwhile.push((alarm.at, alarm.id));
        }
        rings
    }

    /// Which of those that waited are to be told now.
    pub fn caught_up<'a>(&mut self, waiting: &'a [Rang]) -> impl Iterator<Item = &'a Rang> {
        let meanwhile = self.meanwhile.take().unwrap_or_default();
        let enabled = self.enabled;
        waiting.iter().filter(move |alarm| enabled && !meanwhile.contains(&(alarm.at, alarm.id)))
    }
}
