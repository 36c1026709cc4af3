//! What clients say of sharing: bodies become wishes. Performs none.

use crate::dav::fault::Fault;
use crate::dav::path::{Path, Place};
use crate::dav::xml::{Element, Space};
use crate::domain::access::Right;
use crate::domain::address::UserName;

/// Somebody is to have a right, or none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub href: String,
    pub right: Option<Right>,
}

/// Somebody takes what is shared with them, or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The href of the collection.
    pub source: String,
    pub accepts: bool,
}

/// Reads `CS:share` and `D:share-resource`.
pub fn wishes(root: &Element) -> Result<Vec<Wish>, Fault> {
    let wishes: Result<Vec<Wish>, Fault> = match (&root.name.space, root.name.local.as_str()) {
        (Space::CalendarServer, "share") => {
            let steps = root.children.iter().filter(|child| child.name.space == Space::CalendarServer);
            steps.filter_map(apple).collect()
        }
        (Space::Dav, "share-resource") => {
            let sharees = root.children.iter().filter(|child| child.name.is(&Space::Dav, "sharee"));
            sharees.map(drafted).collect()
        }
        (_, other) => return Err(Fault::Malformed(format!("a collection cannot be told {other:?}"))),
    };
    match wishes? {
        wishes if wishes.is_empty() => Err(Fault::Malformed("nobody is named".to_owned())),
        wishes => Ok(wishes),
    }
}

fn apple(step: &Element) -> Option<Result<Wish, Fault>> {
    let says = |name: &str| step.child(&Space::CalendarServer, name).is_some();
    let right = match step.name.local.as_str() {
        "remove" => Ok(None),
        "set" => match (says("read"), says("read-write")) {
            (true, false) => Ok(Some(Right::Read)),
            (false, true) => Ok(Some(Right::ReadWrite)),
            _ => Err(Fault::Malformed("a CS:set holds one of CS:read and CS:read-write".to_owned())),
        },
        _ => return None,
    };
    Some(right.and_then(|right| Ok(Wish { href: href(step)?, right })))
}

/// draft-pot-webdav-resource-sharing 4.3.
fn drafted(sharee: &Element) -> Result<Wish, Fault> {
    let access = sharee.child(&Space::Dav, "share-access");
    let says = |name: &str| access.is_some_and(|access| access.child(&Space::Dav, name).is_some());
    let right = match (says("read"), says("read-write"), says("no-access")) {
        (true, false, false) => Some(Right::Read),
        (false, true, false) => Some(Right::ReadWrite),
        (false, false, true) => None,
        _ => {
            let text = "a D:share-access holds one of D:read, D:read-write and D:no-access";
            return Err(Fault::Malformed(text.to_owned()));
        }
    };
    Ok(Wish { href: href(sharee)?, right })
}

fn href(of: &Element) -> Result<String, Fault> {
    let href = of.child(&Space::Dav, "href").map(|href| href.text.trim()).filter(|href| !href.is_empty());
    Ok(href.ok_or_else(|| Fault::Malformed("a sharee has a D:href".to_owned()))?.to_owned())
}

/// Reads `CS:invite-reply`.
pub fn answer(root: &Element) -> Result<Answer, Fault> {
    if !root.name.is(&Space::CalendarServer, "invite-reply") {
        return Err(Fault::Malformed(format!("a home cannot be told {:?}", root.name.local)));
    }
    let says = |name: &str| root.child(&Space::CalendarServer, name).is_some();
    let accepts = match (says("invite-accepted"), says("invite-declined")) {
        (true, false) => true,
        (false, true) => false,
        _ => return Err(Fault::Malformed("an answer either accepts or declines".to_owned())),
    };
    let source = root
        .child(&Space::CalendarServer, "hosturl")
        .ok_or_else(|| Fault::Malformed("an answer names what it is about in a CS:hosturl".to_owned()))?;
    Ok(Answer { source: href(source)?, accepts })
}

/// The path of an href that may begin with a scheme and a host.
pub fn path(href: &str) -> String {
    let href = href.trim();
    href.split_once("://").map_or(href, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..])).to_owned()
}

/// The person whose principal an href is.
pub fn principal(href: &str) -> Option<UserName> {
    match Path::parse(&path(href)) {
        Ok(Path { place: Place::Principal(user), .. }) => Some(user),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dav::reader;

    fn read(body: &str) -> Element {
        let body = body.replacen('>', " xmlns:D='DAV:' xmlns:CS='http://calendarserver.org/ns/'>", 1);
        reader::read(body.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn both_spellings_say_the_same() {
        let wish = |href: &str, right| Wish { href: href.to_owned(), right };
        let want = [
            wish("mailto:bob@example.org", Some(Right::ReadWrite)),
            wish("/principals/carol/", Some(Right::Read)),
            wish("mailto:dave@example.org", None),
        ];
        let apple = read(
            "<CS:share><CS:set><D:href>mailto:bob@example.org</D:href><CS:common-name>Bob</CS:common-name>\
             <CS:summary>Trip</CS:summary><CS:read-write/></CS:set><CS:set><D:href> /principals/carol/\n</D:href><CS:read/></CS:set>\
             <CS:remove><D:href>mailto:dave@example.org</D:href></CS:remove></CS:share>",
        );
        assert_eq!(wishes(&apple).unwrap(), want);
        let sharee = |href: &str, access: &str| {
            format!("<D:sharee><D:href>{href}</D:href><D:share-access><D:{access}/></D:share-access></D:sharee>")
        };
        let drafted = read(&format!(
            "<D:share-resource>{}{}{}</D:share-resource>",
            sharee("mailto:bob@example.org", "read-write"),
            sharee("/principals/carol/", "read"),
            sharee("mailto:dave@example.org", "no-access")
        ));
        assert_eq!(wishes(&drafted).unwrap(), want);
    }

    #[test]
    fn what_says_nothing_is_refused() {
        let refused = [
            "<CS:share></CS:share>",
            "<CS:share><CS:set><D:href>mailto:b@x</D:href></CS:set></CS:share>",
            "<CS:share><CS:set><D:href>mailto:b@x</D:href><CS:read/><CS:read-write/></CS:set></CS:share>",
            "<CS:share><CS:set><CS:read/></CS:set></CS:share>",
            "<CS:share><CS:remove><D:href> </D:href></CS:remove></CS:share>",
            "<D:share-resource></D:share-resource>",
            "<D:share-resource><D:sharee><D:href>mailto:b@x</D:href></D:sharee></D:share-resource>",
            "<D:mkcol></D:mkcol>",
        ];
        for body in refused {
            assert!(matches!(wishes(&read(body)), Err(Fault::Malformed(_))), "{body}");
        }
        let host = "<CS:hosturl><D:href>https://x/calendars/alice/trip/</D:href></CS:hosturl>";
        for (said, accepts) in [("<CS:invite-accepted/>", true), ("<CS:invite-declined/>", false)] {
            let answered = answer(&read(&format!("<CS:invite-reply>{said}{host}</CS:invite-reply>"))).unwrap();
            assert_eq!(answered.accepts, accepts);
            assert_eq!(path(&answered.source), "/calendars/alice/trip/");
        }
        for body in [
            format!("<CS:invite-reply>{host}</CS:invite-reply>"),
            format!("<CS:invite-reply><CS:invite-accepted/><CS:invite-declined/>{host}</CS:invite-reply>"),
            "<CS:invite-reply><CS:invite-accepted/></CS:invite-reply>".to_owned(),
            "<CS:share></CS:share>".to_owned(),
        ] {
            assert!(answer(&read(&body)).is_err(), "{body}");
        }
    }
}
