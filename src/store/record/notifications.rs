//! The rows of conversations, messages, counts and standings.

use bytes::Bytes;
use uuid::Uuid;

use crate::domain::notification::{
    self, Alignment, Answer, Conversation, ConversationId, Message, MessageId, News, Statistics, Unread,
};
use crate::store::StoreError;
use crate::store::record::{address, code, decode, micros, pack, time, unpack};

const KINDS: [notification::Kind; 8] = [
    notification::Kind::Invitation,
    notification::Kind::Update,
    notification::Kind::Cancellation,
    notification::Kind::Reply,
    notification::Kind::Alarm,
    notification::Kind::Import,
    notification::Kind::Counter,
    notification::Kind::CounterDeclined,
];
const STATES: [notification::State; 3] =
    [notification::State::Pending, notification::State::Delivered, notification::State::Failed];
const ALIGNMENTS: [Alignment; 3] = [Alignment::Left, Alignment::Right, Alignment::Center];
const ANSWERS: [Answer; 5] =
    [Answer::NeedsAction, Answer::Accepted, Answer::Declined, Answer::Tentative, Answer::Delegated];

type MessageRow = (u128, (u8, u8, u8), (String, String), (Option<String>, Option<String>), Option<i64>, (i64, i64));

fn message_row(m: &Message) -> MessageRow {
    (
        m.id.0.as_u128(),
        (code(&KINDS, &m.kind), code(&ALIGNMENTS, &m.alignment), code(&STATES, &m.state)),
        (m.text.clone(), m.sender.clone()),
        (m.object.clone(), m.recurrence_id.clone()),
        m.start.map(micros),
        (micros(m.sent_at), m.order),
    )
}

fn message_back(what: &'static str, row: MessageRow) -> Result<Message, StoreError> {
    let (id, (kind, alignment, state), (text, sender), (object, recurrence_id), start, (sent_at, order)) = row;
    Ok(Message {
        id: MessageId(Uuid::from_u128(id)),
        kind: decode(what, &KINDS, kind)?,
        alignment: decode(what, &ALIGNMENTS, alignment)?,
        state: decode(what, &STATES, state)?,
        text,
        sender,
        object,
        start: start.map(|at| time(what, at)).transpose()?,
        recurrence_id,
        sent_at: time(what, sent_at)?,
        order,
    })
}

pub fn pack_message(m: &Message) -> Bytes {
    pack(message_row(m))
}

pub fn message(bytes: &[u8]) -> Result<Message, StoreError> {
    message_back("message", unpack("message", bytes)?)
}

type ConversationRow = (u128, (String, String, String), (i64, i64), u128, u32, Vec<(u128, u8, i64)>, i64);

pub fn pack_conversation(c: &Conversation) -> Bytes {
    let unread: Vec<_> =
        c.unread.iter().map(|one| (one.id.0.as_u128(), code(&KINDS, &one.kind), micros(one.sent_at))).collect();
    pack((
        c.id.0.as_u128(),
        (c.channel.to_string(), &c.uid, &c.title),
        (micros(c.created), micros(c.last_at)),
        c.last.0.as_u128(),
        c.messages,
        unread,
        c.counted,
    ))
}

pub fn conversation(bytes: &[u8]) -> Result<Conversation, StoreError> {
    const WHAT: &str = "conversation";
    let (id, (channel, uid, title), (created, last_at), last, messages, unread, counted): ConversationRow =
        unpack(WHAT, bytes)?;
    let unread = unread.into_iter().map(|(id, kind, at)| {
        let (kind, sent_at) = (decode(WHAT, &KINDS, kind)?, time(WHAT, at)?);
        Ok::<_, StoreError>(Unread { id: MessageId(Uuid::from_u128(id)), kind, sent_at })
    });
    Ok(Conversation {
        id: ConversationId(Uuid::from_u128(id)),
        channel: address(WHAT, &channel)?,
        uid,
        title,
        created: time(WHAT, created)?,
        last: MessageId(Uuid::from_u128(last)),
        last_at: time(WHAT, last_at)?,
        messages,
        unread: unread.collect::<Result<_, _>>()?,
        counted,
    })
}

pub fn pack_statistics(s: &Statistics) -> Bytes {
    pack((s.unread, s.messages))
}

pub fn statistics(bytes: &[u8]) -> Result<Statistics, StoreError> {
    let (unread, messages) = unpack("statistics", bytes)?;
    Ok(Statistics { unread, messages })
}

type StandingRow = (bool, Option<u8>, bool, u32, u64, Vec<(u64, u8)>);

pub fn pack_standing(s: &notification::Standing) -> Bytes {
    let attendees: Vec<_> = s.attendees.iter().map(|(who, answer)| (*who, code(&ANSWERS, answer))).collect();
    pack((s.own, s.answer.map(|answer| code(&ANSWERS, &answer)), s.cancelled, s.sequence, s.digest, attendees))
}

pub fn standing(bytes: &[u8]) -> Result<notification::Standing, StoreError> {
    const WHAT: &str = "standing of an invitation";
    let (own, answer, cancelled, sequence, digest, attendees): StandingRow = unpack(WHAT, bytes)?;
    let read = |(who, code): (u64, u8)| Ok::<_, StoreError>((who, decode(WHAT, &ANSWERS, code)?));
    Ok(notification::Standing {
        own,
        answer: answer.map(|code| decode(WHAT, &ANSWERS, code)).transpose()?,
        cancelled,
        sequence,
        digest,
        attendees: attendees.into_iter().map(read).collect::<Result<_, _>>()?,
    })
}

pub(super) type NewsRow = (u128, String, String, Option<(MessageRow, bool)>, (u64, i64), (u64, bool));

pub(super) fn news_row(n: &News) -> NewsRow {
    let message = n.message.as_ref().map(|(message, created)| (message_row(message), *created));
    let (unread, total) = ((n.unread, n.counted), (n.total, n.first));
    (n.conversation.0.as_u128(), n.channel.to_string(), n.title.clone(), message, unread, total)
}

pub(super) fn news_back(what: &'static str, row: NewsRow) -> Result<News, StoreError> {
    let (conversation, channel, title, message, (unread, counted), (total, first)) = row;
    let message = message.map(|(row, created)| Ok::<_, StoreError>((message_back(what, row)?, created)));
    Ok(News {
        conversation: ConversationId(Uuid::from_u128(conversation)),
        channel: address(what, &channel)?,
        title,
        message: message.transpose()?,
        unread,
        counted,
        total,
        first,
    })
}
