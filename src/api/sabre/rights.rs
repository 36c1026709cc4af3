//! Who may do what with a collection, in esn-sabre's words: `invite` and `acl`.

use serde_json::{Value, json};

use crate::api::House;
use crate::domain::access::{Grant, Right};
use crate::domain::address::UserName;
use crate::domain::refusal::Refusal;
use crate::service::collections::View;

/// Of a calendar's owner; others' numbers stand in [`access`].
const OWNER: u8 = 1;
/// Every share stands at once.
const ACCEPTED: u8 = 2;

/// All that somebody may do who sees only when its owner is busy.
pub const FREE_BUSY: &str = "{urn:ietf:params:xml:ns:caldav}read-free-busy";

/// A person where esn-sabre names a principal.
pub fn principal(user: &UserName) -> String {
    format!("principals/users/{user}")
}

/// sabre's number of a share: 2 reads, 3 writes, 5 administers, 6 sees when its owner is busy.
pub fn access(right: Right) -> u8 {
    match right {
        Right::Owner => OWNER,
        Right::Read => 2,
        Right::ReadWrite => 3,
        Right::None => 4,
        Right::Administration => 5,
        Right::FreeBusy => 6,
    }
}

/// The right that a number of a share means, by its own name.
pub fn right_of_access(access: u64) -> Option<Right> {
    match access {
        2 => Some(Right::Read),
        3 => Some(Right::ReadWrite),
        5 => Some(Right::Administration),
        6 => Some(Right::FreeBusy),
        _ => None,
    }
}

/// The owner, and those it is shared with: all of them for who administers it, for others they themselves.
pub async fn invites(house: &House, view: &View, caller: &UserName) -> Result<Vec<Value>, Refusal> {
    let owner = view.source.address.user();
    let mut list = vec![json!({
        "href": principal(owner),
        "principal": principal(owner),
        "properties": [],
        "access": OWNER,
        "comment": null,
        "inviteStatus": ACCEPTED,
    })];
    for grant in shown(view, caller) {
        let mail = house.look_up(&grant.user).await?.map(|person| format!("mailto:{}", person.email));
        list.push(json!({
            "href": mail.unwrap_or_else(|| principal(&grant.user)),
            "principal": principal(&grant.user),
            "properties": [],
            "access": access(grant.right),
            "comment": null,
            "inviteStatus": ACCEPTED,
        }));
    }
    Ok(list)
}

fn shown<'a>(view: &'a View, caller: &'a UserName) -> impl Iterator<Item = &'a Grant> {
    let all = view.right >= Right::Administration;
    view.source.grants.iter().filter(move |grant| all || grant.user == *caller)
}

/// Entries of the access control list, as many as [`invites`] shows people.
pub fn acl(view: &View, caller: &UserName) -> Vec<Value> {
    let owner = principal(view.source.address.user());
    let entry =
        |privilege: &str, principal: &str| json!({ "privilege": privilege, "principal": principal, "protected": true });
    // What a feed keeps is its owner's to name and to share, and nobody's to write.
    let owned: &[&str] = match view.source.kept {
        Some(_) => &["{DAV:}share", "{DAV:}write-properties", "{DAV:}read", FREE_BUSY],
        None => privileges(Right::Owner),
    };
    let mut list: Vec<Value> = owned.iter().map(|one| entry(one, &owner)).collect();
    for grant in shown(view, caller) {
        let right = if view.source.kept.is_some() { grant.right.min(Right::Read) } else { grant.right };
        list.extend(privileges(right).iter().map(|one| entry(one, &principal(&grant.user))));
    }
    let everybody = view.source.public.map(privileges).unwrap_or_default();
    list.extend(everybody.iter().map(|one| entry(one, "{DAV:}authenticated")));
    list
}

fn privileges(right: Right) -> &'static [&'static str] {
    match right {
        Right::Owner | Right::Administration => {
            &["{DAV:}share", "{DAV:}write", "{DAV:}write-properties", "{DAV:}read", FREE_BUSY]
        }
        Right::ReadWrite => &["{DAV:}write", "{DAV:}read", FREE_BUSY],
        Right::Read => &["{DAV:}read", FREE_BUSY],
        Right::FreeBusy => &[FREE_BUSY],
        Right::None => &[],
    }
}
