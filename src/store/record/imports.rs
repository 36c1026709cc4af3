//! The rows of imports, their failures and uploads.

use bytes::Bytes;

use crate::domain::import::{Counts, Failure, Import, Media, Status, Upload};
use crate::store::StoreError;
use crate::store::record::{address, code, decode, micros, pack, time, unpack, user};

const MEDIA: [Media; 2] = [Media::Calendar, Media::Card];
const STATUS: [Status; 4] = [Status::Queued, Status::Running, Status::Completed, Status::Failed];

type ImportRow = (String, String, String, String, i64, u8, (u64, u64), (u64, u64, u64, u64));

pub fn pack_import(i: &Import) -> Bytes {
    pack((
        &i.id,
        i.user.as_str(),
        &i.file,
        i.target.to_string(),
        micros(i.asked),
        code(&STATUS, &i.status),
        (i.cursor, i.total),
        (i.counts.created, i.counts.updated, i.counts.unchanged, i.counts.failed),
    ))
}

pub fn import(bytes: &[u8]) -> Result<Import, StoreError> {
    const WHAT: &str = "import";
    let (id, name, file, target, asked, status, (cursor, total), counts): ImportRow = unpack(WHAT, bytes)?;
    let (created, updated, unchanged, failed) = counts;
    Ok(Import {
        id,
        user: user(WHAT, &name)?,
        file,
        target: address(WHAT, &target)?,
        asked: time(WHAT, asked)?,
        status: decode(WHAT, &STATUS, status)?,
        cursor,
        total,
        counts: Counts { created, updated, unchanged, failed },
    })
}

pub fn pack_failure(f: &Failure) -> Bytes {
    pack((f.line, &f.uid, &f.why))
}

pub fn failure(bytes: &[u8]) -> Result<Failure, StoreError> {
    let (line, uid, why) = unpack("import failure", bytes)?;
    Ok(Failure { line, uid, why })
}

pub fn pack_upload(u: &Upload) -> Bytes {
    pack((&u.id, u.user.as_str(), &u.name, code(&MEDIA, &u.media), u.size, micros(u.stored)))
}

pub fn upload(bytes: &[u8]) -> Result<Upload, StoreError> {
    const WHAT: &str = "upload";
    let (id, owner, name, media, size, stored): (String, String, String, u8, u64, i64) = unpack(WHAT, bytes)?;
    Ok(Upload {
        id,
        user: user(WHAT, &owner)?,
        name,
        media: decode(WHAT, &MEDIA, media)?,
        size,
        stored: time(WHAT, stored)?,
    })
}
