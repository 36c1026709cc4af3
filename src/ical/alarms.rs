//! When the alarms of an object ring. Knows no due queue and no clock; who listens is for others.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::alarm::Firing;
use crate::ical::bells::Tower;
use crate::ical::block::Block;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::window;

/// For whom alarms ring, and what silences them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Rings only what the user has accepted, or has not been asked about.
    pub require_accepted: bool,
    /// The mail address that stands in ATTENDEE and ORGANIZER; case does not matter. Empty matches nobody.
    pub user_email: String,
}

/// The firings with `from <= at < to`, sorted by instant. Dates and floating times stand in `default`.
///
/// A series with a fault rings nothing; `CalendarObject::flaws` says why.
pub fn firings(
    object: &CalendarObject,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    default: Tz,
    policy: &Policy,
    budget: &mut Budget,
) -> Result<Vec<Firing>, Exhausted> {
    let mut all = Vec::new();
    for series in object.series() {
        let tower = Tower::of(object, series, default, policy);
        let mut rings = Vec::new();
        tower.absolute(from, to, budget, &mut rings)?;
        tower.relative(from, to, budget, &mut rings)?;
        for ring in rings.iter().filter(|ring| ring.at < to) {
            all.push(tower.firing(ring, budget)?);
        }
    }
    all.sort_by(|one, two| (one.at, &one.uid, one.start_at, one.id).cmp(&(two.at, &two.uid, two.start_at, two.id)));
    Ok(all)
}

/// The earliest instant strictly after `after` at which any alarm rings.
pub fn next_after(
    object: &CalendarObject,
    after: DateTime<Utc>,
    default: Tz,
    policy: &Policy,
    budget: &mut Budget,
) -> Result<Option<DateTime<Utc>>, Exhausted> {
    let from = window::strictly(after);
    let mut next: Option<DateTime<Utc>> = None;
    for series in object.series() {
        let tower = Tower::of(object, series, default, policy);
        let mut all = Vec::new();
        tower.absolute(from, DateTime::<Utc>::MAX_UTC, budget, &mut all)?;
        if let Some(mut search) = tower.search(from) {
            while let Some((from, to)) = search.next(series, default, budget)? {
                let ended = tower.relative(from, to, budget, &mut all)?;
                // What rings behind the window's end may have an earlier rival there.
                let found = all.iter().map(|ring| ring.at).chain(next).min();
                if ended || found.is_some_and(|found| found < to) {
                    break;
                }
            }
        } else {
            tower.relative(from, DateTime::<Utc>::MAX_UTC, budget, &mut all)?;
        }
        next = all.into_iter().map(|ring| ring.at).chain(next).min();
    }
    Ok(next)
}

/// What rings at one instant.
pub fn at(
    object: &CalendarObject,
    instant: DateTime<Utc>,
    default: Tz,
    policy: &Policy,
    budget: &mut Budget,
) -> Result<Vec<Firing>, Exhausted> {
    firings(object, instant, window::strictly(instant), default, policy, budget)
}

/// Whether a component rings nothing for a person: cancelled, done, declined, or not yet accepted where that is asked.
pub fn silenced(block: &Block, policy: &Policy) -> bool {
    let done = block.name == "VTODO" && (block.is("STATUS", "COMPLETED") || block.property("COMPLETED").is_some());
    if done || block.is("STATUS", "CANCELLED") {
        return true;
    }
    if policy.user_email.is_empty() {
        return false;
    }
    let is_user = |address: &str| {
        let mail = address.trim();
        let mail = mail
            .split_at_checked(7)
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("mailto:"))
            .map_or(mail, |(_, mail)| mail);
        mail.eq_ignore_ascii_case(&policy.user_email)
    };
    // RFC 7986 6.2: EMAIL names the mail address where the value is some other address.
    let attendee = block
        .properties("ATTENDEE")
        .find(|attendee| is_user(&attendee.value) || attendee.param("EMAIL").is_some_and(is_user));
    let Some(attendee) = attendee else { return false };
    let status = attendee.param("PARTSTAT").unwrap_or("NEEDS-ACTION");
    let organizes = || block.property("ORGANIZER").is_some_and(|organizer| is_user(&organizer.value));
    status.eq_ignore_ascii_case("DECLINED")
        || (policy.require_accepted && !status.eq_ignore_ascii_case("ACCEPTED") && !organizes())
}
