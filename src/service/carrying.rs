//! Conversations that go along with what they are about: an event that moves to another calendar, a calendar that gets another name. Their
//! numbers are made of the calendar's path, so each gets a new one, with its messages. Which move is made is decided in `moving.rs`.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::address::{Address, ObjectAddress, UserName};
use crate::domain::alarm::Rung;
use crate::domain::collection::{Collection, CollectionId};
use crate::domain::event::Event;
use crate::domain::notification::{Conversation, ConversationId, Kind, Message, MessageId, News, UID_MAX, Unread};
use crate::domain::refusal::Refusal;
use crate::kv::Writes;
use crate::service::Service;
use crate::store::journal::Pen;
use crate::store::{StoreError, keys, notifications, record, rung};

/// What goes along for one person, as it was read before the commit.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    user: UserName,
    to: Address,
    /// What the object is called now; absent where it keeps its name.
    name: Option<String>,
    talks: Vec<Talk>,
    /// What rang, by its row.
    rung: Vec<Bytes>,
    /// The person's count of messages: another one means that something was said meanwhile.
    statistics: Option<Bytes>,
}

#[derive(Clone, Debug)]
struct Talk {
    before: Conversation,
    to: ConversationId,
    /// Old and new numbers.
    messages: Vec<(MessageId, MessageId)>,
}

impl Service {
    /// What goes along with an object from one calendar of a person to another of theirs, or to another name.
    pub(crate) async fn carried(
        &self,
        from: &ObjectAddress,
        to: &ObjectAddress,
        uid: &str,
    ) -> Result<Carried, Refusal> {
        let user = to.collection().user().clone();
        let statistics = self.store.get(keys::statistics(&user)).await?;
        let all = self.store.rung(&user).await?;
        let rang: Vec<&Rung> = all.iter().filter(|rung| rung.alarm.object == *from).collect();
        let (of, into) = (ConversationId::of(from.collection(), uid), ConversationId::of(to.collection(), uid));
        let mut talks = Vec::new();
        if let Some(before) = self.store.conversation(&user, of).await? {
            talks.extend(self.talk(before, into, &rang).await?);
        }
        let name = (from.name() != to.name()).then(|| to.name().to_owned());
        let rung = rang.into_iter().map(row).collect();
        Ok(Carried { user, to: to.collection().clone(), name, talks, rung, statistics })
    }

    /// What goes along with a calendar that gets another name: all that its owner heard of it.
    pub(crate) async fn carried_all(&self, source: &Collection, to: &Address) -> Result<Carried, Refusal> {
        let (user, from) = (to.user().clone(), &source.address);
        let statistics = self.store.get(keys::statistics(&user)).await?;
        let all = self.store.rung(&user).await?;
        let rang: Vec<&Rung> = all.iter().filter(|rung| rung.alarm.object.collection() == from).collect();
        let mut talks = Vec::new();
        for before in self.store.conversations(&user).await? {
            if before.channel != *from {
                continue;
            }
            let into = match self.uid_of(source.id, &before).await? {
                Some(uid) if uid.is_empty() => ConversationId::of_imports(to),
                Some(uid) => ConversationId::of(to, &uid),
                None => continue,
            };
            talks.extend(self.talk(before, into, &rang).await?);
        }
        let rung = rang.into_iter().map(row).collect();
        Ok(Carried { user, to: to.clone(), name: None, talks, rung, statistics })
    }

    /// A conversation's whole UID. A long one is cut where it is shown, and stands in the object only; `None` where that is gone.
    async fn uid_of(&self, source: CollectionId, talk: &Conversation) -> Result<Option<String>, Refusal> {
        // The cut may fall before a character of four bytes.
        if talk.uid.len() + 4 <= UID_MAX {
            return Ok(Some(talk.uid.clone()));
        }
        let last = self.store.message(talk.channel.user(), talk.id, talk.last).await?;
        let Some(name) = last.and_then(|message| message.object) else { return Ok(None) };
        Ok(self.store.object(source, &name).await?.map(|object| object.uid))
    }

    /// `None` where a conversation of that number is there already: then the old one stays, with what was said in it.
    async fn talk(&self, before: Conversation, to: ConversationId, rang: &[&Rung]) -> Result<Option<Talk>, Refusal> {
        let user = before.channel.user();
        if before.id != to && self.store.conversation(user, to).await?.is_some() {
            return Ok(None);
        }
        let messages = self.store.messages(user, Some(before.id)).await?;
        let messages = messages.into_iter().map(|(_, message)| (message.id, numbered(&message, before.id, to, rang)));
        Ok(Some(Talk { messages: messages.collect(), to, before }))
    }
}

fn row(rung: &Rung) -> Bytes {
    keys::rung(&rung.user, rung.alarm.at, rung.alarm.id)
}

/// A message's number in its new conversation: the one under which it would be said again there, as far as it tells how it was made.
fn numbered(message: &Message, from: ConversationId, to: ConversationId, rang: &[&Rung]) -> MessageId {
    if from == to {
        return message.id;
    }
    let made = |key: &str| (MessageId::of(from, key) == message.id).then(|| MessageId::of(to, key));
    let known = match message.kind {
        Kind::Invitation => made("invitation"),
        Kind::Reply => made(&format!("reply {}", message.sender)).or_else(|| made("reply ")),
        Kind::Alarm => {
            let this = |rung: &&&Rung| MessageId::of_alarm(from, rung.alarm.id) == message.id;
            rang.iter().find(this).map(|rung| MessageId::of_alarm(to, rung.alarm.id))
        }
        Kind::Update | Kind::Cancellation | Kind::Import | Kind::Counter | Kind::CounterDeclined => None,
    };
    known.unwrap_or_else(|| MessageId::of(to, &message.id.0.to_string()))
}

impl Carried {
    /// The rows that its commit needs, in the order in which [`Carried::write`] wants them.
    pub fn reads(&self) -> Vec<Bytes> {
        let mut reads = vec![keys::statistics(&self.user)];
        reads.extend(self.rung.iter().cloned());
        for Talk { before, to, messages } in &self.talks {
            reads.extend([keys::conversation(&self.user, before.id), keys::conversation(&self.user, *to)]);
            reads.extend(messages.iter().map(|(id, _)| keys::message(&self.user, before.id, *id)));
        }
        reads
    }

    /// Writes all of it under its new numbers, and tells the person. `false` where somebody said something meanwhile: nothing was written.
    pub fn write(
        &self,
        writes: &mut Writes,
        rows: &[Option<Bytes>],
        (now, stamp): (DateTime<Utc>, u64),
    ) -> Result<bool, StoreError> {
        let mut rows = rows.iter();
        let mut next = || rows.next().and_then(Option::as_ref);
        let statistics = next();
        if statistics != self.statistics.as_ref() {
            return Ok(false);
        }
        let total =
            statistics.map(|row| record::notifications::statistics(row)).transpose()?.unwrap_or_default().unread;
        let mut fresh = Writes::new();
        for _ in &self.rung {
            let Some(bytes) = next() else { continue };
            let mut rang = record::alarms::rung(bytes)?;
            let name = self.name.as_deref().unwrap_or(rang.alarm.object.name());
            if let Some(object) = self.to.object(name) {
                rang.alarm.object = object;
                rung::write(&mut fresh, &rang);
            }
        }
        let mut pen = Pen::behind(now, stamp);
        for Talk { before, to, messages } in &self.talks {
            let there = next().map(|row| record::notifications::conversation(row)).transpose()?;
            let taken = next().is_some() && before.id != *to;
            if there.as_ref() != Some(before) || taken {
                return Ok(false);
            }
            let ids: BTreeMap<MessageId, MessageId> = messages.iter().copied().collect();
            let new = |id: MessageId| ids.get(&id).copied().unwrap_or(id);
            let unread = before.unread.iter().map(|one| Unread { id: new(one.id), ..*one }).collect();
            let mut after =
                Conversation { id: *to, channel: self.to.clone(), last: new(before.last), unread, ..before.clone() };
            let counted = after.count(now);
            let mut last = None;
            for (id, new) in messages {
                let Some(bytes) = next() else { continue };
                let mut message = record::notifications::message(bytes)?;
                notifications::remove(&mut fresh, &self.user, before.id, *id, message.sent_at);
                message.id = *new;
                if let (Some(name), true) = (&self.name, message.object.is_some()) {
                    message.object = Some(name.clone());
                }
                notifications::write(&mut fresh, &self.user, *to, &message, None);
                last = if *id == before.last { Some(message) } else { last };
            }
            let mut tell = |conversation: &Conversation, message: Option<Message>, unread: usize| {
                let Conversation { id, channel, title, .. } = conversation.clone();
                let message = message.map(|message| (message, before.id != *to));
                let unread = unread as u64;
                let news = News { conversation: id, channel, title, message, unread, counted, total, first: false };
                pen.tell(&mut fresh, Event::Notified { user: self.user.clone(), news: Box::new(news) });
            };
            if before.id != *to {
                tell(before, None, 0);
            }
            tell(&after, last, after.unread.len());
            if before.id != *to {
                fresh.push((keys::conversation(&self.user, before.id), None));
            }
            notifications::write_conversation(&mut fresh, &self.user, &after);
        }
        writes.extend(fresh);
        Ok(true)
    }
}
