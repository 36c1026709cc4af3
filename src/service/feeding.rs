//! One run of a feed: what it holds is brought to the spool, imported as any file is, and how that went is noted and told. Opens no connection.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::{Collection, list_changes};
use crate::domain::event::cut;
use crate::domain::feed::{Feed, From, Pace, WHY_MAX, host_of};
use crate::domain::import::{Counts, Import, Media, Order, Status};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::ical::wishes::{Wishes, wishes};
use crate::service::Service;
use crate::service::announcements::INLINE;
use crate::service::collections::{COLOR_MAX, NAME_MAX, tell};
use crate::service::fetching::{Errand, Haul};
use crate::service::peek;
use crate::service::uploads::{Declared, Incoming};
use crate::store::journal::Pen;
use crate::store::{collections, feeds, keys};

/// When a feed is looked at next, and after which instant.
pub type Next = dyn Fn(&Feed, DateTime<Utc>) -> DateTime<Utc> + Send + Sync;

/// How long one look at an import takes that is waited for.
const LOOK: Duration = Duration::from_secs(60);

/// What is known of the version that was imported.
#[derive(Clone, Debug, Default)]
struct Version {
    etag: Option<String>,
    modified: Option<String>,
    hash: Vec<u8>,
    wishes: Wishes,
}

/// What a run came to.
#[derive(Clone, Debug)]
enum Run {
    /// There is nobody, or nothing, to run it for.
    Gone,
    /// Nothing is new.
    Same(Version),
    Done(Box<Import>, Version),
    Failed {
        why: String,
        import: Option<Box<Import>>,
    },
}

/// What was brought.
struct Load<'a> {
    incoming: Incoming<'a>,
    version: Version,
    charset: Option<String>,
}

/// What a feed brings: nothing new, a load, or why it brings none.
type Brought<'a> = Result<Option<Load<'a>>, String>;

impl Service {
    /// Runs a feed once, whatever comes of it, and notes when it is due next. An error is ours, and the feed stays due.
    pub async fn run_feed(&self, user: &UserName, id: &str, next: &Next) -> Result<(), Refusal> {
        let outcome = self.run_one(user, id, next).await;
        self.nudges.fed.notify_waiters();
        outcome
    }

    async fn run_one(&self, user: &UserName, id: &str, next: &Next) -> Result<(), Refusal> {
        let Some(feed) = self.begin_run(user, id).await? else { return self.drop_strays(user, id).await };
        let run = self.work_feed(&feed).await?;
        let what = match &run {
            Run::Gone => return self.end_feed(&feed).await,
            Run::Same(_) => "unchanged",
            Run::Done(..) => "imported",
            Run::Failed { why, .. } => {
                tracing::info!(feed = feed.id, why, "a feed failed");
                "failed"
            }
        };
        self.meter.fetched(what);
        self.settle_run(&feed, run, next).await
    }

    /// Notes that a run begins: what changes from now on is for another.
    async fn begin_run(&self, user: &UserName, id: &str) -> Result<Option<Feed>, Refusal> {
        let (_, feed) = self
            .commit(vec![keys::feed(user, id)], move |seen, _| {
                let Some(mut feed) = feeds::seen(seen.first())? else { return Ok((Vec::new(), None)) };
                let before = feed.clone();
                feed.state.again = false;
                feed.state.running = Some(String::new());
                let mut writes = Vec::new();
                feeds::write(&mut writes, Some(&before), &feed);
                Ok((writes, Some(feed)))
            })
            .await?;
        Ok(feed)
    }

    /// Rows that say when a feed is due that is no more.
    async fn drop_strays(&self, user: &UserName, id: &str) -> Result<(), Refusal> {
        let due = self.store.feeds_due(usize::from(u16::MAX)).await?;
        let stray = due.into_iter().filter(|(_, whose, which)| whose == user && which == id);
        self.remove(stray.map(|(at, user, id)| keys::feed_due(at, &user, &id)).collect()).await
    }

    async fn work_feed(&self, feed: &Feed) -> Result<Run, Refusal> {
        let failed = |why: String| Ok(Run::Failed { why, import: None });
        let Some(caller) = self.store.principal(&feed.user).await? else {
            return if feed.keeps() {
                Ok(Run::Gone)
            } else {
                failed(format!("nobody is called {}", feed.user.as_str()))
            };
        };
        match self.store.collection(&feed.target).await? {
            Some(found) if feed.keeps() && found.kept.is_none() => return Ok(Run::Gone),
            Some(found) if !feed.keeps() && found.kept.is_some() => {
                return failed(format!("{} is kept by another feed", feed.target));
            }
            Some(_) => {}
            None if feed.keeps() => return Ok(Run::Gone),
            None => match self.make_first_collection(&feed.target, feed.target.name()).await {
                Ok(()) | Err(Refusal::Exists) => {}
                Err(refusal) => return Err(refusal),
            },
        }
        let brought = match &feed.from {
            From::Url(url) => self.bring_url(&caller, feed, url).await,
            From::Directory(path) => self.bring_directory(&caller, feed, path).await,
            From::Birthdays(_, book) => match self.readable_book(&caller.name, *book).await? {
                Some(source) => self.bring_birthdays(&caller, &source).await,
                None => return Ok(Run::Gone),
            },
        };
        let load = match brought {
            Err(Refusal::TooLarge { limit }) => return failed(format!("it is larger than {limit} bytes")),
            Err(refusal @ Refusal::TooOften { .. }) => return failed(refusal.to_string()),
            Err(refusal) => return Err(refusal),
            Ok(Err(why)) => return failed(why),
            Ok(Ok(None)) => return Ok(Run::Same(Version::default())),
            Ok(Ok(Some(load))) => load,
        };
        let Load { incoming, version, charset } = load;
        if version.hash == feed.state.hash && !feed.state.forced {
            return Ok(Run::Same(version));
        }
        let media = match feed.target.kind() {
            Kind::Calendar => Media::Calendar,
            Kind::AddressBook => Media::Card,
        };
        let declared = Declared { name: feed.id.clone(), media, size: incoming.size(), charset };
        let order = Order {
            mode: feed.mode,
            source: feed.source.clone(),
            dry_run: false,
            // Whoever takes days of birth out of an address book means it.
            force: feed.state.forced || matches!(feed.from, From::Birthdays(..)),
            fed: true,
        };
        let taken = self.take_import(&caller, feed.target.clone(), order, declared, incoming, None).await;
        let import = match taken {
            Ok(import) => import,
            Err(refusal @ Refusal::TooOften { .. }) => return failed(refusal.to_string()),
            Err(Refusal::Unauthenticated) => return Ok(Run::Gone),
            Err(refusal) => return Err(refusal),
        };
        self.note_running(feed, &import.id).await?;
        let ended = loop {
            match self.wait_for_import(&caller, &import.id, LOOK).await {
                Ok(import) if import.status.ended() => break import,
                Ok(_) => {}
                Err(Refusal::NotFound) => return Ok(Run::Gone),
                Err(refusal) => return Err(refusal),
            }
        };
        let none = ended.counts.failed > 0 && ended.counts.succeeded() + ended.counts.skipped == 0;
        let why = match ended.status {
            Status::Cancelled => "its import was cancelled".to_owned(),
            Status::Completed if none => format!("none of its {} items could be read", ended.counts.failed),
            Status::Completed => return Ok(Run::Done(Box::new(ended), version)),
            _ => {
                let failures = self.store.import_failures(&ended.id).await?;
                failures.last().map_or("it could not be read".to_owned(), |(failure, _)| failure.why.clone())
            }
        };
        Ok(Run::Failed { why, import: Some(Box::new(ended)) })
    }

    async fn note_running(&self, feed: &Feed, import: &str) -> Result<(), Refusal> {
        let import = import.to_owned();
        self.commit(vec![keys::feed(&feed.user, &feed.id)], move |seen, _| {
            let Some(before) = feeds::seen(seen.first())? else { return Ok((Vec::new(), ())) };
            let mut after = before.clone();
            after.state.running = Some(import.clone());
            let mut writes = Vec::new();
            feeds::write(&mut writes, Some(&before), &after);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    async fn bring_url(&self, caller: &Principal, feed: &Feed, url: &str) -> Result<Brought<'_>, Refusal> {
        let Some(fetch) = self.fetch.get() else { return Ok(Err("this server fetches nothing".to_owned())) };
        let known = |known: &Option<String>| known.clone().filter(|_| !feed.state.forced);
        let errand = Errand {
            url: url.to_owned(),
            etag: known(&feed.state.etag),
            modified: known(&feed.state.modified),
            // What subscriptions may is as it is configured now.
            private: if feed.keeps() { self.settings.feeds.allow_private } else { feed.private },
        };
        let mut haul = Haul::new(self.begin_upload(caller).await?, self.settings.feeds.body_bytes);
        let answer = match fetch.fetch(&errand, &mut haul).await {
            Ok(answer) if answer.same => return Ok(Ok(None)),
            Ok(answer) => answer,
            Err(why) => return Ok(Err(why)),
        };
        let head = peek::beginning(&haul.head);
        if let Err(why) = peek::check(&head, feed.target.kind()) {
            return Ok(Err(why));
        }
        let wishes = if feed.keeps() { wishes(&head) } else { Wishes::default() };
        let hash = haul.incoming.hash().to_vec();
        let version = Version { etag: answer.etag, modified: answer.modified, hash, wishes };
        Ok(Ok(Some(Load { incoming: haul.incoming, version, charset: answer.charset })))
    }

    async fn bring_directory(&self, caller: &Principal, feed: &Feed, path: &str) -> Result<Brought<'_>, Refusal> {
        let mut haul = Haul::new(self.begin_upload(caller).await?, self.settings.feeds.body_bytes);
        if let Err(why) = self.gather(path, feed.target.kind(), &mut haul).await? {
            return Ok(Err(why));
        }
        let version = Version { hash: haul.incoming.hash().to_vec(), ..Version::default() };
        Ok(Ok(Some(Load { incoming: haul.incoming, version, charset: None })))
    }

    async fn bring_birthdays(&self, caller: &Principal, book: &Collection) -> Result<Brought<'_>, Refusal> {
        let mut haul = Haul::new(self.begin_upload(caller).await?, self.settings.uploads.user_bytes);
        if let Err(why) = self.gather_birthdays(&caller.name, book, &mut haul).await? {
            return Ok(Err(why));
        }
        // What it was made of is at least as new as this.
        let etag = Some(book.token.0.to_string());
        let version = Version { etag, hash: haul.incoming.hash().to_vec(), ..Version::default() };
        Ok(Ok(Some(Load { incoming: haul.incoming, version, charset: None })))
    }

    /// The calendar that it kept is gone, or what it was made of: both go.
    async fn end_feed(&self, feed: &Feed) -> Result<(), Refusal> {
        match self.delete_kept(&feed.target).await {
            Ok(()) | Err(Refusal::NotFound) => {}
            Err(refusal) => return Err(refusal),
        }
        self.commit(vec![keys::feed(&feed.user, &feed.id)], move |seen, _| {
            let mut writes = Vec::new();
            feeds::seen(seen.first())?.iter().for_each(|feed| feeds::remove(&mut writes, feed));
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    async fn delete_kept(&self, at: &Address) -> Result<(), Refusal> {
        match self.store.collection(at).await? {
            Some(found) if found.kept.is_some() => {
                self.delete_collection_as(at.user(), crate::domain::access::Right::Owner, at).await
            }
            _ => Ok(()),
        }
    }

    /// The last commit of a run: how the feed does now, when it is due next, and the news where it went down or came back.
    async fn settle_run(&self, feed: &Feed, run: Run, next: &Next) -> Result<(), Refusal> {
        let now = self.now();
        let settings = self.settings.feeds.clone();
        let mut paced = feed.clone();
        if let (Run::Done(_, version) | Run::Same(version), Pace::Every { seconds, chosen: false }) =
            (&run, &mut paced.pace)
            && let Some(wish) = version.wishes.refresh
        {
            let wish = u32::try_from(wish).unwrap_or(u32::MAX);
            *seconds = wish.clamp(settings.refresh_min_seconds, settings.refresh_max_seconds);
        }
        let due = next(&paced, now).max(now + TimeDelta::seconds(1));
        let pace = paced.pace;
        let head = self.store.collection(&feed.target).await?;
        let subscribers = match &head {
            Some(head) => self.store.subscribers_behind(head.id, None, INLINE).await?,
            None => Vec::new(),
        };
        let (ran, forced) = (feed.clone(), feed.state.forced);
        let reads = vec![keys::feed(&feed.user, &feed.id), keys::collection(&feed.target)];
        self.commit(reads, move |seen, stamp| {
            let Some(before) = feeds::seen(seen.first())? else { return Ok((Vec::new(), ())) };
            let mut after = before.clone();
            after.pace = pace.clone();
            let state = &mut after.state;
            state.running = None;
            state.ran = Some(now);
            state.forced = before.state.again && before.state.forced && !forced;
            state.due = if before.state.again { now } else { due };
            match &run {
                Run::Gone => return Ok((Vec::new(), ())),
                Run::Same(_) | Run::Done(..) => {
                    state.succeeded = Some(now);
                    state.why.clear();
                    state.failures = 0;
                    state.down = false;
                }
                Run::Failed { why, .. } => {
                    state.failed = Some(now);
                    state.why = cut(why, WHY_MAX);
                    state.failures = state.failures.saturating_add(1);
                    state.down |= state.failures >= settings.failures;
                }
            }
            if let Run::Done(_, version) | Run::Same(version) = &run
                && !version.hash.is_empty()
            {
                state.etag.clone_from(&version.etag);
                state.modified.clone_from(&version.modified);
                state.hash.clone_from(&version.hash);
            }
            if let Run::Done(import, _) | Run::Failed { import: Some(import), .. } = &run {
                state.import = Some(import.id.clone());
                state.counts = import.counts;
                state.warnings.clone_from(&import.warnings);
            } else if let Run::Failed { import: None, .. } = &run {
                (state.import, state.counts) = (None, Counts::default());
                state.warnings.clear();
            }
            let first = ran.state.succeeded.is_none();
            let mut writes = Vec::new();
            feeds::write(&mut writes, Some(&before), &after);
            if let Some(head) = collections::seen(seen.get(1))? {
                let mut shown = head.clone();
                shown.down = after.state.down;
                // What it calls itself counts where nobody has said otherwise.
                if let (From::Url(url), true, Run::Done(_, version)) = (&ran.from, first && ran.keeps(), &run) {
                    let Wishes { name, color, .. } = &version.wishes;
                    if let Some(name) = name.as_ref().filter(|_| shown.display_name == host_of(url)) {
                        shown.display_name = cut(name, NAME_MAX);
                    }
                    if let Some(color) = color.as_ref().filter(|color| color.len() <= COLOR_MAX)
                        && shown.color.is_empty()
                    {
                        shown.color.clone_from(color);
                    }
                }
                if shown != head {
                    collections::write(&mut writes, &shown);
                    let news = list_changes(Some(&head), Some(&shown), &subscribers);
                    tell(&mut Pen::new(now, stamp.0), &mut writes, news);
                }
            }
            Ok((writes, ()))
        })
        .await?;
        self.nudges.feeds.notify_one();
        Ok(())
    }
}
