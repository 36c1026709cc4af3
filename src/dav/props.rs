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
    CreationDate,
    CurrentUserPrincipal,
    PrincipalUrl,
    PrincipalCollections,
    AlternateUris,
    GroupMembership,
    Owner,
    Privileges,
    SupportedPrivileges,
    Acl,
    AclRestrictions,
    InheritedAcls,
    Reports,
    SyncToken,
    CalendarHome,
    UserAddresses,
    UserType,
    InboxUrl,
    OutboxUrl,
    DefaultCalendar,
    FreeBusySet,
    Components,
    CalendarData,
    CalendarDescription,
    Timezone,
    TimezoneId,
    Transparency,
    ScheduleTag,
    CalendarObjectMax,
    Collations,
    BookHome,
    AddressData,
    BookDescription,
    AddressObjectMax,
    BookCollations,
    Ctag,
    Emails,
    Color,
    GroupMembers,
    ProxyReadFor,
    ProxyWriteFor,
    NotificationUrl,
    NotificationType,
    Invite,
    SharingModes,
    SharedUrl,
    PublishUrl,
    PrePublishUrl,
    DavInvite,
    ShareAccess,
    ShareUri,
    QuotaUsed,
    QuotaAvailable,
    ResourceId,
    AddMember,
    Source,
}

/// Properties that mean something elsewhere and that clients cannot set there: kept as dead ones, they would lie.
const RESERVED: &[&str] = &[
    "D:lockdiscovery",
    "D:supportedlock",
    "D:group",
    "D:supported-method-set",
    "D:supported-live-property-set",
    "C:supported-calendar-component-sets",
    "C:min-date-time",
    "C:max-date-time",
    "C:max-instances",
    "C:max-attendees-per-instance",
    "C:managed-attachments-server-URL",
    "CS:pushkey",
    "CS:push-transports",
];

impl Property {
    /// All of them, in the order in which `propname` lists them.
    pub const ALL: [Property; 62] = [
        Property::ResourceType,
        Property::DisplayName,
        Property::Etag,
        Property::ContentType,
        Property::ContentLength,
        Property::LastModified,
        Property::CreationDate,
        Property::CurrentUserPrincipal,
        Property::PrincipalUrl,
        Property::PrincipalCollections,
        Property::AlternateUris,
        Property::GroupMembership,
        Property::Owner,
        Property::Privileges,
        Property::SupportedPrivileges,
        Property::Acl,
        Property::AclRestrictions,
        Property::InheritedAcls,
        Property::Reports,
        Property::SyncToken,
        Property::CalendarHome,
        Property::UserAddresses,
        Property::UserType,
        Property::InboxUrl,
        Property::OutboxUrl,
        Property::DefaultCalendar,
        Property::FreeBusySet,
        Property::Components,
        Property::CalendarData,
        Property::CalendarDescription,
        Property::Timezone,
        Property::TimezoneId,
        Property::Transparency,
        Property::ScheduleTag,
        Property::CalendarObjectMax,
        Property::Collations,
        Property::BookHome,
        Property::AddressData,
        Property::BookDescription,
        Property::AddressObjectMax,
        Property::BookCollations,
        Property::Ctag,
        Property::Emails,
        Property::Color,
        Property::GroupMembers,
        Property::ProxyReadFor,
        Property::ProxyWriteFor,
        Property::NotificationUrl,
        Property::NotificationType,
        Property::Invite,
        Property::SharingModes,
        Property::SharedUrl,
        Property::PublishUrl,
        Property::PrePublishUrl,
        Property::DavInvite,
        Property::ShareAccess,
        Property::ShareUri,
        Property::QuotaUsed,
        Property::QuotaAvailable,
        Property::ResourceId,
        Property::AddMember,
        Property::Source,
    ];

    /// What `allprop` answers: what RFC 4918 defines, and what would be a dead property elsewhere. RFC 4791 5.2, 6352 6.2 and 3744 5 keep
    /// theirs out of it.
    pub const COMMON: [Property; 8] = [
        Property::ResourceType,
        Property::DisplayName,
        Property::Etag,
        Property::ContentType,
        Property::ContentLength,
        Property::LastModified,
        Property::CreationDate,
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
            Property::CreationDate => "D:creationdate",
            Property::CurrentUserPrincipal => "D:current-user-principal",
            Property::PrincipalUrl => "D:principal-URL",
            Property::PrincipalCollections => "D:principal-collection-set",
            Property::AlternateUris => "D:alternate-URI-set",
            Property::GroupMembership => "D:group-membership",
            Property::Owner => "D:owner",
            Property::Privileges => "D:current-user-privilege-set",
            Property::SupportedPrivileges => "D:supported-privilege-set",
            Property::Acl => "D:acl",
            Property::AclRestrictions => "D:acl-restrictions",
            Property::InheritedAcls => "D:inherited-acl-set",
            Property::Reports => "D:supported-report-set",
            Property::SyncToken => "D:sync-token",
            Property::CalendarHome => "C:calendar-home-set",
            Property::UserAddresses => "C:calendar-user-address-set",
            Property::UserType => "C:calendar-user-type",
            Property::InboxUrl => "C:schedule-inbox-URL",
            Property::OutboxUrl => "C:schedule-outbox-URL",
            Property::DefaultCalendar => "C:schedule-default-calendar-URL",
            Property::FreeBusySet => "C:calendar-free-busy-set",
            Property::Components => "C:supported-calendar-component-set",
            Property::CalendarData => "C:supported-calendar-data",
            Property::CalendarDescription => "C:calendar-description",
            Property::Timezone => "C:calendar-timezone",
            Property::TimezoneId => "C:calendar-timezone-id",
            Property::Transparency => "C:schedule-calendar-transp",
            Property::ScheduleTag => "C:schedule-tag",
            Property::CalendarObjectMax => "C:max-resource-size",
            Property::Collations => "C:supported-collation-set",
            Property::BookCollations => "CR:supported-collation-set",
            Property::BookHome => "CR:addressbook-home-set",
            Property::AddressData => "CR:supported-address-data",
            Property::BookDescription => "CR:addressbook-description",
            Property::AddressObjectMax => "CR:max-resource-size",
            Property::Ctag => "CS:getctag",
            Property::Emails => "CS:email-address-set",
            Property::Color => "A:calendar-color",
            Property::GroupMembers => "D:group-member-set",
            Property::ProxyReadFor => "CS:calendar-proxy-read-for",
            Property::ProxyWriteFor => "CS:calendar-proxy-write-for",
            Property::NotificationUrl => "CS:notification-URL",
            Property::NotificationType => "CS:notificationtype",
            Property::Invite => "CS:invite",
            Property::SharingModes => "CS:allowed-sharing-modes",
            Property::SharedUrl => "CS:shared-url",
            Property::PublishUrl => "CS:publish-url",
            Property::PrePublishUrl => "CS:pre-publish-url",
            Property::DavInvite => "D:invite",
            Property::ShareAccess => "D:share-access",
            Property::ShareUri => "D:share-resource-uri",
            Property::QuotaUsed => "D:quota-used-bytes",
            Property::QuotaAvailable => "D:quota-available-bytes",
            Property::ResourceId => "D:resource-id",
            Property::AddMember => "D:add-member",
            Property::Source => "CS:source",
        }
    }

    /// Whether clients may set it: where it means nothing, it is kept as a dead property.
    pub fn settable(self) -> bool {
        matches!(
            self,
            Property::DisplayName
                | Property::CalendarDescription
                | Property::Timezone
                | Property::TimezoneId
                | Property::Transparency
                | Property::BookDescription
                | Property::Color
        )
    }

    pub fn of(name: &Name) -> Option<Property> {
        let prefix = name.space.prefix()?;
        Property::ALL.into_iter().find(|known| known.tag().split_once(':') == Some((prefix, &name.local)))
    }

    /// Whether this name is nobody's to set.
    pub fn protects(name: &Name) -> bool {
        let reserved = || {
            let known =
                |tag: &&str| tag.split_once(':') == name.space.prefix().map(|prefix| (prefix, name.local.as_str()));
            RESERVED.iter().any(known)
        };
        Property::of(name).map_or_else(reserved, |property| !property.settable())
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
        let name = |space, local: &str| Name { space, local: local.to_owned() };
        assert!(Property::protects(&name(Space::Dav, "lockdiscovery")));
        assert!(Property::protects(&name(Space::Dav, "getetag")));
        assert!(!Property::protects(&name(Space::Dav, "displayname")));
        assert!(!Property::protects(&name(Space::Apple, "calendar-order")));
        assert!(!Property::protects(&name(Space::Other("u:e".to_owned()), "lockdiscovery")));
    }
}
