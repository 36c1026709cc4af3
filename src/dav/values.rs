//! What each property says of each place. Writes values only; rows and statuses stand in `multistatus.rs`.

use crate::dav::href::Hrefs;
use crate::dav::path::Place;
use crate::dav::props::Property;
use crate::dav::writer::Xml;
use crate::domain::access::{Right, right_of};
use crate::domain::address::{Kind, UserName};
use crate::domain::object::{Component, Record};
use crate::domain::principal::Principal;
use crate::service::collections::View;

/// What a row of an answer is about.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    Root,
    Principals,
    /// The caller: of others nothing is shown.
    Principal,
    Homes(Kind),
    /// The caller's own home.
    Home(Kind),
    Collection(&'a View),
    Object(&'a View, &'a Record),
}

/// Who asks, and what the answer depends on beside the subject.
pub struct Scene {
    pub caller: Principal,
    pub hrefs: Hrefs,
    /// Bytes of one object.
    pub object_max: u64,
}

/// What a calendar takes that was made for all components. VFREEBUSY and VAVAILABILITY are taken too; clients that read them here would
/// offer what nobody shows.
const ALL_COMPONENTS: [&str; 3] = ["VEVENT", "VTODO", "VJOURNAL"];

impl Scene {
    /// Writes a property with its value; `false`, and nothing written, where the subject has none.
    pub fn write(&self, xml: &mut Xml, property: Property, subject: Subject<'_>) -> bool {
        let tag = property.tag();
        match (property, subject) {
            (Property::ResourceType, _) => resource_type(xml, tag, subject),
            (Property::CurrentUserPrincipal, _) => xml.href_in(tag, &self.hrefs.principal(&self.caller.name)),
            (Property::PrincipalCollections, _) => {
                xml.href_in(tag, &self.hrefs.of(&Place::Principals));
            }
            (Property::Privileges, _) => self.privileges(xml, tag, subject),
            // None yet: they come with the reports.
            (Property::Reports, _) => xml.empty(tag),
            (Property::Owner, _) => match self.owner(subject) {
                Some(owner) => xml.href_in(tag, &self.hrefs.principal(owner)),
                None => return false,
            },
            (_, Subject::Principal) => return self.of_principal(xml, property),
            (_, Subject::Collection(view)) => return self.of_collection(xml, property, view),
            (_, Subject::Object(_, record)) => return of_object(xml, property, record),
            (_, Subject::Root | Subject::Principals | Subject::Homes(_) | Subject::Home(_)) => return false,
        }
        true
    }

    fn owner<'a>(&'a self, subject: Subject<'a>) -> Option<&'a UserName> {
        match subject {
            Subject::Root | Subject::Principals | Subject::Homes(_) => None,
            Subject::Principal | Subject::Home(_) => Some(&self.caller.name),
            // Of a mirror too: clients tell by it that a calendar is somebody else's.
            Subject::Collection(view) | Subject::Object(view, _) => Some(view.source.address.user()),
        }
    }

    fn of_principal(&self, xml: &mut Xml, property: Property) -> bool {
        let (tag, caller) = (property.tag(), &self.caller);
        match property {
            Property::DisplayName => xml.text(tag, &caller.display_name),
            Property::PrincipalUrl => xml.href_in(tag, &self.hrefs.principal(&caller.name)),
            // Exactly one href each: Apple and others read only the first.
            Property::CalendarHome => xml.href_in(tag, &self.hrefs.home(Kind::Calendar, &caller.name)),
            Property::BookHome => xml.href_in(tag, &self.hrefs.home(Kind::AddressBook, &caller.name)),
            Property::UserAddresses => {
                xml.open(tag);
                // The mail address first: clients take it for the organizer.
                xml.text("D:href", &format!("mailto:{}", caller.email));
                xml.text("D:href", &self.hrefs.principal(&caller.name));
                xml.close(tag);
            }
            _ => return false,
        }
        true
    }

    fn of_collection(&self, xml: &mut Xml, property: Property, view: &View) -> bool {
        let (tag, shown) = (property.tag(), &view.shown);
        let some = |xml: &mut Xml, text: &str| {
            if !text.is_empty() {
                xml.text(tag, text);
            }
            !text.is_empty()
        };
        match (property, shown.address.kind()) {
            (Property::DisplayName, _) => return some(xml, &shown.display_name),
            (Property::SyncToken | Property::Ctag, _) => xml.text(tag, &view.source.token.url()),
            (Property::Color, Kind::Calendar) => return some(xml, &shown.color),
            (Property::CalendarDescription, Kind::Calendar) => return some(xml, &shown.description),
            (Property::BookDescription, Kind::AddressBook) => return some(xml, &shown.description),
            (Property::TimezoneId, Kind::Calendar) => return some(xml, shown.timezone.as_deref().unwrap_or_default()),
            (Property::Transparency, Kind::Calendar) => {
                xml.open(tag);
                xml.empty(if shown.transparent { "C:transparent" } else { "C:opaque" });
                xml.close(tag);
            }
            (Property::CalendarObjectMax, Kind::Calendar) | (Property::AddressObjectMax, Kind::AddressBook) => {
                xml.text(tag, &self.object_max.to_string());
            }
            (Property::Components, Kind::Calendar) => {
                xml.open(tag);
                if view.source.components.is_empty() {
                    ALL_COMPONENTS.iter().for_each(|name| xml.empty_with("C:comp", &[("name", name)]));
                }
                view.source.components.iter().for_each(|name| xml.empty_with("C:comp", &[("name", name)]));
                xml.close(tag);
            }
            (Property::CalendarData, Kind::Calendar) => {
                xml.open(tag);
                xml.empty_with("C:calendar-data", &[("content-type", "text/calendar"), ("version", "2.0")]);
                xml.close(tag);
            }
            (Property::AddressData, Kind::AddressBook) => {
                xml.open(tag);
                for version in ["3.0", "4.0"] {
                    xml.empty_with("CR:address-data-type", &[("content-type", "text/vcard"), ("version", version)]);
                }
                xml.close(tag);
            }
            _ => return false,
        }
        true
    }

    /// RFC 3744 5.4. Clients show a collection as read-only by what is missing here, so aggregates are listed with their parts.
    fn privileges(&self, xml: &mut Xml, tag: &str, subject: Subject<'_>) {
        const MAKES: [&str; 2] = ["D:bind", "D:unbind"];
        let mut held = vec!["D:read", "D:read-current-user-privilege-set"];
        match subject {
            Subject::Root | Subject::Principals | Subject::Principal | Subject::Homes(_) => {}
            Subject::Home(_) => held.extend(MAKES),
            Subject::Collection(view) | Subject::Object(view, _) => {
                let (writes, dresses) = (view.right >= Right::ReadWrite, dresses(&self.caller.name, view));
                if writes && dresses {
                    held.push("D:write");
                }
                if dresses {
                    held.push("D:write-properties");
                }
                if writes {
                    held.push("D:write-content");
                    held.extend(MAKES);
                }
                if view.shown.address.kind() == Kind::Calendar {
                    held.push("C:read-free-busy");
                }
            }
        }
        xml.open(tag);
        for privilege in held {
            xml.open("D:privilege");
            xml.empty(privilege);
            xml.close("D:privilege");
        }
        xml.close(tag);
    }
}

/// Whether name and colour of what is shown are this person's to set: the holder's of a mirror, the owner's and administrators' of a
/// source.
fn dresses(user: &UserName, view: &View) -> bool {
    right_of(user, &view.shown) >= Right::Administration
}

/// Exactly what it is and no more: clients pass over collections of types that they do not know.
fn resource_type(xml: &mut Xml, tag: &str, subject: Subject<'_>) {
    let types: &[&str] = match subject {
        Subject::Root | Subject::Principals | Subject::Homes(_) | Subject::Home(_) => &["D:collection"],
        Subject::Principal => &["D:collection", "D:principal"],
        Subject::Collection(view) => match view.shown.address.kind() {
            Kind::Calendar => &["D:collection", "C:calendar"],
            Kind::AddressBook => &["D:collection", "CR:addressbook"],
        },
        Subject::Object(..) => return xml.empty(tag),
    };
    xml.open(tag);
    types.iter().for_each(|name| xml.empty(name));
    xml.close(tag);
}

fn of_object(xml: &mut Xml, property: Property, record: &Record) -> bool {
    let tag = property.tag();
    match property {
        Property::Etag => xml.text(tag, record.etag.as_str()),
        Property::ContentType => xml.text(tag, content_type(record.component)),
        Property::ContentLength => xml.text(tag, &record.size.to_string()),
        Property::LastModified => xml.text(tag, &last_modified(record)),
        _ => return false,
    }
    true
}

/// The media type of an object; Apple and sabre name the component in it.
pub fn content_type(component: Component) -> &'static str {
    match component {
        Component::Event => "text/calendar; charset=utf-8; component=vevent",
        Component::Todo => "text/calendar; charset=utf-8; component=vtodo",
        Component::Journal => "text/calendar; charset=utf-8; component=vjournal",
        Component::FreeBusy => "text/calendar; charset=utf-8; component=vfreebusy",
        Component::Availability => "text/calendar; charset=utf-8; component=vavailability",
        Component::Card => "text/vcard; charset=utf-8",
    }
}

/// RFC 9110 5.6.7.
pub fn last_modified(record: &Record) -> String {
    record.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
