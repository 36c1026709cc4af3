//! What a person's or a group's CTI socket says: presence to JSON in ready frames. Decides nothing about who hears it.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::domain::event::GroupFace;
use crate::domain::organisation::Summary;
use crate::domain::presence::{Call, News, Status};
use crate::gateway::frame;
use crate::service::groups::GroupPortrait;

/// `{"type":"pong"}`, already framed.
pub const PONG: Bytes = Bytes::from_static(b"\x81\x0f{\"type\":\"pong\"}");

#[derive(Serialize)]
struct Message<'a, T> {
    r#type: &'a str,
    timestamp: String,
    data: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Person<'a> {
    user_id: &'a str,
    org_id: &'a str,
    status: &'a str,
    previous_status: &'a str,
    status_message: Option<&'a str>,
    last_activity: String,
    active_call: Option<ActiveCall<'a>>,
    extension: &'a str,
    capabilities: Capabilities,
}

#[derive(Serialize)]
struct ActiveCall<'a> {
    id: &'a str,
    direction: &'a str,
    since: String,
    conference: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Capabilities {
    can_receive_calls: bool,
    can_make_outbound: bool,
    can_transfer: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sums {
    total_members: u64,
    available: u64,
    busy: u64,
    on_call: u64,
    away: u64,
    offline: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Group<'a> {
    group_id: &'a str,
    group_name: &'a str,
    org_id: &'a str,
    summary: Sums,
    members: Vec<Member<'a>>,
    queue_metrics: QueueMetrics,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Member<'a> {
    user_id: &'a str,
    display_name: &'a str,
    status: &'a str,
    extension: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_duration: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueMetrics {
    calls_waiting: u64,
    average_wait_time: u64,
    longest_wait_time: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberUpdate<'a> {
    group_id: &'a str,
    user_id: &'a str,
    display_name: &'a str,
    status: &'a str,
    previous_status: &'a str,
    extension: &'a str,
    updated_summary: Sums,
}

/// `presence_update`; `text` is what this viewer may read of why.
pub fn person(news: &News, text: Option<&str>) -> Bytes {
    let data = Person {
        user_id: news.member.id.as_str(),
        org_id: news.member.organisation.as_str(),
        status: news.shown.status.as_str(),
        previous_status: news.before.as_str(),
        status_message: text,
        last_activity: instant(&news.last_activity),
        active_call: news.shown.call.as_ref().map(active_call),
        extension: &news.member.extension,
        capabilities: capabilities(news.shown.status),
    };
    framed(&Message { r#type: "presence_update", timestamp: instant(&news.at), data })
}

/// `group_presence_update`: the whole group.
pub fn group(portrait: &GroupPortrait) -> Bytes {
    let waiting = &portrait.waiting;
    let data = Group {
        group_id: portrait.face.id.as_str(),
        group_name: &portrait.name,
        org_id: portrait.face.organisation.as_str(),
        summary: sums(&portrait.summary),
        members: portrait.members.iter().map(|news| member(news, &portrait.at)).collect(),
        queue_metrics: QueueMetrics {
            calls_waiting: waiting.count,
            average_wait_time: waiting.average,
            longest_wait_time: waiting.longest,
        },
    };
    framed(&Message { r#type: "group_presence_update", timestamp: instant(&portrait.at), data })
}

/// `member_presence_update`: one member, and what the group sums up to now.
pub fn member_changed(group: &GroupFace, summary: &Summary, news: &News) -> Bytes {
    let data = MemberUpdate {
        group_id: group.id.as_str(),
        user_id: news.member.id.as_str(),
        display_name: &news.member.display_name,
        status: news.shown.status.as_str(),
        previous_status: news.before.as_str(),
        extension: &news.member.extension,
        updated_summary: sums(summary),
    };
    framed(&Message { r#type: "member_presence_update", timestamp: instant(&news.at), data })
}

fn member<'a>(news: &'a News, now: &DateTime<Utc>) -> Member<'a> {
    let on_call = news.shown.status == Status::OnCall;
    let began = news.shown.call.as_ref().map_or(news.since, |call| call.since);
    Member {
        user_id: news.member.id.as_str(),
        display_name: &news.member.display_name,
        status: news.shown.status.as_str(),
        extension: &news.member.extension,
        call_duration: on_call.then(|| (*now - began).num_seconds().max(0)),
    }
}

fn active_call(call: &Call) -> ActiveCall<'_> {
    ActiveCall {
        id: &call.channel,
        direction: call.direction.as_str(),
        since: instant(&call.since),
        conference: call.conference.as_deref(),
    }
}

fn capabilities(status: Status) -> Capabilities {
    let (can_receive_calls, can_make_outbound, can_transfer) = match status {
        Status::Available | Status::Away => (true, true, true),
        Status::Busy | Status::Dnd => (false, true, true),
        Status::OnCall => (false, false, true),
        Status::Offline => (false, false, false),
    };
    Capabilities { can_receive_calls, can_make_outbound, can_transfer }
}

fn sums(summary: &Summary) -> Sums {
    let Summary { total, available, busy, on_call, away, offline } = *summary;
    Sums { total_members: total, available, busy, on_call, away, offline }
}

/// RFC 3339 in UTC with milliseconds.
fn instant(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn framed(message: &impl Serialize) -> Bytes {
    // Strings, numbers and lists of them always serialise.
    frame::text(&serde_json::to_string(message).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_frames_are_what_the_framer_makes() {
        assert_eq!(PONG, frame::text(r#"{"type":"pong"}"#));
    }
}
