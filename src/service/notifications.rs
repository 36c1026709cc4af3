//! Notifications: listed, marked as read, noted as taken; and what the use cases that cause them share. Which write says what is decided
//! in `domain/notification.rs`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::Collection;
use crate::domain::notification::{
    Answers, Conversation, ConversationId, Draft, Invited, Message, MessageId, Standing, State, Statistics, answered,
    drafts,
};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::answers::Turned;
use crate::service::collections::View;
use crate::service::ledger::{Ledger, Place, Said, Wanted};
use crate::store::{StoreError, record};

/// Messages that one question to note may name; a client's machine asks for no more at a time.
const TAKEN_MAX: usize = 1_000;

/// A conversation with its last message.
pub type Listed = (Conversation, Option<Message>);

/// What a write of one object means for people, worked out before its commit.
#[derive(Clone, Debug)]
pub(crate) struct Concern {
    /// What stood there about the invitation.
    pub standing: Option<Standing>,
    owner: Place,
    title: String,
    drafts: Vec<Draft>,
    /// Messages of alarms that its text answers, its hearers' too.
    answered: Vec<Said>,
    pub wanted: Wanted,
}

impl Concern {
    /// Says all of it within the commit of the write.
    pub fn tell(&self, ledger: &mut Ledger, now: DateTime<Utc>) {
        for draft in &self.drafts {
            ledger.post(&self.owner, &self.title, draft, now);
        }
        self.answered.iter().for_each(|said| ledger.deal_with(Some(said)));
    }
}

impl Service {
    /// A person's conversations, the last spoken in first.
    pub async fn conversations(&self, caller: &Principal) -> Result<Vec<Conversation>, Refusal> {
        let mut all = self.store.conversations(&caller.name).await?;
        all.sort_by_key(|one| Reverse((one.last_at, one.id)));
        Ok(all)
    }

    /// A conversation with its last message; others' are as unknown as none.
    pub async fn conversation(&self, caller: &Principal, id: ConversationId) -> Result<Listed, Refusal> {
        let found = self.store.conversation(&caller.name, id).await?.ok_or(Refusal::NotFound)?;
        self.listed(caller, found).await
    }

    /// The same with its last message.
    pub async fn listed(&self, caller: &Principal, conversation: Conversation) -> Result<Listed, Refusal> {
        let last = self.store.message(&caller.name, conversation.id, conversation.last).await?;
        Ok((conversation, last))
    }

    /// The messages of a conversation, newest first.
    pub async fn messages(
        &self,
        caller: &Principal,
        id: ConversationId,
    ) -> Result<(Conversation, Vec<Message>), Refusal> {
        let found = self.store.conversation(&caller.name, id).await?.ok_or(Refusal::NotFound)?;
        let messages = self.store.messages(&caller.name, Some(id)).await?;
        let mut messages: Vec<Message> = messages.into_iter().map(|(_, message)| message).collect();
        messages.sort_by_key(|message| Reverse(message.order));
        Ok((found, messages))
    }

    /// Marks all messages of a conversation as read.
    pub async fn mark_read(&self, caller: &Principal, id: ConversationId) -> Result<(), Refusal> {
        let found = self.store.conversation(&caller.name, id).await?.ok_or(Refusal::NotFound)?;
        self.read_all(&caller.name, &found).await
    }

    pub(crate) async fn read_all(&self, user: &UserName, conversation: &Conversation) -> Result<(), Refusal> {
        if conversation.unread.is_empty() {
            return Ok(());
        }
        let mut wanted = Wanted::default();
        conversation.unread.iter().for_each(|one| wanted.message(user, conversation.id, one.id));
        let (user, of, now) = (user.clone(), conversation.id, self.now());
        self.commit(wanted.reads(), move |seen, stamp| {
            let mut ledger = Ledger::open(&wanted, seen, now)?;
            ledger.read(&user, of, |_| true, false);
            let mut writes = Vec::new();
            ledger.close(&mut writes, stamp.0);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    /// Everything that a person has heard of at an address is read: what stood there is gone for them.
    pub(crate) async fn forget_channel(&self, channel: &Address) -> Result<(), Refusal> {
        for conversation in self.store.conversations(channel.user()).await? {
            if conversation.channel == *channel {
                self.read_all(channel.user(), &conversation).await?;
            }
        }
        Ok(())
    }

    /// Notes that a client has these messages. One that was noted before costs a look.
    pub async fn note_taken(&self, user: &UserName, taken: &[(ConversationId, MessageId)]) -> Result<(), Refusal> {
        let mut wanted = Wanted::default();
        let mut open = Vec::new();
        for (of, id) in taken.iter().take(TAKEN_MAX) {
            let found = self.store.message(user, *of, *id).await?;
            if found.is_some_and(|message| message.state == State::Pending) {
                wanted.message(user, *of, *id);
                open.push((*of, *id));
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        let (user, now) = (user.clone(), self.now());
        self.commit(wanted.reads(), move |seen, stamp| {
            let mut ledger = Ledger::open(&wanted, seen, now)?;
            for (of, id) in &open {
                ledger.turn((&user, *of, *id), State::Pending, State::Delivered, false);
            }
            let mut writes = Vec::new();
            ledger.close(&mut writes, stamp.0);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    /// How much of a person is unread; `None` for somebody who was never told anything.
    pub async fn statistics(&self, user: &UserName) -> Result<Option<Statistics>, Refusal> {
        Ok(self.store.statistics(user).await?)
    }

    /// Who a member of an organisation is, and how much of them is unread; each is named by an id or a number. It is one's own to know, and
    /// administrators'; to anybody else nobody is there.
    pub async fn unread_of(
        &self,
        caller: &UserName,
        organisation: &str,
        member: &str,
    ) -> Result<(UserName, u64), Refusal> {
        let person = self.store.principal(caller).await?.ok_or(Refusal::Unauthenticated)?;
        let organisation = self.organisation(organisation).await?;
        let member = self.member(&organisation.id, member).await?;
        if member.user != *caller && !person.administrator {
            return Err(Refusal::NotFound);
        }
        let unread = self.statistics(&member.user).await?.unwrap_or_default().unread;
        Ok((member.user, unread))
    }

    /// A person's channels: calendars first, each with the name under which they see it.
    pub async fn channels_of(&self, user: &UserName) -> Result<Vec<View>, Refusal> {
        let mut all = self.list(user, Kind::Calendar).await?;
        all.extend(self.list(user, Kind::AddressBook).await?);
        Ok(all)
    }

    /// What a write of an object means for people. Its commit sees to it that what this rests on still stands.
    pub(crate) async fn concern(
        &self,
        source: &Collection,
        name: &str,
        uid: &str,
        invited: Option<&Invited>,
        turned: &[Turned],
        answers: Option<&Answers>,
    ) -> Result<Concern, Refusal> {
        let standing = match invited {
            Some(_) => self.store.standing(source.id, uid).await?,
            None => None,
        };
        let owner = Place::of_object(&source.address, name, uid);
        let drafts = invited.map_or_else(Vec::new, |invited| drafts(standing.as_ref(), invited, self.now()));
        let drafts = match (invited, answers) {
            (Some(invited), Some(answers)) => answered(drafts, invited, answers),
            _ => drafts,
        };
        let title = invited.map(|invited| title(&invited.summary)).unwrap_or_default();
        let mut wanted = Wanted::default();
        for draft in &drafts {
            wanted.message(&owner.user, owner.conversation, MessageId::of(owner.conversation, &draft.key));
        }
        let answered: Vec<Said> = turned.iter().map(|turned| Said::of_alarm(&turned.rung, uid)).collect();
        answered.iter().for_each(|said| said.want(&mut wanted));
        Ok(Concern { standing, owner, title, drafts, answered, wanted })
    }

    /// The conversations about an object in which something is unread: the owner's, and those of whoever hears its alarms too.
    pub(crate) async fn unread_about(
        &self,
        source: &Collection,
        uid: &str,
        wanted: &mut Wanted,
    ) -> Result<Vec<(UserName, ConversationId)>, Refusal> {
        let mut channels = vec![source.address.clone()];
        channels.extend(self.store.hearers(source.id).await?);
        let mut found = Vec::new();
        for channel in channels {
            let (user, of) = (channel.user().clone(), ConversationId::of(&channel, uid));
            let Some(conversation) = self.store.conversation(&user, of).await? else { continue };
            if !conversation.unread.is_empty() {
                conversation.unread.iter().for_each(|one| wanted.message(&user, of, one.id));
                found.push((user, of));
            }
        }
        Ok(found)
    }

    /// The UIDs of objects, by their rows; for those that are still there.
    pub(crate) async fn uids(&self, rows: Vec<Bytes>) -> Result<BTreeMap<Bytes, String>, Refusal> {
        let seen = self.store.kv().read(rows.clone()).await.map_err(StoreError::Kv)?;
        let mut uids = BTreeMap::new();
        for (row, seen) in rows.into_iter().zip(seen) {
            if let Some(bytes) = seen {
                uids.insert(row, record::objects::object(&bytes)?.uid);
            }
        }
        Ok(uids)
    }

    /// Where a person's messages about an object at their own address stand; `None` where the object is gone.
    pub(crate) async fn place_of(&self, channel: &Address, name: &str) -> Result<Option<Place>, Refusal> {
        let source = match self.view(channel.user(), channel).await {
            Ok(view) => view.source.id,
            Err(Refusal::NotFound | Refusal::Forbidden) => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        let object = self.store.object(source, name).await?;
        Ok(object.map(|object| Place::of_object(channel, name, &object.uid)))
    }
}

/// Characters of a conversation's title.
const TITLE_CHARS: usize = 120;

/// A conversation's title out of an event's summary.
pub(crate) fn title(summary: &str) -> String {
    summary.chars().take(TITLE_CHARS).collect()
}
