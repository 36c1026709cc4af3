//! What is on its way between people's homes, and the rules that a scheduling object keeps. RFC 6638. Knows no text and no store.

use crate::domain::address::{Address, ObjectAddress, UserName};
use crate::domain::collection::CollectionId;

/// A rule of scheduling that a write would break, each with an element of its own. RFC 6638 3.2.4, RFC 4791 5.3.2.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// An attendee changed what is the organizer's.
    Attendee,
    /// An organizer made of it what cannot be, or is somebody else.
    Organizer,
    /// Its components name several organizers.
    SameOrganizer,
    /// Another calendar of this person has it already.
    Unique(ObjectAddress),
    /// More attendees than may be.
    Attendees,
    /// The calendar that is to take invitations cannot.
    DefaultCalendar,
    /// It is no message of scheduling that can be taken here.
    Message,
    /// Who asks is not whom they say they are.
    Asker,
}

/// What is to be done in somebody's home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Their part of the organizer's object as it then is; where that asks them to nothing any more, a cancellation.
    Request,
    /// An attendee's answer as it then is.
    Reply,
    /// An attendee threw the object away: declined.
    Decline,
}

impl Task {
    pub const ALL: [Task; 3] = [Task::Request, Task::Reply, Task::Decline];

    /// Its place among its kind: an answer takes the place of an earlier one that is still on its way.
    pub fn lane(self) -> u8 {
        match self {
            Task::Request => 0,
            Task::Reply | Task::Decline => 1,
        }
    }
}

/// One person's home is to follow what changed in another's. It names what changed and holds none of it: whoever carries it out looks at
/// the object as it is by then, so that several changes come as one, and never an older after a newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub to: UserName,
    pub task: Task,
    /// In whose home it changed, and their mail address at that time.
    pub from: UserName,
    pub email: String,
    pub collection: CollectionId,
    pub name: String,
    pub uid: String,
    /// Of the commit that wrote it: what changes later makes another.
    pub stamp: u64,
}

/// A calendar that was deleted, and whose objects' people are still to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burial {
    pub collection: CollectionId,
    /// Where it stood.
    pub address: Address,
    /// How far it came: the last object whose people are on the list of homes that are to follow.
    pub after: Option<String>,
}

/// The longest UID that is scheduled, in bytes.
pub const UID_MAX: usize = 1_024;
