//! The rows of collections, with who may do what there.

use bytes::Bytes;

use crate::domain::access::{Grant, Proxy, Right};
use crate::domain::collection::{Collection, CollectionId, Kept, Source};
use crate::domain::sync::Token;
use crate::store::StoreError;
use crate::store::record::{address, more, pack, some_more, unpack_some, user};

pub(super) fn right_code(right: Right) -> u8 {
    match right {
        Right::None => 0,
        Right::Read => 1,
        Right::ReadWrite => 2,
        Right::Administration => 3,
        Right::Owner => 4,
        Right::FreeBusy => 5,
    }
}

pub(super) fn right_back(what: &'static str, code: u8) -> Result<Right, StoreError> {
    [Right::None, Right::Read, Right::ReadWrite, Right::Administration, Right::Owner, Right::FreeBusy]
        .get(usize::from(code))
        .copied()
        .ok_or(StoreError::Unreadable(what))
}

/// Beside the right of a grant: the delegate hid the mirror.
const HIDDEN: u8 = 0x10;

type CollectionRow = (
    u64,
    String,
    Option<(bool, String, u64)>,
    (String, String, String, Vec<String>, Option<String>),
    Vec<(String, u8, String)>,
    Option<u8>,
    (u64, u64, u64, u64),
    bool,
);

pub fn pack_collection(c: &Collection) -> Bytes {
    let source = match &c.source {
        Source::Own => None,
        Source::Delegated(address, id) => Some((true, address.to_string(), id.0)),
        Source::Subscribed(address, id) => Some((false, address.to_string(), id.0)),
    };
    let grants: Vec<(&str, u8, &str)> =
        c.grants.iter().map(|grant| (grant.user.as_str(), grant_code(grant), grant.mirror.as_str())).collect();
    let proxies: Vec<(&str, u8)> =
        c.proxies.iter().map(|proxy| (proxy.user.as_str(), right_code(proxy.right))).collect();
    let row = (
        c.id.0,
        c.address.to_string(),
        source,
        (&c.display_name, &c.description, &c.color, &c.components, &c.timezone),
        grants,
        c.public.map(right_code),
        (c.token.0, c.floor.0, c.objects, c.subscriptions),
        c.alarms,
        c.transparent,
    );
    let kept: Option<(String, Option<u64>)> = c.kept.as_ref().map(|kept| match kept {
        Kept::Feed(url) => (url.clone(), None),
        Kept::Birthdays(book, id) => (book.to_string(), Some(id.0)),
    });
    let grown = (row, proxies, c.bytes);
    // Few collections have any.
    if kept.is_some() || c.down { pack((grown, kept, c.down)) } else { pack(grown) }
}

fn grant_code(grant: &Grant) -> u8 {
    right_code(grant.right) | if grant.hidden { HIDDEN } else { 0 }
}

pub fn collection(bytes: &[u8]) -> Result<Collection, StoreError> {
    const WHAT: &str = "collection";
    let ((id, at, source, face, grants, public, counters, alarms), rest) = unpack_some::<CollectionRow>(WHAT, bytes)?;
    // Rows from before there was such a thing end here.
    let (transparent, rest): (bool, _) = if rest.is_empty() { (false, rest) } else { some_more(WHAT, rest)? };
    let (proxies, rest): (Vec<(String, u8)>, _) =
        if rest.is_empty() { (Vec::new(), rest) } else { some_more(WHAT, rest)? };
    let (bytes, rest): (u64, _) = if rest.is_empty() { (0, rest) } else { some_more(WHAT, rest)? };
    let (kept, down): (Option<(String, Option<u64>)>, bool) =
        if rest.is_empty() { (None, false) } else { more(WHAT, rest)? };
    let kept = match kept {
        None => None,
        Some((url, None)) => Some(Kept::Feed(url)),
        Some((book, Some(id))) => Some(Kept::Birthdays(address(WHAT, &book)?, CollectionId(id))),
    };
    let (display_name, description, color, components, timezone) = face;
    let (token, floor, objects, subscriptions) = counters;
    let source = match source {
        None => Source::Own,
        Some((true, text, id)) => Source::Delegated(address(WHAT, &text)?, CollectionId(id)),
        Some((false, text, id)) => Source::Subscribed(address(WHAT, &text)?, CollectionId(id)),
    };
    let grants = grants
        .into_iter()
        .map(|(name, code, mirror)| {
            let (right, hidden) = (right_back(WHAT, code & !HIDDEN)?, code & HIDDEN != 0);
            Ok(Grant { user: user(WHAT, &name)?, right, mirror, hidden })
        })
        .collect::<Result<_, StoreError>>()?;
    let proxies = proxies
        .into_iter()
        .map(|(name, right)| Ok(Proxy { user: user(WHAT, &name)?, right: right_back(WHAT, right)? }))
        .collect::<Result<_, StoreError>>()?;
    Ok(Collection {
        id: CollectionId(id),
        address: address(WHAT, &at)?,
        source,
        display_name,
        description,
        color,
        components,
        timezone,
        grants,
        proxies,
        public: public.map(|code| right_back(WHAT, code)).transpose()?,
        token: Token(token),
        floor: Token(floor),
        objects,
        bytes,
        alarms,
        transparent,
        subscriptions,
        kept,
        down,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::{Address, UserName};

    #[test]
    fn who_may_do_what_comes_back() {
        let at = Address::parse("/calendars/alice/work").expect("an address");
        let user = |name| UserName::new(name).expect("a name");
        let mut made = Collection::new(at, Source::Own, "Work", 7);
        for (n, right) in [Right::FreeBusy, Right::Read, Right::Administration].into_iter().enumerate() {
            made.grants.push(Grant { user: user("bob"), right, mirror: "m".to_owned(), hidden: n == 1 });
            made.proxies.push(Proxy { user: user("carol"), right });
        }
        made.public = Some(Right::FreeBusy);
        assert_eq!(collection(&pack_collection(&made)).expect("a row"), made);
        let book = Address::parse("/addressbooks/alice/collected").expect("an address");
        for kept in [Kept::Feed("https://example.org/".to_owned()), Kept::Birthdays(book, CollectionId(3))] {
            made.kept = Some(kept);
            assert_eq!(collection(&pack_collection(&made)).expect("a row"), made);
            made.proxies.clear();
            made.down = !made.down;
        }
        assert_eq!(collection(&pack_collection(&made)).expect("a row"), made);
    }

    #[test]
    fn a_row_from_before_its_last_field_is_read() {
        let at = Address::parse("/calendars/alice/work").expect("an address");
        let made = Collection { transparent: true, bytes: 5, ..Collection::new(at, Source::Own, "Work", 7) };
        let row = pack_collection(&made);
        assert_eq!(collection(&row).expect("a row"), made);
        let uncounted = Collection { bytes: 0, ..made };
        let opaque = Collection { transparent: false, ..uncounted.clone() };
        for (cut, before) in [(1, &uncounted), (2, &uncounted), (3, &opaque)] {
            assert_eq!(collection(&row[..row.len() - cut]).expect("an older row"), *before, "{cut}");
        }
        assert!(collection(&row[..row.len() - 4]).is_err());
    }
}
