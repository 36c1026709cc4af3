//! The rows of objects, their dead properties and their changes.

use bytes::Bytes;
use std::sync::Arc;

use crate::domain::dead::DeadProperty;
use crate::domain::object::{Armed, BodyId, Component, Etag, Record, Span, Stands};
use crate::domain::sync::Change;
use crate::store::StoreError;
use crate::store::record::{code, decode, micros, more, pack, some_more, time, unpack, unpack_some};

const COMPONENTS: [Component; 6] = [
    Component::Event,
    Component::Todo,
    Component::Journal,
    Component::FreeBusy,
    Component::Availability,
    Component::Card,
];

type ObjectRow =
    ((String, String, u8, String, u64), Option<(i64, Option<i64>)>, i64, (u64, u32), Option<i64>, Vec<(i64, u64, u32)>);

pub fn pack_object(r: &Record) -> Bytes {
    let armed: Vec<(i64, u64, u32)> = r.armed.iter().map(|a| (micros(a.at), a.stamp, a.part)).collect();
    pack((
        (&*r.name, &r.uid, code(&COMPONENTS, &r.component), r.etag.as_str(), r.size),
        r.span.map(|span| (micros(span.start), span.end.map(micros))),
        micros(r.modified),
        (r.body.stamp, r.body.part),
        r.due.map(micros),
        armed,
        (micros(r.created), r.schedule_tag.as_deref(), r.dead),
        (r.stands.edge.map(micros), r.stands.hold.map(|(rank, at)| (rank, micros(at))), r.stands.invited.map(micros)),
        r.private,
    ))
}

pub fn object(bytes: &[u8]) -> Result<Record, StoreError> {
    const WHAT: &str = "object";
    let (row, rest) = unpack_some::<ObjectRow>(WHAT, bytes)?;
    let ((name, uid, component, etag, size), span, modified, (stamp, part), due, armed) = row;
    // Rows from before there were such things end here.
    type Stood = (Option<i64>, Option<(u8, i64)>, Option<i64>);
    type More = ((i64, Option<String>, u8), Stood);
    let (((created, schedule_tag, dead), (edge, hold, invited)), rest) = match rest {
        [] => (((modified, None, 0), (None, None, None)), rest),
        rest => some_more::<More>(WHAT, rest)?,
    };
    let private = if rest.is_empty() { None } else { more::<Option<bool>>(WHAT, rest)? };
    let span = span
        .map(|(start, end)| {
            Ok::<_, StoreError>(Span { start: time(WHAT, start)?, end: end.map(|end| time(WHAT, end)).transpose()? })
        })
        .transpose()?;
    Ok(Record {
        name: Arc::from(name),
        uid,
        component: decode(WHAT, &COMPONENTS, component)?,
        etag: Etag(Arc::from(etag)),
        size,
        span,
        modified: time(WHAT, modified)?,
        body: BodyId { stamp, part },
        due: due.map(|at| time(WHAT, at)).transpose()?,
        armed: armed
            .into_iter()
            .map(|(at, stamp, part)| Ok(Armed { at: time(WHAT, at)?, stamp, part }))
            .collect::<Result<_, StoreError>>()?,
        created: time(WHAT, created)?,
        schedule_tag: schedule_tag.map(Arc::from),
        dead,
        stands: Stands {
            edge: edge.map(|at| time(WHAT, at)).transpose()?,
            hold: hold.map(|(rank, at)| Ok::<_, StoreError>((rank, time(WHAT, at)?))).transpose()?,
            invited: invited.map(|at| time(WHAT, at)).transpose()?,
        },
        private,
    })
}

/// All dead properties of one holder.
pub fn pack_dead(properties: &[DeadProperty]) -> Bytes {
    pack(properties.iter().map(|one| (&one.space, &one.local, &one.value)).collect::<Vec<_>>())
}

/// Reads them; no bytes are no properties.
pub fn dead(bytes: &[u8]) -> Result<Vec<DeadProperty>, StoreError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String, String)> = unpack("dead properties", bytes)?;
    Ok(rows.into_iter().map(|(space, local, value)| DeadProperty { space, local, value }).collect())
}

pub fn pack_change(change: Change, name: &str) -> Bytes {
    pack((matches!(change, Change::Removed), name))
}

pub fn change(bytes: &[u8]) -> Result<(Change, String), StoreError> {
    let (removed, name): (bool, String) = unpack("change", bytes)?;
    Ok((if removed { Change::Removed } else { Change::Written }, name))
}
