//! Access control lists: who may do what with a place, as RFC 3744 says it, and the ACL method, which sets the shares and the public right
//! of a collection. What is inherited and what owners hold is protected.

use http::StatusCode;
use warp::reply::Response;

use crate::dav::fault::{Condition, Fault};
use crate::dav::href::Hrefs;
use crate::dav::path::Place;
use crate::dav::question;
use crate::dav::request::Request;
use crate::dav::sharing::{self, words};
use crate::dav::values::Subject;
use crate::dav::writer::Xml;
use crate::dav::xml::{Element, Space};
use crate::domain::access::Right;
use crate::domain::address::{Kind, UserName};
use crate::domain::refusal::Refusal;
use crate::http::problem;
use crate::service::collections::View;
use crate::service::sharing::Sharing;

/// Entries that one ACL request may name; one more is answered `limited-number-of-aces`.
const ENTRIES_MAX: usize = 500;

/// The privileges that there are, each with the one that holds it and what it allows.
const PRIVILEGES: [(&str, &str, &str); 19] = [
    ("D:all", "", "everything"),
    ("D:read", "D:all", "to read"),
    ("D:read-current-user-privilege-set", "D:read", "to read one's own privileges"),
    ("C:read-free-busy", "D:read", "to read when somebody is busy"),
    ("D:write", "D:all", "to write"),
    ("D:write-properties", "D:write", "to set properties"),
    ("D:write-content", "D:write", "to replace content"),
    ("D:bind", "D:write", "to add members"),
    ("D:unbind", "D:write", "to remove members"),
    ("D:read-acl", "D:all", "to read who may do what"),
    ("D:write-acl", "D:all", "to change who may do what"),
    // RFC 6638 6: of an inbox and of an outbox.
    ("C:schedule-deliver", "D:all", "to bring scheduling messages"),
    ("C:schedule-deliver-invite", "C:schedule-deliver", "to bring invitations"),
    ("C:schedule-deliver-reply", "C:schedule-deliver", "to bring answers"),
    ("C:schedule-query-freebusy", "C:schedule-deliver", "to ask when somebody is busy"),
    ("C:schedule-send", "D:all", "to send scheduling messages"),
    ("C:schedule-send-invite", "C:schedule-send", "to send invitations"),
    ("C:schedule-send-reply", "C:schedule-send", "to send answers"),
    ("C:schedule-send-freebusy", "C:schedule-send", "to ask when others are busy"),
];

const READS: [&str; 2] = ["D:read", "D:read-current-user-privilege-set"];
const MEMBERS: [&str; 3] = ["D:write-content", "D:bind", "D:unbind"];

/// What an owner holds: everything, aggregates listed with their parts. Clients look for the one that they know.
pub fn all(kind: Option<Kind>) -> Vec<&'static str> {
    let busy = |name: &&str| *name != "C:read-free-busy" || kind == Some(Kind::Calendar);
    let known = PRIVILEGES.iter().map(|(name, _, _)| *name).filter(busy);
    known.filter(|name| !name.starts_with("C:schedule-")).collect()
}

/// What somebody holds of their inbox or their outbox.
fn of_mailbox(inbox: bool) -> Vec<&'static str> {
    let (own, other) =
        if inbox { ("C:schedule-deliver", "C:schedule-query") } else { ("C:schedule-send", "C:schedule-send") };
    let ours = PRIVILEGES.iter().map(|(name, _, _)| *name);
    let ours = ours.filter(|name| name.starts_with(own) || name.starts_with(other));
    let mut held = READS.to_vec();
    held.extend(["D:write-properties", "D:read-acl"]);
    if inbox {
        held.push("D:unbind");
    }
    held.extend(ours);
    held
}

/// What somebody holds of a collection or of what is in it, by what they may do with its objects and whether its face is theirs to set.
pub fn held(view: &View, dresses: bool) -> Vec<&'static str> {
    let kind = view.shown.address.kind();
    if view.shown.address.is_mailbox() {
        return of_mailbox(view.shown.address.is_inbox());
    }
    if view.right == Right::Owner && view.source.kept.is_none() {
        return all(Some(kind));
    }
    if view.right < Right::Read {
        return vec!["C:read-free-busy"];
    }
    let writes = view.writes();
    let mut held = READS.to_vec();
    if writes && dresses {
        held.push("D:write");
    }
    if dresses {
        held.push("D:write-properties");
    }
    if writes {
        held.extend(MEMBERS);
    }
    if view.right >= Right::Administration {
        held.push("D:read-acl");
    }
    if view.right == Right::Owner {
        held.push("D:write-acl");
    }
    if kind == Kind::Calendar {
        held.push("C:read-free-busy");
    }
    held
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Owner,
    User(UserName),
    Authenticated,
}

/// One entry: what it grants, in the order of `PRIVILEGES`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    who: Who,
    grants: Vec<&'static str>,
}

fn entries(subject: Subject<'_>) -> Vec<Entry> {
    let owner = Entry { who: Who::Owner, grants: vec!["D:all"] };
    let granted = |right: Right| match right {
        Right::None => Vec::new(),
        Right::FreeBusy => vec!["C:read-free-busy"],
        Right::Read => vec!["D:read"],
        Right::ReadWrite => [&["D:read"], &MEMBERS[..]].concat(),
        Right::Administration => [&["D:read", "D:write-properties"], &MEMBERS[..], &["D:read-acl"]].concat(),
        Right::Owner => vec!["D:all"],
    };
    match subject {
        Subject::Root | Subject::Principals | Subject::Homes(_) | Subject::HomeOf(..) | Subject::Person(_) => {
            vec![Entry { who: Who::Authenticated, grants: vec!["D:read"] }]
        }
        Subject::Principal | Subject::Home(_) | Subject::Proxy(_) => vec![owner],
        Subject::Notifications(_) | Subject::Notification(_) => vec![owner],
        Subject::Collection(view) | Subject::Object(view, _) => {
            let shares = view.source.grants.iter();
            let shares = shares.map(|grant| Entry { who: Who::User(grant.user.clone()), grants: granted(grant.right) });
            let public = view.source.public.map(|right| Entry { who: Who::Authenticated, grants: granted(right) });
            std::iter::once(owner).chain(shares).chain(public).collect()
        }
    }
}

/// The people that a list names, each once, the owner first.
pub fn people(subject: Subject<'_>, caller: &UserName) -> Vec<UserName> {
    let owner = match subject {
        Subject::Collection(view) | Subject::Object(view, _) => view.source.address.user(),
        _ => caller,
    };
    let named = entries(subject).into_iter().filter_map(|entry| match entry.who {
        Who::Owner => Some(owner.clone()),
        Who::User(user) => Some(user),
        Who::Authenticated => None,
    });
    named.collect()
}

/// RFC 3744 5.5. `from` is the collection that an object has its list from.
pub fn write(xml: &mut Xml, tag: &str, subject: Subject<'_>, hrefs: Hrefs, from: Option<&str>) {
    let shares = matches!(subject, Subject::Collection(_));
    xml.open(tag);
    for entry in entries(subject) {
        xml.open("D:ace");
        xml.open("D:principal");
        match &entry.who {
            Who::Owner => {
                xml.open("D:property");
                xml.empty("D:owner");
                xml.close("D:property");
            }
            Who::User(user) => xml.text("D:href", &hrefs.principal(user)),
            Who::Authenticated => xml.empty("D:authenticated"),
        }
        xml.close("D:principal");
        xml.open("D:grant");
        privileges(xml, &entry.grants);
        xml.close("D:grant");
        if from.is_some() || entry.who == Who::Owner || !shares {
            xml.empty("D:protected");
        }
        if let Some(from) = from {
            xml.href_in("D:inherited", from);
        }
        xml.close("D:ace");
    }
    xml.close(tag);
}

pub fn privileges(xml: &mut Xml, names: &[&str]) {
    for name in names {
        xml.open("D:privilege");
        xml.empty(name);
        xml.close("D:privilege");
    }
}

/// RFC 3744 5.3: the tree of all privileges. None is abstract.
pub fn supported(xml: &mut Xml, tag: &str) {
    xml.open(tag);
    below(xml, "");
    xml.close(tag);
}

/// Those that one privilege holds; the tree is three deep.
fn below(xml: &mut Xml, holder: &str) {
    for (name, _, text) in PRIVILEGES.iter().filter(|(_, held_by, _)| *held_by == holder) {
        xml.open("D:supported-privilege");
        privileges(xml, &[name]);
        xml.text("D:description", text);
        below(xml, name);
        xml.close("D:supported-privilege");
    }
}

/// RFC 3744 5.6.
pub fn restrictions(xml: &mut Xml, tag: &str) {
    xml.open(tag);
    xml.empty("D:grant-only");
    xml.empty("D:no-invert");
    xml.close(tag);
}

/// RFC 3744 8.1. Of a collection the list takes the place of all shares and of the public right; elsewhere, a list that says what is
/// already so is taken. What cannot be breaks one of its preconditions, and then nothing is done.
pub async fn answer(request: &Request) -> Result<Response, Fault> {
    let root = question::body(request.headers(), &request.body, false)?;
    let root = root.filter(|root| root.name.is(&Space::Dav, "acl"));
    let root = root.ok_or_else(|| Fault::Malformed("the body must be a DAV:acl".to_owned()))?;
    let (house, caller) = (&request.house, &request.caller);
    let (mine, condition) = (&caller.name, request.precondition()?);
    let (present, allowed) = match request.place() {
        Place::Collection(at) => {
            let view = house.view(mine, at).await?;
            if view.right < Right::Administration {
                return Err(Refusal::Forbidden.into());
            }
            if !condition.allows_untagged() {
                return Err(Refusal::Precondition.into());
            }
            let wanted = wanted(&view, &read(&root)?)?;
            for (whom, _) in &wanted.people {
                if house.person(whom).await.is_err() {
                    return Err(condition_of(Condition::RecognizedPrincipal, "the href is no principal"));
                }
            }
            house.reshare(caller, at, &wanted).await.map_err(sharing::refused)?;
            return Ok(problem::empty(StatusCode::OK));
        }
        Place::Object(at) => {
            let view = house.view(mine, at.collection()).await?;
            let record = house.object(caller, at).await?.record;
            if view.right < Right::Administration {
                return Err(Refusal::Forbidden.into());
            }
            (entries(Subject::Object(&view, &record)), condition.allows(Some(&record)))
        }
        Place::Principal(whose) if whose == mine => (entries(Subject::Principal), condition.allows_untagged()),
        Place::Home(kind, whose) if whose == mine => (entries(Subject::Home(*kind)), condition.allows_untagged()),
        _ => return Err(Refusal::Forbidden.into()),
    };
    if !allowed {
        return Err(Refusal::Precondition.into());
    }
    for wanted in read(&root)? {
        if present.contains(&wanted) {
            continue;
        }
        return Err(match wanted.who {
            Who::Owner => condition_of(Condition::NoProtectedAceConflict, "what an owner may do cannot be changed"),
            // Whether there is such a person is not told.
            Who::User(_) | Who::Authenticated => {
                condition_of(Condition::AllowedPrincipal, "shares and the public right are those of the collection")
            }
        });
    }
    Ok(problem::empty(StatusCode::OK))
}

fn read(root: &Element) -> Result<Vec<Entry>, Fault> {
    let aces: Vec<&Element> = root.children.iter().filter(|ace| ace.name.is(&Space::Dav, "ace")).collect();
    if aces.len() > ENTRIES_MAX {
        return Err(condition_of(Condition::LimitedNumberOfAces, "a list has at most 500 entries"));
    }
    aces.into_iter().map(entry).collect()
}

/// What a list makes of a collection's sharing: entries for one person count together.
fn wanted(view: &View, list: &[Entry]) -> Result<Sharing, Fault> {
    let owner = view.source.address.user();
    let mut all: Vec<Entry> = Vec::new();
    for entry in list {
        match all.iter_mut().find(|known| known.who == entry.who) {
            Some(known) => known.grants.extend(&entry.grants),
            None => all.push(entry.clone()),
        }
    }
    let mut wanted = Sharing { only: true, public: Some(None), ..Sharing::default() };
    for entry in all {
        let owners = matches!(&entry.who, Who::Owner) || matches!(&entry.who, Who::User(user) if user == owner);
        match entry.who {
            _ if owners && entry.grants.contains(&"D:all") => {}
            _ if owners => {
                return Err(condition_of(Condition::NoProtectedAceConflict, "what an owner may do cannot be changed"));
            }
            Who::User(user) => wanted.people.push((user, Some(right_for(view, &entry.grants)?))),
            _ => match right_for(view, &entry.grants)? {
                Right::Administration => return Err(conflict("not everybody can change who may do what")),
                right => wanted.public = Some(Some(right)),
            },
        }
    }
    Ok(wanted)
}

fn conflict(text: &str) -> Fault {
    condition_of(Condition::NoAceConflict, text)
}

/// The right that some privileges amount to. Rights here come as wholes: what lies between two of them cannot be granted.
fn right_for(view: &View, names: &[&str]) -> Result<Right, Fault> {
    let has = |name: &str| names.contains(&name);
    let binds = MEMBERS.iter().filter(|name| has(name)).count();
    let writes = has("D:write") || binds == MEMBERS.len();
    let manages = has("D:read-acl") || has("D:write-acl");
    match () {
        () if has("D:all") => Ok(Right::Administration),
        () if manages && writes => Ok(Right::Administration),
        () if manages => Err(conflict("who sees or changes who may do what must be able to write")),
        // Who may write may read.
        () if writes => Ok(Right::ReadWrite),
        () if binds > 0 => Err(conflict("write-content, bind and unbind come together")),
        () if has("D:write-properties") => Err(conflict("write-properties comes with all of write")),
        () if has("D:read") => Ok(Right::Read),
        () if has("C:read-free-busy") && view.source.address.kind() == Kind::Calendar => Ok(Right::FreeBusy),
        () if has("C:read-free-busy") => {
            Err(condition_of(Condition::NotSupportedPrivilege, "an address book says nothing of when somebody is busy"))
        }
        () => Err(conflict("an entry grants at least read")),
    }
}

fn condition_of(condition: Condition, text: &str) -> Fault {
    Fault::Condition(condition, text.to_owned())
}

fn entry(ace: &Element) -> Result<Entry, Fault> {
    let child = |name| ace.child(&Space::Dav, name);
    if child("invert").is_some() {
        return Err(condition_of(Condition::NoInvert, "an entry cannot be for all but somebody"));
    }
    if child("deny").is_some() {
        return Err(condition_of(Condition::GrantOnly, "entries grant, they do not deny"));
    }
    let unread = || Fault::Malformed("an ace has a principal and a grant".to_owned());
    let (principal, grant) = child("principal").zip(child("grant")).ok_or_else(unread)?;
    let mut named = Vec::new();
    for privilege in grant.children.iter().filter(|one| one.name.is(&Space::Dav, "privilege")) {
        let name = privilege.children.first().map(|first| &first.name).ok_or_else(unread)?;
        let known = name.space.prefix().and_then(|prefix| {
            let is = |tag: &str| tag.split_once(':') == Some((prefix, &name.local));
            PRIVILEGES.iter().position(|(tag, _, _)| is(tag))
        });
        let text = format!("there is no privilege {:?}", name.local);
        named.push(known.ok_or(Fault::Condition(Condition::NotSupportedPrivilege, text))?);
    }
    named.sort_unstable();
    named.dedup();
    let grants = named.into_iter().filter_map(|at| PRIVILEGES.get(at)).map(|(name, _, _)| *name).collect();
    Ok(Entry { who: who(principal)?, grants })
}

fn who(principal: &Element) -> Result<Who, Fault> {
    let child = |name| principal.child(&Space::Dav, name);
    if let Some(href) = child("href") {
        let user = words::principal(&href.text);
        return user
            .map(Who::User)
            .ok_or_else(|| condition_of(Condition::RecognizedPrincipal, "the href is no principal"));
    }
    if child("property").is_some_and(|property| property.child(&Space::Dav, "owner").is_some()) {
        return Ok(Who::Owner);
    }
    if child("authenticated").is_some() {
        return Ok(Who::Authenticated);
    }
    Err(condition_of(Condition::AllowedPrincipal, "entries are for an href, the owner, or whoever signs in"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dav::reader;

    #[test]
    fn entries_are_read_or_refused() {
        let read = |body: &str| {
            let body = format!("<D:ace xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'>{body}</D:ace>");
            entry(&reader::read(body.as_bytes()).unwrap().unwrap())
        };
        let grants = |names: &[&str]| {
            let names: String = names.iter().map(|name| format!("<D:privilege><{name}/></D:privilege>")).collect();
            format!("<D:grant>{names}</D:grant>")
        };
        let bob = "<D:principal><D:href>http://x/dav/principals/bob/</D:href></D:principal>";
        let found = read(&format!("{bob}{}", grants(&["D:bind", "D:read", "D:read"]))).unwrap();
        let want = Entry { who: Who::User(UserName::new("bob").unwrap()), grants: vec!["D:read", "D:bind"] };
        assert_eq!(found, want);
        let of = |principal: &str| format!("<D:principal>{principal}</D:principal>{}", grants(&["D:read"]));
        assert_eq!(read(&of("<D:property><D:owner/></D:property>")).unwrap().who, Who::Owner);
        assert_eq!(read(&of("<D:authenticated/>")).unwrap().who, Who::Authenticated);
        let refused = [
            (of("<D:all/>"), Condition::AllowedPrincipal),
            (of("<D:property><D:group/></D:property>"), Condition::AllowedPrincipal),
            (of("<D:href>/calendars/bob/</D:href>"), Condition::RecognizedPrincipal),
            (of("<D:href>mailto:bob@example.org</D:href>"), Condition::RecognizedPrincipal),
            (format!("<D:invert>{bob}</D:invert>{}", grants(&["D:read"])), Condition::NoInvert),
            (format!("{bob}<D:deny><D:privilege><D:read/></D:privilege></D:deny>"), Condition::GrantOnly),
            (format!("{bob}{}", grants(&["D:unlock"])), Condition::NotSupportedPrivilege),
            (format!("{bob}{}", grants(&["C:schedule"])), Condition::NotSupportedPrivilege),
        ];
        for (body, want) in refused {
            let found = read(&body);
            assert!(matches!(&found, Err(Fault::Condition(found, _)) if *found == want), "{body}: {found:?}");
        }
        assert!(matches!(read(bob), Err(Fault::Malformed(_))));
    }
}
