//! Rows of notifications: conversations, messages, what each person has in all, and what stands in a calendar about invitations.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::address::UserName;
use crate::domain::collection::CollectionId;
use crate::domain::notification::{Conversation, ConversationId, Message, MessageId, Standing, Statistics};
use crate::kv::{Range, Writes};
use crate::store::keys;
use crate::store::record;
use crate::store::{Store, StoreError};

impl Store {
    pub async fn conversation(&self, user: &UserName, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        self.get(keys::conversation(user, id))
            .await?
            .map(|bytes| record::notifications::conversation(&bytes))
            .transpose()
    }

    /// All of one person's.
    pub async fn conversations(&self, user: &UserName) -> Result<Vec<Conversation>, StoreError> {
        self.all(&keys::conversations(user))
            .await?
            .iter()
            .map(|(_, bytes)| record::notifications::conversation(bytes))
            .collect()
    }

    pub async fn message(
        &self,
        user: &UserName,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, StoreError> {
        self.get(keys::message(user, conversation, id))
            .await?
            .map(|bytes| record::notifications::message(&bytes))
            .transpose()
    }

    /// All of one conversation, or of one person, each with the conversation that it belongs to.
    pub async fn messages(
        &self,
        user: &UserName,
        conversation: Option<ConversationId>,
    ) -> Result<Vec<(ConversationId, Message)>, StoreError> {
        let rows = self.all(&keys::messages(user, conversation)).await?;
        let read = |(key, bytes): &(Bytes, Bytes)| {
            let of = keys::message_conversation(key).ok_or(StoreError::Unreadable("message place"))?;
            Ok((of, record::notifications::message(bytes)?))
        };
        rows.iter().map(read).collect()
    }

    pub async fn statistics(&self, user: &UserName) -> Result<Option<Statistics>, StoreError> {
        self.get(keys::statistics(user)).await?.map(|bytes| record::notifications::statistics(&bytes)).transpose()
    }

    /// Everybody who has more than so many messages.
    pub async fn talkative(&self, more_than: u64) -> Result<Vec<UserName>, StoreError> {
        let mut found = Vec::new();
        for (key, bytes) in self.all(&keys::all_statistics()).await? {
            if record::notifications::statistics(&bytes)?.messages > more_than {
                found.extend(keys::statistics_user(&key));
            }
        }
        Ok(found)
    }

    /// The places of messages that were sent before an instant, earliest first, at most `limit`; each with its row.
    pub async fn aged(&self, before: DateTime<Utc>, limit: usize) -> Result<Vec<(Bytes, Aged)>, StoreError> {
        let rows = self.some(Range::prefix(&keys::ages()), limit).await?;
        let mut aged = Vec::new();
        for (key, _) in rows {
            let (at, user, conversation, id) = keys::age_place(&key).ok_or(StoreError::Unreadable("message age"))?;
            if at >= before {
                break;
            }
            aged.push((key, Aged { at, user, conversation, id }));
        }
        Ok(aged)
    }

    pub async fn standing(&self, of: CollectionId, uid: &str) -> Result<Option<Standing>, StoreError> {
        self.get(keys::standing(of, uid)).await?.map(|bytes| record::notifications::standing(&bytes)).transpose()
    }
}

/// A message, by the order in which messages grow old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aged {
    pub at: DateTime<Utc>,
    pub user: UserName,
    pub conversation: ConversationId,
    pub id: MessageId,
}

/// Writes a message in place of what stood under its number.
pub fn write(
    writes: &mut Writes,
    user: &UserName,
    of: ConversationId,
    message: &Message,
    before: Option<DateTime<Utc>>,
) {
    if let Some(before) = before.filter(|before| *before != message.sent_at) {
        writes.push((keys::age(before, user, of, message.id), None));
    }
    if before != Some(message.sent_at) {
        writes.push((keys::age(message.sent_at, user, of, message.id), Some(Bytes::new())));
    }
    writes.push((keys::message(user, of, message.id), Some(record::notifications::pack_message(message))));
}

pub fn remove(writes: &mut Writes, user: &UserName, of: ConversationId, id: MessageId, sent_at: DateTime<Utc>) {
    writes.push((keys::age(sent_at, user, of, id), None));
    writes.push((keys::message(user, of, id), None));
}

/// A conversation goes with its last message.
pub fn write_conversation(writes: &mut Writes, user: &UserName, conversation: &Conversation) {
    let row = (conversation.messages > 0).then(|| record::notifications::pack_conversation(conversation));
    writes.push((keys::conversation(user, conversation.id), row));
}

pub fn write_statistics(writes: &mut Writes, user: &UserName, statistics: &Statistics) {
    writes.push((keys::statistics(user), Some(record::notifications::pack_statistics(statistics))));
}

pub fn write_standing(writes: &mut Writes, of: CollectionId, uid: &str, standing: Option<&Standing>) {
    writes.push((keys::standing(of, uid), standing.map(record::notifications::pack_standing)));
}
