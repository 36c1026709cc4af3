//! One alarm on its way to one recipient through one channel: which are due when it rings, what each is called, how it ended.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::domain::address::UserName;
use crate::domain::alarm::Action;
use crate::domain::channel::{Channel, Channels};
use crate::domain::event::{Rang, cut};
use crate::domain::occurrence::instant;
use crate::domain::principal::Principal;

/// People whom one alarm mails at most; the others are left out.
pub const RECIPIENTS_MAX: usize = 20;
/// Bytes of a summary that a delivery keeps; a longer one is cut, so that a row stays a small row.
const SUMMARY_MAX: usize = 500;
/// The longest mail address of RFC 5321 4.5.3.1.
const ADDRESS_MAX: usize = 254;

/// The same for the same alarm, instant, channel and recipient, over crashes and retries: receivers know a repetition by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub u128);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl DeliveryId {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<DeliveryId> {
        (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(DeliveryId))?
    }

    fn of(user: &UserName, channel: Channel, errand: Errand, recipient: &str, alarm: &Rang) -> DeliveryId {
        let mut hash = Sha256::new();
        let (alarm_id, at) = (format!("{:016x}", alarm.id), instant(&alarm.at));
        for text in [user.as_str(), channel.as_str(), errand.as_str(), recipient, &alarm_id, &at] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        DeliveryId(hash.finalize().iter().take(16).fold(0, |id, byte| (id << 8) | u128::from(*byte)))
    }
}

/// What the recipient is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// It rings.
    Ring,
    /// It need not be shown any more.
    Clear,
}

impl Errand {
    pub fn as_str(self) -> &'static str {
        match self {
            Errand::Ring => "ring",
            Errand::Clear => "clear",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    /// On whose behalf.
    pub user: UserName,
    pub channel: Channel,
    pub errand: Errand,
    /// A mail address; empty for a webhook and a topic, whose address is looked up at each attempt.
    pub recipient: String,
    pub alarm: Rang,
    pub planned: DateTime<Utc>,
    pub attempts: u32,
    /// Why the last attempt failed.
    pub why: String,
}

impl Delivery {
    fn new(
        user: &UserName,
        channel: Channel,
        errand: Errand,
        recipient: &str,
        alarm: &Rang,
        planned: DateTime<Utc>,
    ) -> Delivery {
        let summary = cut(&alarm.summary, SUMMARY_MAX);
        let words = alarm.words.clone().filter(|_| channel == Channel::Mail);
        let alarm = Rang { attendees: Vec::new(), summary, words, ..alarm.clone() };
        Delivery {
            id: DeliveryId::of(user, channel, errand, recipient, &alarm),
            user: user.clone(),
            channel,
            errand,
            recipient: recipient.to_owned(),
            alarm,
            planned,
            attempts: 0,
            why: String::new(),
        }
    }
}

/// Which channels this server offers at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    pub mail: bool,
    pub webhook: bool,
    pub ntfy: bool,
}

/// The deliveries of an alarm that rings for a person now. RFC 5545 3.6.6: ACTION decides. An e-mail alarm of one's own calendar goes to
/// its ATTENDEEs, else to oneself; who hears it in another's calendar (`own` is false) gets it alone, for the owner's mails are out already.
pub fn ringing(
    person: &Principal,
    channels: &Channels,
    offered: Offered,
    alarm: &Rang,
    own: bool,
    now: DateTime<Utc>,
) -> Vec<Delivery> {
    let to = |channel, recipient: &str| Delivery::new(&person.name, channel, Errand::Ring, recipient, alarm, now);
    let mut due = Vec::new();
    if alarm.action == Action::Email {
        if offered.mail {
            let attendees = recipients(&alarm.attendees);
            let asked = attendees.iter().any(|one| one.eq_ignore_ascii_case(&person.email));
            match (own, attendees.is_empty()) {
                (true, false) => due.extend(attendees.iter().map(|one| to(Channel::Mail, one))),
                (true, true) => due.push(to(Channel::Mail, &person.email)),
                (false, _) if !asked => due.push(to(Channel::Mail, &person.email)),
                (false, _) => {}
            }
        }
        return due;
    }
    if offered.mail && channels.email {
        due.push(to(Channel::Mail, &person.email));
    }
    if offered.webhook && channels.webhook.as_ref().is_some_and(|webhook| webhook.stopped.is_none()) {
        due.push(to(Channel::Webhook, ""));
    }
    if offered.ntfy && channels.ntfy.is_some() {
        due.push(to(Channel::Ntfy, ""));
    }
    due
}

/// What takes an alarm off the screens that it reached: only ntfy can.
pub fn clearing(
    user: &UserName,
    channels: &Channels,
    offered: Offered,
    alarm: &Rang,
    now: DateTime<Utc>,
) -> Option<Delivery> {
    let shown = offered.ntfy && channels.ntfy.is_some() && alarm.action != Action::Email;
    shown.then(|| Delivery::new(user, Channel::Ntfy, Errand::Clear, "", alarm, now))
}

/// Mail addresses out of ATTENDEE values, each once; what cannot be one is left out.
fn recipients(attendees: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for attendee in attendees {
        let address = attendee.trim();
        let scheme = address.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("mailto:"));
        let address = scheme.map_or(address, |(_, address)| address);
        let known = found.iter().any(|one| one.eq_ignore_ascii_case(address));
        if mailable(address) && !known && found.len() < RECIPIENTS_MAX {
            found.push(address.to_owned());
        }
    }
    found
}

/// Whether a text has the shape of one mail address. What a mail server makes of it is for the server to say.
pub fn mailable(address: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "<>()[],;:\\\"".contains(c);
    let parts = address.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
    parts.is_some_and(|(local, _)| !local.contains('@')) && address.len() <= ADDRESS_MAX && !address.contains(odd)
}

/// Why an attempt failed, and what that means for the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub retry: Retry,
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// When the back-off says.
    Later,
    /// Not before the receiver's own wish.
    After(Duration),
    /// It would fail again.
    Never,
    /// The receiver wants nothing more, ever: its channel stops.
    Stopped,
}

impl Failure {
    pub fn passing(why: impl Into<String>) -> Failure {
        Failure { retry: Retry::Later, why: why.into() }
    }

    pub fn lasting(why: impl Into<String>) -> Failure {
        Failure { retry: Retry::Never, why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::Address;
    use crate::domain::channel::{Ntfy, Webhook};

    const ALL: Offered = Offered { mail: true, webhook: true, ntfy: true };

    fn alarm(action: Action, attendees: &[&str]) -> Rang {
        let object = Address::parse("/calendars/alice/default").and_then(|at| at.object("a.ics")).expect("an address");
        let (at, attendees) = (DateTime::UNIX_EPOCH, attendees.iter().map(|one| (*one).to_owned()).collect());
        Rang { at, object, action, summary: "Tea".to_owned(), start: at, end: at, id: 7, attendees, words: None }
    }

    fn routed(channels: &Channels, offered: Offered, alarm: &Rang, own: bool) -> String {
        let alice = Principal {
            name: UserName::new("alice").expect("a name"),
            email: "alice@example.com".to_owned(),
            display_name: String::new(),
            password_hash: String::new(),
            timezone: None,
            administrator: false,
        };
        let due = ringing(&alice, channels, offered, alarm, own, DateTime::UNIX_EPOCH);
        due.iter()
            .map(|one| format!("{}:{} ", one.channel.as_str(), one.recipient))
            .collect::<String>()
            .trim()
            .to_owned()
    }

    #[test]
    fn the_action_decides() {
        let webhook = |stopped| Some(Webhook { url: String::new(), secret: String::new(), stopped });
        let ntfy = Some(Ntfy { url: String::new(), token: None });
        let none = Channels::default();
        let all = Channels { email: true, webhook: webhook(None), ntfy: ntfy.clone(), writes_back: false };
        let stopped = Channels { email: false, webhook: webhook(Some(DateTime::UNIX_EPOCH)), ntfy, writes_back: false };
        let (display, audio, email) = (Action::Display, Action::Audio, Action::Email);
        let mail = "email:alice@example.com";
        let people = ["mailto:bob@example.com", "MAILTO:carol@example.com", "bob@EXAMPLE.com", "tel:1", "a\r\n@b"];
        let rows: [(&Channels, Offered, Rang, bool, &str); 12] = [
            (&none, ALL, alarm(display, &[]), true, ""),
            (&all, ALL, alarm(display, &[]), true, "email:alice@example.com webhook: ntfy:"),
            (&all, ALL, alarm(audio, &[]), false, "email:alice@example.com webhook: ntfy:"),
            (&all, ALL, alarm(display, &people), true, "email:alice@example.com webhook: ntfy:"),
            (&stopped, ALL, alarm(display, &[]), true, "ntfy:"),
            (&all, Offered::default(), alarm(display, &[]), true, ""),
            (&none, ALL, alarm(email, &[]), true, mail),
            (&all, ALL, alarm(email, &people), true, "email:bob@example.com email:carol@example.com"),
            (&all, ALL, alarm(email, &["tel:1"]), true, mail),
            (&all, ALL, alarm(email, &people), false, mail),
            (&all, ALL, alarm(email, &["mailto:ALICE@example.com"]), false, ""),
            (&all, Offered { mail: false, ..ALL }, alarm(email, &people), true, ""),
        ];
        for (number, (channels, offered, alarm, own, want)) in rows.iter().enumerate() {
            assert_eq!(routed(channels, *offered, alarm, *own), *want, "row {number}");
        }
    }

    #[test]
    fn ids_are_stable_and_tell_recipients_apart() {
        let user = UserName::new("alice").expect("a name");
        let id =
            |channel, recipient: &str, alarm: &Rang| DeliveryId::of(&user, channel, Errand::Ring, recipient, alarm);
        let one = alarm(Action::Display, &[]);
        let again = id(Channel::Mail, "a@b", &one);
        assert_eq!(id(Channel::Mail, "a@b", &one), again);
        assert_eq!(DeliveryId::parse(&again.to_string()), Some(again));
        assert_eq!(DeliveryId::parse("7"), None);
        let snoozed = Rang { at: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(60), ..one.clone() };
        for other in
            [id(Channel::Mail, "c@b", &one), id(Channel::Ntfy, "a@b", &one), id(Channel::Mail, "a@b", &snoozed)]
        {
            assert_ne!(other, again);
        }
    }

    #[test]
    fn mail_addresses_have_a_shape() {
        let rows = [
            ("a@b", true),
            ("jörg@example.org", true),
            ("a@b@c", false),
            ("@b", false),
            ("a@", false),
            ("a b@c", false),
            ("a@b>\r\nRCPT TO:<c@d", false),
            ("", false),
        ];
        for (text, want) in rows {
            assert_eq!(mailable(text), want, "{text:?}");
        }
    }
}
