//! Every key of the store, on one page. Names cannot hold a zero byte (`domain/address.rs`), so it separates them.

use std::ops::Bound;

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::CollectionId;
use crate::domain::dead::Holder;
use crate::domain::delivery::DeliveryId;
use crate::domain::notification::{ConversationId, MessageId};
use crate::domain::object::BodyId;
use crate::domain::organisation::Id;
use crate::kv::Range;

/// Due rows and journal lines are spread over this many shards, so that a cluster can share them out.
pub const SHARDS: u8 = 16;

const NOTE: u8 = 0x0F; //            a note's name                       → nothing; what the operator did to this store
const USER: u8 = 0x10; //            name                                → Principal
const MAIL: u8 = 0x11; //            mail address, lower case            → name
const TICKET: u8 = 0x12; //          SHA-256 of the ticket               → Ticket
const BEARER: u8 = 0x13; //          SHA-256 of the token                → Bearer
const CHANNELS: u8 = 0x14; //        name                                → Channels
const COLLECTION: u8 = 0x20; //      kind, user 0 name                   → Collection
const COLLECTION_AT: u8 = 0x21; //   id                                  → kind, user 0 name
const SUBSCRIBER: u8 = 0x22; //      source id, user 0 name              → nothing
const TOMB: u8 = 0x23; //            id                                  → nothing; the sweep purges what hangs on it
const GRANTED: u8 = 0x24; //         user 0 source id                    → nothing
const HEARER: u8 = 0x25; //          source id, user 0 name              → nothing; this mirror's holder hears the alarms
const OBJECT: u8 = 0x30; //          collection id, name                 → Record
const BODY: u8 = 0x31; //            collection id, stamp, part, chunk   → at most CHUNK bytes
const UID: u8 = 0x32; //             collection id, hash of the UID      → name
const CHANGE: u8 = 0x40; //          collection id, stamp, part          → what changed, name
const JOURNAL: u8 = 0x50; //         shard, stamp, part                  → Line
const ARMED: u8 = 0x51; //           shard, instant, stamp, part         → collection id; the journal line holds the alarm
const RUNG: u8 = 0x54; //            user 0 instant, id                  → Rung
const DELIVERY: u8 = 0x55; //        user 0 id                           → Delivery; still to be made
const DEAD: u8 = 0x56; //            user 0 id                           → Delivery; given up
const DUE: u8 = 0x60; //             shard, instant, collection id, name → nothing
const REPLAN: u8 = 0x61; //         user                                → instant; their alarms from there on are being planned anew
const IMPORT: u8 = 0x70; //          id                                  → Import
const IMPORT_FAILURE: u8 = 0x71; //  import id, number                   → Failure
const IMPORT_OPEN: u8 = 0x72; //     id                                  → nothing; not yet ended
const UPLOAD: u8 = 0x78; //          user 0 id                           → Upload
const CONVERSATION: u8 = 0xA0; //    user 0 id                           → Conversation
const MESSAGE: u8 = 0xA1; //         user 0 conversation id, id          → Message
const STATISTICS: u8 = 0xA2; //      user                                → Statistics
const MESSAGE_AGE: u8 = 0xA3; //     instant, user 0 conversation id, id → nothing; by what the sweep finds the old ones
const STANDING: u8 = 0xA4; //        collection id, hash of the UID      → Standing; what was last seen of an invitation
const ORGANISATION: u8 = 0x80; //    id                                  → Organisation
const ORGANISATION_NUMBER: u8 = 0x81; // number                          → id
const MEMBER: u8 = 0x82; //          organisation 0 id                   → Member
const MEMBER_NUMBER: u8 = 0x83; //   organisation 0 number               → id
const MEMBER_OF: u8 = 0x84; //       user                                → organisation 0 id
const GROUP: u8 = 0x85; //           organisation 0 id                   → Group
const GROUP_NUMBER: u8 = 0x86; //    organisation 0 number               → id
const GROUP_PERSON: u8 = 0x87; //    organisation 0 group 0 user         → Role
const GROUP_OF: u8 = 0x88; //        user 0 organisation 0 group         → Role
const PRESENCE: u8 = 0x89; //        user                                → Presence
const PRESENCE_EDGE: u8 = 0x8A; //   shard, instant, user                → stamp; the presence is derived anew then
const OBJECT_EDGE: u8 = 0x8B; //     shard, instant, collection id, name → nothing; what the object says of its owner changes then
const HOLD: u8 = 0x8C; //            collection id, rank, start, name    → Hold; it covers the present
const INSTANCE: u8 = 0x8D; //        name                                → what this installation made up once
const INVITED: u8 = 0x8E; //         collection id, name                 → since when, until when its owner is asked
const OUTGOING: u8 = 0xE0; //        user 0 hash of the UID, task, collection id → Parcel; on its way to that person's home
const INTAKE: u8 = 0xE1; //          user                                → the name of the calendar that takes invitations
const BURIAL: u8 = 0xF4; //          collection id                       → Burial; whose objects' people are still to be told that it is gone
const CALLED: u8 = 0xF5; //          source id, user                     → the name that they gave their subscription to it
const WAITS: u8 = 0x8F; //           user                                → mark; what waits for a member of a queue
const DEVICE: u8 = 0xC0; //          user 0 SHA-256 of the app password  → Device
const INVITES: u8 = 0xD0; //          user                                → Mailbox; what they were told of sharing
const PROXIES: u8 = 0xD1; //          user                                → those who act for them
const ACTS_FOR: u8 = 0xD2; //         user 0 owner                        → nothing; whom they act for
const ANNOUNCEMENT: u8 = 0xD3; //     source id, whether they end         → Announcement; what its subscribers are still to be told
const IMPORT_KEY: u8 = 0xD8; //      user 0 hash of the sender's key     → import id, hash of what was asked
const HELD: u8 = 0xD9; //            collection id, hash of the source, name → Held; a mirror brought it
const HELD_CONTENT: u8 = 0xDA; //    collection id, hash of the source, hash of the content → name
const FEED: u8 = 0xF0; //            user 0 id                           → Feed
const FEED_DUE: u8 = 0xF1; //        instant, user 0 id                  → nothing; the feed is looked at then
const FOLLOWS: u8 = 0xF2; //         collection id, user 0 id            → nothing; the feed is made of that collection
const PRINCIPAL_DEAD: u8 = 0xB0; //  user 0 chunk                        → dead properties, at most CHUNK bytes
const HOME_DEAD: u8 = 0xB1; //       user 0 kind, chunk                  → likewise
const COLLECTION_DEAD: u8 = 0xB2; // collection id, chunk                → likewise
const OBJECT_DEAD: u8 = 0xB3; //     collection id, name 0 chunk         → likewise

/// What a row is of, in the words of the list above; `None` for a family that this program does not know.
pub fn family(key: &[u8]) -> Option<&'static str> {
    Some(match key.first() {
        Some(&NOTE) => "note",
        Some(&USER) => "user",
        Some(&MAIL) => "mail",
        Some(&TICKET) => "ticket",
        Some(&BEARER) => "bearer",
        Some(&CHANNELS) => "channels",
        Some(&COLLECTION) => "collection",
        Some(&COLLECTION_AT) => "collection at",
        Some(&SUBSCRIBER) => "subscriber",
        Some(&TOMB) => "tomb",
        Some(&GRANTED) => "granted",
        Some(&HEARER) => "hearer",
        Some(&OBJECT) => "object",
        Some(&BODY) => "body",
        Some(&UID) => "uid",
        Some(&CHANGE) => "change",
        Some(&JOURNAL) => "journal",
        Some(&ARMED) => "armed",
        Some(&RUNG) => "rung",
        Some(&DELIVERY) => "delivery",
        Some(&DEAD) => "dead",
        Some(&DUE) => "due",
        Some(&REPLAN) => "replan",
        Some(&IMPORT) => "import",
        Some(&IMPORT_FAILURE) => "import failure",
        Some(&IMPORT_OPEN) => "import open",
        Some(&UPLOAD) => "upload",
        Some(&CONVERSATION) => "conversation",
        Some(&MESSAGE) => "message",
        Some(&STATISTICS) => "statistics",
        Some(&MESSAGE_AGE) => "message age",
        Some(&STANDING) => "standing",
        Some(&ORGANISATION) => "organisation",
        Some(&ORGANISATION_NUMBER) => "organisation number",
        Some(&MEMBER) => "member",
        Some(&MEMBER_NUMBER) => "member number",
        Some(&MEMBER_OF) => "member of",
        Some(&GROUP) => "group",
        Some(&GROUP_NUMBER) => "group number",
        Some(&GROUP_PERSON) => "group person",
        Some(&GROUP_OF) => "group of",
        Some(&PRESENCE) => "presence",
        Some(&PRESENCE_EDGE) => "presence edge",
        Some(&OBJECT_EDGE) => "object edge",
        Some(&HOLD) => "hold",
        Some(&INSTANCE) => "instance",
        Some(&INVITED) => "invited",
        Some(&OUTGOING) => "outgoing",
        Some(&INTAKE) => "intake",
        Some(&WAITS) => "waits",
        Some(&DEVICE) => "device",
        Some(&INVITES) => "invites",
        Some(&PROXIES) => "proxies",
        Some(&ACTS_FOR) => "acts for",
        Some(&ANNOUNCEMENT) => "announcement",
        Some(&IMPORT_KEY) => "import key",
        Some(&HELD) => "held",
        Some(&HELD_CONTENT) => "held content",
        Some(&PRINCIPAL_DEAD) => "principal dead",
        Some(&HOME_DEAD) => "home dead",
        Some(&COLLECTION_DEAD) => "collection dead",
        Some(&OBJECT_DEAD) => "object dead",
        _ => return None,
    })
}

/// What is on its way to somebody about one UID, out of one collection.
pub fn outgoing(to: &UserName, uid: &str, task: u8, from: CollectionId) -> Bytes {
    let hash = Sha256::digest(uid.as_bytes());
    key(OUTGOING, &[to.as_str().as_bytes(), &[0], &hash[..16], &[task], &from.0.to_be_bytes()])
}

/// All that is on its way: to one person, or to everybody.
pub fn all_outgoing(to: Option<&UserName>) -> Bytes {
    to.map_or_else(|| key(OUTGOING, &[]), |to| key(OUTGOING, &[to.as_str().as_bytes(), &[0]]))
}

/// What somebody calls their subscription, where that is not the name that follows from its source.
pub fn called(source: CollectionId, user: &UserName) -> Bytes {
    key(CALLED, &[&source.0.to_be_bytes(), user.as_str().as_bytes()])
}

pub fn burial(id: CollectionId) -> Bytes {
    key(BURIAL, &[&id.0.to_be_bytes()])
}

pub fn burials() -> Bytes {
    key(BURIAL, &[])
}

pub fn intake(user: &UserName) -> Bytes {
    key(INTAKE, &[user.as_str().as_bytes()])
}

pub fn feed(user: &UserName, id: &str) -> Bytes {
    key(FEED, &[user.as_str().as_bytes(), &[0], id.as_bytes()])
}

/// The feeds of one person, or all.
pub fn feeds(user: Option<&UserName>) -> Bytes {
    user.map_or_else(|| key(FEED, &[]), |user| key(FEED, &[user.as_str().as_bytes(), &[0]]))
}

pub fn feed_due(at: DateTime<Utc>, user: &UserName, id: &str) -> Bytes {
    key(FEED_DUE, &[&instant(at), user.as_str().as_bytes(), &[0], id.as_bytes()])
}

pub fn feeds_due() -> Bytes {
    key(FEED_DUE, &[])
}

/// The instant, the person and the feed of such a row.
pub fn feed_due_place(row: &[u8]) -> Option<(DateTime<Utc>, UserName, &str)> {
    let at = u64::from_be_bytes(row.get(1..9)?.try_into().ok()?) ^ (1 << 63);
    let (user, id) = std::str::from_utf8(row.get(9..)?).ok()?.split_once('\0')?;
    Some((DateTime::from_timestamp_micros(at as i64)?, UserName::new(user)?, id))
}

pub fn follows(source: CollectionId, user: &UserName, id: &str) -> Bytes {
    key(FOLLOWS, &[&source.0.to_be_bytes(), user.as_str().as_bytes(), &[0], id.as_bytes()])
}

/// The feeds that are made of one collection, or of any.
pub fn followers(source: Option<CollectionId>) -> Bytes {
    source.map_or_else(|| key(FOLLOWS, &[]), |source| key(FOLLOWS, &[&source.0.to_be_bytes()]))
}

/// The source, the person and the feed of such a row.
pub fn follows_place(row: &[u8]) -> Option<(CollectionId, UserName, &str)> {
    let source = CollectionId(u64::from_be_bytes(row.get(1..9)?.try_into().ok()?));
    let (user, id) = std::str::from_utf8(row.get(9..)?).ok()?.split_once('\0')?;
    Some((source, UserName::new(user)?, id))
}

/// Bodies and uploads lie in rows of this many bytes: sled moves larger leaves into files that it never syncs.
/// Bodies lie in rows of this many bytes: sled moves larger leaves into files that it never syncs.
pub const CHUNK: usize = 4_096;

fn key(family: u8, parts: &[&[u8]]) -> Bytes {
    let mut key = BytesMut::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.put_u8(family);
    parts.iter().for_each(|part| key.put_slice(part));
    key.freeze()
}

/// Says that `--demo` made this store.
pub fn demo() -> Bytes {
    key(NOTE, &[b"demo"])
}

pub fn user(name: &UserName) -> Bytes {
    key(USER, &[name.as_str().as_bytes()])
}

pub fn users() -> Bytes {
    key(USER, &[])
}

pub fn mail(address: &str) -> Bytes {
    key(MAIL, &[address.to_lowercase().as_bytes()])
}

pub fn ticket(value: &str) -> Bytes {
    key(TICKET, &[&Sha256::digest(value.as_bytes())])
}

pub fn tickets() -> Bytes {
    key(TICKET, &[])
}

pub fn bearer(value: &str) -> Bytes {
    key(BEARER, &[&Sha256::digest(value.as_bytes())])
}

pub fn bearers() -> Bytes {
    key(BEARER, &[])
}

pub fn channels(name: &UserName) -> Bytes {
    key(CHANNELS, &[name.as_str().as_bytes()])
}

fn kind(kind: Kind) -> u8 {
    match kind {
        Kind::Calendar => b'c',
        Kind::AddressBook => b'a',
    }
}

pub fn collection(address: &Address) -> Bytes {
    key(COLLECTION, &[&[kind(address.kind())], address.user().as_str().as_bytes(), &[0], address.name().as_bytes()])
}

/// All collections of one kind in one home.
pub fn home(of: Kind, user: &UserName) -> Bytes {
    key(COLLECTION, &[&[kind(of)], user.as_str().as_bytes(), &[0]])
}

pub fn collection_at(id: CollectionId) -> Bytes {
    key(COLLECTION_AT, &[&id.0.to_be_bytes()])
}

pub fn subscriber(source: CollectionId, at: &Address) -> Bytes {
    key(
        SUBSCRIBER,
        &[&source.0.to_be_bytes(), &[kind(at.kind())], at.user().as_str().as_bytes(), &[0], at.name().as_bytes()],
    )
}

pub fn subscribers(source: CollectionId) -> Bytes {
    key(SUBSCRIBER, &[&source.0.to_be_bytes()])
}

/// The address out of the key of a subscriber's or hearer's row.
pub fn leaf_address(key: &[u8]) -> Option<Address> {
    let rest = key.get(9..)?;
    let kind = match rest.first()? {
        b'c' => Kind::Calendar,
        b'a' => Kind::AddressBook,
        _ => return None,
    };
    let text = std::str::from_utf8(&rest[1..]).ok()?;
    let (user, name) = text.split_once('\0')?;
    Address::new(kind, user, name)
}

pub fn hearer(source: CollectionId, at: &Address) -> Bytes {
    key(
        HEARER,
        &[&source.0.to_be_bytes(), &[kind(at.kind())], at.user().as_str().as_bytes(), &[0], at.name().as_bytes()],
    )
}

pub fn hearers(source: CollectionId) -> Bytes {
    key(HEARER, &[&source.0.to_be_bytes()])
}

pub fn granted(user: &UserName, source: CollectionId) -> Bytes {
    key(GRANTED, &[user.as_str().as_bytes(), &[0], &source.0.to_be_bytes()])
}

pub fn granted_to(user: &UserName) -> Bytes {
    key(GRANTED, &[user.as_str().as_bytes(), &[0]])
}

/// The collection that a row of the grants names.
pub fn granted_id(key: &[u8]) -> Option<CollectionId> {
    let id = key.get(key.len().checked_sub(8)?..)?;
    Some(CollectionId(u64::from_be_bytes(id.try_into().ok()?)))
}

pub fn tomb(id: CollectionId) -> Bytes {
    key(TOMB, &[&id.0.to_be_bytes()])
}

pub fn tombs() -> Bytes {
    key(TOMB, &[])
}

/// The collection that a tombstone names.
pub fn tomb_id(key: &[u8]) -> Option<CollectionId> {
    Some(CollectionId(u64::from_be_bytes(key.get(1..)?.try_into().ok()?)))
}

/// What hangs on a collection's number, each family a prefix: the sweep removes these.
pub fn belongings(id: CollectionId) -> [Bytes; 12] {
    [OBJECT, BODY, UID, CHANGE, HEARER, COLLECTION_DEAD, OBJECT_DEAD, HOLD, INVITED, STANDING, HELD, HELD_CONTENT]
        .map(|family| key(family, &[&id.0.to_be_bytes()]))
}

/// The dead properties of one holder.
pub fn dead_properties(holder: &Holder) -> Bytes {
    match holder {
        Holder::Principal(user) => key(PRINCIPAL_DEAD, &[user.as_str().as_bytes(), &[0]]),
        Holder::Home(of, user) => key(HOME_DEAD, &[user.as_str().as_bytes(), &[0], &[kind(*of)]]),
        Holder::Collection(id) => key(COLLECTION_DEAD, &[&id.0.to_be_bytes()]),
        Holder::Object(id, name) => key(OBJECT_DEAD, &[&id.0.to_be_bytes(), name.as_bytes(), &[0]]),
    }
}

pub fn dead_chunk(holder: &Holder, chunk: u8) -> Bytes {
    let mut row = BytesMut::from(dead_properties(holder));
    row.put_u8(chunk);
    row.freeze()
}

pub fn dead_of_objects(collection: CollectionId) -> Bytes {
    key(OBJECT_DEAD, &[&collection.0.to_be_bytes()])
}

/// The object's name in the key of such a row.
pub fn dead_object(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(9..key.len().checked_sub(2)?)?).ok()
}

/// The dead properties of a person's own places.
pub fn dead_of_person(user: &UserName) -> [Bytes; 2] {
    [PRINCIPAL_DEAD, HOME_DEAD].map(|family| key(family, &[user.as_str().as_bytes(), &[0]]))
}

pub fn object(collection: CollectionId, name: &str) -> Bytes {
    key(OBJECT, &[&collection.0.to_be_bytes(), name.as_bytes()])
}

pub fn objects(collection: CollectionId) -> Bytes {
    key(OBJECT, &[&collection.0.to_be_bytes()])
}

pub fn body(collection: CollectionId, body: BodyId, chunk: u32) -> Bytes {
    key(BODY, &[&collection.0.to_be_bytes(), &body.stamp.to_be_bytes(), &body.part.to_be_bytes(), &chunk.to_be_bytes()])
}

/// The collection, stamp and part of a row of a body.
pub fn body_place(key: &[u8]) -> Option<(CollectionId, BodyId)> {
    let (id, rest) = key.get(1..)?.split_first_chunk()?;
    let (stamp, rest) = rest.split_first_chunk()?;
    let part = u32::from_be_bytes(*rest.first_chunk()?);
    Some((CollectionId(u64::from_be_bytes(*id)), BodyId { stamp: u64::from_be_bytes(*stamp), part }))
}

/// The collection that a row hangs on whose key begins with its number.
pub fn collection_of(key: &[u8]) -> Option<CollectionId> {
    Some(CollectionId(u64::from_be_bytes(*key.get(1..)?.first_chunk()?)))
}

/// The name in the key of an object's record.
pub fn object_name(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(9..)?).ok()
}

pub fn uid(collection: CollectionId, uid: &str) -> Bytes {
    // UIDs may be longer than a key: 128 bits of a hash never meet by accident.
    key(UID, &[&collection.0.to_be_bytes(), &Sha256::digest(uid.as_bytes())[..16]])
}

pub fn change(collection: CollectionId, stamp: u64, part: u32) -> Bytes {
    key(CHANGE, &[&collection.0.to_be_bytes(), &stamp.to_be_bytes(), &part.to_be_bytes()])
}

pub fn changes(collection: CollectionId) -> Bytes {
    key(CHANGE, &[&collection.0.to_be_bytes()])
}

/// The stamp and part of a change row.
pub fn change_place(key: &[u8]) -> Option<(u64, u32)> {
    let stamp = u64::from_be_bytes(key.get(9..17)?.try_into().ok()?);
    Some((stamp, u32::from_be_bytes(key.get(17..21)?.try_into().ok()?)))
}

/// The shard of everything that concerns one collection.
pub fn shard_of_collection(id: CollectionId) -> u8 {
    (id.0 % u64::from(SHARDS)) as u8
}

/// The shard of everything that concerns one person.
pub fn shard_of_user(user: &UserName) -> u8 {
    Sha256::digest(user.as_str().as_bytes())[0] % SHARDS
}

/// The shard of what concerns an organisation as a whole.
pub fn shard_of_organisation(id: &Id) -> u8 {
    Sha256::digest(id.as_str().as_bytes())[0] % SHARDS
}

pub fn journal(shard: u8, stamp: u64, part: u32) -> Bytes {
    key(JOURNAL, &[&[shard], &stamp.to_be_bytes(), &part.to_be_bytes()])
}

pub fn journal_shard(shard: u8) -> Bytes {
    key(JOURNAL, &[&[shard]])
}

/// The stamp and part of a journal line.
pub fn journal_place(key: &[u8]) -> Option<(u64, u32)> {
    let stamp = u64::from_be_bytes(key.get(2..10)?.try_into().ok()?);
    let part = u32::from_be_bytes(key.get(10..14)?.try_into().ok()?);
    Some((stamp, part))
}

/// Instants sort as bytes: microseconds since the epoch, shifted so that none is negative.
fn instant(at: DateTime<Utc>) -> [u8; 8] {
    (at.timestamp_micros() as u64 ^ (1 << 63)).to_be_bytes()
}

fn instant_back(bytes: &[u8]) -> Option<DateTime<Utc>> {
    let shifted = u64::from_be_bytes(bytes.try_into().ok()?);
    DateTime::from_timestamp_micros((shifted ^ (1 << 63)) as i64)
}

pub fn armed(shard: u8, at: DateTime<Utc>, stamp: u64, part: u32) -> Bytes {
    key(ARMED, &[&[shard], &instant(at), &stamp.to_be_bytes(), &part.to_be_bytes()])
}

pub fn armed_shard(shard: u8) -> Bytes {
    key(ARMED, &[&[shard]])
}

/// The instant, stamp and part of an armed row.
pub fn armed_place(key: &[u8]) -> Option<(DateTime<Utc>, u64, u32)> {
    let at = instant_back(key.get(2..10)?)?;
    let stamp = u64::from_be_bytes(key.get(10..18)?.try_into().ok()?);
    let part = u32::from_be_bytes(key.get(18..22)?.try_into().ok()?);
    Some((at, stamp, part))
}

pub fn rung(user: &UserName, at: DateTime<Utc>, id: u64) -> Bytes {
    key(RUNG, &[user.as_str().as_bytes(), &[0], &instant(at), &id.to_be_bytes()])
}

/// All alarms that rang for one person, earliest first.
pub fn rung_for(user: &UserName) -> Bytes {
    key(RUNG, &[user.as_str().as_bytes(), &[0]])
}

pub fn rung_all() -> Bytes {
    key(RUNG, &[])
}

pub fn delivery(user: &UserName, id: DeliveryId) -> Bytes {
    key(DELIVERY, &[user.as_str().as_bytes(), &[0], &id.0.to_be_bytes()])
}

/// The deliveries that are still to be made: one person's, or everybody's.
pub fn deliveries(user: Option<&UserName>) -> Bytes {
    user.map_or_else(|| key(DELIVERY, &[]), |user| key(DELIVERY, &[user.as_str().as_bytes(), &[0]]))
}

pub fn dead(user: &UserName, id: DeliveryId) -> Bytes {
    key(DEAD, &[user.as_str().as_bytes(), &[0], &id.0.to_be_bytes()])
}

/// The deliveries that were given up: one person's, or everybody's.
pub fn deads(user: Option<&UserName>) -> Bytes {
    user.map_or_else(|| key(DEAD, &[]), |user| key(DEAD, &[user.as_str().as_bytes(), &[0]]))
}

pub fn due(at: DateTime<Utc>, collection: CollectionId, name: &str) -> Bytes {
    key(DUE, &[&[shard_of_collection(collection)], &instant(at), &collection.0.to_be_bytes(), name.as_bytes()])
}

pub fn due_shard(shard: u8) -> Bytes {
    key(DUE, &[&[shard]])
}

/// The bound just behind every row of a shard that is due at `at` or before.
pub fn due_until(shard: u8, at: DateTime<Utc>) -> Bytes {
    key(DUE, &[&[shard], &(instant(at)), &[0xFF; 9]])
}

/// The instant, collection and object name of a due row.
pub fn due_place(key: &[u8]) -> Option<(DateTime<Utc>, CollectionId, &str)> {
    let at = instant_back(key.get(2..10)?)?;
    let id = u64::from_be_bytes(key.get(10..18)?.try_into().ok()?);
    Some((at, CollectionId(id), std::str::from_utf8(key.get(18..)?).ok()?))
}

pub fn replan(user: &UserName) -> Bytes {
    key(REPLAN, &[user.as_str().as_bytes()])
}

pub fn replans() -> Bytes {
    key(REPLAN, &[])
}

/// The person in the key of a planning under way.
pub fn replan_user(key: &[u8]) -> Option<UserName> {
    std::str::from_utf8(key.get(1..)?).ok().and_then(UserName::new)
}

/// The value of a planning under way.
pub fn replan_from(at: DateTime<Utc>) -> Bytes {
    Bytes::copy_from_slice(&instant(at))
}

pub fn replan_from_back(value: &[u8]) -> Option<DateTime<Utc>> {
    instant_back(value)
}

pub fn import(id: &str) -> Bytes {
    key(IMPORT, &[id.as_bytes()])
}

pub fn imports() -> Bytes {
    key(IMPORT, &[])
}

pub fn import_failure(id: &str, number: u64) -> Bytes {
    key(IMPORT_FAILURE, &[id.as_bytes(), &number.to_be_bytes()])
}

pub fn import_failures(id: &str) -> Bytes {
    key(IMPORT_FAILURE, &[id.as_bytes()])
}

pub fn import_open(id: &str) -> Bytes {
    key(IMPORT_OPEN, &[id.as_bytes()])
}

pub fn imports_open() -> Bytes {
    key(IMPORT_OPEN, &[])
}

/// The import that an open row names.
pub fn import_open_id(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(1..)?).ok()
}

pub fn upload(user: &UserName, id: &str) -> Bytes {
    key(UPLOAD, &[user.as_str().as_bytes(), &[0], id.as_bytes()])
}

pub fn uploads_of(user: &UserName) -> Bytes {
    key(UPLOAD, &[user.as_str().as_bytes(), &[0]])
}

pub fn uploads() -> Bytes {
    key(UPLOAD, &[])
}

/// What a sender's key of an import stands for.
pub fn import_key(user: &UserName, hash: &[u8]) -> Bytes {
    key(IMPORT_KEY, &[user.as_str().as_bytes(), &[0], hash])
}

/// All such keys of one person.
pub fn import_keys(user: &UserName) -> Bytes {
    key(IMPORT_KEY, &[user.as_str().as_bytes(), &[0]])
}

pub fn held(of: CollectionId, source: &str, name: &str) -> Bytes {
    key(HELD, &[&of.0.to_be_bytes(), &Sha256::digest(source.as_bytes())[..16], name.as_bytes()])
}

/// Everything that the mirror of one source brought into a collection.
pub fn all_held(of: CollectionId, source: &str) -> Bytes {
    held(of, source, "")
}

/// The name in the key of what a mirror brought.
pub fn held_name(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(25..)?).ok()
}

pub fn held_content(of: CollectionId, source: &str, content: &str) -> Bytes {
    let hash = |text: &str| Sha256::digest(text.as_bytes());
    key(HELD_CONTENT, &[&of.0.to_be_bytes(), &hash(source)[..16], &hash(content)[..16]])
}

pub fn conversation(user: &UserName, id: ConversationId) -> Bytes {
    key(CONVERSATION, &[user.as_str().as_bytes(), &[0], id.0.as_bytes()])
}

pub fn conversations(user: &UserName) -> Bytes {
    key(CONVERSATION, &[user.as_str().as_bytes(), &[0]])
}

pub fn message(user: &UserName, of: ConversationId, id: MessageId) -> Bytes {
    key(MESSAGE, &[user.as_str().as_bytes(), &[0], of.0.as_bytes(), id.0.as_bytes()])
}

/// The messages of one conversation, or of all of a person's.
pub fn messages(user: &UserName, of: Option<ConversationId>) -> Bytes {
    let of = of.as_ref().map_or(&[][..], |of| of.0.as_bytes());
    key(MESSAGE, &[user.as_str().as_bytes(), &[0], of])
}

/// The conversation that a message's row names.
pub fn message_conversation(key: &[u8]) -> Option<ConversationId> {
    let ids = key.get(key.len().checked_sub(32)?..)?;
    Some(ConversationId(Uuid::from_slice(ids.get(..16)?).ok()?))
}

pub fn statistics(user: &UserName) -> Bytes {
    key(STATISTICS, &[user.as_str().as_bytes()])
}

pub fn all_statistics() -> Bytes {
    key(STATISTICS, &[])
}

pub fn statistics_user(key: &[u8]) -> Option<UserName> {
    std::str::from_utf8(key.get(1..)?).ok().and_then(UserName::new)
}

pub fn age(at: DateTime<Utc>, user: &UserName, of: ConversationId, id: MessageId) -> Bytes {
    key(MESSAGE_AGE, &[&instant(at), user.as_str().as_bytes(), &[0], of.0.as_bytes(), id.0.as_bytes()])
}

pub fn ages() -> Bytes {
    key(MESSAGE_AGE, &[])
}

/// The instant, person, conversation and number of a message in the order of ages.
pub fn age_place(key: &[u8]) -> Option<(DateTime<Utc>, UserName, ConversationId, MessageId)> {
    let at = instant_back(key.get(1..9)?)?;
    let ids = key.len().checked_sub(32)?;
    let user = std::str::from_utf8(key.get(9..ids.checked_sub(1)?)?).ok().and_then(UserName::new)?;
    let id = |from: usize| key.get(from..from + 16).and_then(|bytes| Uuid::from_slice(bytes).ok());
    Some((at, user, ConversationId(id(ids)?), MessageId(id(ids + 16)?)))
}

pub fn standing(of: CollectionId, uid: &str) -> Bytes {
    key(STANDING, &[&of.0.to_be_bytes(), &Sha256::digest(uid.as_bytes())[..16]])
}

pub fn organisation(id: &Id) -> Bytes {
    key(ORGANISATION, &[id.as_str().as_bytes()])
}

pub fn organisations() -> Bytes {
    key(ORGANISATION, &[])
}

pub fn organisation_number(number: u64) -> Bytes {
    key(ORGANISATION_NUMBER, &[&number.to_be_bytes()])
}

pub fn member(organisation: &Id, id: &Id) -> Bytes {
    key(MEMBER, &[organisation.as_str().as_bytes(), &[0], id.as_str().as_bytes()])
}

pub fn members(organisation: &Id) -> Bytes {
    key(MEMBER, &[organisation.as_str().as_bytes(), &[0]])
}

pub fn member_number(organisation: &Id, number: u64) -> Bytes {
    key(MEMBER_NUMBER, &[organisation.as_str().as_bytes(), &[0], &number.to_be_bytes()])
}

pub fn member_of(user: &UserName) -> Bytes {
    key(MEMBER_OF, &[user.as_str().as_bytes()])
}

pub fn group(organisation: &Id, id: &Id) -> Bytes {
    key(GROUP, &[organisation.as_str().as_bytes(), &[0], id.as_str().as_bytes()])
}

pub fn groups(organisation: &Id) -> Bytes {
    key(GROUP, &[organisation.as_str().as_bytes(), &[0]])
}

pub fn group_number(organisation: &Id, number: u64) -> Bytes {
    key(GROUP_NUMBER, &[organisation.as_str().as_bytes(), &[0], &number.to_be_bytes()])
}

pub fn group_person(organisation: &Id, group: &Id, user: &UserName) -> Bytes {
    let parts = [organisation.as_str(), group.as_str(), user.as_str()].map(str::as_bytes);
    key(GROUP_PERSON, &[parts[0], &[0], parts[1], &[0], parts[2]])
}

/// Everybody who is something in a group.
pub fn group_people(organisation: &Id, group: &Id) -> Bytes {
    key(GROUP_PERSON, &[organisation.as_str().as_bytes(), &[0], group.as_str().as_bytes(), &[0]])
}

/// The person in the key of a group's row.
pub fn group_person_user(key: &[u8]) -> Option<UserName> {
    std::str::from_utf8(key.get(1..)?).ok()?.rsplit('\0').next().and_then(UserName::new)
}

pub fn group_of(user: &UserName, organisation: &Id, group: &Id) -> Bytes {
    let parts = [user.as_str(), organisation.as_str(), group.as_str()].map(str::as_bytes);
    key(GROUP_OF, &[parts[0], &[0], parts[1], &[0], parts[2]])
}

/// The groups that a person is something in.
pub fn groups_of(user: &UserName) -> Bytes {
    key(GROUP_OF, &[user.as_str().as_bytes(), &[0]])
}

/// The organisation and the group in the key of a person's row.
pub fn group_of_place(key: &[u8]) -> Option<(Id, Id)> {
    let mut parts = std::str::from_utf8(key.get(1..)?).ok()?.split('\0').skip(1);
    Some((Id::new(parts.next()?)?, Id::new(parts.next()?)?))
}

pub fn presence(user: &UserName) -> Bytes {
    key(PRESENCE, &[user.as_str().as_bytes()])
}

pub fn presence_edge(at: DateTime<Utc>, user: &UserName) -> Bytes {
    key(PRESENCE_EDGE, &[&[shard_of_user(user)], &instant(at), user.as_str().as_bytes()])
}

/// Every edge of a shard, up to `until` where that is given.
pub fn presence_edges(shard: u8, until: Option<DateTime<Utc>>) -> Range {
    edges(PRESENCE_EDGE, shard, until)
}

/// The instant of an edge, of a person or an object.
pub fn edge_instant(key: &[u8]) -> Option<DateTime<Utc>> {
    instant_back(key.get(2..10)?)
}

pub fn presence_edge_place(key: &[u8]) -> Option<(DateTime<Utc>, UserName)> {
    Some((instant_back(key.get(2..10)?)?, UserName::new(std::str::from_utf8(key.get(10..)?).ok()?)?))
}

pub fn object_edge(at: DateTime<Utc>, collection: CollectionId, name: &str) -> Bytes {
    let shard = shard_of_collection(collection);
    key(OBJECT_EDGE, &[&[shard], &instant(at), &collection.0.to_be_bytes(), name.as_bytes()])
}

pub fn object_edges(shard: u8, until: Option<DateTime<Utc>>) -> Range {
    edges(OBJECT_EDGE, shard, until)
}

pub fn object_edge_place(key: &[u8]) -> Option<(DateTime<Utc>, CollectionId, &str)> {
    due_place(key)
}

fn edges(family: u8, shard: u8, until: Option<DateTime<Utc>>) -> Range {
    let all = Range::prefix(&key(family, &[&[shard]]));
    match until {
        // Names follow the instant, and none of them begins so.
        Some(at) => {
            Range { start: all.start, end: Bound::Excluded(key(family, &[&[shard], &instant(at), &[0xFF; 9]])) }
        }
        None => all,
    }
}

pub fn hold(collection: CollectionId, rank: u8, start: DateTime<Utc>, name: &str) -> Bytes {
    key(HOLD, &[&collection.0.to_be_bytes(), &[rank], &instant(start), name.as_bytes()])
}

/// The holds of a calendar from one rank on, the strongest first.
pub fn holds_from(collection: CollectionId, rank: u8) -> Range {
    let all = Range::prefix(&key(HOLD, &[&collection.0.to_be_bytes()]));
    Range { start: Bound::Included(key(HOLD, &[&collection.0.to_be_bytes(), &[rank]])), end: all.end }
}

/// What this installation made up once, by its name.
pub fn made_up(name: &str) -> Bytes {
    key(INSTANCE, &[name.as_bytes()])
}

pub fn invited(collection: CollectionId, name: &str) -> Bytes {
    key(INVITED, &[&collection.0.to_be_bytes(), name.as_bytes()])
}

pub fn all_invited(collection: CollectionId) -> Bytes {
    key(INVITED, &[&collection.0.to_be_bytes()])
}

pub fn waits(user: &UserName) -> Bytes {
    key(WAITS, &[user.as_str().as_bytes()])
}

/// A device's row, by its password in plain form.
pub fn device(user: &UserName, password: &str) -> Bytes {
    key(DEVICE, &[user.as_str().as_bytes(), &[0], &Sha256::digest(password.as_bytes())])
}

/// What somebody was told of sharing.
pub fn invites(user: &UserName) -> Bytes {
    key(INVITES, &[user.as_str().as_bytes()])
}

/// Those who act for somebody.
pub fn proxies(owner: &UserName) -> Bytes {
    key(PROXIES, &[owner.as_str().as_bytes()])
}

pub fn acts_for(user: &UserName, owner: &UserName) -> Bytes {
    key(ACTS_FOR, &[user.as_str().as_bytes(), &[0], owner.as_str().as_bytes()])
}

/// Whom somebody acts for.
pub fn all_acts_for(user: &UserName) -> Bytes {
    key(ACTS_FOR, &[user.as_str().as_bytes(), &[0]])
}

/// The owner out of such a row's key.
pub fn acts_for_owner(key: &[u8]) -> Option<UserName> {
    let text = std::str::from_utf8(key.get(1..)?).ok()?;
    UserName::new(text.split_once('\0')?.1)
}

/// One that ends subscriptions stands beside one that only says that something changed.
pub fn announcement(source: CollectionId, ends: bool) -> Bytes {
    key(ANNOUNCEMENT, &[&source.0.to_be_bytes(), &[u8::from(ends)]])
}

pub fn announcements() -> Bytes {
    key(ANNOUNCEMENT, &[])
}

/// All devices of one person.
pub fn devices(user: &UserName) -> Bytes {
    key(DEVICE, &[user.as_str().as_bytes(), &[0]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_a_byte_of_its_own() {
        let text = include_str!("keys.rs");
        let mut bytes: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("const ")?.split_once(": u8 = 0x"))
            .map(|(_, rest)| &rest[..2])
            .collect();
        let all = bytes.len();
        bytes.sort_unstable();
        bytes.dedup();
        assert!(all > 20);
        assert_eq!(bytes.len(), all);
    }

    #[test]
    fn instants_sort_as_bytes_and_come_back() {
        let times = [i64::MIN / 4, -1, 0, 1, 1_736_931_600_000_000];
        let keys: Vec<_> = times
            .iter()
            .map(|micros| due(DateTime::from_timestamp_micros(*micros).unwrap_or_default(), CollectionId(3), "x.ics"))
            .collect();
        assert!(keys.is_sorted());
        for (micros, key) in times.iter().zip(&keys) {
            let (at, id, name) = due_place(key).expect("a due key is read back");
            assert_eq!((at.timestamp_micros(), id, name), (*micros, CollectionId(3), "x.ics"));
        }
    }

    #[test]
    fn ages_come_back() {
        let (user, at) = (UserName::new("alice").expect("a name"), DateTime::from_timestamp_micros(7).expect("a time"));
        let (of, id) = (ConversationId(Uuid::from_u128(1)), MessageId(Uuid::from_u128(2)));
        assert_eq!(age_place(&age(at, &user, of, id)), Some((at, user.clone(), of, id)));
        assert_eq!(message_conversation(&message(&user, of, id)), Some(of));
    }
}
