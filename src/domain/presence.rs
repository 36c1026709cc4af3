//! Somebody's presence: what speaks for it, and the one rule that makes a result of that. Pure; who is told, and when, is for others.

use chrono::{DateTime, Utc};

use crate::domain::address::UserName;
use crate::domain::organisation::Member;

/// The six states that every wire knows in its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    Available,
    Busy,
    OnCall,
    Away,
    Dnd,
    Offline,
}

impl Status {
    pub const ALL: [Status; 6] =
        [Status::Available, Status::Busy, Status::OnCall, Status::Away, Status::Dnd, Status::Offline];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Available => "available",
            Status::Busy => "busy",
            Status::OnCall => "on_call",
            Status::Away => "away",
            Status::Dnd => "dnd",
            Status::Offline => "offline",
        }
    }

    pub fn parse(text: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    Ringing,
    Answered,
    Bridged,
}

impl Line {
    pub const ALL: [Line; 3] = [Line::Ringing, Line::Answered, Line::Bridged];

    pub fn as_str(self) -> &'static str {
        match self {
            Line::Ringing => "RINGING",
            Line::Answered => "ANSWERED",
            Line::Bridged => "BRIDGED",
        }
    }

    pub fn parse(text: &str) -> Option<Line> {
        Line::ALL.into_iter().find(|line| line.as_str() == text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Inbound,
    Outbound,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Inbound => "Inbound",
            Direction::Outbound => "Outbound",
        }
    }

    pub fn parse(text: &str) -> Option<Direction> {
        [Direction::Inbound, Direction::Outbound].into_iter().find(|direction| direction.as_str() == text)
    }
}

/// A call: one that the telephone system told of, or a conference of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Mostly a UUID; stable for the call.
    pub channel: String,
    pub line: Line,
    pub direction: Direction,
    pub since: DateTime<Utc>,
    /// Where the conference is: the value of its CONFERENCE property.
    pub conference: Option<String>,
}

/// What somebody said of themselves. It wins over everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manual {
    pub status: Status,
    pub message: Option<String>,
    /// From here on it no longer counts.
    pub until: Option<DateTime<Utc>>,
}

/// Something that counts up to an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Until<T> {
    pub it: T,
    pub until: DateTime<Utc>,
}

/// How an event engages its owner, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engaged {
    /// Not to be disturbed.
    Focus,
    OnCall,
    Busy,
    Away,
}

impl Engaged {
    pub const ALL: [Engaged; 4] = [Engaged::Focus, Engaged::OnCall, Engaged::Busy, Engaged::Away];

    pub fn status(self) -> Status {
        match self {
            Engaged::Focus => Status::Dnd,
            Engaged::OnCall => Status::OnCall,
            Engaged::Busy => Status::Busy,
            Engaged::Away => Status::Away,
        }
    }
}

/// An instance of an event that covers the present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engagement {
    pub engaged: Engaged,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    /// A UUID of the instance.
    pub channel: String,
    /// Outbound for whoever organizes it.
    pub direction: Direction,
    pub conference: Option<String>,
    /// Its SUMMARY, where its CLASS is PUBLIC.
    pub title: Option<String>,
}

/// A VAVAILABILITY (RFC 7953) whose span covers the present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// 1 is the highest, 9 the lowest but 0, which means that none was given.
    pub priority: u8,
    /// What its owner is outside of every AVAILABLE; `None` within one.
    pub status: Option<Status>,
    pub start: DateTime<Utc>,
}

/// What an object says of its owner while it covers the present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    Event(Engagement),
    Availability(Availability),
}

impl Hold {
    /// Where it stands among the holds of a calendar: the strongest first, events before availabilities.
    pub fn rank(&self) -> u8 {
        match self {
            Hold::Event(engagement) => engagement.engaged as u8,
            Hold::Availability(availability) => RANK_AVAILABILITY + order(availability.priority),
        }
    }

    pub fn start(&self) -> DateTime<Utc> {
        match self {
            Hold::Event(engagement) => engagement.start,
            Hold::Availability(availability) => availability.start,
        }
    }
}

/// Ranks from here on are those of availabilities.
pub const RANK_AVAILABILITY: u8 = 16;

/// RFC 7953 3.2: 1 before 9, and 0 behind all.
fn order(priority: u8) -> u8 {
    if priority == 0 { 10 } else { priority.min(9) }
}

/// What an object says of its owner at an instant, and when that can change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub hold: Option<Hold>,
    /// The next instant at which the hold can begin, end, or become another.
    pub edge: Option<DateTime<Utc>>,
    /// The owner is asked to come, and has not answered.
    pub invited: Option<Invited>,
}

/// An invitation without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invited {
    /// When it is over; `None` for what never ends.
    pub until: Option<DateTime<Utc>>,
}

/// Who may read a title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readers {
    Everybody,
    /// The owner first.
    These(Vec<UserName>),
}

/// The title of the event that makes somebody busy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    pub text: String,
    pub readers: Readers,
}

/// Whether the person is there, as far as that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Nobody asks: who is not engaged is available.
    NotAsked,
    Here,
    /// Gone, but lately active: counts as here until this instant.
    Until(DateTime<Utc>),
    Gone,
}

/// The result: all that any wire shows of somebody's presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub status: Status,
    /// What the status would be without a call: a telephone that rings makes nobody less available on wires that tell both.
    pub beneath: Status,
    /// What the person wrote; everybody may read it.
    pub message: Option<String>,
    pub title: Option<Title>,
    pub call: Option<Call>,
}

impl Shown {
    /// Somebody of whom nothing is known yet.
    pub fn initial(require_connection: bool) -> Shown {
        let status = if require_connection { Status::Offline } else { Status::Available };
        Shown { status, beneath: status, message: None, title: None, call: None }
    }

    pub fn dnd(&self) -> bool {
        self.status == Status::Dnd
    }

    pub fn connected(&self) -> bool {
        self.status != Status::Offline
    }

    /// What one viewer reads beside the status: the message, else the title where they may read it.
    pub fn text_for(&self, viewer: &UserName) -> Option<&str> {
        self.message.as_deref().or_else(|| self.title.as_ref().filter(|title| title.is_for(viewer)).map(Title::text))
    }

    /// Whether anybody is told. Another title alone is no news: who may read it sees it at their next look.
    pub fn differs(&self, other: &Shown) -> bool {
        let plain = |shown: &Shown| (shown.status, shown.beneath, shown.message.clone(), shown.call.clone());
        plain(self) != plain(other)
    }
}

impl Title {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn is_for(&self, viewer: &UserName) -> bool {
        match &self.readers {
            Readers::Everybody => true,
            Readers::These(readers) => readers.contains(viewer),
        }
    }
}

/// What is kept of somebody's presence: what they and the telephone system said, and what was told last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    pub manual: Option<Manual>,
    pub call: Option<Until<Call>>,
    pub shown: Shown,
    pub previous: Status,
    /// Since when it is shown so; `None` where nothing was ever told.
    pub since: Option<DateTime<Utc>>,
    /// When the person was last active, as far as that was noted.
    pub active: Option<DateTime<Utc>>,
    /// The instant of the row in the queue of edges that this presence owns.
    pub edge: Option<DateTime<Utc>>,
    /// The stamp of the last change that was told.
    pub changed: u64,
    /// The stamp of the last change of the groups that the person is in.
    pub groups: u64,
}

impl Presence {
    pub fn initial(require_connection: bool) -> Presence {
        Presence {
            manual: None,
            call: None,
            shown: Shown::initial(require_connection),
            previous: Status::Offline,
            since: None,
            active: None,
            edge: None,
            changed: 0,
            groups: 0,
        }
    }
}

/// What became of somebody's presence, with all that any wire says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    pub member: Member,
    pub at: DateTime<Utc>,
    pub before: Status,
    pub shown: Shown,
    /// Since when it is shown so.
    pub since: DateTime<Utc>,
    pub last_activity: DateTime<Utc>,
}

/// All that speaks for somebody's presence at an instant.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    pub manual: Option<&'a Manual>,
    /// What the telephone system told.
    pub call: Option<&'a Until<Call>>,
    /// An alarm of a conference that nobody has answered yet.
    pub ringing: Option<&'a Until<Call>>,
    /// The strongest engagement, and who may read its title.
    pub engagement: Option<(&'a Engagement, &'a Readers)>,
    /// All that cover the present, in any order.
    pub availabilities: &'a [Availability],
    pub connection: Connection,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    pub shown: Shown,
    /// The next instant at which something that is not an object's can change it.
    pub edge: Option<DateTime<Utc>>,
}

/// The one rule. The first that speaks wins: what the person said, a time of focus, a call, their availability, the strongest of their
/// events, whether they are there.
pub fn derive(inputs: &Inputs<'_>, now: DateTime<Utc>) -> Derived {
    let ahead = |at: &DateTime<Utc>| *at > now;
    let manual = inputs.manual.filter(|manual| manual.until.is_none_or(|until| until > now));
    let call = inputs.call.filter(|call| call.until > now);
    let ringing = inputs.ringing.filter(|ringing| ringing.until > now);
    let covers = |engagement: &Engagement| engagement.start <= now && now < engagement.end;
    let engagement = inputs.engagement.filter(|(engagement, _)| covers(engagement));
    let focus = engagement.filter(|(engagement, _)| engagement.engaged == Engaged::Focus);

    let (mut beneath, mut source) = match (verdict(inputs.availabilities), engagement) {
        (Some(status), _) => (status, None),
        (None, Some(engagement)) => (engagement.0.engaged.status(), Some(engagement)),
        (None, None) => match inputs.connection {
            Connection::NotAsked | Connection::Here => (Status::Available, None),
            Connection::Until(until) if until > now => (Status::Available, None),
            Connection::Until(_) | Connection::Gone => (Status::Offline, None),
        },
    };
    if let Some(focus) = focus {
        (beneath, source) = (Status::Dnd, Some(focus));
    }
    if let Some(manual) = manual {
        (beneath, source) = (manual.status, None);
    }
    let mut status = beneath;
    if call.is_some() && manual.is_none() && focus.is_none() {
        (status, source) = (Status::OnCall, None);
    }
    let of_event = source.filter(|(engagement, _)| engagement.engaged == Engaged::OnCall);
    let of_event = of_event.map(|(engagement, _)| Call {
        channel: engagement.channel.clone(),
        line: Line::Answered,
        direction: engagement.direction,
        since: engagement.start,
        conference: engagement.conference.clone(),
    });
    let edges = [
        manual.and_then(|manual| manual.until),
        call.map(|call| call.until),
        ringing.map(|ringing| ringing.until),
        match inputs.connection {
            Connection::Until(until) => Some(until),
            _ => None,
        },
    ];
    Derived {
        shown: Shown {
            status,
            beneath,
            message: manual.and_then(|manual| manual.message.clone()),
            title: source.and_then(|(engagement, readers)| {
                Some(Title { text: engagement.title.clone()?, readers: readers.clone() })
            }),
            call: call.map(|call| call.it.clone()).or(of_event).or(ringing.map(|ringing| ringing.it.clone())),
        },
        edge: edges.into_iter().flatten().filter(ahead).min(),
    }
}

/// What the availability of the highest priority says; of several equal ones, one that finds the person available is enough, else the
/// strongest word counts.
fn verdict(availabilities: &[Availability]) -> Option<Status> {
    let first = availabilities.iter().map(|one| order(one.priority)).min()?;
    let equal = availabilities.iter().filter(|one| order(one.priority) == first);
    let mut statuses = equal.map(|one| one.status);
    let strength = |status: &Status| match status {
        Status::Offline => 0,
        Status::Busy => 1,
        _ => 2,
    };
    let mut strongest: Option<Status> = None;
    statuses.try_for_each(|status| {
        let status = status?;
        strongest = strongest.into_iter().chain([status]).min_by_key(strength);
        Some(())
    })?;
    strongest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(hour)
    }

    fn engagement(engaged: Engaged) -> Engagement {
        Engagement {
            engaged,
            start: at(9),
            end: at(11),
            channel: "event".to_owned(),
            direction: Direction::Outbound,
            conference: None,
            title: Some("Secret plans".to_owned()),
        }
    }

    fn call(line: Line) -> Until<Call> {
        let (channel, direction) = ("pbx".to_owned(), Direction::Inbound);
        Until { it: Call { channel, line, direction, since: at(9), conference: None }, until: at(12) }
    }

    fn availability(priority: u8, status: Option<Status>) -> Availability {
        Availability { priority, status, start: at(0) }
    }

    /// One row: what speaks, and what comes of it at ten: status, status without a call, the call's channel, the edge.
    #[test]
    fn the_first_that_speaks_wins() {
        use Status::{Available, Away, Busy, Dnd, Offline, OnCall};
        let manual = |status, until: Option<i64>| Manual { status, message: None, until: until.map(at) };
        let readers = Readers::Everybody;
        let nothing = Inputs {
            manual: None,
            call: None,
            ringing: None,
            engagement: None,
            availabilities: &[],
            connection: Connection::NotAsked,
        };
        let (dnd, over, soon) = (manual(Dnd, None), manual(Dnd, Some(10)), manual(Away, Some(13)));
        let here = manual(Available, None);
        let [focus, on_call, busy, away] = Engaged::ALL.map(engagement);
        let past = Engagement { end: at(10), ..busy.clone() };
        let (answered, rings) = (call(Line::Answered), call(Line::Ringing));
        let hung_up = Until { until: at(10), ..answered.clone() };
        let off = [availability(5, Some(Offline)), availability(1, None)];
        let on = [availability(5, None), availability(0, Some(Busy)), availability(5, Some(Offline))];
        let closed = [availability(2, Some(Away)), availability(2, Some(Offline)), availability(0, None)];
        let with = |engagement| Some((engagement, &readers));
        let rows = [
            ("nothing", nothing.clone(), Available, Available, None, None),
            ("manual", Inputs { manual: Some(&dnd), ..nothing.clone() }, Dnd, Dnd, None, None),
            ("manual, over", Inputs { manual: Some(&over), ..nothing.clone() }, Available, Available, None, None),
            ("manual, until", Inputs { manual: Some(&soon), ..nothing.clone() }, Away, Away, None, Some(13)),
            ("busy", Inputs { engagement: with(&busy), ..nothing.clone() }, Busy, Busy, None, None),
            ("away", Inputs { engagement: with(&away), ..nothing.clone() }, Away, Away, None, None),
            ("focus", Inputs { engagement: with(&focus), ..nothing.clone() }, Dnd, Dnd, None, None),
            ("over at ten", Inputs { engagement: with(&past), ..nothing.clone() }, Available, Available, None, None),
            (
                "conference",
                Inputs { engagement: with(&on_call), ..nothing.clone() },
                OnCall,
                OnCall,
                Some("event"),
                None,
            ),
            ("call", Inputs { call: Some(&answered), ..nothing.clone() }, OnCall, Available, Some("pbx"), Some(12)),
            ("call, over", Inputs { call: Some(&hung_up), ..nothing.clone() }, Available, Available, None, None),
            (
                "call in an event",
                Inputs { call: Some(&answered), engagement: with(&busy), ..nothing.clone() },
                OnCall,
                Busy,
                Some("pbx"),
                Some(12),
            ),
            (
                "call in a time of focus",
                Inputs { call: Some(&answered), engagement: with(&focus), ..nothing.clone() },
                Dnd,
                Dnd,
                Some("pbx"),
                Some(12),
            ),
            (
                "call, and yet available",
                Inputs { call: Some(&answered), manual: Some(&here), ..nothing.clone() },
                Available,
                Available,
                Some("pbx"),
                Some(12),
            ),
            (
                "manual over event",
                Inputs { manual: Some(&here), engagement: with(&busy), ..nothing.clone() },
                Available,
                Available,
                None,
                None,
            ),
            (
                "alarm rings",
                Inputs { ringing: Some(&rings), ..nothing.clone() },
                Available,
                Available,
                Some("pbx"),
                Some(12),
            ),
            ("not available", Inputs { availabilities: &closed, ..nothing.clone() }, Offline, Offline, None, None),
            ("priority 1 first", Inputs { availabilities: &off, ..nothing.clone() }, Available, Available, None, None),
            (
                "equals: one is enough",
                Inputs { availabilities: &on, ..nothing.clone() },
                Available,
                Available,
                None,
                None,
            ),
            (
                "not available wins over events",
                Inputs { availabilities: &closed, engagement: with(&busy), ..nothing.clone() },
                Offline,
                Offline,
                None,
                None,
            ),
            (
                "available leaves it to events",
                Inputs { availabilities: &on, engagement: with(&busy), ..nothing.clone() },
                Busy,
                Busy,
                None,
                None,
            ),
            ("gone", Inputs { connection: Connection::Gone, ..nothing.clone() }, Offline, Offline, None, None),
            ("here", Inputs { connection: Connection::Here, ..nothing.clone() }, Available, Available, None, None),
            (
                "lately here",
                Inputs { connection: Connection::Until(at(14)), ..nothing.clone() },
                Available,
                Available,
                None,
                Some(14),
            ),
            (
                "no longer",
                Inputs { connection: Connection::Until(at(10)), ..nothing.clone() },
                Offline,
                Offline,
                None,
                None,
            ),
            (
                "gone, but in an event",
                Inputs { connection: Connection::Gone, engagement: with(&busy), ..nothing },
                Busy,
                Busy,
                None,
                None,
            ),
        ];
        for (name, inputs, status, beneath, channel, edge) in rows {
            let derived = derive(&inputs, at(10));
            let found = derived.shown.call.as_ref().map(|call| call.channel.as_str());
            let want = (status, beneath, channel, edge.map(at));
            assert_eq!((derived.shown.status, derived.shown.beneath, found, derived.edge), want, "{name}");
        }
    }

    #[test]
    fn a_title_is_for_its_readers_and_only_while_it_is_the_reason() {
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| UserName::new(name).unwrap());
        let readers = Readers::These(vec![alice.clone(), bob.clone()]);
        let busy = engagement(Engaged::Busy);
        let mut inputs = Inputs {
            manual: None,
            call: None,
            ringing: None,
            engagement: Some((&busy, &readers)),
            availabilities: &[],
            connection: Connection::NotAsked,
        };
        let shown = derive(&inputs, at(10)).shown;
        let texts = [&alice, &bob, &carol].map(|viewer| shown.text_for(viewer));
        assert_eq!(texts, [Some("Secret plans"), Some("Secret plans"), None]);
        let renamed = Shown { title: None, ..shown.clone() };
        assert!(!renamed.differs(&shown));
        let manual = Manual { status: Status::Busy, message: Some("Back at noon".to_owned()), until: None };
        inputs.manual = Some(&manual);
        let shown = derive(&inputs, at(10)).shown;
        assert_eq!((shown.text_for(&carol), &shown.title), (Some("Back at noon"), &None));
        let call = call(Line::Bridged);
        (inputs.manual, inputs.call) = (None, Some(&call));
        assert_eq!(derive(&inputs, at(10)).shown.text_for(&alice), None);
    }
}
