//! Feeds as people and operators see them: asked for, listed, looked at when they are due. What one run does is `feeding.rs`.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::access::Right;
use crate::domain::access::right_of;
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::{Collection, CollectionId, Kept, Source, list_changes};
use crate::domain::feed::{BIRTHDAYS, FEED, Feed, From, Pace, State, fetchable, host_of};
use crate::domain::import::Mode;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::time::Length;
use crate::service::Service;
use crate::service::collections::{COLOR_MAX, NAME_MAX, check_text, standing, tell};
use crate::service::principals::still_there;
use crate::store::journal::Pen;
use crate::store::{collections, feeds, keys, proxies};
use crate::system::random;

/// Feeds that a list shows.
const LISTED_MAX: usize = 10_000;
/// When a feed is looked at again that follows its source, should nobody have told that it changed.
pub(crate) const FOLLOWS_DAYS: i64 = 366;

/// A feed that the operator configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operated {
    pub name: String,
    pub from: From,
    pub target: Address,
    pub mode: Mode,
    pub source: String,
    pub schedule: String,
    pub zone: String,
    pub private: bool,
}

/// What somebody wants to subscribe to.
#[derive(Clone, Debug, Default)]
pub struct Subscription {
    pub url: String,
    pub name: Option<String>,
    pub color: Option<String>,
    /// Seconds between two looks.
    pub refresh: Option<u32>,
}

impl Subscription {
    /// A length as iCalendar writes it in seconds: `PT1H`, `P1D`. None where it is no length ahead.
    pub fn seconds(text: &str) -> Option<u32> {
        Length::parse(text).and_then(|length| u32::try_from(length.about()).ok()).filter(|seconds| *seconds > 0)
    }
}

impl Service {
    /// Makes the operator's feeds those that are configured now. One that is new or says something else is due at once; one that is
    /// configured no longer goes, and what it brought stays.
    pub async fn start_feeds(&self, operated: Vec<Operated>) -> Result<(), Refusal> {
        let now = self.now();
        for feed in self.store.feeds(None).await? {
            let wanted = operated.iter().any(|one| one.name == feed.id && one.target.user() == &feed.user);
            if !feed.keeps() && !wanted {
                let reads = vec![keys::feed(&feed.user, &feed.id), keys::collection(&feed.target)];
                self.commit(reads, move |seen, stamp| {
                    let mut writes = Vec::new();
                    feeds::seen(seen.first())?.iter().for_each(|feed| feeds::remove(&mut writes, feed));
                    // Nothing fails there any more.
                    if let Some(head) = collections::seen(seen.get(1))?.filter(|head| head.down) {
                        let up = Collection { down: false, ..head.clone() };
                        collections::write(&mut writes, &up);
                        let news = list_changes(Some(&head), Some(&up), &[]);
                        tell(&mut Pen::new(now, stamp.0), &mut writes, news);
                    }
                    Ok((writes, ()))
                })
                .await?;
            }
        }
        for one in operated {
            let fresh = Feed {
                id: one.name,
                user: one.target.user().clone(),
                target: one.target,
                from: one.from,
                mode: one.mode,
                source: one.source,
                pace: Pace::Cron { schedule: one.schedule, zone: one.zone },
                private: one.private,
                state: State::fresh(now),
            };
            self.commit(vec![keys::feed(&fresh.user, &fresh.id)], move |seen, _| {
                let before = feeds::seen(seen.first())?;
                let mut feed = fresh.clone();
                if let Some(before) = &before {
                    let same = Feed { state: before.state.clone(), ..feed.clone() } == *before;
                    if same {
                        return Ok((Vec::new(), ()));
                    }
                    // How it did stays; what was known of the old place says nothing of the new.
                    feed.state = State { due: now, ..before.state.clone() };
                    if before.from != feed.from || before.target != feed.target || before.source != feed.source {
                        feed.state = State { down: before.state.down, ..State::fresh(now) };
                    }
                }
                let mut writes = Vec::new();
                feeds::write(&mut writes, before.as_ref(), &feed);
                Ok((writes, ()))
            })
            .await?;
        }
        // What changed in an address book just before the end of the last run was perhaps not seen any more.
        for (source, ..) in self.store.followers(None).await? {
            self.note_book(source);
        }
        Ok(())
    }

    /// A calendar in the caller's home that shows what is at a URL, and that nobody writes into. It is filled in a moment. Its name is made
    /// up where none is given.
    pub async fn subscribe_to_url(
        &self,
        caller: &Principal,
        id: Option<&str>,
        wanted: Subscription,
    ) -> Result<Address, Refusal> {
        let settings = &self.settings.feeds;
        let wrong = |why: &str| Refusal::from(Fault::whole(format!("url: {why}")));
        if !settings.subscriptions {
            return Err(Refusal::Unsupported("this server takes no subscriptions to URLs".to_owned()));
        }
        let url = fetchable(&wanted.url).map_err(wrong)?;
        check_text("a name", wanted.name.as_deref().unwrap_or_default(), NAME_MAX)?;
        check_text("a color", wanted.color.as_deref().unwrap_or_default(), COLOR_MAX)?;
        let (least, most) = (settings.refresh_min_seconds, settings.refresh_max_seconds);
        if wanted.refresh.is_some_and(|seconds| !(least..=most).contains(&seconds)) {
            return Err(Fault::whole(format!("refresh: from {least} to {most} seconds")).into());
        }
        let Some(fetch) = self.fetch.get() else {
            return Err(Refusal::Unsupported("this server fetches nothing".to_owned()));
        };
        self.refreshes.admit(caller.name.as_str())?;
        fetch.check(&url, settings.allow_private).await.map_err(|why| wrong(&why))?;
        let theirs = self.store.feeds(Some(&caller.name)).await?;
        if theirs.iter().filter(|feed| matches!(feed.from, From::Url(_)) && feed.keeps()).count() >= settings.per_user {
            return Err(Refusal::Full(format!("a person has at most {} subscriptions to URLs", settings.per_user)));
        }
        let fresh = || format!("{FEED}{}", random::uuid(&*self.random).simple());
        let id = id.map_or_else(fresh, str::to_owned);
        let name = wanted.name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| host_of(&url).to_owned());
        let seconds = wanted.refresh.unwrap_or(settings.refresh_seconds);
        let pace = Pace::Every { seconds, chosen: wanted.refresh.is_some() };
        let color = wanted.color.unwrap_or_default();
        self.keep(caller, &id, Kept::Feed(url.clone()), From::Url(url), pace, (&name, &color)).await
    }

    /// A calendar in the caller's home that shows the birthdays of an address book which they may read. `Exists` where there is one.
    pub async fn show_birthdays(
        &self,
        caller: &Principal,
        book: &Address,
        name: Option<String>,
        color: Option<String>,
    ) -> Result<Address, Refusal> {
        if book.kind() != Kind::AddressBook {
            return Err(Refusal::NotFound);
        }
        check_text("a name", name.as_deref().unwrap_or_default(), NAME_MAX)?;
        check_text("a color", color.as_deref().unwrap_or_default(), COLOR_MAX)?;
        let source = self.view(&caller.name, book).await?.source;
        let id = birthdays_of(source.id);
        let shown = name.filter(|name| !name.trim().is_empty());
        let shown = shown.unwrap_or_else(|| format!("{} – birthdays", source.display_name));
        let from = From::Birthdays(source.address.clone(), source.id);
        let kept = Kept::Birthdays(source.address, source.id);
        self.keep(caller, &id, kept, from, Pace::Follows, (&shown, &color.unwrap_or_default())).await
    }

    /// Takes it away again.
    pub async fn hide_birthdays(&self, caller: &Principal, book: &Address) -> Result<(), Refusal> {
        let id = birthdays_of(self.view(&caller.name, book).await?.source.id);
        let at = Address::new(Kind::Calendar, caller.name.as_str(), &id).ok_or(Refusal::NotFound)?;
        self.delete_collection(caller, &at).await
    }

    /// The calendar, its feed, and the news of it: one commit.
    async fn keep(
        &self,
        caller: &Principal,
        id: &str,
        kept: Kept,
        from: From,
        pace: Pace,
        (name, color): (&str, &str),
    ) -> Result<Address, Refusal> {
        let at = Address::new(Kind::Calendar, caller.name.as_str(), id).ok_or(Refusal::NotFound)?;
        self.check_room(Kind::Calendar, &caller.name, false).await?;
        let now = self.now();
        let feed = Feed {
            id: id.to_owned(),
            user: caller.name.clone(),
            target: at.clone(),
            from,
            mode: Mode::Mirror,
            source: "feed".to_owned(),
            pace,
            private: false,
            state: State::fresh(now),
        };
        let (made_at, name, color) = (at.clone(), name.to_owned(), color.to_owned());
        let reads = vec![keys::collection(&at), keys::user(&caller.name), keys::proxies(&caller.name)];
        self.commit(reads, move |seen, stamp| {
            still_there(seen.get(1))?;
            if collections::seen(seen.first())?.is_some() {
                return Err(Refusal::Exists);
            }
            let mut made = Collection::new(made_at.clone(), Source::Own, &name, stamp.0);
            made.color.clone_from(&color);
            made.kept = Some(kept.clone());
            made.proxies = proxies::seen(seen.get(2))?;
            // Somebody else's games and holidays make nobody busy, unless they say so.
            made.transparent = true;
            let mut writes = Vec::new();
            collections::write_new(&mut writes, &made);
            feeds::write(&mut writes, None, &feed);
            tell(&mut Pen::new(now, stamp.0), &mut writes, list_changes(None, Some(&made), &[]));
            Ok((writes, ()))
        })
        .await?;
        self.nudges.feeds.notify_one();
        Ok(at)
    }

    /// The caller's feeds; of an administrator, everybody's, with what only the reader of a feed may know left out by the face.
    pub async fn list_feeds(&self, caller: &Principal) -> Result<Vec<Feed>, Refusal> {
        let whose = if caller.administrator { None } else { Some(&caller.name) };
        let mut all = self.store.feeds(whose).await?;
        all.truncate(LISTED_MAX);
        Ok(all)
    }

    /// One of them.
    pub async fn feed(&self, caller: &Principal, id: &str) -> Result<Feed, Refusal> {
        if let Some(feed) = self.store.feed(&caller.name, id).await? {
            return Ok(feed);
        }
        let others = if caller.administrator { self.store.feeds(None).await? } else { Vec::new() };
        others.into_iter().find(|feed| feed.id == id).ok_or(Refusal::NotFound)
    }

    /// The feed that keeps a calendar of the caller's.
    pub async fn feed_of(&self, view: &Collection) -> Result<Option<Feed>, Refusal> {
        match view.kept {
            Some(_) => Ok(self.store.feed(view.address.user(), view.address.name()).await?),
            None => Ok(None),
        }
    }

    /// Looks at a feed now. With `force`, the whole of it comes again, and whatever is gone from it is removed, however much that is.
    pub async fn refresh_feed(&self, caller: &Principal, id: &str, force: bool) -> Result<Feed, Refusal> {
        let feed = self.feed(caller, id).await?;
        self.refreshes.admit(caller.name.as_str())?;
        let (_, feed) = self.wake(&feed.user, &feed.id, force).await?;
        self.nudges.feeds.notify_one();
        feed.ok_or(Refusal::NotFound)
    }

    async fn wake(&self, user: &UserName, id: &str, force: bool) -> Result<(crate::kv::Stamp, Option<Feed>), Refusal> {
        let now = self.now();
        self.commit(vec![keys::feed(user, id)], move |seen, _| {
            let Some(before) = feeds::seen(seen.first())? else { return Ok((Vec::new(), None)) };
            let mut after = before.clone();
            after.state.due = before.state.due.min(now);
            after.state.again = true;
            after.state.forced |= force;
            let mut writes = Vec::new();
            feeds::write(&mut writes, Some(&before), &after);
            Ok((writes, Some(after)))
        })
        .await
    }

    /// Notes that a collection changed of which a feed may be made.
    pub(crate) fn note_book(&self, book: CollectionId) {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).insert(book);
        self.nudges.feeds.notify_one();
    }

    /// Makes the feeds due whose source changed.
    pub(crate) async fn wake_followers(&self) -> Result<(), Refusal> {
        // Who comes while another is at it must not believe that there was nothing to do.
        let _waking = self.waking.lock().await;
        let books: BTreeSet<CollectionId> =
            std::mem::take(&mut *self.books.lock().unwrap_or_else(PoisonError::into_inner));
        for book in books {
            let followers = self.store.followers(Some(book)).await?;
            if followers.is_empty() {
                continue;
            }
            let token = self.store.collection_by_id(book).await?.map(|source| source.token.0.to_string());
            for (_, user, id) in followers {
                let known = self.store.feed(&user, &id).await?.and_then(|feed| feed.state.etag);
                let lost = self.readable_book(&user, book).await?.is_none();
                if lost || known != token {
                    self.wake(&user, &id, false).await?;
                }
            }
        }
        Ok(())
    }

    /// The next feeds that are due, and when, the earliest first; the changes of their sources are taken in.
    pub async fn look_at_feeds(&self, limit: usize) -> Result<Vec<(DateTime<Utc>, UserName, String)>, Refusal> {
        self.wake_followers().await?;
        if self.passing.load(Ordering::Acquire) {
            // Overdue many times in one turn of the clock, a feed is looked at once: at the turn's end, which wakes whoever waits.
            return Ok(Vec::new());
        }
        Ok(self.store.feeds_due(limit).await?)
    }

    /// Ends when no feed is due any more.
    pub(crate) async fn feeds_rest(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        loop {
            let mut fed = std::pin::pin!(self.nudges.fed.notified());
            fed.as_mut().enable();
            if self.look_at_feeds(1).await?.first().is_none_or(|(at, ..)| *at > now) {
                return Ok(());
            }
            self.nudges.feeds.notify_one();
            fed.await;
        }
    }

    /// Seconds since each feed of the operator's last succeeded; of one that never did, since nothing.
    pub(crate) async fn feed_ages(&self) -> Result<Vec<(String, Option<f64>)>, Refusal> {
        let now = self.now();
        let age = |at: DateTime<Utc>| (now - at).max(TimeDelta::zero()).as_seconds_f64();
        let all = self.store.feeds(None).await?;
        Ok(all.into_iter().filter(|feed| !feed.keeps()).map(|feed| (feed.id, feed.state.succeeded.map(age))).collect())
    }

    /// Whether somebody may still read what their birthdays are made of.
    pub(crate) async fn readable_book(&self, user: &UserName, id: CollectionId) -> Result<Option<Collection>, Refusal> {
        let Some(found) = self.store.collection_by_id(id).await? else { return Ok(None) };
        let found = standing(Some(&self.store.get(keys::collection(&found.address)).await?), id)?;
        Ok(Some(found).filter(|found| right_of(user, found) >= Right::Read))
    }
}

/// The name of the calendar of an address book's birthdays.
fn birthdays_of(book: CollectionId) -> String {
    format!("{BIRTHDAYS}{:x}", book.0)
}
