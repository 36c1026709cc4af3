//! Rows of organisations, of their members and groups, and of what this installation made up once.

use bytes::Bytes;

use crate::domain::address::UserName;
use crate::domain::organisation::{Group, Id, Member, Organisation, Role, Summary};
use crate::kv::Writes;
use crate::store::keys;
use crate::store::record::{label, pack, unpack, user};
use crate::store::{Store, StoreError};

impl Store {
    pub async fn organisation(&self, id: &Id) -> Result<Option<Organisation>, StoreError> {
        self.get(keys::organisation(id)).await?.map(|bytes| organisation(&bytes)).transpose()
    }

    pub async fn organisations(&self) -> Result<Vec<Organisation>, StoreError> {
        self.all(&keys::organisations()).await?.iter().map(|(_, bytes)| organisation(bytes)).collect()
    }

    /// The organisation of that number.
    pub async fn organisation_numbered(&self, number: u64) -> Result<Option<Id>, StoreError> {
        seen_label(self.get(keys::organisation_number(number)).await?.as_ref())
    }

    pub async fn member(&self, organisation: &Id, id: &Id) -> Result<Option<Member>, StoreError> {
        self.get(keys::member(organisation, id)).await?.map(|bytes| member(&bytes)).transpose()
    }

    pub async fn member_numbered(&self, organisation: &Id, number: u64) -> Result<Option<Id>, StoreError> {
        seen_label(self.get(keys::member_number(organisation, number)).await?.as_ref())
    }

    pub async fn members(&self, organisation: &Id) -> Result<Vec<Member>, StoreError> {
        self.all(&keys::members(organisation)).await?.iter().map(|(_, bytes)| member(bytes)).collect()
    }

    /// Where somebody was put, if ever.
    pub async fn member_of(&self, user: &UserName) -> Result<Option<Member>, StoreError> {
        let Some((organisation, id)) = seen_place(self.get(keys::member_of(user)).await?.as_ref())? else {
            return Ok(None);
        };
        self.member(&organisation, &id).await
    }

    pub async fn group(&self, organisation: &Id, id: &Id) -> Result<Option<Group>, StoreError> {
        self.get(keys::group(organisation, id)).await?.map(|bytes| group(&bytes)).transpose()
    }

    pub async fn group_numbered(&self, organisation: &Id, number: u64) -> Result<Option<Id>, StoreError> {
        seen_label(self.get(keys::group_number(organisation, number)).await?.as_ref())
    }

    pub async fn groups(&self, organisation: &Id) -> Result<Vec<Group>, StoreError> {
        self.all(&keys::groups(organisation)).await?.iter().map(|(_, bytes)| group(bytes)).collect()
    }

    /// Everybody who is something in a group, by name.
    pub async fn group_people(&self, organisation: &Id, id: &Id) -> Result<Vec<(UserName, Role)>, StoreError> {
        let rows = self.all(&keys::group_people(organisation, id)).await?;
        let person = |(key, bytes): &(Bytes, Bytes)| {
            let user = keys::group_person_user(key).ok_or(StoreError::Unreadable("group"))?;
            Ok((user, role(bytes)?))
        };
        rows.iter().map(person).collect()
    }

    /// The groups that somebody is something in, each with its organisation.
    pub async fn groups_of(&self, user: &UserName) -> Result<Vec<(Id, Id, Role)>, StoreError> {
        let rows = self.all(&keys::groups_of(user)).await?;
        let place = |(key, bytes): &(Bytes, Bytes)| {
            let (organisation, group) = keys::group_of_place(key).ok_or(StoreError::Unreadable("group"))?;
            Ok((organisation, group, role(bytes)?))
        };
        rows.iter().map(place).collect()
    }
}

pub fn pack_organisation(o: &Organisation) -> Bytes {
    pack((o.id.as_str(), o.number, &o.name, o.last_member, o.last_group))
}

pub fn organisation(bytes: &[u8]) -> Result<Organisation, StoreError> {
    let (id, number, name, last_member, last_group): (String, u64, String, u64, u64) = unpack("organisation", bytes)?;
    Ok(Organisation { id: label("organisation", &id)?, number, name, last_member, last_group })
}

/// Writes an organisation's row, and where its number leads.
pub fn write(writes: &mut Writes, organisation: &Organisation) {
    writes.push((keys::organisation(&organisation.id), Some(pack_organisation(organisation))));
    writes.push((keys::organisation_number(organisation.number), Some(text(organisation.id.as_str()))));
}

pub fn remove(writes: &mut Writes, organisation: &Organisation) {
    writes.push((keys::organisation(&organisation.id), None));
    writes.push((keys::organisation_number(organisation.number), None));
}

pub fn member(bytes: &[u8]) -> Result<Member, StoreError> {
    const WHAT: &str = "member";
    type Row = ((String, u64), String, u64, String, String, String);
    let ((organisation, organisation_number), id, number, name, display_name, extension): Row = unpack(WHAT, bytes)?;
    Ok(Member {
        organisation: label(WHAT, &organisation)?,
        organisation_number,
        id: label(WHAT, &id)?,
        number,
        user: user(WHAT, &name)?,
        display_name,
        extension,
    })
}

/// Writes a member's row, where the number leads, and where the person is.
pub fn write_member(writes: &mut Writes, m: &Member) {
    let of = (m.organisation.as_str(), m.organisation_number);
    let row = pack((of, m.id.as_str(), m.number, m.user.as_str(), &m.display_name, &m.extension));
    writes.push((keys::member(&m.organisation, &m.id), Some(row)));
    writes.push((keys::member_number(&m.organisation, m.number), Some(text(m.id.as_str()))));
    writes.push((keys::member_of(&m.user), Some(text(&format!("{}\0{}", m.organisation, m.id)))));
}

pub fn remove_member(writes: &mut Writes, m: &Member) {
    writes.push((keys::member(&m.organisation, &m.id), None));
    writes.push((keys::member_number(&m.organisation, m.number), None));
    writes.push((keys::member_of(&m.user), None));
}

/// The organisation and the id in the row that says where a person is.
pub fn seen_place(row: Option<&Bytes>) -> Result<Option<(Id, Id)>, StoreError> {
    let Some(bytes) = row else { return Ok(None) };
    let parts = std::str::from_utf8(bytes).ok().and_then(|text| text.split_once('\0'));
    let (organisation, id) = parts.ok_or(StoreError::Unreadable("member"))?;
    Ok(Some((label("member", organisation)?, label("member", id)?)))
}

fn seen_label(row: Option<&Bytes>) -> Result<Option<Id>, StoreError> {
    let text = |bytes: &Bytes| std::str::from_utf8(bytes).ok().and_then(Id::new);
    row.map(|bytes| text(bytes).ok_or(StoreError::Unreadable("number"))).transpose()
}

type SummaryRow = (u64, u64, u64, u64, u64, u64);

pub fn summary_row(s: &Summary) -> SummaryRow {
    (s.total, s.available, s.busy, s.on_call, s.away, s.offline)
}

pub fn summary((total, available, busy, on_call, away, offline): SummaryRow) -> Summary {
    Summary { total, available, busy, on_call, away, offline }
}

pub fn pack_group(g: &Group) -> Bytes {
    let place = (g.organisation.as_str(), g.id.as_str(), g.number);
    pack((place, &g.name, g.queue, summary_row(&g.summary), (g.changed, g.people)))
}

pub fn group(bytes: &[u8]) -> Result<Group, StoreError> {
    const WHAT: &str = "group";
    type Row = ((String, String, u64), String, bool, SummaryRow, (u64, u64));
    let ((organisation, id, number), name, queue, counts, (changed, people)): Row = unpack(WHAT, bytes)?;
    let (organisation, id) = (label(WHAT, &organisation)?, label(WHAT, &id)?);
    Ok(Group { organisation, id, number, name, queue, summary: summary(counts), changed, people })
}

/// Writes a group's row, and where its number leads.
pub fn write_group(writes: &mut Writes, group: &Group) {
    writes.push((keys::group(&group.organisation, &group.id), Some(pack_group(group))));
    writes.push((keys::group_number(&group.organisation, group.number), Some(text(group.id.as_str()))));
}

pub fn remove_group(writes: &mut Writes, group: &Group) {
    writes.push((keys::group(&group.organisation, &group.id), None));
    writes.push((keys::group_number(&group.organisation, group.number), None));
}

/// Writes what somebody is in a group, on both sides; nothing at all takes them out.
pub fn write_person(writes: &mut Writes, organisation: &Id, group: &Id, user: &UserName, role: Role) {
    let row = (role != Role::default()).then(|| pack((role.member, role.viewer)));
    writes.push((keys::group_person(organisation, group, user), row.clone()));
    writes.push((keys::group_of(user, organisation, group), row));
}

pub fn role(bytes: &[u8]) -> Result<Role, StoreError> {
    let (member, viewer) = unpack("group", bytes)?;
    Ok(Role { member, viewer })
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
