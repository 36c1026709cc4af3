//! Rows of what people are told of sharing: one mailbox a person.

use bytes::Bytes;

use crate::domain::access::Right;
use crate::domain::address::UserName;
use crate::domain::invite::{Invite, Mailbox, State};
use crate::kv::Writes;
use crate::store::keys;
use crate::store::record::code;
use crate::store::record::{address, decode, micros, pack, time, unpack, user};
use crate::store::{Store, StoreError};

const WHAT: &str = "mailbox";
const STATES: [State; 3] = [State::Accepted, State::Declined, State::Deleted];
const RIGHTS: [Right; 4] = [Right::FreeBusy, Right::Read, Right::ReadWrite, Right::Administration];

impl Store {
    /// An empty one where nobody was told anything.
    pub async fn mailbox(&self, user: &UserName) -> Result<Mailbox, StoreError> {
        seen(Some(&self.get(keys::invites(user)).await?))
    }
}

/// Reads a row that a decision was handed.
pub fn seen(row: Option<&Option<Bytes>>) -> Result<Mailbox, StoreError> {
    row.and_then(Option::as_ref).map_or_else(|| Ok(Mailbox::default()), |bytes| mailbox(bytes))
}

pub fn write(writes: &mut Writes, user: &UserName, mailbox: &Mailbox) {
    writes.push((keys::invites(user), Some(pack_mailbox(mailbox))));
}

fn pack_mailbox(held: &Mailbox) -> Bytes {
    let invites: Vec<_> = held
        .invites
        .iter()
        .map(|one| {
            (
                (&one.id, one.stamp, micros(one.at)),
                (one.about.to_string(), one.other.as_str()),
                (one.reply, code(&STATES, &one.state), code(&RIGHTS, &one.right), &one.name),
            )
        })
        .collect();
    pack((held.token, held.floor, invites, &held.gone))
}

type Row = (u64, u64, Vec<((String, u64, i64), (String, String), (bool, u8, u8, String))>, Vec<(String, u64, u64)>);

fn mailbox(bytes: &[u8]) -> Result<Mailbox, StoreError> {
    let (token, floor, invites, gone): Row = unpack(WHAT, bytes)?;
    let invites = invites.into_iter().map(|((id, stamp, at), (about, other), (reply, state, right, name))| {
        Ok(Invite {
            id,
            stamp,
            at: time(WHAT, at)?,
            about: address(WHAT, &about)?,
            other: user(WHAT, &other)?,
            reply,
            state: decode(WHAT, &STATES, state)?,
            right: decode(WHAT, &RIGHTS, right)?,
            name,
        })
    });
    Ok(Mailbox { token, floor, invites: invites.collect::<Result<_, StoreError>>()?, gone })
}
