//! Places as hrefs: percent-encoded byte for byte, prefix included. Reads none.

use percent_encoding::utf8_percent_encode;

use crate::dav::path::Place;
use crate::domain::address::{Address, Kind, UserName};
use crate::http::call::SEGMENT;

/// Spells hrefs as the client of this request sees them.
#[derive(Clone, Copy, Debug)]
pub struct Hrefs {
    prefix: &'static str,
}

impl Hrefs {
    pub fn new(prefix: &'static str) -> Hrefs {
        Hrefs { prefix }
    }

    /// Collections end with a slash, objects do not.
    pub fn of(self, place: &Place) -> String {
        match place {
            Place::Root => format!("{}/", self.prefix),
            Place::Principals => format!("{}/principals/", self.prefix),
            Place::Principal(user) => self.principal(user),
            Place::Homes(kind) => format!("{}/{}/", self.prefix, kind.root()),
            Place::Home(kind, user) => self.home(*kind, user),
            Place::Collection(address) => self.collection(address),
            Place::Object(address) => {
                let mut href = self.collection(address.collection());
                push_segment(&mut href, address.name());
                href
            }
            Place::Proxy(user, writes) => self.proxy(user, *writes),
            Place::Notifications(user) => self.notifications(user),
            Place::Notification(user, id) => {
                let mut href = self.notifications(user);
                push_segment(&mut href, id);
                href
            }
        }
    }

    pub fn principal(self, user: &UserName) -> String {
        self.joined("principals", &[user.as_str()])
    }

    /// Those who act for somebody.
    pub fn proxy(self, user: &UserName, writes: bool) -> String {
        self.joined("principals", &[user.as_str(), if writes { "calendar-proxy-write" } else { "calendar-proxy-read" }])
    }

    pub fn notifications(self, user: &UserName) -> String {
        self.joined("notifications", &[user.as_str()])
    }

    pub fn home(self, kind: Kind, user: &UserName) -> String {
        self.joined(kind.root(), &[user.as_str()])
    }

    pub fn collection(self, address: &Address) -> String {
        self.joined(address.kind().root(), &[address.user().as_str(), address.name()])
    }

    fn joined(self, root: &str, names: &[&str]) -> String {
        let mut href = format!("{}/{root}/", self.prefix);
        for name in names {
            push_segment(&mut href, name);
            href.push('/');
        }
        href
    }
}

/// Adds one name to an href that ends with a slash.
pub fn push_segment(href: &mut String, name: &str) {
    href.extend(utf8_percent_encode(name, SEGMENT));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dav::path::Path;

    #[test]
    fn names_are_encoded_byte_for_byte() {
        let rows = [
            ("plain-1.ics", "plain-1.ics"),
            ("a b.ics", "a%20b.ics"),
            ("a@b.ics", "a@b.ics"),
            ("50%.ics", "50%25.ics"),
            ("a%20b.ics", "a%2520b.ics"),
            ("a?b#c.ics", "a%3Fb%23c.ics"),
            ("a+b=c&d;e,f:g.ics", "a+b=c&d;e,f:g.ics"),
            ("(a)'b'!$*~_.ics", "(a)'b'!$*~_.ics"),
            ("<a>\"b\"{}|^`[].ics", "%3Ca%3E%22b%22%7B%7D%7C%5E%60%5B%5D.ics"),
            ("\u{e9}.ics", "%C3%A9.ics"),
            ("e\u{301}.ics", "e%CC%81.ics"),
            ("\u{1f514}.ics", "%F0%9F%94%94.ics"),
        ];
        for (name, want) in rows {
            let mut href = String::new();
            push_segment(&mut href, name);
            assert_eq!(href, want);
        }
    }

    #[test]
    fn hrefs_lead_back_to_their_place() {
        let rows = [
            "/",
            "/principals/",
            "/principals/a@b/",
            "/calendars/",
            "/addressbooks/alice/",
            "/principals/a@b/calendar-proxy-read/",
            "/principals/a@b/calendar-proxy-write/",
            "/notifications/a@b/",
            "/notifications/a@b/1-2.xml",
            "/calendars/alice/a%20b/",
            "/calendars/alice/default/%C3%A9.ics",
        ];
        for href in rows {
            for prefix in ["", "/dav"] {
                let href = format!("{prefix}{href}");
                let path = Path::parse(&href).unwrap();
                assert_eq!(Hrefs::new(path.prefix).of(&path.place), href);
            }
        }
    }
}
