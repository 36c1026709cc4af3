//! The properties that this face knows: their names, and which of them `allprop` means. What they say stands in `values.rs`.

use crate::dav::xml::{Name, SPACES};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    ResourceType,
    DisplayName,
    Etag,
    ContentType,
    ContentLength,
    LastModified,
    CurrentUserPrincipal,
    PrincipalUrl,
    PrincipalCollections,
    Owner,
    Privileges,
    Reports,
    SyncToken,
    CalendarHome,
    UserAddresses,
    Components,
    CalendarData,
    CalendarDescription,
    TimezoneId,
    Transparency,
    CalendarObjectMax,
    BookHome,
    AddressData,
    BookDescription,
    AddressObjectMax,
    Ctag,
    Color,
}

impl Property {
    /// All of them, in the order in which `propname` lists them.
    pub const ALL: [Property; 27] = [
        Property::ResourceType,
        Property::DisplayName,
        Property::Etag,
        Property::ContentType,
        Property::ContentLength,
        Property::LastModified,
        Property::CurrentUserPrincipal,
        Property::PrincipalUrl,
        Property::PrincipalCollections,
        Property::Owner,
        Property::Privileges,
        Property::Reports,
        Property::SyncToken,
        Property::CalendarHome,
        Property::UserAddresses,
        Property::Components,
        Property::CalendarData,
        Property::CalendarDescription,
        Property::TimezoneId,
        Property::Transparency,
        Property::CalendarObjectMax,
        Property::BookHome,
        Property::AddressData,
        Property::BookDescription,
        Property::AddressObjectMax,
        Property::Ctag,
        Property::Color,
    ];

    /// What `allprop` answers: what RFC 4918 defines, and what would be a dead property elsewhere. RFC 4791 5.2, 6352 6.2 and 3744 5 keep
    /// theirs out of it.
    pub const COMMON: [Property; 7] = [
        Property::ResourceType,
        Property::DisplayName,
        Property::Etag,
        Property::ContentType,
        Property::ContentLength,
        Property::LastModified,
        Property::Color,
    ];

    /// The element, as it stands in our answers.
    pub fn tag(self) -> &'static str {
        match self {
            Property::ResourceType => "D:resourcetype",
            Property::DisplayName => "D:displayname",
            Property::Etag => "D:getetag",
            Property::ContentType => "D:getcontenttype",
            Property::ContentLength => "D:getcontentlength",
            Property::LastModified => "D:getlastmodified",
            Property::CurrentUserPrincipal => "D:current-user-principal",
            Property::PrincipalUrl => "D:principal-URL",
            Property::PrincipalCollections => "D:principal-collection-set",
            Property::Owner => "D:owner",
            Property::Privileges => "D:current-user-privilege-set",
            Property::Reports => "D:supported-report-set",
            Property::SyncToken => "D:sync-token",
            Property::CalendarHome => "C:calendar-home-set",
            Property::UserAddresses => "C:calendar-user-address-set",
            Property::Components => "C:supported-calendar-component-set",
            Property::CalendarData => "C:supported-calendar-data",
            Property::CalendarDescription => "C:calendar-description",
            Property::TimezoneId => "C:calendar-timezone-id",
            Property::Transparency => "C:schedule-calendar-transp",
            Property::CalendarObjectMax => "C:max-resource-size",
            Property::BookHome => "CR:addressbook-home-set",
            Property::AddressData => "CR:supported-address-data",
            Property::BookDescription => "CR:addressbook-description",
            Property::AddressObjectMax => "CR:max-resource-size",
            Property::Ctag => "CS:getctag",
            Property::Color => "A:calendar-color",
        }
    }

    pub fn of(name: &Name) -> Option<Property> {
        let prefix = name.space.prefix()?;
        Property::ALL.into_iter().find(|known| known.tag().split_once(':') == Some((prefix, &name.local)))
    }

    /// The name as it stands in a request.
    pub fn name(self) -> Option<Name> {
        let (prefix, local) = self.tag().split_once(':')?;
        let (space, ..) = SPACES.into_iter().find(|(_, known, _)| *known == prefix)?;
        Some(Name { space, local: local.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dav::xml::Space;

    #[test]
    fn every_property_is_found_by_its_name() {
        for property in Property::ALL {
            let name = property.name().unwrap();
            assert_eq!(Property::of(&name), Some(property), "{name:?}");
        }
        let stray = Name { space: Space::CalDav, local: "displayname".to_owned() };
        assert_eq!(Property::of(&stray), None);
    }
}
