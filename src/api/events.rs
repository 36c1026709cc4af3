//! `GET /api/calendars/{user}/{id}/events`: what a calendar holds in a window, each occurrence by itself, as calendar widgets draw it.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use http::StatusCode;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, address, signed};
use crate::domain::address::{Address, Kind};
use crate::domain::occurrence::{self, Moment};
use crate::domain::refusal::{Fault, Refusal};
use crate::http::call::{Call, href};
use crate::http::problem;
use crate::service::busy::Stretch;
use crate::service::collections::zone_named;
use crate::service::occurrences::Happening;

/// A window reaches over so many days at most; what it may cost beyond that is bounded by `[reports]`.
const WINDOW_DAYS_MAX: i64 = 36_525;

/// 200 with the occurrences by start. `from` and `to` are instants, clock readings in `tz`, or days; `tz` is also where all-day and floating
/// events stand, and the calendar's own zone where it is absent.
pub async fn list(user: String, id: String, house: House, call: Call) -> Response {
    signed(house, call, |house, call, caller| async move {
        let at = address(Kind::Calendar, &user, &id)?;
        let named = call.parameter("tz").map(|name| zone(&name)).transpose()?;
        let view = house.view(&caller.name, &at).await?;
        let zone = house.zone_for(&view.source, named).await?;
        let window = (edge(&call, "from", zone)?, edge(&call, "to", zone)?);
        if window.1 - window.0 > TimeDelta::days(WINDOW_DAYS_MAX) {
            return Err(Fault::whole(format!("a window has at most {WINDOW_DAYS_MAX} days")).into());
        }
        let found = house.occurrences(&caller, &at, window, Some(zone)).await?;
        let editable = view.writes();
        let body = json!({
            "events": found.list.iter().map(|one| shape(&at, one, zone, editable)).collect::<Vec<Value>>(),
            "timezone": zone.name(),
            "truncated": found.until.is_some(),
            "until": found.until.as_ref().map(occurrence::instant),
            "unexpanded": found.costly.iter().map(|name| href(&at, Some(name))).collect::<Vec<String>>(),
        });
        Ok(problem::json(StatusCode::OK, &body))
    })
    .await
}

/// 200 with the periods in which a calendar makes its owner busy, merged, and nothing of why. Whoever may ask for that and no more may
/// ask this.
pub async fn busy(user: String, id: String, house: House, call: Call) -> Response {
    signed(house, call, |house, call, caller| async move {
        let at = address(Kind::Calendar, &user, &id)?;
        let window = (edge(&call, "from", Tz::UTC)?, edge(&call, "to", Tz::UTC)?);
        if window.1 - window.0 > TimeDelta::days(WINDOW_DAYS_MAX) {
            return Err(Fault::whole(format!("a window has at most {WINDOW_DAYS_MAX} days")).into());
        }
        let periods = house.busy(&caller, &[at], window).await?;
        let period = |one: &Stretch| {
            json!({
                "start": occurrence::instant(&one.from),
                "end": occurrence::instant(&one.to),
                "kind": one.kind,
            })
        };
        let periods: Vec<Value> = periods.iter().map(period).collect();
        Ok(problem::json(StatusCode::OK, &json!({ "busy": periods })))
    })
    .await
}

fn zone(name: &str) -> Result<Tz, Refusal> {
    let zone = zone_named(name).and_then(|name| name.parse().ok());
    zone.ok_or_else(|| Fault::whole(format!("no zone named {name:?}")).into())
}

/// One end of the window.
fn edge(call: &Call, name: &str, zone: Tz) -> Result<DateTime<Utc>, Refusal> {
    let text = call.parameter(name).ok_or_else(|| Fault::whole("give from and to"))?;
    let at = instant(&text, zone);
    at.ok_or_else(|| {
        Fault::whole(format!(
            "{name} must be an instant like 2025-01-15T09:00:00Z or a day like 2025-01-15, got {text:?}"
        ))
        .into()
    })
}

fn instant(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    // The plus of an offset that was not encoded arrives as a space.
    let text = text.trim().replace(' ', "+");
    // Years have four digits: further out an offset may leave what a calendar can count.
    if text.starts_with(['+', '-']) {
        return None;
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(&text) {
        return Some(at.to_utc());
    }
    let clock = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S").ok();
    let clock = clock.or_else(|| Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN)))?;
    // Where clocks are put forward over it, it is what they show an hour later.
    let at = zone.from_local_datetime(&clock).earliest();
    let later = || zone.from_local_datetime(&clock.checked_add_signed(TimeDelta::hours(1))?).earliest();
    Some(at.or_else(later)?.to_utc())
}

fn shape(at: &Address, found: &Happening, zone: Tz, editable: bool) -> Value {
    let one = &found.occurrence;
    let url = href(at, Some(&found.name));
    let original = one.recurrence_id.as_ref().map(Moment::text);
    // The end in the form of the start.
    let end = match one.start {
        Moment::Instant(_) => Moment::Instant(one.end_at),
        Moment::Floating(_) => Moment::Floating(one.end_at.with_timezone(&zone).naive_local()),
        Moment::Date(_) => Moment::Date(one.end_at.with_timezone(&zone).date_naive()),
    };
    let mut shape = json!({
        "id": original.as_ref().map_or_else(|| url.clone(), |original| format!("{url}#{original}")),
        "uid": one.uid,
        "title": one.summary,
        "start": one.start.text(),
        "end": end.text(),
        "allDay": matches!(one.start, Moment::Date(_)),
        "component": found.component.as_str(),
        "status": (!found.status.is_empty()).then_some(&found.status),
        "transparent": found.transparent,
        "location": found.location,
        "description": found.description,
        "url": url,
        "etag": found.etag.as_str(),
        "editable": editable,
    });
    if let Some(original) = original {
        shape["recurrence_id"] = json!(original);
    }
    if one.cancelled {
        shape["cancelled"] = json!(true);
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_window_are_read_as_widgets_write_them() {
        let paris = zone("europe/paris").expect("a zone");
        for (text, want) in [
            ("2025-01-15T09:00:00Z", Some("2025-01-15T09:00:00Z")),
            ("2025-01-15T09:00:00+01:00", Some("2025-01-15T08:00:00Z")),
            ("2025-01-15T09:00:00 01:00", Some("2025-01-15T08:00:00Z")),
            ("2025-01-15T09:00:00", Some("2025-01-15T08:00:00Z")),
            ("2025-07-01", Some("2025-06-30T22:00:00Z")),
            // In the gap of spring, and twice in autumn.
            ("2025-03-30T02:30:00", Some("2025-03-30T01:30:00Z")),
            ("2025-10-26T02:30:00", Some("2025-10-26T00:30:00Z")),
            ("", None),
            ("today", None),
            ("2025-02-30", None),
            ("1736931600", None),
            ("+262142-12-31T23:30:00", None),
        ] {
            let found = instant(text, paris).map(|at| occurrence::instant(&at));
            assert_eq!(found.as_deref(), want, "{text}");
        }
        assert!(zone("Mars/Olympus").is_err());
    }
}
