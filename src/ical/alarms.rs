//! When the alarms of an object ring. Knows no due queue and no clock; who listens is for others.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::alarm::Firing;
use crate::ical::bells::Tower;
use crate::ical::block::Block;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::reading::{instant, whole};
use crate::ical::recur::series::Series;
use crate::ical::recur::window;
use crate::ical::trigger::mail;

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
    for series in ringing(object) {
        let tower = Tower::of(object, series, default, policy);
        let mut rings = Vec::new();
        tower.rings(whole(from), whole(to), budget, &mut rings)?;
        for ring in &rings {
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
    let from = after.timestamp() + 1;
    let mut next: Option<i64> = None;
    for series in ringing(object) {
        let found = Tower::of(object, series, default, policy).next(from, budget)?;
        next = next.into_iter().chain(found).min();
    }
    Ok(next.map(instant))
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

/// The series of an object, unless it says that all of them are off.
fn ringing(object: &CalendarObject) -> &[Series] {
    let cancels = object.method().is_some_and(|method| method.eq_ignore_ascii_case("CANCEL"));
    if cancels { &[] } else { object.series() }
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
    let is_user = |address: &str| mail(address).eq_ignore_ascii_case(&policy.user_email);
    let organizes = || block.property("ORGANIZER").is_some_and(|organizer| is_user(&organizer.value));
    let mut invited = block.properties("ATTENDEE").peekable();
    // What nobody is invited to is the owner's own.
    if invited.peek().is_none() {
        return false;
    }
    // RFC 7986 6.2: EMAIL names the mail address where the value is some other address.
    let attendee = invited.find(|attendee| is_user(&attendee.value) || attendee.param("EMAIL").is_some_and(is_user));
    let Some(attendee) = attendee else { return policy.require_accepted && !organizes() };
    let status = attendee.param("PARTSTAT").unwrap_or("NEEDS-ACTION");
    status.eq_ignore_ascii_case("DECLINED")
        || (policy.require_accepted && !status.eq_ignore_ascii_case("ACCEPTED") && !organizes())
}
