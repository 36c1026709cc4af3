//! The reports by name, and the places that know them. Answers none.

use crate::dav::path::Place;
use crate::dav::values::Subject;
use crate::dav::writer::Xml;
use crate::dav::xml::{Name, SPACES};
use crate::domain::address::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    CalendarQuery,
    CalendarMultiget,
    FreeBusyQuery,
    AddressBookQuery,
    AddressBookMultiget,
    SyncCollection,
    ExpandProperty,
    SearchProperties,
    PrincipalSearch,
    PrincipalMatch,
    AclPrincipals,
}

/// A place without its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// Above or beside the homes.
    Above,
    Home(Kind),
    Collection(Kind),
    Object(Kind),
    Notifications,
}

impl Spot {
    pub fn of(place: &Place) -> Spot {
        match place {
            Place::Root | Place::Principals | Place::Principal(_) | Place::Homes(_) => Spot::Above,
            Place::Proxy(..) | Place::Notification(..) => Spot::Above,
            Place::Notifications(_) => Spot::Notifications,
            Place::Home(kind, _) => Spot::Home(*kind),
            Place::Collection(at) => Spot::Collection(at.kind()),
            Place::Object(at) => Spot::Object(at.collection().kind()),
        }
    }

    fn of_subject(subject: Subject<'_>) -> Spot {
        match subject {
            Subject::Root | Subject::Principals | Subject::Principal | Subject::Homes(_) => Spot::Above,
            Subject::Person(_) | Subject::Proxy(_) | Subject::Notification(_) => Spot::Above,
            Subject::Notifications(_) => Spot::Notifications,
            Subject::Home(kind) | Subject::HomeOf(kind, _) => Spot::Home(kind),
            Subject::Collection(view) => Spot::Collection(view.shown.address.kind()),
            Subject::Object(view, _) => Spot::Object(view.shown.address.kind()),
        }
    }
}

impl Report {
    const ALL: [Report; 11] = [
        Report::CalendarQuery,
        Report::CalendarMultiget,
        Report::FreeBusyQuery,
        Report::AddressBookQuery,
        Report::AddressBookMultiget,
        Report::SyncCollection,
        Report::ExpandProperty,
        Report::SearchProperties,
        Report::PrincipalSearch,
        Report::PrincipalMatch,
        Report::AclPrincipals,
    ];

    fn tag(self) -> &'static str {
        match self {
            Report::CalendarQuery => "C:calendar-query",
            Report::CalendarMultiget => "C:calendar-multiget",
            Report::FreeBusyQuery => "C:free-busy-query",
            Report::AddressBookQuery => "CR:addressbook-query",
            Report::AddressBookMultiget => "CR:addressbook-multiget",
            Report::SyncCollection => "D:sync-collection",
            Report::ExpandProperty => "D:expand-property",
            Report::SearchProperties => "D:principal-search-property-set",
            Report::PrincipalSearch => "D:principal-property-search",
            Report::PrincipalMatch => "D:principal-match",
            Report::AclPrincipals => "D:acl-principal-prop-set",
        }
    }

    pub fn of(name: &Name) -> Option<Report> {
        let (_, prefix, _) = SPACES.into_iter().find(|(space, ..)| *space == name.space)?;
        Report::ALL.into_iter().find(|known| known.tag().split_once(':') == Some((prefix, &name.local)))
    }

    /// Whether it can be asked for at a place.
    pub fn suits(self, spot: Spot) -> bool {
        match self {
            Report::CalendarQuery | Report::CalendarMultiget => {
                matches!(
                    spot,
                    Spot::Home(Kind::Calendar) | Spot::Collection(Kind::Calendar) | Spot::Object(Kind::Calendar)
                )
            }
            Report::AddressBookQuery | Report::AddressBookMultiget => matches!(
                spot,
                Spot::Home(Kind::AddressBook) | Spot::Collection(Kind::AddressBook) | Spot::Object(Kind::AddressBook)
            ),
            Report::FreeBusyQuery => matches!(spot, Spot::Home(Kind::Calendar) | Spot::Collection(Kind::Calendar)),
            Report::SyncCollection => matches!(spot, Spot::Home(_) | Spot::Collection(_) | Spot::Notifications),
            Report::ExpandProperty | Report::AclPrincipals => true,
            Report::SearchProperties | Report::PrincipalSearch => spot == Spot::Above,
            Report::PrincipalMatch => !matches!(spot, Spot::Object(_)),
        }
    }
}

/// RFC 3253 3.1.5: what a subject's `supported-report-set` says.
pub fn write(xml: &mut Xml, tag: &str, subject: Subject<'_>) {
    let spot = Spot::of_subject(subject);
    xml.open(tag);
    for report in Report::ALL.into_iter().filter(|report| report.suits(spot)) {
        xml.open("D:supported-report");
        xml.open("D:report");
        xml.empty(report.tag());
        xml.close("D:report");
        xml.close("D:supported-report");
    }
    xml.close(tag);
}
