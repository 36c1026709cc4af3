//! The rows of people: principals, tickets, app passwords, tokens.

use bytes::Bytes;
use std::net::IpAddr;
use uuid::Uuid;

use crate::domain::bearer::{Bearer, Purpose, Standing};
use crate::domain::device::{Device, Scope};
use crate::domain::principal::Principal;
use crate::domain::ticket::Ticket;
use crate::store::StoreError;
use crate::store::record::{code, decode, micros, pack, time, unpack, user};

pub fn pack_principal(p: &Principal) -> Bytes {
    pack((p.name.as_str(), &p.email, &p.display_name, &p.password_hash, &p.timezone, p.administrator))
}

pub fn principal(bytes: &[u8]) -> Result<Principal, StoreError> {
    let (name, email, display_name, password_hash, timezone, administrator): (String, _, _, _, _, _) =
        unpack("user", bytes)?;
    Ok(Principal { name: user("user", &name)?, email, display_name, password_hash, timezone, administrator })
}

pub fn pack_ticket(t: &Ticket) -> Bytes {
    pack((t.user.as_str(), t.client_address, micros(t.generated_on), micros(t.valid_until), &t.device))
}

pub fn ticket(bytes: &[u8]) -> Result<Ticket, StoreError> {
    type Row = (String, IpAddr, i64, i64);
    // Tickets of the minute before an update have no device behind them.
    let ((name, client_address, generated_on, valid_until), device): (Row, Option<String>) =
        match unpack::<(String, IpAddr, i64, i64, Option<String>)>("ticket", bytes) {
            Ok((name, address, generated_on, valid_until, device)) => {
                ((name, address, generated_on, valid_until), device)
            }
            Err(_) => (unpack("ticket", bytes)?, None),
        };
    Ok(Ticket {
        device,
        user: user("ticket", &name)?,
        client_address,
        generated_on: time("ticket", generated_on)?,
        valid_until: time("ticket", valid_until)?,
    })
}

pub fn pack_device(d: &Device) -> Bytes {
    let scope = (d.scope.dav, d.scope.push, d.scope.read);
    pack((&d.id, d.user.as_str(), &d.name, scope, micros(d.created), d.used.map(micros)))
}

pub fn device(bytes: &[u8]) -> Result<Device, StoreError> {
    const WHAT: &str = "app password";
    type Row = (String, String, String, (bool, bool, bool), i64, Option<i64>);
    let (id, name_of, name, (dav, push, read), created, used): Row = unpack(WHAT, bytes)?;
    Ok(Device {
        id,
        user: user(WHAT, &name_of)?,
        name,
        scope: Scope { dav, push, read },
        created: time(WHAT, created)?,
        used: used.map(|at| time(WHAT, at)).transpose()?,
    })
}

const PURPOSES: [Purpose; 3] = [Purpose::User, Purpose::Internal, Purpose::ExternalApi];

pub fn pack_bearer(b: &Bearer) -> Bytes {
    let standing = (code(&PURPOSES, &b.standing.purpose), b.standing.admin, b.standing.master);
    pack(((b.user.as_str(), b.until.map(micros)), b.session.into_bytes(), &b.acl, standing, b.trusted))
}

pub fn bearer(bytes: &[u8]) -> Result<Bearer, StoreError> {
    const WHAT: &str = "token";
    type Head = (String, Option<i64>);
    type Row = (Head, [u8; 16], Option<Vec<String>>, (u8, bool, bool), bool);
    let row = unpack::<Row>(WHAT, bytes).or_else(|_| {
        // Older rows are the head alone: tokens with the usual list, whose session nobody was told.
        unpack::<Head>(WHAT, bytes).map(|head| (head, [0; 16], None, (0, false, false), false))
    });
    let ((name, until), session, acl, (purpose, admin, master), trusted) = row?;
    Ok(Bearer {
        user: user(WHAT, &name)?,
        until: until.map(|at| time(WHAT, at)).transpose()?,
        session: Uuid::from_bytes(session),
        acl,
        standing: Standing { purpose: decode(WHAT, &PURPOSES, purpose)?, admin, master },
        trusted,
    })
}
