//! When people are busy: a calendar's VFREEBUSY as jCal, and several people's at once.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::sabre::calendars::visible;
use crate::api::sabre::items::{answer, link, too_many, values};
use crate::api::sabre::wrong::Wrong;
use crate::api::sabre::{Ask, window};
use crate::domain::access::Right;
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::Source;
use crate::domain::object::Component;
use crate::domain::refusal::Refusal;

/// From and to.
type Ends = (DateTime<Utc>, DateTime<Utc>);

/// People that one question names at most; and UIDs that are left out.
const PEOPLE_MAX: usize = 100;
const UIDS_MAX: usize = 1_000;
/// Days that a question about people reaches over at most.
const DAYS_MAX: i64 = 366;

/// `REPORT …json {"type":"free-busy-query","match"}`
pub async fn of_calendar(ask: &Ask, at: &Address, body: &Value) -> Result<Response, Wrong> {
    let wanted = body.get("match").ok_or_else(|| Wrong::bad("match is missing: {\"start\",\"end\"}"))?;
    let ends = window::ends(wanted)?;
    let text = ask.house.free_busy(&ask.caller, std::slice::from_ref(at), ends).await;
    let text = text.map_err(|refusal| match refusal {
        Refusal::Full(why) => Wrong::TooMany(why),
        refusal => refusal.into(),
    })?;
    let data = values(&ask.house, Kind::Calendar, vec![text.into()]).await?.pop().flatten();
    Ok(answer(StatusCode::OK, &json!({ "_links": { "self": { "href": link(at) } }, "data": data })))
}

/// `POST /calendars/freebusy {"start","end","users","uids"}`: of each person the own calendars that the caller may look into, and in each
/// what makes busy. Who is not there has no calendars.
pub async fn of_people(ask: &Ask) -> Result<Response, Wrong> {
    let body = ask.object()?;
    let ends = window::ends(&body)?;
    if (ends.1 - ends.0).num_days() > DAYS_MAX {
        return Err(Wrong::TooMany(format!("a question about people reaches over {DAYS_MAX} days at most")));
    }
    let users = texts(&body, "users", PEOPLE_MAX)?;
    let users = users.ok_or_else(|| Wrong::bad("users is missing: a list of ids"))?;
    let without = texts(&body, "uids", UIDS_MAX)?.unwrap_or_default();
    let mut people = Vec::new();
    for id in users {
        let mut calendars = Vec::new();
        let views = match UserName::new(&id) {
            Some(user) => visible(ask, Kind::Calendar, &user).await?,
            None => Vec::new(),
        };
        for view in views {
            if view.shown.source != Source::Own {
                continue;
            }
            let at = &view.shown.address;
            let busy = match view.source.transparent {
                true => Vec::new(),
                false if view.right < Right::Read => stretches(ask, at, ends).await?,
                false => events(ask, at, ends, &without).await?,
            };
            calendars.push(json!({ "id": at.name(), "busy": busy }));
        }
        people.push(json!({ "id": id, "calendars": calendars }));
    }
    Ok(answer(StatusCode::OK, &json!({ "start": body["start"], "end": body["end"], "users": people })))
}

/// What makes busy in a calendar that the caller may read.
async fn events(ask: &Ask, at: &Address, ends: Ends, without: &[String]) -> Result<Vec<Value>, Wrong> {
    let found = ask.house.occurrences(&ask.caller, at, ends, None).await?;
    if found.until.is_some() {
        return Err(too_many());
    }
    let makes_busy = found.list.iter().filter(|one| {
        let cancelled = one.occurrence.cancelled || one.status == "CANCELLED";
        let free = one.transparent || one.declined || cancelled;
        one.component == Component::Event && !free && !without.contains(&one.occurrence.uid)
    });
    let busy = makes_busy.map(|one| {
        json!({
            "uid": one.occurrence.uid,
            "start": window::stamp(&one.occurrence.start_at),
            "end": window::stamp(&one.occurrence.end_at),
        })
    });
    Ok(busy.collect())
}

/// When the owner of a calendar is busy that the caller may not read: nothing says with what.
async fn stretches(ask: &Ask, at: &Address, ends: Ends) -> Result<Vec<Value>, Wrong> {
    let busy = ask.house.busy(&ask.caller, std::slice::from_ref(at), ends).await?;
    Ok(busy.iter().map(|one| json!({ "start": window::stamp(&one.from), "end": window::stamp(&one.to) })).collect())
}

/// A list of texts, where there is one.
fn texts(body: &Value, name: &str, most: usize) -> Result<Option<Vec<String>>, Wrong> {
    let Some(list) = body.get(name).filter(|list| !list.is_null()) else { return Ok(None) };
    let list = list.as_array().ok_or_else(|| Wrong::Bad(format!("{name} is a list")))?;
    if list.len() > most {
        return Err(Wrong::TooMany(format!("{name} has at most {most} members")));
    }
    let read = list.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>();
    read.map(Some).ok_or_else(|| Wrong::Bad(format!("{name} is a list of texts")))
}
