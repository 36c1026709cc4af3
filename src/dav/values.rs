//! What each property says of each place. Writes values only; rows and statuses stand in `multistatus.rs`.

use chrono::SecondsFormat;
use uuid::Uuid;

use crate::dav::acl;
use crate::dav::dead;
use crate::dav::href::Hrefs;
use crate::dav::path::Place;
use crate::dav::props::Property;
use crate::dav::reader;
use crate::dav::report::kinds;
use crate::dav::request::Request;
use crate::dav::sharing::{notifications, values as sharing};
use crate::dav::writer::Xml;
use crate::dav::zone;
use crate::domain::access::{Right, right_of};
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::{Kept, Source};
use crate::domain::dead::DeadProperty;
use crate::domain::invite::{Invite, Mailbox};
use crate::domain::object::{Component, Record};
use crate::domain::principal::Principal;
use crate::domain::query::Collation;
use crate::domain::refusal::Refusal;
use crate::domain::sync::Token;
use crate::service::Service;
use crate::service::collections::{View, zone_named};
use crate::service::room::Room;

/// What a row of an answer is about.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    Root,
    Principals,
    /// The caller: of others nothing is shown, but of those for whom the caller acts.
    Principal,
    Person(&'a Principal),
    Proxy(&'a Deputies),
    Homes(Kind),
    /// The caller's own home.
    Home(Kind),
    /// The home of somebody for whom the caller acts.
    HomeOf(Kind, &'a UserName),
    Notifications(&'a Mailbox),
    Notification(&'a Invite),
    Collection(&'a View),
    Object(&'a View, &'a Record),
}

/// Those who act for somebody: one of the two groups below their principal.
#[derive(Clone, Debug)]
pub struct Deputies {
    pub owner: UserName,
    pub writes: bool,
    /// Those of them whom the reader may know.
    pub members: Vec<UserName>,
}

/// Who asks, and what the answer depends on beside the subject.
pub struct Scene {
    pub caller: Principal,
    /// Whom the caller acts for, and with which right.
    pub acts_for: Vec<(UserName, Right)>,
    pub hrefs: Hrefs,
    /// Bytes of one object.
    pub object_max: u64,
    /// What collections may hold.
    pub room: Room,
    /// This installation, whose ids no other gives.
    pub origin: Uuid,
    /// The sync tokens of the caller's homes, where they are asked for: of calendars and of address books.
    pub home_tokens: [Option<String>; 2],
    /// The bytes that those homes hold, where they are asked for.
    pub home_bytes: [Option<u64>; 2],
    /// What an inbox says of calendars; nothing where the question is not about one.
    pub intake: Intake,
}

/// Which calendars count for an inbox.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    /// Where invitations go.
    pub default: Option<Address>,
    /// Those that make their owner busy.
    pub busy: Vec<Address>,
}

impl Intake {
    /// What a person's inbox says.
    pub async fn of(house: &Service, user: &UserName) -> Result<Intake, Refusal> {
        let own = house.list(user, Kind::Calendar).await?;
        let busy =
            own.into_iter().map(|view| view.shown).filter(|shown| shown.source == Source::Own && !shown.transparent);
        Ok(Intake { default: house.default_calendar(user).await?, busy: busy.map(|shown| shown.address).collect() })
    }
}

/// What a calendar takes that was made for all components. VFREEBUSY and VAVAILABILITY are taken too; clients that read them here would
/// offer what nobody shows.
const ALL_COMPONENTS: [&str; 3] = ["VEVENT", "VTODO", "VJOURNAL"];

impl Scene {
    pub async fn of(request: &Request) -> Result<Scene, Refusal> {
        let acts_for = match request.place() {
            // Nothing there says so.
            Place::Collection(_) | Place::Object(_) if request.method() == "PROPFIND" => Vec::new(),
            _ => request.house.acts_for(&request.caller.name).await?,
        };
        Ok(Scene {
            caller: request.caller.clone(),
            acts_for,
            hrefs: request.hrefs(),
            object_max: request.house.settings().limits.object_bytes,
            room: request.house.settings().limits.room,
            origin: request.house.directory().origin(),
            home_tokens: Default::default(),
            home_bytes: Default::default(),
            intake: Intake::default(),
        })
    }

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
            (Property::SupportedPrivileges, _) => acl::supported(xml, tag),
            (Property::AclRestrictions, _) => acl::restrictions(xml, tag),
            (Property::Acl, _) if !self.denies(property, subject) => self.acl(xml, tag, subject),
            (Property::InheritedAcls, Subject::Object(view, _)) => {
                xml.href_in(tag, &self.hrefs.collection(&view.shown.address));
            }
            (Property::InheritedAcls, _) => xml.empty(tag),
            (Property::Reports, _) => kinds::write(xml, tag, subject),
            (Property::Owner, _) => match self.owner(subject) {
                Some(owner) => xml.href_in(tag, &self.hrefs.principal(owner)),
                None => return false,
            },
            (Property::SyncToken, Subject::Home(kind)) => match &self.home_tokens[kind as usize] {
                Some(token) => xml.text(tag, token),
                None => return false,
            },
            (Property::QuotaUsed, Subject::Home(kind)) => match self.home_bytes[kind as usize] {
                Some(bytes) => xml.text(tag, &bytes.to_string()),
                None => return false,
            },
            (Property::ResourceId, Subject::Home(kind)) => {
                self.resource_id(xml, tag, &self.hrefs.home(kind, &self.caller.name));
            }
            (_, Subject::Principal) => return self.of_principal(xml, property),
            (_, Subject::Person(person)) => return self.of_person(xml, property, person),
            (_, Subject::Proxy(deputies)) => return self.of_deputies(xml, property, deputies),
            (Property::SyncToken | Property::Ctag, Subject::Notifications(held)) => {
                xml.text(tag, &Token(held.token).url())
            }
            (_, Subject::Notification(invite)) => return notifications::write(xml, property, invite),
            (_, Subject::Collection(view)) => return self.of_collection(xml, property, view),
            // How long it is as its owner sees it is nobody else's business.
            (Property::ContentLength, Subject::Object(view, record)) if view.veils(record) => return false,
            (_, Subject::Object(_, record)) => return of_object(xml, property, record),
            (_, Subject::Root | Subject::Principals | Subject::Homes(_) | Subject::Home(_)) => return false,
            (_, Subject::HomeOf(..) | Subject::Notifications(_)) => return false,
        }
        true
    }

    /// Whether the subject has the property, and this person may not read it: RFC 3744 5.5.
    pub fn denies(&self, property: Property, subject: Subject<'_>) -> bool {
        let held = || match subject {
            Subject::Collection(view) | Subject::Object(view, _) => view.right >= Right::Administration,
            Subject::Root | Subject::Principals | Subject::Homes(_) => true,
            Subject::Principal | Subject::Home(_) | Subject::Notifications(_) | Subject::Notification(_) => true,
            Subject::Person(_) | Subject::HomeOf(..) => false,
            Subject::Proxy(deputies) => deputies.owner == self.caller.name,
        };
        property == Property::Acl && !held()
    }

    /// Whether what is kept still says what is so: a zone may have been set by another property since.
    pub fn stands(&self, kept: &DeadProperty, subject: Subject<'_>) -> bool {
        match (Property::of(&dead::name(kept)), subject) {
            (Some(Property::Timezone), Subject::Collection(view)) if view.shown.address.kind() == Kind::Calendar => {
                let text = reader::read(kept.value.as_bytes()).ok().flatten().map(|kept| kept.text);
                let named = text.and_then(|text| zone::tzid(&text)).and_then(|tzid| zone_named(&tzid));
                named == view.shown.timezone.as_deref()
            }
            _ => true,
        }
    }

    fn acl(&self, xml: &mut Xml, tag: &str, subject: Subject<'_>) {
        let from = match subject {
            Subject::Object(view, _) => Some(self.hrefs.collection(&view.shown.address)),
            _ => None,
        };
        acl::write(xml, tag, subject, self.hrefs, from.as_deref());
    }

    fn owner<'a>(&'a self, subject: Subject<'a>) -> Option<&'a UserName> {
        match subject {
            Subject::Root | Subject::Principals | Subject::Homes(_) => None,
            Subject::Principal | Subject::Home(_) => Some(&self.caller.name),
            Subject::Notifications(_) | Subject::Notification(_) => Some(&self.caller.name),
            Subject::Person(person) => Some(&person.name),
            Subject::HomeOf(_, owner) => Some(owner),
            Subject::Proxy(deputies) => Some(&deputies.owner),
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
            Property::Emails => {
                xml.open(tag);
                xml.text("CS:email-address", &caller.email);
                xml.close(tag);
            }
            Property::UserType => xml.text(tag, "INDIVIDUAL"),
            Property::ResourceId => self.resource_id(xml, tag, &format!("principal {}", caller.name)),
            Property::InboxUrl => xml.href_in(tag, &self.hrefs.collection(&Address::inbox(&caller.name))),
            Property::OutboxUrl => xml.href_in(tag, &self.hrefs.collection(&Address::outbox(&caller.name))),
            Property::AlternateUris | Property::GroupMembers => xml.empty(tag),
            Property::GroupMembership => {
                let groups = self.acts_for.iter().map(|(owner, right)| self.hrefs.proxy(owner, *right > Right::Read));
                sharing::people(xml, tag, groups);
            }
            Property::ProxyReadFor | Property::ProxyWriteFor => {
                let writes = property == Property::ProxyWriteFor;
                let owners = self.acts_for.iter().filter(|(_, right)| (*right > Right::Read) == writes);
                sharing::people(xml, tag, owners.map(|(owner, _)| self.hrefs.principal(owner)));
            }
            Property::NotificationUrl => xml.href_in(tag, &self.hrefs.notifications(&caller.name)),
            _ => return false,
        }
        true
    }

    /// Somebody for whom the caller acts: as much of them as it takes to find their calendars.
    fn of_person(&self, xml: &mut Xml, property: Property, person: &Principal) -> bool {
        let tag = property.tag();
        match property {
            Property::DisplayName => xml.text(tag, &person.display_name),
            Property::PrincipalUrl => xml.href_in(tag, &self.hrefs.principal(&person.name)),
            Property::CalendarHome => xml.href_in(tag, &self.hrefs.home(Kind::Calendar, &person.name)),
            Property::UserAddresses => {
                xml.open(tag);
                xml.text("D:href", &format!("mailto:{}", person.email));
                xml.text("D:href", &self.hrefs.principal(&person.name));
                xml.close(tag);
            }
            Property::Emails => {
                xml.open(tag);
                xml.text("CS:email-address", &person.email);
                xml.close(tag);
            }
            Property::UserType => xml.text(tag, "INDIVIDUAL"),
            Property::AlternateUris => xml.empty(tag),
            _ => return false,
        }
        true
    }

    fn of_deputies(&self, xml: &mut Xml, property: Property, deputies: &Deputies) -> bool {
        let tag = property.tag();
        match property {
            Property::DisplayName => {
                xml.text(tag, if deputies.writes { "calendar-proxy-write" } else { "calendar-proxy-read" });
            }
            Property::PrincipalUrl => xml.href_in(tag, &self.hrefs.proxy(&deputies.owner, deputies.writes)),
            Property::GroupMembers => {
                sharing::people(xml, tag, deputies.members.iter().map(|user| self.hrefs.principal(user)));
            }
            Property::AlternateUris | Property::GroupMembership => xml.empty(tag),
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
        if view.right < Right::Read {
            // What its holder calls it is the holder's own; of the source nothing is told.
            let own = shown.source != Source::Own && matches!(property, Property::DisplayName | Property::Color);
            let side = matches!(property, Property::ShareAccess | Property::SharedUrl);
            if !own && !side {
                return false;
            }
        }
        match (property, shown.address.kind()) {
            (Property::DisplayName, _) => return some(xml, &shown.display_name),
            (Property::SyncToken | Property::Ctag, _) => xml.text(tag, &view.source.token.url()),
            (Property::Color, Kind::Calendar) => return some(xml, &shown.color),
            (Property::CalendarDescription, Kind::Calendar) => return some(xml, &shown.description),
            (Property::BookDescription, Kind::AddressBook) => return some(xml, &shown.description),
            // The id of what is shown: a mirror is a resource of its own, not a binding of its source.
            (Property::ResourceId, _) => self.resource_id(xml, tag, &format!("collection {}", shown.id.0)),
            // It tells of private objects too.
            (Property::QuotaUsed | Property::QuotaAvailable, _) if view.right < Right::Owner => return false,
            (Property::QuotaUsed, _) => xml.text(tag, &view.source.bytes.to_string()),
            (Property::QuotaAvailable, _) => match self.room.left(&view.source) {
                Some(left) => xml.text(tag, &left.to_string()),
                None => return false,
            },
            // RFC 5995 3.2.1: what is posted to the collection itself becomes its member.
            (Property::AddMember, _) if shown.address.is_mailbox() || !view.writes() => return false,
            (Property::AddMember, _) => xml.href_in(tag, &self.hrefs.collection(&shown.address)),
            (Property::DefaultCalendar, _) => match &self.intake.default {
                Some(address) if shown.address.is_inbox() => xml.href_in(tag, &self.hrefs.collection(address)),
                _ => return false,
            },
            (Property::FreeBusySet, _) if shown.address.is_inbox() => {
                xml.open(tag);
                self.intake.busy.iter().for_each(|address| xml.text("D:href", &self.hrefs.collection(address)));
                xml.close(tag);
            }
            // A URL of a feed is often as good as a password: it is its subscriber's alone.
            (Property::Source, Kind::Calendar) => match &shown.kept {
                Some(Kept::Feed(url)) if view.right == Right::Owner => xml.href_in(tag, url),
                _ => return false,
            },
            (Property::Transparency, _) if shown.address.is_mailbox() => return false,
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
            (Property::Collations, Kind::Calendar) | (Property::BookCollations, Kind::AddressBook) => {
                let (prefix, _) = tag.split_once(':').unwrap_or_default();
                xml.open(tag);
                Collation::ALL.into_iter().for_each(|known| {
                    xml.text(&format!("{prefix}:supported-collation"), known.as_str());
                });
                xml.close(tag);
            }
            (Property::AddressData, Kind::AddressBook) => {
                xml.open(tag);
                for version in ["3.0", "4.0"] {
                    xml.empty_with("CR:address-data-type", &[("content-type", "text/vcard"), ("version", version)]);
                }
                xml.close(tag);
            }
            _ => return sharing::of_collection(xml, property, view, self.hrefs),
        }
        true
    }

    /// RFC 5842 3.1: of all resources of all servers the only one.
    fn resource_id(&self, xml: &mut Xml, tag: &str, what: &str) {
        xml.href_in(tag, &Uuid::new_v5(&self.origin, what.as_bytes()).urn().to_string());
    }

    /// RFC 3744 5.4. Clients show a collection as read-only by what is missing here.
    fn privileges(&self, xml: &mut Xml, tag: &str, subject: Subject<'_>) {
        let held = match subject {
            Subject::Root | Subject::Principals | Subject::Homes(_) => {
                vec!["D:read", "D:read-current-user-privilege-set", "D:read-acl"]
            }
            Subject::Person(_) => vec!["D:read", "D:read-current-user-privilege-set"],
            Subject::HomeOf(..) => vec!["D:read", "D:read-current-user-privilege-set"],
            Subject::Proxy(deputies) if deputies.owner == self.caller.name => acl::all(None),
            Subject::Proxy(_) => vec!["D:read", "D:read-current-user-privilege-set"],
            Subject::Notifications(_) | Subject::Notification(_) => vec!["D:read", "D:unbind"],
            Subject::Principal => acl::all(None),
            Subject::Home(kind) => acl::all(Some(kind)),
            Subject::Collection(view) | Subject::Object(view, _) => acl::held(view, dresses(&self.caller.name, view)),
        };
        xml.open(tag);
        acl::privileges(xml, &held);
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
        Subject::HomeOf(..) => &["D:collection"],
        Subject::Principal | Subject::Person(_) => &["D:collection", "D:principal"],
        Subject::Proxy(Deputies { writes: false, .. }) => &["D:collection", "D:principal", "CS:calendar-proxy-read"],
        Subject::Proxy(_) => &["D:collection", "D:principal", "CS:calendar-proxy-write"],
        Subject::Notifications(_) => &["D:collection", "CS:notification"],
        Subject::Notification(_) => return xml.empty(tag),
        Subject::Collection(view) => match view.shown.address.kind() {
            _ if view.shown.address.is_inbox() => &["D:collection", "C:schedule-inbox"],
            _ if view.shown.address.is_outbox() => &["D:collection", "C:schedule-outbox"],
            Kind::Calendar => &["D:collection", "C:calendar"],
            Kind::AddressBook => &["D:collection", "CR:addressbook"],
        },
        Subject::Object(..) => return xml.empty(tag),
    };
    xml.open(tag);
    types.iter().for_each(|name| xml.empty(name));
    if let Subject::Collection(view) = subject {
        sharing::resource_type(view).into_iter().for_each(|name| xml.empty(name));
    }
    xml.close(tag);
}

fn of_object(xml: &mut Xml, property: Property, record: &Record) -> bool {
    let tag = property.tag();
    match property {
        Property::Etag => xml.text(tag, record.etag.as_str()),
        Property::ContentType => xml.text(tag, content_type(record.component)),
        Property::ContentLength => xml.text(tag, &record.size.to_string()),
        Property::LastModified => xml.text(tag, &last_modified(record)),
        Property::CreationDate => xml.text(tag, &record.created.to_rfc3339_opts(SecondsFormat::Secs, true)),
        Property::ScheduleTag => match &record.schedule_tag {
            Some(schedule_tag) => xml.text(tag, schedule_tag),
            None => return false,
        },
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
