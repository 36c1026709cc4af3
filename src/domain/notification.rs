//! Notifications: conversations, their messages and counts; and which write makes which message. Knows no wire and no calendar text.

use chrono::{DateTime, NaiveDateTime, Utc};
use uuid::Uuid;

use crate::domain::address::{Address, Kind as Place};
use crate::domain::alarm::Action;
use crate::domain::event::{Invitation, Rang};
use crate::domain::feed::FEED;

/// A calendar or an address book as one person sees it. The same path has the same number for ever: UUIDv5 of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub Uuid);

/// One iCalendar UID in one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationId(pub Uuid);

/// One message of a conversation. Said again, it keeps its number and replaces what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub Uuid);

/// Unread messages that one conversation counts; the oldest of more are taken as read.
pub const UNREAD_MAX: usize = 64;
/// Bytes of a message's text, and of a sender, that are kept.
const TEXT_MAX: usize = 512;
const SENDER_MAX: usize = 254;
/// Bytes of a UID that are shown; the conversation's number is made of all of them.
pub const UID_MAX: usize = 255;
/// Attendees of one object whose answers are followed. The row of them must stay small.
pub const ATTENDEES_MAX: usize = 200;
/// Answers of one write that are told one by one.
const REPLIES_MAX: usize = 16;

impl ChannelId {
    pub fn of(address: &Address) -> ChannelId {
        ChannelId(Uuid::new_v5(&Uuid::NAMESPACE_URL, address.to_string().as_bytes()))
    }
}

impl ConversationId {
    pub fn of(channel: &Address, uid: &str) -> ConversationId {
        ConversationId(Uuid::new_v5(&ChannelId::of(channel).0, uid.as_bytes()))
    }

    /// Where the ends of imports into a channel are told. No UID holds a NUL.
    pub fn of_imports(channel: &Address) -> ConversationId {
        ConversationId::of(channel, "\0import")
    }
}

impl MessageId {
    pub fn of(conversation: ConversationId, key: &str) -> MessageId {
        MessageId(Uuid::new_v5(&conversation.0, key.as_bytes()))
    }

    /// An alarm that was put off rings under the same number again.
    pub fn of_alarm(conversation: ConversationId, id: u64) -> MessageId {
        MessageId::of(conversation, &format!("alarm {id:016x}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Invitation,
    Update,
    Cancellation,
    Reply,
    Alarm,
    Import,
    /// Somebody who is asked proposes another time.
    Counter,
    /// Whoever asks does not take what was proposed.
    CounterDeclined,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Invitation => "invitation",
            Kind::Update => "update",
            Kind::Cancellation => "cancel",
            Kind::Reply => "reply",
            Kind::Alarm => "alarm",
            Kind::Import => "import",
            Kind::Counter => "counter",
            Kind::CounterDeclined => "declinecounter",
        }
    }
}

/// Whether a message has come to its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No client has taken it yet.
    Pending,
    /// It was written to a live socket, or its person dealt with it.
    Delivered,
    /// No client had taken it, and what should have carried it elsewhere gave up.
    Failed,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "PENDING",
            State::Delivered => "DELIVERED",
            State::Failed => "FAILED",
        }
    }
}

/// Whose word a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alignment {
    /// Others', or an alarm's.
    Left,
    /// The person's own.
    Right,
    /// The service's.
    Center,
}

impl Alignment {
    pub fn as_str(self) -> &'static str {
        match self {
            Alignment::Left => "LEFT",
            Alignment::Right => "RIGHT",
            Alignment::Center => "CENTER",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    pub kind: Kind,
    pub alignment: Alignment,
    pub state: State,
    pub text: String,
    /// A mail address, or what else speaks.
    pub sender: String,
    /// The object's name in the channel; none for an import.
    pub object: Option<String>,
    pub start: Option<DateTime<Utc>>,
    /// Of a single instance that stands alone, as it is written there.
    pub recurrence_id: Option<String>,
    pub sent_at: DateTime<Utc>,
    /// Its place in the conversation, which grows with each message that is said: many may be sent at one instant.
    pub order: i64,
}

/// A message that is still to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    pub id: MessageId,
    pub kind: Kind,
    pub sent_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub id: ConversationId,
    pub channel: Address,
    /// Empty for imports.
    pub uid: String,
    /// The event's summary as it was last seen.
    pub title: String,
    pub created: DateTime<Utc>,
    pub last: MessageId,
    pub last_at: DateTime<Utc>,
    pub messages: u32,
    pub unread: Vec<Unread>,
    /// When the unread were last counted, in milliseconds since 1970: grows with each count, whatever the clock does.
    pub counted: i64,
}

impl Conversation {
    /// An empty one.
    pub fn new(id: ConversationId, channel: Address, uid: &str, now: DateTime<Utc>) -> Conversation {
        Conversation {
            id,
            channel,
            uid: cut(uid, UID_MAX),
            title: String::new(),
            created: now,
            last: MessageId(Uuid::nil()),
            last_at: now,
            messages: 0,
            unread: Vec::new(),
            counted: 0,
        }
    }

    /// Takes a message in. `known`: it stood there before and is said anew. Answers how many more are unread, which may be none.
    pub fn take(&mut self, message: &Message, known: bool, unread: bool) -> i64 {
        let before = self.unread.len() as i64;
        self.messages += u32::from(!known);
        self.last = message.id;
        self.last_at = self.last_at.max(message.sent_at);
        self.unread.retain(|one| one.id != message.id);
        if unread {
            if self.unread.len() >= UNREAD_MAX {
                self.unread.remove(0);
            }
            self.unread.push(Unread { id: message.id, kind: message.kind, sent_at: message.sent_at });
        }
        self.unread.len() as i64 - before
    }

    /// Marks some as read; answers which.
    pub fn read(&mut self, which: impl Fn(&Unread) -> bool) -> Vec<MessageId> {
        self.unread.extract_if(.., |one| which(one)).map(|one| one.id).collect()
    }

    /// The instant of a new count: strictly after the last.
    pub fn count(&mut self, now: DateTime<Utc>) -> i64 {
        self.counted = now.timestamp_millis().max(self.counted + 1);
        self.counted
    }
}

/// What one person has in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub unread: u64,
    pub messages: u64,
}

/// One piece of news for one person: a message that came or changed, and how much is unread now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    pub conversation: ConversationId,
    pub channel: Address,
    pub title: String,
    /// The message, and whether it is new; none where only the count changed.
    pub message: Option<(Message, bool)>,
    /// Unread messages of the conversation, and when they were counted, in milliseconds since 1970.
    pub unread: u64,
    pub counted: i64,
    /// Unread messages of the person.
    pub total: u64,
    /// It is the first that this person was ever told.
    pub first: bool,
}

/// What kind of source a channel is, in a word. Subscriptions are told by the name that the service gives them, so that it is known of
/// one that is gone too.
pub fn source(channel: &Address) -> &'static str {
    let subscribed = channel.name().strip_prefix("sub-").is_some_and(|id| u64::from_str_radix(id, 16).is_ok());
    let hex = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit());
    match channel.kind() {
        Place::AddressBook => "addressbook",
        Place::Calendar if channel.name().strip_prefix(FEED).is_some_and(hex) => "ics-feed",
        Place::Calendar if subscribed => "subscription",
        Place::Calendar => "calendar",
    }
}

/// A message before it has its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub kind: Kind,
    pub alignment: Alignment,
    pub text: String,
    pub sender: String,
    /// Of what its number is made: the same key is the same message.
    pub key: String,
    pub start: Option<DateTime<Utc>>,
    pub recurrence_id: Option<String>,
    /// It waits to be read.
    pub unread: bool,
    /// With it the person has dealt with the invitations and updates that wait.
    pub answers: bool,
}

impl Draft {
    /// What is said when an alarm rings. EMAIL goes by mail: nobody needs to read it here.
    pub fn alarm(alarm: &Rang) -> Draft {
        Draft {
            kind: Kind::Alarm,
            alignment: Alignment::Left,
            text: cut(&alarm.summary, TEXT_MAX),
            sender: String::new(),
            key: format!("alarm {:016x}", alarm.id),
            start: Some(alarm.start),
            recurrence_id: None,
            unread: alarm.action != Action::Email,
            answers: false,
        }
    }

    /// What is said when somebody proposes another time, and when whoever asks does not take it. RFC 5546 3.2.7, 3.2.8.
    pub fn counter(proposed: &Proposed) -> Draft {
        let Proposed { who, start, recurrence_id, summary, declined } = proposed;
        let (kind, said) = match declined {
            false => (Kind::Counter, "proposes another time"),
            true => (Kind::CounterDeclined, "does not take another time"),
        };
        Draft {
            kind,
            alignment: Alignment::Left,
            text: cut(&format!("{who} {said}: {summary}"), TEXT_MAX),
            sender: who.clone(),
            key: proposed.key(),
            start: *start,
            recurrence_id: recurrence_id.clone(),
            unread: true,
            answers: false,
        }
    }

    /// What is said when an import has ended; `None` where it failed as a whole.
    pub fn import(id: &str, counts: Option<(u64, u64)>) -> Draft {
        Draft {
            kind: Kind::Import,
            alignment: Alignment::Center,
            text: match counts {
                Some((succeeded, 0)) => format!("{succeeded} imported"),
                Some((succeeded, failed)) => format!("{succeeded} imported, {failed} failed"),
                None => "the import failed".to_owned(),
            },
            sender: String::new(),
            key: format!("import {id}"),
            start: None,
            recurrence_id: None,
            unread: false,
            answers: false,
        }
    }

    /// The message at its place.
    pub fn settled(&self, conversation: ConversationId, object: Option<&str>, now: DateTime<Utc>) -> Message {
        Message {
            id: MessageId::of(conversation, &self.key),
            kind: self.kind,
            alignment: self.alignment,
            // Who said it himself needs nobody to bring it.
            state: if self.alignment == Alignment::Right { State::Delivered } else { State::Pending },
            text: self.text.clone(),
            sender: cut(&self.sender, SENDER_MAX),
            object: object.map(str::to_owned),
            start: self.start,
            recurrence_id: self.recurrence_id.clone(),
            sent_at: now,
            order: 0,
        }
    }
}

/// Another time than was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The mail address of whoever says it.
    pub who: String,
    pub start: Option<DateTime<Utc>>,
    /// Of the single instance that it is about.
    pub recurrence_id: Option<String>,
    pub summary: String,
    /// It is not proposed, but not taken.
    pub declined: bool,
}

impl Proposed {
    /// The same proposal said again is the same message.
    fn key(&self) -> String {
        let (what, at) =
            (if self.declined { "declinecounter" } else { "counter" }, self.start.map(|at| at.timestamp()));
        let of = self.recurrence_id.as_deref().unwrap_or_default();
        format!("{what} {} {of} {}", self.who, at.unwrap_or_default())
    }
}

/// Somebody's answer to an invitation. RFC 5545 3.2.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    NeedsAction,
    Accepted,
    Declined,
    Tentative,
    Delegated,
}

impl Answer {
    /// Reads a PARTSTAT; what is unknown counts as none given.
    pub fn parse(text: &str) -> Answer {
        match text.trim().to_ascii_uppercase().as_str() {
            "ACCEPTED" => Answer::Accepted,
            "DECLINED" => Answer::Declined,
            "TENTATIVE" => Answer::Tentative,
            "DELEGATED" => Answer::Delegated,
            _ => Answer::NeedsAction,
        }
    }

    fn said(self) -> &'static str {
        match self {
            Answer::NeedsAction => "has not answered",
            Answer::Accepted => "accepted",
            Answer::Declined => "declined",
            Answer::Tentative => "accepted tentatively",
            Answer::Delegated => "delegated",
        }
    }
}

/// Who was invited by whom, as an object's text says it for one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    pub summary: String,
    pub start: Option<DateTime<Utc>>,
    /// When the last of it is over; `None` where it never is, or nothing stands at a time.
    pub end: Option<DateTime<Utc>>,
    pub recurrence_id: Option<String>,
    /// A mail address.
    pub organizer: String,
    /// The person invites.
    pub own: bool,
    /// The person is invited, and answered this.
    pub answer: Option<Answer>,
    pub cancelled: bool,
    pub sequence: u32,
    /// Over what people who come must know: times, place, rule.
    pub digest: u64,
    /// The others, by mail address.
    pub attendees: Vec<(String, Answer)>,
}

/// What is remembered of it until the next write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub own: bool,
    pub answer: Option<Answer>,
    pub cancelled: bool,
    pub sequence: u32,
    pub digest: u64,
    /// By a hash of the address.
    pub attendees: Vec<(u64, Answer)>,
}

impl Standing {
    /// Somebody else asks the owner, who has not answered.
    fn asks(&self) -> bool {
        !self.own && self.answer == Some(Answer::NeedsAction)
    }

    /// One of those whom the owner asked has answered, or answered otherwise, since `before`.
    fn answered_since(&self, before: &Standing) -> bool {
        let answered = |said: &&(u64, Answer)| said.1 != Answer::NeedsAction;
        self.own && self.attendees.iter().filter(answered).any(|said| !before.attendees.contains(said))
    }
}

impl Invited {
    /// What a write means to the owner of the calendar in a word, given what stood there before.
    pub fn news(&self, before: Option<&Standing>) -> Option<Invitation> {
        let now = self.standing();
        if now.asks() && !before.is_some_and(Standing::asks) {
            return Some(Invitation::Received);
        }
        before.is_some_and(|before| now.answered_since(before)).then_some(Invitation::Replied)
    }

    pub fn standing(&self) -> Standing {
        let followed = self.attendees.iter().take(ATTENDEES_MAX);
        Standing {
            own: self.own,
            answer: self.answer,
            cancelled: self.cancelled,
            sequence: self.sequence,
            digest: self.digest,
            attendees: followed.map(|(address, answer)| (hash(address), *answer)).collect(),
        }
    }
}

/// What a write says to the person whose calendar it is in, given what stood there before.
///
/// An invitation that is over before it is seen says nothing. A copy that comes already answered says nothing. The rows are those of
/// `docs/notifications.md`.
pub fn drafts(before: Option<&Standing>, after: &Invited, now: DateTime<Utc>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let alignment = if after.own { Alignment::Right } else { Alignment::Left };
    let mut say = |kind: Kind, key: String| {
        drafts.push(Draft {
            kind,
            alignment,
            text: cut(&after.summary, TEXT_MAX),
            sender: after.organizer.clone(),
            key,
            start: after.start,
            recurrence_id: after.recurrence_id.clone(),
            unread: !after.own,
            answers: false,
        });
    };
    let concerned = |own: bool, answer: Option<Answer>| own || answer.is_some();
    if !concerned(after.own, after.answer) {
        return drafts;
    }
    let Some(before) = before.filter(|before| concerned(before.own, before.answer)) else {
        let open = if after.own { !after.attendees.is_empty() } else { after.answer == Some(Answer::NeedsAction) };
        if open && !after.cancelled && after.end.is_none_or(|end| end >= now) {
            say(Kind::Invitation, "invitation".to_owned());
        }
        return drafts;
    };
    if after.cancelled && !before.cancelled {
        say(Kind::Cancellation, format!("cancel {}", after.sequence));
    } else if !after.cancelled && (after.sequence > before.sequence || after.digest != before.digest) {
        say(Kind::Update, format!("update {} {:016x}", after.sequence, after.digest));
    }
    let reply = |who: &str, answer: Answer, own: bool| Draft {
        kind: Kind::Reply,
        alignment: if own { Alignment::Right } else { Alignment::Left },
        text: match own {
            true => cut(&format!("{}: {}", answer.said(), after.summary), TEXT_MAX),
            false => cut(&format!("{who} {}: {}", answer.said(), after.summary), TEXT_MAX),
        },
        sender: who.to_owned(),
        key: format!("reply {who}"),
        start: after.start,
        recurrence_id: after.recurrence_id.clone(),
        unread: !own,
        answers: own,
    };
    if after.own {
        let known = |address: &str| {
            let hash = hash(address);
            before.attendees.iter().find(|(other, _)| *other == hash).map(|(_, answer)| *answer)
        };
        let answered = after.attendees.iter().take(ATTENDEES_MAX).filter(|(address, answer)| {
            *answer != Answer::NeedsAction && known(address).is_some_and(|before| before != *answer)
        });
        drafts.extend(answered.take(REPLIES_MAX).map(|(address, answer)| reply(address, *answer, false)));
    } else if let Some(answer) = after.answer
        && answer != Answer::NeedsAction
        && before.answer != Some(answer)
    {
        drafts.push(reply("", answer, true));
    }
    drafts
}

/// What somebody answers of a series: what is said instead of what their answers change in the text, where single instances get
/// components of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The mail address of whoever answers; empty where that is the calendar's owner.
    pub who: String,
    /// Instances that are answered otherwise than their series, each by its original start.
    pub instances: Vec<(String, Answer)>,
}

/// The same messages where the write was an answer: none of an update, and one of each instance.
pub fn answered(drafts: Vec<Draft>, after: &Invited, answers: &Answers) -> Vec<Draft> {
    let own = answers.who.is_empty();
    let mut drafts: Vec<Draft> = drafts.into_iter().filter(|draft| draft.kind != Kind::Update).collect();
    let start = |at: &str| NaiveDateTime::parse_from_str(at, "%Y%m%dT%H%M%SZ").ok().map(|at| at.and_utc());
    drafts.extend(answers.instances.iter().take(REPLIES_MAX).map(|(at, answer)| Draft {
        kind: Kind::Reply,
        alignment: if own { Alignment::Right } else { Alignment::Left },
        text: match own {
            true => cut(&format!("{}: {}", answer.said(), after.summary), TEXT_MAX),
            false => cut(&format!("{} {}: {}", answers.who, answer.said(), after.summary), TEXT_MAX),
        },
        sender: answers.who.clone(),
        key: format!("reply {} {at}", answers.who),
        start: start(at).or(after.start),
        recurrence_id: Some(at.clone()),
        unread: !own,
        answers: false,
    }));
    drafts
}

/// FNV-1a over the address in lower case: it need only tell the attendees of one event apart.
fn hash(address: &str) -> u64 {
    let lower = address.bytes().map(|byte| byte.to_ascii_lowercase());
    lower.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The first bytes of a text, never within a character.
fn cut(text: &str, max: usize) -> String {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invited(own: bool, answer: Option<Answer>) -> Invited {
        Invited {
            summary: "Tea".to_owned(),
            start: Some(DateTime::UNIX_EPOCH),
            end: None,
            recurrence_id: None,
            organizer: "olga@example.org".to_owned(),
            own,
            answer,
            cancelled: false,
            sequence: 0,
            digest: 7,
            attendees: vec![("bob@example.org".to_owned(), Answer::NeedsAction)],
        }
    }

    /// What is said, one word each: kind, alignment, whether it waits to be read.
    fn said(before: Option<&Invited>, after: &Invited) -> String {
        let before = before.map(Invited::standing);
        let drafts = drafts(before.as_ref(), after, DateTime::UNIX_EPOCH);
        let word = |draft: &Draft| {
            let unread = if draft.unread { "+" } else { "" };
            let answers = if draft.answers { "!" } else { "" };
            format!("{} {}{unread}{answers}", draft.kind.as_str(), draft.alignment.as_str())
        };
        drafts.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_write_says_what_it_means_for_the_person() {
        use Answer::{Accepted, Declined, NeedsAction};
        let with = |base: &Invited, change: fn(&mut Invited)| {
            let mut changed = base.clone();
            change(&mut changed);
            changed
        };
        let asked = invited(false, Some(NeedsAction));
        let accepted = invited(false, Some(Accepted));
        let declined = invited(false, Some(Declined));
        let own = invited(true, None);
        let off = |base: &Invited| with(base, |it| it.cancelled = true);
        let moved = |base: &Invited| with(base, |it| it.digest = 8);
        let newer = |base: &Invited| with(base, |it| it.sequence = 1);
        let over =
            |base: &Invited| with(base, |it| it.end = Some(DateTime::UNIX_EPOCH - chrono::TimeDelta::seconds(1)));
        let bob_accepts = |base: &Invited| with(base, |it| it.attendees[0].1 = Accepted);
        let stranger = invited(false, None);
        let rows: [(Option<&Invited>, Invited, &str); 19] = [
            (None, asked.clone(), "invitation LEFT+"),
            (None, over(&asked), ""),
            (None, off(&asked), ""),
            (None, accepted.clone(), ""),
            (None, stranger.clone(), ""),
            (Some(&stranger), asked.clone(), "invitation LEFT+"),
            (Some(&asked), asked.clone(), ""),
            (Some(&asked), accepted.clone(), "reply RIGHT!"),
            (Some(&accepted), declined, "reply RIGHT!"),
            (Some(&accepted), asked.clone(), ""),
            (Some(&accepted), moved(&asked), "update LEFT+"),
            (Some(&asked), newer(&accepted), "update LEFT+, reply RIGHT!"),
            (Some(&asked), off(&asked), "cancel LEFT+"),
            (Some(&off(&asked)), off(&moved(&asked)), ""),
            (None, own.clone(), "invitation RIGHT"),
            (Some(&own), moved(&own), "update RIGHT"),
            (Some(&own), off(&own), "cancel RIGHT"),
            (Some(&own), bob_accepts(&own), "reply LEFT+"),
            (Some(&bob_accepts(&own)), bob_accepts(&own), ""),
        ];
        for (number, (before, after, want)) in rows.iter().enumerate() {
            assert_eq!(said(*before, after), *want, "row {number}");
        }
    }

    #[test]
    fn numbers_are_stable() {
        let at = |path: &str| Address::parse(path).expect("an address");
        let (one, other) = (at("/calendars/alice/work"), at("/calendars/alice/home"));
        assert_eq!(ChannelId::of(&one), ChannelId::of(&at("/calendars/alice/work/")));
        assert_ne!(ConversationId::of(&one, "u"), ConversationId::of(&other, "u"));
        assert_ne!(ConversationId::of(&one, "u"), ConversationId::of_imports(&one));
        let conversation = ConversationId::of(&one, "u");
        assert_eq!(conversation.0.get_version_num(), 5);
        assert_eq!(MessageId::of_alarm(conversation, 7), MessageId::of(conversation, "alarm 0000000000000007"));
    }

    #[test]
    fn counts_never_go_back_and_never_grow_without_end() {
        let channel = Address::parse("/calendars/alice/work").expect("an address");
        let id = ConversationId::of(&channel, "u");
        let now = DateTime::UNIX_EPOCH;
        let mut conversation = Conversation::new(id, channel, "u", now);
        let counts: Vec<i64> = (0..3).map(|_| conversation.count(now)).collect();
        assert_eq!(counts, [1, 2, 3]);
        let draft = |number: usize| Draft { key: format!("k{number}"), ..Draft::import("x", None) };
        let more: i64 =
            (0..UNREAD_MAX + 5).map(|n| conversation.take(&draft(n).settled(id, None, now), false, true)).sum();
        assert_eq!((more, conversation.unread.len()), (UNREAD_MAX as i64, UNREAD_MAX));
        // Said anew it is one message, read again or not.
        let again = draft(UNREAD_MAX).settled(id, None, now);
        assert_eq!(conversation.take(&again, true, true), 0);
        assert_eq!(conversation.take(&again, true, false), -1);
        assert_eq!(conversation.read(|_| true).len(), UNREAD_MAX - 1);
        assert_eq!(conversation.messages as usize, UNREAD_MAX + 5);
    }
}
