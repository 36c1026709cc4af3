//! A calendar or an address book, and what changes in people's lists when one changes.

use crate::domain::access::{Grant, Proxy, Right, is_open};
use crate::domain::address::{Address, UserName};
use crate::domain::event::ListChange;
use crate::domain::sync::Token;

/// A collection's number: the stamp of the commit that made it. Never used twice, so what hangs on it dies with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionId(pub u64);

/// What stands at an address in somebody's home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Objects of its own.
    Own,
    /// A delegate's mirror of another's collection.
    Delegated(Address, CollectionId),
    /// A subscription to a public collection.
    Subscribed(Address, CollectionId),
}

/// What keeps the content of a collection of one's own, where that is not its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// What is at a URL.
    Feed(String),
    /// The days of birth in an address book.
    Birthdays(Address, CollectionId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    pub id: CollectionId,
    pub address: Address,
    pub source: Source,
    pub display_name: String,
    pub description: String,
    /// As the client wrote it, mostly `#RRGGBBAA`.
    pub color: String,
    /// Upper-case component names it takes; empty means all.
    pub components: Vec<String>,
    /// The collection's own zone for floating and all-day values: an IANA name.
    pub timezone: Option<String>,
    pub grants: Vec<Grant>,
    /// Those who act for the owner: the same on each of the owner's own calendars.
    pub proxies: Vec<Proxy>,
    pub public: Option<Right>,
    /// The stamp of the last change.
    pub token: Token,
    /// Tokens below this one are forgotten.
    pub floor: Token,
    /// How many objects it holds.
    pub objects: u64,
    /// The bytes of those objects, as they are read by their owner.
    pub bytes: u64,
    /// The holder of this mirror or subscription hears its alarms. Owners hear theirs in any case.
    pub alarms: bool,
    /// What stands in it makes nobody busy: RFC 6638 9.1, `schedule-calendar-transp`. Of a mirror it is said for its holder alone.
    pub transparent: bool,
    /// The stamp of the last change in who subscribes to it: the head row's answer for a range that no decision can read whole.
    pub subscriptions: u64,
    /// Nobody but the service writes into it.
    pub kept: Option<Kept>,
    /// The feed that fills it fails again and again.
    pub down: bool,
}

impl Collection {
    /// A fresh collection with nothing in it; `stamp` is the stamp of the commit that makes it.
    pub fn new(address: Address, source: Source, display_name: &str, stamp: u64) -> Collection {
        Collection {
            id: CollectionId(stamp),
            address,
            source,
            display_name: display_name.to_owned(),
            description: String::new(),
            color: String::new(),
            components: Vec::new(),
            timezone: None,
            grants: Vec::new(),
            proxies: Vec::new(),
            public: None,
            token: Token(stamp),
            floor: Token(stamp),
            objects: 0,
            bytes: 0,
            alarms: false,
            transparent: false,
            subscriptions: stamp,
            kept: None,
            down: false,
        }
    }

    /// The address whose objects are seen here.
    pub fn origin(&self) -> (&Address, CollectionId) {
        match &self.source {
            Source::Own => (&self.address, self.id),
            Source::Delegated(address, id) | Source::Subscribed(address, id) => (address, *id),
        }
    }

    /// The delegate's mirror address that goes with a grant.
    pub fn mirror(&self, grant: &Grant) -> Option<Address> {
        Address::new(self.address.kind(), grant.user.as_str(), &grant.mirror)
    }

    /// The mirrors that stand in their holders' homes, each with its grant.
    fn mirrors(&self) -> impl Iterator<Item = (&Grant, Address)> {
        let shown = self.grants.iter().filter(|grant| !grant.hidden);
        shown.filter_map(|grant| Some((grant, self.mirror(grant)?)))
    }
}

/// One line of news for one person's calendar list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListNews {
    pub user: UserName,
    pub change: ListChange,
    pub address: Address,
}

/// What people's lists show differently, given a collection before and after a change; in the order in which it is told.
///
/// `subscribers` are the addresses of all subscriptions to it. A change of the collection's content is not list news.
/// The rows are those of `docs/side.md`, "Who hears of the list".
pub fn list_changes(before: Option<&Collection>, after: Option<&Collection>, subscribers: &[Address]) -> Vec<ListNews> {
    let mut news = Vec::new();
    let mut tell = |address: Address, change: ListChange| {
        news.push(ListNews { user: address.user().clone(), change, address });
    };
    match (before, after) {
        (None, None) => {}
        (None, Some(made)) => {
            let change = match made.source {
                Source::Own => ListChange::Created,
                Source::Delegated(..) => ListChange::Delegated,
                Source::Subscribed(..) => ListChange::Subscribed,
            };
            tell(made.address.clone(), change);
        }
        (Some(gone), None) => {
            gone.mirrors().for_each(|(_, mirror)| tell(mirror, ListChange::Deleted));
            if !gone.grants.is_empty() {
                tell(gone.address.clone(), ListChange::Updated);
            }
            subscribers.iter().for_each(|address| tell(address.clone(), ListChange::Deleted));
            tell(gone.address.clone(), ListChange::Deleted);
        }
        (Some(before), Some(after)) => {
            let closed = is_open(before.public) && !is_open(after.public);
            let public_moved = before.public != after.public;
            for (_, mirror) in before.mirrors() {
                if !after.mirrors().any(|(_, other)| other == mirror) {
                    tell(mirror, ListChange::Deleted);
                }
            }
            for (grant, mirror) in after.mirrors() {
                match before.mirrors().find(|(_, other)| *other == mirror) {
                    // The real service says so of what may only be asked when its owner is busy.
                    None if grant.right == Right::FreeBusy => tell(mirror, ListChange::Created),
                    None => tell(mirror, ListChange::Delegated),
                    Some((other, _)) if other.right != grant.right || public_moved => tell(mirror, ListChange::Updated),
                    Some(_) => {}
                }
            }
            if public_moved {
                let change = if closed { ListChange::Deleted } else { ListChange::Updated };
                subscribers.iter().for_each(|address| tell(address.clone(), change));
            }
            let sank = before.down != after.down;
            if sank && !public_moved {
                after.mirrors().for_each(|(_, mirror)| tell(mirror, ListChange::Updated));
                subscribers.iter().for_each(|address| tell(address.clone(), ListChange::Updated));
            }
            let face = |c: &Collection| (c.display_name.clone(), c.description.clone(), c.color.clone());
            // Whether a delegate shows their mirror is theirs alone.
            let granted = |c: &Collection| -> Vec<(UserName, Right)> {
                c.grants.iter().map(|grant| (grant.user.clone(), grant.right)).collect()
            };
            if face(before) != face(after) || granted(before) != granted(after) || public_moved || sank {
                tell(after.address.clone(), ListChange::Updated);
            }
        }
    }
    news
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::Kind;

    fn at(path: &str) -> Address {
        Address::parse(path).expect("an address")
    }

    /// Alice's calendar `trip` with these shares and this public right; the mirrors are called `m`.
    fn trip(shares: &[(&str, Right)], public: Option<Right>) -> Collection {
        let mut made = Collection::new(at("/calendars/alice/trip"), Source::Own, "Trip", 7);
        let grant = |(name, right): &(&str, Right)| {
            let user = UserName::new(name).expect("a name");
            Grant { user, right: *right, mirror: "m".to_owned(), hidden: false }
        };
        made.grants = shares.iter().map(grant).collect();
        made.public = public;
        made
    }

    fn leaf(path: &str, source: fn(Address, CollectionId) -> Source) -> Collection {
        Collection::new(at(path), source(at("/calendars/alice/trip"), CollectionId(7)), "Trip", 8)
    }

    fn with(collection: &Collection, change: impl Fn(&mut Collection)) -> Collection {
        let mut changed = collection.clone();
        change(&mut changed);
        changed
    }

    /// What is told, one line each: to whom, which key, which path.
    fn told(before: Option<&Collection>, after: Option<&Collection>, subscribers: &[&str]) -> Vec<String> {
        let subscribers: Vec<Address> = subscribers.iter().map(|path| at(path)).collect();
        let news = list_changes(before, after, &subscribers);
        news.iter().map(|line| format!("{} {} {}", line.user, line.change.as_str(), line.address)).collect()
    }

    #[test]
    fn what_comes_or_goes_is_told() {
        let (mirror, subscription) = ("/calendars/bob/m", "/calendars/carol/sub-7");
        let shared = trip(&[("bob", Right::Read), ("dave", Right::Administration)], Some(Right::Read));
        let book = Collection::new(at("/addressbooks/alice/trip"), Source::Own, "Trip", 9);
        assert_eq!(book.address.kind(), Kind::AddressBook);
        let made: [(Collection, &str, &str); 4] = [
            (trip(&[], None), "alice created /calendars/alice/trip", "alice deleted /calendars/alice/trip"),
            (book, "alice created /addressbooks/alice/trip", "alice deleted /addressbooks/alice/trip"),
            (leaf(mirror, Source::Delegated), "bob delegated /calendars/bob/m", "bob deleted /calendars/bob/m"),
            (
                leaf(subscription, Source::Subscribed),
                "carol subscribed /calendars/carol/sub-7",
                "carol deleted /calendars/carol/sub-7",
            ),
        ];
        for (collection, comes, goes) in &made {
            assert_eq!(told(None, Some(collection), &[]), [*comes]);
            assert_eq!(told(Some(collection), None, &[]), [*goes]);
        }
        assert_eq!(told(None, None, &[]), [""; 0]);
        // Delegates first, then the owner of their going, then subscribers, then the owner.
        assert_eq!(
            told(Some(&shared), None, &[subscription, "/calendars/erin/sub-7"]),
            [
                "bob deleted /calendars/bob/m",
                "dave deleted /calendars/dave/m",
                "alice updated /calendars/alice/trip",
                "carol deleted /calendars/carol/sub-7",
                "erin deleted /calendars/erin/sub-7",
                "alice deleted /calendars/alice/trip",
            ]
        );
        // Who hid the mirror hears nothing of its going; the owner shared it all the same.
        let hidden = with(&trip(&[("bob", Right::Read)], None), |c| c.grants.iter_mut().for_each(|g| g.hidden = true));
        assert_eq!(
            told(Some(&hidden), None, &[]),
            ["alice updated /calendars/alice/trip", "alice deleted /calendars/alice/trip"]
        );
        // Without delegates the owner hears only that it went.
        assert_eq!(
            told(Some(&trip(&[], Some(Right::Read))), None, &[subscription]),
            ["carol deleted /calendars/carol/sub-7", "alice deleted /calendars/alice/trip"]
        );
    }

    #[test]
    fn what_changes_is_told_to_those_whom_it_concerns() {
        const ALICE: &str = "alice updated /calendars/alice/trip";
        const BOB: &str = "bob updated /calendars/bob/m";
        const CAROL: &str = "carol updated /calendars/carol/sub-7";
        let private = trip(&[], None);
        let bob = |right| trip(&[("bob", right)], None);
        let open = |right| trip(&[("bob", Right::Read)], Some(right));
        let (reads, writes) = (bob(Right::Read), bob(Right::ReadWrite));
        let (readable, writable) = (open(Right::Read), open(Right::ReadWrite));
        let hidden = |of: &Collection| with(of, |c| c.grants.iter_mut().for_each(|grant| grant.hidden = true));
        let (tucked, asks) = (hidden(&reads), bob(Right::FreeBusy));
        let proxy = || Proxy { user: UserName::new("erin").expect("a name"), right: Right::ReadWrite };
        let rows: Vec<(&str, &Collection, Collection, Vec<&str>)> = vec![
            ("nothing", &reads, reads.clone(), vec![]),
            ("the name", &reads, with(&reads, |c| c.display_name = "Journey".to_owned()), vec![ALICE]),
            ("the description", &reads, with(&reads, |c| c.description = "South".to_owned()), vec![ALICE]),
            ("the colour", &reads, with(&reads, |c| c.color = "#FF0000FF".to_owned()), vec![ALICE]),
            ("whether it makes busy", &reads, with(&reads, |c| c.transparent = true), vec![]),
            ("the zone", &reads, with(&reads, |c| c.timezone = Some("Europe/Paris".to_owned())), vec![]),
            ("the content", &reads, with(&reads, |c| (c.token, c.objects) = (Token(99), 3)), vec![]),
            ("who subscribes", &reads, with(&reads, |c| c.subscriptions = 99), vec![]),
            ("its feed fails", &reads, with(&reads, |c| c.down = true), vec![BOB, CAROL, ALICE]),
            ("a grant", &private, bob(Right::Read), vec!["bob delegated /calendars/bob/m", ALICE]),
            (
                "two grants at once: the owner hears of it once",
                &private,
                trip(&[("bob", Right::Read), ("dave", Right::ReadWrite)], None),
                vec!["bob delegated /calendars/bob/m", "dave delegated /calendars/dave/m", ALICE],
            ),
            ("more of a right", &reads, bob(Right::ReadWrite), vec![BOB, ALICE]),
            ("less of a right", &writes, bob(Right::Read), vec![BOB, ALICE]),
            ("all of a right", &reads, private.clone(), vec!["bob deleted /calendars/bob/m", ALICE]),
            (
                "one goes, another comes",
                &reads,
                trip(&[("dave", Right::Read)], None),
                vec!["bob deleted /calendars/bob/m", "dave delegated /calendars/dave/m", ALICE],
            ),
            ("open to all", &reads, open(Right::Read), vec![BOB, CAROL, ALICE]),
            ("open for writing", &readable, open(Right::ReadWrite), vec![BOB, CAROL, ALICE]),
            ("open for reading only", &writable, open(Right::Read), vec![BOB, CAROL, ALICE]),
            (
                "closed: subscriptions end",
                &readable,
                reads.clone(),
                vec![BOB, "carol deleted /calendars/carol/sub-7", ALICE],
            ),
            (
                "closed, and the delegate gone too",
                &readable,
                private.clone(),
                vec!["bob deleted /calendars/bob/m", "carol deleted /calendars/carol/sub-7", ALICE],
            ),
            ("only when somebody is busy", &private, bob(Right::FreeBusy), vec!["bob created /calendars/bob/m", ALICE]),
            ("more than that", &asks, bob(Right::Read), vec![BOB, ALICE]),
            ("no more than that", &reads, bob(Right::FreeBusy), vec![BOB, ALICE]),
            ("the delegate hides it", &reads, hidden(&reads), vec!["bob deleted /calendars/bob/m"]),
            ("the delegate shows it again", &tucked, reads.clone(), vec!["bob delegated /calendars/bob/m"]),
            ("another right of what is hidden", &tucked, hidden(&writes), vec![ALICE]),
            ("hidden, and taken back", &tucked, private.clone(), vec![ALICE]),
            ("hidden, and open to all", &tucked, hidden(&readable), vec![CAROL, ALICE]),
            (
                "public for asking only: subscriptions end",
                &readable,
                open(Right::FreeBusy),
                vec![BOB, "carol deleted /calendars/carol/sub-7", ALICE],
            ),
            ("who acts for the owner", &reads, with(&reads, |c| c.proxies = vec![proxy()]), vec![]),
            (
                "a new name and a new right in one: the owner hears of it once",
                &reads,
                with(&bob(Right::ReadWrite), |c| c.display_name = "Journey".to_owned()),
                vec![BOB, ALICE],
            ),
        ];
        for (what, before, after, lines) in rows {
            assert_eq!(told(Some(before), Some(&after), &["/calendars/carol/sub-7"]), lines, "{what}");
        }
        // A mirror that its holder renames is the holder's news alone.
        let mirror = leaf("/calendars/bob/m", Source::Delegated);
        let renamed = with(&mirror, |c| c.display_name = "Alice's trip".to_owned());
        assert_eq!(told(Some(&mirror), Some(&renamed), &[]), [BOB]);
    }
}
