//! Events as the Wazo bus words them: a name, what an access list must grant, and a body in JSON. Pure; who hears them is decided in
//! `conversation.rs`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::bus::{Ears, Telling};
use crate::domain::address::{Address, Kind, ObjectAddress, UserName};
use crate::domain::alarm::{Action, State};
use crate::domain::bearer::escaped;
use crate::domain::event::{Deed, Demand, Event, Invitation, ListChange, ObjectChange, Rang};
use crate::domain::notification;
use crate::domain::occurrence::instant;
use crate::domain::organisation::organisation_uuid;
use crate::domain::presence::{Line, News, Readers, Status, Title};
use crate::gateway::dialect::Directory;

/// What is told of an event, in its order; nothing where this wire has no word for it.
pub fn tellings(event: &Event, at: DateTime<Utc>, directory: &dyn Directory) -> Vec<Telling> {
    let told = Told { at, directory };
    match event {
        Event::Changed { address, token, objects, .. } => {
            let mut tellings: Vec<Telling> = objects.iter().flat_map(|object| told.object(address, object)).collect();
            let data = json!({ "path": address.to_string(), "sync_token": token.url(), "token": token.0 });
            tellings.push(told.of(address, "sync_token_updated", "sync", data));
            tellings
        }
        Event::Imported { address, import, counts, .. } => {
            let state = if counts.is_some() { "completed" } else { "failed" };
            let mut data = json!({ "path": address.to_string(), "import_id": import, "status": state });
            if let Some((succeeded, failed)) = counts {
                data["succeeded"] = json!(succeeded);
                data["failed"] = json!(failed);
            }
            let key = format!("imports.{}.{state}", escaped(import));
            vec![told.of(address, &format!("import_{state}"), &key, data)]
        }
        Event::ListChanged { user, change, address } => vec![told.list(user, *change, address)],
        // Those go by mail.
        Event::Rang { alarm, .. } | Event::Answered { alarm, .. } if alarm.action == Action::Email => Vec::new(),
        Event::Rang { user, alarm } => vec![told.alarm(user, alarm, "triggered", None)],
        Event::Answered { user, alarm, state } => match state {
            State::Acknowledged => vec![told.alarm(user, alarm, "acknowledged", None)],
            State::Snoozed(until) => vec![told.alarm(user, alarm, "snoozed", Some(*until))],
            State::Waiting | State::Told => Vec::new(),
        },
        Event::Published(published) => {
            let demand = match &published.demand {
                Demand::Unsaid => return Vec::new(),
                Demand::Nothing => None,
                Demand::Grant(required) => Some(required.clone()),
            };
            vec![telling(published.name.clone(), demand, Ears::Everybody, published.body.clone())]
        }
        Event::PresenceChanged { news } => {
            let mut tellings = vec![told.presence(news)];
            let (before, after) = (news.before == Status::Dnd, news.shown.dnd());
            if before != after {
                tellings.push(told.dnd(news, after));
            }
            tellings
        }
        Event::Notified { user, news } => told.proposed(user, news).into_iter().collect(),
        Event::RightsChanged { .. }
        | Event::SignedOut { .. }
        | Event::TokenEnded { .. }
        | Event::MemberChanged { .. }
        | Event::GroupChanged { .. } => Vec::new(),
    }
}

/// That a session ends soon; told to its own socket alone.
pub fn expire_soon(user: &UserName, session: &str, at: DateTime<Utc>, directory: &dyn Directory) -> Telling {
    let (person, tenant) = (directory.person(user), directory.tenant(user));
    let data = json!({ "uuid": session, "user_uuid": person.to_string(), "tenant_uuid": tenant.to_string() });
    let key = format!("auth.users.{person}.sessions.{session}.expire_soon");
    Told { at, directory }.worded("auth_session_expire_soon".to_owned(), &key, user, Ears::Everybody, data)
}

struct Told<'a> {
    at: DateTime<Utc>,
    directory: &'a dyn Directory,
}

impl Told<'_> {
    /// About something in a collection: whoever sees the collection hears it.
    fn of(&self, address: &Address, what: &str, key: &str, data: Value) -> Telling {
        let (kind, _) = nouns(address.kind());
        let key = format!("{}.{key}", self.place(address));
        self.worded(format!("{kind}_{what}"), &key, address.user(), Ears::Everybody, data)
    }

    fn object(&self, address: &Address, object: &ObjectChange) -> Vec<Telling> {
        let (kind, item) = nouns(address.kind());
        let deed = match object.deed {
            Deed::Created => "created",
            Deed::Updated => "updated",
            Deed::Deleted => "deleted",
        };
        let name = format!("{kind}_{item}_{deed}");
        let key = format!("{}.{item}s.{}.{deed}", self.place(address), escaped(&object.uid));
        let full = about(address, object, false);
        let mut tellings = if object.private {
            // Others learn that something stands there, as in the calendar itself where they may read it, but not what.
            let others = about(address, object, true);
            vec![
                self.worded(name.clone(), &key, address.user(), Ears::Owner, full.clone()),
                self.worded(name, &key, address.user(), Ears::Others, others),
            ]
        } else {
            vec![self.worded(name, &key, address.user(), Ears::Everybody, full.clone())]
        };
        if let Some(invitation) = object.invitation {
            let what = match invitation {
                Invitation::Received => "received",
                Invitation::Replied => "replied",
            };
            let key = format!("calendars.{}.invitations.{what}", self.directory.person(address.user()));
            let name = format!("calendar_invitation_{what}");
            tellings.push(self.worded(name, &key, address.user(), Ears::Owner, full));
        }
        tellings
    }

    /// Another time is proposed, or is not taken. Nothing changes in the calendar by that; what else people are notified of has events of
    /// its own.
    fn proposed(&self, user: &UserName, news: &notification::News) -> Option<Telling> {
        let (message, _) = news.message.as_ref().filter(|(_, new)| *new)?;
        let what = match message.kind {
            notification::Kind::Counter => "countered",
            notification::Kind::CounterDeclined => "counter_declined",
            _ => return None,
        };
        let href = message.object.as_deref().and_then(|name| news.channel.object(name));
        let data = json!({
            "path": news.channel.to_string(),
            "href": href.as_ref().map(ObjectAddress::to_string),
            "summary": news.title,
            "sender": message.sender,
            "start": message.start.map(|start| instant(&start)),
            "recurrence_id": message.recurrence_id,
        });
        let key = format!("calendars.{}.invitations.{what}", self.directory.person(user));
        Some(self.worded(format!("calendar_invitation_{what}"), &key, user, Ears::Owner, data))
    }

    fn list(&self, user: &UserName, change: ListChange, address: &Address) -> Telling {
        let (kind, _) = nouns(address.kind());
        let data = json!({ "path": address.to_string() });
        let key = format!("{}.{}", self.place(address), change.as_str());
        self.worded(format!("{kind}_{}", change.as_str()), &key, user, Ears::Everybody, data)
    }

    fn alarm(&self, user: &UserName, alarm: &Rang, what: &str, until: Option<DateTime<Utc>>) -> Telling {
        let mut data = json!({
            "alarm_id": format!("{:016x}", alarm.id),
            "path": alarm.object.collection().to_string(),
            "href": alarm.object.to_string(),
            "action": alarm.action.as_str(),
            "at": instant(&alarm.at),
            "summary": alarm.summary,
            "start": instant(&alarm.start),
            "end": instant(&alarm.end),
        });
        if let Some(until) = until {
            data["until"] = json!(instant(&until));
        }
        let key = format!("calendars.{}.alarms.{what}", self.directory.person(user));
        self.worded(format!("calendar_alarm_{what}"), &key, user, Ears::Everybody, data)
    }

    /// For everybody of the organisation.
    fn presence(&self, news: &News) -> Telling {
        let (shown, user) = (&news.shown, &news.member.user);
        let (person, tenant) = (self.directory.person(user), organisation_uuid(&news.member.organisation));
        // A telephone that rings is told as a line's state, and leaves the person as available as before.
        let (line, status) = match shown.call.as_ref().map(|call| call.line) {
            Some(Line::Ringing) => ("ringing", shown.beneath),
            Some(Line::Answered | Line::Bridged) => ("talking", shown.status),
            None if shown.connected() => ("available", shown.status),
            None => ("unavailable", shown.status),
        };
        // One text for all: a title only where a stranger may read it.
        let title = shown.title.as_ref().filter(|title| title.readers == Readers::Everybody);
        let data = json!({
            "uuid": person.to_string(),
            "tenant_uuid": tenant.to_string(),
            "state": state(status),
            "status": shown.message.as_deref().or(title.map(Title::text)),
            "last_activity": instant(&news.last_activity),
            "line_state": line,
            "mobile": false,
            "do_not_disturb": shown.dnd(),
            "connected": shown.connected(),
            "lines": [{ "id": news.member.number, "state": line }],
        });
        let key = format!("chatd.users.{person}.presences.updated");
        self.enveloped("chatd_presence_updated".to_owned(), &key, tenant, "*", Ears::Everybody, data)
    }

    fn dnd(&self, news: &News, enabled: bool) -> Telling {
        let person = self.directory.person(&news.member.user).to_string();
        let data = json!({ "user_uuid": person, "enabled": enabled });
        let (key, tenant) =
            (format!("config.users.{person}.services.dnd.updated"), organisation_uuid(&news.member.organisation));
        self.enveloped("users_services_dnd_updated".to_owned(), &key, tenant, &person, Ears::Person, data)
    }

    /// The beginning of every routing key of a collection.
    fn place(&self, address: &Address) -> String {
        format!("{}.{}.{}", address.kind().root(), self.directory.person(address.user()), escaped(address.name()))
    }

    fn worded(&self, name: String, key: &str, user: &UserName, ears: Ears, data: Value) -> Telling {
        let person = self.directory.person(user).to_string();
        self.enveloped(name, key, self.directory.tenant(user), &person, ears, data)
    }

    /// The envelope of every event: its headers, then its data.
    fn enveloped(&self, name: String, key: &str, tenant: Uuid, person: &str, ears: Ears, data: Value) -> Telling {
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(name));
        body.insert("origin_uuid".to_owned(), json!(self.directory.origin().to_string()));
        body.insert("timestamp".to_owned(), json!(self.at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()));
        body.insert("required_acl".to_owned(), json!(format!("events.{key}")));
        body.insert("required_access".to_owned(), json!(format!("event.{name}")));
        body.insert("tenant_uuid".to_owned(), json!(tenant.to_string()));
        body.insert(format!("user_uuid:{person}"), json!(true));
        body.insert("data".to_owned(), data);
        telling(name, Some(format!("events.{key}")), ears, Value::Object(body).to_string())
    }
}

fn telling(name: String, demand: Option<String>, ears: Ears, body: String) -> Telling {
    Telling { name, demand, ears, body, frames: Default::default() }
}

/// The word of this wire; the telephone's own state and do-not-disturb are told beside it.
fn state(status: Status) -> &'static str {
    match status {
        Status::Available => "available",
        Status::Away => "away",
        Status::Busy | Status::OnCall | Status::Dnd => "unavailable",
        Status::Offline => "invisible",
    }
}

/// What a collection and the things in it are called.
fn nouns(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Calendar => ("calendar", "event"),
        Kind::AddressBook => ("addressbook", "contact"),
    }
}

fn about(address: &Address, object: &ObjectChange, redacted: bool) -> Value {
    let href = address.object(&object.name).as_ref().map(ObjectAddress::to_string);
    let mut data = json!({ "path": address.to_string(), "href": href, "uid": object.uid, "private": object.private });
    data["summary"] = if redacted { Value::Null } else { json!(object.summary) };
    if address.kind() == Kind::Calendar {
        data["start"] = json!(object.span.map(|span| instant(&span.start)));
        data["end"] = json!(object.span.and_then(|span| span.end).map(|end| instant(&end)));
    }
    data
}
