//! What the properties of sharing say: of a collection, of those who act for somebody. Looks for nobody.

use crate::dav::href::Hrefs;
use crate::dav::props::Property;
use crate::dav::writer::Xml;
use crate::domain::access::{Right, is_open};
use crate::domain::address::{Kind, UserName};
use crate::domain::collection::Source;
use crate::service::collections::View;
use crate::service::invites::{Company, Sharee};

/// Writes a property of a collection; `false`, and nothing written, where it has none.
pub fn of_collection(xml: &mut Xml, property: Property, view: &View, hrefs: Hrefs) -> bool {
    let tag = property.tag();
    let source = hrefs.collection(&view.source.address);
    let manages = view.right >= Right::Administration;
    let calendar = view.source.address.kind() == Kind::Calendar;
    match property {
        Property::Invite | Property::DavInvite => {
            let Some(company) = view.company.as_deref().filter(|_| is_shared(view)) else { return false };
            xml.open(tag);
            match property {
                Property::Invite => invite(xml, view, company, hrefs),
                _ => company.sharees.iter().for_each(|one| sharee(xml, one)),
            }
            xml.close(tag);
        }
        Property::SharingModes if manages => {
            xml.open(tag);
            xml.empty("CS:can-be-shared");
            if calendar {
                xml.empty("CS:can-be-published");
            }
            xml.close(tag);
        }
        Property::SharedUrl if matches!(view.shown.source, Source::Delegated(..)) => xml.href_in(tag, &source),
        Property::PublishUrl if calendar && is_open(view.source.public) => xml.href_in(tag, &source),
        Property::PrePublishUrl if calendar && manages => xml.href_in(tag, &source),
        Property::ShareAccess => {
            xml.open(tag);
            xml.empty(match (&view.shown.source, view.right) {
                (Source::Own, Right::Owner) if view.source.grants.is_empty() => "D:not-shared",
                (Source::Own, Right::Owner) => "D:shared-owner",
                (Source::Delegated(..), Right::ReadWrite | Right::Administration) => "D:read-write",
                (Source::Delegated(..), Right::Read) => "D:read",
                (Source::Delegated(..), _) => "D:no-access",
                _ => "D:not-shared",
            });
            xml.close(tag);
        }
        Property::ShareUri if is_shared(view) => xml.href_in(tag, &source),
        _ => return false,
    }
    true
}

/// Whether it is shared with somebody, as far as its reader may know.
pub fn is_shared(view: &View) -> bool {
    match view.shown.source {
        Source::Own => view.right >= Right::Administration && !view.source.grants.is_empty(),
        Source::Delegated(..) => true,
        Source::Subscribed(..) => false,
    }
}

/// The type that says on which side of a share its reader is.
pub fn resource_type(view: &View) -> Option<&'static str> {
    match (&view.shown.source, view.right) {
        (Source::Own, Right::Owner) if is_shared(view) => Some("CS:shared-owner"),
        (Source::Delegated(..), _) => Some("CS:shared"),
        _ => None,
    }
}

fn invite(xml: &mut Xml, view: &View, company: &Company, hrefs: Hrefs) {
    organizer(xml, view.source.address.user(), &company.display_name, hrefs);
    for one in &company.sharees {
        xml.open("CS:user");
        xml.text("D:href", &format!("mailto:{}", one.email));
        xml.text("CS:common-name", &one.display_name);
        xml.empty(if one.hidden { "CS:invite-declined" } else { "CS:invite-accepted" });
        access(xml, one.right);
        xml.close("CS:user");
    }
}

pub fn organizer(xml: &mut Xml, owner: &UserName, display_name: &str, hrefs: Hrefs) {
    xml.open("CS:organizer");
    xml.text("D:href", &hrefs.principal(owner));
    xml.text("CS:common-name", display_name);
    xml.close("CS:organizer");
}

/// What a right is called in Apple's words; it has none for asking when somebody is busy.
pub fn access(xml: &mut Xml, right: Right) {
    xml.open("CS:access");
    xml.empty(match right {
        Right::None | Right::FreeBusy => "C:read-free-busy",
        Right::Read => "CS:read",
        Right::ReadWrite | Right::Administration | Right::Owner => "CS:read-write",
    });
    xml.close("CS:access");
}

fn sharee(xml: &mut Xml, one: &Sharee) {
    xml.open("D:sharee");
    xml.text("D:href", &format!("mailto:{}", one.email));
    xml.empty(if one.hidden { "D:invite-declined" } else { "D:invite-accepted" });
    xml.open("D:share-access");
    xml.empty(match one.right {
        Right::None | Right::FreeBusy => "C:read-free-busy",
        Right::Read => "D:read",
        Right::ReadWrite | Right::Administration | Right::Owner => "D:read-write",
    });
    xml.close("D:share-access");
    xml.open("D:prop");
    xml.text("D:displayname", &one.display_name);
    xml.close("D:prop");
    xml.close("D:sharee");
}

/// An element that holds the principals of some people, or nothing.
pub fn people(xml: &mut Xml, tag: &str, hrefs: impl Iterator<Item = String>) {
    xml.open(tag);
    hrefs.for_each(|href| xml.text("D:href", &href));
    xml.close(tag);
}
