//! Why this face says no, and how: one exhaustive match from refusals to statuses and the XML of their preconditions.

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use warp::reply::Response;

use crate::dav::href::{self, Hrefs};
use crate::dav::methods;
use crate::dav::path::{Path, Place};
use crate::dav::writer::Xml;
use crate::domain::address::{Kind, ObjectAddress};
use crate::domain::refusal::Refusal;
use crate::domain::scheduling::Rule;
use crate::http::problem;

/// Everything that can go wrong here.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    Refused(Refusal),
    /// A request that cannot be understood: 400.
    Malformed(String),
    /// A condition that no object of ours could fulfil: 412.
    Precondition(&'static str),
    /// An XML body over its limit: 413.
    TooMuchXml,
    /// 415
    UnsupportedMedia(String),
    /// A method that this place does not know: 405.
    NotAllowed(String),
    /// A method that nobody here knows: 501.
    NotImplemented(String),
    /// What would hold it is not there: 409.
    NoParent,
    /// A precondition with a name of its own: 403.
    Condition(Condition, String),
    /// The answer would be larger than any may be: 507.
    TooMany(String),
    /// What cannot be done, and has no name: 403.
    Denied(String),
    /// A `Destination` on another server: 502.
    Elsewhere(String),
    /// Refused because of what stands at the request's destination.
    There(Box<Fault>, Path),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault::Refused(refusal)
    }
}

/// Preconditions by name. RFC 3253 3.6, 4918 16, 4791 1.3, 6352 6.3, 5689 3.5, 3744 7.1, 6578 3.2, 7809 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    NeedPrivileges,
    NoProtectedAceConflict,
    NoAceConflict,
    LimitedNumberOfAces,
    GrantOnly,
    NoInvert,
    NotSupportedPrivilege,
    RecognizedPrincipal,
    AllowedPrincipal,
    ResourceMustBeNull,
    PropfindFiniteDepth,
    CannotModifyProtectedProperty,
    ValidResourcetype,
    ValidSyncToken,
    SupportedReport,
    NumberOfMatches,
    ValidFilter,
    SupportedFilter,
    SupportedCollation,
    AddressSupportedFilter,
    AddressSupportedCollation,
    CalendarLocation,
    AddressBookLocation,
    SupportedCalendarComponent,
    SupportedCalendarData,
    SupportedAddressData,
    ValidCalendarData,
    ValidAddressData,
    ValidCalendarObject,
    ValidTimezone,
    CalendarUidConflict,
    AddressUidConflict,
    CalendarObjectTooLarge,
    AddressObjectTooLarge,
    AttendeeChange,
    OrganizerChange,
    SameOrganizer,
    UniqueScheduling,
    MaxAttendees,
    DefaultCalendar,
    SchedulingMessage,
    OrganizerAllowed,
    InviteInvalid,
    /// RFC 4331 6.
    QuotaNotExceeded,
}

impl Condition {
    pub fn tag(self) -> &'static str {
        match self {
            Condition::NeedPrivileges => "D:need-privileges",
            Condition::NoProtectedAceConflict => "D:no-protected-ace-conflict",
            Condition::NoAceConflict => "D:no-ace-conflict",
            Condition::LimitedNumberOfAces => "D:limited-number-of-aces",
            Condition::GrantOnly => "D:grant-only",
            Condition::NoInvert => "D:no-invert",
            Condition::NotSupportedPrivilege => "D:not-supported-privilege",
            Condition::RecognizedPrincipal => "D:recognized-principal",
            Condition::AllowedPrincipal => "D:allowed-principal",
            Condition::ResourceMustBeNull => "D:resource-must-be-null",
            Condition::PropfindFiniteDepth => "D:propfind-finite-depth",
            Condition::CannotModifyProtectedProperty => "D:cannot-modify-protected-property",
            Condition::ValidResourcetype => "D:valid-resourcetype",
            Condition::ValidSyncToken => "D:valid-sync-token",
            Condition::SupportedReport => "D:supported-report",
            Condition::NumberOfMatches => "D:number-of-matches-within-limits",
            Condition::ValidFilter => "C:valid-filter",
            Condition::SupportedFilter => "C:supported-filter",
            Condition::SupportedCollation => "C:supported-collation",
            Condition::AddressSupportedFilter => "CR:supported-filter",
            Condition::AddressSupportedCollation => "CR:supported-collation",
            Condition::CalendarLocation => "C:calendar-collection-location-ok",
            Condition::AddressBookLocation => "CR:addressbook-collection-location-ok",
            Condition::SupportedCalendarComponent => "C:supported-calendar-component",
            Condition::SupportedCalendarData => "C:supported-calendar-data",
            Condition::SupportedAddressData => "CR:supported-address-data",
            Condition::ValidCalendarData => "C:valid-calendar-data",
            Condition::ValidAddressData => "CR:valid-address-data",
            Condition::ValidCalendarObject => "C:valid-calendar-object-resource",
            Condition::ValidTimezone => "C:valid-timezone",
            Condition::CalendarUidConflict => "C:no-uid-conflict",
            Condition::AddressUidConflict => "CR:no-uid-conflict",
            Condition::CalendarObjectTooLarge => "C:max-resource-size",
            Condition::AddressObjectTooLarge => "CR:max-resource-size",
            Condition::AttendeeChange => "C:allowed-attendee-scheduling-object-change",
            Condition::OrganizerChange => "C:allowed-organizer-scheduling-object-change",
            Condition::SameOrganizer => "C:same-organizer-in-all-components",
            Condition::UniqueScheduling => "C:unique-scheduling-object-resource",
            Condition::MaxAttendees => "C:max-attendees-per-instance",
            Condition::SchedulingMessage => "C:valid-scheduling-message",
            Condition::OrganizerAllowed => "C:organizer-allowed",
            Condition::DefaultCalendar => "C:valid-schedule-default-calendar-URL",
            Condition::InviteInvalid => "CS:invite-invalid",
            Condition::QuotaNotExceeded => "D:quota-not-exceeded",
        }
    }
}

/// What a fault looks like: its status, its precondition, and the href that goes into that.
struct Shape {
    status: StatusCode,
    condition: Option<Condition>,
    href: Option<String>,
    text: String,
}

/// The answer to a request for `path` that failed; `None` where not even the path could be read.
pub fn response(fault: &Fault, path: Option<&Path>) -> Response {
    if let Fault::There(fault, path) = fault {
        return response(fault, Some(path));
    }
    let shape = shape(fault, path);
    let mut response = Response::new(body(&shape).into());
    *response.status_mut() = shape.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    // RFC 9110 15.5.6 demands it of a 405; with a 501 it helps as much.
    if matches!(shape.status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
        && let Some(path) = path
    {
        headers.insert(ALLOW, HeaderValue::from_static(methods::allowed(&path.place)));
    }
    if let Fault::Refused(refusal) = fault {
        problem::dress(refusal, &mut response);
    }
    response
}

fn shape(fault: &Fault, path: Option<&Path>) -> Shape {
    let plain = |status, text: &str| Shape { status, condition: None, href: None, text: text.to_owned() };
    match fault {
        Fault::Refused(refusal) => refused(refusal, path),
        Fault::Malformed(text) => plain(StatusCode::BAD_REQUEST, text),
        Fault::Precondition(text) => plain(StatusCode::PRECONDITION_FAILED, text),
        Fault::TooMuchXml => plain(StatusCode::PAYLOAD_TOO_LARGE, "the XML is larger than the limit of 1048576 bytes"),
        Fault::UnsupportedMedia(text) => plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text),
        Fault::NotAllowed(text) => plain(StatusCode::METHOD_NOT_ALLOWED, text),
        Fault::NotImplemented(text) => plain(StatusCode::NOT_IMPLEMENTED, text),
        Fault::NoParent => plain(StatusCode::CONFLICT, "there is no collection that would hold it"),
        Fault::Condition(condition, text) => {
            Shape { condition: Some(*condition), ..plain(StatusCode::FORBIDDEN, text) }
        }
        Fault::TooMany(text) => {
            Shape { condition: Some(Condition::NumberOfMatches), ..plain(StatusCode::INSUFFICIENT_STORAGE, text) }
        }
        Fault::Denied(text) => plain(StatusCode::FORBIDDEN, text),
        Fault::Elsewhere(text) => plain(StatusCode::BAD_GATEWAY, text),
        Fault::There(fault, there) => shape(fault, Some(there)),
    }
}

fn refused(refusal: &Refusal, path: Option<&Path>) -> Shape {
    let books = path.and_then(|path| path.place.kind()) == Some(Kind::AddressBook);
    let of_kind = |calendar, book| Some(if books { book } else { calendar });
    let (status, condition) = match refusal {
        Refusal::Unauthenticated | Refusal::Expired => (StatusCode::UNAUTHORIZED, None),
        Refusal::Forbidden => (StatusCode::FORBIDDEN, Some(Condition::NeedPrivileges)),
        Refusal::NotFound => (StatusCode::NOT_FOUND, None),
        // RFC 4918 9.3.1: MKCOL on a URL that is mapped already.
        Refusal::Exists => (StatusCode::METHOD_NOT_ALLOWED, Some(Condition::ResourceMustBeNull)),
        Refusal::Precondition => (StatusCode::PRECONDITION_FAILED, None),
        Refusal::UidTaken(holder) => return uid_taken(refusal, holder, path),
        Refusal::Invalid(_) => {
            (StatusCode::FORBIDDEN, of_kind(Condition::ValidCalendarData, Condition::ValidAddressData))
        }
        Refusal::Unstorable(_) => {
            (StatusCode::FORBIDDEN, of_kind(Condition::ValidCalendarObject, Condition::ValidAddressData))
        }
        Refusal::Unsupported(_) => {
            (StatusCode::FORBIDDEN, of_kind(Condition::SupportedCalendarComponent, Condition::SupportedAddressData))
        }
        Refusal::TooLarge { .. } => {
            (StatusCode::FORBIDDEN, of_kind(Condition::CalendarObjectTooLarge, Condition::AddressObjectTooLarge))
        }
        Refusal::StaleToken => (StatusCode::FORBIDDEN, Some(Condition::ValidSyncToken)),
        Refusal::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, None),
        Refusal::TooOften { .. } => (StatusCode::TOO_MANY_REQUESTS, None),
        Refusal::Full(_) => (StatusCode::FORBIDDEN, None),
        Refusal::NoRoom(_) => (StatusCode::INSUFFICIENT_STORAGE, Some(Condition::QuotaNotExceeded)),
        Refusal::Unschedulable { rule, .. } => return unschedulable(refusal, rule, path),
        Refusal::Fault { .. } => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    Shape { status, condition, href: None, text: refusal.to_string() }
}

/// RFC 4791 5.3.2.1 `no-uid-conflict`. The service names the holder where it is stored; the client knows that collection by the address
/// it asked for, which may be a mirror's.
/// RFC 6638 3.2.4: each rule has its element; of a second object it names the first.
fn unschedulable(refusal: &Refusal, rule: &Rule, path: Option<&Path>) -> Shape {
    let (condition, holder) = match rule {
        Rule::Attendee => (Condition::AttendeeChange, None),
        Rule::Organizer => (Condition::OrganizerChange, None),
        Rule::SameOrganizer => (Condition::SameOrganizer, None),
        Rule::Unique(holder) => (Condition::UniqueScheduling, Some(holder)),
        Rule::Attendees => (Condition::MaxAttendees, None),
        Rule::DefaultCalendar => (Condition::DefaultCalendar, None),
        Rule::Message => (Condition::SchedulingMessage, None),
        Rule::Asker => (Condition::OrganizerAllowed, None),
    };
    let prefix = path.map_or("", |path| path.prefix);
    let href = holder.map(|holder| Hrefs::new(prefix).of(&Place::Object(holder.clone())));
    Shape { status: StatusCode::FORBIDDEN, condition: Some(condition), href, text: refusal.to_string() }
}

fn uid_taken(refusal: &Refusal, holder: &ObjectAddress, path: Option<&Path>) -> Shape {
    let (mut text, mut status) = (refusal.to_string(), StatusCode::CONFLICT);
    let mut href = None;
    let mut condition = Condition::CalendarUidConflict;
    if let Some(Path { prefix, place: Place::Object(asked) }) = path {
        let mut known = Hrefs::new(prefix).collection(asked.collection());
        href::push_segment(&mut known, holder.name());
        text = format!("the UID is already used by {known}");
        href = Some(known);
        if asked.collection().kind() == Kind::AddressBook {
            condition = Condition::AddressUidConflict;
        }
        if asked.name() == holder.name() {
            // An object keeps its UID: no other request of this kind will do, which a 409 would promise.
            (status, text) = (StatusCode::FORBIDDEN, "the object there has another UID".to_owned());
        }
    }
    Shape { status, condition: Some(condition), href, text }
}

/// RFC 4918 16: the precondition's element; beside it a text for people.
fn body(shape: &Shape) -> String {
    let mut xml = Xml::document("D:error");
    match (shape.condition, &shape.href) {
        (Some(condition), Some(href)) => xml.href_in(condition.tag(), href),
        (Some(condition), None) => xml.empty(condition.tag()),
        (None, _) => {}
    }
    xml.text("D:responsedescription", &shape.text);
    xml.close("D:error");
    xml.as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::Fault as Located;

    #[test]
    fn refusals_have_their_status_and_precondition() {
        let (event, card) = ("/dav/calendars/bob/shared/a%20b.ics", "/addressbooks/bob/friends/1.vcf");
        let taken = |path: &str, name: &str| {
            let Place::Object(address) = Path::parse(path).unwrap().place else { unreachable!() };
            Refusal::UidTaken(address.collection().object(name).unwrap())
        };
        let fault = || Located::at(3, "no such thing");
        let rows = [
            (Refusal::Unauthenticated, event, 401, ""),
            (Refusal::Expired, event, 401, ""),
            (Refusal::Forbidden, event, 403, "<need-privileges/>"),
            (Refusal::NotFound, event, 404, ""),
            (Refusal::Exists, event, 405, "<resource-must-be-null/>"),
            (Refusal::Precondition, event, 412, ""),
            (
                taken("/calendars/alice/work/x.ics", "o 1.ics"),
                event,
                409,
                "<C:no-uid-conflict><href>/dav/calendars/bob/shared/o%201.ics</href></C:no-uid-conflict>",
            ),
            (
                taken("/calendars/alice/work/x.ics", "a b.ics"),
                event,
                403,
                "<C:no-uid-conflict><href>/dav/calendars/bob/shared/a%20b.ics</href></C:no-uid-conflict>",
            ),
            (
                taken(card, "2.vcf"),
                card,
                409,
                "<CR:no-uid-conflict><href>/addressbooks/bob/friends/2.vcf</href></CR:no-uid-conflict>",
            ),
            (Refusal::Invalid(fault()), event, 403, "<C:valid-calendar-data/>"),
            (Refusal::Invalid(fault()), card, 403, "<CR:valid-address-data/>"),
            (Refusal::Unstorable(fault()), event, 403, "<C:valid-calendar-object-resource/>"),
            (Refusal::Unsupported("no".to_owned()), event, 403, "<C:supported-calendar-component/>"),
            (Refusal::Unsupported("no".to_owned()), card, 403, "<CR:supported-address-data/>"),
            (Refusal::TooLarge { limit: 9 }, event, 403, "<C:max-resource-size/>"),
            (Refusal::TooLarge { limit: 9 }, card, 403, "<CR:max-resource-size/>"),
            (Refusal::StaleToken, event, 403, "<valid-sync-token/>"),
            (Refusal::Busy { limit: "x", retry_seconds: 1 }, event, 503, ""),
            (Refusal::TooOften { limit: "x", retry_seconds: 1 }, event, 429, ""),
            (Refusal::Full("x".to_owned()), event, 403, ""),
            (Refusal::Fault { id: "1".to_owned() }, event, 500, ""),
        ];
        for (refusal, path, status, condition) in rows {
            let path = Path::parse(path).unwrap();
            let shape = shape(&Fault::Refused(refusal.clone()), Some(&path));
            assert_eq!(shape.status.as_u16(), status, "{refusal}");
            let body = body(&shape);
            let inner = body.split_once("caldav").unwrap().1.split_once('>').unwrap().1;
            let found = inner.split_once("<responsedescription>").unwrap().0;
            assert_eq!(found, condition, "{refusal}");
            assert!(body.ends_with("</responsedescription></error>"), "{body}");
        }
    }

    #[test]
    fn a_401_asks_and_a_405_says_what_is_allowed() {
        let path = Path::parse("/calendars/alice/default/1.ics").unwrap();
        let asked = response(&Refusal::Unauthenticated.into(), None);
        assert!(asked.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic realm="));
        let refused = response(&Fault::NotAllowed("no".to_owned()), Some(&path));
        assert_eq!(refused.headers()["allow"], methods::allowed(&path.place));
        let busy = response(&Refusal::Busy { limit: "x", retry_seconds: 7 }.into(), Some(&path));
        assert_eq!(busy.headers()["retry-after"], "7");
    }
}
