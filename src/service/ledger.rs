//! One commit's view of whom it concerns: conversations, messages and counts as they stand, changed together and written once. Reads no
//! store and decides nothing about calendars.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::address::{Address, UserName};
use crate::domain::alarm::Rung;
use crate::domain::event::Event;
use crate::domain::notification::{
    Conversation, ConversationId, Draft, Kind, Message, MessageId, News, State, Statistics, Unread,
};
use crate::kv::Writes;
use crate::store::journal::Pen;
use crate::store::{StoreError, keys, notifications, record};

/// Where a message belongs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub user: UserName,
    pub conversation: ConversationId,
    pub channel: Address,
    pub uid: String,
    pub object: Option<String>,
}

impl Place {
    /// The conversation about an object, as a person sees it at their own address.
    pub fn of_object(channel: &Address, name: &str, uid: &str) -> Place {
        Place {
            user: channel.user().clone(),
            conversation: ConversationId::of(channel, uid),
            channel: channel.clone(),
            uid: uid.to_owned(),
            object: Some(name.to_owned()),
        }
    }

    pub fn of_imports(channel: &Address) -> Place {
        Place {
            user: channel.user().clone(),
            conversation: ConversationId::of_imports(channel),
            channel: channel.clone(),
            uid: String::new(),
            object: None,
        }
    }
}

/// A message that was said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    user: UserName,
    conversation: ConversationId,
    id: MessageId,
}

impl Said {
    /// The message of an alarm that rang; `uid` is its event's.
    pub fn of_alarm(rung: &Rung, uid: &str) -> Said {
        let conversation = ConversationId::of(rung.alarm.object.collection(), uid);
        Said { user: rung.user.clone(), conversation, id: MessageId::of_alarm(conversation, rung.alarm.id) }
    }

    pub fn want(&self, wanted: &mut Wanted) {
        wanted.message(&self.user, self.conversation, self.id);
    }
}

/// The rows that a commit will need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    people: BTreeSet<UserName>,
    conversations: BTreeSet<(UserName, ConversationId)>,
    messages: BTreeSet<(UserName, ConversationId, MessageId)>,
}

impl Wanted {
    pub fn conversation(&mut self, user: &UserName, conversation: ConversationId) {
        self.people.insert(user.clone());
        self.conversations.insert((user.clone(), conversation));
    }

    pub fn message(&mut self, user: &UserName, conversation: ConversationId, id: MessageId) {
        self.conversation(user, conversation);
        self.messages.insert((user.clone(), conversation, id));
    }

    /// Only what some people need.
    pub fn of(mut self, whom: impl Fn(&UserName) -> bool) -> Wanted {
        self.people.retain(|user| whom(user));
        self.conversations.retain(|(user, _)| whom(user));
        self.messages.retain(|(user, _, _)| whom(user));
        self
    }

    /// Their keys, in the order in which [`Ledger::open`] wants the rows.
    pub fn reads(&self) -> Vec<Bytes> {
        let people = self.people.iter().flat_map(|user| [keys::user(user), keys::statistics(user)]);
        let conversations = self.conversations.iter().map(|(user, id)| keys::conversation(user, *id));
        let messages = self.messages.iter().map(|(user, of, id)| keys::message(user, *of, *id));
        people.chain(conversations).chain(messages).collect()
    }
}

#[derive(Debug, Default)]
struct Person {
    /// Removed people are told nothing, and leave nothing.
    there: bool,
    known: bool,
    statistics: Statistics,
    changed: bool,
}

/// The rows as they stand in one commit, and what becomes of them.
#[derive(Debug)]
pub(crate) struct Ledger {
    now: DateTime<Utc>,
    people: BTreeMap<UserName, Person>,
    conversations: BTreeMap<(UserName, ConversationId), (Option<Conversation>, bool)>,
    messages: BTreeMap<(UserName, ConversationId, MessageId), Option<Message>>,
    writes: Writes,
    news: Vec<(UserName, News)>,
}

impl Ledger {
    /// Opens it over the rows of [`Wanted::reads`].
    pub fn open(wanted: &Wanted, rows: &[Option<Bytes>], now: DateTime<Utc>) -> Result<Ledger, StoreError> {
        let mut rows = rows.iter().map(Option::as_ref);
        let mut next = || rows.next().flatten();
        let mut people = BTreeMap::new();
        for user in &wanted.people {
            let there = next().is_some();
            let statistics = next().map(|bytes| record::notifications::statistics(bytes)).transpose()?;
            let (known, statistics) = (statistics.is_some(), statistics.unwrap_or_default());
            people.insert(user.clone(), Person { there, known, statistics, changed: false });
        }
        let mut conversations = BTreeMap::new();
        for key in &wanted.conversations {
            let found = next().map(|bytes| record::notifications::conversation(bytes)).transpose()?;
            conversations.insert(key.clone(), (found, false));
        }
        let mut messages = BTreeMap::new();
        for key in &wanted.messages {
            messages.insert(key.clone(), next().map(|bytes| record::notifications::message(bytes)).transpose()?);
        }
        Ok(Ledger { now, people, conversations, messages, writes: Writes::new(), news: Vec::new() })
    }

    /// A message that is said now, anew where it stood there before.
    pub fn post(&mut self, place: &Place, title: &str, draft: &Draft, sent_at: DateTime<Utc>) {
        let Place { user, conversation: of, .. } = place;
        let Some(person) = self.people.get_mut(user).filter(|person| person.there) else { return };
        let mut message = draft.settled(*of, place.object.as_deref(), sent_at);
        let slot = self.conversations.entry((user.clone(), *of)).or_default();
        let fresh = || Conversation::new(*of, place.channel.clone(), &place.uid, sent_at);
        let conversation = slot.0.get_or_insert_with(fresh);
        let counted = conversation.count(self.now);
        message.order = counted;
        let row = self.messages.entry((user.clone(), *of, message.id)).or_default();
        let before = row.replace(message.clone());
        let known = before.is_some();
        let mut fewer = 0;
        if draft.answers {
            let settled = [Kind::Invitation, Kind::Update, Kind::Cancellation];
            fewer = conversation.read(|one| settled.contains(&one.kind)).len() as i64;
        }
        let more = conversation.take(&message, known, draft.unread);
        if !title.is_empty() {
            title.clone_into(&mut conversation.title);
        }
        let unread = conversation.unread.len() as u64;
        slot.1 = true;
        person.statistics.messages += u64::from(!known);
        let first = person.add(more - fewer);
        notifications::write(&mut self.writes, user, *of, &message, before.map(|before| before.sent_at));
        self.tell(place.user.clone(), *of, Some((message, !known)), unread, counted, first);
    }

    /// Marks messages of a conversation as read that were still to be; one of them, if `shown`, is told with its new state.
    pub fn read(&mut self, user: &UserName, of: ConversationId, which: impl Fn(&Unread) -> bool, shown: bool) {
        let Some(person) = self.people.get_mut(user).filter(|person| person.there) else { return };
        let Some((Some(conversation), changed)) = self.conversations.get_mut(&(user.clone(), of)) else { return };
        let read = conversation.read(which);
        if read.is_empty() {
            return;
        }
        let counted = conversation.count(self.now);
        let unread = conversation.unread.len() as u64;
        *changed = true;
        let first = person.add(-(read.len() as i64));
        let mut told = None;
        for id in read {
            let row = self.messages.get_mut(&(user.clone(), of, id)).and_then(Option::as_mut);
            let Some(message) = row else { continue };
            if message.state != State::Delivered {
                message.state = State::Delivered;
                notifications::write(&mut self.writes, user, of, message, Some(message.sent_at));
            }
            told = Some((message.clone(), false));
        }
        self.tell(user.clone(), of, told.filter(|_| shown), unread, counted, first);
    }

    /// A person has dealt with the messages of one kind by one sender.
    pub fn deal_with_those(&mut self, user: &UserName, of: ConversationId, ids: &[MessageId]) {
        self.read(user, of, |one| ids.contains(&one.id), true);
    }

    /// A person has dealt with a message: it is read and delivered.
    pub fn deal_with(&mut self, said: Option<&Said>) {
        if let Some(Said { user, conversation, id }) = said {
            self.read(user, *conversation, |one| one.id == *id, true);
            self.turn((user, *conversation, *id), State::Pending, State::Delivered, true);
        }
    }

    /// Gives a message another state, if it has this one. `told`: whether its person hears of it.
    pub fn turn(&mut self, (user, of, id): (&UserName, ConversationId, MessageId), from: State, to: State, told: bool) {
        let there = self.people.get(user).is_some_and(|person| person.there);
        let Some(Some(message)) = self.messages.get_mut(&(user.clone(), of, id)) else { return };
        if !there || message.state != from {
            return;
        }
        message.state = to;
        let message = message.clone();
        notifications::write(&mut self.writes, user, of, &message, Some(message.sent_at));
        if !told {
            return;
        }
        let Some((Some(conversation), changed)) = self.conversations.get_mut(&(user.clone(), of)) else { return };
        let counted = conversation.count(self.now);
        let unread = conversation.unread.len() as u64;
        *changed = true;
        self.tell(user.clone(), of, Some((message, false)), unread, counted, false);
    }

    /// Takes a message away for good. An unread one is told as one less.
    pub fn remove(&mut self, user: &UserName, of: ConversationId, id: MessageId, sent_at: DateTime<Utc>) {
        let Some(row) = self.messages.get_mut(&(user.clone(), of, id)) else { return };
        // Said anew since somebody looked: it is as young as that.
        let Some(message) = row.take_if(|message| message.sent_at == sent_at) else { return };
        notifications::remove(&mut self.writes, user, of, id, message.sent_at);
        let Some((Some(conversation), changed)) = self.conversations.get_mut(&(user.clone(), of)) else { return };
        conversation.messages = conversation.messages.saturating_sub(1);
        *changed = true;
        let fewer = conversation.read(|one| one.id == id).len() as i64;
        let (counted, unread) = (conversation.count(self.now), conversation.unread.len() as u64);
        if let Some(person) = self.people.get_mut(user) {
            person.statistics.messages = person.statistics.messages.saturating_sub(1);
            let first = person.add(-fewer);
            if fewer > 0 && person.there {
                self.tell(user.clone(), of, None, unread, counted, first);
            }
        }
    }

    fn tell(
        &mut self,
        user: UserName,
        of: ConversationId,
        message: Option<(Message, bool)>,
        unread: u64,
        counted: i64,
        first: bool,
    ) {
        let Some((Some(conversation), _)) = self.conversations.get(&(user.clone(), of)) else { return };
        let total = self.people.get(&user).map_or(0, |person| person.statistics.unread);
        let (channel, title) = (conversation.channel.clone(), conversation.title.clone());
        self.news.push((user, News { conversation: of, channel, title, message, unread, counted, total, first }));
    }

    /// Writes what changed, and tells it.
    pub fn close(self, writes: &mut Writes, stamp: u64) {
        writes.extend(self.writes);
        for ((user, _), (conversation, changed)) in &self.conversations {
            if let Some(conversation) = conversation.as_ref().filter(|_| *changed) {
                notifications::write_conversation(writes, user, conversation);
            }
        }
        for (user, person) in self.people.iter().filter(|(_, person)| person.changed && person.there) {
            notifications::write_statistics(writes, user, &person.statistics);
        }
        let mut pen = Pen::behind(self.now, stamp);
        for (user, news) in self.news {
            pen.tell(writes, Event::Notified { user, news: Box::new(news) });
        }
    }
}

impl Person {
    /// Counts so many more or fewer unread; whether this is the person's first count of all.
    fn add(&mut self, more: i64) -> bool {
        self.statistics.unread = self.statistics.unread.saturating_add_signed(more);
        self.changed = true;
        !std::mem::replace(&mut self.known, true)
    }
}
