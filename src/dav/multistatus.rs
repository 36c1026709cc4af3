//! Rows of a 207: one response for each resource, its properties grouped by status. Decides nothing about their values.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use warp::reply::Response;

use crate::dav::dead;
use crate::dav::fault::Condition;
use crate::dav::props::Property;
use crate::dav::question::{Asked, Question};
use crate::dav::values::{Scene, Subject};
use crate::dav::writer::Xml;
use crate::dav::xml::Name;
use crate::domain::dead::DeadProperty;

const OK: &str = "HTTP/1.1 200 OK";
pub const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden";
pub const NOT_FOUND: &str = "HTTP/1.1 404 Not Found";
const CUT: &str = "HTTP/1.1 507 Insufficient Storage";
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A 207 in the making.
pub struct Multistatus {
    xml: Xml,
    minimal: bool,
}

/// Properties of one PROPPATCH that share an outcome.
pub struct Outcome {
    pub status: &'static str,
    pub condition: Option<Condition>,
    pub why: Option<String>,
    pub names: Vec<Name>,
}

impl Multistatus {
    /// `minimal` leaves out what is not there: RFC 8144 section 2.1.
    pub fn new(minimal: bool) -> Multistatus {
        Multistatus { xml: Xml::document("D:multistatus"), minimal }
    }

    /// Answers a question about one resource that keeps no dead properties, or whose question is not about them.
    pub fn row(&mut self, href: &str, question: &Question, scene: &Scene, subject: Subject<'_>) {
        self.row_with(href, question, scene, subject, &[], None);
    }

    /// Answers a question about one resource; an object's text may stand beside its properties, under the name of what holds it.
    pub fn row_with(
        &mut self,
        href: &str,
        question: &Question,
        scene: &Scene,
        subject: Subject<'_>,
        dead: &[DeadProperty],
        text: Option<(&str, &[u8])>,
    ) {
        self.xml.open("D:response");
        self.xml.text("D:href", href);
        let start = self.xml.mark();
        self.open_propstat();
        let filled = self.xml.mark();
        let missing = fill(&mut self.xml, question, scene, subject, dead);
        if let Some((tag, text)) = text {
            self.xml.bytes(tag, text);
        }
        let (denied, mut missing): (Vec<&Asked>, Vec<&Asked>) = missing
            .into_iter()
            .partition(|asked| matches!(asked, Asked::Known(property) if scene.denies(*property, subject)));
        if self.minimal {
            missing.clear();
        }
        if self.xml.mark() > filled || (missing.is_empty() && denied.is_empty()) {
            self.close_propstat(OK);
        } else {
            self.xml.cut(start);
        }
        for (names, status) in [(denied, FORBIDDEN), (missing, NOT_FOUND)] {
            if names.is_empty() {
                continue;
            }
            self.open_propstat();
            for asked in names {
                match asked {
                    Asked::Known(property) => self.xml.empty(property.tag()),
                    Asked::Unknown(name) => self.xml.empty_name(name),
                }
            }
            self.close_propstat(status);
        }
        self.xml.close("D:response");
    }

    /// What became of each property that a PROPPATCH named.
    pub fn outcomes(&mut self, href: &str, outcomes: &[Outcome]) {
        self.xml.open("D:response");
        self.xml.text("D:href", href);
        for outcome in outcomes {
            self.open_propstat();
            outcome.names.iter().for_each(|name| self.xml.empty_name(name));
            self.xml.close("D:prop");
            self.xml.text("D:status", outcome.status);
            if let Some(condition) = outcome.condition {
                self.xml.open("D:error");
                self.xml.empty(condition.tag());
                self.xml.close("D:error");
            }
            if let Some(why) = &outcome.why {
                self.xml.text("D:responsedescription", why);
            }
            self.xml.close("D:propstat");
        }
        self.xml.close("D:response");
    }

    /// A resource without properties, and how it stands: gone, or not given.
    pub fn status(&mut self, href: &str, status: &str, condition: Option<Condition>) {
        self.xml.open("D:response");
        self.xml.text("D:href", href);
        self.xml.text("D:status", status);
        if let Some(condition) = condition {
            self.xml.open("D:error");
            self.xml.empty(condition.tag());
            self.xml.close("D:error");
        }
        self.xml.close("D:response");
    }

    /// RFC 6578 3.6, RFC 6352 8.6.2: the rows are not all there are.
    pub fn cut(&mut self, href: &str) {
        self.status(href, CUT, Some(Condition::NumberOfMatches));
    }

    /// A row that was written elsewhere.
    pub fn raw(&mut self, row: &str) {
        self.xml.raw(row);
    }

    /// Behind the last row, RFC 6578 6.4.
    pub fn token(&mut self, token: &str) {
        self.xml.text("D:sync-token", token);
    }

    /// Bytes that wait to be taken.
    pub fn len(&self) -> usize {
        self.xml.mark()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is written so far; the rows that follow go on from there.
    pub fn take(&mut self) -> Bytes {
        self.xml.take()
    }

    pub fn finish(mut self) -> Bytes {
        self.xml.close("D:multistatus");
        self.xml.take()
    }

    fn open_propstat(&mut self) {
        self.xml.open("D:propstat");
        self.xml.open("D:prop");
    }

    fn close_propstat(&mut self, status: &str) {
        self.xml.close("D:prop");
        self.xml.text("D:status", status);
        self.xml.close("D:propstat");
    }
}

/// Writes what is there and answers what is not.
fn fill<'q>(
    xml: &mut Xml,
    question: &'q Question,
    scene: &Scene,
    subject: Subject<'_>,
    dead: &[DeadProperty],
) -> Vec<&'q Asked> {
    let (common, asked): (&[Property], &[Asked]) = match question {
        Question::Names => {
            for property in Property::ALL {
                let mark = xml.mark();
                if scene.write(xml, property, subject) {
                    xml.cut(mark);
                    xml.empty(property.tag());
                }
            }
            dead.iter().for_each(|property| xml.empty_name(&dead::name(property)));
            return Vec::new();
        }
        Question::Common(more) => (&Property::COMMON, more),
        Question::These(these) => (&[], these),
    };
    if let Question::Common(_) = question {
        for property in common {
            scene.write(xml, *property, subject);
        }
        // RFC 4791 5.2.2 keeps this one out of it.
        let meant = |property: &&DeadProperty| Property::of(&dead::name(property)) != Some(Property::Timezone);
        dead.iter().filter(meant).for_each(|property| xml.raw(&property.value));
    }
    let absent = |asked: &&Asked| {
        let name = match asked {
            Asked::Known(property) if common.contains(property) || scene.write(xml, *property, subject) => {
                return false;
            }
            Asked::Known(property) => property.name(),
            Asked::Unknown(name) => Some(name.clone()),
        };
        let kept = name.and_then(|name| dead::find(dead, &name)).filter(|kept| scene.stands(kept, subject));
        // With all that is common it stands there already.
        let told = |kept: &DeadProperty| {
            matches!(question, Question::Common(_)) && Property::of(&dead::name(kept)) != Some(Property::Timezone)
        };
        if let Some(kept) = kept.filter(|kept| !told(kept)) {
            xml.raw(&kept.value);
        }
        kept.is_none()
    };
    asked.iter().filter(absent).collect()
}

/// Dresses a 207, whatever its body is made of.
pub fn dress(response: &mut Response, minimal: bool) {
    *response.status_mut() = StatusCode::MULTI_STATUS;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    if minimal {
        headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static("return=minimal"));
    }
}

/// Says that a preference was heeded.
pub fn applied(response: &mut Response) {
    response.headers_mut().insert(PREFERENCE_APPLIED, HeaderValue::from_static("return=minimal"));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dav::href::Hrefs;
    use crate::dav::question;
    use crate::dav::reader;
    use crate::domain::access::{Grant, Right};
    use crate::domain::address::{Address, UserName};
    use crate::domain::collection::{Collection, CollectionId, Source};
    use crate::domain::object::{BodyId, Component, Etag, Record};
    use crate::domain::principal::Principal;
    use crate::domain::sync::Token;
    use crate::service::collections::View;

    fn scene(name: &str, prefix: &'static str) -> Scene {
        let caller = Principal {
            name: UserName::new(name).unwrap(),
            email: format!("{name}@example.org"),
            display_name: "A & B".to_owned(),
            password_hash: String::new(),
            timezone: None,
            administrator: false,
        };
        Scene {
            caller,
            acts_for: Vec::new(),
            hrefs: Hrefs::new(prefix),
            object_max: 1_048_576,
            room: crate::service::room::Room::new(0, 0),
            origin: uuid::Uuid::nil(),
            home_tokens: Default::default(),
            home_bytes: Default::default(),
            intake: crate::dav::values::Intake::default(),
        }
    }

    /// Alice's calendar, which bob may write in.
    fn source() -> Collection {
        let mut source = Collection::new(Address::parse("/calendars/alice/work").unwrap(), Source::Own, "Work", 7);
        source.components = vec!["VEVENT".to_owned()];
        let bob = UserName::new("bob").unwrap();
        source.grants.push(Grant { user: bob, right: Right::ReadWrite, mirror: "m".to_owned(), hidden: false });
        source.token = Token(9);
        source
    }

    fn owned() -> View {
        View { shown: source(), source: source(), right: Right::Owner, company: None }
    }

    /// The same through bob's mirror.
    fn mirrored() -> View {
        let origin = Source::Delegated(source().address, CollectionId(7));
        let mut shown = Collection::new(Address::parse("/calendars/bob/m").unwrap(), origin, "Alice's", 8);
        shown.color = "#00FF00FF".to_owned();
        View { shown, source: source(), right: Right::ReadWrite, company: None }
    }

    fn record() -> Record {
        Record {
            name: Arc::from("a b.ics"),
            uid: "1".to_owned(),
            component: Component::Event,
            etag: Etag(Arc::from("\"0123\"")),
            size: 42,
            span: None,
            modified: "2025-01-15T09:00:00Z".parse().unwrap(),
            created: chrono::DateTime::UNIX_EPOCH,
            schedule_tag: None,
            dead: 0,
            body: BodyId { stamp: 9, part: 0 },
            due: None,
            armed: Vec::new(),
            stands: crate::domain::object::Stands::default(),
            private: Some(false),
        }
    }

    /// The row that a question with these elements gets, without the document around it.
    fn row(scene: &Scene, minimal: bool, body: &str, href: &str, subject: Subject<'_>) -> String {
        let root = format!(
            "<D:propfind xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:CR='urn:ietf:params:xml:ns:carddav' \
             xmlns:CS='http://calendarserver.org/ns/' xmlns:A='http://apple.com/ns/ical/'>{body}</D:propfind>"
        );
        let root = reader::read(root.as_bytes()).unwrap();
        let mut rows = Multistatus::new(minimal);
        let head = rows.take().len();
        assert!(head < 300, "the head declares each prefix once");
        rows.row(href, &question::question(root.as_ref()).unwrap(), scene, subject);
        String::from_utf8(rows.take().to_vec()).unwrap()
    }

    /// As it is written: `DAV:` is the default namespace.
    fn short(row: &str) -> String {
        row.replace("<D:", "<").replace("</D:", "</")
    }

    #[test]
    fn an_etag_row_is_small() {
        let (view, record) = (owned(), record());
        let found = row(
            &scene("alice", ""),
            false,
            "<D:prop><D:getetag/></D:prop>",
            "/c/a%20b.ics",
            Subject::Object(&view, &record),
        );
        let want = "<D:response><D:href>/c/a%20b.ics</D:href><D:propstat><D:prop><D:getetag>\"0123\"</D:getetag></D:prop>\
                    <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>";
        assert_eq!(found, short(want));
        assert!(found.len() < 200);
    }

    #[test]
    fn what_is_there_and_what_is_not_are_told_apart() {
        let (view, record) = (owned(), record());
        let subject = Subject::Object(&view, &record);
        let alice = scene("alice", "");
        let rows = [
            (
                false,
                "<D:prop><D:getcontentlength/><D:displayname/><x:y xmlns:x='u:&amp;'/><z xmlns=''/></D:prop>",
                "<D:getcontentlength>42</D:getcontentlength>|200|<D:displayname/><x:y xmlns:x=\"u:&amp;\"/><z xmlns=\"\"/>|404",
            ),
            (
                true,
                "<D:prop><D:getcontentlength/><D:displayname/></D:prop>",
                "<D:getcontentlength>42</D:getcontentlength>|200",
            ),
            (false, "<D:prop><D:displayname/></D:prop>", "<D:displayname/>|404"),
            (true, "<D:prop><D:displayname/></D:prop>", "|200"),
            (false, "<D:prop/>", "|200"),
            (
                false,
                "<D:allprop/><D:include><D:owner/><D:getetag/><x/></D:include>",
                "<D:resourcetype/><D:getetag>\"0123\"</D:getetag>\
                 <D:getcontenttype>text/calendar; charset=utf-8; component=vevent</D:getcontenttype>\
                 <D:getcontentlength>42</D:getcontentlength>\
                 <D:getlastmodified>Wed, 15 Jan 2025 09:00:00 GMT</D:getlastmodified>\
                 <D:creationdate>1970-01-01T00:00:00Z</D:creationdate>\
                 <D:owner><D:href>/principals/alice/</D:href></D:owner>|200|<x xmlns=\"\"/>|404",
            ),
            (
                false,
                "<D:propname/>",
                "<D:resourcetype/><D:getetag/><D:getcontenttype/><D:getcontentlength/><D:getlastmodified/>\
                 <D:creationdate/><D:current-user-principal/><D:principal-collection-set/><D:owner/>\
                 <D:current-user-privilege-set/><D:supported-privilege-set/><D:acl/><D:acl-restrictions/>\
                 <D:inherited-acl-set/><D:supported-report-set/>|200",
            ),
        ];
        for (minimal, body, want) in rows {
            let mut whole = String::from("<D:response><D:href>/x</D:href>");
            let parts: Vec<&str> = want.split('|').collect();
            for pair in parts.chunks(2) {
                let status = if pair[1] == "200" { "200 OK" } else { "404 Not Found" };
                let prop = pair[0];
                whole.push_str(&format!(
                    "<D:propstat><D:prop>{prop}</D:prop><D:status>HTTP/1.1 {status}</D:status></D:propstat>"
                ));
            }
            whole.push_str("</D:response>");
            assert_eq!(row(&alice, minimal, body, "/x", subject), short(&whole), "{body}");
        }
    }

    #[test]
    fn values_suit_who_asks() {
        let (own, mirror) = (owned(), mirrored());
        let (alice, bob) = (scene("alice", "/dav"), scene("bob", ""));
        let direct = View { right: Right::Read, ..owned() };
        let shared =
            "<D:privilege><D:read/></D:privilege><D:privilege><D:read-current-user-privilege-set/></D:privilege>";
        let writes = "<D:privilege><D:write-content/></D:privilege><D:privilege><D:bind/></D:privilege>\
                      <D:privilege><D:unbind/></D:privilege>";
        let full = format!(
            "{shared}<D:privilege><D:write/></D:privilege><D:privilege><D:write-properties/></D:privilege>{writes}\
             <D:privilege><C:read-free-busy/></D:privilege>"
        );
        let names = ["D:all", "D:read", "D:read-current-user-privilege-set", "C:read-free-busy", "D:write"];
        let more = ["D:write-properties", "D:write-content", "D:bind", "D:unbind", "D:read-acl", "D:write-acl"];
        let every = |name: &&str| format!("<D:privilege><{name}/></D:privilege>");
        let everything: String = names.iter().chain(&more).map(every).collect();
        let read = format!("{shared}<D:privilege><C:read-free-busy/></D:privilege>");
        let token = "http://sabre.io/ns/sync/9";
        let rows: [(&Scene, Subject<'_>, &str, &str); 18] = [
            (&alice, Subject::Root, "D:resourcetype", "<D:collection/>"),
            (&alice, Subject::Root, "D:current-user-principal", "<D:href>/dav/principals/alice/</D:href>"),
            (&alice, Subject::Principal, "D:resourcetype", "<D:collection/><D:principal/>"),
            (&alice, Subject::Principal, "D:displayname", "A &amp; B"),
            (&alice, Subject::Principal, "C:calendar-home-set", "<D:href>/dav/calendars/alice/</D:href>"),
            (&bob, Subject::Principal, "CR:addressbook-home-set", "<D:href>/addressbooks/bob/</D:href>"),
            (
                &bob,
                Subject::Principal,
                "C:calendar-user-address-set",
                "<D:href>mailto:bob@example.org</D:href><D:href>/principals/bob/</D:href>",
            ),
            (&alice, Subject::Collection(&own), "D:resourcetype", "<D:collection/><C:calendar/><CS:shared-owner/>"),
            (&bob, Subject::Collection(&mirror), "D:resourcetype", "<D:collection/><C:calendar/><CS:shared/>"),
            (&bob, Subject::Collection(&direct), "D:resourcetype", "<D:collection/><C:calendar/>"),
            (&alice, Subject::Collection(&own), "D:sync-token", token),
            (&alice, Subject::Collection(&own), "C:supported-calendar-component-set", "<C:comp name=\"VEVENT\"/>"),
            (&alice, Subject::Collection(&own), "D:current-user-privilege-set", &everything),
            (&bob, Subject::Collection(&mirror), "D:current-user-privilege-set", &full),
            (&bob, Subject::Collection(&direct), "D:current-user-privilege-set", &read),
            (&bob, Subject::Collection(&mirror), "CS:getctag", token),
            (&bob, Subject::Collection(&mirror), "D:owner", "<D:href>/principals/alice/</D:href>"),
            (&bob, Subject::Collection(&mirror), "A:calendar-color", "#00FF00FF"),
        ];
        for (scene, subject, tag, value) in rows {
            let found = row(scene, true, &format!("<D:prop><{tag}/></D:prop>"), "/x", subject);
            let want = short(&format!("<D:prop><{tag}>{value}</{tag}></D:prop>"));
            assert!(found.contains(&want), "{tag}: {found}");
        }
    }

    #[test]
    fn dead_properties_stand_beside_live_ones() {
        let kept = |space: &str, local: &str, value: &str| DeadProperty {
            space: space.to_owned(),
            local: local.to_owned(),
            value: value.to_owned(),
        };
        let (caldav, paris) = ("urn:ietf:params:xml:ns:caldav", "BEGIN:VTIMEZONE\nTZID:Europe/Paris\nEND:VTIMEZONE");
        let zone = format!("<C:calendar-timezone xmlns:C=\"{caldav}\">{paris}</C:calendar-timezone>");
        let dead = [kept("u:e", "x", "<x:x xmlns:x=\"u:e\">1</x:x>"), kept(caldav, "calendar-timezone", &zone)];
        let view = owned();
        let mut moved = owned();
        moved.shown.timezone = Some("Europe/Paris".to_owned());
        let ask = |view: &View, body: &str| {
            let root = format!("<D:propfind xmlns:D='DAV:' xmlns:C='{caldav}'>{body}</D:propfind>");
            let question = question::question(reader::read(root.as_bytes()).unwrap().as_ref()).unwrap();
            assert!(question.wants_dead());
            let mut rows = Multistatus::new(false);
            rows.take();
            rows.row_with("/x", &question, &scene("alice", ""), Subject::Collection(view), &dead, None);
            String::from_utf8(rows.take().to_vec()).unwrap()
        };
        let found = ask(&view, "<D:prop><x xmlns='u:e'/><y xmlns='u:e'/></D:prop>");
        assert!(found.contains("<prop><x:x xmlns:x=\"u:e\">1</x:x></prop>"), "{found}");
        assert!(found.contains("<prop><x:y xmlns:x=\"u:e\"/></prop><status>HTTP/1.1 404"), "{found}");
        // A zone is told only while it is the one that counts.
        assert!(
            ask(&view, "<D:prop><C:calendar-timezone/></D:prop>")
                .contains("<C:calendar-timezone/></prop><status>HTTP/1.1 404")
        );
        assert!(ask(&moved, "<D:prop><C:calendar-timezone/></D:prop>").contains(paris));
        let all = ask(&moved, "<D:allprop/><D:include><x xmlns='u:e'/></D:include>");
        assert_eq!((all.matches(">1</x:x>").count(), all.contains(paris)), (1, false), "{all}");
        assert!(ask(&moved, "<D:propname/>").contains("<x:x xmlns:x=\"u:e\"/><C:calendar-timezone/>"));
    }

    #[test]
    fn text_that_xml_cannot_hold_is_replaced() {
        let rows = [
            ("a\u{1}b\u{0}\u{ffff}", "a\u{fffd}b\u{fffd}\u{fffd}"),
            ("]]><x>\"'&amp;", "]]&gt;&lt;x&gt;\"'&amp;amp;"),
            ("a\r\n\tb", "a&#13;\n\tb"),
            ("\u{202e}\u{1f514}", "\u{202e}\u{1f514}"),
        ];
        for (text, want) in rows {
            let mut xml = Xml::default();
            xml.text("t", text);
            assert_eq!(xml.as_str(), format!("<t>{want}</t>"));
            xml.cut(0);
            xml.empty_with("t", &[("a", text)]);
            assert_eq!(xml.as_str(), format!("<t a=\"{}\"/>", want.replace('"', "&quot;")));
        }
    }
}
