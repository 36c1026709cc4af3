//! Calendars and address books: found, made, renamed, deleted. Sharing them stands in `sharing.rs`.

use std::sync::Arc;

use bytes::Bytes;

use crate::domain::access::{Grant, Right, right_of};
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::{Collection, CollectionId, ListNews, Source, list_changes};
use crate::domain::dead::{DeadChange, Holder};
use crate::domain::event::Event;
use crate::domain::object::Component;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::scheduling::Burial;
use crate::ical::zone;
use crate::kv::Writes;
use crate::service::Service;
use crate::service::announcements::INLINE;
use crate::service::invites::Company;
use crate::service::principals::still_there;
use crate::service::properties;
use crate::service::replan;
use crate::store::announcements::{self, Announcement};
use crate::store::journal::Pen;
use crate::store::{collections, dead, feeds, keys, presence, proxies, scheduling};

/// How often a decision that rests on a scanned range is tried anew when the range moved meanwhile.
const TRIES: usize = 8;

/// A collection as one person sees it.
#[derive(Clone, Debug)]
pub struct View {
    /// What stands at the address: the collection itself, or the person's mirror of it.
    pub shown: Collection,
    /// What holds the objects.
    pub source: Collection,
    pub right: Right,
    /// Whose it is and whom it is shared with, once `introduce` looked for them.
    pub company: Option<Arc<Company>>,
}

impl View {
    /// Whether this person may write objects here.
    pub fn writes(&self) -> bool {
        self.right >= Right::ReadWrite && self.source.kept.is_none()
    }
}

/// What of a collection can be set by its owner, and of a mirror by its holder. `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct Face {
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub color: Option<String>,
    /// An IANA name; the empty string takes it away.
    pub timezone: Option<String>,
    /// Whether what stands in it makes nobody busy.
    pub transparent: Option<bool>,
    /// Properties that mean nothing here, in the order of their changes.
    pub dead: Vec<DeadChange>,
}

/// The tz database's name for a zone as clients spell it: in any case, as a path that ends in it, or as Windows names it.
pub fn zone_named(name: &str) -> Option<&'static str> {
    zone::named(name).map(|zone| zone.name())
}

/// Bytes that a name may have; a description; a colour. A collection's row must hold all of them beside its delegates.
pub(crate) const NAME_MAX: usize = 1_024;
pub(crate) const DESCRIPTION_MAX: usize = 4_096;
pub(crate) const COLOR_MAX: usize = 64;

impl Face {
    /// With its zone by the tz database's name. Refuses what could not be kept.
    fn settled(mut self) -> Result<Face, Refusal> {
        let rows = [
            ("a name", &self.display_name, NAME_MAX),
            ("a description", &self.description, DESCRIPTION_MAX),
            ("a color", &self.color, COLOR_MAX),
        ];
        for (what, text, max) in rows {
            check_text(what, text.as_deref().unwrap_or_default(), max)?;
        }
        if let Some(name) = self.timezone.take() {
            let known = if name.is_empty() { Some("") } else { zone_named(&name) };
            let known = known.ok_or_else(|| Fault::whole(format!("no zone named {name:?}")))?;
            self.timezone = Some(known.to_owned());
        }
        Ok(self)
    }

    fn dress(&self, collection: &mut Collection) {
        let set = |to: &mut String, from: &Option<String>| {
            if let Some(text) = from {
                to.clone_from(text);
            }
        };
        set(&mut collection.display_name, &self.display_name);
        set(&mut collection.description, &self.description);
        set(&mut collection.color, &self.color);
        if let Some(zone) = &self.timezone {
            collection.timezone = (!zone.is_empty()).then(|| zone.clone());
        }
        collection.transparent = self.transparent.unwrap_or(collection.transparent);
    }
}

/// A text that people read: so long at most.
pub(crate) fn check_text(what: &str, text: &str, max: usize) -> Result<(), Fault> {
    if text.len() > max {
        return Err(Fault::whole(format!("{what} has at most {max} bytes")));
    }
    Ok(())
}

impl Service {
    /// What `user` sees at an address: `NotFound` where nothing stands, `Forbidden` where it is not for them to read.
    pub async fn view(&self, user: &UserName, address: &Address) -> Result<View, Refusal> {
        match self.glimpse(user, address).await? {
            view if view.right < Right::Read => Err(Refusal::Forbidden),
            view => Ok(view),
        }
    }

    /// As `view`, and for those too who may only ask when its owner is busy. Whoever asks for this must show them nothing of the source.
    pub async fn glimpse(&self, user: &UserName, address: &Address) -> Result<View, Refusal> {
        let shown = match self.store.collection(address).await? {
            Some(shown) => shown,
            None if address.is_mailbox() && address.user() == user => self.mailbox(address).await?,
            None => return Err(Refusal::NotFound),
        };
        let source = match &shown.source {
            Source::Own => shown.clone(),
            Source::Delegated(at, id) | Source::Subscribed(at, id) => {
                match self.store.collection(at).await?.filter(|found| found.id == *id) {
                    Some(found) => found,
                    // It has another name by now, and this one is still to learn it.
                    None => self.store.collection_by_id(*id).await?.ok_or(Refusal::NotFound)?,
                }
            }
        };
        // A mirror is its holder's alone; what they may do through it is what the source grants them.
        let right = match shown.source {
            Source::Own => right_of(user, &source),
            _ if shown.address.user() == user => right_of(user, &source),
            _ => Right::None,
        };
        // What lies in an inbox is the service's to write; nobody shares it.
        let right = if address.is_mailbox() && right == Right::Owner { Right::Read } else { right };
        // What is in a feed is nobody's to write; to its owner it still belongs.
        let right = if source.kept.is_some() && right != Right::Owner { right.min(Right::Read) } else { right };
        if right < Right::FreeBusy {
            return Err(Refusal::Forbidden);
        }
        Ok(View { shown, source, right, company: None })
    }

    /// A person's collections of one kind, mirrors and subscriptions that still lead somewhere included.
    pub async fn list(&self, user: &UserName, kind: Kind) -> Result<Vec<View>, Refusal> {
        let mut views = self.shown(user, kind).await?;
        views.retain(|view| view.right >= Right::Read);
        Ok(views)
    }

    /// As `list`, with the mirrors of which they may only ask when the owner is busy.
    pub async fn shown(&self, user: &UserName, kind: Kind) -> Result<Vec<View>, Refusal> {
        let mut views = Vec::new();
        for shown in self.store.home(kind, user).await? {
            match self.glimpse(user, &shown.address).await {
                Ok(view) => views.push(view),
                // A mirror whose source went away or was closed to this person is not shown.
                Err(Refusal::NotFound | Refusal::Forbidden) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(views)
    }

    /// Makes a collection in the caller's own home.
    pub async fn make_collection(
        &self,
        caller: &Principal,
        address: &Address,
        components: Vec<String>,
        face: Face,
    ) -> Result<Collection, Refusal> {
        if address.user() != &caller.name {
            return Err(Refusal::Forbidden);
        }
        if address.is_mailbox() {
            return Err(Refusal::Exists);
        }
        let face = face.settled()?;
        let takes = |name: &String| Component::from_name(name).is_some_and(|component| component != Component::Card);
        if let Some(other) = components.iter().find(|name| !takes(name)) {
            return Err(Fault::whole(format!("a calendar takes no {other:?}")).into());
        }
        self.check_room(address.kind(), &caller.name, false).await?;
        self.make(address, components, face, true).await
    }

    /// Whether one more goes into a home. Mirrors, which others put there, have a count of their own, or they would take its owner's room.
    pub(crate) async fn check_room(&self, kind: Kind, user: &UserName, mirror: bool) -> Result<(), Refusal> {
        let limit = self.settings.limits.collections_per_home;
        let home = self.store.home(kind, user).await?;
        if home.iter().filter(|held| matches!(held.source, Source::Delegated(..)) == mirror).count() >= limit {
            let what = if mirror { "shares" } else { "collections" };
            return Err(Refusal::Full(format!("a home holds at most {limit} {what}")));
        }
        Ok(())
    }

    /// Inbox or outbox of somebody, made where it is not there yet. Nobody's list shows it, so nobody hears of it.
    pub(crate) async fn mailbox(&self, address: &Address) -> Result<Collection, Refusal> {
        if let Some(found) = self.store.collection(address).await? {
            return Ok(found);
        }
        let at = address.clone();
        let (_, made) = self
            .commit(vec![keys::collection(address), keys::user(address.user())], move |seen, stamp| {
                still_there(seen.get(1))?;
                if let Some(found) = collections::seen(seen.first())? {
                    return Ok((Vec::new(), found));
                }
                let shown = if at.is_inbox() { "Inbox" } else { "Outbox" };
                let made = Collection::new(at.clone(), Source::Own, shown, stamp.0);
                let mut writes = Vec::new();
                collections::write_new(&mut writes, &made);
                Ok((writes, made))
            })
            .await?;
        Ok(made)
    }

    pub(crate) async fn make_first_collection(&self, address: &Address, shown: &str) -> Result<(), Refusal> {
        let face = Face { display_name: Some(shown.to_owned()), ..Face::default() };
        self.make(address, Vec::new(), face, false).await.map(drop)
    }

    /// `inhabited`: whether the person must be there already. The first collections come before them.
    async fn make(
        &self,
        address: &Address,
        components: Vec<String>,
        face: Face,
        inhabited: bool,
    ) -> Result<Collection, Refusal> {
        let (address, now, bounds) = (address.clone(), self.now(), self.dead_bounds());
        let reads = vec![keys::collection(&address), keys::user(address.user()), keys::proxies(address.user())];
        let (_, made) = self
            .commit(reads, move |seen, stamp| {
                if inhabited {
                    still_there(seen.get(1))?;
                }
                if collections::seen(seen.first())?.is_some() {
                    return Err(Refusal::Exists);
                }
                let mut made = Collection::new(address.clone(), Source::Own, address.name(), stamp.0);
                made.components.clone_from(&components);
                if made.address.kind() == Kind::Calendar {
                    made.proxies = proxies::seen(seen.get(2))?;
                }
                face.dress(&mut made);
                let mut writes = Vec::new();
                properties::change(&mut writes, &Holder::Collection(made.id), &[], &face.dead, bounds)?;
                collections::write_new(&mut writes, &made);
                tell(&mut Pen::new(now, stamp.0), &mut writes, list_changes(None, Some(&made), &[]));
                Ok((writes, made))
            })
            .await?;
        Ok(made)
    }

    /// Sets name, colour and the like: of the source by its owner or administrators, of a mirror or subscription by its holder.
    pub async fn dress_collection(&self, caller: &Principal, address: &Address, face: Face) -> Result<(), Refusal> {
        let face = face.settled()?;
        let view = self.glimpse(&caller.name, address).await?;
        let (user, now, bounds) = (caller.name.clone(), self.now(), self.dead_bounds());
        let mut reads = vec![keys::collection(address), keys::replan(address.user())];
        let holder = Holder::Collection(view.shown.id);
        if !face.dead.is_empty() {
            reads.extend(dead::rows(&holder));
        }
        let (_, (replan, after)) = self
            .commit(reads, move |seen, stamp| {
                let before = standing(seen.first(), view.shown.id)?;
                if right_of(&user, &before) < Right::Administration {
                    return Err(Refusal::Forbidden);
                }
                let mut after = before.clone();
                face.dress(&mut after);
                let mut writes = Vec::new();
                if !face.dead.is_empty() {
                    properties::change(&mut writes, &holder, seen.get(2..).unwrap_or_default(), &face.dead, bounds)?;
                }
                if after != before {
                    collections::write(&mut writes, &after);
                    tell(&mut Pen::new(now, stamp.0), &mut writes, list_changes(Some(&before), Some(&after), &[]));
                }
                // Floating and all-day events ring at other instants in another zone.
                let rings = after.source == Source::Own && after.address.kind() == Kind::Calendar;
                let changes = rings && after.timezone != before.timezone;
                let owner = after.address.user();
                if rings && after.transparent != before.transparent {
                    presence::remind(&mut writes, now, owner, stamp.0);
                }
                let replan = changes.then(|| replan::begin(&mut writes, owner, seen.get(1), now));
                Ok((writes, (replan, after)))
            })
            .await?;
        self.nudge_edge(now);
        if let Some(replan) = replan {
            self.replan_collection(&after, replan.from).await?;
            self.end_replan(after.address.user(), replan).await?;
        }
        Ok(())
    }

    /// Lets the holder of a mirror or a subscription hear its alarms, or not. Owners hear theirs in any case.
    pub async fn set_hearing(&self, caller: &Principal, address: &Address, hears: bool) -> Result<(), Refusal> {
        let view = self.view(&caller.name, address).await?;
        if view.shown.source == Source::Own && view.shown.kept.is_some() && view.right == Right::Owner {
            return self.let_ring(&view.shown, hears).await;
        }
        if view.shown.source == Source::Own {
            return Err(Fault::whole(
                "alarms can be switched for a delegated or subscribed calendar; your own always ring",
            )
            .into());
        }
        self.commit(vec![keys::collection(address)], move |seen, _| {
            let mut leaf = standing(seen.first(), view.shown.id)?;
            let mut writes = Vec::new();
            collections::set_hearing(&mut writes, &mut leaf, hears);
            collections::write(&mut writes, &leaf);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    /// Lets the alarms of what a feed keeps ring, or not.
    async fn let_ring(&self, kept: &Collection, rings: bool) -> Result<(), Refusal> {
        let (id, now) = (kept.id, self.now());
        let reads = vec![keys::collection(&kept.address), keys::replan(kept.address.user())];
        let (_, (replan, after)) = self
            .commit(reads, move |seen, _| {
                let mut after = standing(seen.first(), id)?;
                after.alarms = rings;
                let mut writes = Vec::new();
                collections::write(&mut writes, &after);
                let replan = replan::begin(&mut writes, after.address.user(), seen.get(1), now);
                Ok((writes, (replan, after)))
            })
            .await?;
        self.replan_collection(&after, replan.from).await?;
        self.end_replan(after.address.user(), replan).await
    }

    /// Deletes a collection with everything in it; a mirror or a subscription only goes from its holder's list.
    pub async fn delete_collection(&self, caller: &Principal, address: &Address) -> Result<(), Refusal> {
        let view = self.view(&caller.name, address).await;
        let right = match &view {
            // A mirror that leads nowhere any more can still be thrown away.
            Err(Refusal::NotFound | Refusal::Forbidden) if address.user() == &caller.name => Right::Owner,
            Err(refusal) => return Err(refusal.clone()),
            Ok(view) if address.is_mailbox() => view.right,
            Ok(view) if view.shown.address.user() == &caller.name => Right::Owner,
            Ok(view) => view.right,
        };
        let found = view.ok().filter(|view| view.shown.source == Source::Own).map(|view| view.source.id);
        self.bury_all(&caller.name, right, address, true).await?;
        // It is gone, whatever comes of the rest now: what is left the job sees to.
        if let Some(found) = found
            && let Err(refusal) = self.bury_now(found).await
        {
            tracing::error!(%refusal, "those whom a deleted calendar concerns have to wait");
            self.nudges.scheduling.notify_one();
        }
        Ok(())
    }

    pub(crate) async fn delete_collection_as(
        &self,
        user: &UserName,
        right: Right,
        address: &Address,
    ) -> Result<(), Refusal> {
        self.bury_all(user, right, address, false).await
    }

    /// The same; `tells`: those whom its objects ask, or who ask for them, are told behind it.
    async fn bury_all(&self, user: &UserName, right: Right, address: &Address, tells: bool) -> Result<(), Refusal> {
        if right < Right::Owner {
            return Err(Refusal::Forbidden);
        }
        for _ in 0..TRIES {
            let Some(found) = self.store.collection(address).await? else { return Err(Refusal::NotFound) };
            let mut subscribers = self.store.subscribers_behind(found.id, None, INLINE + 1).await?;
            let crowd = subscribers.len() > INLINE;
            if crowd {
                subscribers.clear();
            }
            let mut gone = vec![address.clone()];
            gone.extend(found.grants.iter().filter_map(|grant| found.mirror(grant)));
            gone.extend(subscribers.iter().cloned());
            match self.bury(user, &found, subscribers, tells, crowd).await? {
                Buried::Done => {
                    if crowd {
                        self.nudges.announcements.notify_one();
                    }
                    for channel in &gone {
                        self.forget_channel(channel).await?;
                    }
                    return Ok(());
                }
                Buried::Moved => {}
            }
        }
        Err(Refusal::Busy { limit: "the subscriptions of this collection keep changing", retry_seconds: 1 })
    }

    /// One tombstone commit: heads, mirrors and subscriptions go at once; what hung on the number is swept later. A crowd of subscribers is
    /// told behind it.
    async fn bury(
        &self,
        user: &UserName,
        found: &Collection,
        subscribers: Vec<Address>,
        tells: bool,
        crowd: bool,
    ) -> Result<Buried, Refusal> {
        let mirrors: Vec<Address> = found.grants.iter().filter_map(|grant| found.mirror(grant)).collect();
        let source = match &found.source {
            Source::Subscribed(at, _) | Source::Delegated(at, _) => Some(at.clone()),
            Source::Own => None,
        };
        let mut reads = vec![keys::collection(&found.address)];
        reads.extend(mirrors.iter().chain(&subscribers).map(keys::collection));
        reads.extend(source.as_ref().map(keys::collection));
        // It goes together with the feed that keeps it.
        let feed = found.kept.is_some().then(|| keys::feed(found.address.user(), found.address.name()));
        let kept_by = reads.len();
        reads.extend(feed);
        let (user, found, now) = (user.clone(), found.clone(), self.now());
        let (_, outcome) = self
            .commit(reads, move |seen, stamp| {
                let gone = collections::seen(seen.first())?.ok_or(Refusal::NotFound)?;
                let mirrored =
                    |one: &Collection| one.grants.iter().map(|grant| grant.mirror.clone()).collect::<Vec<_>>();
                if gone.id != found.id
                    || mirrored(&gone) != mirrored(&found)
                    || gone.subscriptions != found.subscriptions
                {
                    return Ok((Vec::new(), Buried::Moved));
                }
                let mut writes = Vec::new();
                let holds = gone.source == Source::Own && gone.address.kind() == Kind::Calendar && gone.objects > 0;
                // Who unsubscribes declines nothing.
                if tells && holds && !gone.address.is_mailbox() && gone.kept.is_none() {
                    let burial = Burial { collection: gone.id, address: gone.address.clone(), after: None };
                    scheduling::write_burial(&mut writes, gone.id, Some(&burial));
                }
                let mut pen = Pen::new(now, stamp.0);
                let mut leaves = Vec::new();
                for row in &seen[1..=mirrors.len() + subscribers.len()] {
                    if let Some(leaf) = collections::seen(Some(row))?.filter(|leaf| leaf.origin().1 == gone.id) {
                        collections::remove(&mut writes, &leaf);
                        leaves.push(leaf.address);
                    }
                }
                collections::remove(&mut writes, &gone);
                if let Some(feed) = feeds::seen(seen.get(kept_by))? {
                    feeds::remove(&mut writes, &feed);
                }
                if source.is_some() {
                    let source = collections::seen(seen.last())?;
                    match gone.source {
                        Source::Subscribed(_, id) => touch_subscriptions(&mut writes, source, id, stamp.0),
                        // Its holder can show it again.
                        _ => hide_mirror(&mut writes, source, &gone),
                    }
                }
                if crowd {
                    let (source, before) = (gone.id, stamp.0);
                    announcements::write(&mut writes, &Announcement { source, ends: true, before, after: None });
                    announcements::done(&mut writes, source, false);
                }
                // Who hid their mirror hears nothing more of it.
                let mut news = list_changes(Some(&gone), None, &subscribers);
                news.retain(|news| news.user == user || leaves.contains(&news.address) || news.address == gone.address);
                tell(&mut pen, &mut writes, news);
                if gone.source == Source::Own && gone.address.kind() == Kind::Calendar {
                    presence::remind(&mut writes, now, gone.address.user(), stamp.0);
                }
                if gone.source == Source::Own {
                    let event = Event::RightsChanged { collection: gone.id, address: gone.address.clone() };
                    pen.tell(&mut writes, event);
                }
                Ok((writes, Buried::Done))
            })
            .await?;
        self.nudge_edge(now);
        Ok(outcome)
    }
}

#[derive(Clone, Copy)]
enum Buried {
    Done,
    /// Grants or subscriptions changed since they were read.
    Moved,
}

/// Notes in the source's head that who subscribes to it changed.
pub(crate) fn touch_subscriptions(writes: &mut Writes, source: Option<Collection>, id: CollectionId, stamp: u64) {
    if let Some(mut source) = source.filter(|source| source.id == id) {
        source.subscriptions = stamp;
        collections::write(writes, &source);
    }
}

/// Notes in the source's head that a delegate took the mirror out of their home.
fn hide_mirror(writes: &mut Writes, source: Option<Collection>, mirror: &Collection) {
    let Some(mut source) = source.filter(|source| source.id == mirror.origin().1) else { return };
    let theirs = |grant: &&mut Grant| {
        grant.user == *mirror.address.user() && grant.mirror == mirror.address.name() && !grant.hidden
    };
    if let Some(grant) = source.grants.iter_mut().find(theirs) {
        grant.hidden = true;
        collections::write(writes, &source);
    }
}

/// Puts list news into the journal.
pub(crate) fn tell(pen: &mut Pen, writes: &mut Writes, news: Vec<ListNews>) {
    for line in news {
        pen.tell(writes, Event::ListChanged { user: line.user, change: line.change, address: line.address });
    }
}

/// The current row of a source that a decision reads, if it is still the one that was meant.
pub(crate) fn standing(row: Option<&Option<Bytes>>, id: CollectionId) -> Result<Collection, Refusal> {
    collections::seen(row)?.filter(|found| found.id == id).ok_or(Refusal::NotFound)
}
