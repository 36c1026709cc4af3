//! A reverse proxy that has signed people in already, and names them in a header: when it is believed. Off unless a header is configured.

use std::net::IpAddr;

use http::header::{HOST, HeaderMap, HeaderName, ORIGIN, UPGRADE};
use http::{Method, Uri};

use crate::domain::net::Nets;
use crate::domain::origin::{Origin, authority};

/// What a trusted proxy says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vouch {
    /// It comes from the person of this login name or mail address.
    For(String),
    /// More than one name, or none that can be read: nobody is believed.
    Unclear,
    /// A page of another origin sends it, with the session of the person who looks at that page.
    Foreign,
}

/// Whom this service believes.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// `None`: nobody.
    header: Option<HeaderName>,
    from: Nets,
    /// Origins beside the request's own host whose pages may act for the people who look at them.
    own: Vec<Origin>,
}

impl Proxies {
    /// An empty `header` believes nobody, and so does one that is no header's name.
    pub fn new(header: &str, from: Nets, own: Vec<Origin>) -> Proxies {
        Proxies { header: HeaderName::try_from(header).ok(), from, own }
    }

    /// Takes the header out of a request, whoever sent it, and tells what it says if it is to be believed; `None` where nobody vouches.
    pub fn take(&self, method: &Method, uri: &Uri, headers: &mut HeaderMap, peer: IpAddr) -> Option<Vouch> {
        let header = self.header.as_ref()?;
        let said: Vec<_> = headers.get_all(header).iter().cloned().collect();
        headers.remove(header);
        if !self.from.hold(peer) {
            return None;
        }
        let [name] = said.as_slice() else {
            return (!said.is_empty()).then_some(Vouch::Unclear);
        };
        let Some(name) = std::str::from_utf8(name.as_bytes()).ok().map(str::trim) else { return Some(Vouch::Unclear) };
        if name.is_empty() {
            return None;
        }
        // RFC 9110 5.3: two headers may have been joined to one on the way.
        if name.contains(',') {
            return Some(Vouch::Unclear);
        }
        if self.is_foreign(method, uri, headers) {
            return Some(Vouch::Foreign);
        }
        Some(Vouch::For(name.to_owned()))
    }

    /// Whether a page of another origin made a browser send this. The browser adds the session by itself, so the session proves nothing about
    /// who wanted the request. What only reads is let through: the page cannot see the answer.
    fn is_foreign(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
        let harmless = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if harmless && !headers.contains_key(UPGRADE) {
            return false;
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        // Browsers name an origin with everything that could do harm; other programs have no session that another could ride on.
        let (Some(origin), None) = (origins.next(), origins.next()) else { return headers.contains_key(ORIGIN) };
        let Some(origin) = origin.to_str().ok().and_then(Origin::parse) else { return true };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).or(uri.authority().map(|at| at.as_str()));
        !host.is_some_and(|host| origin.is_at(&authority(host))) && !self.own.contains(&origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(proxies: &Proxies, method: &str, headers: &[(&str, &str)], peer: &str) -> (Option<Vouch>, HeaderMap) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).expect(name), value.parse().expect(value));
        }
        let method = method.parse().expect(method);
        let vouch = proxies.take(&method, &Uri::from_static("/"), &mut map, peer.parse().expect(peer));
        (vouch, map)
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let nets = Nets::parse(["loopback", "10.0.0.0/8"]).expect("networks");
        let own = vec![Origin::parse("https://calendar.example").expect("an origin")];
        let on = Proxies::new("X-Remote-User", nets, own);
        let said = |name: &str| Some(Vouch::For(name.to_owned()));
        let (near, far) = ("127.0.0.1", "192.0.2.1");
        let (upgrade, host) = (("upgrade", "websocket"), ("host", "Cal.example:8008"));
        let from = |origin| ("origin", origin);
        type Row<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a str, Option<Vouch>);
        let rows: Vec<Row<'_>> = vec![
            ("GET", vec![], near, None),
            ("GET", vec![("x-remote-user", "alice")], near, said("alice")),
            ("GET", vec![("X-REMOTE-USER", " alice ")], "10.9.8.7", said("alice")),
            ("GET", vec![("x-remote-user", "alice")], "::ffff:10.9.8.7", said("alice")),
            ("GET", vec![("x-remote-user", "alice")], far, None),
            ("GET", vec![("x_remote_user", "alice")], near, None),
            ("GET", vec![("remote-user", "alice")], near, None),
            ("GET", vec![("x-remote-user", "")], near, None),
            ("GET", vec![("x-remote-user", "alice"), ("x-remote-user", "alice")], near, Some(Vouch::Unclear)),
            ("GET", vec![("x-remote-user", "alice, bob")], near, Some(Vouch::Unclear)),
            ("GET", vec![("x-remote-user", ""), ("x-remote-user", "bob")], near, Some(Vouch::Unclear)),
            ("GET", vec![("x-remote-user", "alice"), from("https://evil.example"), host], near, said("alice")),
            ("POST", vec![("x-remote-user", "alice"), host], near, said("alice")),
            ("POST", vec![("x-remote-user", "alice"), from("https://evil.example"), host], near, Some(Vouch::Foreign)),
            ("POST", vec![("x-remote-user", "alice"), from("null"), host], near, Some(Vouch::Foreign)),
            ("POST", vec![("x-remote-user", "alice"), from("https://cal.example:8008"), host], near, said("alice")),
            ("POST", vec![("x-remote-user", "alice"), from("https://cal.example"), host], near, Some(Vouch::Foreign)),
            ("POST", vec![("x-remote-user", "alice"), from("https://calendar.example"), host], near, said("alice")),
            (
                "POST",
                vec![("x-remote-user", "alice"), from("http://calendar.example"), host],
                near,
                Some(Vouch::Foreign),
            ),
            (
                "GET",
                vec![("x-remote-user", "alice"), from("https://evil.example"), host, upgrade],
                near,
                Some(Vouch::Foreign),
            ),
            ("GET", vec![("x-remote-user", "alice"), host, upgrade], near, said("alice")),
        ];
        for (method, headers, peer, want) in rows {
            let (vouch, left) = taken(&on, method, &headers, peer);
            assert_eq!(vouch, want, "{method} {headers:?} {peer}");
            assert!(!left.contains_key("x-remote-user"), "it is taken out whoever sent it");
        }
        let (vouch, left) = taken(&Proxies::default(), "GET", &[("x-remote-user", "alice")], near);
        assert_eq!((vouch, left.len()), (None, 1), "switched off it is a header like any other");
    }
}
